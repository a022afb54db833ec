"""Which books can be followed: from a snapshot on, until rows of them are lost."""

from collections.abc import Callable

from ticktree.market import Batch, BookUpdate, Live, Skipped

Resend = Callable[[str, str], bool]  # (feed, instrument): whether a snapshot, and `Live` after it, are on their way


class KnownBooks:
    """Changes of a book whose snapshot has not come, or that lost rows, mean nothing: they are ignored, and `resend`
    is asked for that book anew, once until the `Live` that follows its answer.
    """

    def __init__(self, resend: Resend) -> None:
        self._resend = resend
        self._known: set[tuple[str, str]] = set()
        self._asked: set[tuple[str, str]] = set()

    def counts(self, update: BookUpdate) -> bool:
        """Whether `update` can be told."""
        book = update.feed, update.instrument.name
        if update.snapshot:
            self._known.add(book)
        elif book not in self._known:
            self._ask(book)
            return False
        return True

    def look(self, batch: Batch) -> None:
        """Somebody takes `batch` as it is: see whether it is an answer, which comes as an event."""
        if self._asked and not batch.columnar:
            for event in batch.events:
                if isinstance(event, BookUpdate) and event.snapshot:
                    self._known.add((event.feed, event.instrument.name))

    def skipped(self, mark: Skipped) -> None:
        """Rows were lost here."""
        for book in mark.books:
            self._known.discard(book)
            self._ask(book)

    def live(self, mark: Live) -> None:
        """What was asked for has come, or was lost in its turn."""
        book = mark.feed, mark.instrument.name
        if book in self._asked:
            self._asked.remove(book)
            if book not in self._known:
                self._ask(book)

    def _ask(self, book: tuple[str, str]) -> None:
        if book not in self._asked:
            self._asked.add(book)
            if not self._resend(*book):
                self._asked.discard(book)
