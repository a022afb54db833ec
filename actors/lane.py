"""Bounded queue between one actor and everyone who writes to it: the data lane of a mailbox.

Two running positions, in ticks, say everything the hot path needs: `entered` (the end of the queue) and `limit` (its
head, plus the capacity). A message fits when `entered + weight <= limit`. All other counters move only when something
unusual happens, and the statistics are worked out when somebody asks. Single writer: the loop's thread.
"""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Any, assert_never

from .errors import MailboxFull, Misuse, TooHeavy
from .mailbox import (
    Block,
    Conflate,
    Delivery,
    DropNewest,
    DropOldest,
    Dropped,
    Fail,
    Mailbox,
    MailboxStats,
    Merge,
    Outcome,
    Plain,
    Rows,
)

# Looking a member up on its enum class costs 30 ns on CPython 3.11, a module's global 3.
ACCEPTED, CONFLATED, DROPPED = Delivery.ACCEPTED, Delivery.CONFLATED, Delivery.DROPPED
FULL, CLOSED = Delivery.FULL, Delivery.CLOSED

MARKS_BOUND = 65_536  # marks weigh nothing, so they have a bound of their own, in messages
_SHUT = 1 << 62  # taken off `limit` while the lane is closed, so that nothing fits and the fast path needs no flag

Entry = tuple[Any, int] | list[Any]  # (message, weight); a conflated slot is a list, so that it can change in place

# Called with a message, counted already, and its weight when they reach a lane whose actor sleeps. Whether it was
# handled at once; else the lane queues it.
Wake = Callable[[Any, int], bool]


