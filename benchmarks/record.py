"""Recording what arrives: how much of it reaches the disk, and what that costs the live path.

`ticks_live`     binary ticks to `on_batch` (as `tcp_batch batch_full`) while they are recorded, over the same without
`ticks_disk`     what of them reaches the file, over a plain loop of `os.write` of as many bytes
`messages_live`  JSON over a WebSocket to `on_trade` (as `ws_json`) while it is recorded, over the same without
`messages_disk`  what of it reaches the file, over such a loop

The files lie where Python makes temporary files (`TMPDIR`). The thread that writes has the CPU that the live path has.
`missed_fraction` is what became holes, because the disk did not keep up.
"""

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial
from pathlib import Path

import attrs

from ticktree.feeds import Feed, RecordFeed, Source
from ticktree.feeds.recording import Recorder
from ticktree.market.ticks import RECORD

from . import rig, websocket
from .limits import beside, built, free_port, sender
from .measure import Figure, Plan, per_second, with_extra
from .senders import INSTRUMENTS, json_message

WRITE = bytes(256 * 1024)

Make = Callable[[Source], Feed]


@attrs.define
class Way:
    """One kind of data. `unit_bytes`: of a tick, or of a message. `missed` and `arrived` are of all rounds."""

    feed: Make
    setup: rig.Setup
    unit_bytes: int
    seconds: float
    missed: int = 0
    arrived: int = 0

    async def live(self) -> float:
        """Seconds a tick at the handler, without recording."""
        async with rig.running(self.feed, self.setup) as path:
            return await path.seconds_a_tick(self.seconds)

    async def live_recorded(self) -> float:
        """The same, recorded."""
        async with self._recorded() as (path, _):
            return await path.seconds_a_tick(self.seconds)

    async def to_disk(self) -> float:
        """Seconds a tick in the file."""
        async with self._recorded() as (path, recorder):
            await path.reached(1)
            before, began_s = recorder.stats().recorded_bytes, time.perf_counter()
            size = 0
            while not size:  # the thread writes when it has its turn
                await asyncio.sleep(self.seconds)
                size = recorder.stats().recorded_bytes - before
            return (time.perf_counter() - began_s) * self.unit_bytes / size

    async def plain(self) -> float:
        """Seconds for as many bytes, written in a loop."""
        with tempfile.TemporaryFile() as file:
            fd, size, began_s = file.fileno(), 0, time.perf_counter()
            while (elapsed_s := time.perf_counter() - began_s) < self.seconds:
                size += os.write(fd, WRITE)
        return elapsed_s * self.unit_bytes / size

    @contextlib.asynccontextmanager
    async def _recorded(self) -> AsyncGenerator[tuple[rig.Rig, Recorder]]:
        with tempfile.TemporaryDirectory() as folder:
            recorder = Recorder(Path(folder))
            async with rig.running(lambda source: self.feed(attrs.evolve(source, tap=recorder)), self.setup) as path:
                yield path, recorder
            stats = recorder.stats()
            self.missed += stats.missed_bytes
            self.arrived += stats.arrived_bytes


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`record`."""
    seconds, port = plan.size(300, 20) / 1_000, free_port()
    async with built("flood") as programs, beside([programs["flood"], str(port), "1000"], port):
        ticks = Way(partial(_ticks, port), rig.Setup(checked=False), RECORD.size, seconds)
        async for figure in _both(plan, ticks, "ticks"):
            yield figure
    port = free_port()
    async with beside(sender("json", str(port)), port):
        setup = attrs.evolve(rig.EVENTS, full=False, topics=websocket.TOPICS)
        feed = partial(websocket.binance, f"ws://127.0.0.1:{port}/stream")
        async for figure in _both(plan, Way(feed, setup, len(json_message(0)), seconds), "messages"):
            yield figure


async def _both(plan: Plan, way: Way, what: str) -> AsyncIterator[Figure]:
    for name, ours, yardstick in (("live", way.live_recorded, way.live), ("disk", way.to_disk, way.plain)):
        way.missed = way.arrived = 0
        figure = await plan.compare(("record", f"{what}_{name}"), per_second(what), ours, yardstick)
        yield with_extra(figure, missed_fraction=way.missed / max(1, way.arrived))


def _ticks(port: int, source: Source) -> Feed:
    return RecordFeed(source, f"tcp://127.0.0.1:{port}", INSTRUMENTS)
