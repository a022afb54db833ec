"""Ticks from one publisher to 1, 10 and 100 subscribers in another process, and what a slow one costs the others.

`relay` `to_1`, `to_10`, `to_100`  a stream of 64-byte ticks -> feed -> hub -> relay -> N subscribers over TCP, over a
                                   plain copy loop: 256 KiB of the same stream, written to N sockets in turn, each a
                                   call. Both wait for the slowest, so nothing is left out
        `overload`                 the same to 100, with the usual buffers: ours goes on reading, and leaves out what it
                                   cannot pass on; what arrived counts
        `slow_p50`, `slow_p99`     how old ticks are when they come to one of 10 subscribers (100 rows a millisecond),
                                   with an eleventh that never reads, over the same without it
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import Any

import attrs
import msgspec
import numpy as np

from ticktree.actors import Actor, Block, ChildSpec, DropOldest, Fail, Mailbox, Supervisor, System
from ticktree.distribution import Hub
from ticktree.distribution.relay import BUFFER, Relay
from ticktree.feeds import RecordFeed, Source
from ticktree.market import Batch, BookUpdate, Topic, batch_rows

from .latency import MICROSECONDS
from .limits import beside, built, free_port, move_to, other_cpus
from .measure import Figure, Plan, figure_of, per_second, say, with_extra
from .readers import FEED, Count
from .senders import INSTRUMENTS, trades

SUBSCRIBERS = (1, 10, 100)
TOPICS = (Topic(FEED, "*", "trade"),)
FEW = Mailbox(1_024, Fail())
TICK_BYTES = 64
COPIED_BYTES = 256 * 1024
LOSSLESS = Mailbox(65_536, Block(), batch_rows)
ROWS_A_TURN, TURN_S = 100, 0.001
HEARD_BY = 10


class Readers:
    """The process of `benchmarks/readers.py`, on the other CPU."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, *words: object) -> bytes:
        """Its answer to a command."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        async with asyncio.timeout(60):
            answer = await self._process.stdout.readline()
        if not answer:
            raise ConnectionError("the readers have ended")
        return answer

    async def count(self) -> Count:
        """What was read so far."""
        return msgspec.json.decode(await self.ask("count"), type=Count)

    async def seconds_a_tick(self, seconds: float) -> float:
        """Once every reader has something, for so long: seconds a tick that came to all of them."""
        async with asyncio.timeout(60):
            while not (await self.count()).least:  # noqa: ASYNC110  # the other process says it only when asked
                await asyncio.sleep(0.01)
        await asyncio.sleep(seconds / 5)
        before = await self.count()
        await asyncio.sleep(seconds)
        after = await self.count()
        return (after.at_s - before.at_s) * TICK_BYTES / (after.total - before.total)


@contextlib.asynccontextmanager
async def reading() -> AsyncGenerator[Readers]:
    """The readers' process, for the time of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.readers", stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 26
    )
    try:
        move_to(other_cpus(), process.pid)
        yield Readers(process)
    finally:
        with contextlib.suppress(ProcessLookupError):  # it failed by itself
            process.kill()
        await process.wait()


