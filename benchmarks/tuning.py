"""What each knob of the tuning guide changes: the same program with it, over without it.

`affinity`      ticks a second of a stream, kept on one CPU, over wherever the kernel puts it
`gc_pause`      the collector's longest pause beside 200 k objects that a strategy holds: frozen after start, as `run`
                does, over CPython's own way
`gc_off`        events a second without any collector, over with it
`rows_1`, `rows_16`, `rows_4096`   events a second in batches of so many rows, over the 256 that handlers of single
                events get
`hand_off`      p50 from a sender's `send` to the handler at 1,000 a second, handed off, over queued
`uvloop`        ticks a second of small frames, on uvloop over asyncio's own loop
`io_uring`      the same with UV_USE_IO_URING=1, over 0
`preload`       the same with a library before the C library's socket calls that only counts, over without
`busy_poll`     p50 as in `hand_off`, queued, with SO_BUSY_POLL on the socket, over without
"""

import asyncio
import gc
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import uvloop

from ticktree.feeds import Source, WireFeed
from ticktree.net import Connection

from . import latency, rig
from .latency import MICROSECONDS, PacedFeed
from .limits import Missing, beside, free_port, sender
from .measure import NANOSECONDS, Figure, Plan, Side, per_second

SHIM: Final = Path(__file__).parents[1] / "tests" / "e2e" / "shims" / "counts.c"
HELD, MADE = 200_000, 5_000
RATE: Final = 1_000
FRAME_ROWS: Final = 16
BUSY_POLL: Final = 46  # SO_BUSY_POLL: asm-generic/socket.h; the socket module does not name it
BUSY_POLL_US: Final = 50
CHILD = [sys.executable, "-m", "benchmarks.tuning"]


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`tuning`."""
    port = free_port()
    async with beside(sender("frames", str(port), str(FRAME_ROWS)), port):
        seconds = plan.size(150, 20) / 1_000
        read = partial(stream, port, seconds)
        if hasattr(os, "sched_setaffinity"):
            yield await plan.compare(("tuning", "affinity"), per_second("ticks"), read, partial(anywhere, read))
        events = partial(stream, port, seconds, rig.EVENTS)
        yield await plan.compare(("tuning", "gc_off"), per_second("events"), partial(uncollected, events), events)
        for rows in (1, 16, 4_096):
            cut = partial(stream, port, seconds, attrs.evolve(rig.EVENTS, most_rows=rows))
            yield await plan.compare(("tuning", f"rows_{rows}"), per_second("events"), cut, events)
        fast, plain = (partial(elsewhere, make, read) for make in (uvloop.new_event_loop, asyncio.new_event_loop))
        yield await plan.compare(("tuning", "uvloop"), per_second("ticks"), fast, plain)

        def apart(**environment: str) -> Side:
            return partial(child, port, seconds, **environment)

        yield await plan.compare(
            ("tuning", "io_uring"), per_second("ticks"), apart(UV_USE_IO_URING="1"), apart(UV_USE_IO_URING="0")
        )
        with suppress(Missing), tempfile.TemporaryDirectory() as folder:
            yield await plan.compare(
                ("tuning", "preload"), per_second("ticks"), apart(LD_PRELOAD=str(shim(Path(folder)))), apart()
            )
    yield await plan.compare(("tuning", "gc_pause"), NANOSECONDS, partial(pause, frozen=True), pause)
    async for figure in latencies(plan):
        yield figure


async def latencies(plan: Plan) -> AsyncIterator[Figure]:
    """Those of one tick at a time."""
    port, count = free_port(), plan.size(300, 50)
    async with beside(sender("paced", str(port)), port):
        queued, handed = (partial(latency.ages, port, count, RATE, hand_off) for hand_off in (False, True))
        yield await plan.compare(("tuning", "hand_off"), MICROSECONDS, partial(p50, handed), partial(p50, queued))
        if sys.platform == "linux":
            polled = partial(latency.ages, port, count, RATE, False, Polled)
            yield await plan.compare(("tuning", "busy_poll"), MICROSECONDS, partial(p50, polled), partial(p50, queued))


# --- streams -----------------------------------------------------------------------------------------------------


async def stream(port: int, seconds: float, setup: rig.Setup = rig.Setup()) -> float:  # noqa: B008  # frozen
    """Seconds a tick, of frames."""
    async with rig.running(partial(feed, port), setup) as path:
        return await path.seconds_a_tick(seconds)


def feed(port: int, source: Source) -> WireFeed:
    """What is read."""
    return WireFeed(source, f"tcp://127.0.0.1:{port}")


async def anywhere(side: Side) -> float:
    """On whichever CPU the kernel likes."""
    here = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        return await side()
    finally:
        os.sched_setaffinity(0, here)


async def uncollected(side: Side) -> float:
    """Without the collector of cycles."""
    gc.disable()
    try:
        return await side()
    finally:
        gc.enable()


async def elsewhere(
    make_loop: Callable[[], asyncio.AbstractEventLoop], side: Callable[[], Coroutine[Any, Any, float]]
) -> float:
    """On a loop of its own."""

    def run() -> float:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            return runner.run(side())

    return await asyncio.to_thread(run)


async def child(port: int, seconds: float, **environment: str) -> float:
    """In a process of its own, of whose environment this is a part."""
    process = await asyncio.create_subprocess_exec(
        *CHILD, str(port), str(seconds), env={**os.environ, **environment}, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise Missing(f"a process with {environment} ended with {process.returncode}")
    return float(json.loads(output))


def shim(folder: Path) -> Path:
    """A library that stands before the C library's socket calls. Raises `Missing`."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        raise Missing("there is no C compiler (cc), or this is not Linux")
    library = folder / "counts.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    return library


# --- pauses ------------------------------------------------------------------------------------------------------


async def pause(frozen: bool = False) -> float:
    """The longest pause of the collector, in seconds, while lists come and stay, beside many that were there."""
    held = [[number] for number in range(HELD)]
    longest_s = began_s = 0.0

    def note(phase: str, _: dict[str, int]) -> None:
        nonlocal longest_s, began_s
        if phase == "start":
            began_s = time.perf_counter()
        else:
            longest_s = max(longest_s, time.perf_counter() - began_s)

    gc.collect()
    if frozen:
        gc.freeze()
    gc.callbacks.append(note)
    try:
        made = [[number] for number in range(MADE)]
        gc.collect()  # the full one, which comes in any case once enough was made
    finally:
        gc.callbacks.remove(note)
        gc.unfreeze()
    assert len(held) + len(made) == HELD + MADE
    return longest_s


# --- one tick at a time ------------------------------------------------------------------------------------------


class Polled(PacedFeed):
    """Has the kernel poll the device for its socket."""

    async def login(self, connection: Connection) -> None:
        transport: asyncio.Transport = vars(connection)["_transport"]
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, BUSY_POLL, BUSY_POLL_US)
        await super().login(connection)


async def p50(ages: Callable[[], Coroutine[Any, Any, "array[int]"]]) -> float:
    """Their median, in seconds."""
    return float(np.median(await ages())) / 1e9


def main() -> None:
    """`python -m benchmarks.tuning PORT SECONDS`: seconds a tick, of frames."""
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(stream(port, seconds)))


if __name__ == "__main__":
    main()
