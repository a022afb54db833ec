"""How well orders were executed, in basis points of the middle: each fill counts by its notional.

A cost is positive: bought above the middle, or sold below it. A markout is positive where the price then went the way
of the fill.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from ticktree.market import Side

from .result import HORIZONS_S, FillRow, Value

BP: Final = 1e4
Column = npt.NDArray[np.float64]


class Markout(Value, frozen=True, gc=False):
    """So many seconds after a fill. `counted`: the share of the turnover of which the middle was known then."""

    after_s: float
    markout_bp: float | None
    realised_spread_bp: float | None
    counted: float | None


class Quality(Value, frozen=True, gc=False):
    """None where no middle was known. `counted`: the share of the turnover of which it was, at the fill."""

    slippage_bp: float | None
    shortfall_bp: float | None
    effective_spread_bp: float | None
    markouts: tuple[Markout, ...]
    to_fill_median_s: float | None
    to_fill_p95_s: float | None
    counted: float | None


@attrs.frozen
class Measured:
    """What was measured of many fills, column by column; NaN where it is not known. In basis points:

    slippage   what each cost against the middle when it was filled
    shortfall  what it cost against the middle when its order was decided
    markouts   what it had gained after each of `HORIZONS_S`
    """

    weights: Column  # notional
    slippage: Column
    shortfall: Column
    markouts: tuple[Column, ...]
    to_fill_s: Column

    @classmethod
    def of(cls, fills: Sequence[FillRow]) -> "Measured":
        """All of `fills`."""
        price = np.array([float(fill.price) for fill in fills])
        sign = np.array([1.0 if fill.side is Side.BUY else -1.0 for fill in fills])
        size = np.array([float(fill.quantity) * float(fill.multiplier) for fill in fills])
        middle, decided = _middles(fill.mid for fill in fills), _middles(fill.decided_mid for fill in fills)
        padding = (None,) * len(HORIZONS_S)
        later = [_middles((*fill.later_mids, *padding)[index] for fill in fills) for index in range(len(HORIZONS_S))]
        return cls(
            np.abs(price * size),
            sign * (price - middle) / middle * BP,
            sign * (price - decided) / decided * BP,
            tuple(sign * (then - price) / middle * BP for then in later),
            np.array([(fill.time_ns - fill.decided_ns) / 1e9 for fill in fills]),
        )

    def quality(self, chosen: Sequence[int]) -> Quality:
        """Of the fills at these places, in one currency."""
        places = np.array(chosen, np.int64)
        weights = self.weights[places]
        slippage, counted = _average(self.slippage[places], weights)
        markouts = (
            (after, *_average(one[places], weights)) for after, one in zip(HORIZONS_S, self.markouts, strict=True)
        )
        waits = self.to_fill_s[places]
        return Quality(
            slippage, _average(self.shortfall[places], weights)[0], None if slippage is None else 2 * slippage,
            tuple(Markout(after, value, None if value is None else 0.0 - 2 * value, known)
                  for after, value, known in markouts),
            _quantile(waits, weights, 0.5), _quantile(waits, weights, 0.95), counted,
        )  # fmt: skip


def quality(fills: Sequence[FillRow]) -> Quality:
    """Of all of `fills`, in one currency."""
    return Measured.of(fills).quality(range(len(fills)))


def _middles(values: Iterable[float | None]) -> Column:
    """Without a middle, and where it is 0, nothing can be said."""
    return np.array([value or math.nan for value in values], np.float64)


def _average(values: Column, weights: Column) -> tuple[float | None, float | None]:
    """By weight, of those that are known; and what share of the weight that is."""
    known = ~np.isnan(values)
    weight, every = float(weights[known].sum()), float(weights.sum())
    average = float((values[known] * weights[known]).sum()) / weight if weight else None
    return average, weight / every if every else None


def _quantile(values: Column, weights: Column, share: float) -> float | None:
    """The least value up to which at least `share` of the weight lies."""
    if not len(values):
        return None
    order = np.argsort(values, kind="stable")
    ordered: Column = values[order]
    so_far: Column = np.cumsum(weights[order])
    place = int(np.searchsorted(so_far, share * float(so_far[-1])))
    return float(ordered[min(place, len(ordered) - 1)])
