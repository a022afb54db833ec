"""The 64-byte record: its layout, the way to events and back, and what is refused."""

import struct
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from ticktree.market import TICK, BadTick, BookUpdate, Data, Side, TickFlag, TickKind, Ticks, ticks
from ticktree.market.instruments import MOST_IDS
from ticktree.market.ticks import (
    RECORD,
    VECTOR_ROWS,
    IdTable,
    all_are,
    check,
    copied,
    encode,
    encoded,
    heads,
    kinds_of,
    last_rows,
    places,
    unpacked,
)

from .samples import IDS, data_events, quote, quotes, trade, trades, update

# --- layout --------------------------------------------------------------------------------------------------------


def test_the_record_is_laid_out_as_documented() -> None:
    offsets = {name: field[1] for name, field in (TICK.fields or {}).items()}
    assert offsets == {
        "instrument": 0, "kind": 4, "flags": 5, "source": 6, "sequence": 8, "venue_time_ns": 16,
        "received_time_ns": 24, "a": 32, "b": 40, "c": 48, "d": 56,
    }  # fmt: skip
    assert TICK.itemsize == RECORD.size == 64
    assert encode([quote()]) == struct.pack("<IBBHQqqdddd", 1, 2, TickFlag.LAST, 0, 7, 10, 20, 100.0, 1.5, 100.5, 2.5)
    assert encode([trade()]) == struct.pack("<IBBHQqqdddd", 1, 1, 4 + 1, 0, 8, 11, 20, 100.25, 0.5, 0.0, 0.0)


def test_a_book_update_is_a_run_of_rows_with_bids_first() -> None:
    rows = encoded([update((99.0, 1.0), (98.0, 0.0), asks=((101.0, 2.0),), snapshot=True)])
    assert rows["flags"].tolist() == [1 + 8, 1 + 8, 2 + 8 + 4]
    assert rows["kind"].tolist() == [TickKind.BOOK] * 3
    assert [*zip(rows["a"].tolist(), rows["b"].tolist(), strict=True)] == [(99.0, 1.0), (98.0, 0.0), (101.0, 2.0)]
    assert set(rows["sequence"].tolist()) == {9}


def test_a_crossed_quote_is_flagged_and_kept() -> None:
    crossed = encode([quote(bid=101.0, ask=100.0)])
    assert crossed[5] & TickFlag.CROSSED


def test_the_aggressor_is_in_the_flags() -> None:
    flags = [encode([trade(aggressor=side)])[5] & 3 for side in (None, Side.BUY, Side.SELL)]
    assert flags == [0, 1, 2]


# --- there and back ------------------------------------------------------------------------------------------------

# By columns where there are many of one kind, else in a loop: so lists of one kind, and of several, short and long.
few = st.lists(trades, max_size=5) | st.lists(quotes, max_size=5) | st.lists(data_events, max_size=5)


@given(few, st.sampled_from([1, VECTOR_ROWS]))
def test_events_come_back(events: list[Data], times: int) -> None:
    assert ticks.events(encoded(events * times), IDS.by_id, "sim") == events * times


def test_many_trades_have_the_sides_that_each_has_alone() -> None:
    rows = rows_of(b"".join(record(flags=flags) for flags in range(256)))
    each = [event for row in range(256) for event in ticks.events(rows[row : row + 1], IDS.by_id, "sim")]
    many = ticks.events(rows, IDS.by_id, "sim")
    assert many == each
    assert [repr(one) for one in many] == [repr(one) for one in each]  # a side equals its number


@pytest.mark.parametrize("event", [quote(), trade()])
def test_many_rows_of_an_instrument_nobody_knows_are_no_events(event: Data) -> None:
    with pytest.raises(KeyError):
        ticks.events(encoded([event] * VECTOR_ROWS), {}, "sim")


@given(st.lists(data_events, min_size=1, max_size=5))
def test_vectorised_and_scalar_records_are_the_same(events: list[Data]) -> None:
    events = events * VECTOR_ROWS
    assert encoded(events).tobytes() == b"".join(encoded([event]).tobytes() for event in events)


