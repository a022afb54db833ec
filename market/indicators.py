"""Figures that follow a price, updated one value at a time."""

from math import isfinite

from .errors import BadNumber


class Ema:
    """Exponential moving average with smoothing 2 / (span + 1); it begins at the first value.

    The convention is that of pandas: `ewm(span=span, adjust=False).mean()`.
    """

    __slots__ = ("_alpha", "value")

    def __init__(self, span: float) -> None:
        if not 1 <= span < float("inf"):
            raise BadNumber(span, "is no span: a number of values, 1 or more")
        self._alpha = 2.0 / (span + 1.0)
        self.value: float | None = None  # None before the first update

    def update(self, x: float) -> float:
        """Take `x` in and return the average. Raises `BadNumber` for NaN and infinity, which would never leave it."""
        if not isfinite(x):
            raise BadNumber(x, "is not finite")
        self.value = x if self.value is None else self.value + self._alpha * (x - self.value)
        return self.value
