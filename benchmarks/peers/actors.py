"""A message told to an actor until it is handled, over Pykka's `tell` to its `ThreadingActor`.

`tell`   messages a second from one sender to one actor, in bursts of 1,000, each handled before the next

Both handlers count and add up the numbers of the messages. Pykka's actor has a thread of its own and an unbounded
queue, and who sends waits for a burst with one `ask`. Ours shares the loop with who sends; its mailbox holds 10,000,
and every message is counted in and out. asyncio.Queue, on our loop, stands in mailbox.py and handoff.py.
"""

from collections.abc import AsyncIterator
from functools import partial

import attrs

from ticktree.actors import Block, ChildSpec, Mailbox, Supervisor, System

from ..mailbox import BURST, CAPACITY, Bench
from ..measure import Figure, Inexact, Plan, per_second, with_extra
from ..yardstick import Counter, Message, Tally
from .process import Answer, Peer, running

NUMBERS = sum(range(BURST))


class Numbers(Tally):
    """How much was handled, and the sum of its numbers."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        super().__init__()
        self.total = 0


class Adder(Counter):
    """The handler, as the peer's is."""

    def __init__(self, tally: Numbers) -> None:
        super().__init__(tally)
        self.numbers = tally

    def on_message(self, message: Message) -> None:
        """Count it and add its number."""
        numbers = self.numbers
        numbers.handled += 1
        numbers.total += message.number


@attrs.frozen
class Sides:
    """Ours, and the peer's."""

    bench: Bench
    numbers: Numbers
    peer: Peer

    async def ours(self) -> float:
        """Seconds a message."""
        before = self.numbers.total
        cost_s = await self.bench.tell()
        if self.numbers.total - before != self.bench.bursts * NUMBERS:
            raise Inexact(f"the numbers come to {self.numbers.total - before}")
        return cost_s

    async def theirs(self) -> float:
        """Seconds a message."""
        bursts = self.bench.bursts
        answer = await self.peer.ask({"burst": BURST, "bursts": bursts}, Answer)
        answer.check(bursts * BURST, bursts * NUMBERS)
        return answer.run_s / answer.handled


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`peers_actors`."""
    numbers, messages = Numbers(), [Message(number) for number in range(BURST)]
    system = System(Supervisor([ChildSpec("adder", partial(Adder, numbers), Mailbox(CAPACITY, Block()))]))
    async with running("pykka_actors") as peer, system:
        ref = system.ref("adder")
        bench = Bench(numbers, plan.size(100, 1), [ref], [(ref, message) for message in messages], [])
        sides = Sides(bench, numbers, peer)
        figure = await plan.compare(("peers_actors", "tell"), per_second("messages"), sides.ours, sides.theirs)
        yield with_extra(figure, peer=peer.told, queued_fraction=bench.queued_fraction())