def test_what_the_record_cannot_say_is_left_behind() -> None:
    rich = BookUpdate("sim", trade().instrument, ((1.0, 2.0),), (), False, 3, 9, 1, 2, False, ((("1", "2"),), ()), 77)
    assert ticks.events(encoded([rich]), IDS.by_id, "sim") == [
        BookUpdate("sim", rich.instrument, rich.bids, (), False, 9, 9, 1, 2)
    ]


# --- which stream a row is of ---------------------------------------------------------------------------------------


@given(st.lists(data_events, min_size=1, max_size=15), st.sampled_from([1, VECTOR_ROWS]))
def test_the_last_row_of_each_stream_is_found(events: list[Data], times: int) -> None:
    rows = encoded(events * times)
    last = {(row[0], row[1]): row for row in rows.tolist()}
    found = last_rows(rows, places(heads(rows)), IDS.end)
    assert {(row[0], row[1]): row for row in found} == last
    assert len(found) == len(last)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 255)), max_size=50), st.booleans())
def test_heads_tell_ids_and_kinds_as_the_rows_do(heads_made: list[tuple[int, int]], apart: bool) -> None:
    rows = rows_of(b"".join(record(instrument=id, kind=kind, flags=0xFF) for id, kind in heads_made))
    rows = rows[::2] if apart else rows
    assert kinds_of(heads(rows)) == rows["kind"].tobytes()
    assert places(heads(rows)).tolist() == [4 * row[0] + row[1] for row in rows.tolist()]


def test_whether_all_are_of_one_kind() -> None:
    assert all_are(b"\2\2\2", 2)
    assert not all_are(b"\2\2\2", 1)
    assert not all_are(b"\2\2\1", 2)
    assert all_are(b"", 1)


# --- check ---------------------------------------------------------------------------------------------------------


def record(**changed: Any) -> bytes:
    fields: dict[str, Any] = {
        "instrument": 1, "kind": 1, "flags": 4, "source": 0, "sequence": 1, "venue": 0, "received": 0,
        "a": 1.0, "b": 1.0, "c": 2.0, "d": 1.0,
    }  # fmt: skip
    return RECORD.pack(*(fields | changed).values())


def rows_of(data: bytes) -> Ticks:
    return np.frombuffer(data, TICK)


BAD: list[tuple[dict[str, Any], str]] = [
    *(({field: value}, "not finite") for field in "abcd" for value in (float("nan"), float("inf"), float("-inf"))),
    ({"b": -1.0}, "negative"),
    ({"kind": 2, "d": -5e-324}, "negative"),  # a trade has no d
    ({"kind": 0}, "no kind 0"),
    ({"kind": 4}, "no kind 4"),
    ({"kind": 255}, "no kind 255"),
    ({"kind": TickKind.BOOK, "flags": 4}, "neither"),
    ({"kind": TickKind.BOOK, "flags": 7}, "neither"),
]
FINE: list[dict[str, Any]] = [
    {},
    {"a": 1.7e308, "b": 1.7e308},  # sums and products overflow
    {"a": -1.7e308, "b": 1.7e308},
    {"c": -1.7e308, "d": 1.7e308, "kind": TickKind.QUOTE},
    {"b": 0.0, "d": -0.0},
    {"a": 5e-324, "b": 5e-324},
    {"kind": TickKind.BOOK, "flags": 1},
    {"kind": TickKind.BOOK, "flags": 0xFE},
    {"flags": 255},
    {"kind": TickKind.QUOTE, "flags": 0},
]
some = st.lists(st.sampled_from(FINE), max_size=2 * VECTOR_ROWS)
bad = st.sampled_from(BAD)


@given(some, bad, st.lists(st.sampled_from(FINE) | bad.map(lambda found: found[0]), max_size=VECTOR_ROWS))
def test_the_first_row_that_cannot_be_is_named(
    before: list[dict[str, Any]], found: tuple[dict[str, Any], str], after: list[dict[str, Any]]
) -> None:
    changed, why = found
    data = b"".join(record(**row) for row in [*before, changed, *after])
    with pytest.raises(BadTick, match=why) as raised:
        check(rows_of(data), "sim")
    assert (raised.value.feed, raised.value.row) == ("sim", len(before))


