"""A message from a sender to a plain handler through a bounded mailbox, over asyncio.Queue on the same loop.

`tell`            `ref.tell(message)` of a coroutine outside the actors, over `await queue.put(message)` and a consumer
                  task an actor with `handle(await queue.get())`
`tell_weighted`   the same with weight 3, which asyncio.Queue does not have; its side stays as it is
`put`             `await ref.put(message)` over `await queue.put(message)`, the sender held up by full queues only

Both sides run the same handler on the same messages. For `tell` both senders send in bursts of 1,000 dealt out to the
actors in turn, as a read from a socket brings them, and let the loop turn until these are handled. All counters of the
mailbox are on, hand-off is off, and overflow is `Block`: each slice checks that nothing was refused or dropped and that
the mailbox's own books say the same. `queued_fraction` is measured: what was not yet handled when its burst was told.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import attrs

from ticktree.actors import ActorRef, Block, ChildSpec, Mailbox, MailboxStats, Supervisor, System

from .measure import Figure, Inexact, Plan, per_second, with_extra
from .yardstick import Counter, Message, Tally, consumers, handled

CAPACITY = 10_000
BURST = 1_000
WEIGHT = 3

Queue = asyncio.Queue[Message]
Send = Callable[[], Awaitable[None]]  # one burst


@attrs.define
class Bench:
    """One tree of counting actors and as many queues with consumers, all adding to one tally."""

    tally: Tally
    bursts: int  # a slice
    refs: list[ActorRef[Message]]
    ours: list[tuple[ActorRef[Message], Message]]  # a burst: to whom, what
    theirs: list[tuple[Queue, Message]]
    told: int = 0
    queued: int = 0

    async def tell(self) -> float:
        """Seconds a message, ours."""

        async def send() -> None:
            for ref, message in self.ours:
                ref.tell(message)

        return await self._booked(self._in_bursts(send), 1)

    async def tell_weighted(self) -> float:
        """Seconds a message that stands for three ticks, ours."""

        async def send() -> None:
            for ref, message in self.ours:
                ref.tell(message, WEIGHT)

        return await self._booked(self._in_bursts(send), WEIGHT)

    async def queue(self) -> float:
        """Seconds a message, the yardstick's."""
        return await self._in_bursts(self._queue_put)

    async def put(self) -> float:
        """Seconds a message, ours, the sender waiting only while a mailbox is full."""

        async def send() -> None:
            for ref, message in self.ours:
                await ref.put(message)

        return await self._booked(self._held_up(send), 1)

    async def queue_held_up(self) -> float:
        """Seconds a message, the yardstick's, the sender waiting only while a queue is full."""
        return await self._held_up(self._queue_put)

    async def _queue_put(self) -> None:
        for queue, message in self.theirs:
            await queue.put(message)

    async def _in_bursts(self, send: Send) -> float:
        tally = self.tally
        began_s = time.perf_counter()
        for _ in range(self.bursts):
            before = tally.handled
            await send()
            self.told += BURST
            self.queued += BURST - (tally.handled - before)
            await handled(tally, before + BURST)
        return (time.perf_counter() - began_s) / (self.bursts * BURST)

    async def _held_up(self, send: Send) -> float:
        tally = self.tally
        began_s, target = time.perf_counter(), tally.handled + self.bursts * BURST
        for _ in range(self.bursts):
            await send()
        await handled(tally, target)
        return (time.perf_counter() - began_s) / (self.bursts * BURST)

    def queued_fraction(self) -> float:
        """Of what was told in bursts so far, how much was not handled yet when its burst had been told."""
        return self.queued / self.told

    async def _booked(self, slice: Awaitable[float], weight: int) -> float:
        """The cost of a slice, once its messages are seen to stand in the mailboxes' books, all of them, once."""
        count, before = self.tally.handled, [ref.stats() for ref in self.refs]
        cost_s = await slice
        if self.tally.handled - count != self.bursts * BURST:
            raise Inexact(f"{self.bursts * BURST} messages were told, {self.tally.handled - count} handled")
        ticks = self.bursts * BURST // len(self.refs) * weight
        for ref, old in zip(self.refs, before, strict=True):
            _check(old, ref.stats(), ticks)
        return cost_s


def _check(old: MailboxStats, new: MailboxStats, ticks: int) -> None:
    exact = new.received - old.received == new.delivered - old.delivered == ticks
    if not exact or new.unaccounted or new.refused or new.dropped.total:
        raise Inexact(f"{ticks} ticks were told; the mailbox says {new}, before it said {old}")


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`tell`, `tell_weighted` and `put`, with 1, 10 and 100 actors."""
    for actors in (1, 10, 100):
        tally = Tally()
        system = System(Supervisor([_counter(number, tally) for number in range(actors)]))
        queues = [Queue(CAPACITY) for _ in range(actors)]
        async with system, consumers(queues, Counter(tally).on_message):
            refs = [system.ref(f"counter{number}") for number in range(actors)]
            burst = [Message(number) for number in range(BURST)]
            ours = [(refs[message.number % actors], message) for message in burst]
            theirs = [(queues[message.number % actors], message) for message in burst]
            bench = Bench(tally, plan.size(40, 1), refs, ours, theirs)
            for name, side, yardstick in (
                ("tell", bench.tell, bench.queue),
                ("tell_weighted", bench.tell_weighted, bench.queue),
                ("put", bench.put, bench.queue_held_up),
            ):
                bench.told = bench.queued = 0
                figure = await plan.compare(("mailbox", name), per_second("messages"), side, yardstick, repeats=2)
                extra = {"queued_fraction": bench.queued_fraction()} if bench.told else {}
                yield with_extra(figure, actors=actors, capacity=CAPACITY, **extra)


def _counter(number: int, tally: Tally) -> ChildSpec:
    return ChildSpec(f"counter{number}", partial(Counter, tally), Mailbox(CAPACITY, Block()))
