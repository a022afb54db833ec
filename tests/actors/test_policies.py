"""How long to wait before trying again."""

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ticktree.actors import Backoff, NoDelay, SpecError

seconds = st.floats(min_value=1e-6, max_value=1e6)


@given(base_s=seconds, factor=st.floats(1.0, 1e6), attempt=st.integers(0, 5_000), seed=st.integers())
def test_backoff_stays_below_the_exponential_and_the_ceiling(
    base_s: float, factor: float, attempt: int, seed: int
) -> None:
    backoff = Backoff(base_s, base_s * factor)
    delay_s = backoff.delay_s(attempt, Random(seed))
    assert 0 <= delay_s <= backoff.ceiling_s
    if attempt < 1000:
        assert delay_s <= base_s * 2.0**attempt


@given(attempt=st.integers(0, 12), seed=st.integers())
def test_backoff_is_spread_over_the_whole_range(attempt: int, seed: int) -> None:
    backoff, random = Backoff(0.5, 100.0), Random(seed)
    top_s = min(100.0, 0.5 * 2.0**attempt)
    delays = [backoff.delay_s(attempt, random) for _ in range(200)]
    assert min(delays) < top_s * 0.1  # full jitter: each fails once in 10**9 draws
    assert max(delays) > top_s * 0.9


@given(seed=st.integers())
def test_backoff_is_the_same_for_the_same_seed(seed: int) -> None:
    delays = [[Backoff().delay_s(n, random) for n in range(10)] for random in (Random(seed), Random(seed))]
    assert delays[0] == delays[1]


@pytest.mark.parametrize(
    ("base_s", "ceiling_s"), [(0, 1), (-1, 1), (2, 1), (1, math.inf), (math.nan, 1), (1, math.nan), ("1", 2), (1, None)]
)
def test_a_backoff_that_cannot_work_is_refused(base_s: Any, ceiling_s: Any) -> None:
    with pytest.raises(SpecError, match="0 < base_s <= ceiling_s"):
        Backoff(base_s, ceiling_s)


def test_no_delay_is_none() -> None:
    assert NoDelay().delay_s(7, Random(0)) == 0.0
