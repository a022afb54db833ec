"""A feed whose port the test plays, and listeners that write down what reaches them."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec

from ticktree.actors import Actor, ActorRef, ChildSpec, DropOldest, Mailbox, Shutdown, Supervisor, System
from ticktree.distribution import Hub
from ticktree.market import (
    Batch,
    BookUpdate,
    Data,
    Instrument,
    InstrumentIds,
    Level,
    Topic,
    batch_rows,
)

from ..market.samples import BTC, IDS

ROOM = Mailbox(10_000, DropOldest(), batch_rows)
DEADLINE_S = 5.0


class Listener(Actor[Any]):
    """Writes down what it handles; with `permits`, one message a permit."""

    def __init__(self, seen: list[Any], permits: asyncio.Semaphore | None = None) -> None:
        self.seen, self.permits = seen, permits

    def on_message(self, message: Any) -> Any:
        if self.permits is not None:
            return self._wait(message, self.permits)
        self.seen.append(message)
        return None

    async def _wait(self, message: Any, permits: asyncio.Semaphore) -> None:
        await permits.acquire()
        self.seen.append(message)


class Stage:
    """A hub, and listeners by name."""

    def __init__(self, system: System, hub: Hub, seen: dict[str, list[Any]], permits: asyncio.Semaphore) -> None:
        self.system, self.hub, self.seen, self.permits = system, hub, seen, permits

    def ref(self, name: str) -> ActorRef[Any]:
        return self.system.ref(name)

    async def all_handled(self) -> None:
        for name in self.seen:
            while self.ref(name).waits:
                await self.ref(name).drain(DEADLINE_S)
            await self.ref(name).drain(DEADLINE_S)
        await asyncio.sleep(0)  # what waited is reaped by callbacks

    async def take(self, name: str) -> list[Any]:
        """What the listener has handled since it was last asked."""
        await self.all_handled()
        return self.look(name)

    def look(self, name: str) -> list[Any]:
        seen = list(self.seen[name])
        self.seen[name].clear()
        return seen


@asynccontextmanager
async def stage(
    boxes: Mapping[str, Mailbox] | None = None,
    *,
    gated: Sequence[str] = (),
    ids: InstrumentIds = IDS,
    keep: Sequence[str] = (),
    **more: Mailbox,
) -> AsyncGenerator[Stage]:
    """Listeners with these mailboxes. Afterwards every tick is accounted for, and no task is left."""
    mailboxes = {**(boxes or {}), **more}
    seen: dict[str, list[Any]] = {name: [] for name in mailboxes}
    permits = asyncio.Semaphore(0)

    def spec(name: str) -> ChildSpec:
        if name in gated:
            start = partial(Listener, seen[name], permits)
            return ChildSpec(name, start, mailboxes[name], shutdown=Shutdown.BRUTAL_KILL)
        return ChildSpec(name, partial(Listener, seen[name]), mailboxes[name])

    system = System(Supervisor(tuple(map(spec, mailboxes))))
    async with system:
        yield Stage(system, Hub(ids, topics(*keep)), seen, permits)
    await asyncio.sleep(0)
    assert all(cell.stats().unaccounted == 0 and not cell.lane.waiting for cell in system.cells())
    assert asyncio.all_tasks() == {asyncio.current_task()}


class FakePort:
    """What the hub may ask of a feed; `tell` keeps its books as a feed does: before the update is published."""

    def __init__(self, name: str = "sim", offered: Sequence[str] = ("sim/*/*",)) -> None:
        self.name, self.topics = name, topics(*offered)
        self.holders: set[object] = set()
        self.pauses = 0
        self._levels: dict[str, tuple[dict[float, float], dict[float, float]]] = {}
        self._last: dict[str, BookUpdate] = {}

    def follow(self, update: BookUpdate) -> None:
        name = update.instrument.name
        if update.snapshot:
            self._levels[name] = {}, {}
        apply(self._levels.setdefault(name, ({}, {})), update)
        self._last[name] = update

    def last(self, instrument: str) -> int:
        return self._last[instrument].sequence if instrument in self._last else 0

    def books(self) -> Iterable[BookUpdate]:
        return [book for name in self._last if (book := self.book(name)) is not None]

    def book(self, instrument: str) -> BookUpdate | None:
        bids, asks = (tuple(side.items()) for side in self._levels.get(instrument, ({}, {})))
        if not bids and not asks:
            return None
        last = self._last[instrument]
        return msgspec.structs.replace(last, bids=bids, asks=asks, snapshot=True, first_sequence=last.sequence)

    def pause(self, holder: object) -> None:
        self.pauses += not self.holders
        self.holders.add(holder)

    def resume(self, holder: object) -> None:
        self.holders.discard(holder)

    @property
    def paused(self) -> bool:
        return bool(self.holders)


def apply(book: tuple[dict[float, float], dict[float, float]], update: BookUpdate) -> None:
    for side, levels in zip(book, (update.bids, update.asks), strict=True):
        if update.snapshot:
            side.clear()
        for price, size in levels:
            if size:
                side[price] = size
            else:
                side.pop(price, None)


def topics(*texts: str) -> tuple[Topic, ...]:
    return tuple(map(Topic.parse, texts))


def batch(*events: Data, columns: bool = False, ids: InstrumentIds = IDS) -> Batch:
    """Of these events; as columns if asked for."""
    made = Batch(events[0].feed, ids, events=list(events))
    return Batch(made.feed, ids, ticks=made.ticks) if columns else made


def flat(messages: Iterable[Any]) -> list[Any]:
    """Events and marks, one by one."""
    found: list[Any] = []
    for message in messages:
        found += message.events if isinstance(message, Batch) else [message]
    return found


def update(
    *bids: Level,
    asks: tuple[Level, ...] = (),
    snapshot: bool = False,
    sequence: int = 9,
    instrument: Instrument = BTC,
    feed: str = "sim",
) -> BookUpdate:
    return BookUpdate(feed, instrument, bids, asks, snapshot, sequence, sequence, 12, 20)
