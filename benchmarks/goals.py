"""What figures ought to come to: goals and moonshots, and how far a run is from them."""

from collections.abc import Callable, Iterable, Sequence

import attrs

from .measure import Figure
from .runs import Run


@attrs.frozen
class Measure:
    """What of a figure a goal is about. `of` may find that a run has not all that it takes: None."""

    more_is_better: bool
    of: Callable[[Figure, Run], float | None]
    shown: Callable[[float], str]

    def told(self, bound: float) -> str:
        """A goal in words."""
        return f"{'at least' if self.more_is_better else 'at most'} {self.shown(bound)}"


def _of_p50(figure: Figure, run: Run) -> float | None:
    p50 = run.find(figure.benchmark, "p50")
    return None if p50 is None or p50.disturbed else figure.ours / p50.ours


RATIO = Measure(True, lambda figure, run: figure.ratio, lambda value: f"{value:.2f}")
MILLIONS = Measure(True, lambda figure, run: figure.ours / 1e6, lambda value: f"{value:.2f} M/s")
TIMES = Measure(False, lambda figure, run: 1 / figure.ratio, lambda value: f"{value:.2f} times the yardstick's")
P50S = Measure(False, _of_p50, lambda value: f"{value:.1f} times the p50")
MICROSECONDS = Measure(False, lambda figure, run: figure.ours / 1e3, lambda value: f"{value:.2f} us")  # of ns
MORE_MS = Measure(False, lambda figure, run: figure.extra.get("more_ms"), lambda value: f"{value:.0f} ms more")
GROWTH = Measure(False, lambda figure, run: figure.ours, lambda value: f"{value:.2f} MiB a minute")


@attrs.frozen
class Goal:
    """One of them. `number`: as the design counts."""

    number: str
    benchmark: str
    figure: str
    measure: Measure
    goal: float
    moonshot: float | None = None
    actors: int | None = None


SELECTION_US = 8 + 0.008 * 2_048  # of a batch of so many rows, for each distinct selection
COUNTS = (1, 10, 100)
GOALS = (
    Goal("1", "tcp_batch", "batch_bare", RATIO, 0.8, 0.9),
    Goal("1", "tcp_batch", "batch_full", RATIO, 0.6, 0.75),
    Goal("1", "tcp_batch", "frames_1000", RATIO, 0.6, 0.75),
    Goal("2", "tcp_event", "event", RATIO, 0.6, 0.7),
    *(Goal("3", "mailbox", "tell", RATIO, 3, 4, count) for count in COUNTS),
    *(Goal("3", "mailbox", "tell", MILLIONS, 1.46, None, count) for count in COUNTS),
    *(Goal("3", "mailbox", "tell_weighted", RATIO, 2.5, None, count) for count in COUNTS),
    *(Goal("3b", "handoff", "handoff", RATIO, 8, 11, count) for count in COUNTS),
    Goal("4", "ws_json", "over_picows", RATIO, 0.8, 0.9),
    Goal("4", "ws_json", "over_aiohttp", RATIO, 1.2, 1.5),
    Goal("4", "ws_json", "over_websockets", RATIO, 5, 6),
    Goal("5", "tick_to_order", "p50", TIMES, 2.0, 1.7),
    Goal("5", "tick_to_order", "p99", P50S, 3.0),
    *(Goal("6", "fanout", "whole", MICROSECONDS, 0.6, None, count) for count in COUNTS),
    *(Goal("6", "fanout", "shared", MICROSECONDS, 0.6 + SELECTION_US / count, None, count) for count in COUNTS),
    *(Goal("6", "fanout", "distinct", MICROSECONDS, 0.6 + SELECTION_US, None, count) for count in COUNTS),
    Goal("7", "replay_batch", "read_8192", MILLIONS, 20, 40),
    Goal("7", "replay_event", "read_1024", MILLIONS, 1.5, 2),
    Goal("8", "overload", "memory_growth", GROWTH, 1.0),
    Goal("9", "startup", "import", MORE_MS, 150, 50),
    Goal("9", "startup", "help", MORE_MS, 150, 50),
)


@attrs.frozen
class Verdict:
    """How far a run is. `value`: None where it cannot be told. `doubts`: why the value is no answer."""

    goal: Goal
    figure: Figure | None
    value: float | None
    doubts: Sequence[str] = ()

    @property
    def reached(self) -> bool | None:
        """None: not known."""
        return None if self.value is None or self.doubts else self._beyond(self.goal.goal)

    @property
    def words(self) -> str:
        """Reached, or by how much not."""
        if self.doubts:
            return f"not known: {'; '.join(self.doubts)}"
        if self.value is None:
            return "not known: what it takes was not measured, or disturbed"
        if self.goal.moonshot is not None and self._beyond(self.goal.moonshot):
            return "reached, and the moonshot, too"
        if self._beyond(self.goal.goal):
            return "reached"
        short = self.value / self.goal.goal - 1
        return f"short of it by {-short:.0%}" if self.goal.measure.more_is_better else f"over it by {short:.0%}"

    def _beyond(self, bound: float) -> bool:
        assert self.value is not None
        return self.value >= bound if self.goal.measure.more_is_better else self.value <= bound


def judged(run: Run, goals: Iterable[Goal] = GOALS) -> list[Verdict]:
    """Each goal, beside what the run has of it."""
    verdicts = list[Verdict]()
    for goal in goals:
        figure = run.find(goal.benchmark, goal.figure, goal.actors)
        value = None if figure is None else goal.measure.of(figure, run)
        doubts = () if figure is None else figure.disturbed
        verdicts.append(Verdict(goal, figure, value, doubts))
    return verdicts
