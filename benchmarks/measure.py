"""Compares two ways to do one thing on a machine that others use, too: in turn, many times, as a ratio.

The speed of a shared machine swings several-fold within minutes, so no figure here stands alone. Each round runs ours
and the yardstick one straight after the other, on the same CPU, the same loop and the same collector, and the next
round the other way round; a round gives one ratio, and the figure is the median of these, with the least and greatest.
A ratio is always the yardstick's cost over ours: above 1 we are better, whatever the unit.
"""

import gc
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import attrs
import msgspec

ROUNDS_LEAST = 7
SPREAD_BOUND = 2.0  # a yardstick that varies by more within one run says that somebody else was using the machine

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
    def label(self) -> str:
        """What tells it from other figures of its benchmark."""
        actors = self.extra.get("actors")
        return f"{self.benchmark} {self.figure}" + (f" ({actors} actors)" if actors is not None else "")


@attrs.frozen
class Plan:
    """How thoroughly to measure: `rounds`, and whether sizes are `tiny`, which only shows that everything runs."""

    rounds: int = 9
    tiny: bool = False

    def size(self, full: int, tiny: int) -> int:
        """The one of the two that this plan wants."""
        return tiny if self.tiny else full

    async def compare(self, name: tuple[str, str], unit: Unit, ours: Side, yardstick: Side, repeats: int = 1) -> Figure:
        """Run both sides in each round, `repeats` times in turn, and sum up. `name` is (benchmark, figure)."""
        our_costs, their_costs = list[float](), list[float]()
        preempted = _preemptions()
        for number in range(self.rounds):
            costs: dict[Side, float] = {ours: 0.0, yardstick: 0.0}
            order = (ours, yardstick) if number % 2 == 0 else (yardstick, ours)
            for side in order * repeats:
                gc.collect()  # neither side pays for the other's garbage
                costs[side] += await side() / repeats
            our_costs.append(costs[ours])
            their_costs.append(costs[yardstick])
            say(f"{' '.join(name)}: round {number + 1} of {self.rounds}, ratio {costs[yardstick] / costs[ours]:.2f}")
        conditions = {"preempted": _preemptions() - preempted}
        return figure_of(name, unit, our_costs, their_costs, {"conditions": conditions})


    async def curve(self, name: tuple[str, str], unit: Unit, points: Mapping[int, Side]) -> list[Figure]:
        """Run all points in each round, one after the other, each round from the other end: how cost grows.

        The first point is the yardstick of all: `ratio` is what it costs over what the point costs, in the same round.
        """
        costs: dict[int, list[float]] = {at: [] for at in points}
        for number in range(self.rounds):
            for at in points if number % 2 == 0 else reversed(points):
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
    marks: dict[str, Any] = {**extra}
    if max(yardstick) / min(yardstick) > SPREAD_BOUND:
        marks["interference"] = True
    return Figure(
        benchmark=name[0],
        figure=name[1],
        unit=unit.name,
        ours=unit.shown(statistics.median(ours)),
        yardstick=unit.shown(statistics.median(yardstick)),
        ratio=statistics.median(ratios),
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        rounds=len(ratios),
        extra=marks,
    )


def with_extra(figure: Figure, **extra: Any) -> Figure:
    """The figure with more keys, `conditions` joined."""
    conditions = {**figure.extra.get("conditions", {}), **extra.pop("conditions", {})}
    return attrs.evolve(figure, extra={**extra, **figure.extra, "conditions": conditions})


# --- the machine -------------------------------------------------------------------------------------------------


def pin_to_one_cpu() -> int | None:
    """Keep this process on the CPU that has just been the idlest; which one, or None where that cannot be had."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cpus = os.sched_getaffinity(0)
    idle = _idle_ticks()
    time.sleep(0.2)
    rested = {cpu: ticks - idle.get(cpu, 0) for cpu, ticks in _idle_ticks().items()}
    cpu = max(cpus, key=lambda cpu: rested.get(cpu, 0))
    os.sched_setaffinity(0, {cpu})
    return cpu


def _idle_ticks() -> dict[int, int]:
    try:
        with open("/proc/stat", encoding="ascii") as file:
            lines = [line.split() for line in file if line.startswith("cpu") and line[3].isdigit()]
    except OSError:
        return {}
    return {int(fields[0][3:]): int(fields[4]) for fields in lines}


def _preemptions() -> int:
    """How often the kernel took the CPU from this process."""
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


# --- what a human reads ------------------------------------------------------------------------------------------


def say(text: str) -> None:
    """Progress, to stderr; on a terminal each line takes the place of the one before."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def table(figures: Iterable[Figure]) -> str:
    """The figures below one another, for a reader."""
    rows = [f"{'figure':<38}{'unit':<14}{'ours':>14}{'yardstick':>14}{'ratio':>8}   least to greatest"]
    for figure in figures:
        flag = "   interference: the yardstick itself varied" if figure.extra.get("interference") else ""
        rows.append(
            f"{figure.label:<38}{figure.unit:<14}{_short(figure.ours):>14}{_short(figure.yardstick):>14}"
            f"{figure.ratio:>8.2f}   {figure.ratio_min:.2f} to {figure.ratio_max:.2f}{flag}"
        )
    return "\n".join(rows)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
