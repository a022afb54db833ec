"""One instrument's book as its feed knows it: verified, or being put together again from deltas and a snapshot.

While it is not verified, deltas wait. A snapshot that reaches into them, or up to them, bridges: what it contains
already is left out, the rest follows, and the book is verified. What waits is bounded; beyond that it starts again.
The levels are at all times those that were told to others, but for one update that a checksum refuted.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import attrs
import msgspec

from ticktree.market import BookUpdate, Instrument, OrderBook, TextLevel, weight

from .errors import ChecksumFailed
from .sequence import SequenceRule, Verdict, judge

MOST_WAITING = 10_000  # deltas
MOST_WAITING_LEVELS = 200_000  # in them: a level takes about 110 bytes, and nobody promises how many a delta has
MOST_WAITING_NS = 10_000_000_000


@attrs.define(eq=False)
class FeedBook:
    """`wait` for a snapshot with deltas, `bridge` with it, then `judge` and `apply` deltas.

    make      gives an empty book
    verify    compares a book with the checksum of the update that was just applied; raises `ChecksumFailed`
    refuted   the last update applied, if that raised: nobody was told of it
    expected  the subscription that was just made brings a snapshot by itself
    mending   somebody sees to it that a snapshot comes
    came      done once one has come, where somebody waits for it
    """

    instrument: Instrument
    rule: SequenceRule
    make: Callable[[], OrderBook]
    verify: Callable[[OrderBook, BookUpdate], None]
    book: OrderBook = attrs.field(init=False)
    verified: bool = False
    expected: bool = False
    mending: bool = False
    last: int = -1
    received_ns: int = 0  # when the last update in it was
    waiting: list[BookUpdate] = attrs.field(factory=list[BookUpdate])
    levels: int = 0  # in what waits
    refuted: BookUpdate | None = None
    came: "asyncio.Future[None] | None" = None

    def __attrs_post_init__(self) -> None:
        self.book = self.make()

    def reset(self) -> None:
        """Trust nothing any more: a gap, or a new connection."""
        self.verified = False
        self._wait_anew()

    def judge(self, update: BookUpdate) -> Verdict:
        """What a delta is to the verified book."""
        return judge(self.rule, self.last, update.first_sequence, update.sequence)

    def apply(self, update: BookUpdate) -> BookUpdate:
        """`update` in the book; the same, flagged if it leaves the book crossed.

        What falls below the depth of the book is told as gone: others do not know of any depth. Raises
        `ChecksumFailed`, with the update in the book: it has to be begun anew.
        """
        self.last, self.received_ns = update.sequence, update.received_time_ns
        self.book.apply(update)
        if self.book.dropped:
            update = _without(update, *self.book.dropped)
        if update.checksum is not None:
            self.refuted = update
            self.verify(self.book, update)
            self.refuted = None
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
        comes after it, still waits. Raises `ChecksumFailed`: the book is as it was, and nothing waits.
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
        told = self._begin((self._replacing(snapshot), *after))
        self._wait_anew()
        self.verified = True
        return told

    def arrived(self) -> None:
        """A snapshot came, whatever it is worth."""
        self.expected = False
        if self.came is not None and not self.came.done():
            self.came.set_result(None)

    def _begin(self, updates: Sequence[BookUpdate]) -> list[BookUpdate]:
        """A new book of `updates`, in the place of what there was only if all of them are right."""
        former, refuted, self.book = self.book, self.refuted, self.make()
        try:
            told = [self.apply(update) for update in updates]
        except ChecksumFailed:
            self.book, self.refuted = former, refuted
            self._wait_anew()
            raise
        self.refuted = None
        return told

    def _replacing(self, snapshot: BookUpdate) -> BookUpdate:
        """`snapshot`; where it has no level, which no row could tell, the update that takes away all there are."""
        if snapshot.bids or snapshot.asks or not (len(self.book) or self.refuted):
            return snapshot
        bids, asks = self.book.top(len(self.book))
        if self.refuted is not None:  # what it took away others still have
            bids, asks = [*bids, *self.refuted.bids], [*asks, *self.refuted.asks]
        gone = ([price for price, _ in side] for side in (bids, asks))
        return msgspec.structs.replace(_without(snapshot, *gone), snapshot=False)

    def _wait_anew(self) -> None:
        self.waiting.clear()
        self.levels = 0


def _without(update: BookUpdate, bids: Iterable[float], asks: Iterable[float]) -> BookUpdate:
    """`update`, which also takes away the levels at these prices."""
    bids, asks = tuple(dict.fromkeys(bids)), tuple(dict.fromkeys(asks))
    text = update.text
    if text is not None:
        text = (*text[0], *_text_of_none(bids)), (*text[1], *_text_of_none(asks))
    levels = (*update.bids, *((price, 0.0) for price in bids)), (*update.asks, *((price, 0.0) for price in asks))
    return msgspec.structs.replace(update, bids=levels[0], asks=levels[1], text=text)


def _text_of_none(prices: Iterable[float]) -> Iterable[TextLevel]:
    return [(repr(price), "0") for price in prices]
