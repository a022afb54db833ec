"""How the cost of a tick grows: with instruments, subscribers, feeds, and rows a batch.

Every figure is a point of a curve, over the curve's first point, in processor time of this process.

`instruments_N`             of a tick, of N instruments in no order: frames of 256 rows over a socket -> feed -> hub
                            with last values -> `on_batch`
`instruments_events_N`      the same -> `on_trade`
`subscribers_shared_N`      of a delivery of a batch of 256 rows to one of N strategies, from `publish` until the last
                            has counted it: all want the same tenth of 1,000 instruments
`subscribers_distinct_N`    each wants another tenth
`subscribers_one_each_N`    each wants one instrument, so that a batch brings most of a thousand nothing
`feeds_N`                   of a tick, of N feeds at once to one strategy, each on a connection of its own
`feeds_start_N`             of one feed of N that start, until all have brought ticks: this one by the clock
`batch_N`, `batch_events_N` of a row in batches of N: hub -> mailbox -> `on_batch`, or `on_trade`

What is published in this process comes as a read would bring it: a batch a turn of the loop, and each a new object.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from functools import partial
from itertools import cycle
from typing import ClassVar, cast

import attrs
import msgspec
import numpy as np

from ticktree.actors import ActorRef, ChildSpec, DropOldest, Fail, Mailbox, Supervisor, System
from ticktree.distribution import Hub
from ticktree.feeds import FeedAccount, Source, WireFeed
from ticktree.market import Batch, Ticks, Topic, Trade, batch_rows
from ticktree.strategies import Strategy

from . import rig
from .fanout import Offers
from .limits import beside, free_port, sender
from .measure import NANOSECONDS, Figure, Inexact, Plan, Side, Unit, with_extra
from .senders import INSTRUMENTS, MANY_ROWS, Asked, trades

MILLISECONDS = Unit("ms", lambda cost_s: cost_s * 1e3)
UNIVERSES = (10, 100, 1_000, 10_000)
SUBSCRIBERS = (1, 10, 100, 1_000)
FEEDS = (1, 10, 30, 100)
STARTED = (1, 10, 100)
ROWS = (1, 10, 100, 1_000)
OF_A_FEED = 10  # instruments
BATCHES = 16  # of 256 rows
BOX = Mailbox(1 << 20, DropOldest(), batch_rows)
FEW = Mailbox(100, Fail())


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`scale`."""
    port = free_port()
    async with beside(sender("many", str(port)), port):
        for name, setup in (("instruments", rig.Setup()), ("instruments_events", rig.EVENTS)):
            points = {count: partial(_streamed, plan, port, count, setup) for count in _few(plan, UNIVERSES)}
            for figure in await plan.curve(("scale", name), NANOSECONDS, points):
                yield figure
        async for figure in _feed_figures(plan, port):
            yield figure
    for name, wish in (("shared", shared), ("distinct", distinct), ("one_each", one_each)):
        async for figure in _subscriber_figures(plan, f"subscribers_{name}", wish):
            yield figure
    for name, events in (("batch", False), ("batch_events", True)):
        async for figure in _batch_figures(plan, name, events):
            yield figure


def _slice_s(plan: Plan) -> float:
    return plan.size(100, 10) / 1_000


def _few(plan: Plan, points: tuple[int, ...]) -> tuple[int, ...]:
    """All of them, or where only that everything runs is to be seen, the first two."""
    return points[: plan.size(len(points), 2)]


# --- over a socket -------------------------------------------------------------------------------------------------


def _asks(port: int, instruments: int, frames: int = 0) -> Callable[[Source], WireFeed]:
    token = msgspec.json.encode(Asked(instruments, frames)).decode()
    return lambda source: WireFeed(source, f"tcp://127.0.0.1:{port}", token)


async def _streamed(plan: Plan, port: int, instruments: int, setup: rig.Setup) -> float:
    async with rig.running(_asks(port, instruments), setup) as path:
        await path.reached(2 * instruments)
        cost_s = await _cpu_s_a_tick(plan, path.total)
        path.check()
    return cost_s


async def _cpu_s_a_tick(plan: Plan, total: rig.Sum) -> float:
    await asyncio.sleep(_slice_s(plan) / 5)
    before, began_s = total.ticks, time.process_time()
    await asyncio.sleep(_slice_s(plan))
    return (time.process_time() - began_s) / (total.ticks - before)


