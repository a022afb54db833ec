"""Ticks of a file through a whole back-test to a strategy's handler, over numpy on the file and the CPython floor.

`replay_batch` `read_8192`    8 M trades, received 8,192 at a time, as a full read of a busy feed brings them ->
                              clock -> feed -> hub -> mailboxes of the strategy and of a simulated venue -> `on_batch`,
                              summing prices by column, over numpy that maps the same file and sums as many at a time
               `read_1024`    1 M, received 1,024 at a time
               `read_64`      received 64 at a time
               `window_1ms`   received each at its own time, 10 us after the one before, told 1 ms at a time
`replay_event` `read_1024`    the same file -> `on_trade(trade)`, over `iter_unpack` -> the same class -> the same
                              handler in a loop, without any I/O
               `read_1`       64 k, each received at its own time, and told at it

Ours is all of `Running.run()`: opening the file, which the page cache has, starting the system, telling, sampling for
curves, stopping, and making the result. Preparation (`prepared`: looking at the file's first line, assembling) is not.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import attrs
import numpy as np

from ticktree.backtesting.running import Manner, prepared
from ticktree.feeds import RecordFeed
from ticktree.feeds.files import write_ticks
from ticktree.market import TICK, Batch, EventKind, Instrument, Side, TickFlag, TickKind, Ticks, Trade
from ticktree.market.ticks import RECORD, Row
from ticktree.parts import App, FeedPart, RouterPart, VenuePart, strategy_part
from ticktree.routing import Timeout
from ticktree.strategies import Strategy

from .measure import Figure, Inexact, Plan, per_second, with_extra

FEED = "bench"
INSTRUMENTS = tuple(Instrument(f"I{id}-USD", id, Decimal("0.01"), Decimal("0.01")) for id in range(20))
BEGAN_NS = 1_700_000_000_000_000_000
ROUTER = RouterPart("default", Timeout("paper", deadline_s=1.0))
S = TypeVar("S", bound=Strategy[Any])


@attrs.frozen
class Shape:
    """How a file's rows came: so many at a time, `apart_ns` after those before. `window_s`: how they are told."""

    name: str
    rows: int
    apart_ns: int
    window_s: float = 0.0

    @property
    def at_once(self) -> int:
        """Rows of a batch."""
        return round(self.window_s * 1e9) // self.apart_ns if self.window_s else self.rows


READ_8192 = Shape("read_8192", 8_192, 8_000_000)
READ_1024, READ_64 = Shape("read_1024", 1_024, 1_000_000), Shape("read_64", 64, 100_000)
READ_1, WINDOW = Shape("read_1", 1, 10_000), Shape("window_1ms", 1, 10_000, 0.001)


@attrs.define
class Sum:
    """What a strategy made of what it got."""

    calls: int = 0
    ticks: int = 0
    prices: float = 0.0


class Columns(Strategy):
    """Sums prices, column by column."""

    topics = (f"{FEED}/*/trade",)
    total: ClassVar[Sum]

    def on_batch(self, batch: Batch) -> None:
        total, ticks = self.total, batch.ticks
        total.calls += 1
        total.ticks += len(ticks)
        total.prices += float(ticks["a"].sum())


class Events(Strategy):
    """Sums prices, trade by trade."""

    topics = (f"{FEED}/*/trade",)
    total: ClassVar[Sum]

    def on_trade(self, trade: Trade) -> None:
        total = self.total
        total.ticks += 1
        total.prices += trade.price


@attrs.frozen
class File:
    """A file of ticks. `prices`: their sum, which is exact."""

    path: Path
    shape: Shape
    ticks: int
    prices: float

    def check(self, total: Sum) -> None:
        """Raise `Inexact` unless that is all of them."""
        if (total.ticks, total.prices) != (self.ticks, self.prices):
            raise Inexact(f"{total} of {self.ticks} ticks, whose prices come to {self.prices}")

    @property
    def begins(self) -> int:
        """How many bytes stand before the first tick."""
        return self.path.stat().st_size - self.ticks * TICK.itemsize


async def batch_figures(plan: Plan) -> AsyncIterator[Figure]:
    """`replay_batch`."""
    for shape, count in ((READ_8192, 8_000_000), (READ_1024, 1_000_000), (READ_64, 1_000_000), (WINDOW, 1_000_000)):
        with tempfile.TemporaryDirectory() as folder:
            file = written(Path(folder), shape, plan.size(count, 5_000))
            sums = list[Sum]()
            ours, yardstick = partial(_replayed, file, Columns, sums), partial(_summed, file)
            figure = await plan.compare(("replay_batch", shape.name), per_second("ticks"), ours, yardstick)
            yield with_extra(figure, ticks=file.ticks, rows=shape.rows, batches=sums[-1].calls)


