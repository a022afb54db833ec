"""Durations and sizes are read as people write them, and exactly."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ticktree.market import BadUnit, MarketError, seconds, size_bytes, written

DURATIONS = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
UNITS = {"us": Fraction(1, 10**6), "ms": Fraction(1, 1_000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("250ms", 0.25), ("1.5s", 1.5), ("2m", 120.0), ("1 h", 3600.0), (" 10us ", 0.00001), ("0s", 0.0), ("0.1ms", 1e-4)],
)
def test_durations_are_read(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0s"), (0.25, "250ms"), (0.0005, "500us"), (0.00000025, "0.25us"), (1, "1s"), (1.5, "1.5s"), (90, "90s"),
        (60, "1m"), (120, "2m"), (3600, "1h"), (5400, "90m"), (86_400, "24h"), (0.1, "100ms"), (60.5, "60.5s"),
    ],
)  # fmt: skip
def test_durations_are_written_in_the_unit_that_suits(value: float, text: str) -> None:
    assert written(value) == text


@given(DURATIONS)
def test_what_is_written_is_read_as_the_same_number(value: float) -> None:
    assert seconds(written(value)) == value


@given(st.integers(0, 10**12), st.integers(0, 9), st.sampled_from(sorted(UNITS)))
def test_what_is_read_is_the_float_nearest_to_what_was_written(digits: int, decimals: int, unit: str) -> None:
    text = f"{Decimal(digits).scaleb(-decimals):f}"
    assert seconds(f"{text}{unit}") == float(Fraction(text) * UNITS[unit])


@pytest.mark.parametrize("value", [-1.0, float("inf"), float("nan")])
def test_what_is_no_duration_is_not_written(value: float) -> None:
    with pytest.raises(BadUnit, match="finite number of seconds, 0 or above"):
        written(value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("30", "30s"), (30, "30s"), (0.5, "0.5s"), ("5min", "5m"), ("2 hours", "2h"), ("20MS", "20ms"),
        ("1.50sec", "1.5s"), ("", ""), ("s", ""), ("soon", ""), ("-1s", ""), ("1e3s", ""), (".5s", ""), ("5d", ""),
        ("1s 2s", ""), ("٣s", ""), ("1s\n2m", ""), ("nan", ""), (True, ""), (None, ""), ("9" * 400 + "h", ""),
    ],
)  # fmt: skip
def test_another_duration_is_refused_with_what_to_write(text: Any, meant: str) -> None:
    with pytest.raises(BadUnit, match=r'is not a duration, as in "250ms", "1.5s", "2m" or "1h"') as caught:
        seconds(text)
    assert caught.value.near == meant
    assert (f"did you mean {meant!r}?" in str(caught.value)) == bool(meant)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64KiB", 65_536), ("1MB", 1_000_000), ("1 MiB", 1_048_576), ("2GB", 2 * 10**9), ("1GiB", 2**30),
        ("5kB", 5_000), ("1.5KB", 1_500), ("1.5KiB", 1_536), ("512B", 512), (512, 512), (0, 0),
    ],
)  # fmt: skip
def test_sizes_are_read(text: str | int, expected: int) -> None:
    found = size_bytes(text)
    assert (found, type(found)) == (expected, int)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("64kib", "64KiB"), ("64", "64B"), ("3mb", "3MB"), ("1K", ""), (-1, ""), (1.5, "1.5B"), (True, ""),
        ("0.3B", ""), ("", ""),
    ],
)  # fmt: skip
def test_another_size_is_refused_with_what_to_write(text: Any, meant: str) -> None:
    with pytest.raises(BadUnit, match='is not a size, as in "64KiB", "1MB" or a number of bytes') as caught:
        size_bytes(text)
    assert caught.value.near == meant


def test_the_error_is_one_of_the_room_and_of_values() -> None:
    assert issubclass(BadUnit, MarketError)
    assert issubclass(BadUnit, ValueError)


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(BadUnit) as caught:
        seconds("x" * 100_000)
    assert len(str(caught.value)) < 300
