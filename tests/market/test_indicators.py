"""Figures that follow a price, one by one and many at once."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ticktree.market import BadNumber, Ema, ZScore

KINDS: list[Callable[[float], Any]] = [Ema, ZScore]
spans = st.floats(1, 5_000)
prices = st.integers(1, 10_000_000).map(lambda cents: cents / 100)
# Few different ones, and runs of the same: what prices do.
series = st.lists(st.one_of(prices, st.sampled_from([0.01, 100.0, 100.01])), min_size=1, max_size=60).flatmap(
    lambda values: st.lists(st.integers(1, 30), min_size=len(values), max_size=len(values)).map(
        lambda times: [value for value, n in zip(values, times, strict=True) for _ in range(n)]
    )
)


def test_ema_begins_at_the_first_value_and_follows_its_span() -> None:
    ema = Ema(3)
    assert ema.value is None
    assert [ema.update(x) for x in (10.0, 20.0, 20.0)] == [10.0, 15.0, 17.5]
    assert ema.value == 17.5


def test_ema_of_span_one_is_the_last_value() -> None:
    ema = Ema(1)
    assert [ema.update(x) for x in (1.0, 5.0, 2.0)] == [1.0, 5.0, 2.0]
    assert ema.update_many([7.0, 3.0]).tolist() == [7.0, 3.0]


def test_a_score_is_in_standard_deviations_of_what_came_before() -> None:
    score = ZScore(3)  # smoothing one half
    assert [score.update(x) for x in (10.0, 14.0)] == [0.0, 0.0]  # until then nothing deviated
    assert (score.mean, score.deviation) == (12.0, 2.0)  # half of 10, half of 14
    assert score.update(15.0) == 1.5


def test_mean_and_deviation_are_the_weighted_ones_of_all_values() -> None:
    values = np.random.default_rng(1).normal(100, 3, 300)
    score = ZScore(20)
    score.update_many(values)
    alpha = 2 / 21
    weights = alpha * (1 - alpha) ** np.arange(len(values))[::-1]
    weights[0] /= alpha
    mean = np.average(values, weights=weights)
    assert score.mean == pytest.approx(mean, rel=1e-12)
    assert score.deviation == pytest.approx(math.sqrt(np.average((values - mean) ** 2, weights=weights)), rel=1e-12)


@pytest.mark.parametrize("span", [20, 500, 5_000])
@pytest.mark.parametrize(("offset", "deviation"), [(1e9, 1e-3), (-1e12, 1.0), (64_000.0, 0.01), (0.0, 1e-9)])
def test_what_lies_far_from_zero_and_moves_little_is_scored_as_it_would_be_near_zero(
    offset: float, deviation: float, span: float
) -> None:
    values = offset + deviation * np.random.default_rng(2).normal(size=2_000)
    near, far, many = ZScore(span), ZScore(span), ZScore(span)
    expected = [near.update(x) for x in (values - values[0]).tolist()]  # exact: they lie close together
    assert [far.update(x) for x in values.tolist()] == pytest.approx(expected, abs=1e-9)
    assert many.update_many(values).tolist() == pytest.approx(expected, abs=1e-9)
    assert np.count_nonzero(expected) == len(values) - 2
    assert far.mean == pytest.approx(offset, abs=3 * deviation)


@pytest.mark.parametrize("make", KINDS)
def test_a_long_run_leaves_both_forms_where_they_agree(make: Callable[[float], Any]) -> None:
    values = 64_000 + 0.01 * np.cumsum(np.random.default_rng(3).normal(size=300_000))
    one_by_one, in_parts = make(100), make(100)
    expected = [one_by_one.update(x) for x in values.tolist()]
    found = np.concatenate([in_parts.update_many(part) for part in np.array_split(values, 50)])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("make", KINDS)
@given(values=series, span=spans, data=st.data())
def test_any_split_into_arrays_gives_what_one_by_one_gives(
    make: Callable[[float], Any], values: list[float], span: float, data: st.DataObject
) -> None:
    one_by_one, in_parts = make(span), make(span)
    expected = [one_by_one.update(x) for x in values]
    found, rest = list[float](), values
    while rest:
        n = data.draw(st.integers(1, len(rest)))
        part, rest = rest[:n], rest[n:]
        found += [in_parts.update(part[0])] if n == 1 else in_parts.update_many(np.array(part)).tolist()
    tolerance = 1e-9 * max(values) if make is Ema else 1e-6
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=tolerance)


@pytest.mark.parametrize("make", KINDS)
@given(price=prices, count=st.integers(1, 500), span=spans)
def test_what_does_not_move_has_exactly_its_own_average_and_no_score(
    make: Callable[[float], Any], price: float, count: int, span: float
) -> None:
    assert set(make(span).update_many(np.full(count, price)).tolist()) == {price if make is Ema else 0.0}


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("span", [0, 0.5, -1, float("nan"), float("inf")])
def test_a_span_that_cannot_be_is_refused(make: Callable[[float], Any], span: float) -> None:
    with pytest.raises(BadNumber, match="span"):
        make(span)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 1e200])
def test_what_is_not_finite_or_beyond_reckoning_is_refused_and_spoils_nothing(
    make: Callable[[float], Any], bad: float
) -> None:
    figure, other = make(10), make(10)
    for one in (figure, other):
        one.update_many([1.0, 2.0])
    with pytest.raises(BadNumber, match="is not finite, or not below 1e\\+150"):
        figure.update(bad)
    with pytest.raises(BadNumber):
        figure.update_many([3.0, bad, 4.0])
    assert figure.update(5.0) == other.update(5.0)


@pytest.mark.parametrize("make", KINDS)
def test_the_largest_values_there_may_be_stay_finite(make: Callable[[float], Any]) -> None:
    values = [9e149, -9e149] * 50
    assert np.isfinite(make(5).update_many(values)).all()
    figure = make(5)
    assert all(math.isfinite(figure.update(x)) for x in values)


@pytest.mark.parametrize("make", KINDS)
def test_no_values_are_nothing_and_rows_of_rows_are_refused(make: Callable[[float], Any]) -> None:
    figure = make(5)
    assert figure.update_many([]).tolist() == []
    with pytest.raises(ValueError, match="one dimension; not of 2"):
        figure.update_many(np.zeros((2, 2)))
    assert figure.update(1.0) == make(5).update(1.0)
