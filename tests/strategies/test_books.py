"""Which books can be followed, and when one is asked for anew."""

from ticktree.market import Live, Skipped
from ticktree.strategies.books import KnownBooks

from ..distribution.support import batch, update
from ..market.samples import BTC

BOOK = ("sim", "BTC-USDT")
SNAPSHOT, CHANGE = update((1.0, 1.0), snapshot=True), update((1.0, 2.0))
HOLE, LIVE = Skipped(1, frozenset({BOOK})), Live("sim", BTC, 0)


class Asked:
    """A feed that has the book, or has not."""

    def __init__(self, has: bool = True) -> None:
        self.has, self.asked = has, list[tuple[str, str]]()
        self.books = KnownBooks(self.resend)

    def resend(self, feed: str, instrument: str) -> bool:
        self.asked.append((feed, instrument))
        return self.has


def test_changes_count_from_the_snapshot_on() -> None:
    feed = Asked()
    assert [feed.books.counts(each) for each in (CHANGE, CHANGE, SNAPSHOT, CHANGE)] == [False, False, True, True]
    assert feed.asked == [BOOK]


def test_a_hole_ends_what_is_known_and_asks_once_for_an_answer() -> None:
    feed = Asked()
    feed.books.counts(SNAPSHOT)
    for _ in range(3):
        feed.books.skipped(HOLE)
    assert not feed.books.counts(CHANGE)
    assert feed.asked == [BOOK]
    assert feed.books.counts(SNAPSHOT)
    feed.books.live(LIVE)
    assert feed.books.counts(CHANGE)
    feed.books.skipped(HOLE)
    assert feed.asked == [BOOK, BOOK]


def test_an_answer_that_was_lost_is_asked_for_again() -> None:
    feed = Asked()
    feed.books.skipped(HOLE)
    feed.books.live(LIVE)
    assert feed.asked == [BOOK, BOOK]


def test_a_hole_in_other_rows_and_a_live_nobody_waits_for_ask_for_nothing() -> None:
    feed = Asked()
    feed.books.counts(SNAPSHOT)
    feed.books.skipped(Skipped(7))
    feed.books.live(LIVE)
    assert feed.books.counts(CHANGE)
    assert feed.asked == []


def test_a_feed_that_has_no_book_itself_is_asked_again_with_the_next_change() -> None:
    feed = Asked(has=False)
    feed.books.skipped(HOLE)
    feed.books.counts(CHANGE)
    assert feed.asked == [BOOK, BOOK]
    assert feed.books.counts(SNAPSHOT)  # of the feed's own repair


def test_who_takes_batches_as_they_are_is_answered_in_events() -> None:
    feed = Asked()
    feed.books.skipped(HOLE)
    feed.books.look(batch(CHANGE))
    feed.books.look(batch(SNAPSHOT))
    feed.books.live(LIVE)
    assert feed.asked == [BOOK]
