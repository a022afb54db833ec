"""`ticktree demo`."""

import time
from typing import Literal

import click

LEAST_S, MOST_S = 1.0, 86_400.0


def _seconds(context: click.Context, parameter: click.Parameter, value: str) -> float:
    from ticktree.market import BadUnit
    from ticktree.market.units import seconds

    try:
        found = float(value) if value.replace(".", "", 1).isdecimal() else seconds(value)
    except BadUnit as error:
        raise click.BadParameter(str(error)) from error
    if not LEAST_S <= found <= MOST_S:
        raise click.BadParameter(f"the demo runs for {LEAST_S:g} s to 24 h; not {value}")
    return found


@click.command(epilog="Exit codes: 0 all is well; 1 something happened that must not; 2 wrong usage.")
@click.option(
    "--for",
    "for_s",
    callback=_seconds,
    default="30s",
    show_default=True,
    metavar="TIME",
    help="How long to run, as in 30s or 2m; Ctrl-C ends it sooner.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="What the simulated prices are drawn from.")
@click.option(
    "--loop", type=click.Choice(["uvloop", "asyncio"]), default="uvloop", show_default=True, help="The event loop."
)
@click.option("--plain", is_flag=True, help="Lines of text also where a terminal could show a live view.")
def demo(for_s: float, seed: int, loop: Literal["uvloop", "asyncio"], plain: bool) -> None:
    """Run all of it on this machine, without any account: exchanges, venues, strategies, and a failure on the way.

    Two simulated exchanges and three venues run in a process of their own, and are talked to over sockets. One feed is
    killed and recovers. In a terminal there is a live view; a summary at the end says where everything went.
    """
    began_ns = time.monotonic_ns() - time.process_time_ns()  # it took at least that since the process began
    try:
        code = _play(for_s, seed, loop, plain, began_ns)
    except KeyboardInterrupt:
        click.echo("stopped")
        code = 0
    raise SystemExit(code)


def _play(for_s: float, seed: int, loop: Literal["uvloop", "asyncio"], plain: bool, began_ns: int) -> int:
    from ticktree.actors import StartFailed

    from ..companion import CompanionFailed
    from ..demo.show import Wishes, play

    try:
        return play(Wishes(for_s, seed, loop, plain, began_ns))
    except (StartFailed, CompanionFailed) as error:
        raise click.ClickException(str(error)) from error
