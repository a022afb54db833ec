"""One batch to many mailboxes: what the hub costs a delivery, over asyncio.Queue's `put_nowait`.

`whole`     every subscriber wants everything: the batch itself is handed over
`shared`    every subscriber wants the same, a part of the instruments: the part is picked once
`distinct`  every subscriber wants a part of its own: each is picked by a lookup table

Only `publish` is timed; the mailboxes are emptied between slices. Batches are of 2,048 rows of 1,000 instruments.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial

import attrs

from ticktree.actors import Actor, ChildSpec, DropOldest, Mailbox, Supervisor, System
from ticktree.distribution import Hub
from ticktree.market import Batch, BookUpdate, Topic, batch_rows

from .measure import NANOSECONDS, Figure, Inexact, Plan, with_extra
from .senders import INSTRUMENTS, trades

ROWS = 2_048
SUBSCRIBERS = (1, 10, 100)


class Sink(Actor[Batch]):
    """Takes what comes."""

    def on_message(self, message: Batch) -> None:
        pass


class Offers:
    """The port of a feed that brings trades of everything."""

    name = "bench"
    topics = (Topic("bench", "*", "trade"),)

    def books(self) -> tuple[BookUpdate, ...]:
        """None."""
        return ()

    def book(self, instrument: str) -> None:
        """None."""

    def pause(self, holder: object) -> None:
        """Never asked."""

    def resume(self, holder: object) -> None:
        """Never asked."""


@attrs.define
class Fan:
    """A hub with subscribers, and as many queues."""

    system: System
    hub: Hub
    batch: Batch
    queues: list["asyncio.Queue[Batch]"]
    batches: int

    async def publish(self) -> float:
        """Seconds a delivery, ours."""
        publish, batch = self.hub.publish, self.batch
        began_s = time.perf_counter()
        for _ in range(self.batches):
            publish(batch)
        elapsed_s = time.perf_counter() - began_s
        for subscription in self.hub.subscriptions():
            await subscription.subscriber.drain(20)
            stats = subscription.subscriber.stats()
            if subscription.refused or stats.dropped.total or stats.unaccounted:
                raise Inexact(f"{subscription}: {stats}")
        return elapsed_s / self.batches / len(self.queues)

    async def put(self) -> float:
        """Seconds a delivery, the yardstick's: the whole batch, which nobody picked anything from."""
        queues, batch = self.queues, self.batch
        began_s = time.perf_counter()
        for _ in range(self.batches):
            for queue in queues:
                queue.put_nowait(batch)
        elapsed_s = time.perf_counter() - began_s
        for queue in queues:
            while not queue.empty():
                queue.get_nowait()
        return elapsed_s / self.batches / len(queues)


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`fanout`: `whole`, `shared` and `distinct`, with 1, 10 and 100 subscribers."""
    for count in SUBSCRIBERS:
        for name, topics in (
            ("whole", ["bench/*/*"] * count),
            ("shared", ["bench/I1*-USD/trade"] * count),
            ("distinct", [f"bench/I{number}*-USD/trade" for number in range(count)]),
        ):
            async with System(Supervisor(tuple(map(_child, range(count))))) as system:
                fan = _fan(system, topics, plan.size(max(10, 2_000 // count), 3))
                figure = await plan.compare(("fanout", name), NANOSECONDS, fan.publish, fan.put)
                yield with_extra(figure, actors=count, rows=ROWS)


def _fan(system: System, topics: list[str], batches: int) -> Fan:
    hub = Hub()
    for instrument in INSTRUMENTS:
        hub.ids.adopt(instrument)
    ticks = trades(ROWS)
    ticks.setflags(write=False)
    hub.attach(Offers())
    for number, topic in enumerate(topics):
        hub.subscribe(system.ref(f"sink{number}"), (Topic.parse(topic),))
    return Fan(system, hub, Batch("bench", hub.ids, ticks=ticks), [asyncio.Queue() for _ in topics], batches)


def _child(number: int) -> ChildSpec:
    return ChildSpec(f"sink{number}", partial(Sink), Mailbox(1 << 30, DropOldest(), batch_rows))
