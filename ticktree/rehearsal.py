"""An application against recorded exchanges: what would happen live, from feeds to venues, and no order leaves.

Each feed whose exchange was recorded gets an exchange on loopback that tells the recording as the exchange did; the
feed differs from the live one in its addresses alone. The exchanges share a process of their own. Each venue is
simulated, and matches against what its feed `prices` brings. What would concern others is left out: the relay,
servers, the operations endpoint, what feeds record, and the journal, in whose place stands one that goes with the
rehearsal.

It ends by itself when all was told, read, and handled.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from ticktree.actors import ChildSpec
from ticktree.feeds import Feed
from ticktree.feeds.exchanges.played import EXCHANGES
from ticktree.feeds.playback import Cuts

from .app import ExitReport, run_assembly
from .assembly import Assembly, assemble
from .companion import Companion, CompanionFailed
from .curtain import curtain
from .director import Progress, Stage
from .parts import App, BadApp, FeedPart, JournalPart, SimulatedPart, VenuePart
from .recordings import Recorded, exchange_of, recorded_in
from .scratch import scratch

COMPANION = "recorded exchanges"
ERROR = "Error: "


class CannotRehearse(ValueError):
    """An application, or a folder of recordings, that no rehearsal can be made of."""


class RehearsalFailed(RuntimeError):
    """It did not come to its end. `report`: how it ended instead."""

    def __init__(self, why: str, report: ExitReport) -> None:
        super().__init__(why)
        self.report = report


@attrs.frozen
class Manner:
    """How to rehearse.

    speed    how many times as fast as it was recorded; None: as fast as it is read
    cuts     where each exchange breaks its connections off
    journal  where orders are written to; None: to a file that goes with the rehearsal
    """

    speed: float | None = None
    cuts: Cuts = attrs.field(factory=Cuts)
    journal: Path | None = None


@attrs.frozen
class Rehearsal:
    """An application ready to be run against `exchanges`, which stand, and wait for `feeds`. `stages`: of its runs."""

    app: App
    feeds: tuple[str, ...]
    exchanges: Companion
    stages: list[Stage] = attrs.field(factory=list[Stage])

    def audience(self, assembly: Assembly, progress: Progress) -> tuple[ChildSpec, ...]:
        """Who ends a run of the assembled application when all was told."""
        self.stages.append(Stage(self.feeds, self.exchanges, assembly, progress))
        return (self.stages[-1].director,)

    @property
    def failure(self) -> str:
        """Why it did not come to its end; empty: it did, or was told to end."""
        return "".join(stage.failure for stage in self.stages)


AT_ONCE, UNSEEN = Manner(), Progress()  # values, and frozen


def rehearse(
    app: App,
    recordings: Path,
    manner: Manner = AT_ONCE,
    progress: Progress = UNSEEN,
    for_s: float | None = None,
) -> ExitReport:
    """Rehearse `app` against the recordings in that folder, for `for_s` at most; blocks.

    Raises `CannotRehearse`, `RecordingError`, `CompanionFailed`, `StartFailed`, `RehearsalFailed`.
    """
    with rehearsal(app, recordings, manner) as ready:
        assembly = assemble(ready.app)
        ends = (curtain(assembly.system, for_s),) if for_s is not None else ()
        report = run_assembly(assembly, *ready.audience(assembly, progress), *ends)
    if ready.failure:
        raise RehearsalFailed(ready.failure, report)
    return report


@contextmanager
def rehearsal(app: App, recordings: Path, manner: Manner) -> Generator[Rehearsal]:
    """Start the exchanges for `app`, in a process that ends with the context. Raises as `rehearse`."""
    cast = assigned(app, recordings)
    rehearsed(app, {feed: {} for feed in cast}, None)  # raises at once what is wrong with it
    with _journal(manner.journal) as journal, _exchanges(cast.values(), manner) as exchanges:
        try:
            urls = {feed: _urls(exchanges, recorded) for feed, recorded in cast.items()}
        except CompanionFailed as error:
            for line in error.lines:
                if line.startswith(ERROR):  # in its own words: a recording that is damaged, of nothing...
                    raise CannotRehearse(line.removeprefix(ERROR)) from error
            raise
        yield Rehearsal(rehearsed(app, urls, journal), tuple(cast), exchanges)


def headline(app: App, recordings: Path, manner: Manner) -> str:
    """What is about to happen, in one line. Raises as `rehearse`."""
    names = [f"{feed} ({recorded.path.name})" for feed, recorded in assigned(app, recordings).items()]
    speed = "as fast as it is read" if manner.speed is None else f"at speed {manner.speed:g}"
    return f"REHEARSAL: {', '.join(names)}, {speed}; every venue is simulated, no order leaves this machine"


# --- who plays what --------------------------------------------------------------------------------------------------


def assigned(app: App, folder: Path) -> dict[str, Recorded]:
    """The recording of each feed that is to have one, by the feed's name. Raises `CannotRehearse`, `RecordingError`."""
    found = recorded_in(folder)
    if not found:
        raise CannotRehearse(f"there is no recording in {folder}: none of its files ends with .jsonl.gz or .recording")
    live = [feed for feed in app.feeds if isinstance(feed, FeedPart)]
    if not live:
        raise CannotRehearse("no feed is of an exchange: there is nothing to play recordings to")
    return {feed.name: _recording_for(feed, found, folder) for feed in live}


