"""Figures as people read them."""

from decimal import Decimal

import pytest

from ticktree.backtesting.definitions import DEFINITIONS, Unit
from ticktree.backtesting.figures import in_unit, money, seconds, span, written
from ticktree.backtesting.statistics import statistics

from .outcomes import BEGAN_NS, busy, ns


@pytest.mark.parametrize(
    ("unit", "figure", "text"),
    [
        (Unit.MONEY, Decimal("-0.285"), "-0.2850"), (Unit.MONEY, Decimal("1234567.891"), "1,234,568"),
        (Unit.MONEY, Decimal("-1234.567"), "-1,234.57"),
        (Unit.MONEY, 0.0000012, "0.000001200"),
        (Unit.MONEY, Decimal("0.00"), "0"), (Unit.SHARE, 0.333333, "33.3 %"), (Unit.BP, 1.9167, "+1.92 bp"),
        (Unit.SECONDS, 0.05, "50.0 ms"), (Unit.COUNT, 12345, "12,345"), (Unit.RATIO, -5.904, "-5.90"),
        (Unit.TIME, BEGAN_NS, "2025-11-24 16:00:00 UTC"),
    ],
)  # fmt: skip
def test_a_figure_has_its_unit(unit: Unit, figure: Decimal | float, text: str) -> None:
    assert in_unit(unit, figure) == text


def test_times_have_the_unit_that_suits_them() -> None:
    assert [seconds(one) for one in (0.0, 0.0000021, 0.25, 12.0, 7980.0, None)] == [
        "0 s", "2.1 us", "250.0 ms", "12.0 s", "2 h 13 m", "n/a",
    ]  # fmt: skip
    assert money(None) == "n/a"


def test_a_span_names_its_day_once() -> None:
    assert span(ns(0), ns(3600)) == "2025-11-24 16:00:00 to 17:00:00 UTC, 1 h 0 m"
    assert span(ns(0), ns(90_000)) == "2025-11-24 16:00:00 to 2025-11-25 17:00:00 UTC, 1 d 1 h"


def test_a_ratio_that_is_not_known_says_why_and_others_do_not() -> None:
    (row,) = statistics(busy(span_s=30, every_s=1, strategies=("a",)).outcome()).total

    def shown(path: str) -> str:
        (found,) = [one for one in DEFINITIONS if one.path == path]
        return written(found, None, row)

    assert shown("risk.sharpe") == "n/a (30 s of data)"
    assert shown("trips.win_rate") == "n/a"
