"""Where a feed's data and marks leave it: in order, counted, and never without the word that the feed is live."""

import logging
from collections.abc import Callable
from typing import TypeVar

from ticktree.actors import Actor
from ticktree.market import (
    Bar,
    Batch,
    BookUpdate,
    Data,
    EventKind,
    FeedState,
    FeedStatus,
    Gap,
    Instrument,
    Live,
    Mark,
    Quote,
    Stale,
    TickKind,
    Topic,
    Trade,
    weight,
)
from ticktree.market.ticks import all_are

from .deadlines import Deadlines
from .source import Source

log = logging.getLogger("ticktree.feeds")

M = TypeVar("M")
NAMES: dict[type, str] = {Quote: "quote", Trade: "trade", BookUpdate: "book", Bar: "bar"}

# In order, books last: most reads bring one kind, and then one look is enough.
_KIND_NAMES = ((int(TickKind.TRADE), "trade"), (int(TickKind.QUOTE), "quote"), (int(TickKind.BOOK), "book"))


class Outlet(Actor[M]):
    """The half of a feed that faces the sink. `received_ns`: when the read was received that is looked at."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.received_ns = 0
        self.now_ns: Callable[[], int] = self._now_ns  # the clock's own, from the start on
        self._pending: list[Data] = []  # of the read that is looked at
        self._deadlines = Deadlines(source.stale_after_s) if source.stale_after_s is not None else None

    def _now_ns(self) -> int:
        return self.clock.now_ns()

    @property
    def name(self) -> str:
        """The feed's name, the first part of its topics."""
        return self.source.name

    @property
    def topics(self) -> tuple[Topic, ...]:
        """All that it brings."""
        return self.source.topics

    def pass_on(self, event: Data) -> None:
        """Have `event` published with what else this read brings."""
        self._pending.append(event)

    def mark(self, mark: Mark) -> None:
        """Tell everyone whom it concerns, after what came before it."""
        if self._pending:
            self._flush()
        self.source.account.kinds[type(mark).__name__] += 1
        self.source.sink.mark(mark)

    def gap(self, instrument: Instrument, kind: EventKind, expected: int, found: int) -> None:
        """Numbers are missing in a stream: count it, and tell who listens."""
        self.source.account.gaps += 1
        log.warning("%s: %s %s: %d where %d was expected", self.name, instrument.name, kind, found, expected)
        self.mark(Gap(self.name, instrument, kind, expected, found, self.received_ns))

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        types, kinds = list(map(type, pending)), self.source.account.kinds
        for type_ in dict.fromkeys(types):  # counted in C: 30 ns an event, where a loop takes 250
            count = types.count(type_)
            kinds[NAMES[type_]] += count if type_ is not BookUpdate else sum(map(weight, pending)) - len(types) + count
        self._publish(Batch(self.name, self.source.ids, events=pending))

    def _count(self, kinds: bytes) -> int:
        """Count ticks by kind; how many of them are rows of books."""
        counts, left, count = self.source.account.kinds, len(kinds), 0
        for kind, name in _KIND_NAMES:
            if not left:
                return 0
            count = len(kinds) if all_are(kinds, kind) else kinds.count(kind)
            counts[name] += count
            left -= count
        return count

    def _publish(self, batch: Batch) -> None:
        if not self.source.account.live:
            self._go_live("data arrives")
        self.source.sink.publish(batch)
        if self._deadlines is not None:
            for instrument in self._deadlines.heard(batch, self.clock.monotonic_ns()):
                if self._is_right(instrument):
                    self.mark(Live(self.name, instrument, self.clock.now_ns()))

    def _is_right(self, instrument: Instrument) -> bool:
        """Whether nothing but silence speaks against what is known of `instrument`."""
        return True

    def _look_for_stale(self, deadlines: Deadlines) -> None:
        for instrument in deadlines.missed(self.clock.monotonic_ns()):
            reason = f"nothing came for {deadlines.deadline_s:g} s"
            self.mark(Stale(self.name, instrument, reason, self.clock.now_ns()))

    def _go_live(self, reason: str) -> None:
        if not self.source.account.live:
            self.source.account.live = True
            log.info("%s: live, %s", self.name, reason)
            self.mark(FeedStatus(self.name, FeedState.LIVE, reason, self.clock.now_ns()))

    def _go_lost(self, reason: str) -> None:
        if self.source.account.live:
            self.source.account.live = False
            self.mark(FeedStatus(self.name, FeedState.LOST, reason, self.clock.now_ns()))
