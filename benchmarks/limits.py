"""The C yardsticks of `limits/`: `flood` streams ticks, `drain` reads and sums them in a blocking loop.

They are built with `cc` into a folder of their own for the time of a run. `TICKTREE_LIMITS` names where their sources
lie; without sources, a compiler or a second CPU the benchmarks that need them say so and are left out.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import msgspec

SOURCES = Path(os.environ.get("TICKTREE_LIMITS", Path(__file__).parents[2] / "shared" / "limits"))
PRICE_TIMES_SIZE = 497.8  # of flood's ticks, on average, within a percent: whoever sums them must come to it


class Missing(RuntimeError):
    """What a benchmark is held against cannot be had here, and why."""


class Limit(msgspec.Struct):
    """What `drain` prints, as far as it is used."""

    ticks_per_s: float
    notional_per_tick: float


@contextlib.asynccontextmanager
async def built(*names: str) -> AsyncGenerator[dict[str, Path]]:
    """Programs of `limits/`, built. Raises `Missing`."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise Missing("there is no C compiler (cc)")
    with tempfile.TemporaryDirectory() as folder:
        programs = {name: Path(folder) / name for name in names}
        for name, program in programs.items():
            source = SOURCES / f"{name}.c"
            if not source.is_file():
                raise Missing(f"there is no {source}; TICKTREE_LIMITS may name another folder")
            build = await asyncio.create_subprocess_exec(compiler, "-O2", "-o", program, source)
            if await build.wait():
                raise Missing(f"{compiler} could not build {source}")
        yield programs


@contextlib.asynccontextmanager
async def beside(command: Sequence[str | Path], port: int) -> AsyncGenerator[None]:
    """`command` runs on the other CPUs and listens at `port`, until the block ends. Raises `Missing`."""
    others = other_cpus()
    process = await asyncio.create_subprocess_exec(*map(str, command))
    try:
        move_to(others, process.pid)
        await _listens(port)
        yield
    finally:
        process.kill()
        await process.wait()


def other_cpus() -> set[int]:
    """Those this process is not pinned to; none where affinity cannot be set. Raises `Missing` where there is one."""
    if not hasattr(os, "sched_setaffinity"):
        return set()
    others = set(range(os.cpu_count() or 1)) - os.sched_getaffinity(0)
    if not others and (os.cpu_count() or 1) < 2:
        raise Missing("there is one CPU: whoever sends and whoever reads would share it")
    return others


def move_to(cpus: set[int], pid: int) -> None:
    """Have a process run there alone; anywhere, where no CPU is named."""
    if cpus:
        os.sched_setaffinity(pid, cpus)


async def drain(program: Path, port: int, seconds: float) -> float:
    """Let `drain` read for so long, on this process's CPU; seconds a tick."""
    process = await asyncio.create_subprocess_exec(program, str(port), f"{seconds:g}", stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    limit = msgspec.json.decode(output, type=Limit)
    return 1 / limit.ticks_per_s


def sender(*arguments: str) -> list[str]:
    """The command for one of `benchmarks/senders.py`."""
    return [sys.executable, "-m", "benchmarks.senders", *arguments]


def free_port() -> int:
    """A port that nobody listens at, just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _listens(port: int) -> None:
    """Wait until somebody accepts at `port` (the connection is dropped again)."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return
