"""Positions as values, for whoever looks at them: priced, by strategy, in all, and as money by currency."""

from collections.abc import Callable, Iterable
from decimal import Decimal

import attrs
import msgspec

from ticktree.market import Instrument, Quote, exact

from .accounts import EXACT, ZERO, Position, add_fees, quote_currency


class Money(msgspec.Struct, frozen=True, gc=False):
    """What one currency has seen: profit, exposure (None where a price is missing), and fees paid in it."""

    realised: Decimal
    unrealised: Decimal | None
    exposure: Decimal | None
    fees: Decimal


class Open(msgspec.Struct, frozen=True, gc=False):
    """What the open orders of a strategy in an instrument may yet come to, in size increments."""

    strategy: str
    instrument: Instrument
    buys: int
    sells: int


class Holding(msgspec.Struct, frozen=True, gc=False):
    """A position as it was seen at one moment. `price`: the middle of the freshest quote, None without one.

    `long` and `short`: what it may become, with all open buys, or all open sells, filled. `exposure`: the worse of the
    two at that price, never negative.
    """

    strategy: str  # empty: all of them
    instrument: str
    currency: str
    quantity: Decimal
    average_price: Decimal | None
    price: Decimal | None
    value: Decimal | None  # at that price
    realised: Decimal
    unrealised: Decimal | None
    fees: dict[str, Decimal]
    fills: int
    long: Decimal
    short: Decimal
    exposure: Decimal | None


class PortfolioSnapshot(msgspec.Struct, frozen=True, gc=False):
    """All positions that ever were, flat ones too; by strategy, over all of them, and as money by currency."""

    holdings: tuple[Holding, ...]
    totals: tuple[Holding, ...]
    currencies: dict[str, Money]


def snapshot(
    parts: dict[str, dict[str, Position]], prices: Callable[[Instrument], Quote | None], opens: Iterable[Open]
) -> PortfolioSnapshot:
    """Of `parts`, positions by instrument and strategy, priced half-way between bid and ask."""
    out = {(one.strategy, one.instrument.name): one for one in opens}
    for one in out.values():
        parts.setdefault(one.instrument.name, {}).setdefault(one.strategy, Position(one.strategy, one.instrument))
    holdings, totals = list[Holding](), list[Holding]()
    for name, positions in parts.items():
        total = Position.summed(next(iter(positions.values())).instrument, positions.values())
        price = _middle(prices(total.instrument))
        orders = [out.get((strategy, name)) for strategy in positions]
        for position, order in zip(positions.values(), orders, strict=True):
            holdings.append(_holding(position, price, order.buys if order else 0, order.sells if order else 0))
        buys, sells = (sum(getattr(order, side) for order in orders if order) for side in ("buys", "sells"))
        totals.append(_holding(total, price, buys, sells))
    return PortfolioSnapshot(tuple(holdings), tuple(totals), _currencies(totals))


def _middle(quote: Quote | None) -> Decimal | None:
    if quote is None:
        return None
    return EXACT.divide(EXACT.add(exact(quote.bid), exact(quote.ask)), Decimal(2))


def _holding(position: Position, price: Decimal | None, buys: int, sells: int) -> Holding:
    instrument, flat = position.instrument, position.quantity == 0 and not position.opposed
    unrealised = value = ZERO if flat else None
    if price is not None and not flat:
        unrealised, value = position.unrealised(price), position.value(price)
    long, short = position.quantity + buys, position.quantity - sells
    worst = max(long, -short)
    exposure = ZERO if worst == 0 else None
    if price is not None:
        exposure = attrs.evolve(position, quantity=worst).value(price)
    return Holding(
        position.strategy, instrument.name, quote_currency(instrument), instrument.size(position.quantity),
        position.average_price(), price, value, position.realised(), unrealised, position.fees, position.fills,
        instrument.size(long), instrument.size(short), exposure,
    )  # fmt: skip


def _currencies(totals: list[Holding]) -> dict[str, Money]:
    fees = dict[str, Decimal]()
    for total in totals:
        add_fees(fees, total.fees)
    found = dict[str, Money]()
    for currency in sorted({*fees, *(total.currency for total in totals)}):
        own = [total for total in totals if total.currency == currency]
        realised = _sum(total.realised for total in own)
        unrealised, exposure = _sum(total.unrealised for total in own), _sum(total.exposure for total in own)
        found[currency] = Money(realised or ZERO, unrealised, exposure, fees.get(currency, ZERO))
    return found


def _sum(values: Iterable[Decimal | None]) -> Decimal | None:
    """None where one is missing."""
    total = ZERO
    for value in values:
        if value is None:
            return None
        total = EXACT.add(total, value)
    return total
