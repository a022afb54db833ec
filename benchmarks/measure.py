"""Compares two ways to do one thing on a machine that others use, too: in turn, many times, as a ratio.

The speed of a shared machine swings several-fold within minutes, so no figure here stands alone. Each round runs ours
and the yardstick one straight after the other, on the same CPU, the same loop and the same collector, and the next
round the other way round; a round gives one ratio, and the figure is the median of these, with the least and greatest.
A ratio is always the yardstick's cost over ours: above 1 we are better, whatever the unit.

A figure that somebody else may have shaped is never shown as a bare number: it has reasons to doubt it (machine.py has
others), and a question mark wherever it is told.
"""

import gc
import re
import statistics
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import msgspec

ROUNDS_LEAST = 7
# By how much rounds may differ, a seventh of them left out at either end: these do not move a median. What the slowest
# of a hundred takes varies by itself, on a machine of one's own as well.
SPREAD_BOUND, SPREAD_BOUND_OF_TAILS = 1.6, 3.0
TAIL = re.compile(r"(^|_)p99")

Side = Callable[[], Awaitable[float]]  # does its work and returns what one unit of it cost (seconds, bytes)


class Inexact(AssertionError):
    """Work was lost or done twice: what was timed is not what was meant."""


@attrs.frozen
class Unit:
    """What a figure is told in. `shown` turns a side's cost into it."""

    name: str
    shown: Callable[[float], float]


def per_second(what: str) -> Unit:
    """A rate, of a cost in seconds."""
    return Unit(f"{what}/s", lambda cost_s: 1 / cost_s)


NANOSECONDS = Unit("ns", lambda cost_s: cost_s * 1e9)


@attrs.frozen
class Figure:
    """One line of JSON. `ours` and `yardstick` are medians; `ratio` is higher the better we are."""

    benchmark: str
    figure: str
    unit: str
    ours: float
    yardstick: float
    ratio: float
    ratio_min: float
    ratio_max: float
    rounds: int
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any])

    def line(self) -> str:
        """The figure as a line of JSON, extra keys last."""
        fields = attrs.asdict(self, recurse=False)
        extra = fields.pop("extra")
        return msgspec.json.encode({**fields, **extra}).decode()

    @property
    def key(self) -> tuple[str, str, int | None]:
        """What tells it from all other figures of a run: benchmark, figure, actors."""
        return self.benchmark, self.figure, self.extra.get("actors")

    @property
    def label(self) -> str:
        """The same in words."""
        *names, actors = self.key
        return " ".join(map(str, names)) + ("" if actors is None else f" ({actors} actors)")

    @property
    def disturbed(self) -> tuple[str, ...]:
        """Why it is to be doubted; empty where it is not."""
        return tuple(self.extra.get("interference", ()))


@attrs.frozen
class Plan:
    """How thoroughly to measure: `rounds`, and whether sizes are `tiny`, which only shows that everything runs."""

    rounds: int = ROUNDS_LEAST
    tiny: bool = False

    def size(self, full: int, tiny: int) -> int:
        """The one of the two that this plan wants."""
        return tiny if self.tiny else full

    async def compare(self, name: tuple[str, str], unit: Unit, ours: Side, yardstick: Side, repeats: int = 1) -> Figure:
        """Run both sides in each round, `repeats` times in turn, and sum up. `name` is (benchmark, figure)."""
        our_costs, their_costs = list[float](), list[float]()
        for number in range(self.rounds):
            costs: dict[Side, float] = {ours: 0.0, yardstick: 0.0}
            order = (ours, yardstick) if number % 2 == 0 else (yardstick, ours)
            for side in order * repeats:
                gc.collect()  # neither side pays for the other's garbage
                costs[side] += await side() / repeats
            our_costs.append(costs[ours])
            their_costs.append(costs[yardstick])
            say(f"{' '.join(name)}: round {number + 1} of {self.rounds}, ratio {costs[yardstick] / costs[ours]:.2f}")
        return figure_of(name, unit, our_costs, their_costs, {})

    async def curve(self, name: tuple[str, str], unit: Unit, points: Mapping[int, Side]) -> list[Figure]:
        """Run all points in each round, one after the other, each round from the other end: how cost grows.

        The first point is the yardstick of all: `ratio` is what it costs over what the point costs, in the same round.
        """
        costs: dict[int, list[float]] = {at: [] for at in points}
        for number in range(self.rounds):
            for at in list(points)[:: 1 if number % 2 == 0 else -1]:
                gc.collect()
                costs[at].append(await points[at]())
                say(f"{' '.join(name)}: round {number + 1} of {self.rounds}, at {at:,}")
        first = next(iter(costs.values()))
        return [
            figure_of((name[0], f"{name[1]}_{at}"), unit, ours, first, {"curve": name[1], "at": at})
            for at, ours in costs.items()
        ]