@pytest.mark.parametrize(("changed", "why"), BAD)
@pytest.mark.parametrize("before", [0, VECTOR_ROWS - 2, VECTOR_ROWS, 10_000])
def test_a_bad_row_is_found_behind_many_good_ones(before: int, changed: dict[str, Any], why: str) -> None:
    with pytest.raises(BadTick, match=why) as raised:
        check(rows_of(record() * before + record(**changed)), "sim")
    assert raised.value.row == before


LEFT_IN_A_CYCLE = """
import gc
import numpy as np
from ticktree.market import TICK, BadTick
from ticktree.market.ticks import check

for _ in range(50):
    try:
        check(np.zeros(64, TICK), "sim")
    except BadTick as error:
        error.itself = error
gc.collect()
"""


def test_what_a_bad_row_left_in_its_frames_may_be_collected() -> None:
    """In a process of its own: with an iterator over a view of the rows CPython 3.11 crashes."""
    subprocess.run([sys.executable, "-c", LEFT_IN_A_CYCLE], check=True, timeout=60)


@given(some)
@example([{"a": 1.7e308, "b": 1.7e308}, {"a": -1.7e308, "b": 1.7e308}] * VECTOR_ROWS)
def test_rows_that_may_be_are_no_false_alarm(rows: list[dict[str, Any]]) -> None:
    check(rows_of(b"".join(record(**row) for row in rows)), "sim")


@given(few)
def test_what_we_encode_passes(events: list[Data]) -> None:
    check(encoded(events), "sim")


# --- ids -----------------------------------------------------------------------------------------------------------


def with_ids(*ids: int) -> Ticks:
    return rows_of(b"".join(record(instrument=id) for id in ids)).copy()


@given(st.dictionaries(st.integers(0, 200), st.integers(0, MOST_IDS - 1), min_size=1), st.data())
def test_ids_are_translated(table: dict[int, int], data: st.DataObject) -> None:
    ids = IdTable()
    for theirs, ours in table.items():
        ids.define(theirs, ours)
    found = data.draw(st.lists(st.sampled_from(sorted(table)), max_size=50))
    rows = with_ids(*found)
    assert not found or ids.leaves(list(unpacked(rows))) == ids.identical
    ids.translate(rows, told := heads(rows), "sim")
    assert rows["instrument"].tolist() == [table[theirs] for theirs in found]
    assert told.tolist() == heads(rows).tolist()
    assert ids.identical == all(theirs == ours for theirs, ours in table.items())


def test_identical_ids_need_no_writing() -> None:
    ids = IdTable()
    ids.define(3, 3)
    rows = with_ids(3, 3)
    rows.setflags(write=False)
    ids.translate(rows, heads(rows), "sim")
    assert ids.identical


@pytest.mark.parametrize("stranger", [0, 4, 6, 7, 100, MOST_IDS, 0xFFFF_FFFF])
def test_an_id_that_was_never_defined_is_refused_by_row(stranger: int) -> None:
    ids = IdTable()
    ids.define(3, 8)
    ids.define(5, 5)
    rows = with_ids(3, 5, stranger, 3)
    with pytest.raises(BadTick, match=f"instrument {stranger} was never defined") as raised:
        ids.translate(rows, heads(rows), "sim")
    assert raised.value.row == 2
    assert rows["instrument"].tolist() == [3, 5, stranger, 3]


def test_an_id_may_be_defined_anew() -> None:
    ids = IdTable()
    ids.define(1, 7)
    ids.define(1, 9)
    rows = with_ids(1)
    ids.translate(rows, heads(rows), "sim")
    assert rows["instrument"].tolist() == [9]


def test_nothing_is_translated_to_nothing() -> None:
    IdTable().translate(with_ids(), heads(with_ids()), "sim")


@pytest.mark.parametrize("id", [-1, MOST_IDS])
def test_ids_that_would_fill_the_memory_are_refused(id: int) -> None:
    with pytest.raises(ValueError, match="0 to 1,048,575"):
        IdTable().define(id, 1)


# --- copies --------------------------------------------------------------------------------------------------------


def test_a_copy_is_writable_and_its_own() -> None:
    rows = rows_of(record() * 3)
    mine = copied(rows)
    mine["a"] = 5.0
    assert rows["a"].tolist() == [1.0] * 3
    assert mine.dtype == TICK
