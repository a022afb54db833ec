"""One outstanding message, handed off within a read callback, over an asyncio.Queue hop.

`handoff`         nanoseconds from send to handler. Ours opens the read window (inside the measured time, as only we
                  need one) and tells; the yardstick's `put_nowait` wakes the consumer's task, which runs in the loop's
                  next turn. Both senders are coroutines that then let the loop turn, both handlers read the clock; a
                  slice gives its median. The clock's own 50 to 70 ns are in both, which lowers the ratio.
`handoff_cycle`   nanoseconds a message when each is sent as soon as the former has been handled: ours when `tell` has
                  returned and the window is closed, the yardstick's after a turn of the loop. The handler only counts.

`handed_fraction` is measured: messages that were handled before `tell` returned.
"""

import asyncio
import statistics
import time
from array import array
from collections.abc import AsyncIterator, Callable
from functools import partial

import attrs

from ticktree.actors import Actor, ActorRef, Block, ChildSpec, Mailbox, ReadTurns, Supervisor, System

from .measure import NANOSECONDS, Figure, Inexact, Plan, with_extra
from .yardstick import Counter, Message, Tally, consumers, handled

CAPACITY = 10_000

Queue = asyncio.Queue[Message]


class Arrivals:
    """When messages arrived, in order."""

    __slots__ = ("at_ns",)

    def __init__(self) -> None:
        self.at_ns = array("q")


class Stamper(Actor[Message]):
    """The handler of both sides: notes when it was called."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.arrivals = arrivals

    def on_message(self, message: Message) -> None:
        """Note the time."""
        self.arrivals.at_ns.append(time.perf_counter_ns())


@attrs.define
class Latency:
    """From send to handler."""

    arrivals: Arrivals
    reads: ReadTurns
    ours: list[tuple[ActorRef[Message], Message]]  # a slice: to whom, what
    theirs: list[tuple[Queue, Message]]
    told: int = 0
    handed: int = 0

    async def hand_off(self) -> float:
        """Seconds, ours."""
        reads, sent_ns, clock_ns = self.reads, array("q"), time.perf_counter_ns
        self.arrivals.at_ns = at_ns = array("q")
        for number, (ref, message) in enumerate(self.ours, 1):
            now_ns = clock_ns()
            reads.begin_read(False)
            ref.tell(message)
            reads.end_read()
            self.handed += len(at_ns) == number
            sent_ns.append(now_ns)
            await asyncio.sleep(0)
        self.told += len(self.ours)
        return _median_s(sent_ns, at_ns)

    async def hop(self) -> float:
        """Seconds, the yardstick's."""
        sent_ns, clock_ns = array("q"), time.perf_counter_ns
        self.arrivals.at_ns = at_ns = array("q")
        for queue, message in self.theirs:
            now_ns = clock_ns()
            queue.put_nowait(message)
            sent_ns.append(now_ns)
            await asyncio.sleep(0)
        return _median_s(sent_ns, at_ns)


def _median_s(sent_ns: "array[int]", at_ns: "array[int]") -> float:
    if len(sent_ns) != len(at_ns):
        raise Inexact(f"{len(sent_ns)} messages were sent, one at a time, and {len(at_ns)} handled")
    return statistics.median(at - sent for sent, at in zip(sent_ns, at_ns, strict=True)) / 1e9


@attrs.define
class Cycle:
    """From one send to the next, which waits for the handler."""

    tally: Tally
    reads: ReadTurns
    ours: list[tuple[ActorRef[Message], Message]]
    theirs: list[tuple[Queue, Message]]
    told: int = 0
    handed: int = 0

    async def hand_off(self) -> float:
        """Seconds, ours. What is not handed off, because the kernel took the CPU for too long, is waited for."""
        reads, tally, late = self.reads, self.tally, 0
        began_s = time.perf_counter()
        for target, (ref, message) in enumerate(self.ours, tally.handled + 1):
            reads.begin_read(False)
            ref.tell(message)
            reads.end_read()
            if tally.handled != target:
                late += 1
                await handled(tally, target)
        cost_s = (time.perf_counter() - began_s) / len(self.ours)
        self.told += len(self.ours)
        self.handed += len(self.ours) - late
        return cost_s

    async def hop(self) -> float:
        """Seconds, the yardstick's."""
        tally = self.tally
        began_s = time.perf_counter()
        for target, (queue, message) in enumerate(self.theirs, tally.handled + 1):
            queue.put_nowait(message)
            await asyncio.sleep(0)
            if tally.handled != target:
                raise Inexact(f"a message was put, the loop has turned, and {target - tally.handled} wait")
        return (time.perf_counter() - began_s) / len(self.theirs)


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`handoff` and `handoff_cycle`, with 1, 10 and 100 actors."""
    messages = [Message(number) for number in range(plan.size(5_000, 100))]
    for actors in (1, 10, 100):
        arrivals, tally = Arrivals(), Tally()
        stampers = [_child(f"stamper{number}", partial(Stamper, arrivals)) for number in range(actors)]
        counters = [_child(f"counter{number}", partial(Counter, tally)) for number in range(actors)]
        system = System(Supervisor([*stampers, *counters]))
        stamped, counted = [Queue(CAPACITY) for _ in range(actors)], [Queue(CAPACITY) for _ in range(actors)]
        async with (
            system,
            consumers(stamped, Stamper(arrivals).on_message),
            consumers(counted, Counter(tally).on_message),
        ):
            latency = Latency(
                arrivals,
                system.scheduler,
                [(system.ref(f"stamper{message.number % actors}"), message) for message in messages],
                [(stamped[message.number % actors], message) for message in messages],
            )
            name = ("handoff", "handoff")
            figure = await plan.compare(name, NANOSECONDS, latency.hand_off, latency.hop, repeats=2)
            yield with_extra(figure, actors=actors, handed_fraction=latency.handed / latency.told)
            cycle = Cycle(
                tally,
                system.scheduler,
                [(system.ref(f"counter{message.number % actors}"), message) for message in messages],
                [(counted[message.number % actors], message) for message in messages],
            )
            name = ("handoff", "handoff_cycle")
            figure = await plan.compare(name, NANOSECONDS, cycle.hand_off, cycle.hop, repeats=2)
            yield with_extra(figure, actors=actors, handed_fraction=cycle.handed / cycle.told)


def _child(id: str, start: Callable[[], Actor[Message]]) -> ChildSpec:
    return ChildSpec(id, start, Mailbox(CAPACITY, Block()), hand_off=True)
