"""A whole application in virtual time, but for its feeds: what they bring, a test says."""

import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import attrs

from ticktree.actors import Actor, System, VirtualClock, simulate
from ticktree.app import App, Assembly, FeedPart, RouterPart, StrategyPart, VenuePart, assemble
from ticktree.feeds import Source
from ticktree.market import Batch, Data, Instrument, Mark, Quote, Trade
from ticktree.routing import Limits, OrderState, Policy, Timeout
from ticktree.routing.records import OrderRecord

from ..market.samples import BTC, ETH

BEGAN_NS = 1_700_000_000_000_000_000
PAPER = (VenuePart("paper", "sim"),)
ONE: Policy = Timeout("paper", deadline_s=0.25)


class Silent(Actor[Any]):
    """Stands where a feed would."""


def _silent(source: Source) -> Any:
    """No feed, and nobody looks."""
    return Silent()


def app(
    *strategies: StrategyPart, venues: tuple[VenuePart, ...] = PAPER, policy: Policy = ONE, limits: Limits | None = None
) -> App:
    """These strategies, a router, and venues that match against feeds of the names that they say."""
    names = dict.fromkeys(venue.prices for venue in venues)
    return App(
        feeds=tuple(FeedPart(name, _silent, ("BTC-USDT", "ETH-USDT")) for name in names),
        venues=venues,
        routers=(RouterPart("default", policy),),
        strategies=strategies,
        limits=limits or Limits(),
    )


class Street:
    """What a test has its feeds bring, and what has become of orders."""

    def __init__(self, system: System, assembly: Assembly, clock: VirtualClock) -> None:
        self.system, self.assembly, self.clock = system, assembly, clock
        self.hub, self.ledger = assembly.hub, assembly.office.ledger
        self.sequence = 0
        for one in (BTC, ETH):
            self.hub.ids.adopt(one)

    async def publish(self, *events: Data, columns: bool = False) -> None:
        """All of them in one batch; then everybody comes to rest."""
        batch = Batch(events[0].feed, self.hub.ids, events=list(events))
        self.hub.publish(Batch(batch.feed, self.hub.ids, ticks=batch.ticks) if columns else batch)
        await self.rest()

    async def mark(self, mark: Mark) -> None:
        self.hub.mark(mark)
        await self.rest()

    def quote(
        self, bid: float, ask: float | None = None, instrument: Instrument = BTC, feed: str = "sim", size: float = 5.0
    ) -> Quote:
        """Of this moment; `ask` is 1 above the bid unless told."""
        self.sequence += 1
        now_ns, known = self.clock.now_ns(), self.hub.ids.named(instrument.name)[0]
        ask = bid + 1.0 if ask is None else ask
        return Quote(feed, known, bid, size, ask, size, self.sequence, now_ns, now_ns)

    async def at(self, bid: float, ask: float | None = None, **where: Any) -> None:
        """The market is there now."""
        await self.publish(self.quote(bid, ask, **where))

    async def trade(self, price: float, size: float = 5.0) -> None:
        self.sequence += 1
        now_ns, known = self.clock.now_ns(), self.hub.ids.named("BTC-USDT")[0]
        await self.publish(Trade("sim", known, price, size, None, self.sequence, now_ns, now_ns))

    async def rest(self, seconds: float = 0.001) -> None:
        """Wait; in virtual time everything that can happen meanwhile does."""
        await self.clock.sleep(seconds)

    def orders(self, instrument: Instrument = BTC) -> list[OrderRecord]:
        """All there ever were, in the order they came."""
        return [one for one in self.ledger.orders.values() if one.order.instrument.name == instrument.name]

    def resting(self, instrument: Instrument = BTC) -> list[str]:
        """Those that are out, in words."""
        out = (one.order for one in self.ledger.open_orders.values())
        return [str(order) for order in out if order.instrument.name == instrument.name]

    def ended(self, state: OrderState) -> int:
        return sum(record.state is state for record in self.ledger.orders.values())

    def position(self, instrument: Instrument = BTC) -> int:
        """Over all strategies, in size increments."""
        return self.ledger.position(instrument.name)

    async def restart(self, strategy: str) -> None:
        """Its life ends, and the next one begins."""
        (cell,) = (cell for cell in self.system.cells() if cell.path == f"strategies/{strategy}")
        lives = cell.lives
        cell.kill()
        await self.rest(0.1)
        assert cell.lives == lives + 1


def on_street(made: App) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    """A test in virtual time, of that application; nothing it leaves behind goes unnoticed."""

    def decorate(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        @wraps(test)
        def run(*args: Any, **kwargs: Any) -> None:
            async def main(clock: VirtualClock) -> None:
                assembly = assemble(attrs.evolve(made), clock)
                async with System(assembly.tree, clock) as system:
                    street = Street(system, assembly, clock)
                    await street.rest()
                    await test(street, *args, **kwargs)
                assert all(cell.stats().unaccounted == 0 for cell in system.cells())
                assert not assembly.office.ledger.overfilled_beyond

            simulate(main, BEGAN_NS)

        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # pytest looks there for fixtures
            list(inspect.signature(test).parameters.values())[1:]
        )
        return run

    return decorate
