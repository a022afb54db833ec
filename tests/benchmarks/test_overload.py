"""What is said of ten minutes under overload: growth, bounds, and every tick accounted for."""

import time
from array import array
from types import SimpleNamespace
from typing import Any

import attrs
import numpy as np
import pytest

from benchmarks import overload
from benchmarks.measure import Figure, Inexact
from benchmarks.overload import MIB, Moment, Noted, Overload, Slow
from ticktree.actors import Dropped, MailboxStats

RATE = 10_000  # of the ticks below
EMPTY = MailboxStats(8_192, 0, 0, 0, Dropped(), 0, 0, 0, 0, 0)


def _moment(at_s: float, mib: float = 100.0, age_ms: float = 8.0, cpu: float = 1.0) -> Moment:
    ticks = round(at_s * RATE)
    box = attrs.evolve(EMPTY, received=ticks, delivered=ticks // 10, dropped=Dropped(overflow=ticks - ticks // 10))
    names = "latest", "newest", "healthy"
    return Moment(
        at_s, cpu * at_s, round(mib * MIB), dict.fromkeys(names, age_ms * 1e6), 4e6, 8e6,
        dict.fromkeys(names, box),
    )  # fmt: skip


def _figures(calm: list[Moment], moments: list[Moment]) -> dict[str, Figure]:
    return {figure.figure: figure for figure in overload.figures_of(calm, moments)}


def test_memory_that_stays_grows_by_a_page_at_most() -> None:
    figure = overload.growth_of([_moment(second) for second in range(1, 601)])
    assert figure.ours == pytest.approx(4_096 / MIB / 10, rel=0.05)
    assert figure.yardstick == 1.0
    assert figure.extra["slope"] == pytest.approx(0, abs=1e-9)


def test_a_single_moment_shows_no_growth() -> None:
    assert overload.growth_of([_moment(1)]).extra["slope"] == 0.0


def test_what_grows_before_minute_2_does_not_count() -> None:
    figure = overload.growth_of([_moment(second, 100 + min(second, 120)) for second in range(1, 601)])
    assert figure.extra["slope"] == pytest.approx(0, abs=0.01)
    assert figure.extra["settled_mib"] == pytest.approx(220, abs=1)


def test_memory_that_grows_is_told_a_minute() -> None:
    figure = overload.growth_of([_moment(second, 100 + 3 * second / 60) for second in range(1, 601)])
    assert figure.ours == pytest.approx(3.0, rel=1e-3)
    assert figure.ratio == pytest.approx(1 / 3, rel=1e-3)


def test_an_age_is_held_against_a_mailbox_full_and_one_message() -> None:
    figures = _figures([_moment(0)], [_moment(second) for second in range(1, 12)])
    assert figures["age_p99"].yardstick == pytest.approx(1e3 * (8_192 / RATE + 256 / (RATE / 10)))
    assert figures["age_p99_conflated"].yardstick == pytest.approx(1e3 * (500 / RATE + 256 / (RATE / 10)))
    assert figures["age_p99"].ours == pytest.approx(8.0)


def test_who_is_healthy_is_held_against_the_time_before() -> None:
    figures = _figures([_moment(0, age_ms=2.0)], [_moment(second) for second in range(1, 12)])
    assert (figures["healthy_age_p99"].yardstick, figures["healthy_age_p99"].ratio) == pytest.approx((2.0, 0.25))


def test_control_is_held_against_its_goal() -> None:
    figure = _figures([_moment(0)], [_moment(second) for second in range(1, 12)])["control_p99"]
    assert (figure.ours, figure.yardstick, figure.ratio) == pytest.approx((4.0, 100.0, 25.0))


def test_a_second_in_which_nothing_was_handled_has_no_age() -> None:
    moments = [_moment(second, age_ms=0.0 if second == 5 else 8.0) for second in range(1, 12)]
    figure = _figures([_moment(0)], moments)["age_p99"]
    assert figure.rounds == 9
    assert figure.ratio_max < 1_000


def test_the_series_have_a_value_for_each_moment_but_the_first() -> None:
    figure = _figures([_moment(0)], [_moment(second) for second in range(1, 12)])["memory_growth"]
    series = figure.extra["series"]
    assert {len(values) for values in series.values()} == {10}
    assert series["t_s"] == [float(second) for second in range(1, 11)]
    assert set(series["control_longest_ms"]) == {8.0}
    assert figure.extra["parts"]["newest"] == {"delivered": 0.1, "conflated": 0.0, "dropped": 0.9}


@pytest.mark.parametrize(("cpu", "doubts"), [(0.95, ()), (0.5, ("the process had 50% of its CPU",))])
def test_a_process_that_has_to_share_its_cpu_is_doubted(cpu: float, doubts: tuple[str, ...]) -> None:
    for figure in _figures([_moment(0)], [_moment(second, cpu=cpu) for second in range(1, 12)]).values():
        assert figure.disturbed == doubts


def test_what_was_noted_is_taken_once() -> None:
    noted_ns = array("q", [3, 1, 2])
    assert overload.take(noted_ns).tolist() == [3, 1, 2]
    assert overload.take(noted_ns).tolist() == []


def test_who_is_slow_takes_so_long_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(clock))
    noted = Noted(slow_ns=100)
    strategy = type("Slow", (Slow,), {"noted": noted})()
    strategy.work(-5)
    assert next(clock) == 110  # it looked until 100 ns had passed
    assert (noted.handled, noted.ages_ns.tolist()) == (1, [5])


def test_a_tick_that_is_not_accounted_for_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    account = SimpleNamespace(kinds={"quote": 10, "trade": 10})
    assembly: Any = SimpleNamespace(accounts={overload.FEED: account})  # as much of it as is looked at
    nothing: Any = None

    def check(newest: MailboxStats) -> None:
        def box(_: Overload, __: str) -> MailboxStats:
            return newest

        monkeypatch.setattr(Overload, "box", box)
        Overload(assembly, nothing, {"newest": Noted(handled=5)}).check()

    whole = attrs.evolve(EMPTY, received=20, delivered=5, dropped=Dropped(overflow=15))
    check(whole)
    for wrong in (
        attrs.evolve(whole, received=19, delivered=4),
        attrs.evolve(whole, dropped=Dropped(overflow=14)),
        attrs.evolve(whole, received=21, dropped=Dropped(overflow=16)),
    ):
        with pytest.raises(Inexact, match="newest handled 5"):
            check(wrong)


def test_percentiles_of_nothing_are_nothing() -> None:
    assert overload.p99(np.array([], np.int64)) == 0.0
