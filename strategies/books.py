"""Which books can be followed: from a snapshot on, until rows of them are lost. And books built of what was told."""

from collections.abc import Callable

from ticktree.market import Batch, BookUpdate, FeedState, FeedStatus, Gap, Live, Mark, OrderBook, Skipped, Stale

Book = tuple[str, str]  # feed, instrument
Resend = Callable[[str, str], bool]  # of that book: whether a snapshot, and `Live` after it, are on their way
Feeds = Callable[[str], tuple[str, ...]]  # instrument: the feeds that tell its book


class BuiltBook:
    """One book, built of what one strategy was told: it knows what that strategy knows, and no later."""

    __slots__ = ("_begun", "_book", "doubted")

    def __init__(self) -> None:
        self._book, self._begun = OrderBook(), False
        self.doubted = False  # a mark says that it may be wrong, and none yet that it is right again

    @property
    def book(self) -> OrderBook | None:
        """It, while it is right."""
        return self._book if self._begun and not self.doubted else None

    def take(self, update: BookUpdate) -> bool:
        """Apply `update`; False where it means nothing, because the snapshot that it changes is missing."""
        if not (self._begun or update.snapshot):
            return False
        self._begun = True
        self._book.apply(update)
        return True

    def lose(self) -> None:
        """Rows of it were lost: only a snapshot begins it again."""
        self._begun = False


class KnownBooks:
    """Changes of a book whose snapshot has not come, or that lost rows, mean nothing: they are ignored, and `resend`
    is asked for that book anew, once until the `Live` that follows its answer.

    every  whether all books that come are followed; else those alone that are built
    """

    def __init__(self, resend: Resend, every: bool = True) -> None:
        self._resend, self._every = resend, every
        self._known: set[Book] = set()
        self._asked: set[Book] = set()
        self._built: dict[Book, BuiltBook] = {}

    def build(self, feed: str, instrument: str) -> BuiltBook:
        """From its next snapshot on, which is asked for, keep this book as it is told."""
        book = feed, instrument
        if book not in self._built:
            self._built[book] = BuiltBook()
            self._ask(book)
        return self._built[book]

    def counts(self, update: BookUpdate) -> bool:
        """Whether `update` can be told."""
        book = update.feed, update.instrument.name
        if update.snapshot:
            self._known.add(book)
        elif book not in self._known:
            self._ask(book)
            return False
        if self._built and book in self._built and not self._built[book].take(update):
            self._ask(book)  # its snapshot came before anybody looked at it
        return True

    def built_counts(self, update: BookUpdate) -> bool:
        """The same, for who follows those alone that are built."""
        return (update.feed, update.instrument.name) in self._built and self.counts(update)

    def look(self, batch: Batch) -> None:
        """Somebody takes `batch` as it is: see whether it is an answer, which comes as an event."""
        if self._asked and not batch.columnar:
            for event in batch.events:
                if isinstance(event, BookUpdate) and event.snapshot:
                    self._known.add((event.feed, event.instrument.name))

    def heed(self, mark: Mark) -> None:
        """A mark came, which may be about books."""
        match mark:
            case Skipped():
                self.skipped(mark)
            case Live():
                self.live(mark)
            case Stale() | Gap() | FeedStatus():
                self._doubt(mark)
            case _:
                pass

    def skipped(self, mark: Skipped) -> None:
        """Rows were lost here."""
        for book in sorted(mark.books):  # a set has no order that two runs share
            built = self._built.get(book)
            if built is not None:
                built.lose()
            if built is not None or self._every:
                self._known.discard(book)
                self._ask(book)

    def live(self, mark: Live) -> None:
        """What was asked for has come, or was lost in its turn."""
        book = mark.feed, mark.instrument.name
        built = self._built.get(book)
        if built is not None:
            built.doubted = False
        if book in self._asked:
            self._asked.remove(book)
            if book not in self._known:
                self._ask(book)

    def _doubt(self, mark: Stale | Gap | FeedStatus) -> None:
        """Until `Live`, which comes behind whatever makes a book right again."""
        match mark:
            case FeedStatus(state=FeedState.LOST):
                doubted = [book for book in self._built if book[0] == mark.feed]
            case Stale() | Gap(kind="book"):
                doubted = [(mark.feed, mark.instrument.name)]
            case _:
                doubted = []
        for book in doubted:
            if book in self._built:
                self._built[book].doubted = True

    def _ask(self, book: Book) -> None:
        if book not in self._asked:
            self._asked.add(book)
            if not self._resend(*book):
                self._asked.discard(book)