# --- many feeds ----------------------------------------------------------------------------------------------------


@attrs.define
class Feeds:
    """Feeds that run, and what came of them."""

    accounts: list[FeedAccount]
    strategy: ActorRef[Batch]
    total: rig.Sum

    async def all_bring(self) -> None:
        """Wait until each has brought ticks."""
        async with asyncio.timeout(60):
            while not all(account.events for account in self.accounts):  # noqa: ASYNC110  # they tell nobody else
                await asyncio.sleep(0.001)

    def check(self) -> None:
        """Raise `Inexact` unless everything read was handled, or is on its way."""
        box = self.strategy.stats()
        read = sum(account.events for account in self.accounts)
        if box.unaccounted or box.dropped.total or box.received != read or any(one.errors for one in self.accounts):
            raise Inexact(f"{read} were read: {box}")


@contextlib.asynccontextmanager
async def feeds_at_once(port: int, count: int, frames: int = 0) -> AsyncGenerator[Feeds]:
    names = [f"feed{number}" for number in range(count)]
    everything, total = (Topic("*", "*", "trade"),), rig.Sum()
    hub, make = Hub(keep=everything), _asks(port, OF_A_FEED, frames)
    sources = [Source(name, (Topic(name, "*", "trade"),), hub, hub.ids) for name in names]
    children = [ChildSpec("strategy", rig.made(rig.Columns, total), rig.WHOLE)]
    children += [ChildSpec(source.name, partial(make, source), FEW) for source in sources]
    system = System(Supervisor(tuple(children)))
    hub.subscribe(system.ref("strategy"), everything)
    async with system:
        yield Feeds([source.account for source in sources], system.ref("strategy"), total)


async def _feed_figures(plan: Plan, port: int) -> AsyncIterator[Figure]:
    rows_a_read = dict[int, list[float]]()

    async def streamed(count: int) -> float:
        async with feeds_at_once(port, count) as feeds:
            await feeds.all_bring()
            cost_s = await _cpu_s_a_tick(plan, feeds.total)
            feeds.check()
            messages = sum(account.messages for account in feeds.accounts)
            rows_a_read.setdefault(count, []).append(feeds.strategy.stats().received / messages)
        return cost_s

    async def started(count: int) -> float:
        began_s = time.perf_counter()
        async with feeds_at_once(port, count, frames=1) as feeds:
            await feeds.all_bring()
            return (time.perf_counter() - began_s) / count

    points = {count: partial(streamed, count) for count in _few(plan, FEEDS)}
    for figure in await plan.curve(("scale", "feeds"), NANOSECONDS, points):
        rows = float(np.median(rows_a_read[figure.extra["at"]]))
        yield with_extra(figure, rows_a_read=round(rows))
    points = {count: partial(started, count) for count in _few(plan, STARTED)}
    for figure in await plan.curve(("scale", "feeds_start"), MILLISECONDS, points):
        yield figure


# --- many subscribers ----------------------------------------------------------------------------------------------


@attrs.define
class Handled:
    """What all strategies were handed."""

    rows: int = 0
    calls: int = 0


class Counts(Strategy):
    """Counts what it is handed, and does no more."""

    handled: ClassVar[Handled]

    def on_batch(self, batch: Batch) -> None:
        handled = self.handled
        handled.rows += len(batch)
        handled.calls += 1


class Each(Strategy):
    """The same, trade by trade."""

    handled: ClassVar[Handled]

    def on_trade(self, trade: Trade) -> None:
        self.handled.rows += 1


@attrs.frozen
class Wish:
    """What one subscriber wants."""

    topics: tuple[str, ...]
    ids: frozenset[int]


TENTH = Wish((f"{rig.FEED}/I1*-USD/trade",), frozenset(one.id for one in INSTRUMENTS if one.name.startswith("I1")))


def shared(_: int) -> Wish:
    return TENTH


def distinct(number: int) -> Wish:
    one = one_each(number)
    return Wish(TENTH.topics + one.topics, TENTH.ids | one.ids)


def one_each(number: int) -> Wish:
    return Wish((f"{rig.FEED}/I{number}-USD/trade",), frozenset({number}))


