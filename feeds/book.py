"""One instrument's book as its feed knows it: verified, or being put together again from deltas and a snapshot.

While it is not verified, deltas wait. A snapshot that reaches into them, or up to them, bridges: what it contains
already is left out, the rest follows, and the book is verified. What waits is bounded; beyond that it starts again.
The levels are at all times those that were told to others.
"""

import asyncio
from collections.abc import Sequence

import attrs
import msgspec

from ticktree.market import BookUpdate, Instrument, OrderBook, weight

from .sequence import SequenceRule, Verdict, judge

MOST_WAITING = 10_000  # deltas
MOST_WAITING_LEVELS = 200_000  # in them: a level takes about 110 bytes, and nobody promises how many a delta has
MOST_WAITING_NS = 10_000_000_000


@attrs.define(eq=False)
class FeedBook:
    """`wait` for a snapshot with deltas, `bridge` with it, then `judge` and `apply` deltas.

    expected  the subscription that was just made brings a snapshot by itself
    mending   somebody sees to it that a snapshot comes
    came      done once one has come, where somebody waits for it
    """

    instrument: Instrument
    rule: SequenceRule
    book: OrderBook
    verified: bool = False
    expected: bool = False
    mending: bool = False
    last: int = -1
    received_ns: int = 0  # when the last update in it was
    waiting: list[BookUpdate] = attrs.field(factory=list[BookUpdate])
    levels: int = 0  # in what waits
    came: "asyncio.Future[None] | None" = None

    def reset(self) -> None:
        """Trust nothing any more: a gap, or a new connection."""
        self.verified = False
        self._wait_anew()

    def judge(self, update: BookUpdate) -> Verdict:
        """What a delta is to the verified book."""
        return judge(self.rule, self.last, update.first_sequence, update.sequence)

    def apply(self, update: BookUpdate) -> BookUpdate:
        """`update` in the book; the same, flagged if it leaves the book crossed."""
        self.last, self.received_ns = update.sequence, update.received_time_ns
        self.book.apply(update)
        return msgspec.structs.replace(update, crossed=True) if self.book.crossed else update

    def wait(self, update: BookUpdate) -> bool:
        """Keep a delta until a snapshot comes. False when too much waits, or too long: it has started again."""
        oldest_ns = self.waiting[0].received_time_ns if self.waiting else update.received_time_ns
        self.levels += weight(update)
        within = (
            len(self.waiting) < MOST_WAITING
            and self.levels <= MOST_WAITING_LEVELS
            and update.received_time_ns - oldest_ns <= MOST_WAITING_NS
        )
        if not within:
            self._wait_anew()
            self.levels = weight(update)
        self.waiting.append(update)
        return within

    def bridge(self, snapshot: BookUpdate) -> Sequence[BookUpdate] | None:
        """Begin anew from `snapshot`, and go on with what waits: the updates to tell.

        None if it is too old: between it and what waits, or within what waits, something is missing. That, and what
        comes after it, still waits.
        """
        last, after = snapshot.sequence, list[BookUpdate]()
        # Without rules nothing tells what a snapshot contains; in-band it came after all that waits.
        for index, update in enumerate(self.waiting if self.rule is not SequenceRule.NONE else ()):
            verdict = judge(self.rule, last, update.first_sequence, update.sequence)
            if verdict is Verdict.GAP:
                del self.waiting[:index]
                self.levels = sum(map(weight, self.waiting))
                return None
            if verdict is Verdict.NEXT:
                after.append(update)
                last = update.sequence
        told = [self.apply(update) for update in (self._replacing(snapshot), *after)]
        self._wait_anew()
        self.verified = True
        return told

    def arrived(self) -> None:
        """A snapshot came, whatever it is worth."""
        self.expected = False
        if self.came is not None and not self.came.done():
            self.came.set_result(None)

    def _replacing(self, snapshot: BookUpdate) -> BookUpdate:
        """`snapshot`; where it has no level, which no row could tell, the update that takes away all there are."""
        if snapshot.bids or snapshot.asks or not len(self.book):
            return snapshot
        told = self.book.snapshot(snapshot.feed, self.instrument, snapshot.received_time_ns)
        assert told is not None
        bids, asks = (tuple((price, 0.0) for price, _ in side) for side in (told.bids, told.asks))
        return msgspec.structs.replace(snapshot, bids=bids, asks=asks, snapshot=False, text=told.text)

    def _wait_anew(self) -> None:
        self.waiting.clear()
        self.levels = 0
