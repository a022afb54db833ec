"""From what was observed to the rows of a result: the facts are applied once more, to a ledger of their own."""

from collections.abc import Iterable
from decimal import Decimal

import attrs

from ticktree.routing import Execution, Fill
from ticktree.routing.accounts import EXACT, ZERO, quote_currency
from ticktree.routing.facts import AnyFact, Opened, Reported
from ticktree.routing.ledger import Ledger, News
from ticktree.routing.records import OrderRecord

from .observer import Middles, Sample
from .result import FillRow, MoneySeries, OrderRow, PositionSeries, PriceSeries, Samples

Looked = dict[tuple[str, str, str], Middles]
UNSEEN = Middles(None)


@attrs.define(eq=False)
class _Order:
    """What the facts say of one order."""

    opened: Opened
    record: OrderRecord
    ended_ns: int = 0
    paid: Decimal = ZERO
    bought: Decimal = ZERO

    @property
    def touch(self) -> tuple[float, float] | None:
        quote = self.opened.quote
        return None if quote is None else (quote[2], quote[3])

    def row(self) -> OrderRow:
        execution: Execution = self.record.execution()
        order, touch = self.record.order, self.touch
        bid, ask = touch if touch is not None else (None, None)
        return OrderRow(
            order.id, order.strategy, self.record.router, order.instrument.name, order.side, order.quantity,
            order.limit, order.time_in_force, self.opened.time_ns, self.ended_ns, execution.state, execution.filled,
            EXACT.divide(self.paid, self.bought) if self.bought else None, len(self.record.legs), execution.reason,
            bid, ask,
        )  # fmt: skip


@attrs.define(eq=False)
class History:
    """The rows of all orders and fills, in the order in which they became known."""

    middles: Looked
    ledger: Ledger = attrs.field(factory=Ledger)
    fills: list[FillRow] = attrs.field(factory=list[FillRow])
    _orders: dict[str, _Order] = attrs.field(factory=dict[str, _Order])

    @classmethod
    def of(cls, facts: Iterable[AnyFact], middles: Looked) -> "History":
        """That which `facts` tell."""
        history = cls(middles)
        for fact in facts:
            history.take(fact)
        return history

    def orders(self) -> tuple[OrderRow, ...]:
        """All of them."""
        return tuple(order.row() for order in self._orders.values())

    def take(self, fact: AnyFact) -> None:
        """One fact more."""
        before = self._realised(fact)
        news = self.ledger.apply(fact)
        if isinstance(fact, Opened):
            self._orders[fact.order_id] = _Order(fact, self.ledger.orders[fact.order_id])
        order = self._orders.get(self._concerned(fact, news))
        if news is not None and news.fill is not None and order is not None:
            self._fill(news.fill, order, fact, before)
        if order is not None and not order.ended_ns and order.record.terminal:
            order.ended_ns = fact.time_ns

    def _concerned(self, fact: AnyFact, news: News | None) -> str:
        if news is not None:
            return news.record.order.order.id if news.record is not None else ""
        if (id := getattr(fact, "order_id", None)) is not None:
            return str(id)
        leg = self.ledger.legs.get(getattr(fact, "leg_id", ""))
        return leg.order.order.id if leg is not None else ""

    def _realised(self, fact: AnyFact) -> Decimal:
        """What the position that this fact may change has realised before it."""
        if not isinstance(fact, Reported) or fact.report.execution is None:
            return ZERO
        leg = self.ledger.legs.get(fact.report.client_id)
        if leg is None:
            return ZERO
        order = leg.order.order
        return self.ledger.positions.of(order.strategy, order.instrument.name).realised()

    def _fill(self, fill: Fill, order: _Order, fact: AnyFact, before: Decimal) -> None:
        assert isinstance(fact, Reported)
        assert fact.report.execution is not None
        instrument, touch = fill.instrument, order.touch
        middles = self.middles.get((fact.venue, fact.report.execution.trading_day, fill.execution_id), UNSEEN)
        position = self.ledger.positions.of(fill.strategy, instrument.name)
        order.paid += EXACT.multiply(fill.price, fill.quantity)
        order.bought += fill.quantity
        self.fills.append(
            FillRow(
                fill.time_ns, fill.order_id, fill.leg_id, fill.strategy, order.record.router, fill.venue,
                instrument.name, quote_currency(instrument), fill.side, fill.quantity, fill.price,
                instrument.multiplier, fill.fee, fill.fee_currency, fill.maker, order.opened.time_ns,
                None if touch is None else (touch[0] + touch[1]) / 2, middles.then, tuple(middles.later),
                instrument.size(position.quantity), position.realised() - before,
            )
        )  # fmt: skip


def series(samples: list[Sample], every_s: float, traded: set[str], most_instruments: int = 50) -> Samples:
    """The same as columns. Prices of all instruments, or of those `traded` alone where there are very many."""
    names = list(dict.fromkeys(name for sample in samples for name in sample.prices))
    shown = names if len(names) <= most_instruments else [name for name in names if name in traded]
    places = list(dict.fromkeys(key for sample in samples for key in sample.positions))
    purses = list(dict.fromkeys(key for sample in samples for key in sample.money))
    prices = tuple(
        PriceSeries(
            name,
            [None if (touch := sample.prices[name]) is None else touch[0] for sample in samples],
            [None if (touch := sample.prices[name]) is None else touch[1] for sample in samples],
        )
        for name in shown
    )
    positions = tuple(
        PositionSeries(strategy, instrument, [one.positions.get((strategy, instrument), 0.0) for one in samples])
        for strategy, instrument in places
    )
    money = tuple(_money(samples, strategy, currency) for strategy, currency in purses)
    return Samples(every_s, [one.time_ns for one in samples], prices, positions, (*_totals(money), *money))


def _money(samples: list[Sample], strategy: str, currency: str) -> MoneySeries:
    seen = [one.money.get((strategy, currency), (0.0, 0.0, 0.0)) for one in samples]
    return MoneySeries(strategy, currency, [one[0] for one in seen], [one[1] for one in seen], [one[2] for one in seen])


def _totals(parts: tuple[MoneySeries, ...]) -> tuple[MoneySeries, ...]:
    """Over all strategies, by currency."""
    totals = list[MoneySeries]()
    for currency in dict.fromkeys(part.currency for part in parts):
        own = [part for part in parts if part.currency == currency]
        columns = zip(*(part.unrealised for part in own), strict=True)
        totals.append(
            MoneySeries(
                "", currency, [sum(row) for row in zip(*(part.realised for part in own), strict=True)],
                [_sum(row) for row in columns], [sum(row) for row in zip(*(part.fees for part in own), strict=True)],
            )
        )  # fmt: skip
    return tuple(totals)


def _sum(row: tuple[float | None, ...]) -> float | None:
    known = [one for one in row if one is not None]
    return sum(known) if len(known) == len(row) else None
