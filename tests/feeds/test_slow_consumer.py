"""Who keeps batches, and a feed that is paused, at full speed over a real socket."""

import asyncio
import resource
from collections import deque

import numpy as np
import pytest

from ticktree.market import TICK, Batch, TickFlag, TickKind, Trade
from ticktree.market.ticks import encoded
from ticktree.net.buffers import SLOTS

from .json_feed import BTC
from .rig import Collector, running
from .test_wire_feed import EVERYTHING, greeted, make, trades


class Hoarder(Collector):
    """Keeps the last batches and looks later whether they are still what they were."""

    def __init__(self, keep: int) -> None:
        super().__init__()
        self.kept: deque[tuple[Batch, bytes]] = deque()
        self.keep, self.rows, self.checked = keep, 0, 0

    def publish(self, batch: Batch) -> None:
        self.rows += len(batch)
        self.kept.append((batch, batch.ticks.tobytes()))
        while len(self.kept) > self.keep:
            self.check(*self.kept.popleft())
        self.wake()

    def check(self, batch: Batch, was: bytes) -> None:
        assert batch.ticks.tobytes() == was
        self.checked += 1


async def flood(total: int) -> tuple[int, int]:
    """So many ticks at full speed to who keeps 64 batches; (KiB of memory that took, slots in use)."""
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        hoarder = Hoarder(keep=64)
        object.__setattr__(rig.feed.source, "sink", hoarder)
        ticks = np.zeros(10_000, TICK)
        ticks["instrument"], ticks["kind"], ticks["flags"] = BTC.id, TickKind.TRADE, TickFlag.LAST
        ticks["a"], ticks["b"] = np.arange(10_000), 1.0
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        loop = asyncio.get_running_loop()
        for start in range(0, total, 10_000):
            ticks["sequence"] = np.arange(start, start + 10_000)
            await loop.sock_sendall(server.client.sock, server.encode(ticks))
        await hoarder.until(lambda: hoarder.rows == total)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        slots = len(rig.feed._connection().buffers._slots)
        for kept in hoarder.kept:
            hoarder.check(*kept)
        assert hoarder.checked > 10
        hoarder.kept.clear()
    return grown, slots


async def test_who_keeps_batches_pins_no_more_than_the_pool_and_what_it_keeps_stays_right() -> None:
    grown, slots = await flood(300_000)
    assert slots <= SLOTS
    assert grown < 48 * 1024  # 64 batches of up to 128 KiB, twice: they and the copies that they are compared with


@pytest.mark.soak
async def test_the_same_for_ten_million_ticks() -> None:
    grown, slots = await flood(10_000_000)
    print(f"grown by {grown / 1024:.1f} MiB, {slots} slots")
    assert slots <= SLOTS
    assert grown < 48 * 1024


async def test_a_feed_that_is_paused_in_a_flood_stops_reading_and_loses_nothing() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(encoded(trades(50)))
        await rig.until(lambda: rig.account.kinds["trade"] == 50)
        rig.feed.pause("strategy")
        sending = asyncio.ensure_future(
            asyncio.get_running_loop().sock_sendall(
                server.client.sock, b"".join(server.encode(encoded(trades(50, 51 + 50 * n))) for n in range(400))
            )
        )
        for _ in range(50):
            await asyncio.sleep(0)
        held = rig.account.bytes_in
        for _ in range(50):
            await asyncio.sleep(0)
        assert rig.account.bytes_in == held
        rig.feed.resume("strategy")
        await sending
        await rig.until(lambda: rig.account.kinds["trade"] == 20_050)
        sequences = [trade.sequence for trade in rig.sink.of(Trade)]
        assert sequences == list(range(1, 20_051))
