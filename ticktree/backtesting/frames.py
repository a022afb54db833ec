"""What a back-test came to as polars data frames. Times are UTC, in nanoseconds.

Exact numbers are `Decimal` columns with as many places as the longest needs; a column whose numbers do not fit in 38
digits is Float64 instead. What was sampled is Float64.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from ticktree.actors.extras import library

from .result import HORIZONS_S, Outcome
from .risk import below_peak, net

if TYPE_CHECKING:
    import polars as pl

DIGITS: Final = 38  # of a polars Decimal


def fills_frame(outcome: Outcome) -> "pl.DataFrame":
    """A row for each fill, in the order they came in; of the later middles, a column for each horizon."""
    fills = outcome.fills
    return _frame(
        _Column("time", _Kind.TIME, [fill.time_ns for fill in fills]),
        *_Column.of(_Kind.TEXT, fills, "strategy", "instrument", "order_id", "leg_id", "router", "venue", "currency"),
        _Column("side", _Kind.TEXT, [fill.side.name.lower() for fill in fills]),
        *_Column.of(_Kind.EXACT, fills, "quantity", "price", "multiplier", "fee"),
        *_Column.of(_Kind.TEXT, fills, "fee_currency"),
        _Column("maker", _Kind.FLAG, [fill.maker for fill in fills]),
        _Column("decided", _Kind.TIME, [fill.decided_ns for fill in fills]),
        _Column("decided_mid", _Kind.FLOAT, [fill.decided_mid for fill in fills]),
        _Column("mid", _Kind.FLOAT, [fill.mid for fill in fills]),
        *(
            _Column(f"mid_{horizon:g}s", _Kind.FLOAT, [dict(enumerate(fill.later_mids)).get(index) for fill in fills])
            for index, horizon in enumerate(HORIZONS_S)
        ),
        *_Column.of(_Kind.EXACT, fills, "position", "realised"),
    )


def orders_frame(outcome: Outcome) -> "pl.DataFrame":
    """A row for each order; `ended` is null where it had not."""
    orders = outcome.orders
    return _frame(
        _Column("decided", _Kind.TIME, [order.decided_ns for order in orders]),
        _Column("ended", _Kind.TIME, [order.ended_ns or None for order in orders]),
        *_Column.of(_Kind.TEXT, orders, "id", "strategy", "router", "instrument"),
        _Column("side", _Kind.TEXT, [order.side.name.lower() for order in orders]),
        *_Column.of(_Kind.EXACT, orders, "quantity", "limit"),
        _Column("time_in_force", _Kind.TEXT, [order.time_in_force and str(order.time_in_force) for order in orders]),
        _Column("state", _Kind.TEXT, [str(order.state) for order in orders]),
        *_Column.of(_Kind.EXACT, orders, "filled", "average_price"),
        _Column("legs", _Kind.COUNT, [order.legs for order in orders]),
        *_Column.of(_Kind.TEXT, orders, "reason"),
        _Column("bid", _Kind.FLOAT, [order.bid for order in orders]),
        _Column("ask", _Kind.FLOAT, [order.ask for order in orders]),
    )


def equity_frame(outcome: Outcome, strategy: str = "") -> "pl.DataFrame":
    """A row for each sample and currency: of `strategy`, or of all of them together."""
    samples = outcome.samples
    money = [one for one in samples.money if one.strategy == strategy]
    return _frame(
        _Column("time", _Kind.TIME, samples.time_ns * len(money)),
        _Column("currency", _Kind.TEXT, [one.currency for one in money for _ in samples.time_ns]),
        _Column("net", _Kind.FLOAT, _flat(net(one) for one in money)),
        _Column("realised", _Kind.FLOAT, _flat(one.realised for one in money)),
        _Column("unrealised", _Kind.FLOAT, _flat(one.unrealised for one in money)),
        _Column("fees", _Kind.FLOAT, _flat(one.fees for one in money)),
        _Column("drawdown", _Kind.FLOAT, _flat(below_peak(net(one)) for one in money)),
    )


def prices_frame(outcome: Outcome) -> "pl.DataFrame":
    """A row for each sample and instrument."""
    samples = outcome.samples
    return _frame(
        _Column("time", _Kind.TIME, samples.time_ns * len(samples.prices)),
        _Column("instrument", _Kind.TEXT, [one.instrument for one in samples.prices for _ in samples.time_ns]),
        _Column("bid", _Kind.FLOAT, _flat(one.bid for one in samples.prices)),
        _Column("ask", _Kind.FLOAT, _flat(one.ask for one in samples.prices)),
    )


def positions_frame(outcome: Outcome) -> "pl.DataFrame":
    """A row for each sample, strategy and instrument."""
    samples = outcome.samples
    return _frame(
        _Column("time", _Kind.TIME, samples.time_ns * len(samples.positions)),
        _Column("strategy", _Kind.TEXT, [one.strategy for one in samples.positions for _ in samples.time_ns]),
        _Column("instrument", _Kind.TEXT, [one.instrument for one in samples.positions for _ in samples.time_ns]),
        _Column("quantity", _Kind.FLOAT, _flat(one.quantity for one in samples.positions)),
    )


# --- columns ----------------------------------------------------------------------------------------------------------


class _Kind(Enum):
    TIME = auto()
    TEXT = auto()
    FLAG = auto()
    COUNT = auto()
    FLOAT = auto()
    EXACT = auto()


@attrs.frozen
class _Column:
    """What polars makes a series of."""

    name: str
    kind: _Kind
    values: Sequence[Any]

    @classmethod
    def of(cls, kind: _Kind, rows: Iterable[object], *names: str) -> "list[_Column]":
        """One for each of `names`, which are attributes of all `rows`."""
        rows = tuple(rows)
        return [cls(name, kind, [getattr(row, name) for row in rows]) for name in names]


def _frame(*columns: _Column) -> "pl.DataFrame":
    polars = library("polars", "a data frame")
    kinds = {
        _Kind.TEXT: polars.String,
        _Kind.FLAG: polars.Boolean,
        _Kind.COUNT: polars.Int64,
        _Kind.FLOAT: polars.Float64,
    }
    found = list[Any]()
    for one in columns:
        if one.kind is _Kind.TIME:
            found.append(polars.Series(one.name, one.values, dtype=polars.Int64).cast(polars.Datetime("ns", "UTC")))
        elif one.kind is _Kind.EXACT and (places := _places(one.values)) is not None:
            found.append(polars.Series(one.name, one.values, dtype=polars.Decimal(DIGITS, places)))
        elif one.kind is _Kind.EXACT:
            floats = [None if value is None else float(value) for value in one.values]
            found.append(polars.Series(one.name, floats, dtype=polars.Float64))
        else:
            found.append(polars.Series(one.name, one.values, dtype=kinds[one.kind]))
    return cast("pl.DataFrame", polars.DataFrame(found))


def _places(values: Iterable[Decimal | None]) -> int | None:
    """How many decimal places hold them all; None where a Decimal of polars cannot."""
    known = [value.normalize() for value in values if value is not None]
    places = max((-int(value.as_tuple().exponent) for value in known), default=0)
    whole = max((value.adjusted() + 1 for value in known), default=1)
    return max(places, 0) if max(places, 0) + max(whole, 1) <= DIGITS else None


def _flat(parts: "Iterable[Sequence[float | None]]") -> list[float | None]:
    return [value for part in parts for value in part]
