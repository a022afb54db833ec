"""The thread that writes a recording: takes what waits, and gives it to the kernel; the live path never waits for it.

After an error of the disk nothing more is written but, at the end, how much is missing.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from .blocks import Bytes, encoded
from .entries import EntryKind, Hole

# Time for more to gather: one write of much costs less than many of little, and each wake-up takes the interpreter's
# lock from the live path. What is in hand meanwhile is lost with a kill.
GATHER_S: Final = 0.005
AT_ONCE: Final = 64  # blocks; writev takes 1,024 pieces, and these are two each

Write = Callable[[int, Sequence[Bytes]], int]


@attrs.frozen
class Item:
    """One block to write. `cost_bytes`: of memory while it waits. A hole has no `messages` of its own."""

    kind: EntryKind
    time_ns: int
    connection: int
    lengths: tuple[int, ...]
    payload: bytes
    stream: tuple[int, int]
    messages: int
    cost_bytes: int


class Writer(threading.Thread):
    """Writes items to `fd`, of `size` bytes so far, and closes it. Begins with `start`, ends after `end`.

    What it counts is written by this thread alone: `left_bytes` of memory given back; messages and bytes `recorded`,
    which the kernel has; and `lost`, after an error.
    """

    def __init__(
        self, fd: int, size: int, failed: Callable[[OSError], None], write: Write, sync_s: float | None
    ) -> None:
        super().__init__(name="recording", daemon=True)  # nobody ends that of a life that was killed
        self.queue = deque[Item]()
        self.error: OSError | None = None
        self.left_bytes = self.holes = 0
        self.recorded_messages = self.recorded_bytes = 0
        self.lost_messages = self.lost_bytes = 0
        self._fd, self._size = fd, size
        self._failed, self._write, self._sync_s = failed, write, sync_s
        self._synced_s = time.monotonic()
        self._wake = threading.Event()
        self._ending = False
        self._untold, self._untold_ns = Hole(0, 0), 0  # what is missing, and in no hole of the file

    # --- called by the loop's thread ---------------------------------------------------------------------------

    def put(self, item: Item) -> None:
        """Write `item`, soon."""
        self.queue.append(item)
        if not self._wake.is_set():
            self._wake.set()

    def end(self) -> None:
        """Write what waits, and then end."""
        self._ending = True
        self._wake.set()

    # --- the thread --------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until `end`."""
        while items := self._take():
            if self.error is None:
                self._record(items)
            else:
                self._lose(items)
            self.left_bytes += sum(item.cost_bytes for item in items)
        self._tell_hole()
        os.close(self._fd)

    def _take(self) -> list[Item]:
        """What waits; nothing at the end."""
        while not self.queue:
            if self._ending:
                return []
            self._wake.wait(self._sync_s)
            self._wake.clear()
            if not self._ending:
                time.sleep(GATHER_S)
            self._sync()
        return [self.queue.popleft() for _ in range(min(len(self.queue), AT_ONCE))]

    def _record(self, items: Sequence[Item]) -> None:
        blocks = [encoded(i.kind, i.time_ns, i.connection, i.lengths, i.payload, i.stream) for i in items]
        written, whole, end = self._put_out([piece for block in blocks for piece in block]), 0, 0
        for item, (head, payload) in zip(items, blocks, strict=True):
            end += len(head) + len(payload)
            if end > written:
                break
            self._size += len(head) + len(payload)
            self._count(item)
            whole += 1
        self._sync()
        if whole < len(items):
            self._cut_back()
            self._lose(items[whole:])

    def _count(self, item: Item) -> None:
        if item.kind is EntryKind.HOLE:
            self.holes += 1
            return
        self.recorded_messages += item.messages
        self.recorded_bytes += len(item.payload)

    def _lose(self, items: Sequence[Item]) -> None:
        for item in items:
            self._untold_ns = self._untold_ns or item.time_ns
            if item.kind is EntryKind.HOLE:
                hole = Hole.parse(item.payload)
            else:
                hole = Hole(item.messages, len(item.payload))
                self.lost_messages += hole.messages
                self.lost_bytes += hole.size
            self._untold = self._untold.plus(hole.messages, hole.size)

    # --- the file ----------------------------------------------------------------------------------------------

    def _put_out(self, pieces: Sequence[Bytes]) -> int:
        """How many bytes of `pieces` the kernel took: all, or there was an error."""
        left, taken = [memoryview(piece) for piece in pieces if len(piece)], 0
        try:
            while left:
                count = self._write(self._fd, left)
                taken += count
                while left and count >= len(left[0]):
                    count -= len(left.pop(0))
                if count:
                    left[0] = left[0][count:]
        except OSError as error:
            self._fail(error)
        return taken

    def _sync(self) -> None:
        now_s = time.monotonic()
        if self._sync_s is None or self.error is not None or now_s - self._synced_s < self._sync_s:
            return
        self._synced_s = now_s
        try:
            os.fsync(self._fd)
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        if self.error is None:
            self.error = error
            self._failed(error)

    def _cut_back(self) -> None:
        """Take the torn block away: the file ends with a whole one, and there is room to say how much is missing."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:  # then the tear stays, and whoever reads leaves it out
            pass

    def _tell_hole(self) -> None:
        if not self._untold.messages:
            return
        data = self._untold.encoded()
        if self._put_out(encoded(EntryKind.HOLE, self._untold_ns, 0, (len(data),), data, (0, 0))) >= len(data):
            self.holes += 1
