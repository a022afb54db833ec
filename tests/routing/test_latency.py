"""Histograms of how long orders take."""

import math

import pytest
from hypothesis import given, strategies as st

from ticktree.routing.latency import Histogram, LatencySummary, Stage, StageLatencies

durations = st.integers(0, 200) | st.integers(0, 10**7) | st.integers(0, 1 << 47)
percentiles = st.sampled_from([0, 1, 25, 50, 90, 99, 99.9, 100]) | st.floats(0, 100)


def histogram(*values: int) -> Histogram:
    made = Histogram()
    for value in values:
        made.record(value)
    return made


@given(st.lists(durations, min_size=1, max_size=300), percentiles)
def test_a_percentile_is_at_most_a_32nd_above_the_exact_one_and_never_below(values: list[int], q: float) -> None:
    exact = sorted(values)[max(1, math.ceil(q * len(values) / 100)) - 1]
    found = histogram(*values).percentile(q)
    assert exact <= found <= exact + exact / 32


@given(st.lists(durations), st.lists(durations))
def test_merged_histograms_are_the_histogram_of_all_values(ones: list[int], others: list[int]) -> None:
    merged = histogram(*ones)
    merged.merge(histogram(*others))
    assert merged.summary() == histogram(*ones, *others).summary()


@pytest.mark.parametrize("bits", range(1, 48))
def test_values_at_the_edges_of_buckets_are_kept_apart_as_declared(bits: int) -> None:
    for value in ((1 << bits) - 1, 1 << bits, (1 << bits) + 1):
        found = histogram(value, 1 << 60).percentile(50)
        assert value <= found <= value + value / 32


def test_a_summary_says_how_many_and_how_long() -> None:
    made = histogram(*range(1, 1001))
    assert (made.count, made.max_ns) == (1000, 1000)
    assert made.summary() == LatencySummary(1000, made.percentile(50), made.percentile(99), made.percentile(99.9), 1000)
    assert Histogram().summary() == LatencySummary(0, 0, 0, 0, 0)


def test_what_is_below_zero_counts_as_zero_and_what_is_very_long_in_the_last_bucket() -> None:
    made = histogram(-1, -100, -(1 << 50), 1 << 60)
    assert made.count == 4
    assert (made.percentile(75), made.percentile(100), made.max_ns) == (0, 1 << 60, 1 << 60)


def test_percentiles_beyond_0_and_100_are_refused() -> None:
    for q in (-1, 100.5, math.nan):
        with pytest.raises(ValueError, match="from 0 to 100"):
            histogram(1).percentile(q)


def test_each_venue_has_its_own_histogram_of_every_stage() -> None:
    latencies = StageLatencies()
    stages = latencies.stages("a")
    assert latencies.stages("a") is stages
    latencies.stages("b")
    for ns, each in enumerate(
        (stages.decision_to_journal, stages.journal_to_wire, stages.wire_to_ack, stages.ack_to_fill,
         stages.decision_to_wire), 1
    ):  # fmt: skip
        each.record(ns)
    found = latencies.summaries()
    assert list(found) == ["a", "b"]
    assert [str(stage) for stage in found["a"]] == [
        "decision->journal", "journal->wire", "wire->ack", "ack->fill", "decision->wire",
    ]  # fmt: skip
    assert [summary.max_ns for summary in found["a"].values()] == [1, 2, 3, 4, 5]
    assert all(summary.count == 0 for summary in found["b"].values())
    assert list(found["a"]) == list(Stage)


@given(st.lists(durations, max_size=100))
def test_the_buckets_that_are_not_empty_hold_every_value_up_to_a_32nd_below_their_bound(values: list[int]) -> None:
    bounds = [bound for bound, count in histogram(*values).buckets() for _ in range(count)]
    assert len(bounds) == len(values)
    for value, bound in zip(sorted(values), bounds, strict=True):
        assert value <= bound <= value + value / 32


def test_the_bound_of_the_last_bucket_is_what_took_longest() -> None:
    assert histogram(1, 1 << 60, 1 << 50).buckets() == [(1, 1), (1 << 60, 2)]
