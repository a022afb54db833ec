"""`ticktree rehearse`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .running import CONFIG, EXIT_CODES, file_to_be, manners

if TYPE_CHECKING:
    from ticktree.actors import ChildSpec

    from ..assembly import Assembly
    from ..rehearsal import Rehearsal
    from .running import Run

OFTEN_S, SELDOM_S = 2.0, 15.0  # progress: before somebody's eyes, and into a file


@click.command(epilog=EXIT_CODES)
@CONFIG
@click.option(
    "--recordings",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the recordings lie; which exchange each is of is told by what is in them.",
)
@click.option(
    "--speed",
    type=click.Choice(["1", "10", "max"]),
    default="1",
    show_default=True,
    help="How many times as fast as it was recorded; max: as fast as it is read.",
)
@click.option("--cut", type=click.IntRange(min=0), default=0, help="How often each exchange breaks connections off.")
@click.option(
    "--missed", type=click.IntRange(min=0), default=0, help="Up to how many messages pass unheard after each cut."
)
@click.option("--seed", type=int, default=1, show_default=True, help="What the places of the cuts are drawn from.")
@click.option(
    "--journal",
    callback=file_to_be,
    metavar="FILE",
    help="Keep the orders' journal in this new file, for `ticktree why`; else it goes with the rehearsal.",
)
@manners
def rehearse(  # noqa: PLR0913, PLR0917  # a command has as many arguments as it has options
    config: Path, recordings: Path, speed: str, cut: int, missed: int, seed: int, journal: Path | None, **manner: Any
) -> None:
    """Run CONFIG against recorded exchanges on this machine, until all was told. No order leaves.

    The feeds are the live ones, and differ in their addresses alone. Every venue is simulated, whatever CONFIG says,
    and matches against what its feed `prices` brings.
    """
    from ticktree.feeds.playback import Cuts
    from ticktree.feeds.recording import RecordingError

    from ..companion import CompanionFailed
    from ..rehearsal import CannotRehearse, Manner, headline, rehearsal
    from .running import Run, loaded

    app, run = loaded(config), Run(config, **manner)
    how = Manner(None if speed == "max" else float(speed), Cuts(cut, seed, missed), journal)
    try:
        first = headline(app, recordings, how)
        with rehearsal(app, recordings, how) as ready:
            _perform(run, ready, first)
    except (CannotRehearse, RecordingError) as error:
        raise click.UsageError(str(error)) from error
    except CompanionFailed as error:
        raise click.ClickException(str(error)) from error


def _perform(run: "Run", ready: "Rehearsal", first: str) -> None:
    """Ends the process, as `Run.perform` does, with what kept the rehearsal from its end, if anything."""
    import sys

    from ..director import Progress

    def audience(assembly: "Assembly", run: "Run") -> "tuple[ChildSpec, ...]":
        return ready.audience(assembly, Progress(run.say, OFTEN_S if sys.stdout.isatty() else SELDOM_S))

    run.perform(ready.app, first, audience, incomplete=lambda report: ready.failure)
