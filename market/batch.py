"""What one read brought, as one mailbox item: columns of ticks or a list of events, each made of the other on demand.

A batch stands for as many ticks as it has rows. It may be cut only where an update ends, and it is never changed: many
mailboxes hold the same one.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from . import ticks as columns
from .events import BookUpdate, Data, Skipped, weight
from .instruments import InstrumentIds
from .ticks import Heads, Ticks

T = TypeVar("T")

_LAST = int(columns.TickFlag.LAST)
_BOOK = int(columns.TickKind.BOOK)


class Batch:
    """Data of one feed, in order.

    feed         whose it is
    instruments  what the ids in `ticks` mean
    columnar     whether it came as ticks, so that these cost nothing
    rows         how many it stands for, which is what it weighs, and its length; a bar weighs one, though it has no
                 row in `ticks`
    known        its events where these are worked out already, else None: for who handles batch after batch, as
                 asking `events` costs 60 ns more
    unpacked     its ticks as tuples, where its feed has looked at them one by one: `events` need not do so again
    """

    __slots__ = (
        "_bookless",
        "_ends",
        "_heads",
        "_made",
        "_places",
        "_ticks",
        "columnar",
        "feed",
        "instruments",
        "known",
        "rows",
        "unpacked",
    )

    def __init__(
        self,
        feed: str,
        instruments: InstrumentIds,
        ticks: Ticks | None = None,
        events: Sequence[Data] | None = None,
        heads: Heads | None = None,
    ) -> None:
        """Of `ticks` (and their `heads`, where these are known already), or of `events`."""
        self.feed, self.instruments = feed, instruments
        self._ticks, self.known, self._heads = ticks, events, heads
        self._ends: list[int] | None = None  # of each event, in rows, where some have more than one
        self._made: dict[Callable[[Batch], Any], Any] | None = None
        self._bookless: bool | None = None  # once somebody has looked
        self._places: npt.NDArray[np.intp] | None = None
        self.unpacked: list[columns.Row] | None = None
        if ticks is not None:
            self.columnar, self.rows = True, len(ticks)
            return
        if events is None:
            raise TypeError("a batch is of ticks or of events")
        self.columnar, self.rows = False, len(events)
        for event in events:  # `BookUpdate in map(type, events)` takes 0.15 us longer for one, and no less for many
            if type(event) is BookUpdate:
                self._ends = list(accumulate(map(weight, events)))
                self.rows = self._ends[-1]
                break

    @property
    def ticks(self) -> Ticks:
        """The rows: a read-only array of `TICK`, one 64-byte record each. Worked out once where they came as events."""
        if self._ticks is None:
            assert self.known is not None
            self._ticks = columns.encoded(self.known)
        return self._ticks

    @property
    def events(self) -> Sequence[Data]:
        """The rows as events, a book update one event. Worked out once where they came as ticks."""
        if self.known is None:
            if self.unpacked is not None:
                self.known = columns.events_of_rows(self.unpacked, self.instruments.by_id, self.feed)
            else:
                assert self._ticks is not None
                self.known = columns.events(self._ticks, self.instruments.by_id, self.feed)
        return self.known

    @property
    def places(self) -> npt.NDArray[np.intp]:
        """Where the rows stand in tables by id and kind. Worked out once for the hub and the venues that it tells."""
        places = self._places
        if places is None:
            heads, self._heads = self._heads, None
            places = self._places = columns.places(columns.heads(self.ticks) if heads is None else heads)
        return places

    def made(self, make: "Callable[[Batch], T]") -> T:
        """What `make` makes of it: worked out once for all who ask, as what many are sent."""
        if self._made is None:
            self._made = {}
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]  # type: ignore[no-any-return]  # what `make` of that type made

    def __len__(self) -> int:
        return self.rows

    def pieces(self, rows: int) -> "Iterator[Batch]":
        """It, in pieces of at most so many rows; a single update that is longer stays whole."""
        rest = self
        while len(rest) > rows:
            cut = rest.floor(rows) or rest.ceiling(rows)
            if cut == len(rest):
                break
            yield rest[:cut]
            rest = rest[cut:]
        yield rest

    def __getitem__(self, rows: slice) -> "Batch":
        """The batch of `rows`, a slice that begins and ends where updates do."""
        start, stop, _ = rows.indices(self.rows)
        if self.columnar:
            assert self._ticks is not None
            cut = Batch(self.feed, self.instruments, ticks=self._ticks[start:stop])
            cut._bookless = self._bookless or None
            return cut
        assert self.known is not None
        if self._ends is not None:
            start, stop = bisect_right(self._ends, start), bisect_right(self._ends, stop)
        return Batch(self.feed, self.instruments, events=self.known[start:stop])

    def floor(self, rows: int) -> int:
        """The last place at or before `rows` where it may be cut; 0 if none."""
        if self.columnar and not self._has_no_books():
            assert self._ticks is not None
            ends = np.flatnonzero(_ends_update(self._ticks[:rows]))
            return int(ends[-1]) + 1 if len(ends) else 0
        if self._ends is None:
            return min(rows, self.rows)
        index = bisect_right(self._ends, rows)
        return self._ends[index - 1] if index else 0

    def ceiling(self, rows: int) -> int:
        """The first place at or after `rows` where it may be cut; its length if none."""
        rows = max(rows, 1)
        if self.columnar and not self._has_no_books():
            assert self._ticks is not None
            ends = _ends_update(self._ticks[rows - 1 :])
            return rows + int(ends.argmax()) if ends.any() else self.rows
        if self._ends is None:
            return min(rows, self.rows)
        return self._ends[min(bisect_left(self._ends, rows), len(self._ends) - 1)]

    def books(self) -> frozenset[tuple[str, str]]:
        """(feed, instrument) of every book that has rows in it."""
        if self.known is not None:
            return frozenset((self.feed, event.instrument.name) for event in self.known if type(event) is BookUpdate)
        assert self._ticks is not None
        if self._has_no_books():
            return NONE
        ids = self._ticks["instrument"][self._ticks["kind"] == _BOOK]
        return frozenset((self.feed, self.instruments.by_id[id].name) for id in np.unique(ids).tolist())

    def _has_no_books(self) -> bool:
        """Whether ticks may be cut anywhere. Looked at once, for it is asked for each mailbox that overflows."""
        if self._bookless is None:
            assert self._ticks is not None
            self._bookless = _BOOK not in self._ticks["kind"].tobytes()
        return self._bookless

    def __repr__(self) -> str:
        return f"<Batch of {self.feed}: {self.rows} rows>"


NONE: frozenset[tuple[str, str]] = frozenset()


def last_rows(batch: Batch) -> list[columns.Row]:
    """The last of each stream in it, for `Batch.made`."""
    return columns.last_rows(batch.ticks, batch.places, batch.instruments.end)


def _ends_update(ticks: Ticks) -> npt.NDArray[np.bool_]:
    ends: npt.NDArray[np.bool_] = (ticks["kind"] != _BOOK) | (ticks["flags"] & _LAST != 0)
    return ends


class BatchRows:
    """How a mailbox cuts batches, and the mark it leaves: a `Skipped` with what was lost."""

    def floor(self, batch: object, rows: int) -> int:
        """The last place at or before `rows` where the batch may be cut; 0 if none."""
        return batch.floor(rows) if isinstance(batch, Batch) else 0

    def ceiling(self, batch: object, rows: int) -> int:
        """The first place at or after `rows` where the batch may be cut; its length if none."""
        if isinstance(batch, Batch):
            return batch.ceiling(rows)
        return weight(batch) if isinstance(batch, BookUpdate) else 1

    def skipped(self, mark: Skipped | None, lost: object) -> Skipped | None:
        """`mark`, joined by `lost`: a batch, or one event."""
        if isinstance(lost, Batch):
            rows, books = len(lost), lost.books()
        elif isinstance(lost, BookUpdate):
            rows, books = weight(lost), frozenset({(lost.feed, lost.instrument.name)})
        else:
            rows, books = 1, NONE
        return Skipped(rows, books) if mark is None else Skipped(mark.rows + rows, mark.books | books)


batch_rows = BatchRows()
