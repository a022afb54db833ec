"""Makes what was appended survive a loss of power: one thread, and one fdatasync for all who wait by then."""

import asyncio
import fcntl
import os
import signal
import sys
import threading
from collections import deque
from typing import Protocol

from ..errors import JournalFailed

Future = asyncio.Future[None]


def sync(fd: int) -> None:
    """Return when the disk has what was written to `fd`. Raises OSError."""
    if sys.platform == "darwin":  # there fsync leaves data in the disk's cache
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


class Committed(Protocol):
    """Whose bytes are made durable: the journal."""

    @property
    def size_bytes(self) -> int:
        """So much is written."""
        ...

    def broke(self, error: OSError) -> None:
        """Nothing can be made durable any more. Called by the thread, once."""
        ...

    def tell(self) -> None:
        """Say so to whoever wants to know. Called on the loop, before those who wait are told."""
        ...

    def failure(self) -> JournalFailed:
        """What those who wait are told."""
        ...


class Commits:
    """Commits of one file. Its methods belong to the loop's thread."""

    def __init__(self, journal: Committed, fd: int) -> None:
        self._journal, self._fd = journal, fd
        self._durable = journal.size_bytes
        self._waiting = deque[tuple[int, Future]]()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due: asyncio.AbstractEventLoop | None = None  # where a commit begins at the end of this turn
        self._wake = threading.Event()
        self._broken = self._ending = False
        # A signal that reached this thread would not wake a main thread that is blocked in C, and so never be served.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def soon(self) -> None:
        """Begin at the end of this turn of the loop, so that whatever is appended in it shares one commit."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # at start-up there is none
            self._wake.set()
            return
        if self._due is not loop:
            self._loop = self._due = loop
            loop.call_soon(self._begin)

    def wait(self) -> Future | None:
        """None when all is durable, else a future for when what is there now will be; it may fail with `failure()`."""
        if self._durable >= self._journal.size_bytes:
            return None
        future: Future = asyncio.get_running_loop().create_future()
        self._waiting.append((self._journal.size_bytes, future))
        if self._broken:  # asked after the future is in line: the thread reports to those in line before it ends
            self.resolve()
        else:
            self.soon()
        return future

    def resolve(self) -> None:
        """Tell all whose bytes are durable; all others, once it is broken, that they never will be."""
        if self._broken:
            self._journal.tell()
        while self._waiting and (self._broken or self._waiting[0][0] <= self._durable):
            target, future = self._waiting.popleft()
            if future.done():
                continue
            if target <= self._durable:
                future.set_result(None)
            else:
                future.set_exception(self._journal.failure())
                future.exception()  # who gave up waiting is not missed: no word in the log

    def end(self, within_s: float) -> bool:
        """Commit what is there, end the thread, tell all. False when it did not come back in time."""
        self._ending = True
        self._wake.set()
        self._thread.join(within_s)
        if self._thread.is_alive() and not self._broken:
            self._broken = True
            self._journal.broke(TimeoutError(0, f"the disk did not answer within {within_s:g} s"))
        self.resolve()
        return not self._thread.is_alive()

    def _begin(self) -> None:
        self._due = None
        self._wake.set()

    # --- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._broken:
            self._wake.wait()
            self._wake.clear()
            ending = self._ending  # before the size: what was appended before the end is committed
            self._commit(self._journal.size_bytes)
            if self._waiting or self._broken:
                self._report()
            if ending:
                break

    def _commit(self, size: int) -> None:
        if size <= self._durable:
            return
        try:
            sync(self._fd)
        except OSError as error:  # what the kernel dropped is not written by asking again
            self._journal.broke(error)
            self._broken = True
        else:
            self._durable = size

    def _report(self) -> None:
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self.resolve)
        except RuntimeError:  # it is closed, and nobody waits any more
            pass
