"""Book updates, whole however they are cut, and nothing foreign within them; what is found out about ticks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ticktree.feeds import Source, updates as module
from ticktree.feeds.updates import Updates, check_runs, understood
from ticktree.market import BadTick, InstrumentIds, Ticks
from ticktree.market.ticks import IdTable, copied, encoded, heads

from .json_feed import BTC, ETH
from .rig import Collector
from .test_wire_feed import book_ticks, trades

MIXED = np.concatenate(
    [book_ticks(3), encoded(trades(2)), book_ticks(1, instrument=ETH), book_ticks(5, snapshot=True), encoded(trades(1))]
)


@given(st.lists(st.integers(0, len(MIXED)), max_size=8))
def test_wherever_it_is_cut_the_same_comes_out_in_whole_updates(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(MIXED)]
    updates = Updates("test")
    parts = [updates.whole(MIXED[start:end]) for start, end in pairwise(places)]
    for part in parts:
        assert not len(part) or part["kind"][-1] != 3 or part["flags"][-1] & 4
    assert b"".join(part.tobytes() for part in parts) == MIXED.tobytes()


def test_what_is_held_back_is_a_copy() -> None:
    read = copied(book_ticks(3))
    updates = Updates("test")
    assert len(updates.whole(read[:2])) == 0
    expected = book_ticks(3).tobytes()
    read["a"][:2] = 0
    assert updates.whole(read[2:]).tobytes() == expected


def test_the_bound_is_of_one_update_and_not_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_HELD_ROWS", 5)
    updates = Updates("test")
    for _ in range(10):
        assert len(updates.whole(book_ticks(4)[:3])) == 0
        assert len(updates.whole(book_ticks(4)[3:])) == 4
    updates.whole(book_ticks(9)[:5])
    with pytest.raises(BadTick, match="does not end within 5 rows"):
        updates.whole(book_ticks(9)[5:6])


def test_what_stands_alone_is_passed_on_as_it_is() -> None:
    ticks = encoded(trades(3))
    assert Updates("test").whole(ticks) is ticks


def test_whole_updates_are_in_order() -> None:
    check_runs(heads(MIXED), "test")
    check_runs(heads(MIXED[:0]), "test")
    check_runs(heads(MIXED[:2]), "test")  # unfinished: `Updates` has that in hand


@pytest.mark.parametrize(
    ("ticks", "row"),
    [
        (np.concatenate([book_ticks(3)[:2], encoded(trades(1))]), 2),
        (np.concatenate([encoded(trades(4)), book_ticks(2)[:1], book_ticks(2, instrument=ETH)]), 5),
        (np.concatenate([book_ticks(2)[:1], book_ticks(2, snapshot=True)]), 1),
    ],
    ids=["a trade", "another instrument", "a snapshot"],
)
def test_a_stranger_within_an_update_is_found(ticks: Ticks, row: int) -> None:
    with pytest.raises(BadTick, match=f"tick {row} of the batch"):
        check_runs(heads(ticks), "test")


# --- what is found out ---------------------------------------------------------------------------------------------

SWAPPED = {BTC.id: ETH.id, ETH.id: BTC.id}
whole_updates = st.lists(
    st.sampled_from([encoded(trades(1)), book_ticks(2), book_ticks(1, instrument=ETH), book_ticks(3, snapshot=True)]),
    min_size=1,
    max_size=8,
)
tables = st.sampled_from([None, {}, {BTC.id: BTC.id}, {BTC.id: BTC.id, ETH.id: ETH.id}, SWAPPED])
changes = st.none() | st.tuples(st.sampled_from(["kind", "flags", "instrument"]), st.sampled_from([0, 2, 3, 5, 255]))
worse = st.none() | st.tuples(st.sampled_from("abcd"), st.sampled_from([float("nan"), float("inf"), -1.0]))


@given(whole_updates, tables, changes | worse, st.integers(0, 23))
def test_the_same_is_found_out_about_few_rows_as_about_many(
    parts: list[Ticks], ids: dict[int, int] | None, change: tuple[str, float] | None, place: int
) -> None:
    told = np.concatenate(parts)
    if change is not None:
        field, value = change
        told[field][place % len(told)] = value
    known = InstrumentIds()
    for instrument in (BTC, ETH):
        known.adopt(instrument)

    def outcome(vector_rows: int) -> object:
        ticks = told.copy()
        table = None if ids is None else IdTable()
        for theirs, ours in (ids or {}).items():
            assert table is not None
            table.define(theirs, ours)
        source = Source("test", (), Collector(), ids=known)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "VECTOR_ROWS", vector_rows)
            try:
                batch, kinds = understood(ticks, source, table)
            except BadTick as error:
                return str(error)
        try:
            events = list(batch.events)
        except KeyError as error:  # who has no table is not told what an id means
            return repr(error)
        return kinds, batch.ticks.tobytes(), batch.places.tolist(), events

    assert outcome(0) == outcome(100)
