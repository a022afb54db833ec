"""`ticktree record`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .running import CONFIG, EXIT_CODES, manners

if TYPE_CHECKING:
    from ticktree.actors import ChildSpec
    from ticktree.feeds import FeedAccount
    from ticktree.feeds.recording import RecorderStats

    from ..app import ExitReport
    from ..assembly import Assembly
    from ..parts import App
    from .running import Run


@click.command(epilog=EXIT_CODES)
@CONFIG
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder of the recordings, a file for each life of each feed; it is made where there is none.",
)
@manners
def record(config: Path, folder: Path, **manner: Any) -> None:
    """Run the feeds of CONFIG alone, and record what they bring, until Ctrl-C.

    The files are what `ticktree rehearse` and `ticktree serve-recording` take. What a feed says when it logs in is not
    recorded, nor what looks like a secret.
    """
    from .running import Run, loaded

    app = taped(loaded(config), folder)
    make(folder)
    feeds = ", ".join(feed.name for feed in app.feeds)
    first = f"RECORDING to {folder}: {feeds}; nothing can be ordered"
    Run(config, **manner).perform(app, first, progress, last, incomplete)


def make(folder: Path) -> None:
    """Make it where there is none, before anything starts."""
    import os

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{folder} cannot be made: {error.strerror}", param_hint="--to") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise click.BadParameter(f"nothing may be written to {folder}", param_hint="--to")


def taped(app: "App", folder: Path) -> "App":
    """The feeds of `app` alone, each recorded to `folder`."""
    import attrs

    from ..parts import FeedPart
    from .running import feeds_alone

    feeds = [attrs.evolve(feed, record=folder) for feed in app.feeds if isinstance(feed, FeedPart)]
    simulated = ", ".join(feed.name for feed in app.feeds if not isinstance(feed, FeedPart))
    if simulated:
        raise click.UsageError(
            f"nothing arrives at {simulated} that could be recorded: it is simulated in this process. Start `ticktree "
            f'exchange`, and give the feed type = "relay" and url = one of its addresses'
        )
    return attrs.evolve(feeds_alone(app), feeds=tuple(feeds), operations=None)  # it may run beside a `ticktree run`


def progress(assembly: "Assembly", run: "Run") -> "tuple[ChildSpec, ...]":
    """Who says how far it is, where somebody looks on."""
    import sys

    from .progress import spec

    return (spec(assembly, run.say),) if sys.stdout.isatty() else ()


def last(report: "ExitReport") -> list[str]:
    """A line for each feed: what is in which file."""
    return [_told(name, stats, report.accounts[name]) for name, stats in report.recorders.items()]


def incomplete(report: "ExitReport") -> str:
    """Which recordings ended before their feeds did, and why."""
    ended = [f"{name}: {stats.error}" for name, stats in report.recorders.items() if stats.error]
    return f"not all is recorded: {'; '.join(ended)}" if ended else ""


def _told(name: str, stats: "RecorderStats", account: "FeedAccount") -> str:
    errors = "".join(f", {count:,} {error}" for error, count in account.errors.items())
    ended = f"; {stats.error}" if stats.error else ""
    return (
        f"{name}: {stats.recorded_messages:,} messages, {stats.recorded_bytes / 1e6:,.1f} MB, "
        f"{stats.missed_messages:,} missed{errors}; {_files(stats.files, stats.path)}{ended}"
    )


def _files(files: int, path: Path | None) -> str:
    if path is None:
        return "no file"
    return str(path) if files == 1 else f"{files} files, the latest {path}"
