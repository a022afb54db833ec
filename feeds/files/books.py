"""The books that a feed of files has told, for who comes late or lost rows of them.

Nothing is kept of them until somebody asks: most back-tests never do, and keeping them costs about a microsecond a row.
Whoever asks first has the files read once more up to there; from then on the books follow what is told.
"""

from collections.abc import Callable, Iterable

from ticktree.market import BookUpdate, Instrument, InstrumentIds, OrderBook, TickKind, Ticks
from ticktree.market.ticks import OPAQUE, TICK, events

_BOOK = int(TickKind.BOOK)


class Books:
    """Those of `feed`. `told`: all chunks of rows that were told so far, once more."""

    def __init__(self, feed: str, ids: InstrumentIds, told: Callable[[], Iterable[Ticks]]) -> None:
        self._feed, self._ids, self._told = feed, ids, told
        self._books = dict[str, tuple[Instrument, OrderBook, int]]()  # only those that began with a snapshot
        self.following = False

    def follow(self, ticks: Ticks) -> None:
        """These rows are about to be told."""
        rows = ticks.view(OPAQUE)[ticks["kind"] == _BOOK].view(TICK)
        for update in events(rows, self._ids.by_id, self._feed):
            assert isinstance(update, BookUpdate)
            name = update.instrument.name
            if name in self._books or update.snapshot:
                book = self._books[name][1] if name in self._books else OrderBook()
                book.apply(update)
                self._books[name] = update.instrument, book, update.received_time_ns

    def all(self) -> list[BookUpdate]:
        """A snapshot of each."""
        self._begin()
        return [update for name in self._books if (update := self.one(name)) is not None]

    def one(self, instrument: str) -> BookUpdate | None:
        """A snapshot of that one; None while none was told."""
        self._begin()
        if instrument not in self._books:
            return None
        known, book, received_ns = self._books[instrument]
        return book.snapshot(self._feed, known, received_ns)

    def _begin(self) -> None:
        if not self.following:
            self.following = True
            for ticks in self._told():
                self.follow(ticks)