class DataLane:
    """Messages in order, each standing for `weight` ticks; never more than `capacity` ticks of them."""

    __slots__ = (
        "asleep",
        "cancelled",
        "capacity",
        "conflated",
        "crashed",
        "entered",
        "evicted",
        "in_hand",
        "items",
        "items_out",
        "limit",
        "lost",
        "path",
        "plain",
        "refused",
        "rows",
        "stamps",
        "stopped",
        "turned_away",
        "waiting",
        "wake",
    )

    def __init__(self, path: str, mailbox: Mailbox, wake: Wake, lost: Callable[[Any], None]) -> None:
        self.path = path
        self.capacity = mailbox.capacity
        self.plain: Plain = mailbox.overflow.otherwise if isinstance(mailbox.overflow, Conflate) else mailbox.overflow
        self.rows: Rows | None = mailbox.rows
        self.wake = wake
        self.lost = lost  # told every message that will never be handled
        self.asleep = False  # the actor has nothing to do, nothing is queued, and it must be woken
        self.items: deque[Entry] = deque()
        self.entered = 0  # ticks that were ever queued
        self.limit = mailbox.capacity  # ticks that ever left the queue + capacity
        self.in_hand = 0  # ticks of the message that is being handled
        self.conflated = self.turned_away = self.evicted = 0
        self.crashed = self.cancelled = self.stopped = self.refused = 0
        self.items_out = 0  # messages that ever left the queue, brought up to date once a turn
        self.stamps: list[tuple[int, int]] = []  # (messages that had entered, at ns)
        self.waiting: OrderedDict[asyncio.Future[Delivery], tuple[Any, int]] = OrderedDict()

    # --- writing -----------------------------------------------------------------------------------------------

    def tell(self, message: Any, weight: int = 1) -> Delivery:
        """Queue `message`, never wait. A weight of 0 makes it a mark, which is never dropped or conflated."""
        if weight > 0 and (entered := self.entered + weight) <= self.limit:
            self.entered = entered
        elif weight or self.limit < 0 or len(self.items) >= self.capacity + MARKS_BOUND:
            return self._unusual(message, weight)
        if self.asleep:
            self.asleep = False
            wake = self.wake  # looked up and called in one step it costs 10 ns more on CPython 3.11
            if wake(message, weight):
                return ACCEPTED
        self.items.append((message, weight))
        return ACCEPTED

    def offer(self, batch: Any, weight: int) -> Outcome:
        """`tell`, and an answer in ticks: how many were accepted, conflated, dropped or refused."""
        conflated, turned_away = self.conflated, self.turned_away
        if self.tell(batch, weight) in (FULL, CLOSED):
            return Outcome(refused=weight)
        conflated, dropped = self.conflated - conflated, self.turned_away - turned_away
        return Outcome(weight - conflated - dropped, conflated, dropped)

    def tell_merged(self, message: Any, merged: int) -> Delivery:
        """`tell` one that weighs 1, and that `merged` others were merged into by its sender: they share its fate."""
        try:
            delivery = self.tell(message)
        except MailboxFull:
            self.refused += merged
            raise
        if delivery is ACCEPTED or delivery is CONFLATED:
            self.conflated += merged
        elif delivery is DROPPED:
            self.turned_away += merged
        else:
            self.refused += merged
        return delivery

    async def put(self, message: Any, weight: int = 1) -> Delivery:
        """`tell`, but wait while a `Block` mailbox is full. First come, first served.

        A batch above the whole capacity goes in pieces, cut where `rows` allows it.
        Raises `TooHeavy` where that is not possible.
        """
        if not self.waiting and 0 < weight <= self.limit - self.entered:
            return self.tell(message, weight)  # the usual case: all below takes as long again
        if not isinstance(self.plain, Block) or not 0 <= weight < math.inf:
            return self.tell(message, weight)
        while weight > self.capacity:
            cut = self.rows.floor(message, self.capacity) if self.rows else 0
            if not cut:
                raise TooHeavy(self.path, self.capacity, weight)
            if (delivery := await self.put(message[:cut], cut)) is CLOSED:
                return delivery
            message, weight = message[cut:], weight - cut
        entered = self.enter(message, weight)
        if isinstance(entered, Delivery):
            return entered
        try:
            return await entered
        except asyncio.CancelledError:
            self.waiting.pop(entered, None)
            self.serve_waiting()
            raise

    def enter(self, message: Any, weight: int = 1) -> "Delivery | asyncio.Future[Delivery]":
        """`put` for who cannot wait: what became of `message`, or a future of that while it waits for room.

        Raises `TooHeavy` for what is above the whole capacity of a `Block` mailbox.
        """
        if not self.waiting and 0 < weight <= self.limit - self.entered:
            return self.tell(message, weight)
        if not isinstance(self.plain, Block) or not 0 <= weight < math.inf:
            return self.tell(message, weight)
        if weight > self.capacity:
            raise TooHeavy(self.path, self.capacity, weight)
        if not self.waiting:
            refused = self.refused
            if (delivery := self.tell(message, weight)) is not FULL:
                return delivery
            self.refused = refused  # it waits; it was not refused
        future: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        self.waiting[future] = message, weight
        return future

    def serve_waiting(self) -> None:
        """Let in who waits in `put`, as far as there is room. Called at the end of a turn, and on closing."""
        while self.waiting:
            future = next(iter(self.waiting))
            message, weight = self.waiting[future]
            if self.entered + weight > self.limit and not (self.closed or future.done()):
                return
            del self.waiting[future]
            if future.done():
                continue
            try:
                future.set_result(self.tell(message, weight))
            except Exception as error:  # of a merge: the sender's, as it would be from `tell`
                future.set_exception(error)

    def _unusual(self, message: Any, weight: int) -> Delivery:
        if not 0 <= weight < math.inf:  # also NaN
            raise Misuse(f"a message's weight is a number of ticks, 0 for a mark; not {weight!r}")
        if self.closed:
            self.refused += weight
            return CLOSED
        if weight == 0:  # too many marks
            self.refused += 1
            return FULL
        return self._overflow(message, weight)

    def _append(self, entry: Entry) -> None:
        message, weight = entry
        self.entered += weight
        if self.asleep:
            self.asleep = False
            if self.wake(message, weight):
                return
        self.items.append(entry)

    # --- overflow ----------------------------------------------------------------------------------------------

    def _overflow(self, message: Any, weight: int) -> Delivery:
        match self.plain:
            case DropOldest():
                return self._drop_oldest(message, weight)
            case DropNewest():
                return self._drop_newest(message, weight)
            case Block():
                if weight > self.capacity and self.rows is None:
                    raise TooHeavy(self.path, self.capacity, weight)
                self.refused += weight
                return FULL
            case Fail():
                self.refused += weight
                raise MailboxFull(self.path, self.capacity, self.queued, weight)
            case _:
                assert_never(self.plain)

    def _drop_oldest(self, message: Any, weight: int) -> Delivery:
        delivery = ACCEPTED
        if weight > self.capacity:
            delivery, cut = DROPPED, weight
            if self.rows:  # keep its newest rows; all that is older goes first, so that no hole is left between
                cut = self.rows.ceiling(message, weight - self.capacity)
                self._evict(self.queued)
            self._turn_away(message[:cut] if cut < weight else message, cut)
            if cut == weight:
                return delivery
            message, weight = message[cut:], weight - cut
        self._evict(self.entered + weight - self.limit)
        self._append((message, weight))
        return delivery

    def _evict(self, ticks: int) -> None:
        """Drop at least `ticks` from the head. Marks keep their place; lost rows leave one if `rows` says so."""
        items, passed = self.items, list[Entry]()
        while ticks > 0:
            entry = items.popleft()
            message, weight = entry
            if weight == 0:
                passed.append(entry)
                self.items_out += 1
                continue
            cut = self.rows.ceiling(message, ticks) if self.rows and weight > ticks else weight
            if cut < weight:
                if isinstance(entry, list):  # a slot is known by identity
                    entry[:] = message[cut:], weight - cut
                else:
                    entry = message[cut:], weight - cut
                items.appendleft(entry)
                message = message[:cut]
            else:
                self.items_out += 1
            self.limit += cut
            self.evicted += cut
            ticks -= cut
            self.lost(message)
            self._leave_skipped(passed, message)
        items.extendleft(reversed(passed))
        self.items_out -= len(passed)

    def _drop_newest(self, message: Any, weight: int) -> Delivery:
        room = self.limit - self.entered
        cut = self.rows.floor(message, room) if self.rows and 0 < room < weight else 0
        if cut:
            self._append((message[:cut], cut))
            message = message[cut:]
        self._turn_away(message, weight - cut)
        return DROPPED

    def _turn_away(self, message: Any, ticks: int) -> None:
        self.turned_away += ticks
        self.lost(message)
        self._leave_skipped(self.items, message)
        if self.asleep and self.items:
            self._append(self.items.pop())

    def _leave_skipped(self, place: "deque[Entry] | list[Entry]", lost: Any) -> None:
        """Leave a mark for the `lost` rows at the end of `place`, or join it to the one that ends it."""
        if self.rows is None:
            return
        last = place[-1] if place and type(place[-1]) is _Skipped else None
        mark = self.rows.skipped(last[0] if last else None, lost)
        if last:
            place.pop()
        if mark is not None:
            place.append(_Skipped((mark, 0)))

    # --- reading (the cell's) ----------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether messages are answered with CLOSED."""
        return self.limit < 0

    @property
    def left(self) -> int:
        """Ticks that ever left the queue."""
        return self.limit - self.capacity + (_SHUT if self.limit < 0 else 0)

    @property
    def queued(self) -> int:
        """Ticks in the queue."""
        return self.entered - self.left

    def close(self) -> None:
        """Answer CLOSED from now on; what is queued stays until it is drained or discarded."""
        if not self.closed:
            self.limit -= _SHUT
        self.serve_waiting()

    def reopen(self) -> None:
        """Take messages again."""
        if self.closed:
            self.limit += _SHUT

    def discard(self) -> None:
        """Drop everything that is queued, as `dropped{stop}`."""
        queued = self.queued
        self.stopped += queued
        self.limit += queued
        self.items_out += len(self.items)
        messages = [entry[0] for entry in self.items]
        self.items.clear()
        for message in messages:
            self.lost(message)

    def stamp(self, now_ns: int) -> None:
        """Note the time: what is queued from here on is younger."""
        stamps, entered = self.stamps, self.items_out + len(self.items)
        if stamps and stamps[-1][0] == entered:
            stamps.pop()  # a flood of control messages stamps often while the data stands still
        stamps.append((entered, now_ns))
        spent = 0
        while spent + 1 < len(stamps) and stamps[spent + 1][0] <= self.items_out:
            spent += 1
        del stamps[:spent]

    def oldest_age_ns(self, now_ns: int, not_before_ns: int = 0) -> int:
        """How long the oldest message has waited at most, given that it did not come before `not_before_ns`."""
        if not self.items:
            return 0
        since = not_before_ns
        for entered, at_ns in self.stamps:
            if entered > self.items_out:
                break
            since = max(since, at_ns)
        return now_ns - since

    def weigh(self) -> int:
        """The ticks in the queue, added up message by message: `queued` must say the same."""
        return sum(entry[1] for entry in self.items)

    def figures(self, oldest_age_ns: int = 0) -> MailboxStats:
        """The figures at this instant. What is queued is weighed, not worked out, so that they can be checked."""
        lost_inside = self.evicted + self.crashed + self.cancelled + self.stopped
        return MailboxStats(
            capacity=self.capacity,
            received=self.entered + self.conflated + self.turned_away,
            delivered=self.left - self.in_hand - lost_inside,
            conflated=self.conflated,
            dropped=Dropped(self.turned_away + self.evicted, self.crashed, self.cancelled, self.stopped),
            queued=self.weigh(),
            in_handler=self.in_hand,
            refused=self.refused,
            oldest_age_ns=oldest_age_ns,
            items=len(self.items),
        )


