"""A feed's books: each follows its stream, and is repaired alone when a gap opens.

Where updates carry a checksum, each is compared before anybody is told of it; one that fails is a gap as well.
Repair: deltas wait, a snapshot is fetched (or subscribed to anew, where it comes in-band), the two are bridged, and the
stream goes on. At most one repair an instrument and `SNAPSHOTS_AT_ONCE` fetches a feed.
"""

import asyncio
import logging
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from ticktree.market import (
    BookUpdate,
    EventKind,
    FeedState,
    FeedStatus,
    Instrument,
    Live,
    Mark,
    MarketError,
    OrderBook,
    Stale,
    Ticks,
)
from ticktree.market.ticks import events
from ticktree.net import Lost

from .book import MOST_WAITING_NS, FeedBook
from .errors import ChecksumFailed, FeedError, NoSnapshot
from .sequence import SequenceRule, Verdict

if TYPE_CHECKING:
    from .feed import Feed

log = logging.getLogger("ticktree.feeds")

SNAPSHOTS_AT_ONCE = 4


class Books:
    """All books of `feed`, which they tell what to pass on. `fetches`: snapshots are asked for, not in-band."""

    def __init__(self, feed: "Feed", fetches: bool) -> None:
        self._feed, self._fetches = feed, fetches
        self._rule = feed.rules.get(EventKind.BOOK, SequenceRule.NONE)
        self._account = feed.source.account
        self._books: dict[str, FeedBook] = {}
        self._doubted: set[str] = set()  # the other side says they may be wrong
        self._epoch = 0  # counts connections: what is asked on one is not answered on the next
        self._slots = asyncio.Semaphore(SNAPSHOTS_AT_ONCE)

    # --- for late joiners --------------------------------------------------------------------------------------

    def snapshot(self, instrument: str) -> BookUpdate | None:
        """The verified book of that name; None while there is none."""
        book = self._books.get(instrument)
        if book is None or not book.verified or instrument in self._doubted:
            return None
        return book.book.snapshot(self._feed.name, book.instrument, book.received_ns)

    def snapshots(self) -> Iterable[BookUpdate]:
        """Every verified book."""
        return [update for name in self._books if (update := self.snapshot(name)) is not None]

    def is_repaired(self, instrument: str) -> bool:
        """Whether nothing speaks against the book of that name, if there is one."""
        book = self._books.get(instrument)
        return book is None or (book.verified and instrument not in self._doubted)

    # --- the life of a connection ------------------------------------------------------------------------------

    def reset(self) -> None:
        """The connection is gone, or new: its numbers mean nothing any more."""
        self._epoch += 1
        self._doubted.clear()
        for book in self._books.values():
            book.reset()
            book.expected = book.mending = False

    def begin(self) -> None:
        """All that the feed's topics select were subscribed to."""
        for instrument in self._wanted():
            book = self._book(instrument)
            if self._fetches:
                self._repair(book)
            else:
                book.expected = True

    def _wanted(self) -> Iterable[Instrument]:
        feed = self._feed
        topics = [topic for topic in feed.topics if topic.matches_kind(EventKind.BOOK)]
        names = {topic.instrument for topic in topics}
        patterns = [topic for topic in topics if "*" in topic.instrument]
        for name, instrument in feed.instruments.items():
            if name in names or any(topic.matches(feed.name, name, EventKind.BOOK) for topic in patterns):
                yield instrument

    # --- what comes in -----------------------------------------------------------------------------------------

    def take(self, update: BookUpdate) -> None:
        """A snapshot or a delta came."""
        book = self._book(update.instrument)
        if update.snapshot:
            self._bridge(book, update)
        elif book.verified:
            self._take_delta(book, update)
        else:
            if not book.wait(update):
                book.expected = False  # it never came
            self._repair(book)

    def follow(self, rows: Ticks) -> list[Instrument]:
        """Book rows come whose sequence the frames have vouched for; the instruments whose books they make right.

        The rows themselves are passed on as they are, by who calls this.
        """
        feed, revived = self._feed, list[Instrument]()
        for update in events(rows, feed.source.ids.by_id, feed.name):
            assert isinstance(update, BookUpdate)
            book = self._book(update.instrument)
            if update.snapshot:
                if not book.verified:
                    self._account.repairs += 1
                    revived.append(book.instrument)
                book.bridge(update)
                book.arrived()
            elif book.verified:
                self._account.crossed += book.apply(update).crossed
        return revived

    def heed(self, mark: Mark) -> None:
        """The other side, which knows the stream itself, tells what its books are worth."""
        match mark:
            case Stale():
                self._doubted.add(mark.instrument.name)
            case Live():
                self._doubted.discard(mark.instrument.name)
            case FeedStatus(state=FeedState.LOST):
                for book in self._books.values():
                    book.reset()
                    book.expected = not self._fetches  # it repairs them
            case _:
                pass

    def distrust(self, instrument: Instrument, reason: str) -> None:
        """What is known of the book is wrong: say so, and have it repaired."""
        book = self._book(instrument)
        if book.verified:
            book.reset()
            self._feed.mark(Stale(self._feed.name, instrument, reason, self._feed.clock.now_ns()))
        book.expected = False  # what is missing may be the snapshot
        self._repair(book)

    def _book(self, instrument: Instrument) -> FeedBook:
        book = self._books.get(instrument.name)
        if book is None or (book.instrument is not instrument and book.instrument != instrument):  # redefined
            book = FeedBook(instrument, self._rule, partial(self._feed.new_book, instrument), self._verify)
            self._books[instrument.name] = book
        return book

    def _take_delta(self, book: FeedBook, update: BookUpdate) -> None:
        match book.judge(update):
            case Verdict.NEXT:
                try:
                    told = book.apply(update)
                except ChecksumFailed as error:
                    self._refute(book, error)
                else:
                    self._tell(told)
            case Verdict.DUPLICATE:
                self._account.duplicates += 1
            case Verdict.GAP:
                expected, found = book.last + 1, update.first_sequence
                self._feed.gap(book.instrument, EventKind.BOOK, expected, found)
                self.distrust(book.instrument, f"updates {expected} to {found - 1} are missing")
                book.wait(update)

    def _tell(self, update: BookUpdate) -> None:
        if update.bids or update.asks:  # else only the numbers moved on
            self._account.crossed += update.crossed
            self._feed.pass_on(update)

    def _verify(self, book: OrderBook, update: BookUpdate) -> None:
        """Raises `ChecksumFailed` unless `book`, with `update` in it, is what the exchange has."""
        expected, found = update.checksum, self._feed.checksum(book)
        if found != expected:
            self._account.checksums_failed += 1
            assert expected is not None
            raise ChecksumFailed(self._feed.name, update.instrument.name, expected, found)
        self._account.checksums_verified += 1

    def _refute(self, book: FeedBook, error: ChecksumFailed) -> None:
        self._account.errors[type(error).__name__] += 1
        log.warning("%s", error)
        self.distrust(book.instrument, error.reason)

    # --- repair ------------------------------------------------------------------------------------------------

    def _bridge(self, book: FeedBook, snapshot: BookUpdate) -> None:
        """Begin a book anew, if `snapshot` reaches up to what waits."""
        book.arrived()
        try:
            told = book.bridge(snapshot)
        except ChecksumFailed as error:
            self._refute(book, error)
            return
        if told is None:
            self._repair(book)
            return
        self._account.repairs += 1
        for update in told:
            self._tell(update)
        self._feed.mark(Live(self._feed.name, book.instrument, self._feed.clock.now_ns()))

    def _repair(self, book: FeedBook) -> None:
        """See to it that a snapshot comes, unless somebody does already."""
        if book.mending or book.expected:
            return
        if not self._fetches and not tuple(self._feed.resubscribe_frames(book.instrument)):
            self._feed.give_up(NoSnapshot(self._feed.name, book.instrument.name))
            return
        book.mending = True
        self._feed.own(self._mend(book, self._epoch), f"repairs the book of {book.instrument.name}")

    async def _mend(self, book: FeedBook, epoch: int) -> None:
        feed, attempt = self._feed, 0
        while True:
            await (self._fetch(book, epoch) if self._fetches else self._subscribe_anew(book))
            if epoch != self._epoch:
                return
            if book.verified:
                break
            await feed.clock.sleep(feed.source.backoff.delay_s(attempt, feed.source.random))
            attempt += 1
        book.mending = False

    async def _fetch(self, book: FeedBook, epoch: int) -> None:
        try:
            async with self._slots:
                self._account.snapshots += 1
                snapshot = await self._feed.snapshot(book.instrument)
        except (Lost, FeedError, MarketError) as error:
            self._failed(book, error)
        else:
            if epoch == self._epoch:
                self._bridge(book, snapshot)

    async def _subscribe_anew(self, book: FeedBook) -> None:
        self._account.snapshots += 1
        book.came = asyncio.get_running_loop().create_future()
        self._feed.say(self._feed.resubscribe_frames(book.instrument))
        try:
            async with asyncio.timeout(MOST_WAITING_NS / 1e9):
                await book.came
        except TimeoutError:
            self._failed(book, NoSnapshot(self._feed.name, book.instrument.name))

    def _failed(self, book: FeedBook, error: Exception) -> None:
        self._account.errors[type(error).__name__] += 1
        log.warning("%s: no snapshot of %s: %s; trying again", self._feed.name, book.instrument.name, error)
