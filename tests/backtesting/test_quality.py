"""How well orders were executed, in basis points."""

import math
from typing import Any

import msgspec
import pytest

from ticktree.backtesting.quality import Measured, quality

from .outcomes import BUY, SELL, Street


def at(decided: float, filled: float, *later: float | None) -> dict[str, Any]:
    return {"decided_mid": decided, "mid": filled, "later_mids": later}


def test_paying_more_than_the_middle_or_getting_less_is_a_cost() -> None:
    street = Street()
    street.fill(BUY, "1", "100.5", 10, **at(100.0, 100.25))
    street.fill(SELL, "1", "99.5", 20, **at(100.0, 99.75))
    street.fill(BUY, "1", "99.5", 30, **at(100.0, 100.0))
    found = Measured.of(street.fills)
    assert list(found.slippage) == pytest.approx([0.25 / 100.25 * 1e4, 0.25 / 99.75 * 1e4, -50])
    assert list(found.shortfall) == pytest.approx([50, 50, -50])


def test_a_price_that_goes_the_way_of_the_fill_is_a_gain() -> None:
    street = Street()
    street.fill(BUY, "1", "100.5", 10, **at(100.0, 100.0, 101.5, 99.5, None))
    street.fill(SELL, "1", "100.5", 20, **at(100.0, 100.0, 101.5))
    found = Measured.of(street.fills)
    assert [list(one) for one in found.markouts] == [
        pytest.approx(expected, nan_ok=True) for expected in ([100, -100], [-100, math.nan], [math.nan, math.nan])
    ]


def test_each_fill_counts_by_its_notional() -> None:
    street = Street()
    street.fill(BUY, "3", "101", 10, **at(100.0, 100.0, 102.0, None, None))
    street.fill(BUY, "1", "100", 20, **at(100.0, 100.0, 100.0, None, None))
    found = quality(street.fills)
    assert found.slippage_bp == pytest.approx(100 * 303 / 403)
    assert found.effective_spread_bp == pytest.approx(200 * 303 / 403)
    assert found.markouts[0].markout_bp == pytest.approx(100 * 303 / 403)
    assert found.markouts[0].realised_spread_bp == pytest.approx(-200 * 303 / 403)
    assert [(one.after_s, one.markout_bp, one.counted) for one in found.markouts[1:]] == [
        (10.0, None, 0.0), (60.0, None, 0.0),
    ]  # fmt: skip


def test_what_had_no_middle_is_left_out_and_that_is_said() -> None:
    street = Street()
    street.fill(BUY, "1", "101", 10, **at(100.0, 100.0))
    street.fill(BUY, "2", "101", 20, decided_mid=None, mid=None)
    street.fill(BUY, "1", "101", 20, **at(0.0, 0.0))
    found = quality(street.fills)
    assert [found.slippage_bp, found.counted] == pytest.approx([100, 0.25])


def test_times_to_fills_are_weighed_too() -> None:
    street = Street()
    for quantity, wait_s in (("1", 5.0), ("90", 0.1), ("9", 1.0)):
        row = street.fill(BUY, quantity, "100", 100)
        street.fills[-1] = msgspec.structs.replace(row, decided_ns=row.time_ns - round(wait_s * 1e9))
    found = quality(street.fills)
    assert (found.to_fill_median_s, found.to_fill_p95_s) == (0.1, 1.0)


def test_without_fills_nothing_is_said() -> None:
    found = quality([])
    assert {found.slippage_bp, found.shortfall_bp, found.effective_spread_bp, found.counted} == {None}
    assert {found.to_fill_median_s, found.to_fill_p95_s, *(one.markout_bp for one in found.markouts)} == {None}
