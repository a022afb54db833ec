"""One back-test: the application as it is assembled live, on a virtual clock, with files in place of exchanges.

Every venue is simulated, and matches against what its feed `prices` brings. What would concern others is left out: the
relay, servers, the operations endpoint, what feeds record; the journal stands in memory. Nothing that is drawn, and no
order of events, depends on anything but the data, the application and the seed.

Nobody can look ahead: a file is read as time comes to it, an event is handed over at the instant at which it was
received, and an order reaches a venue that has seen what came until then.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from ticktree.actors import Deadlock, MailboxStats, StopReport, System, VirtualClock, VirtualLoop
from ticktree.feeds import FeedError
from ticktree.feeds.files import FilesReplay
from ticktree.feeds.recording import RecordingEnded
from ticktree.feeds.replay import Replay
from ticktree.routing.venues.simulated import Latency
from ticktree.strategies import Strategy

from ..assembly import Assembly, Simulation, assemble
from ..parts import AnyVenue, App, BadApp, GroupPart, StrategyPart, SystemPart, VenuePart
from .data import Datum, assigned, definitions, fed
from .errors import BadData, BadManner
from .observer import FactsInOrder, Observer
from .result import Assumptions, DataUsed, FeedCount, Outcome, VenueAssumed
from .rows import History, series

NS = 1_000_000_000
LOOK_S = 1.0  # of venues after what is in doubt: live it is 0.1, which alone took a second for each idle hour
LEAD_S = 1.0  # before the data begin, beyond what venues may take to be ready
FAR_APART_NS = 86_400 * NS
STUCK_S = 3_600.0  # without data, and with nothing handled: whoever holds a feed up will not let go


@attrs.frozen
class Manner:
    """What a back-test takes for granted.

    batch_window_s  rows of tables that were received within it reach strategies as one batch, when the last of them
                    was received; 0: each as it came
    handler_time_s  how long a strategy takes for each message that it gets
    latency         of all venues, in place of what the configuration says
    seed            what all chance is drawn from
    align           whether the data of all feeds begin at the same time; None: as they were, if that is within a day
    """

    batch_window_s: float = 0.0
    handler_time_s: float = 0.0
    latency: Latency | None = None
    seed: int = 0
    align: bool | None = None

    def __attrs_post_init__(self) -> None:
        for name in ("batch_window_s", "handler_time_s"):
            if not 0 <= getattr(self, name) < 1e6:
                raise BadManner(f"{name} is a number of seconds, 0 or more; not {getattr(self, name)!r}")


AS_IT_WAS = Manner()  # a value, and frozen


@attrs.define(eq=False)
class Running:
    """A back-test that was prepared; `run` it once. Another thread may ask how far it is."""

    app: App
    files: Mapping[str, list[Datum]]
    manner: Manner
    config: str
    began_ns: int
    assembly: Assembly
    facts: FactsInOrder
    observer: Observer
    stand_ins: tuple[str, ...]  # venues that are simulated in place of others
    _clock: VirtualClock
    _task: "asyncio.Task[Any] | None" = None
    _incomplete: str = ""
    _data_ended_ns: int = 0

    # --- for who watches -------------------------------------------------------------------------------------------

    @property
    def bytes_total(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for files in self.files.values() for file in files)

    @property
    def bytes_done(self) -> int:
        """Read so far."""
        return sum(replay.progress().bytes_done for replay in self._replays())

    @property
    def ticks(self) -> int:
        """Told so far."""
        return sum(account.events for account in self.assembly.accounts.values())

    @property
    def now_ns(self) -> int:
        """How late it is there."""
        return self._clock.now_ns()

    def _replays(self) -> list[Replay]:
        return [account.replay for account in self.assembly.accounts.values() if account.replay is not None]

    # --- running ---------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Run it; blocks. Raises `StartFailed`."""
        began_s = time.perf_counter()
        gc.freeze()
        try:
            with asyncio.Runner(loop_factory=lambda: VirtualLoop(self._clock)) as runner:
                runner.run(self._run(self.assembly.system()))
        except Deadlock as error:  # nothing can be stopped any more
            self._incomplete, self._data_ended_ns = str(error), self._data_ended_ns or self._clock.now_ns()
            self.observer.end()
        finally:
            gc.unfreeze()
        return self._outcome(time.perf_counter() - began_s)

    def interrupt(self) -> None:
        """Have it end in order, from any thread; of no effect before it has begun, and once it has ended."""
        if self._task is not None:
            with suppress(RuntimeError):  # its loop was closed just now
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def _run(self, system: System) -> None:
        self._task = task = asyncio.current_task()
        assert task is not None
        self._clock.call_at(self._clock.monotonic_ns() + self.began_ns - self._clock.now_ns(), self.observer.begin)
        await system.start()
        feeds = {cell.path: cell for cell in system.cells() if cell.path.startswith("feeds/")}
        try:
            await self._until_told(system)
        except asyncio.CancelledError:
            self._incomplete = "it was interrupted"
            task.uncancel()
        self._data_ended_ns = max(self.began_ns, self._clock.now_ns())
        self.observer.end_data()
        report = await system.stop()
        failed = {path: cell.last_reason.error for path, cell in feeds.items() if cell.last_reason is not None}
        self._incomplete = "; ".join(filter(None, (self._incomplete, *self._unread(failed), *_unclean(report))))
        self.observer.end()

    async def _until_told(self, system: System) -> None:
        """Wait for the end of all data, or of the system."""
        told = asyncio.gather(*(replay.over() for replay in self._replays()))
        awaited = told, asyncio.ensure_future(system.wait()), asyncio.ensure_future(self._stuck(system))
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in awaited:
                each.cancel()
                with suppress(asyncio.CancelledError):
                    await each

    async def _stuck(self, system: System) -> None:
        """Wait until no data are to come, and nothing is handled any more, though not all was told."""
        before, after = -1, 0
        while before != after or self._clock.data_awaited:
            await self._clock.sleep(STUCK_S)
            if not self._clock.data_awaited:
                handled = sum(node.mailbox.delivered for node in system.snapshot().actors())
                before, after = after, self.bytes_done + self.ticks + handled
        self._incomplete = "somebody holds a feed up for ever: its mailbox is full, and it handles nothing any more"

    def _unread(self, failed: Mapping[str, BaseException | None]) -> Iterable[str]:
        """Which data were not told to their end, and why."""
        for name, account in self.assembly.accounts.items():
            damage = account.replay.error if account.replay is not None else None
            error = damage or failed.get(f"feeds/{name}")
            if isinstance(damage, FeedError):  # which names the file
                yield f"{damage}"
            elif error is not None:
                yield f"the feed {name} failed: {type(error).__name__}: {error}"

    # --- what came of it -------------------------------------------------------------------------------------------

    def _outcome(self, wall_s: float) -> Outcome:
        history = History.of(self.facts.facts, self.observer.middles)
        fills, manner = tuple(history.fills), self.manner
        assumptions = Assumptions(
            tuple(_assumed(venue) for venue in self.app.venues), manner.batch_window_s, manner.handler_time_s,
            manner.seed,
        )  # fmt: skip
        return Outcome(
            self.config, self._used(), assumptions, self.began_ns, self._data_ended_ns, self.ticks, wall_s,
            self.facts.digest, tuple(self._count(name) for name in self.files), history.orders(), fills,
            series(self.observer.samples, self.observer.every_ns / NS, {fill.instrument for fill in fills}),
            self._incomplete, tuple(self._warnings(history)),
        )  # fmt: skip

    def _used(self) -> tuple[DataUsed, ...]:
        notes = self._notes()
        return tuple(file.used(notes.get(file.path.absolute(), "")) for files in self.files.values() for file in files)

    def _notes(self) -> Mapping[Path, str]:
        """What was wrong with files, and could be borne."""
        notes = dict[Path, str]()
        for name, account in self.assembly.accounts.items():
            if isinstance(account.replay, FilesReplay):
                notes |= account.replay.notes
            elif account.replay is not None and (torn := account.replay.progress().torn_bytes):
                several = ", or those of a file after it" if len(self.files[name]) > 1 else ""
                notes[self.files[name][0].path.absolute()] = (
                    f"its last {torn:,} bytes were cut off, and are left out{several}"
                )
        return notes

    def _count(self, name: str) -> FeedCount:
        account = self.assembly.accounts[name]
        ticks = {kind: account.kinds[kind] for kind in ("quote", "trade", "book", "bar") if account.kinds[kind]}
        errors = {what: count for what, count in account.errors.items() if what != RecordingEnded.__name__}
        return FeedCount(name, ticks, account.messages, account.gaps, errors)

    def _warnings(self, history: History) -> Iterable[str]:
        for name in self.stand_ins:
            yield f"venue {name} is another one live: here it is simulated, without fees; see its latency"
        for node in self.assembly.system().snapshot().actors():
            if node.path.startswith("strategies/"):
                yield from _lost(node.path, node.mailbox)
        if not self.ticks:
            yield "no tick was told: the data have nothing that the feeds of this configuration bring"
        elif not history.fills:
            yield "nothing was filled" if history.orders() else "no order was sent"


