"""Drawdown, the ratios, exposure: by hand, and where there is too little to say anything."""

import math
import statistics

import pytest
from hypothesis import given, strategies as st

from ticktree.backtesting.result import MoneySeries, PositionSeries, Samples
from ticktree.backtesting.risk import (
    FEWEST,
    Course,
    below_peak,
    course,
    drawdown,
    exposures,
    gains,
    net,
    period_s,
    risk,
)

S = 1_000_000_000
DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0


def walked(values: list[float], every_s: float = 60.0) -> Course:
    return [(0, 0.0), *((round((index + 1) * every_s * S), value) for index, value in enumerate(values))]


def test_the_deepest_fall_from_a_peak_is_the_drawdown_and_says_when_it_was() -> None:
    found = drawdown(walked([5.0, 3.0, 10.0, 4.0, 6.0, 10.0, 9.0]), capital=90.0)
    assert found is not None
    assert (found.amount, found.share) == (6.0, 6.0 / 100.0)
    assert (found.began_ns, found.lowest_ns, found.recovered_ns) == (180 * S, 240 * S, 360 * S)
    assert found.length_s == 180.0


def test_a_drawdown_that_never_recovered_lasts_to_the_end() -> None:
    found = drawdown(walked([-2.0, -5.0, -1.0]))
    assert found is not None
    assert (found.amount, found.share, found.began_ns, found.recovered_ns, found.length_s) == (
        5.0,
        None,
        0,
        None,
        180.0,
    )


def test_a_profit_that_never_fell_has_no_drawdown() -> None:
    assert drawdown(walked([0.0, 1.0, 1.0, 2.0])) is None
    assert drawdown([]) is None


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=30))
def test_what_is_drawn_below_the_peak_is_as_deep_as_the_drawdown(values: list[float | None]) -> None:
    known = [value for value in values if value is not None]
    deepest = max((one for one in below_peak(values) if one is not None), default=0.0)
    found = drawdown(walked(known))
    assert deepest == (found.amount if found is not None else 0.0)


@pytest.mark.parametrize(
    ("span_s", "every_s", "period"),
    [
        (30.0, 0.1, None), (29.9 * MINUTE, 1.0, None), (30 * MINUTE, 1.0, MINUTE), (30 * HOUR, 30.0, HOUR),
        (30 * DAY, 648.0, DAY), (29 * DAY, 648.0, HOUR), (30 * MINUTE, 90.0, None),
    ],
)  # fmt: skip
def test_the_period_is_the_longest_of_which_there_are_enough(
    span_s: float, every_s: float, period: float | None
) -> None:
    assert period_s(span_s, every_s) == period


def test_gains_are_differences_of_what_was_known_at_the_ends_of_periods() -> None:
    known = [(0, 0.0), (50 * S, 1.0), (70 * S, 4.0), (125 * S, 9.0)]
    assert gains(known, 0, 60.0, 3) == [1.0, 3.0, 5.0]


def test_the_ratios_are_those_of_the_textbook() -> None:
    steps = [math.sin(index * 1.7) + 0.3 for index in range(60)]
    values = [sum(steps[: index + 1]) for index in range(60)]
    found = risk(walked(values), 0, 3600 * S, 10.0)
    mean, root = statistics.fmean(steps), math.sqrt(365 * 86_400 / 60)
    ratio = mean / statistics.stdev(steps)
    assert found.sharpe == pytest.approx(ratio * root)
    assert found.sharpe_error == pytest.approx(math.sqrt((1 + ratio**2 / 2) / 60) * root)
    downside = math.sqrt(sum(min(step, 0) ** 2 for step in steps) / 60)
    assert found.sortino == pytest.approx(mean / downside * root)
    assert found.drawdown is not None
    assert found.calmar == pytest.approx(mean * root**2 / found.drawdown.amount)
    assert (found.period_s, found.periods, found.note) == (60.0, 60, "")


@given(st.floats(0.001, 1e6))
def test_ratios_do_not_depend_on_the_size_of_the_bets(scale: float) -> None:
    values = [math.sin(index) * 3 + index * 0.1 for index in range(60)]
    one, other = (risk(walked([value * by for value in values]), 0, 3600 * S, 10.0) for by in (1.0, scale))
    for name in ("sharpe", "sharpe_error", "sortino", "calmar"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))


def test_too_little_data_give_no_ratios_and_say_so() -> None:
    found = risk(walked([1.0, 2.0, 1.0], every_s=10.0), 0, 30 * S, 10.0)
    assert (found.sharpe, found.sharpe_error, found.sortino, found.calmar, found.period_s) == (None,) * 5
    assert found.note == "30 s of data"
    assert risk([], 0, 3600 * S, 10.0).note == "no profit was known"
    assert risk([], 0, 30 * S, 10.0).note == "30 s of data"


@pytest.mark.parametrize("step", [0.0, 0.1])
def test_a_profit_that_did_not_vary_gives_no_ratios(step: float) -> None:
    found = risk(walked([step * (index + 1) for index in range(60)]), 0, 3600 * S, 10.0)
    assert (found.sharpe, found.sortino, found.note) == (None, None, "the profit did not vary")
    assert found.periods >= FEWEST


def test_without_a_loss_there_is_neither_sortino_nor_calmar() -> None:
    found = risk(walked([float(index * index) for index in range(60)]), 0, 3600 * S, 10.0)
    assert found.sharpe is not None
    assert (found.sortino, found.calmar) == (None, None)


def test_a_course_begins_at_nothing_and_leaves_out_what_had_no_price() -> None:
    series = MoneySeries("", "USDT", [1.0, 1.0, 2.0], [0.0, None, 1.0], [0.5, 0.5, 0.5])
    samples = Samples(10.0, [10, 20, 30], (), (), (series,))
    assert net(series) == [0.5, None, 2.5]
    assert course(series, samples, 5) == [(5, 0.0), (10, 0.5), (30, 2.5)]


def test_exposure_is_what_is_held_either_way_and_left_out_where_a_price_is_missing() -> None:
    held = (PositionSeries("a", "X-Y", [2.0, 2.0, 0.0]), PositionSeries("b", "X-Y", [-1.0, -1.0, 0.0]))
    middles: dict[str, list[float | None]] = {"X-Y": [10.0, None, None]}
    assert exposures(held, middles, lambda name: 5.0, 3) == [150.0, 0.0]


def test_there_is_no_exposure_where_nothing_that_was_held_had_a_price() -> None:
    held = (PositionSeries("a", "X-Y", [0.0, 2.0]),)
    assert exposures(held, {"X-Y": [10.0, None]}, lambda name: 5.0, 2) == []
    assert exposures(held, {"X-Y": [None, 10.0]}, lambda name: 5.0, 2) == [0.0, 100.0]