class _Skipped(tuple[Any, int]):
    """An entry that stands where rows were lost."""

    __slots__ = ()


class ConflatingLane(DataLane):
    """A data lane that keeps one slot a key and merges newer messages into it, in place."""

    __slots__ = ("merge", "slots")

    def __init__(self, path: str, mailbox: Mailbox, wake: Wake, lost: Callable[[Any], None]) -> None:
        super().__init__(path, mailbox, wake, lost)
        assert isinstance(mailbox.overflow, Conflate)
        self.merge: Merge = mailbox.overflow.merge
        # key -> (slot, its end in ticks). A slot whose end has left the queue is spent.
        self.slots: dict[Hashable, tuple[list[Any], int]] = {}

    def tell(self, message: Any, weight: int = 1) -> Delivery:
        """Merge `message` into the queued one of its key, or queue it."""
        if weight == 0:
            self.slots.clear()  # nothing is merged across a mark: what follows it must not overtake it
            return super().tell(message, weight)
        key = self.merge.key(message)
        if key is None or self.closed:
            return super().tell(message, weight)
        slot, end = self.slots.get(key, _NO_SLOT)
        if end > self.limit - self.capacity and self._conflate(key, slot, end, message, weight):
            return CONFLATED
        delivery = super().tell(message, weight)
        if delivery is ACCEPTED and self.items and self.items[-1][0] is message and self.items[-1][1] == weight:
            self._open_slot(key, message, weight)
        return delivery

    def _conflate(self, key: Hashable, slot: list[Any], end: int, message: Any, weight: int) -> bool:
        older, older_weight = slot
        merged, merged_weight = self.merge.merge(older, message)
        grown = merged_weight - older_weight
        if grown and self.entered + grown > self.limit:
            return False
        slot[0], slot[1] = merged, merged_weight
        self.entered += grown
        self.conflated += weight - grown
        # Ends of later slots are now too small by `grown`: they count as spent early and are not merged into, which
        # costs room and never order. Too large would let a spent slot swallow a message.
        if grown < 0:
            self.slots.clear()
        self.slots[key] = (slot, end + grown)
        return True

    def _turn_away(self, message: Any, ticks: int) -> None:
        super()._turn_away(message, ticks)
        if self.rows is not None:
            self.slots.clear()  # a mark may stand there now

    def _open_slot(self, key: Hashable, message: Any, weight: int) -> None:
        slot = [message, weight]
        self.items[-1] = slot
        if len(self.slots) > 2 * self.capacity:  # forget the spent ones: keys may be many, slots are bounded
            left = self.left
            self.slots = {key: value for key, value in self.slots.items() if value[1] > left}
        self.slots[key] = (slot, self.entered)


_NO_SLOT: tuple[list[Any], int] = ([], -1)