def figure_of(
    name: tuple[str, str], unit: Unit, ours: list[float], yardstick: list[float], extra: Mapping[str, Any]
) -> Figure:
    """The figure that costs of `ours` and of the `yardstick`, a pair a round, amount to."""
    ratios = [theirs / our for our, theirs in zip(ours, yardstick, strict=True)]
    figure = Figure(
        benchmark=name[0],
        figure=name[1],
        unit=unit.name,
        ours=unit.shown(statistics.median(ours)),
        yardstick=unit.shown(statistics.median(yardstick)),
        ratio=statistics.median(ratios),
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        rounds=len(ratios),
        extra=extra,
    )
    return doubted(figure, _unsteady(TAIL.search(name[1]) is not None, yardstick, ratios))


def _unsteady(is_tail: bool, yardstick: Sequence[float], ratios: Sequence[float]) -> list[str]:
    """Why the rounds themselves say that somebody else was using the machine."""
    bound = SPREAD_BOUND_OF_TAILS if is_tail else SPREAD_BOUND
    told = list[str]()
    if (spread := _spread(yardstick)) > bound:
        told.append(f"the yardstick itself varied {spread:.1f}-fold")
    if (spread := _spread(ratios)) > bound:
        told.append(f"its rounds differ {spread:.1f}-fold")
    return told


def _spread(values: Sequence[float]) -> float:
    apart = len(values) // ROUNDS_LEAST
    middle = sorted(values)[apart : len(values) - apart]
    return middle[-1] / middle[0]


def doubted(figure: Figure, reasons: Sequence[str]) -> Figure:
    """The figure with more reasons to doubt it."""
    told = list(dict.fromkeys([*figure.disturbed, *reasons]))
    return attrs.evolve(figure, extra={**figure.extra, "interference": told}) if told else figure


def with_extra(figure: Figure, **extra: Any) -> Figure:
    """The figure with more keys, `conditions` joined."""
    conditions = {**figure.extra.get("conditions", {}), **extra.pop("conditions", {})}
    return attrs.evolve(figure, extra={**extra, **figure.extra, "conditions": conditions})


# --- what a human reads ------------------------------------------------------------------------------------------


def say(text: str) -> None:
    """Progress, to stderr; on a terminal each line takes the place of the one before."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def table(figures: Iterable[Figure], told: Callable[[Figure], str] = lambda figure: "") -> str:
    """The figures below one another, for a reader. `told`: what more there is to say of one."""
    rows = [f"{'figure':<40}{'unit':<14}{'ours':>15}{'yardstick':>15}{'ratio':>9}   least to greatest"]
    for figure in figures:
        mark = "?" if figure.disturbed else " "
        rows.append(
            f"{figure.label:<40}{figure.unit:<14}{short(figure.ours) + mark:>15}{short(figure.yardstick) + mark:>15}"
            f"{times(figure.ratio) + mark:>9}   {f'{times(figure.ratio_min)} to {times(figure.ratio_max)}':<16}"
            f" {'; '.join(filter(None, [told(figure), *figure.disturbed]))}".rstrip()
        )
    return "\n".join(rows)


def times(ratio: float) -> str:
    """Two digits behind the point, or as many as it takes to see two."""
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def short(value: float) -> str:
    """Three digits and no more, but for whole numbers."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