# --- how much passes -----------------------------------------------------------------------------------------------


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`relay`."""
    seconds, port = plan.size(300, 30) / 1_000, free_port()
    async with built("flood") as programs, beside([programs["flood"], str(port), "1000"], port), reading() as readers:
        for count in SUBSCRIBERS:
            ours, copied = (partial(side, readers, port, count, seconds) for side in (_relayed, _copied))
            figure = await plan.compare(("relay", f"to_{count}"), per_second("ticks"), ours, copied)
            yield with_extra(figure, subscribers=count)
        ours = partial(_relayed, readers, port, SUBSCRIBERS[-1], seconds, BUFFER)
        copied = partial(_copied, readers, port, SUBSCRIBERS[-1], seconds)
        figure = await plan.compare(("relay", "overload"), per_second("ticks"), ours, copied)
        yield with_extra(figure, subscribers=SUBSCRIBERS[-1])
    async with reading() as readers:
        async for figure in _slow_figures(plan, readers):
            yield figure


async def _relayed(readers: Readers, port: int, count: int, seconds: float, buffer: Mailbox = LOSSLESS) -> float:
    hub, relay_port = Hub(), free_port()
    source = Source(FEED, TOPICS, hub, hub.ids)
    feed = ChildSpec("feed", lambda: RecordFeed(source, f"tcp://127.0.0.1:{port}", INSTRUMENTS), FEW)
    async with _relaying(hub, relay_port, feed, buffer):
        await readers.ask("connect", relay_port, count, 0)
        cost_s = await readers.seconds_a_tick(seconds)
        await readers.ask("close")
    return cost_s


async def _copied(readers: Readers, port: int, count: int, seconds: float) -> float:
    with socket.create_server(("127.0.0.1", 0), backlog=count) as listener:
        await readers.ask("connect", listener.getsockname()[1], count, 0)
        outs = [listener.accept()[0] for _ in range(count)]
    copying = asyncio.create_task(asyncio.to_thread(_copy, port, outs))
    cost_s = await readers.seconds_a_tick(seconds)
    await readers.ask("close")
    await copying
    return cost_s


def _copy(port: int, outs: list[socket.socket]) -> None:
    """The yardstick: what comes goes to each of `outs`, until they are closed. Nothing here is done a tick."""
    room = memoryview(bytearray(COPIED_BYTES))
    with contextlib.ExitStack() as stack, contextlib.suppress(ConnectionError):
        source = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        for out in outs:
            stack.enter_context(out).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while count := source.recv_into(room):
            for out in outs:
                out.sendall(room[:count])


@contextlib.asynccontextmanager
async def _relaying(hub: Hub, port: int, publisher: ChildSpec, buffer: Mailbox = BUFFER) -> AsyncGenerator[None]:
    waits = isinstance(buffer.overflow, Block)
    relay = Relay(hub, listen=f"tcp://127.0.0.1:{port}", buffer=buffer, pauses_feed=waits)
    async with System(Supervisor((publisher, relay.tree()))):  # so that there is something to subscribe to
        yield


# --- what a slow one costs -----------------------------------------------------------------------------------------


@attrs.frozen
class Turn:
    """Time to publish."""


class Publisher(Actor[Turn]):
    """A feed that has no exchange: publishes rows that say when they were, by the monotonic clock."""

    name, topics = FEED, TOPICS

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._instruments = [hub.ids.adopt(instrument) for instrument in INSTRUMENTS]

    def on_start(self) -> None:
        self._hub.attach(self)
        self.every(TURN_S, Turn())

    def on_message(self, message: Turn) -> None:
        ticks = trades(ROWS_A_TURN)
        ticks["venue_time_ns"] = time.monotonic_ns()
        ticks.setflags(write=False)
        self._hub.publish(Batch(FEED, self._hub.ids, ticks=ticks))

    def books(self) -> tuple[BookUpdate, ...]:
        """None."""
        return ()

    def book(self, instrument: str) -> None:
        """None."""

    def pause(self, holder: object) -> None:
        """It does not."""

    def resume(self, holder: object) -> None:
        """It did not."""


async def _slow_figures(plan: Plan, readers: Readers) -> AsyncIterator[Figure]:
    seconds, pairs = plan.size(900, 100) / 1_000, list[tuple[list[int], list[int]]]()
    for number in range(plan.rounds):
        say(f"relay: a slow subscriber, round {number + 1}")
        order = (1, 0) if number % 2 else (0, 1)
        ages = {slow: await _ages(readers, slow, seconds) for slow in order}
        pairs.append((ages[1], ages[0]))
    for name, percentile in (("slow_p50", 50.0), ("slow_p99", 99.0)):
        ours, without = ([float(np.percentile(pair[side], percentile)) / 1e9 for pair in pairs] for side in (0, 1))
        figure = figure_of(("relay", name), MICROSECONDS, ours, without, {})
        yield with_extra(figure, rows_a_second=round(ROWS_A_TURN / TURN_S), subscribers=HEARD_BY)


async def _ages(readers: Readers, slow: int, seconds: float) -> list[int]:
    hub, port = Hub(), free_port()
    buffer = Mailbox(16_384, DropOldest(), batch_rows)
    async with _relaying(hub, port, ChildSpec("publisher", lambda: Publisher(hub), FEW), buffer):
        await readers.ask("connect", port, HEARD_BY, slow, 1)
        await readers.seconds_a_tick(seconds / 3)  # until the slow one's buffer is full
        await readers.ask("ages")
        await asyncio.sleep(seconds)
        ages_ns: Any = msgspec.json.decode(await readers.ask("ages"), type=list[int])
        await readers.ask("close")
    return list(ages_ns)
