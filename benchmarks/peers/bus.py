"""A trade published until its handlers have had it, over NautilusTrader's message bus.

`queued`       each by itself, through the hub and bounded mailboxes to `on_trade`, which runs when the loop turns
`handed_off`   each within a read of its own: handlers are called before `publish` returns, as the peer's are
`read_64`      64 at a time, as a feed publishes what one read brings, queued

To 1 handler and to 10 (`actors`); a unit is one trade to one of them. Both sides make their trades beforehand, and
handlers count and add up a time; ours makes the batches while it is timed. The peer's bus takes one message at a time,
and calls its handlers within `publish`, for as long as that takes: it has no queue, no bound and no counters for a
handler, and what one raises falls on who published. Of ours each has a mailbox, exact counters, and a life of its own.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import attrs

from ticktree.actors import ActorRef, ChildSpec, DropOldest, Mailbox, Supervisor, System
from ticktree.distribution import Hub
from ticktree.market import Batch, Side, Trade, batch_rows
from ticktree.strategies import Strategy

from ..fanout import Offers
from ..mailbox import BURST
from ..measure import Figure, Inexact, Plan, per_second, with_extra
from ..rig import FEED, ROWS_AT_ONCE, TOPICS
from ..senders import INSTRUMENTS
from ..yardstick import handled
from .actors import NUMBERS, Numbers
from .process import Answer, Peer, running

HANDLERS = (1, 10)
A_READ = 64
BOX = Mailbox(65_536, DropOldest(), batch_rows)


class Adder(Strategy):
    """The handler, as the peer's is."""

    def __init__(self, numbers: Numbers) -> None:
        super().__init__()
        self.numbers = numbers

    def on_trade(self, trade: Trade) -> None:
        numbers = self.numbers
        numbers.handled += 1
        numbers.total += trade.venue_time_ns


@attrs.define
class Sides:
    """A hub with its handlers, which add to one tally, and the peer's. `at_once`: handled when `publish` returned."""

    system: System
    hub: Hub
    numbers: Numbers
    handlers: list[ActorRef[Batch]]
    peer: Peer
    bursts: int
    at_once: int = 0
    published: int = 0

    async def queued(self) -> float:
        """Seconds a trade and handler."""
        publish, ids = self.hub.publish, self.hub.ids

        def burst() -> None:
            for trade in TRADES:
                publish(Batch(FEED, ids, events=[trade]))

        return await self._counted(burst)

    async def handed_off(self) -> float:
        """Seconds a trade and handler."""
        publish, ids, reads = self.hub.publish, self.hub.ids, self.system.scheduler

        def burst() -> None:
            for trade in TRADES:
                reads.begin_read(False)
                publish(Batch(FEED, ids, events=[trade]))
                reads.end_read()

        return await self._counted(burst)

    async def read_64(self) -> float:
        """Seconds a trade and handler."""
        publish, ids = self.hub.publish, self.hub.ids

        def burst() -> None:
            for at in range(0, BURST, A_READ):
                publish(Batch(FEED, ids, events=list(TRADES[at : at + A_READ])))

        return await self._counted(burst)

    async def theirs(self) -> float:
        """Seconds a trade and handler."""
        handlers, bursts = len(self.handlers), self.bursts
        answer = await self.peer.ask({"burst": BURST, "bursts": bursts, "handlers": handlers}, Answer)
        answer.check(handlers * bursts * BURST, handlers * bursts * NUMBERS)
        return answer.run_s / answer.handled

    async def _counted(self, burst: Callable[[], None]) -> float:
        """Each burst is handled before the next; raises `Inexact` unless each trade is, once, by each handler."""
        numbers, deliveries = self.numbers, BURST * len(self.handlers)
        count, total = numbers.handled, numbers.total
        began_s = time.perf_counter()
        for _ in range(self.bursts):
            before = numbers.handled
            burst()
            self.at_once += numbers.handled - before
            await asyncio.sleep(0)
            await handled(numbers, before + deliveries)
        elapsed_s = time.perf_counter() - began_s
        self.published += self.bursts * deliveries
        exact = numbers.handled - count, numbers.total - total
        if exact != (self.bursts * deliveries, self.bursts * NUMBERS * len(self.handlers)):
            raise Inexact(f"trades and their sum: {exact}")
        for stats in (ref.stats() for ref in self.handlers):
            if stats.unaccounted or stats.refused or stats.dropped.total:
                raise Inexact(str(stats))
        return elapsed_s / (self.bursts * deliveries)


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`peers_bus`."""
    async with running("nautilus_bus") as peer:
        for count in HANDLERS:
            for name in ("queued", "handed_off", "read_64"):
                numbers, hub, names = Numbers(), Hub(), [f"handler{number}" for number in range(count)]
                hand_off = name == "handed_off"
                tree = [ChildSpec(id, partial(Adder, numbers), BOX, hand_off=hand_off) for id in names]
                async with System(Supervisor(tree)) as system:
                    handlers = [system.ref(id) for id in names]
                    hub.attach(Offers())
                    for handler in handlers:
                        hub.subscribe(handler, TOPICS, most_rows=ROWS_AT_ONCE)
                    sides = Sides(system, hub, numbers, handlers, peer, plan.size(100, 10) // count)
                    ours = {"queued": sides.queued, "handed_off": sides.handed_off, "read_64": sides.read_64}[name]
                    label = "peers_bus", name
                    figure = await plan.compare(label, per_second("trades"), ours, sides.theirs)
                extra = {"handed_fraction": sides.at_once / sides.published}
                yield with_extra(figure, actors=count, **extra, peer=peer.told)


TRADES = tuple(Trade(FEED, INSTRUMENTS[0], 100.0, 1.0, Side.BUY, number, number, number) for number in range(BURST))