def _lost(path: str, mailbox: MailboxStats) -> Iterable[str]:
    """What a strategy did not hear, and why."""
    if mailbox.conflated:
        yield (
            f"{path} heard {mailbox.delivered:,} of {mailbox.received:,} ticks: of quotes that come at once its "
            "mailbox keeps the latest; one that drops the oldest has each"
        )
    if mailbox.dropped.overflow:
        yield f"{path} lost {mailbox.dropped.overflow:,} ticks: its mailbox was too small for what came at once"
    if mailbox.dropped.stop:
        yield f"{path} left {mailbox.dropped.stop:,} ticks unhandled when the data had ended"


def prepared(app: App, data: Iterable[str | Path], manner: Manner = AS_IT_WAS, config: str = "") -> Running:
    """`app` on these files, ready to run. Raises `BacktestError`, `RecordingError`, `FileError`, `BadApp`."""
    files = assigned(app, data)
    begins = _begins(files, manner.align)
    began_ns = min(begins.values())
    known = definitions(app)
    feeds = tuple(fed(part, files[part.name], begins[part.name], known, manner.batch_window_s) for part in app.feeds)
    tested = backtested(app, manner, feeds)
    clock = VirtualClock(began_ns - round((app.system.opens_within_s + LEAD_S) * NS))
    facts = FactsInOrder()
    observer = Observer(clock, tuple(dict.fromkeys(name for part in app.feeds for name in part.instruments)))
    assembly = assemble(tested, clock, Simulation(manner.seed, facts, observer.hear))
    observer.watch(assembly)
    stand_ins = tuple(venue.name for venue in app.venues if not isinstance(venue, VenuePart))
    return Running(tested, files, manner, config, began_ns, assembly, facts, observer, stand_ins, clock)


