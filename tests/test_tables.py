"""Columns and figures, as people read them."""

from decimal import Decimal

import pytest

from ticktree.tables import aligned, amount, cut, labelled, lasting, size, titled, took, took_each


def test_columns_are_as_wide_as_what_stands_in_them() -> None:
    name = "strategies/a-group-of-them/momentum"
    heads, row = titled([["ticks, by mailbox", "received ="], [name, "1,234,567,890"]])
    assert row == f"  {name}  1,234,567,890"
    assert heads.endswith("received =")
    assert len(heads) == len(row)


def test_names_stand_left_and_numbers_right() -> None:
    assert aligned([["feed", "state", "gaps"], ["north", "live", "12"]], left=(0, 1)) == [
        "feed   state  gaps",
        "north  live     12",
    ]


def test_what_is_said_of_a_name_stands_beside_it_line_by_line() -> None:
    assert labelled([("hub", ""), ("feeds", "north\nsouth")]) == ["  hub", "  feeds  north", "         south"]


def test_text_that_does_not_fit_is_seen_to_be_cut() -> None:
    assert [cut("0.01 BTC, -0.2 ETH", width) for width in (18, 10, 1, 0)] == [
        "0.01 BTC, -0.2 ETH", "0.01 BTC..", ".", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0", "0.0000"), ("-0.015", "-0.0150"), ("63994.123456", "63994.1235"), ("0.00000637", "0.000006370"),
        ("-0.0000003822", "-0.0000003822"), ("1E+3", "1000.0000"),
    ],
)  # fmt: skip
def test_an_amount_is_never_rounded_to_nothing(value: str, shown: str) -> None:
    assert amount(Decimal(value)) == shown


def test_durations_and_sizes_have_the_unit_that_suits_them() -> None:
    assert [took(ns) for ns in (0, 12, 1_500, 2_000_000, 3_400_000_000)] == [
        "0",
        "12.0 ns",
        "1.5 us",
        "2.0 ms",
        "3.4 s",
    ]
    assert took_each(100, 40_200, 41_000) == "0.1/40.2/41.0 us"
    assert [size(count) for count in (12, 70_500_000)] == ["12 B", "70.5 MB"]
    assert [lasting(seconds) for seconds in (0.4, 75, 7_980)] == ["0 s", "1 m 15 s", "2 h 13 m"]