async def event_figures(plan: Plan) -> AsyncIterator[Figure]:
    """`replay_event`."""
    for shape, count in ((READ_1024, 1_000_000), (READ_1, 64_000)):
        with tempfile.TemporaryDirectory() as folder:
            file = written(Path(folder), shape, plan.size(count, 5_000))
            ours, yardstick = partial(_replayed, file, Events, []), partial(_floor, file)
            figure = await plan.compare(("replay_event", shape.name), per_second("events"), ours, yardstick)
            yield with_extra(figure, ticks=file.ticks, rows=shape.rows)


# --- ours ------------------------------------------------------------------------------------------------------------


async def _replayed(file: File, strategy: type[Columns] | type[Events], sums: list[Sum]) -> float:
    """Seconds a tick of `Running.run()`, on a loop and in a thread of its own."""
    return await asyncio.to_thread(_seconds_a_tick, file, strategy, sums)


def _seconds_a_tick(file: File, strategy: type[Columns] | type[Events], sums: list[Sum]) -> float:
    total = Sum()
    running = prepared(app(strategy, total), [file.path], Manner(batch_window_s=file.shape.window_s))
    began_s = time.perf_counter()
    outcome = running.run()
    elapsed_s = time.perf_counter() - began_s
    file.check(total)
    if outcome.incomplete or outcome.ticks != file.ticks:
        raise Inexact(f"{outcome.ticks} ticks were told of {file.ticks}; {outcome.incomplete}")
    sums.append(total)
    return elapsed_s / file.ticks


def app(strategy: type[Columns] | type[Events], total: Sum) -> App:
    """The least that is an application: a strategy has a router, and that one a venue, which sees all that it does."""
    feeds = (feed_part(INSTRUMENTS, EventKind.TRADE),)
    return App(
        feeds=feeds, venues=(VenuePart("paper", prices=FEED),), routers=(ROUTER,),
        strategies=(strategy_part(made(strategy, total)),),
    )  # fmt: skip


def feed_part(instruments: Sequence[Instrument], kind: EventKind) -> FeedPart:
    """A feed whose place a file takes."""
    names = tuple(one.name for one in instruments)
    return FeedPart(FEED, lambda source: RecordFeed(source, "tcp://nowhere.invalid:1", instruments), names, (kind,))


def made(strategy: type[S], total: Sum) -> type[S]:
    """A class of its own of `strategy`, which adds to `total`."""
    return cast(type[S], type(strategy.__name__, (strategy,), {"total": total}))


def written(folder: Path, shape: Shape, count: int) -> File:
    """A file of so many trades, of that shape; whoever reads it finds it in the page cache."""
    ticks = trades(shape, count)
    path = folder / f"{FEED}-{shape.name}.ticks"
    write_ticks(path, FEED, INSTRUMENTS, [ticks])
    return File(path, shape, count, float(ticks["a"].sum()))


def trades(shape: Shape, count: int) -> Ticks:
    """Trades at whole prices, of which sums are exact in any order."""
    numbers = np.arange(count)
    ticks: Ticks = np.zeros(count, TICK)
    ticks["instrument"], ticks["kind"], ticks["flags"] = numbers % len(INSTRUMENTS), TickKind.TRADE, TickFlag.LAST
    ticks["sequence"], ticks["a"], ticks["b"] = numbers, 100 + numbers % 50, 1 + numbers % 7
    ticks["received_time_ns"] = ticks["venue_time_ns"] = BEGAN_NS + numbers // shape.rows * shape.apart_ns
    return ticks


# --- what it is held against -----------------------------------------------------------------------------------------


async def _summed(file: File) -> float:
    """Seconds a tick of numpy alone: map the file, sum the prices of as many rows at a time."""
    total, begins, rows = Sum(), file.begins, file.shape.at_once
    began_s = time.perf_counter()
    ticks = np.memmap(file.path, TICK, "r", begins)
    for start in range(0, len(ticks), rows):
        chunk = ticks[start : start + rows]
        total.ticks += len(chunk)
        total.prices += float(chunk["a"].sum())
    elapsed_s = time.perf_counter() - began_s
    file.check(total)
    return elapsed_s / file.ticks


async def _floor(file: File) -> float:
    """Seconds an event: unpack records, make the class, call the handler, and nothing else."""
    data, total = file.path.read_bytes()[file.begins :], Sum()
    handle = made(Events, total)().on_trade
    instruments = {instrument.id: instrument for instrument in INSTRUMENTS}
    sides: list[Side | None] = [None, Side.BUY, Side.SELL, None]
    began_s = time.perf_counter()
    for id, _, flags, _, sequence, venue_ns, received_ns, a, b, _, _ in _rows(data):
        handle(Trade(FEED, instruments[id], a, b, sides[flags & 3], sequence, venue_ns, received_ns))
    elapsed_s = time.perf_counter() - began_s
    file.check(total)
    return elapsed_s / file.ticks


def _rows(data: bytes) -> Iterable[Row]:
    return RECORD.iter_unpack(data)
