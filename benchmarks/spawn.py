"""Starting and stopping 4,000 children of one template, and their memory, over 4,000 bare tasks with a queue each.

`start`       `start_child` one after the other, over creating tasks and letting each run to its first `queue.get`
`stop`        the supervisor stops them all at once, over cancelling all tasks and waiting for them
`terminate`   `terminate_child` one after the other, over cancelling and awaiting one task after the other
`memory`      bytes each, by what the process grew in a fresh interpreter

The tasks are the cheapest thing that can be told something and answers for its own messages; they have no place in a
tree, no mailbox with counters, no restart. A yardstick task counts as started once it waits on its queue.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from ticktree.actors import ActorRef, Block, ChildSpec, Mailbox, Supervisor, System

from .measure import Figure, Inexact, Plan, Unit, per_second, with_extra
from .yardstick import Counter, Message, Tally, cancel, consume

CAPACITY = 10_000
BYTES = Unit("bytes", lambda cost: cost)


@attrs.define
class Bench:
    """A tree with an empty `pool`, and what the last slices left running."""

    system: System
    count: int
    handle: Counter
    refs: list[ActorRef[Any]] = attrs.field(factory=list[ActorRef[Any]])
    tasks: "list[asyncio.Task[None]]" = attrs.field(factory=list["asyncio.Task[None]"])

    async def fill(self) -> float:
        """Seconds a child started."""
        pool = self.system.supervisor("pool")
        began_s = time.perf_counter()
        refs = [await pool.start_child() for _ in range(self.count)]
        cost_s = (time.perf_counter() - began_s) / self.count
        self.refs = [ref for ref in refs if ref is not None]
        self._expect(self.count)
        return cost_s

    async def fill_tasks(self) -> float:
        """Seconds a task started."""
        loop, handle = asyncio.get_running_loop(), self.handle.on_message
        began_s = time.perf_counter()
        self.tasks = [loop.create_task(consume(asyncio.Queue[Message](CAPACITY), handle)) for _ in range(self.count)]
        await asyncio.sleep(0)
        return (time.perf_counter() - began_s) / self.count

    async def empty(self) -> float:
        """Seconds a child stopped, all at once."""
        began_s = time.perf_counter()
        await self.system.supervisor().terminate_child("pool")
        cost_s = (time.perf_counter() - began_s) / self.count
        self.refs = []
        await self.system.supervisor().restart_child("pool")
        self._expect(0)
        return cost_s

    async def empty_tasks(self) -> float:
        """Seconds a task cancelled, all at once."""
        began_s = time.perf_counter()
        await cancel(self.tasks)
        cost_s = (time.perf_counter() - began_s) / self.count
        self.tasks = []
        return cost_s

    async def terminate(self) -> float:
        """Seconds a child stopped, one after the other."""
        pool = self.system.supervisor("pool")
        began_s = time.perf_counter()
        for ref in self.refs:
            await pool.terminate_child(ref)
        cost_s = (time.perf_counter() - began_s) / self.count
        self.refs = []
        self._expect(0)
        return cost_s

    async def terminate_tasks(self) -> float:
        """Seconds a task cancelled, one after the other."""
        began_s = time.perf_counter()
        for task in self.tasks:
            task.cancel()
            await asyncio.wait((task,))
        cost_s = (time.perf_counter() - began_s) / self.count
        self.tasks = []
        return cost_s

    def _expect(self, active: int) -> None:
        children = self.system.supervisor("pool").count_children()
        if children.active != active or children.actors != active:
            raise Inexact(f"{active} children should be there, not {children}")


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`start`, `stop`, `terminate` and `memory`."""
    count = plan.size(4_000, 50)
    async with new_system() as system:
        bench = Bench(system, count, Counter(Tally()))

        async def emptied(fill: Any, empty: Any) -> float:
            cost_s: float = await fill()
            await empty()
            return cost_s

        async def filled(fill: Any, empty: Any) -> float:
            await fill()
            cost_s: float = await empty()
            return cost_s

        for name, ours, yardstick in (
            ("start", partial(emptied, bench.fill, bench.empty), partial(emptied, bench.fill_tasks, bench.empty_tasks)),
            ("stop", partial(filled, bench.fill, bench.empty), partial(filled, bench.fill_tasks, bench.empty_tasks)),
            (
                "terminate",
                partial(filled, bench.fill, bench.terminate),
                partial(filled, bench.fill_tasks, bench.terminate_tasks),
            ),
        ):
            figure = await plan.compare(("spawn", name), per_second("children"), ours, yardstick)
            yield with_extra(
                figure, children=count, us_each=1e6 / figure.ours, yardstick_us_each=1e6 / figure.yardstick
            )
    figure = await plan.compare(
        ("spawn", "memory"), BYTES, partial(_bytes_each, "actors", count), partial(_bytes_each, "tasks", count)
    )
    yield with_extra(figure, children=count)


def new_system() -> System:
    """A tree whose `pool` starts counters on demand."""
    template = ChildSpec("counter", partial(Counter, Tally()), Mailbox(CAPACITY, Block()))
    pool = Supervisor([template], "simple_one_for_one", id="pool")
    return System(Supervisor([pool]), watchdog_s=10.0)  # stopping all may keep the loop for longer than its bound


async def _bytes_each(what: str, count: int) -> float:
    """What a fresh interpreter says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.memory", what, str(count)),
        cwd=Path(__file__).parent.parent,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"benchmarks.memory {what} {count} ended with {process.returncode}")
    return float(output)
