"""Where reads land: a few slots of memory that are lent out, and used again once nobody looks at them.

What a large read brought is handed on as views of the slot it landed in: a stream of ticks that is copied out of its
read buffer spends more on copies, and on the page faults of fresh memory, than on anything else.
"""

import sys
from typing import Final

SLOTS: Final = 4
SLOT_BYTES: Final = 512 * 1024  # 8,192 ticks. A read costs 40 us besides: half of it came to 0.8 of this rate
LENT_BYTES: Final = 16 * 1024  # less is copied: it would pin a whole slot
SHORT_BYTES: Final = 4 * 1024
_NOTHING: Final = memoryview(b"")


class ReadBuffers:
    """The memory of one connection's reads: at most `slots` slots of `slot_bytes`, or two frames each if that is more.

    One read is `room` (where to read to), then `filled` (what is there now), then `keep` (how much of it was frames).
    A slot is free when nothing but the pool refers to its bytearray: a memoryview of it holds one reference, which its
    slices, and arrays over them, share, and which ends with the last of them. Whoever keeps views pins at most the
    pool: when only the slot that is read to is left, reads are copied, and a copy is the memory of who keeps it.
    """

    def __init__(self, most_bytes: int, slots: int = SLOTS, slot_bytes: int = SLOT_BYTES) -> None:
        """`most_bytes`: the longest frame; less is held between reads. Slots are made when they are needed."""
        self.slot_bytes = max(slot_bytes, 2 * most_bytes)
        self.held = 0  # bytes at the end of what was read that are in no frame yet
        self.lent = 0  # reads whose frames are views of a slot
        self.copied = 0  # reads whose frames are copies
        self._most = slots
        self._slots = [bytearray(self.slot_bytes)]
        self._idle = self._references(0)  # of a slot nobody looks at, as this interpreter counts
        self._now = 0  # the slot that is read to
        self._view = memoryview(self._slots[0])
        self._end = 0  # where in it the bytes end that were read
        self._given = False  # the last read was lent: what it left over must move elsewhere

    @property
    def free(self) -> int:
        """Slots nobody looks at, those not made yet and the one that is read to included."""
        others = sum(self._is_idle(slot) for slot in range(len(self._slots)))
        return others + self._most - len(self._slots) + (not self._given)

    def room(self) -> memoryview:
        """Where the next read goes; not empty, unless a frame longer than `most_bytes` was let pass.

        Asking again without a read changes nothing.
        """
        if self._given:
            self._move()
        return self._view[self._end :] if self._end else self._view

    def filled(self, read_bytes: int) -> memoryview:
        """What is there after a read of so many bytes: those held before it, then the new ones. Writable."""
        self._end = self.held = end = self._end + read_bytes
        self._given = end >= LENT_BYTES and self._has_spare()
        return self._view[:end] if self._given else memoryview(bytearray(self._view[:end]))

    def keep(self, taken: int) -> None:
        """The first `taken` bytes of what `filled` returned are the receiver's; the rest is held for the next read."""
        self.held = rest = self._end - taken
        if not taken:  # all of it: read on behind it
            self._given = False
        elif self._given:
            self.lent += 1
        else:
            self.copied += 1
            self._view[:rest] = self._view[taken : self._end]
            self._end = rest

    def _move(self) -> None:
        # Only now, with the next read: the loop holds on to its buffer until `buffer_updated` returns.
        rest = self._view[self._end - self.held : self._end].tobytes()
        self._view = _NOTHING
        if not self._is_idle(self._now):
            self._now = self._spare()
        self._view = memoryview(self._slots[self._now])
        self._view[: self.held] = rest
        self._end, self._given = self.held, False

    def _spare(self) -> int:
        for slot in range(len(self._slots)):
            if self._is_idle(slot):
                return slot
        self._slots.append(bytearray(self.slot_bytes))
        return len(self._slots) - 1

    def _has_spare(self) -> bool:
        if len(self._slots) < self._most:
            return True
        return any(self._is_idle(slot) for slot in range(len(self._slots)))

    def _is_idle(self, slot: int) -> bool:
        return self._references(slot) == self._idle

    def _references(self, slot: int) -> int:
        return sys.getrefcount(self._slots[slot])


class ShortReads:
    """The memory of one connection whose other side says little: a few KiB, and what there is of one frame.

    The same calls and counts as those of `ReadBuffers`, but nothing is lent. What waits for the end of its frame grows
    with the bytes that come, never with what a length says.
    """

    def __init__(self, most_bytes: int, read_bytes: int = SHORT_BYTES) -> None:
        """`most_bytes`: the longest frame; no read brings more than `read_bytes`."""
        self.slot_bytes = 2 * most_bytes + read_bytes  # more than ever waits: no read fills it
        self.held = 0  # bytes that are in no frame yet
        self.lent = self.free = 0
        self.copied = 0  # reads
        self._room = bytearray(read_bytes)
        self._rest = bytearray()

    def room(self) -> memoryview:
        """Where the next read goes."""
        return memoryview(self._room)

    def filled(self, read_bytes: int) -> memoryview:
        """What is there after a read of so many bytes: those held before it, then the new ones. Writable."""
        self.copied += 1
        if not self._rest:
            self._rest = self._room[:read_bytes]
        else:
            self._rest += memoryview(self._room)[:read_bytes]
        self.held = len(self._rest)
        return memoryview(self._rest)

    def keep(self, taken: int) -> None:
        """The first `taken` bytes of what `filled` returned are the receiver's; the rest is held for the next read."""
        if taken:
            self._rest = self._rest[taken:]
            self.held = len(self._rest)
