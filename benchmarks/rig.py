"""A feed, the hub and one strategy on the running loop: the path whose pieces the benchmarks time."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from typing import ClassVar, cast

import attrs
import numpy as np

from ticktree.actors import Block, ChildSpec, DropOldest, Fail, Mailbox, Supervisor, System
from ticktree.distribution import Hub
from ticktree.feeds import Feed, Source
from ticktree.market import Batch, Topic, Trade, batch_rows
from ticktree.strategies import Strategy

from .measure import Inexact

FEED = "bench"
TOPICS = (Topic(FEED, "*", "trade"),)
WHOLE = Mailbox(1 << 22, DropOldest(), batch_rows)
HOLDS_UP = Mailbox(16_384, Block(), batch_rows)
ROWS_AT_ONCE = 256


@attrs.define
class Sum:
    """What a strategy made of what it got. `batches`: where it got whole ones."""

    ticks: int = 0
    batches: int = 0
    notional: float = 0.0


class Columns(Strategy):
    """Sums price x size, column by column."""

    total: ClassVar[Sum]

    def on_batch(self, batch: Batch) -> None:
        ticks, total = batch.ticks, self.total
        total.ticks += len(ticks)
        total.batches += 1
        total.notional += float(np.dot(ticks["a"], ticks["b"]))


class Events(Strategy):
    """Sums price x size, trade by trade."""

    total: ClassVar[Sum]

    def on_trade(self, trade: Trade) -> None:
        total = self.total
        total.ticks += 1
        total.notional += trade.price * trade.size


@attrs.frozen
class Rig:
    """It runs: `total` grows."""

    system: System
    source: Source
    total: Sum

    async def seconds_a_tick(self, seconds: float) -> float:
        """Let it run for a while, then measure for so long."""
        await self.reached(self.total.ticks + 1)
        await asyncio.sleep(seconds / 5)
        before, began_s = self.total.ticks, time.perf_counter()
        await asyncio.sleep(seconds)
        elapsed_s, ticks = time.perf_counter() - began_s, self.total.ticks - before
        self.check()
        return elapsed_s / ticks

    async def reached(self, ticks: int) -> None:
        """Wait until so many were handled."""
        async with asyncio.timeout(20):
            while self.total.ticks < ticks:  # noqa: ASYNC110  # an event would be one more thing to measure
                await asyncio.sleep(0.001)

    def check(self) -> None:
        """Raise `Inexact` unless everything read was handled, or is on its way."""
        box, account = self.system.ref("strategy").stats(), self.source.account
        if box.unaccounted or box.dropped.total or account.errors or account.gaps:
            raise Inexact(f"{box}, {account}")
        if account.bytes_in != account.decoded + account.skipped + account.buffered:
            raise Inexact(f"bytes were lost: {account}")


@attrs.frozen
class Setup:
    """What differs between benchmarks. `full`: receive stamps and last values, too; `checked`: every value is."""

    strategy: type[Columns] | type[Events] = Columns
    mailbox: Mailbox = WHOLE
    full: bool = True
    checked: bool = True
    hand_off: bool = False
    topics: tuple[Topic, ...] = TOPICS
    most_rows: int | None = None  # None: as users get it


def made(strategy: type[Columns] | type[Events], total: Sum) -> Callable[[], Columns | Events]:
    """A class of its own of `strategy`, which adds to `total`."""
    return cast(Callable[[], Columns | Events], type(strategy.__name__, (strategy,), {"total": total}))


EVENTS = Setup(Events, HOLDS_UP)


@contextlib.asynccontextmanager
async def running(feed: Callable[[Source], Feed], setup: Setup = Setup()) -> AsyncGenerator[Rig]:
    """The path from a feed to a strategy."""
    hub, total = Hub(keep=setup.topics if setup.full else ()), Sum()
    start = made(setup.strategy, total)
    source = Source(FEED, setup.topics, hub, hub.ids, checked=setup.checked, stamped=setup.full)
    tree = Supervisor(
        (
            ChildSpec("strategy", start, setup.mailbox, hand_off=setup.hand_off),
            ChildSpec("feed", lambda: feed(source), Mailbox(100, Fail())),
        )
    )
    async with System(tree) as system:
        blocks = isinstance(setup.mailbox.overflow, Block)
        rows = setup.most_rows or (None if setup.strategy is Columns else ROWS_AT_ONCE)
        hub.subscribe(system.ref("strategy"), setup.topics, most_rows=rows, pauses_feed=blocks)
        yield Rig(system, source, total)
