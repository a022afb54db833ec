"""What the course of a profit says of its risk: drawdown, the ratios of Sharpe, Sortino and Calmar, exposure.

All of it is of samples, in floats. Ratios stand on differences of profit over whole periods, so that they need no
capital: on a capital that stays the same, they are those of its returns. A year has 365 days of 24 hours.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from ticktree.tables import lasting

from .result import MoneySeries, PositionSeries, Samples, Value

YEAR_S: Final = 365 * 86_400.0
PERIODS_S: Final = (86_400.0, 3_600.0, 60.0)
FEWEST: Final = 30  # periods, below which a ratio would be noise

Course = list[tuple[int, float]]  # times, and what was known of a profit then


class Drawdown(Value, frozen=True, gc=False):
    """The deepest fall of a net profit from what it had been before.

    `share`: of the capital and what had been earned by then. It began at the peak; None where it never recovered.
    """

    amount: float
    share: float | None
    began_ns: int
    lowest_ns: int
    recovered_ns: int | None
    length_s: float


class Risk(Value, frozen=True, gc=False):
    """`note`: why there are no ratios, where there are none. `sharpe_error`: its standard error."""

    drawdown: Drawdown | None
    period_s: float | None
    periods: int
    sharpe: float | None
    sharpe_error: float | None
    sortino: float | None
    calmar: float | None
    exposure_mean: float | None
    exposure_max: float | None
    note: str


def net(series: MoneySeries) -> list[float | None]:
    """Realised + unrealised - fees; None where a position had no price."""
    return [
        None if unrealised is None else realised + unrealised - fees
        for realised, unrealised, fees in zip(series.realised, series.unrealised, series.fees, strict=True)
    ]


def below_peak(values: Sequence[float | None]) -> list[float | None]:
    """How far each stands below the highest so far, 0 at least and never negative: all begins at 0."""
    peak, found = 0.0, list[float | None]()
    for value in values:
        peak = max(peak, value if value is not None else peak)
        found.append(None if value is None else peak - value)
    return found


def course(series: MoneySeries, samples: Samples, began_ns: int) -> Course:
    """The net profit where it is known, from 0 at the beginning on."""
    known = [(ns, value) for ns, value in zip(samples.time_ns, net(series), strict=True) if value is not None]
    return [(min([began_ns, *(ns for ns, _ in known[:1])]), 0.0), *known] if known else []


def drawdown(course: Course, capital: float | None = None) -> Drawdown | None:
    """The deepest; None where nothing is known, or the profit never fell."""
    if not course:
        return None
    worst: tuple[float, tuple[int, float], int] | None = None
    peak = course[0]
    for ns, value in course:
        if value >= peak[1]:
            peak = ns, value
        elif worst is None or peak[1] - value > worst[0]:
            worst = peak[1] - value, peak, ns
    if worst is None:
        return None
    amount, (began_ns, top), lowest_ns = worst
    recovered_ns = next((ns for ns, value in course if ns > lowest_ns and value >= top), None)
    until_ns = course[-1][0] if recovered_ns is None else recovered_ns
    share = amount / (capital + top) if capital is not None and capital + top > 0 else None
    return Drawdown(amount, share, began_ns, lowest_ns, recovered_ns, (until_ns - began_ns) / 1e9)


def period_s(span_s: float, every_s: float) -> float | None:
    """The longest of `PERIODS_S` that `span_s` has enough of, and that samples tell apart."""
    return next((one for one in PERIODS_S if span_s >= FEWEST * one and every_s <= one), None)


def gains(course: Course, began_ns: int, period_s: float, count: int) -> list[float]:
    """What each of `count` whole periods added, by what was last known at their ends."""
    times = [ns for ns, _ in course]
    ends = [began_ns + round(index * period_s * 1e9) for index in range(count + 1)]
    values = [course[at - 1][1] if (at := bisect_right(times, end)) else 0.0 for end in ends]
    return [after - before for before, after in pairwise(values)]


def risk(course: Course, began_ns: int, ended_ns: int, every_s: float, capital: float | None = None) -> Risk:
    """Of one course, without its exposure."""
    span_s = (ended_ns - began_ns) / 1e9
    fallen, period = drawdown(course, capital), period_s(span_s, every_s)
    if period is None or not course:
        note = f"{lasting(span_s)} of data" if period is None else "no profit was known"
        return Risk(fallen, period, 0, None, None, None, None, None, None, note)
    count = int(span_s / period)
    found = gains(course, began_ns, period, count)
    mean, a_year = math.fsum(found) / count, YEAR_S / period
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in found) / (count - 1))
    if deviation <= 1e-12 * max(map(abs, found)):
        return Risk(fallen, period, count, None, None, None, None, None, None, "the profit did not vary")
    downside = math.sqrt(math.fsum(min(one, 0.0) ** 2 for one in found) / count)
    ratio, root = mean / deviation, math.sqrt(a_year)
    return Risk(
        fallen, period, count,
        sharpe=ratio * root,
        sharpe_error=math.sqrt((1 + ratio * ratio / 2) / count) * root,
        sortino=mean / downside * root if downside else None,
        calmar=mean * a_year / fallen.amount if fallen is not None else None,
        exposure_mean=None, exposure_max=None, note="",
    )  # fmt: skip


def exposures(
    held: Sequence[PositionSeries], middles: dict[str, list[float | None]], worth: Callable[[str], float], count: int
) -> list[float]:
    """At each of `count` samples what is held, long or short, is worth together; those without a price are left out.

    None at all where whatever was held had no price: then 0 would be all that is known.
    """
    found = list[float]()
    for index in range(count):
        total: float | None = 0.0
        for series in held:
            quantity = series.quantity[index]
            middle = middles[series.instrument][index] if series.instrument in middles else None
            if quantity and total is not None:
                total = None if middle is None else total + abs(quantity) * middle * worth(series.instrument)
        if total is not None:
            found.append(total)
    return found if any(found) or len(found) == count else []
