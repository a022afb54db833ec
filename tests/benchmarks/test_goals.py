"""Goals are of figures that there are, and a run is told how far it is from each."""

import pytest

from benchmarks.goals import GOALS, MILLIONS, MORE_MS, P50S, RATIO, TIMES, Goal, judged
from benchmarks.runs import Run

from .made import disturbed, figure
from .test_benchmarks import FIGURES, LONG_FIGURES


def _words(goal: Goal, *figures: object) -> str:
    (verdict,) = judged(Run(list(figures)), [goal])  # type: ignore[arg-type]
    return verdict.words


def test_each_goal_is_of_a_figure_that_there_is() -> None:
    known = {(benchmark, one) for benchmark, figures in (FIGURES | LONG_FIGURES).items() for one in figures}
    assert {(goal.benchmark, goal.figure) for goal in GOALS} <= known


def test_all_goals_of_the_design_are_here() -> None:
    assert list(dict.fromkeys(goal.number for goal in GOALS)) == ["1", "2", "3", "3b", "4", "5", "6", "7", "8", "9"]


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (0.9, "reached, and the moonshot, too"),
        (0.6, "reached"),
        (0.45, "short of it by 25%"),
    ],
)
def test_more_is_better_of_a_ratio(ratio: float, words: str) -> None:
    assert _words(Goal("1", "b", "f", RATIO, 0.6, 0.75), figure("b f", ratio)) == words


@pytest.mark.parametrize(
    ("ratio", "words"), [(0.7, "reached, and the moonshot, too"), (0.5, "reached"), (0.4, "over it by 25%")]
)
def test_less_is_better_of_times_the_yardstick_s(ratio: float, words: str) -> None:
    assert _words(Goal("5", "b", "f", TIMES, 2.0, 1.7), figure("b f", ratio)) == words


def test_a_rate_and_an_extra_key_are_goals_too() -> None:
    assert _words(Goal("7", "b", "f", MILLIONS, 2.0), figure("b f", 0.5)) == "short of it by 50%"
    assert _words(Goal("9", "b", "f", MORE_MS, 150), figure("b f", more_ms=300.0)) == "over it by 100%"


def test_the_slowest_of_a_hundred_is_held_against_the_median_of_its_benchmark() -> None:
    goal = Goal("5", "b", "p99", P50S, 3.0)
    assert _words(goal, figure("b p50", 1.0), figure("b p99", 4.0)) == "over it by 33%"
    assert _words(goal, figure("b p99", 4.0)).startswith("not known")
    assert _words(goal, disturbed("b p50"), figure("b p99", 2.0)).startswith("not known")


def test_a_disturbed_figure_neither_reaches_nor_misses() -> None:
    goal = Goal("1", "b", "f", RATIO, 0.6)
    (verdict,) = judged(Run([disturbed("b f", 0.9)]), [goal])
    assert (verdict.reached, verdict.words) == (None, "not known: others took 40% of the machine")


def test_actors_tell_goals_apart() -> None:
    goal = Goal("3", "b", "f", RATIO, 3.0, actors=10)
    assert _words(goal, figure("b f", 4.0, actors=1), figure("b f", 1.5, actors=10)) == "short of it by 50%"


def test_what_the_run_lacks_is_not_known() -> None:
    (verdict,) = judged(Run(), [Goal("1", "b", "f", RATIO, 0.6)])
    assert (verdict.figure, verdict.reached) == (None, None)
