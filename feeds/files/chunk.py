"""A chunk of rows as a feed tells it, one instant after the other: what can be worked out once is, for all its batches.

A batch of one row costs a slice. Its events and places, where somebody asks, are made for the whole chunk: at once they
take a third of what they take one by one.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ticktree.market import Batch, Data, InstrumentIds, TickFlag, TickKind, Ticks
from ticktree.market.ticks import events, heads, places

from .order import times_of
from .wanted import KIND_NAMES

_BOOK, _LAST = int(TickKind.BOOK), int(TickFlag.LAST)


class Chunk:
    """`ticks` of whole instants. `ends[i]`: behind the last row of instant i; `times_ns[i]`: when it was."""

    __slots__ = ("_events", "_feed", "_ids", "_kinds", "_numbers", "_only", "_places", "ends", "ticks", "times_ns")

    def __init__(self, feed: str, ids: InstrumentIds, ticks: Ticks) -> None:
        self.ticks, self._feed, self._ids = ticks, feed, ids
        times = times_of(ticks)
        ends = np.append(np.flatnonzero(times[1:] != times[:-1]) + 1, len(ticks))
        self.ends: list[int] = ends.tolist()
        self.times_ns: list[int] = times[ends - 1].tolist()
        self._kinds = ticks["kind"].tobytes()
        only = self._kinds[0] if self._kinds.count(self._kinds[0]) == len(self._kinds) else 0
        self._only = KIND_NAMES.get(only, "")
        self._events: list[Data] | None = None
        self._numbers: list[int] | None = None  # of each row: which event it is of, where some have several rows
        self._places: npt.NDArray[np.intp] | None = None

    def before(self, limit_ns: int, instant: int) -> int:
        """Which instant, from `instant` on, is the first that is not before `limit_ns`."""
        return bisect_left(self.times_ns, limit_ns, instant)

    def batch(self, start: int, end: int) -> Batch:
        """The rows from `start` to before `end`, where updates begin and end."""
        return Piece(self, self._feed, self._ids, start, end)

    def count(self, kinds: "Counter[str]", start: int, end: int) -> None:
        """Count the same rows in `kinds`."""
        if self._only:
            kinds[self._only] += end - start
        elif end - start == 1:
            kinds[KIND_NAMES[self._kinds[start]]] += 1
        else:
            for kind, name in KIND_NAMES.items():
                kinds[name] += self._kinds.count(kind, start, end)

    def has_books(self, start: int, end: int) -> bool:
        """Whether there are rows of books among them."""
        return self._kinds.find(_BOOK, start, end) >= 0

    def events(self, start: int, end: int) -> Sequence[Data]:
        """The same rows as events."""
        if self._events is None:
            self._events = events(self.ticks, self._ids.by_id, self._feed)
            if len(self._events) < len(self.ticks):
                last = (self.ticks["kind"] != _BOOK) | (self.ticks["flags"] & _LAST != 0)
                self._numbers = [0, *np.cumsum(last).tolist()]
        if self._numbers is None:
            return self._events[start:end]
        return self._events[self._numbers[start] : self._numbers[end]]

    def places(self, start: int, end: int) -> npt.NDArray[np.intp]:
        """Where the same rows stand in tables by id and kind."""
        if self._places is None:
            self._places = places(heads(self.ticks))
        return self._places[start:end]


class Piece(Batch):
    """A batch of rows of a chunk, which makes its events."""

    __slots__ = ("_chunk", "_made_events", "_start")

    def __init__(self, chunk: Chunk, feed: str, ids: InstrumentIds, start: int, end: int) -> None:
        super().__init__(feed, ids, chunk.ticks[start:end])
        self._made_events: Sequence[Data] | None = None
        self._chunk, self._start = chunk, start

    @property
    def events(self) -> Sequence[Data]:
        """The rows as events, a book update one event."""
        if self._made_events is None:
            self._made_events = self._chunk.events(self._start, self._start + len(self))
        return self._made_events

    @property
    def places(self) -> npt.NDArray[np.intp]:
        """Where the rows stand in tables by id and kind."""
        return self._chunk.places(self._start, self._start + len(self))
