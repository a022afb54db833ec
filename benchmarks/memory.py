"""`python -m benchmarks.memory actors|tasks N`: bytes each, by what this process grows when it makes N of them."""

import asyncio
import gc
import resource
import sys
from typing import Any

import uvloop

from .spawn import CAPACITY, new_system
from .yardstick import Counter, Message, Tally, cancel, consume


def resident_bytes(collected: bool = True) -> int:
    """What of this process is in memory now, once it was `collected`; without /proc the most that ever was."""
    if collected:
        gc.collect()
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * resource.getpagesize()


async def of_actors(count: int) -> float:
    """Bytes an actor, its place in the tree and its empty mailbox included."""
    async with new_system() as system:
        pool = system.supervisor("pool")
        first: list[Any] = [await pool.start_child() for _ in range(100)]  # caches and free lists fill
        before = resident_bytes()
        refs = [await pool.start_child() for _ in range(count)]
        grown = resident_bytes() - before
        assert len(first) + len(refs) == pool.count_children().active
        return grown / count


async def of_tasks(count: int) -> float:
    """Bytes a task that waits on a queue of its own."""
    handle = Counter(Tally()).on_message
    loop = asyncio.get_running_loop()

    async def grow(by: int) -> "list[asyncio.Task[None]]":
        tasks = [loop.create_task(consume(asyncio.Queue[Message](CAPACITY), handle)) for _ in range(by)]
        await asyncio.sleep(0)
        return tasks

    first = await grow(100)
    before = resident_bytes()
    tasks = await grow(count)
    grown = resident_bytes() - before
    await cancel(first + tasks)
    return grown / count


def main() -> None:
    """Measure what the command line says."""
    what, count = sys.argv[1], int(sys.argv[2])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(of_actors(count) if what == "actors" else of_tasks(count)))


if __name__ == "__main__":
    main()
