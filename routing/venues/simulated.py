"""A paper venue: fills orders against the quotes of a feed, up to the sizes they show."""

from typing import Any

import attrs

from ticktree.actors import ActorRef
from ticktree.market import Instrument, Quote, Side

from ..orders import ExecutionReport, Fill, Leg, OrderState
from ..portfolio import Portfolio
from ..venue import CancelLeg, QueryLeg, SubmitLeg, Venue, VenueMessage


@attrs.define(eq=False)
class Resting:
    """A leg at the venue."""

    leg: Leg
    reports: ActorRef[Any]
    filled_increments: int = 0

    @property
    def remaining(self) -> int:
        """What is not filled yet."""
        return self.leg.quantity_increments - self.filled_increments


@attrs.define(eq=False)
class Top:
    """The best prices of one instrument, and how much of their sizes is left."""

    bid_increments: int
    bid_left: int
    ask_increments: int
    ask_left: int

    @classmethod
    def of(cls, quote: Quote) -> "Top":
        """What `quote` shows."""
        instrument = quote.instrument
        return cls(
            instrument.nearest_price(quote.bid), instrument.whole_sizes(quote.bid_size),
            instrument.nearest_price(quote.ask), instrument.whole_sizes(quote.ask_size),
        )  # fmt: skip

    def take(self, side: Side, limit_increments: int | None, wanted: int) -> tuple[int, int]:
        """Take up to `wanted` from the other side, no worse than the limit: the quantity and its price."""
        buys = side is Side.BUY
        price, left = (self.ask_increments, self.ask_left) if buys else (self.bid_increments, self.bid_left)
        if limit_increments is not None and (price > limit_increments if buys else price < limit_increments):
            return 0, price
        taken = min(wanted, left)
        if buys:
            self.ask_left -= taken
        else:
            self.bid_left -= taken
        return taken, price


@attrs.frozen
class Arrived:
    """A message has travelled its `latency_s`."""

    message: VenueMessage


class SimulatedVenue(Venue):
    """Acknowledges a leg, fills what it can at once, and rests the remainder. Its book ends with its life."""

    def __init__(self, name: str, portfolio: Portfolio, latency_s: float = 0.0) -> None:
        super().__init__(name, portfolio)
        self._latency_s = latency_s
        self._quotes: dict[str, Quote] = {}
        self._tops: dict[str, Top] = {}
        self._resting: dict[str, Resting] = {}
        self._executions = 0

    def on_start(self) -> None:
        for leg in self.portfolio.open_legs(self.name):  # a former life's
            self._say(leg.leg, leg.reports, OrderState.CANCELED, leg.filled_increments, "the venue restarted")

    def on_message(self, message: Any) -> None:
        match message:
            case SubmitLeg() | CancelLeg() | QueryLeg() if self._latency_s:
                self.after(self._latency_s, Arrived(message))
            case Arrived(arrived):
                super().on_message(arrived)
            case _:
                super().on_message(message)

    # --- orders ------------------------------------------------------------------------------------------------

    def submit(self, leg: Leg, reports: ActorRef[Any]) -> None:
        known = self.portfolio.leg(leg)
        if known is None or known.state.terminal:  # this message outlived a life that had it canceled
            return
        resting = self._resting[leg.id] = Resting(leg, reports)
        self._say(leg, reports, OrderState.LIVE, 0)
        self._match(resting)

    def cancel(self, leg: Leg, reports: ActorRef[Any]) -> None:
        resting = self._resting.pop(leg.id, None)
        if resting is not None:
            self._say(leg, reports, OrderState.CANCELED, resting.filled_increments, "as asked")

    def query(self, leg: Leg, reports: ActorRef[Any]) -> None:
        resting = self._resting.get(leg.id)
        if resting is not None:
            resting.reports = reports
            self._say(leg, reports, OrderState.LIVE, resting.filled_increments)
        else:
            self._say(leg, reports, OrderState.REJECTED, 0, "the venue does not know it")

    # --- prices ------------------------------------------------------------------------------------------------

    def on_quote(self, quote: Quote) -> None:
        name = quote.instrument.name
        self._quotes[name] = quote
        self._tops.pop(name, None)
        for resting in tuple(self._resting.values()):
            if resting.leg.order.instrument.name == name:
                self._match(resting)

    def _top(self, instrument: Instrument) -> Top | None:
        """Worked out when an order needs it: most quotes meet none."""
        top, quote = self._tops.get(instrument.name), self._quotes.get(instrument.name)
        if top is None and quote is not None:
            top = self._tops[instrument.name] = Top.of(quote)
        return top

    def _match(self, resting: Resting) -> None:
        order = resting.leg.order
        top = self._top(order.instrument)
        if top is None:
            return
        taken, price = top.take(order.side, order.limit_increments, resting.remaining)
        if taken:
            self._fill(resting, taken, price)

    def _fill(self, resting: Resting, quantity_increments: int, price_increments: int) -> None:
        leg, order = resting.leg, resting.leg.order
        resting.filled_increments += quantity_increments
        done = resting.remaining == 0
        if done:
            del self._resting[leg.id]
        self._executions += 1
        now_ns, state = self.clock.now_ns(), OrderState.FILLED if done else OrderState.LIVE
        fill = Fill(
            order.id, leg.id, f"{leg.id}.{self._executions}", self.name, order.strategy, order.instrument, order.side,
            quantity_increments, price_increments, now_ns,
        )  # fmt: skip
        report = ExecutionReport(order.id, leg.id, self.name, state, resting.filled_increments, now_ns, fill)
        self.report(report, resting.reports)

    def _say(  # what a report is made of
        self, leg: Leg, reports: ActorRef[Any], state: OrderState, filled_increments: int, reason: str = ""
    ) -> None:
        now_ns = self.clock.now_ns()
        report = ExecutionReport(leg.order.id, leg.id, self.name, state, filled_increments, now_ns, reason=reason)
        self.report(report, reports)
