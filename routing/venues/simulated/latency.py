"""How long messages are on their way to a simulated venue and back: values, which draw from a seed's randomness."""

import math
import re
from bisect import bisect_right
from itertools import pairwise
from random import Random
from typing import Protocol

import attrs

from ticktree.market import units

_LONGEST_S = 1e6  # a tail without end would run into what timers can take
_Z99 = 2.3263478740408408  # standard deviations below which 99 of 100 normal draws lie


class Drawn(Protocol):
    """A distribution."""

    def draw(self, random: Random) -> float:
        """Of one message, in seconds."""
        ...


@attrs.frozen
class Lognormal:
    """With a long tail, as networks have: half of all within `median_s`, 99 of 100 within `p99_s`."""

    median_s: float
    p99_s: float

    def __attrs_post_init__(self) -> None:
        if not 0 < self.median_s <= self.p99_s < math.inf:
            raise ValueError(f"a median is above 0 and at most the p99; not {self.median_s}, {self.p99_s}")

    @classmethod
    def of_sigma(cls, median_s: float, sigma: float) -> "Lognormal":
        """By the standard deviation of its logarithm."""
        return cls(median_s, median_s * math.exp(_Z99 * sigma))

    @property
    def sigma(self) -> float:
        """The standard deviation of its logarithm."""
        return math.log(self.p99_s / self.median_s) / _Z99

    def draw(self, random: Random) -> float:
        """Of one message, in seconds."""
        return min(_LONGEST_S, random.lognormvariate(math.log(self.median_s), self.sigma))

    def __str__(self) -> str:
        return f"median {_words(self.median_s)}, p99 {_words(self.p99_s)}"


@attrs.frozen
class Samples:
    """As measured: each of `samples_s` as likely as any other."""

    samples_s: tuple[float, ...] = attrs.field(converter=tuple[float, ...])

    def __attrs_post_init__(self) -> None:
        if not self.samples_s or not all(0 <= each < math.inf for each in self.samples_s):
            raise ValueError("samples are one or more, each of 0 seconds or more")

    def draw(self, random: Random) -> float:
        """Of one message, in seconds."""
        return self.samples_s[int(random.random() * len(self.samples_s))]

    def __str__(self) -> str:
        count, least, most = len(self.samples_s), min(self.samples_s), max(self.samples_s)
        return f"{_span(least, most)}, as in {count} sample{'s' * (count > 1)}"


@attrs.frozen
class Percentiles:
    """As measured: (percentile, seconds), both ascending. Between two of them straight, beyond the outermost level."""

    points: tuple[tuple[float, float], ...] = attrs.field(converter=tuple[tuple[float, float], ...])

    def __attrs_post_init__(self) -> None:
        points = self.points
        rise = all(one[0] < other[0] and one[1] <= other[1] for one, other in pairwise(points))
        if not (points and rise and 0 <= points[0][0] <= points[-1][0] <= 100 and 0 <= points[0][1] < math.inf):
            raise ValueError(f"percentiles are from 0 to 100, and rise as their seconds do, from 0 on; not {points}")

    def draw(self, random: Random) -> float:
        """Of one message, in seconds."""
        return self.at(100 * random.random())

    def at(self, percentile: float) -> float:
        """How long so many of 100 take at most."""
        after = bisect_right(self.points, (percentile, math.inf))
        if after in (0, len(self.points)):
            return self.points[-1 if after else 0][1]
        (below, least), (above, most) = self.points[after - 1 : after + 1]
        return least + (most - least) * (percentile - below) / (above - below)

    def __str__(self) -> str:
        return ", ".join(f"p{percentile:g} {_words(seconds)}" for percentile, seconds in self.points)


@attrs.frozen
class Latency:
    """How long a message is on its way: `fixed_s`, up to `jitter_s` more, and what is `drawn` on top.

    It is that of both ways, unless there is another one for the way `back`, on which the venue's reports are.
    """

    fixed_s: float = 0.0
    jitter_s: float = 0.0
    drawn: Drawn | None = None
    back: "Latency | None" = None

    def __attrs_post_init__(self) -> None:
        if self.fixed_s < 0 or self.jitter_s < 0:
            raise ValueError(f"a latency is of 0 seconds or more; not {self.fixed_s}, {self.jitter_s}")
        if self.back is not None and self.back.back is not None:
            raise ValueError("the way back has no way back of its own")

    @property
    def none(self) -> bool:
        """Whether a message on its way there is there at once."""
        return not (self.fixed_s or self.jitter_s or self.drawn is not None)

    @property
    def returning(self) -> "Latency":
        """That of the way back."""
        return self if self.back is None else self.back

    def draw(self, random: Random) -> float:
        """Of one message on its way there, in seconds."""
        taken_s = self.fixed_s + random.uniform(0, self.jitter_s) if self.jitter_s else self.fixed_s
        return taken_s if self.drawn is None else taken_s + self.drawn.draw(random)

    def __str__(self) -> str:
        there, back = self._way(), self.returning._way()
        return there if there == back else f"{there}; back {back}"

    def _way(self) -> str:
        bare = _span(self.fixed_s, self.fixed_s + self.jitter_s) if self.fixed_s or self.jitter_s else ""
        return " + ".join(filter(None, (bare, "" if self.drawn is None else str(self.drawn)))) or "none"


def _span(least_s: float, most_s: float) -> str:
    least, most = _words(least_s), _words(most_s)
    return least if least == most else f"{least} to {most}"


def _words(seconds: float) -> str:
    """`2.35 ms`."""
    return re.sub(r"(?<=\d)(?=[a-z])", " ", units.written(float(f"{seconds:.3g}")))
