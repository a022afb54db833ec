"""What a mailbox has to do, written down a second time: plainly, over lists, without a thought for speed.

`test_conservation.py` drives a real system and this model side by side.
"""

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

import attrs

from tests.actors.batches import Row, Skipped, is_batch
from ticktree.actors import Block, Conflate, Delivery, DropNewest, DropOldest, Fail, Mailbox, Outcome


@attrs.define(eq=False)
class Entry:
    """One queued message. `open`: newer ones of its key are merged into it. `who` waits in `put`, or nobody."""

    message: Any
    weight: int
    key: Hashable | None = None
    open: bool = False
    answer: Callable[[], Delivery | None] | None = None  # what the real lane answered, once it has


@attrs.define
class Counts:
    """In ticks, but for the control lane."""

    delivered: int = 0
    conflated: int = 0
    turned_away: int = 0
    evicted: int = 0
    crash: int = 0
    cancel: int = 0
    stop: int = 0
    refused: int = 0
    control_handled: int = 0
    control_dropped: int = 0


def is_bad(message: Any) -> bool:
    """Whether the handler raises on it."""
    return any(row.name == "bad" for row in message) if is_batch(message) else message == "bad control"


def tells_itself(message: Any) -> bool:
    """Whether the handler tells its own mailbox `echo()`."""
    return is_batch(message) and any(row.name == "echo" for row in message)


def echo() -> list[Row]:
    return [Row("x"), Row("x")]


