"""The command line."""

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ticktree", prog_name="ticktree")
def main() -> None:
    """Market data in, orders out: feeds, strategies and routers as one supervised tree of actors.

    `ticktree demo` shows all of it running on this machine, without any account or network.
    """


@main.command()
@click.option(
    "--for",
    "for_s",
    type=click.FloatRange(min=1.0, max=86_400.0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to run; Ctrl-C ends it sooner.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="What the simulated prices are drawn from.")
@click.option(
    "--loop", type=click.Choice(["uvloop", "asyncio"]), default="uvloop", show_default=True, help="The event loop."
)
def demo(for_s: float, seed: int, loop: str) -> None:
    """Run a simulated exchange, a strategy and a paper venue, and let one part fail on the way.

    Prints what happens, line by line, and at the end where every tick and byte went.
    """
    from .demo import play

    raise SystemExit(play(for_s, seed, loop))