def _recording_for(feed: FeedPart, found: Sequence[Recorded], folder: Path) -> Recorded:
    exchange = feed.type if feed.type in EXCHANGES else exchange_of(feed.make)
    if not exchange:
        kind = f"of type {feed.type}" if feed.type else f"made by {feed.make!r}"
        raise CannotRehearse(
            f"feed {feed.name} is {kind}, and played are {', '.join(EXCHANGES)}: leave it "
            "out of the configuration that is rehearsed"
        )
    fitting = [each for each in found if each.exchange == exchange]
    if of_its_own := [each for each in fitting if each.feed == feed.name]:
        fitting = of_its_own
    if not fitting:
        listed = ", ".join(f"{each.path.name} ({each.exchange or 'of no exchange that is known'})" for each in found)
        raise CannotRehearse(f"feed {feed.name}: nothing of {exchange} is recorded in {folder}; there is {listed}")
    if len(fitting) > 1:
        names = ", ".join(each.path.name for each in fitting)
        raise CannotRehearse(
            f"feed {feed.name}: {folder} has several recordings of {exchange}: {names}; leave one there"
        )
    return fitting[0]


# --- the application -------------------------------------------------------------------------------------------------


def rehearsed(app: App, urls: dict[str, dict[str, str]], journal: JournalPart | None) -> App:
    """`app` as it is rehearsed: the feeds at these addresses, `url` and `rest_url`, and simulated venues alone.

    Raises `CannotRehearse`.
    """
    supervision = app.supervision
    groups = {room: of_room for room, of_room in supervision.groups.items() if room != "servers"}
    feeds, venues = tuple(_feed(feed, urls) for feed in app.feeds), tuple(map(_venue, app.venues))
    try:
        return attrs.evolve(
            app, feeds=feeds, venues=venues, supervision=attrs.evolve(supervision, groups=groups),
            relay=None, servers=(), operations=None, journal=journal,
        )  # fmt: skip
    except BadApp as error:  # such as prices of a feed that is not there
        raise CannotRehearse(str(error)) from error


def _feed(feed: FeedPart | SimulatedPart, urls: dict[str, dict[str, str]]) -> FeedPart | SimulatedPart:
    if not isinstance(feed, FeedPart):
        return feed
    make: Callable[..., Feed] = feed.make
    return attrs.evolve(feed, make=partial(make, **urls[feed.name]), record=None)


def _venue(venue: Any) -> VenuePart:
    if isinstance(venue, VenuePart):
        return venue
    if not venue.prices:
        raise CannotRehearse(
            f"venue {venue.name} says no feed that a simulated one in its place could match against: "
            f'[venues.{venue.name}] prices = "the name of a feed"'
        )
    return VenuePart(venue.name, venue.prices, patience=venue.patience)


@contextmanager
def _journal(wanted: Path | None) -> Generator[JournalPart]:
    if wanted is None:
        with scratch("ticktree-rehearsal-") as folder:
            yield JournalPart(folder / "orders.journal")
    elif wanted.exists():  # what it holds would be the positions that this begins with, and it may be the live one
        raise CannotRehearse(f"{wanted} is there already: a rehearsal begins with nothing; name a file that is new")
    else:
        yield JournalPart(wanted)


# --- the exchanges ---------------------------------------------------------------------------------------------------


def _exchanges(cast: Iterable[Recorded], manner: Manner) -> Companion:
    """All of them in one process: to start one takes as much of a CPU as to tell ten thousand messages."""
    cuts, recorded = manner.cuts, tuple(cast)
    names = [word for each in recorded for word in ("--exchange", each.exchange)]
    return Companion(
        COMPANION, "ticktree", "serve-recording", *(str(each.path) for each in recorded), *names, "--rehearsal",
        "--speed", "max" if manner.speed is None else f"{manner.speed:g}",
        "--cut", str(cuts.count), "--missed", str(cuts.missed), "--seed", str(cuts.seed),
    )  # fmt: skip


def _urls(exchanges: Companion, recorded: Recorded) -> dict[str, str]:
    """Where the next exchange listens, for its feed."""
    found = exchanges.addresses(2)
    return {"url": found[f"{recorded.exchange}, WebSockets"], "rest_url": found[f"{recorded.exchange}, HTTP"]}