class Model:
    """One mailbox and the actor behind it. `gated`: a handler suspends until it is released."""

    def __init__(self, mailbox: Mailbox, gated: bool) -> None:
        self.mailbox, self.gated = mailbox, gated
        self.echoes: deque[Delivery | None] = deque()  # what the real handler was answered when it told itself
        overflow = mailbox.overflow
        self.merge = overflow.merge if isinstance(overflow, Conflate) else None
        self.plain = overflow.otherwise if isinstance(overflow, Conflate) else overflow
        self.queue: list[Entry] = []
        self.waiting: list[Entry] = []
        self.control: list[str] = []
        self.in_hand: Entry | None = None
        self.killed = self.closed = False
        self.counts = Counts()
        self.surely = True  # no merge has changed a weight since the queue was empty: whatever can be merged is
        self.outcomes: dict[int, str] = {}  # of asks, by the identity of the request

    @property
    def queued(self) -> int:
        return sum(entry.weight for entry in self.queue)

    @property
    def room(self) -> int:
        return self.mailbox.capacity - self.queued

    # --- writing -----------------------------------------------------------------------------------------------

    def tell(self, message: Any, weight: int, answer: Delivery | None = None) -> Delivery | None:
        """What telling must do; None: it raises. `answer` is the real one, for where the law leaves a choice."""
        if self.closed:
            self.counts.refused += weight
            self.outcomes[id(message)] = "closed"
            return Delivery.CLOSED
        if weight == 0:
            self.queue.append(Entry(message, 0))
            self._shut_slots()
            return Delivery.ACCEPTED
        key = self.merge.key(message) if self.merge else None
        slot = next((entry for entry in self.queue if entry.open and entry.key == key), None)
        if slot and (self.surely or answer is Delivery.CONFLATED) and self._merge(slot, message, weight):
            return Delivery.CONFLATED
        return self._add(Entry(message, weight, key, key is not None))

    def offer(self, message: Any, weight: int, answer: Delivery) -> Outcome | None:
        """`tell`, told in ticks."""
        before = attrs.evolve(self.counts)
        delivery = self.tell(message, weight, answer)
        if delivery in (Delivery.FULL, Delivery.CLOSED):
            return Outcome(refused=weight)
        merged = self.counts.conflated - before.conflated
        lost = self.counts.turned_away - before.turned_away
        return None if delivery is None else Outcome(weight - merged - lost, merged, lost)

    def put(self, entry: Entry) -> None:
        """`tell`, or wait."""
        if not isinstance(self.plain, Block):
            self.tell(entry.message, entry.weight, self._answer(entry))
            return
        refused = self.counts.refused
        if not self.waiting and self.tell(entry.message, entry.weight, self._answer(entry)) is not Delivery.FULL:
            return
        self.counts.refused = refused
        self.waiting.append(entry)

    def _answer(self, entry: Entry) -> Delivery | None:
        return entry.answer() if entry.answer else None

    def serve(self) -> None:
        """Let in who waits."""
        while self.waiting and (self.closed or self.waiting[0].weight <= self.room):
            entry = self.waiting.pop(0)
            self.tell(entry.message, entry.weight, self._answer(entry))

    def _merge(self, slot: Entry, message: Any, weight: int) -> bool:
        assert self.merge
        merged, merged_weight = self.merge.merge(slot.message, message)
        grown = merged_weight - slot.weight
        if grown and grown > self.room:
            return False
        slot.message, slot.weight = merged, merged_weight
        self.counts.conflated += weight - grown
        self.surely = self.surely and not grown
        return True

    def _shut_slots(self) -> None:
        for entry in self.queue:
            entry.open = False

    def _add(self, entry: Entry) -> Delivery | None:
        rows, room = self.mailbox.rows, self.room
        if entry.weight <= room:
            self._append(entry)
            return Delivery.ACCEPTED
        match self.plain:
            case Block():
                if entry.weight > self.mailbox.capacity and rows is None:
                    return None
                self.counts.refused += entry.weight
                return Delivery.FULL
            case Fail():
                self.counts.refused += entry.weight
                self.outcomes[id(entry.message)] = "full"
                return None
            case DropOldest():
                return self._drop_oldest(entry)
            case DropNewest():
                cut = rows.floor(entry.message, room) if rows and room and entry.weight > 1 else 0
                if cut:
                    self.queue.append(Entry(entry.message[:cut], cut))
                self._turn_away(entry.message[cut:] if cut else entry.message, entry.weight - cut)
                return Delivery.DROPPED

    def _append(self, entry: Entry) -> None:
        for other in self.queue:
            other.open = other.open and other.key != entry.key
        self.queue.append(entry)

    def _drop_oldest(self, entry: Entry) -> Delivery:
        rows, excess = self.mailbox.rows, entry.weight - self.mailbox.capacity
        if excess <= 0:
            self._evict(entry.weight - self.room)
            self._append(entry)
            return Delivery.ACCEPTED
        if rows is None:
            self._turn_away(entry.message, entry.weight)
            return Delivery.DROPPED
        self._evict(self.queued)
        cut = rows.ceiling(entry.message, excess)
        self._turn_away(entry.message[:cut], cut)
        if cut < entry.weight:
            self.queue.append(Entry(entry.message[cut:], entry.weight - cut))
        return Delivery.DROPPED

    def _evict(self, ticks: int) -> None:
        while ticks > 0:
            place = next(n for n, entry in enumerate(self.queue) if entry.weight)
            entry, rows = self.queue[place], self.mailbox.rows
            cut = rows.ceiling(entry.message, ticks) if rows and entry.weight > ticks else entry.weight
            lost = entry.message
            if cut < entry.weight:
                lost, entry.message, entry.weight = entry.message[:cut], entry.message[cut:], entry.weight - cut
            else:
                del self.queue[place]
                self.outcomes[id(lost)] = "lost"
            ticks -= cut
            self.counts.evicted += cut
            self._skip(place, lost)

    def _turn_away(self, lost: Any, ticks: int) -> None:
        self.counts.turned_away += ticks
        self.outcomes[id(lost)] = "lost"
        self._skip(len(self.queue), lost)
        if self.mailbox.rows is not None:
            self._shut_slots()

    def _skip(self, place: int, lost: Any) -> None:
        rows, before = self.mailbox.rows, self.queue[place - 1] if place else None
        if rows is None:
            return
        if before is not None and isinstance(before.message, Skipped):
            before.message = rows.skipped(before.message, lost)
        elif (mark := rows.skipped(None, lost)) is not None:
            self.queue.insert(place, Entry(mark, 0))

    # --- handling ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Whatever happens until nothing can."""
        if self.killed and self.in_hand:
            self.counts.cancel += self.in_hand.weight
            self._lose_in_hand()
        self.killed = False
        while not self.closed and not self.in_hand:
            if self.control:
                self._handle_control()
            elif self.queue:
                self.in_hand = self.queue.pop(0)
                if not self.gated:
                    self.release()
                else:
                    self.serve()
            else:
                self.surely = True
                self.serve()
                if not self.queue:
                    return

    def _handle_control(self) -> None:
        if is_bad(self.control.pop(0)):
            self.counts.control_dropped += 1
        else:
            self.counts.control_handled += 1

    def release(self) -> bool:
        """The handler goes on, to its end. Whether that was a good one."""
        assert self.in_hand
        entry = self.in_hand
        if is_bad(entry.message):
            self.counts.crash += entry.weight
            self._lose_in_hand()
            return False
        if tells_itself(entry.message):
            self.tell(echo(), 2, self.echoes.popleft())
        self.counts.delivered += entry.weight
        self.outcomes[id(entry.message)] = "replied"
        self.in_hand = None
        if self.gated:
            self.serve()
        return True

    def _lose_in_hand(self) -> None:
        assert self.in_hand
        self.outcomes[id(self.in_hand.message)] = "lost"
        self.in_hand = None
        self.serve()

    # --- ending ------------------------------------------------------------------------------------------------

    def terminate(self) -> None:
        """Stopped for good, without draining; a handler in hand does not end in time."""
        if self.in_hand:
            self.counts.cancel += self.in_hand.weight
            self._lose_in_hand()
        self._close_and_drop()

    def drain(self) -> None:
        """Stopped with draining, every handler going on at once."""
        self.closed = True
        self.serve()
        while self.in_hand or self.control or self.queue:
            if self.in_hand:
                if not self.release():
                    break
            elif self.control:
                bad = is_bad(self.control[0])
                self._handle_control()
                if bad:
                    break
            else:
                self.in_hand = self.queue.pop(0)
        self._close_and_drop()

    def _close_and_drop(self) -> None:
        self.closed = True
        self.serve()
        self.counts.stop += self.queued
        for entry in self.queue:
            self.outcomes[id(entry.message)] = "lost"
        self.queue.clear()
        self.counts.control_dropped += len(self.control)
        self.control.clear()