def _unclean(report: StopReport) -> Iterable[str]:
    """What was amiss in how the system ended, in a line each."""
    if report.reason.error is not None:
        first, *_, last = f"{report.reason.error}".splitlines() * 2
        yield f"the system ended by itself: {first}: {last.strip()}"
    if slow := {*report.overran, *(leak.path for leak in report.leaks)}:
        yield f"{', '.join(sorted(slow))} did not stop: what it awaits never comes"


def _begins(files: Mapping[str, list[Datum]], align: bool | None) -> dict[str, int]:
    """When the data of each feed begin."""
    begins = {name: its[0].first_ns for name, its in files.items()}
    first, last = min(begins, key=begins.__getitem__), max(begins, key=begins.__getitem__)
    apart_ns = begins[last] - begins[first]
    if align is None and apart_ns > FAR_APART_NS:
        raise BadData(
            f"the data of {last} begin {apart_ns / FAR_APART_NS:,.1f} days after those of {first}: "
            "--align has all begin at the same time, --no-align plays them as they were"
        )
    if not align or not apart_ns:
        return begins
    shifted = [name for name, its in files.items() if its[0].format != "recording" and begins[name] != begins[first]]
    if shifted:
        raise BadData(f"only recordings can be moved in time, and {', '.join(shifted)} has tables")
    return dict.fromkeys(begins, begins[first])


# --- the application -------------------------------------------------------------------------------------------------


def backtested(app: App, manner: Manner, feeds: tuple[Any, ...]) -> App:
    """`app` as it is back-tested, with these feeds, and simulated venues alone. Raises `BadData`."""
    supervision = app.supervision
    rooms = {**supervision.rooms, "feeds": GroupPart()}
    groups = {room: of_room for room, of_room in supervision.groups.items() if room not in ("servers", "feeds")}
    try:
        return attrs.evolve(
            app, feeds=feeds, venues=tuple(_venue(venue, manner) for venue in app.venues),
            strategies=tuple(_modelled(strategy, manner.handler_time_s) for strategy in app.strategies),
            supervision=attrs.evolve(supervision, rooms=rooms, groups=groups), relay=None, servers=(), operations=None,
            journal=None, system=SystemPart(opens_within_s=app.system.opens_within_s),
        )  # fmt: skip
    except BadApp as error:  # such as prices of a feed that is not there
        raise BadData(str(error)) from error


def _venue(venue: AnyVenue, manner: Manner) -> VenuePart:
    if isinstance(venue, VenuePart):
        part = venue
    elif venue.prices:
        part = VenuePart(venue.name, venue.prices, patience=venue.patience)
    else:
        raise BadData(
            f"venue {venue.name} says no feed that a simulated one in its place could match against: "
            f'[venues.{venue.name}] prices = "the name of a feed"'
        )
    patience = attrs.evolve(part.patience, look_s=max(part.patience.look_s, LOOK_S))
    return attrs.evolve(part, patience=patience, latency=part.latency if manner.latency is None else manner.latency)


def _modelled(part: StrategyPart, handler_time_s: float) -> StrategyPart:
    """A strategy that takes time."""
    if not handler_time_s:
        return part
    return attrs.evolve(part, make=partial(_slowed, part.make, handler_time_s), hand_off=False)


def _slowed(make: Callable[[], Strategy], handler_time_s: float) -> Strategy:
    strategy: Any = make()
    handle = strategy.on_message

    async def after_a_while(message: Any) -> None:
        await strategy.clock.sleep(handler_time_s)
        if (awaitable := handle(message)) is not None:
            await awaitable

    strategy.on_message = after_a_while
    slowed: Strategy = strategy
    return slowed


def _assumed(venue: AnyVenue) -> VenueAssumed:
    assert isinstance(venue, VenuePart)
    return VenueAssumed(venue.name, venue.prices, str(venue.latency), str(venue.rules.fees))
