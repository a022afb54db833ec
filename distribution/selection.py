"""What some topics select of one feed: asked once a batch for everyone who wants the same."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from ticktree.market import (
    Bar,
    Batch,
    BookUpdate,
    Data,
    EventKind,
    FeedStatus,
    Gap,
    InstrumentIds,
    InstrumentStatus,
    Live,
    Mark,
    Quote,
    Skipped,
    Stale,
    TickKind,
    Topic,
    Trade,
)
from ticktree.market.ticks import STRIDE

KINDS: dict[type, EventKind] = {
    Quote: EventKind.QUOTE,
    Trade: EventKind.TRADE,
    BookUpdate: EventKind.BOOK,
    Bar: EventKind.BAR,
}
_TICK_KINDS = {
    int(TickKind.TRADE): EventKind.TRADE,
    int(TickKind.QUOTE): EventKind.QUOTE,
    int(TickKind.BOOK): EventKind.BOOK,
}
Places = npt.NDArray[np.intp]


class Table:
    """A number for each (id, kind): `value(name, kind)`, asked for once, when `ids` has come to know the instrument.

    names  of the only instruments whose number is not 0, where these are known: often one of a thousand
    """

    __slots__ = ("_array", "_ids", "_known", "_names", "_value")

    def __init__(
        self,
        ids: InstrumentIds,
        dtype: npt.DTypeLike,
        value: Callable[[str, EventKind], int],
        names: frozenset[str] | None = None,
    ) -> None:
        self._ids, self._value, self._names = ids, value, names
        self._known = 0  # ids that have been filled in
        self._array: npt.NDArray[Any] = np.zeros(STRIDE + 1, dtype)  # the last entry, 0, is that of all ids beyond

    def at(self, places: Places) -> npt.NDArray[Any]:
        """The numbers of the rows at `places`."""
        if self._known != len(self._ids.by_id):
            self._fill()
        return self._array.take(places, mode="clip")

    def _fill(self) -> None:
        if self._names is None:
            added = list(islice(self._ids.by_id.items(), self._known, None))  # an id stays, and so does its name
        else:
            added = [(one.id, one) for name in self._names for one in self._ids.named(name)]
        self._known = len(self._ids.by_id)
        if not added:
            return
        size = STRIDE * (1 + max(id for id, _ in added)) + 1
        if size > len(self._array):
            grown = np.zeros(max(size, 2 * len(self._array)), self._array.dtype)
            grown[: len(self._array)] = self._array
            self._array = grown
        for id, instrument in added:
            for number, kind in _TICK_KINDS.items():
                if value := self._value(instrument.name, kind):  # most are 0, which stands there already
                    self._array[STRIDE * id + number] = value


class Selection:
    """`topics` (those of one feed), of which the feed brings `offered`. Instruments are matched when they first come.

    everything  whether that is all the data the feed brings
    names       of the only instruments that it can select; None where a `*` stands for more
    """

    __slots__ = ("_matching", "_table", "_topics", "everything", "feed", "names", "topics")

    def __init__(self, feed: str, topics: frozenset[Topic], offered: Iterable[Topic], ids: InstrumentIds) -> None:
        self.feed, self.topics = feed, topics
        # There are no rows of status. The first that is not selected settles it: a feed may offer thousands.
        data = (topic for topic in offered if topic.kind != EventKind.STATUS)
        first = next(data, None)
        self.everything = first is not None and self._covers(first) and all(map(self._covers, data))
        exact = all("*" not in topic.instrument for topic in topics)
        self.names = frozenset(topic.instrument for topic in topics) if exact else None
        self._table = Table(ids, np.bool_, self.wants, self.names)
        self._topics = tuple(topic for topic in topics if topic.of_feed(feed))
        self._matching: dict[str, tuple[Topic, ...]] = {}  # by instrument, as they come

    def _covers(self, offer: Topic) -> bool:
        """Whether all of `offer`, which may have `*` itself, is selected: a `*` in it only a `*` can match."""
        return any(topic.matches(offer.feed, offer.instrument, offer.kind) for topic in self.topics)

    def wants(self, instrument: str, kind: str) -> bool:
        """Whether that stream is selected."""
        if self.names is not None and instrument not in self.names:  # most of a thousand, asked for by a thousand
            return False
        matching = self._matching.get(instrument)
        if matching is None:  # for all kinds at once: a thousand selections of a thousand instruments took 9 s
            matching = tuple(topic for topic in self._topics if topic.matches_instrument(instrument))
            self._matching[instrument] = matching
        return bool(matching) and any(topic.matches_kind(kind) for topic in matching)

    def concerns(self, mark: Mark) -> bool:
        """Whether who asked for this must hear of `mark`."""
        match mark:
            case FeedStatus() | Skipped():
                return True
            case Gap():
                return self.wants(mark.instrument.name, mark.kind)
            case InstrumentStatus() | Stale() | Live():
                return any(self.wants(mark.instrument.name, kind) for kind in EventKind)
            case _:
                assert_never(mark)

    def pick(self, batch: Batch) -> Batch | None:
        """What is selected of a batch: itself where that is all of it, None where it is nothing."""
        if self.everything:
            return batch
        return self._pick_rows(batch) if batch.columnar else self._pick_events(batch)

    def _pick_events(self, batch: Batch) -> Batch | None:
        events = batch.events
        picked: list[Data] = [event for event in events if self.wants(event.instrument.name, KINDS[type(event)])]
        if len(picked) == len(events):
            return batch
        return Batch(batch.feed, batch.instruments, events=picked) if picked else None

    def _pick_rows(self, batch: Batch) -> Batch | None:
        """5 us and 5 ns a row, where half are taken. An update's rows are of one stream and stay together."""
        mask = self._table.at(batch.places)
        count = int(np.count_nonzero(mask))
        if count in (0, len(mask)):
            return batch if count else None
        picked = batch.ticks.compress(mask)
        picked.setflags(write=False)
        return Batch(batch.feed, batch.instruments, ticks=picked)
