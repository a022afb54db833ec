"""The command line."""

import sys
from functools import partial
from pathlib import Path

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


@main.command()
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

    from . import console

    try:
        market = Market(seed=seed, interval_s=seconds(interval), depth=depth)
        service = Service(market, Faults.parse(faults, seed), tcp, ws, token, seconds(for_) if for_ else None)
    except ValueError as error:  # BadFault and BadAddress are ValueErrors
        raise click.UsageError(str(error)) from error
    console.log_to_stdout(tracebacks=False, stream=sys.stderr)
    try:
        report = serve(service, click.echo, loop)
    except StartFailed as error:
        raise click.ClickException(str(error)) from error
    raise SystemExit(report.exit_code)


@main.command("serve-recording")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--exchange", "name", default="", metavar="NAME", help="Which it is of, if its addresses do not tell.")
@click.option(
    "--speed",
    type=click.Choice(["1", "10", "max"]),
    default="1",
    show_default=True,
    help="How many times as fast as it was recorded; max: as fast as clients read.",
)
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=0, help="Where to listen on 127.0.0.1; 0 takes a free one."
)
@click.option("--cut", type=click.IntRange(min=0), default=0, help="How often to break all connections off, anywhere.")
@click.option(
    "--missed",
    type=click.IntRange(min=0),
    default=0,
    help="Up to how many messages pass after each cut before time waits for the clients.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="What the places of the cuts are drawn from.")
@click.option(
    "--clients", type=click.IntRange(min=1), default=1, show_default=True, help="How many have to subscribe first."
)
@click.option("--for", "for_", metavar="TIME", help="How long to run at most, as in 30s.")
@click.option(
    "--loop", type=click.Choice(["uvloop", "asyncio"]), default="uvloop", show_default=True, help="The event loop."
)
def serve_recording(  # noqa: PLR0913, PLR0917  # a command has as many arguments as it has options
    file: Path,
    name: str,
    speed: str,
    port: int,
    cut: int,
    missed: int,
    seed: int,
    clients: int,
    for_: str | None,
    loop: str,
) -> None:
    """Serve what an exchange sent once, to feeds that take it for the exchange.

    FILE is a recording. The first lines name the addresses, for the feed's `url` and `rest_url`. Time begins when
    clients have subscribed, and the program ends when all was told.
    """
    from ticktree.actors import StartFailed
    from ticktree.feeds import FeedError
    from ticktree.feeds.exchanges.played import played
    from ticktree.feeds.playback import Cuts, Start
    from ticktree.feeds.playback.process import Service, serve
    from ticktree.feeds.recording import read
    from ticktree.feeds.simulated.faults import seconds

    from . import console

    try:
        exchange = played(name, read(file))
        pace = None if speed == "max" else float(speed)
        for_s = seconds(for_) if for_ else None
    except (FeedError, OSError) as error:
        raise click.UsageError(str(error)) from error
    service = Service(exchange, pace, Cuts(cut, seed, missed), Start(clients), port, for_s)
    console.log_to_stdout(tracebacks=False, stream=sys.stderr)
    show = partial(click.echo, err=True) if sys.stderr.isatty() else None
    try:
        report = serve(service, click.echo, show, loop)
    except StartFailed as error:
        raise click.ClickException(str(error)) from error
    raise SystemExit(report.exit_code)


class NoSuchOrder(click.ClickException):
    """The journal can be read, and does not know the order."""

    exit_code = 3


@main.command(
    epilog="Exit codes: 0 told; 1 the journal cannot be read, or not to its end; 2 wrong usage; 3 no such order."
)
@click.argument("order_id", metavar="ORDER_ID")
@click.option(
    "--journal",
    "path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file that the application wrote its orders to: App(journal=JournalPart(PATH)).",
)
def why(order_id: str, path: Path) -> None:
    """Tell the story of an order, from the journal: tick, decision, risk, route, legs, reports, answer, end.

    ORDER_ID is an order's, as in the log, or one of its legs'. Each line says when, how long after the decision, who,
    and what. It may be asked while the application runs.
    """
    from collections.abc import Iterator

    from ticktree.routing.errors import JournalError, UnknownOrder
    from ticktree.routing.facts import AnyFact
    from ticktree.routing.journal import read
    from ticktree.routing.why import why as story

    damage: list[JournalError] = []

    def readable() -> Iterator[AnyFact]:
        try:
            yield from read(path)
        except JournalError as error:  # what comes before it can be told all the same
            damage.append(error)

    try:
        lines = story(readable(), order_id)
    except UnknownOrder as error:
        raise (click.ClickException(str(damage[0])) if damage else NoSuchOrder(str(error))) from error
    click.echo("\n".join(lines))
    if damage:
        raise click.ClickException(f"that is what stands before the damage: {damage[0]}")
