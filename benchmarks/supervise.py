"""What supervision costs: restarts a second over re-created tasks, and a message far down a tree over one at its root.

`restart`          a child that raises on each message of a full mailbox and is restarted, over a task that raises on
                   each message of a full queue and is re-created; both log the exception, to nowhere
`supervised_tell`  `tell` to an actor five supervisors deep among 100 siblings, over the same to an only child of a
                   root (both ours): a message that does not fail pays nothing, so the ratio is about 1
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Generator
from functools import partial
from typing import NoReturn

import attrs

from ticktree.actors import Actor, ActorRef, Block, ChildSpec, Mailbox, Supervisor, System

from .measure import Figure, Inexact, Plan, per_second, with_extra
from .yardstick import Counter, Message, Tally, handled

CAPACITY = 10_000
BURST = 1_000
DEPTH = 5
SIBLINGS = 100

log = logging.getLogger("ticktree.actors")


class Refused(Exception):
    """What the failing handler raises."""


class Failing(Actor[Message]):
    """Counts a message and fails."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def on_message(self, message: Message) -> NoReturn:
        """Fail."""
        self.tally.handled += 1
        raise Refused(message.number)


@attrs.define
class Restarts:
    """A tree with one failing child, and the same without a tree."""

    tally: Tally
    ref: ActorRef[Message]
    count: int

    async def ours(self) -> float:
        """Seconds a restart by the supervisor."""
        crashed, target, message = self.ref.stats().dropped.crash, self.tally.handled + self.count, Message(0)
        for _ in range(self.count):
            self.ref.tell(message)
        began_s = time.perf_counter()
        await handled(self.tally, target)
        cost_s = (time.perf_counter() - began_s) / self.count
        crashed = self.ref.stats().dropped.crash - crashed
        if crashed != self.count:
            raise Inexact(f"{self.count} messages should have crashed their lives, not {crashed}")
        return cost_s

    async def yardstick(self) -> float:
        """Seconds a task re-created after an exception."""
        queue, tally = asyncio.Queue[Message](CAPACITY), self.tally
        handle, loop, message = Failing(tally).on_message, asyncio.get_running_loop(), Message(0)

        async def life() -> None:
            while True:
                handle(await queue.get())

        for _ in range(self.count):
            queue.put_nowait(message)
        began_s, target = time.perf_counter(), tally.handled + self.count
        while tally.handled < target:
            task = loop.create_task(life())
            try:
                await task
            except Refused as error:
                log.error("%s failed on %s", "task", type(message).__qualname__, exc_info=error)
        return (time.perf_counter() - began_s) / self.count


@attrs.define
class Deep:
    """`tell` in bursts to one of two actors, each in a system of its own."""

    tally: Tally
    bursts: int

    async def tell(self, ref: ActorRef[Message]) -> float:
        """Seconds a message."""
        tally, messages = self.tally, [Message(number) for number in range(BURST)]
        began_s = time.perf_counter()
        for _ in range(self.bursts):
            target = tally.handled + BURST
            for message in messages:
                ref.tell(message)
            await handled(tally, target)
        return (time.perf_counter() - began_s) / (self.bursts * BURST)


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`restart` and `supervised_tell`."""
    with _logged_to_nowhere():
        tally = Tally()
        failing = ChildSpec("failing", partial(Failing, tally), Mailbox(CAPACITY, Block()))
        async with System(Supervisor([failing], intensity=1 << 30, period_s=0.5)) as system:
            restarts = Restarts(tally, system.ref("failing"), plan.size(1_000, 10))
            name = ("supervise", "restart")
            figure = await plan.compare(name, per_second("restarts"), restarts.ours, restarts.yardstick, repeats=2)
            yield with_extra(figure, us_each=1e6 / figure.ours, yardstick_us_each=1e6 / figure.yardstick)
    tally = Tally()
    alone, among = System(Supervisor([_counter(0, tally)])), System(_nested(DEPTH, tally))
    async with alone, among:
        deep = Deep(tally, plan.size(40, 1))
        ours = among.ref("/".join(["level"] * (DEPTH - 1) + [f"counter{SIBLINGS // 2}"]))
        sides = partial(deep.tell, ours), partial(deep.tell, alone.ref("counter0"))
        name = ("supervise", "supervised_tell")
        figure = await plan.compare(name, per_second("messages"), *sides, repeats=4)
        yield with_extra(figure, depth=DEPTH, siblings=SIBLINGS)


def _nested(depth: int, tally: Tally) -> Supervisor:
    """A root and supervisors below it, `depth` in all, the last one with the siblings."""
    supervisor = Supervisor([_counter(number, tally) for number in range(SIBLINGS)], id="level")
    for _ in range(depth - 1):
        supervisor = Supervisor([supervisor], id="level")
    return supervisor


def _counter(number: int, tally: Tally) -> ChildSpec:
    return ChildSpec(f"counter{number}", partial(Counter, tally), Mailbox(CAPACITY, Block()))


@contextlib.contextmanager
def _logged_to_nowhere() -> Generator[None]:
    """Records are made, as in production, and not written."""
    handler, propagate = logging.NullHandler(), log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagate
