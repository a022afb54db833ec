"""`ticktree exchange`."""

import sys

import click


@click.command(epilog="Exit codes: 0 ended cleanly; 1 did not, or could not start; 2 wrong usage.")
@click.option(
    "--tcp",
    default="tcp://127.0.0.1:0",
    show_default=True,
    metavar="URL",
    help="Where the wire protocol is spoken, tcp:// or unix://; port 0 takes a free one, '' leaves it out.",
)
@click.option(
    "--ws",
    default="ws://127.0.0.1:0/",
    show_default=True,
    metavar="URL",
    help="Where its JSON dialect is spoken, over WebSockets; '' leaves it out.",
)
@click.option(
    "--token",
    default="",
    envvar="TICKTREE_TOKEN",
    help="What clients must say; needed to listen beyond this machine. Better by TICKTREE_TOKEN: others see arguments.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="What prices and faults are drawn from.")
@click.option("--interval", default="20ms", show_default=True, metavar="TIME", help="Between two steps of the market.")
@click.option("--depth", type=click.IntRange(min=1), default=20, show_default=True, help="Levels a side of each book.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME=VALUE",
    help=(
        "Something that goes wrong; may be given often. disconnects, gaps, duplicates, silence, garbage and slow-reads "
        "take a probability in each step (gaps=0.01) or steps (gaps=@100,200); latency, jitter, silence-for and "
        "slow-reads-for a time (20ms)."
    ),
)
@click.option("--for", "for_", metavar="TIME", help="How long to run, as in 30s; else until Ctrl-C.")
@click.option(
    "--loop", type=click.Choice(["uvloop", "asyncio"]), default="uvloop", show_default=True, help="The event loop."
)
def exchange(  # noqa: PLR0913, PLR0917  # a command has as many arguments as it has options
    tcp: str,
    ws: str,
    token: str,
    seed: int,
    interval: str,
    depth: int,
    faults: tuple[str, ...],
    for_: str | None,
    loop: str,
) -> None:
    """Serve the simulated exchange to other programs, and break what it sends as it is told to.

    The first lines name the addresses: `tcp://127.0.0.1:5005  wire protocol`. The same seed tells the same market.
    """
    from ticktree.actors import StartFailed
    from ticktree.feeds.simulated import Faults, Market
    from ticktree.feeds.simulated.faults import seconds
    from ticktree.feeds.simulated.process import Service, serve

    from .. import console

    try:
        market = Market(seed=seed, interval_s=seconds(interval), depth=depth)
        service = Service(market, Faults.parse(faults, seed), tcp, ws, token, seconds(for_) if for_ else None)
    except ValueError as error:  # BadFault and BadAddress are ValueErrors
        raise click.UsageError(str(error)) from error
    console.log_to_stdout(tracebacks=False, stream=sys.stderr)
    try:
        report = serve(service, click.echo, loop)
    except StartFailed as error:
        raise click.ClickException(str(error).partition("\n")[0]) from error
    raise SystemExit(report.exit_code)
