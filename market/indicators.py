"""Figures that follow a price: updated one value at a time, or by a whole array of them, to the same result.

Both forms carry on from where the other left off. They differ by rounding alone: averages by at most 1e-9 of the
greatest value so far, scores by 1e-6. Values are finite and, so that no square of one is infinite, below 1e150.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .errors import BadNumber

Floats = npt.NDArray[np.float64]
MOST = 1e150
ROUNDING = 1e-9  # of the way from the first value to the average: a deviation below it says nothing
NOISE = 1e-14  # of a value's own size, some 50 of its last digits: nor does one below that
WRONG = f"is not finite, or not below {MOST:g}"
_ROWS = 64  # averaged in one product of matrices
_FADED = 1e-8  # no product reaches so far that a value keeps less of its weight: what is small would drown in rounding


class Ema:
    """Exponential moving average with smoothing 2 / (span + 1); it begins at the first value.

    The convention is that of pandas: `ewm(span=span, adjust=False).mean()`.
    """

    __slots__ = ("_alpha", "value")

    def __init__(self, span: float) -> None:
        self._alpha = _smoothing(span)
        self.value: float | None = None  # None before the first update

    def update(self, x: float) -> float:
        """Take `x` in and return the average. Raises `BadNumber` for NaN and infinity, which would never leave it."""
        if not -MOST < x < MOST:
            raise BadNumber(x, WRONG)
        self.value = x if self.value is None else self.value + self._alpha * (x - self.value)
        return self.value

    def update_many(self, xs: npt.ArrayLike) -> Floats:
        """Take all of `xs` in, in order, and return the average after each. Raises `BadNumber`, and takes none."""
        values = _checked(xs)
        if not len(values):
            return values
        averages = _averages(values, float(values[0]) if self.value is None else self.value, self._alpha)
        self.value = float(averages[-1])
        return averages


class ZScore:
    """How far a value lies from the exponential moving average of those before it, in their standard deviations.

    Mean and variance are those of pandas, `ewm(span=span, adjust=False)`, `.mean()` and `.var(bias=True)`; as in
    Finch, "Incremental calculation of weighted mean and variance" (2009), section 9. 0 while nothing deviates.
    """

    # The mean is kept as its distance from the first value, so that what lies far from 0 and moves little (a price of
    # 1e9 in steps of 0.001) loses no digits to its size: scores are right to 1e-5 there, and were all 0 otherwise.
    __slots__ = ("_alpha", "_away", "_origin", "_variance")

    def __init__(self, span: float) -> None:
        self._alpha = _smoothing(span)
        self._origin: float | None = None
        self._away = self._variance = 0.0

    @property
    def mean(self) -> float | None:
        """The average; None before the first update."""
        return None if self._origin is None else self._origin + self._away

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return math.sqrt(self._variance)

    def update(self, x: float) -> float:
        """Take `x` in and return where it lies. Raises `BadNumber`."""
        if not -MOST < x < MOST:
            raise BadNumber(x, WRONG)
        origin, away, alpha = x if self._origin is None else self._origin, self._away, self._alpha
        difference, deviation = (x - origin) - away, math.sqrt(self._variance)
        self._variance = (1.0 - alpha) * (self._variance + alpha * difference * difference)
        self._origin, self._away = origin, away + alpha * difference
        return difference / deviation if deviation > ROUNDING * abs(away) + NOISE * abs(origin) else 0.0

    def update_many(self, xs: npt.ArrayLike) -> Floats:
        """Take all of `xs` in, in order, and return where each lies. Raises `BadNumber`, and takes none."""
        values = _checked(xs)
        if not len(values):
            return values
        origin, alpha = float(values[0]) if self._origin is None else self._origin, self._alpha
        distances = values - origin
        averages = _averages(distances, self._away, alpha)
        aways = _before(self._away, averages)
        differences = distances - aways
        variances = _averages((1.0 - alpha) * differences * differences, self._variance, alpha)
        deviations = np.sqrt(_before(self._variance, variances))
        self._origin, self._away, self._variance = origin, float(averages[-1]), float(variances[-1])
        says = deviations > ROUNDING * np.abs(aways) + NOISE * abs(origin)
        return np.divide(differences, deviations, out=np.zeros_like(values), where=says)


def _smoothing(span: float) -> float:
    if not 1 <= span < math.inf:
        raise BadNumber(span, "is no span: a number of values, 1 or more")
    return 2.0 / (span + 1.0)


def _checked(xs: npt.ArrayLike) -> Floats:
    values: Floats = np.asarray(xs, np.float64)
    if values.ndim != 1:
        raise ValueError(f"values come in an array of one dimension; not of {values.ndim}")
    good = np.abs(values) < MOST
    if not good.all():
        raise BadNumber(float(values[int(good.argmin())]), WRONG)
    return values


def _averages(values: Floats, value: float, alpha: float) -> Floats:
    """The average after each of `values`, from `value` on."""
    weights = _weights(alpha)
    averages = np.empty_like(values)
    for start in range(0, len(values), len(weights)):
        part = values[start : start + len(weights)]
        n = len(part)
        averages[start : start + n] = value + weights[:n, :n] @ (part - value)  # exactly `value` where nothing moves
        value = float(averages[start + n - 1])
    return averages


def _before(first: float, after: Floats) -> Floats:
    """What was known before each value, from what was known after it."""
    return np.concatenate(([first], after[:-1]))


@lru_cache(64)
def _weights(alpha: float) -> Floats:
    """Of each value, in columns, in each average from its own on, in rows."""
    keeps = 1.0 - alpha
    rows = _ROWS
    if keeps**_ROWS < _FADED:
        rows = max(1, int(math.log(_FADED) / math.log(keeps))) if keeps else 1
    powers = keeps ** np.arange(rows)
    weights = np.zeros((rows, rows))
    for row in range(rows):
        weights[row, : row + 1] = alpha * powers[row::-1]
    return weights
