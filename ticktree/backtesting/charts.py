"""What a page draws, as values: bounded in size, whatever the back-test came to."""

from collections import defaultdict
from collections.abc import Sequence
from random import Random
from typing import Final

import numpy as np

from ticktree.market import Side, plain

from .quality import Measured
from .result import HORIZONS_S, FillRow, MoneySeries, Outcome, PositionSeries, Value
from .risk import below_peak, net
from .statistics import Row, Statistics

MOST_MARKERS: Final = 5_000
BINS: Final = 41


class FillsDrawn(Value, frozen=True, gc=False):
    """The fills of an instrument, column by column. Quantities and fees are exact, and text."""

    time_ms: list[float]
    price: list[float]
    side: list[str]
    quantity: list[str]
    strategy: list[str]
    fee: list[str]
    liquidity: list[str]
    order: list[str]


class InstrumentDrawn(Value, frozen=True, gc=False):
    """Bid and ask at `PageData.times_ms`, and its fills."""

    instrument: str
    currency: str
    bid: list[float | None]
    ask: list[float | None]
    fills: FillsDrawn


class MoneyDrawn(Value, frozen=True, gc=False):
    """Net profit and how far it is below its peak; of all strategies, where `strategy` is empty."""

    strategy: str
    currency: str
    net: list[float | None]
    drawdown: list[float | None]


class SlippageDrawn(Value, frozen=True, gc=False):
    """How many fills cost how much, in `BINS` equal steps from `low_bp` to `high_bp`; what is beyond is in the
    outermost."""

    low_bp: float
    high_bp: float
    taker: list[int]
    maker: list[int]


class MarkoutDrawn(Value, frozen=True, gc=False):
    """What fills had gained against the middle at once, and at each horizon."""

    strategy: str
    currency: str
    bp: list[float | None]


class PageData(Value, frozen=True, gc=False):
    """All that the page's script reads. Times are milliseconds since 1970. `notes`: what is not drawn."""

    times_ms: list[float]
    instruments: tuple[InstrumentDrawn, ...]
    positions: tuple[PositionSeries, ...]
    money: tuple[MoneyDrawn, ...]
    slippage: SlippageDrawn | None
    horizons_s: tuple[float, ...]
    markouts: tuple[MarkoutDrawn, ...]
    statistics: Statistics
    notes: tuple[str, ...]


def page_data(outcome: Outcome, statistics: Statistics) -> PageData:
    """What a page of `outcome` draws."""
    shown = thinned(outcome.fills)
    notes = (
        f"{len(shown):,} of {len(outcome.fills):,} fills are marked, chosen by lot; figures and tables count all.",
    )
    return PageData(
        _ms(outcome.samples.time_ns),
        _instruments(outcome, shown),
        outcome.samples.positions,
        tuple(_money(series) for series in _by_strategy(outcome.samples.money)),
        _slippage(outcome.fills),
        HORIZONS_S,
        tuple(_markouts(row) for row in (*statistics.total, *statistics.strategies) if row.activity.fills),
        statistics,
        notes if len(shown) < len(outcome.fills) else (),
    )


def thinned(fills: Sequence[FillRow], most: int = MOST_MARKERS) -> list[FillRow]:
    """At most so many of them, of every instrument its part: chosen by lot, as each n-th might be all of one side, and
    always the same."""
    if len(fills) <= most:
        return list(fills)
    places = defaultdict[str, list[int]](list)
    for place, fill in enumerate(fills):
        places[fill.instrument].append(place)
    chosen, lot = list[int](), Random(0)
    for index, own in enumerate(sorted(places.values(), key=len)):
        part = (most - len(chosen)) // (len(places) - index)
        chosen += own if len(own) <= part else lot.sample(own, part)
    return [fills[place] for place in sorted(chosen)]


def _ms(times_ns: Sequence[int]) -> list[float]:
    return [ns / 1e6 for ns in times_ns]


def _instruments(outcome: Outcome, fills: Sequence[FillRow]) -> tuple[InstrumentDrawn, ...]:
    """Those that were traded first, the most often first of all."""
    counts = {one.instrument: 0 for one in outcome.samples.prices}
    currencies = dict[str, str]()
    for fill in outcome.fills:
        counts[fill.instrument] = counts.get(fill.instrument, 0) + 1
        currencies[fill.instrument] = fill.currency
    prices = {one.instrument: one for one in outcome.samples.prices}
    return tuple(
        InstrumentDrawn(
            name, currencies.get(name, name.partition("-")[2]),
            prices[name].bid if name in prices else [], prices[name].ask if name in prices else [],
            _fills([fill for fill in fills if fill.instrument == name]),
        )
        for name in sorted(counts, key=lambda name: (-counts[name], name))
    )  # fmt: skip


def _fills(fills: Sequence[FillRow]) -> FillsDrawn:
    return FillsDrawn(
        _ms([fill.time_ns for fill in fills]),
        [float(fill.price) for fill in fills],
        ["buy" if fill.side is Side.BUY else "sell" for fill in fills],
        [plain(fill.quantity) for fill in fills],
        [fill.strategy for fill in fills],
        [f"{plain(fill.fee)} {fill.fee_currency}".rstrip() for fill in fills],
        ["maker" if fill.maker else "taker" for fill in fills],
        [fill.order_id for fill in fills],
    )


def _by_strategy(money: Sequence[MoneySeries]) -> list[MoneySeries]:
    """The total first; without it where it would be the same as that of its only strategy."""
    names = {one.strategy for one in money if one.strategy}
    return sorted((one for one in money if one.strategy or len(names) != 1), key=lambda one: one.strategy)


def _money(series: MoneySeries) -> MoneyDrawn:
    values = net(series)
    fallen = [None if value is None else 0.0 - value for value in below_peak(values)]
    return MoneyDrawn(series.strategy, series.currency, values, fallen)


def _slippage(fills: Sequence[FillRow]) -> SlippageDrawn | None:
    """None where no middle was known."""
    every = Measured.of(fills).slippage
    known = ~np.isnan(every)
    values, made = every[known], np.array([fill.maker for fill in fills], np.bool_)[known]
    if not len(values):
        return None
    low, high = np.quantile(values, (0.01, 0.99))
    if high - low < 0.1:
        low, high = low - 1.0, high + 1.0
    places = np.clip(((values - low) / (high - low) * BINS).astype(np.int64), 0, BINS - 1)
    taker, maker = (np.bincount(places[chosen], minlength=BINS).tolist() for chosen in (~made, made))
    return SlippageDrawn(float(low), float(high), taker, maker)


def _markouts(row: Row) -> MarkoutDrawn:
    cost = row.quality.slippage_bp
    return MarkoutDrawn(
        row.strategy, row.currency,
        [None if cost is None else 0.0 - cost, *(one.markout_bp for one in row.quality.markouts)],
    )  # fmt: skip
