"""What a back-test came to in figures: by currency, by strategy, and by instrument. docs/statistics.md defines each.

Money of orders and fills is exact; what stands on samples or divides is not, and is a float or has 28 digits.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from functools import cached_property

import attrs
import msgspec

from ticktree.market import exact
from ticktree.routing import OrderState
from ticktree.routing.accounts import EXACT, ZERO

from .errors import BacktestError
from .quality import Measured, Quality
from .result import FillRow, OrderRow, Outcome, Value
from .risk import Risk, course, exposures, risk
from .trips import Trip, Trips, round_trips, signed, summed, tidy


@attrs.frozen
class BadCapital(BacktestError, ValueError):
    """Yours: a capital that no share can be taken of."""

    capital: Decimal

    def __str__(self) -> str:
        return f"capital must be above 0, not {self.capital}"


class Profit(Value, frozen=True, gc=False):
    """net = realised + unrealised - fees. None where something that is held has no price."""

    net: Decimal | None
    realised: Decimal
    unrealised: Decimal | None
    fees: Decimal
    turnover: Decimal
    fees_bp: float | None


class Activity(Value, frozen=True, gc=False):
    """What was ordered, and how much of it was filled. `states`: orders by state at the end, those only that there
    were."""

    orders: int
    states: dict[OrderState, int]
    fills: int
    fill_ratio: float | None
    maker_share: float | None


class Row(Value, frozen=True, gc=False):
    """One currency: of a strategy, of an instrument, or of all of them (both names are empty).

    `risk` is None for an instrument: the course of a profit is kept by strategy.
    """

    strategy: str
    instrument: str
    currency: str
    profit: Profit
    activity: Activity
    trips: Trips
    quality: Quality
    risk: Risk | None


class Statistics(Value, frozen=True, gc=False):
    """`capital`: what shares were taken of; None where none was given, or there is more than one currency."""

    span_s: float
    capital: Decimal | None
    total: tuple[Row, ...]
    strategies: tuple[Row, ...]
    instruments: tuple[Row, ...]


def statistics(outcome: Outcome, capital: Decimal | None = None) -> Statistics:
    """All figures of `outcome`. `capital`: that drawdowns are shares of, in the only currency of the prices; where
    there are several, it is left out. Raises `BadCapital`."""
    if capital is not None and not (capital.is_finite() and capital > 0):
        raise BadCapital(capital)
    with localcontext(EXACT):
        books = _Books(outcome, capital)
        rows = {scope: _row(books, scope, part) for scope, part in sorted(books.parts.items())}
    return Statistics(
        (outcome.ended_ns - outcome.began_ns) / 1e9,
        books.capital,
        tuple(row for (strategy, instrument, _), row in rows.items() if not strategy and not instrument),
        tuple(row for (strategy, _, _), row in rows.items() if strategy),
        tuple(row for (_, instrument, _), row in rows.items() if instrument),
    )


Scope = tuple[str, str, str]  # strategy, instrument, currency; empty: all of them


def _scopes(row: FillRow | OrderRow | Trip, currency: str) -> set[Scope]:
    """What it belongs to; that of no strategy to fewer."""
    return {("", "", currency), (row.strategy, "", currency), ("", row.instrument, currency)}


@attrs.frozen
class _Part:
    """What one row is about. `fills` by their place; `paid` are those whose fee was in its currency, whichever theirs
    is."""

    fills: list[int] = attrs.field(factory=list[int])
    paid: list[int] = attrs.field(factory=list[int])
    orders: list[OrderRow] = attrs.field(factory=list[OrderRow])
    trips: list[Trip] = attrs.field(factory=list[Trip])


@attrs.define(slots=False)
class _Books:
    """An outcome, with what all rows need of it."""

    outcome: Outcome
    given: Decimal | None

    @cached_property
    def capital(self) -> Decimal | None:
        prices = {self.currency(order.instrument) for order in self.outcome.orders}
        return self.given if len(prices | {fill.currency for fill in self.outcome.fills}) < 2 else None

    @cached_property
    def parts(self) -> defaultdict[Scope, _Part]:
        """All there are, each fill, order and round trip in three of them."""
        parts = defaultdict[Scope, _Part](_Part)
        for place, fill in enumerate(self.outcome.fills):
            for scope in _scopes(fill, fill.currency):
                parts[scope].fills.append(place)
            for scope in _scopes(fill, fill.fee_currency) if fill.fee else ():
                parts[scope].paid.append(place)
        for order in self.outcome.orders:
            for scope in _scopes(order, self.currency(order.instrument)):
                parts[scope].orders.append(order)
        for trip in round_trips(self.outcome.fills):
            for scope in _scopes(trip, trip.currency):
                parts[scope].trips.append(trip)
        return parts

    @cached_property
    def values(self) -> list[Decimal]:
        """What was paid for each fill, without its fee; negative for what was taken in."""
        return [signed(fill) * fill.price * fill.multiplier for fill in self.outcome.fills]

    @cached_property
    def measured(self) -> Measured:
        return Measured.of(self.outcome.fills)

    @cached_property
    def traded(self) -> dict[str, FillRow]:
        """A fill of each instrument that has any: it tells currency and multiplier."""
        return {fill.instrument: fill for fill in self.outcome.fills}

    @cached_property
    def last(self) -> dict[str, Decimal]:
        """The middle of each instrument at the end, where it is known."""
        ends = ((one.instrument, one.bid[-1:], one.ask[-1:]) for one in self.outcome.samples.prices)
        return {
            name: (exact(bid[0]) + exact(ask[0])) / 2
            for name, bid, ask in ends
            if bid and ask and bid[0] is not None and ask[0] is not None
        }

    @cached_property
    def middles(self) -> dict[str, list[float | None]]:
        return {
            one.instrument: [
                None if bid is None or ask is None else (bid + ask) / 2
                for bid, ask in zip(one.bid, one.ask, strict=True)
            ]
            for one in self.outcome.samples.prices
        }

    def currency(self, instrument: str) -> str:
        fill = self.traded.get(instrument)
        return instrument.partition("-")[2] if fill is None else fill.currency

    def multiplier(self, instrument: str) -> float:
        return float(self.traded[instrument].multiplier) if instrument in self.traded else 1.0


def _row(books: _Books, scope: Scope, part: _Part) -> Row:
    outcome = books.outcome
    strategy, instrument, currency = scope
    return Row(
        strategy, instrument, currency, _profit(books, part, currency), _activity(books, part),
        summed(part.trips, outcome.began_ns, outcome.ended_ns), books.measured.quality(part.fills),
        None if instrument else _risk(books, strategy, currency),
    )  # fmt: skip


def _profit(books: _Books, part: _Part, currency: str) -> Profit:
    fills, values = books.outcome.fills, books.values
    realised = sum((fills[place].realised for place in part.fills), ZERO)
    fees = sum((fills[place].fee for place in part.paid), ZERO)
    turnover = sum((abs(values[place]) for place in part.fills), ZERO)
    worth = _worth([fills[place] for place in part.fills], books.last)
    unrealised = None if worth is None else worth - sum((values[place] for place in part.fills), ZERO) - realised
    own = sum((fills[place].fee for place in part.paid if fills[place].currency == currency), ZERO)
    return Profit(
        None if unrealised is None else tidy(realised + unrealised - fees),
        tidy(realised), None if unrealised is None else tidy(unrealised), tidy(fees), tidy(turnover),
        float(own) / float(turnover) * 1e4 if turnover else None,
    )  # fmt: skip


def _worth(fills: Iterable[FillRow], last: dict[str, Decimal]) -> Decimal | None:
    """What is held after all of them, at the last middles; None where one of those is missing."""
    held = {(fill.strategy, fill.instrument): fill for fill in fills}
    worth = ZERO
    for fill in held.values():
        if fill.position and fill.instrument not in last:
            return None
        worth += fill.position * last[fill.instrument] * fill.multiplier if fill.position else ZERO
    return worth


def _activity(books: _Books, part: _Part) -> Activity:
    states = Counter(order.state for order in part.orders)
    made = sum((abs(books.values[place]) for place in part.fills if books.outcome.fills[place].maker), ZERO)
    every = sum((abs(books.values[place]) for place in part.fills), ZERO)
    return Activity(
        len(part.orders), {state: states[state] for state in OrderState if states[state]}, len(part.fills),
        _mean([min(1.0, float(order.filled) / float(order.quantity)) for order in part.orders if order.quantity]),
        float(made) / float(every) if every else None,
    )  # fmt: skip


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _risk(books: _Books, strategy: str, currency: str) -> Risk:
    outcome, samples = books.outcome, books.outcome.samples
    money = [one for one in samples.money if (one.strategy, one.currency) == (strategy, currency)]
    known = course(money[0], samples, outcome.began_ns) if money else []
    capital = None if books.capital is None else float(books.capital)
    found = risk(known, outcome.began_ns, outcome.ended_ns, samples.every_s, capital)
    held = [
        one
        for one in samples.positions
        if strategy in ("", one.strategy) and books.currency(one.instrument) == currency
    ]
    worth = exposures(held, books.middles, books.multiplier, len(samples.time_ns)) if held else []
    return msgspec.structs.replace(found, exposure_mean=_mean(worth), exposure_max=max(worth, default=None))
