"""From another process's `send` to the handler: one way, one 64-byte trade at a time, at 1,000 and 10,000 a second.

`p50` and `p99` of ours (feed, hub, mailbox, `on_trade`), queued and with hand-off, over a bare uvloop protocol
that unpacks the record and calls the same handler. The sender stamps each message with the monotonic clock, which the
processes share. Ours checks, stamps and counts.
"""

import asyncio
import time
from array import array
from collections.abc import AsyncIterator
from functools import partial
from typing import ClassVar, cast

import numpy as np

from ticktree.actors import DropOldest, Mailbox
from ticktree.feeds import RecordFeed, Source
from ticktree.market import Trade, batch_rows
from ticktree.market.ticks import RECORD
from ticktree.net import Connection

from . import rig
from .limits import beside, free_port, sender
from .measure import Figure, Inexact, Plan, Unit, figure_of, say, with_extra
from .senders import INSTRUMENTS, PACE

MICROSECONDS = Unit("us", lambda cost_s: cost_s * 1e6)
RATES = (1_000, 10_000)
PERCENTILES = {"p50": 50.0, "p99": 99.0}
BOX = Mailbox(1 << 20, DropOldest(), batch_rows)


class Stamps(rig.Events):
    """Notes how old each trade is."""

    ages_ns: "ClassVar[array[int]]"

    def on_trade(self, trade: Trade) -> None:
        self.ages_ns.append(time.monotonic_ns() - trade.venue_time_ns)
        self.total.ticks += 1


class PacedFeed(RecordFeed):
    """Asks the sender for so many messages, at such a rate."""

    def __init__(self, source: Source, url: str, count: int, rate: int) -> None:
        super().__init__(source, url, INSTRUMENTS)
        self._asked = count, rate

    async def login(self, connection: Connection) -> None:
        connection.write(PACE.pack(*self._asked))


class Bare(asyncio.Protocol):
    """The yardstick."""

    def __init__(self, count: int, rate: int) -> None:
        self._asked, self._rest = (count, rate), b""
        self.ages_ns = array("q")
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(PACE.pack(*self._asked))  # uvloop's does not say that it is one

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        whole = len(data) - len(data) % RECORD.size
        for record in RECORD.iter_unpack(data[:whole]):
            self.on_trade(record[5])
        self._rest = data[whole:]
        if len(self.ages_ns) == self._asked[0]:
            self.done.set_result(None)

    def on_trade(self, venue_time_ns: int) -> None:
        """The same work as ours."""
        self.ages_ns.append(time.monotonic_ns() - venue_time_ns)


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`feed_latency`."""
    port = free_port()
    async with beside(sender("paced", str(port)), port):
        for rate in RATES:
            count = plan.size(max(600, rate // 4), 50)
            for way, hand_off in (("queued", False), ("handed_off", True)):
                rounds = [await _round(port, count, rate, hand_off, number) for number in range(plan.rounds)]
                for name, percentile in PERCENTILES.items():
                    ours = [float(np.percentile(pair[0], percentile)) / 1e9 for pair in rounds]
                    theirs = [float(np.percentile(pair[1], percentile)) / 1e9 for pair in rounds]
                    label = ("feed_latency", f"{name}_{way}_{rate}")
                    yield with_extra(figure_of(label, MICROSECONDS, ours, theirs, {}), rate=rate, hand_off=hand_off)


async def _round(port: int, count: int, rate: int, hand_off: bool, number: int) -> "tuple[array[int], array[int]]":
    """The ages of one round: ours, and the yardstick's, every other round first."""
    sides = (partial(ages, port, count, rate, hand_off), partial(_theirs, port, count, rate))
    say(f"feed_latency: {rate} a second, round {number + 1}")
    if number % 2:
        theirs = await sides[1]()
        return await sides[0](), theirs
    return await sides[0](), await sides[1]()


async def ages(port: int, count: int, rate: int, hand_off: bool, kind: type[PacedFeed] = PacedFeed) -> "array[int]":
    """How old each of `count` trades was in the handler, in nanoseconds; ours."""
    ages_ns = array("q")
    strategy = cast(type[Stamps], type("Stamps", (Stamps,), {"ages_ns": ages_ns}))

    def feed(source: Source) -> PacedFeed:
        return kind(source, f"tcp://127.0.0.1:{port}", count, rate)

    async with rig.running(feed, rig.Setup(strategy, BOX, hand_off=hand_off)) as path:
        await path.reached(count)
        path.check()
    if len(ages_ns) != count:
        raise Inexact(f"{count} were sent, and {len(ages_ns)} handled")
    return ages_ns


async def _theirs(port: int, count: int, rate: int) -> "array[int]":
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(lambda: Bare(count, rate), "127.0.0.1", port)
    async with asyncio.timeout(60):
        await protocol.done
    transport.close()
    return protocol.ages_ns