async def _subscriber_figures(plan: Plan, name: str, wish: Callable[[int], Wish]) -> AsyncIterator[Figure]:
    async with contextlib.AsyncExitStack() as stack:
        points = dict[int, Side]()
        for count in _few(plan, SUBSCRIBERS):
            points[count] = await stack.enter_async_context(delivering(plan, list(map(wish, range(count)))))
        for figure in await plan.curve(("scale", name), NANOSECONDS, points):
            yield figure


@contextlib.asynccontextmanager
async def delivering(plan: Plan, wishes: list[Wish]) -> AsyncGenerator[Side]:
    """Seconds a delivery, to as many as have a wish."""
    handled = Handled()
    strategy = cast(type[Counts], type("Counts", (Counts,), {"handled": handled}))
    hub = new_hub()
    children = tuple(ChildSpec(f"strategy{number}", strategy, BOX) for number in range(len(wishes)))
    system = System(Supervisor(children), watchdog_s=0)  # finding out who asked for what may take a second, once
    for number, wish in enumerate(wishes):
        hub.subscribe(system.ref(f"strategy{number}"), map(Topic.parse, wish.topics))
    wanted_by = np.array([sum(one.id in wish.ids for wish in wishes) for one in INSTRUMENTS])
    parts = [Part(ticks, int(wanted_by[ticks["instrument"]].sum())) for ticks in many_parts()]

    async def seconds_a_delivery() -> float:
        before = handled.calls
        cost_s = await publish_all(hub, parts, handled, _slice_s(plan))
        return cost_s / (handled.calls - before)

    async with system:
        await publish_all(hub, parts, handled, 0)  # who asked for what is found out
        yield seconds_a_delivery


# --- what is published in this process -----------------------------------------------------------------------------


@attrs.frozen
class Part:
    """What one read would bring, and how many rows all strategies together are handed of it."""

    ticks: Ticks
    rows: int


def many_parts() -> list[Ticks]:
    ticks = trades(BATCHES * MANY_ROWS)
    ticks["instrument"] = np.random.default_rng(1).permutation(ticks["instrument"])
    ticks.setflags(write=False)
    return np.split(ticks, BATCHES)


def new_hub() -> Hub:
    hub = Hub()
    for instrument in INSTRUMENTS:
        hub.ids.adopt(instrument)
    hub.attach(Offers())
    return hub


async def publish_all(hub: Hub, parts: Sequence[Part], handled: Handled, seconds: float) -> float:
    """All `parts`, and again for so long: each once the former has been handled. The seconds it took."""
    loop = asyncio.get_running_loop()
    done, coming, due, until_s = loop.create_future(), cycle(parts), handled.rows, time.perf_counter() + seconds
    left = len(parts)

    def turn() -> None:
        nonlocal due, left
        if done.cancelled():
            return
        if handled.rows >= due:
            if left <= 0 and time.perf_counter() >= until_s:
                done.set_result(None)
                return
            left -= 1
            part = next(coming)
            due += part.rows
            hub.publish(Batch(rig.FEED, hub.ids, ticks=part.ticks))
        loop.call_soon(turn)

    began_s = time.process_time()
    turn()
    async with asyncio.timeout(60):
        await done
    elapsed_s = time.process_time() - began_s
    if handled.rows != due:
        raise Inexact(f"{handled} of {due} rows")
    return elapsed_s


async def _batch_figures(plan: Plan, name: str, events: bool) -> AsyncIterator[Figure]:
    handled, hub = Handled(), new_hub()
    kind = Each if events else Counts
    strategy = cast(type[Strategy], type(kind.__name__, (kind,), {"handled": handled}))
    system = System(Supervisor((ChildSpec("strategy", strategy, BOX),)))
    hub.subscribe(system.ref("strategy"), Offers.topics, most_rows=rig.ROWS_AT_ONCE if events else None)

    async def seconds_a_row(rows: int) -> float:
        before, ticks = handled.rows, trades(rows)
        ticks.setflags(write=False)
        cost_s = await publish_all(hub, [Part(ticks, rows)], handled, _slice_s(plan))
        return cost_s / (handled.rows - before)

    async with system:
        points = {rows: partial(seconds_a_row, rows) for rows in _few(plan, ROWS)}
        for figure in await plan.curve(("scale", name), NANOSECONDS, points):
            yield figure
