"""`ticktree serve-recording`."""

import sys
from functools import partial
from pathlib import Path

import click


@click.command(
    "serve-recording",
    epilog="Exit codes: 0 all was told, or the time was over; 1 it did not end cleanly, or could not start; 2 wrong "
    "usage, or a recording that cannot be read.",
)
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--exchange",
    "names",
    multiple=True,
    metavar="NAME",
    help="Which it is of, if its addresses do not tell; of several files, once for each.",
)
@click.option(
    "--speed",
    type=click.Choice(["1", "10", "max"]),
    default="1",
    show_default=True,
    help="How many times as fast as it was recorded; max: as fast as clients read.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    help="Where to listen on 127.0.0.1; 0 takes a free one. Each further file has the next.",
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
@click.option("--rehearsal", is_flag=True, hidden=True, help="How far it is as lines of JSON; stay when all was told.")
@click.option(
    "--loop", type=click.Choice(["uvloop", "asyncio"]), default="uvloop", show_default=True, help="The event loop."
)
def serve_recording(  # noqa: PLR0913, PLR0917  # a command has as many arguments as it has options
    files: tuple[Path, ...],
    names: tuple[str, ...],
    speed: str,
    port: int,
    cut: int,
    missed: int,
    seed: int,
    clients: int,
    for_: str | None,
    rehearsal: bool,
    loop: str,
) -> None:
    """Serve what an exchange sent once, to feeds that take it for the exchange.

    FILE is a recording; several are exchanges of their own. The first lines name the addresses, two for each file in
    turn, for the feed's `url` and `rest_url`. Time begins when clients have subscribed, and the program ends when all
    was told.
    """
    from ticktree.actors import StartFailed
    from ticktree.feeds import FeedError
    from ticktree.feeds.exchanges.played import played
    from ticktree.feeds.playback import Cuts, Start
    from ticktree.feeds.playback.process import Service, serve
    from ticktree.feeds.recording import Reading
    from ticktree.feeds.simulated.faults import seconds

    from .. import console

    if names and len(names) != len(files):
        raise click.UsageError(f"--exchange is given once for each FILE, or not at all; not {len(names)} times")
    services = list[Service]()
    try:
        pace = None if speed == "max" else float(speed)
        for_s = seconds(for_) if for_ else None
        for index, (file, name) in enumerate(zip(files, names or len(files) * ("",), strict=True)):
            reading = Reading(file)
            exchange = played(name, reading.entries())
            torn_bytes, at = reading.progress().torn_bytes, port + index if port else 0
            services.append(
                Service(exchange, pace, Cuts(cut, seed, missed), Start(clients), at, for_s, rehearsal, torn_bytes)
            )
    except (FeedError, OSError) as error:
        raise click.UsageError(str(error)) from error
    console.log_to_stdout(tracebacks=False, stream=sys.stderr)
    show = partial(click.echo, err=True) if sys.stderr.isatty() else None
    try:
        report = serve(services, click.echo, show, loop)
    except StartFailed as error:
        raise click.ClickException(str(error)) from error
    raise SystemExit(report.exit_code)
