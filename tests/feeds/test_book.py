"""One book between its deltas and its snapshot."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from ticktree.feeds import SequenceRule
from ticktree.feeds.book import MOST_WAITING, MOST_WAITING_LEVELS, MOST_WAITING_NS, FeedBook
from ticktree.feeds.errors import ChecksumFailed
from ticktree.feeds.sequence import Verdict
from ticktree.market import BookUpdate, Level, OrderBook, TextLevel

from .json_feed import BTC


def delta(
    first: int, last: int | None = None, *, levels: int = 1, received_ns: int = 0, size: float = 1.0
) -> BookUpdate:
    bids = tuple((100.0 + n, size) for n in range(levels))
    return BookUpdate("test", BTC, bids, (), False, first, first if last is None else last, 0, received_ns)


def snapshot(sequence: int, levels: int = 1) -> BookUpdate:
    bids = tuple((50.0 - n, 1.0) for n in range(levels))
    return BookUpdate("test", BTC, bids, (), True, sequence, sequence, 0, 0)


def unasked(book: OrderBook, update: BookUpdate) -> None:
    raise AssertionError("these updates have no checksum")


def book(rule: SequenceRule = SequenceRule.RANGE, *waiting: BookUpdate) -> FeedBook:
    made = FeedBook(BTC, rule, OrderBook, unasked)
    for update in waiting:
        made.wait(update)
    return made


def numbers(told: Sequence[BookUpdate] | None) -> list[int]:
    assert told is not None
    return [update.sequence for update in told]


@pytest.mark.parametrize(
    ("waiting", "sequence", "told"),
    [
        ([], 5, [5]),
        ([(3, 4)], 5, [5]),  # in the snapshot
        ([(6, 6), (7, 9)], 5, [5, 6, 9]),
        ([(4, 6), (7, 9)], 5, [5, 6, 9]),  # reaches across its end
        ([(3, 5), (4, 5), (6, 6), (6, 6), (5, 6), (7, 7)], 5, [5, 6, 7]),
    ],
)
def test_a_snapshot_that_reaches_what_waits_bridges(
    waiting: list[tuple[int, int]], sequence: int, told: list[int]
) -> None:
    made = book(SequenceRule.RANGE, *(delta(*span) for span in waiting))
    assert numbers(made.bridge(snapshot(sequence))) == told
    assert made.verified
    assert (made.waiting, made.levels) == ([], 0)
    assert made.last == told[-1]


def test_a_snapshot_that_does_not_reach_what_waits_is_too_old_and_changes_nothing() -> None:
    made = book(SequenceRule.RANGE, delta(7), delta(8))
    assert made.bridge(snapshot(5)) is None
    assert not made.verified
    assert len(made.waiting) == 2
    assert len(made.book) == 0


def test_a_hole_in_what_waits_keeps_what_is_behind_it() -> None:
    made = book(SequenceRule.RANGE, delta(6), delta(7), delta(9), delta(10))
    assert made.bridge(snapshot(5)) is None
    assert [update.sequence for update in made.waiting] == [9, 10]
    assert made.levels == 2
    assert numbers(made.bridge(snapshot(8))) == [8, 9, 10]


def test_where_numbers_only_grow_no_snapshot_is_too_old() -> None:
    made = book(SequenceRule.MONOTONIC, delta(3), delta(90), delta(95))
    assert numbers(made.bridge(snapshot(5))) == [5, 90, 95]


def test_without_a_rule_what_waited_is_in_the_snapshot() -> None:
    made = book(SequenceRule.NONE, delta(3), delta(90))
    assert numbers(made.bridge(snapshot(5))) == [5]


@pytest.mark.parametrize(
    ("updates", "waits"),
    [
        ([delta(n) for n in range(MOST_WAITING)], True),
        ([delta(n) for n in range(MOST_WAITING + 1)], False),
        ([delta(1), delta(2, received_ns=MOST_WAITING_NS)], True),
        ([delta(1), delta(2, received_ns=MOST_WAITING_NS + 1)], False),
        ([delta(1, levels=MOST_WAITING_LEVELS)], True),
        ([delta(1, levels=MOST_WAITING_LEVELS), delta(2)], False),
    ],
    ids=["deltas", "too many deltas", "time", "too long", "levels", "too many levels"],
)
def test_what_waits_is_bounded(updates: list[BookUpdate], waits: bool) -> None:
    made = book()
    outcomes = [made.wait(update) for update in updates]
    assert all(outcomes[:-1])
    assert outcomes[-1] is waits
    assert (len(made.waiting) == 1 and made.waiting[0] is updates[-1]) is (not waits or len(updates) == 1)


def test_a_verified_book_judges_by_its_last_number() -> None:
    made = book()
    made.bridge(snapshot(5))
    assert made.judge(delta(6)) is Verdict.NEXT
    assert made.judge(delta(4, 6)) is Verdict.NEXT
    assert made.judge(delta(4, 5)) is Verdict.DUPLICATE
    assert made.judge(delta(7)) is Verdict.GAP
    made.reset()
    assert not made.verified


def test_an_empty_snapshot_takes_away_what_was_told() -> None:
    made = book()
    made.bridge(snapshot(5, levels=3))
    made.reset()
    made.wait(delta(8))
    told = made.bridge(snapshot(7, levels=0))
    assert told is not None
    assert told[0].bids == ((50.0, 0.0), (49.0, 0.0), (48.0, 0.0))
    assert not told[0].snapshot
    assert numbers(told) == [7, 8]
    assert made.book.top(9) == ([(100.0, 1.0)], [])


def test_an_empty_snapshot_of_a_book_that_was_empty_tells_nothing() -> None:
    made = book()
    told = made.bridge(snapshot(5, levels=0))
    assert told is not None
    assert not told[0].bids
    assert made.verified


# --- checksums -----------------------------------------------------------------------------------------------------


class Refuting:
    """Says that the checksum of the updates numbered `wrong` is not that of the book."""

    def __init__(self, *wrong: int) -> None:
        self.wrong, self.asked = wrong, list[int]()

    def __call__(self, book: OrderBook, update: BookUpdate) -> None:
        assert book.sequence == update.sequence
        self.asked.append(update.sequence)
        if update.sequence in self.wrong:
            raise ChecksumFailed("test", BTC.name, 1, 2)


def signed(update: BookUpdate) -> BookUpdate:
    return msgspec.structs.replace(update, checksum=1)


def test_only_updates_with_a_checksum_are_verified_and_each_with_itself_in_the_book() -> None:
    verify = Refuting()
    made = FeedBook(BTC, SequenceRule.RANGE, OrderBook, verify)
    for waiting in (delta(6), signed(delta(7)), signed(delta(8))):
        made.wait(waiting)
    assert numbers(made.bridge(signed(snapshot(5)))) == [5, 6, 7, 8]
    made.apply(delta(9))
    made.apply(signed(delta(10)))
    assert verify.asked == [5, 7, 8, 10]


@pytest.mark.parametrize("wrong", [7, 8, 9])
def test_a_bridge_that_is_refuted_leaves_the_book_as_it_was(wrong: int) -> None:
    made = FeedBook(BTC, SequenceRule.RANGE, OrderBook, Refuting(wrong))
    made.bridge(snapshot(5, levels=3))
    made.reset()
    for waiting in (delta(8), signed(delta(9)), delta(10)):
        made.wait(signed(waiting))
    with pytest.raises(ChecksumFailed):
        made.bridge(signed(snapshot(7)))
    assert not made.verified
    assert made.waiting == []
    assert made.book.top(9) == ([(50.0, 1.0), (49.0, 1.0), (48.0, 1.0)], [])


@pytest.mark.parametrize("text", [None, ((), ())])
def test_what_a_refuted_update_took_away_is_taken_away_from_others_too(text: Any) -> None:
    """Nobody was told of the refuted update: they still have what it deleted."""
    made = FeedBook(BTC, SequenceRule.RANGE, OrderBook, Refuting(6))
    made.bridge(snapshot(5, levels=2))
    with pytest.raises(ChecksumFailed):
        made.apply(signed(msgspec.structs.replace(delta(6), bids=((50.0, 0.0), (51.0, 1.0)), asks=((60.0, 1.0),))))
    made.reset()
    told = made.bridge(msgspec.structs.replace(snapshot(7, levels=0), text=text))
    assert told is not None
    assert sorted(told[0].bids) == [(49.0, 0.0), (50.0, 0.0), (51.0, 0.0)]
    assert told[0].asks == ((60.0, 0.0),)
    assert told[0].text is None or [len(side) for side in told[0].text] == [3, 1]
    made.reset()
    assert made.bridge(snapshot(8, levels=0)) == [snapshot(8, levels=0)]


# --- depth ---------------------------------------------------------------------------------------------------------

levels = st.dictionaries(st.integers(1, 12).map(float), st.sampled_from([0.0, 1.0, 2.0]), max_size=5)
sides = levels.map(lambda found: tuple(found.items()))


def written(side: tuple[Level, ...]) -> tuple[TextLevel, ...]:
    return tuple((str(price), str(size)) for price, size in side)


@given(st.lists(st.tuples(sides, sides, st.sampled_from([False, False, True])), max_size=15), st.booleans())
def test_who_knows_no_depth_has_the_same_book_from_what_was_told(updates: list[Any], text: bool) -> None:
    made = FeedBook(BTC, SequenceRule.NONE, partial(OrderBook, text=text, depth=3), unasked)
    plain, texts = OrderBook(), OrderBook(text=True)
    for bids, asks, anew in [(((5.0, 1.0),), (), True), *updates]:
        texted = (written(bids), written(asks)) if text else None
        update = BookUpdate("test", BTC, bids, asks, anew, 0, 0, 0, 0, text=texted)
        told = made.bridge(update) if anew else [made.apply(update)]
        assert told is not None
        for each in told:
            plain.apply(each)
            if text:
                texts.apply(each)
        assert plain.top(99) == made.book.top(99)
        assert not text or texts.top_text(99) == made.book.top_text(99)
