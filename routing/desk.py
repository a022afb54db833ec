"""A strategy's door to its router: it reserves in the portfolio before anything is sent."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs

from ticktree.actors import ActorRef, Delivery
from ticktree.market import Instrument, Number, Side

from .orders import Order, OrderHandle
from .portfolio import Portfolio
from .router import Submit


@attrs.frozen
class Desk:
    """Trades for `strategy`; what it sees of the portfolio is that strategy's own."""

    strategy: str
    router: str
    portfolio: Portfolio
    find_router: Callable[[], ActorRef[Any]]

    def submit(
        self, owner: ActorRef[Any], side: Side, instrument: Instrument, quantity: Number, limit: Number | None
    ) -> OrderHandle:
        """Have an order worked; its fills go to `owner`. Raises `OffIncrement`, `BadNumber`, `BadOrder`."""
        order = Order.of(self.portfolio.next_id(), self.strategy, instrument, side, quantity, limit)
        record = self.portfolio.open(order, self.router, owner)
        delivery = self.find_router().tell(Submit(record))
        if delivery is not Delivery.ACCEPTED:
            self.portfolio.refuse(record, f"the router {self.router} took no order ({delivery.value})")
        return record.handle

    def position(self, instrument: Instrument) -> Decimal:
        """What is held."""
        return self.portfolio.position(self.strategy, instrument)

    def exposure(self, instrument: Instrument) -> Decimal:
        """What is held and out, at its worst."""
        return self.portfolio.exposure(self.strategy, instrument)

    def working(self, instrument: Instrument) -> tuple[Order, ...]:
        """Orders that are out."""
        return self.portfolio.working(self.strategy, instrument)
