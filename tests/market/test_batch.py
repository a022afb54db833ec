"""What one read brought: two shapes, the same laws."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ticktree.market import Bar, Batch, BookUpdate, Data, Skipped, batch_rows, weight

from .samples import BTC, ETH, IDS, data_events, quote, trade, update

BAR = Bar("sim", BTC, 1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 5, 6, 7, 8)
many_events = st.lists(data_events, max_size=15)


def of_events(events: Sequence[Data]) -> Batch:
    return Batch("sim", IDS, events=events)


def of_ticks(events: Sequence[Data]) -> Batch:
    return Batch("sim", IDS, ticks=of_events(events).ticks)


def both(events: Sequence[Data]) -> tuple[Batch, ...]:
    """`events` in either shape, and in either after the other one was looked at."""
    converted = of_events(events), of_ticks(events)
    assert len(converted[0].ticks) == sum(map(weight, events))
    assert len(converted[1].events) == len(events)
    return of_events(events), of_ticks(events), *converted


def places(events: Sequence[Data]) -> list[int]:
    """Where a batch of `events` may be cut."""
    return [0, *np.cumsum([weight(event) for event in events]).tolist()]


# --- from one shape to the other -----------------------------------------------------------------------------------


@given(many_events)
def test_events_come_back_from_columns(events: list[Data]) -> None:
    batch = of_ticks(events)
    assert batch.events == events
    assert batch.events is batch.events


@given(many_events)
def test_a_batch_weighs_its_rows_in_either_shape(events: list[Data]) -> None:
    rows = sum(map(weight, events))
    for batch in both(events):
        assert len(batch) == batch.rows == len(batch.ticks) == rows
    assert (of_events(events).columnar, of_ticks(events).columnar) == (False, True)


def test_its_events_are_known_once_they_are_worked_out() -> None:
    events: list[Data] = [trade(), quote()]
    assert of_events(events).known is events
    batch = of_ticks(events)
    assert batch.known is None
    assert batch.events == events
    assert batch.known is batch.events


def test_columns_are_read_only() -> None:
    for count in (1, 50):
        assert not of_events([trade()] * count).ticks.flags.writeable


def test_a_bar_weighs_one_and_has_no_row() -> None:
    batch = of_events([trade(), BAR, trade()])
    assert (len(batch), len(batch.ticks)) == (3, 2)
    assert batch[1:].events == [BAR, trade()]
    assert (batch.floor(3), batch.ceiling(3)) == (3, 3)


def test_a_batch_is_of_something() -> None:
    with pytest.raises(TypeError, match="ticks or of events"):
        Batch("sim", IDS)


def test_it_says_whose_and_how_much_it_is() -> None:
    assert repr(of_events([update((1.0, 2.0), (2.0, 3.0))])) == "<Batch of sim: 2 rows>"


# --- cutting -------------------------------------------------------------------------------------------------------


@given(many_events)
def test_both_shapes_are_cut_at_the_same_places_and_never_within_an_update(events: list[Data]) -> None:
    allowed = places(events)
    for batch in both(events):
        for rows in range(1, len(batch) + 3):
            assert batch.floor(rows) == max(place for place in allowed if place <= rows)
            assert batch.ceiling(rows) == min((place for place in allowed if place >= rows), default=len(batch))


@given(many_events, st.lists(st.integers(0, 200), max_size=4))
def test_slices_make_up_the_whole(events: list[Data], wanted: list[int]) -> None:
    for batch in both(events):
        cuts = sorted({0, len(batch), *(batch.floor(rows) for rows in wanted)})
        parts = [batch[a:b] for a, b in pairwise(cuts)]
        assert [event for part in parts for event in part.events] == list(batch.events)
        assert b"".join(part.ticks.tobytes() for part in parts) == batch.ticks.tobytes()
        assert [len(part) for part in parts] == [b - a for a, b in pairwise(cuts)]
        assert all(part.columnar == batch.columnar and part.feed == "sim" for part in parts)


@given(many_events, st.integers(1, 20))
def test_pieces_are_small_enough_or_a_single_update(events: list[Data], rows: int) -> None:
    for batch in both(events):
        pieces = list(batch.pieces(rows))
        assert [event for piece in pieces for event in piece.events] == events
        assert all(len(piece) <= rows or len(piece.events) == 1 for piece in pieces)


def test_an_update_that_is_not_whole_is_not_cut() -> None:
    part = Batch("sim", IDS, ticks=of_events([trade(), update((1.0, 2.0), (2.0, 3.0), (3.0, 4.0))]).ticks[:3])
    assert (part.floor(3), part.floor(1), part.ceiling(2)) == (1, 1, 3)


# --- in a mailbox --------------------------------------------------------------------------------------------------


def test_a_mailbox_cuts_batches_and_no_single_event() -> None:
    batch, alone = of_events([trade(), update((1.0, 2.0), (2.0, 3.0)), trade()]), update((1.0, 2.0), (2.0, 3.0))
    assert (batch_rows.floor(batch, 2), batch_rows.ceiling(batch, 2)) == (1, 3)
    assert (batch_rows.floor(alone, 1), batch_rows.ceiling(alone, 1)) == (0, 2)
    assert (batch_rows.floor(quote(), 1), batch_rows.ceiling(quote(), 1)) == (0, 1)


@given(many_events)
def test_the_books_of_a_batch_are_the_same_in_either_shape(events: list[Data]) -> None:
    expected = {("sim", event.instrument.name) for event in events if isinstance(event, BookUpdate)}
    for batch in both(events):
        assert batch.books() == expected


@given(st.lists(st.tuples(st.lists(data_events, min_size=1, max_size=4), st.integers(0, 2)), min_size=1, max_size=3))
def test_the_mark_of_what_was_skipped_counts_all_rows_and_names_every_book(lost: list[tuple[list[Data], int]]) -> None:
    mark: Skipped | None = None
    everything = list[Data]()
    for events, shape in lost:
        whole = (of_events(events), of_ticks(events), events[0])[shape]
        everything += events[:1] if shape == 2 else events
        mark = batch_rows.skipped(mark, whole)
    books = {("sim", event.instrument.name) for event in everything if isinstance(event, BookUpdate)}
    assert mark == Skipped(sum(map(weight, everything)), frozenset(books))


def test_the_mark_names_only_books() -> None:
    batch = of_ticks([quote(instrument=ETH), update((1.0, 2.0))])
    assert batch_rows.skipped(None, batch) == Skipped(2, frozenset({("sim", "BTC-USDT")}))
    assert batch_rows.skipped(Skipped(3), trade()) == Skipped(4)
