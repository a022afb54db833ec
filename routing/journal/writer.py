"""The journal of one process: facts go to its end, one write each, before anybody acts upon them.

What `append` has returned for survives the end of this process, kill -9 included. What is committed with
`Durability.FSYNC` survives a loss of power. After the first error nothing is written any more: a journal with a hole
would be worse than one that ends.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from enum import StrEnum
from itertools import chain, count
from pathlib import Path
from typing import Final

from ..errors import JournalError, JournalFailed
from ..facts import AnyFact
from .commits import Commits, sync
from .format import HEADER, Framing, header_of
from .reading import CHUNK_BYTES, Recovery, Scan
from .safety import FORKS, beside, opened, owned, release, sync_folder

log = logging.getLogger("ticktree.routing")

END_S: Final = 5.0  # what the disk may take for the last commit


class Durability(StrEnum):
    """What an order waits for before it is sent."""

    OS = "os"  # the kernel has it: survives the end of this process
    FSYNC = "fsync"  # the disk has it: survives a loss of power


class Journal:
    """The file at `path`. `on_failure` hears once of what ends it, also when that happens between appends.

    `records` and `size_bytes` count the facts and bytes in the file; `failed` says why no more can be appended.
    """

    def __init__(
        self,
        path: Path,
        durability: Durability = Durability.OS,
        on_failure: Callable[[JournalFailed], None] | None = None,
    ) -> None:
        self.path, self.durability = path, Durability(durability)
        self.records = self.size_bytes = 0
        self.failed: JournalFailed | None = None
        self._on_failure = on_failure
        self._fd = -1
        self._takes = False  # facts may be appended
        self._why_not = "it is not open"
        self._framing = Framing(0)
        self._commits: Commits | None = None

    def open(self, apply: Callable[[AnyFact], object]) -> Recovery:
        """Take the journal, call `apply` with each fact in it, and cut off what was torn. For start-up: it blocks.

        Raises `JournalOwned`, `JournalUnsafe`, `JournalForeign`, `JournalCorrupt`, `JournalFailed`, and what `apply`
        raises; nothing is cut then.
        """
        if self._fd >= 0:
            raise JournalFailed(self.path, "it is open already")
        fd = owned(self.path)
        try:
            scan = Scan(self.path, fd)
            scan.run(apply)
            recovery = self._made_ready(fd, scan)
            self._commits = Commits(self, fd) if self.durability is Durability.FSYNC else None
        except BaseException:
            release(self.path, fd)
            os.close(fd)
            raise
        self._fd, self._takes, self.failed = fd, True, None
        FORKS.watch(self)
        return recovery

    def append(self, fact: AnyFact) -> None:
        """Write `fact`: the kernel has it on return.

        Raises `JournalFailed`, now and ever after, if it cannot be written; `JournalError` for a fact that no journal
        can hold, which harms nothing else.
        """
        if not self._takes:
            raise self._refusal()
        try:
            frame = self._framing.frame(fact, self.records + 1)
        except (TypeError, ValueError, OverflowError) as error:
            raise JournalError(self.path, f"it cannot hold {fact!r:.200}: {error}") from error
        try:
            written = os.write(self._fd, frame)
            if written != len(frame):  # the next write tells why
                _write(self._fd, frame[written:])
            self.size_bytes += len(frame)
            self.records += 1
        except BaseException as error:  # an interrupt, too, leaves in doubt what was written
            self._fail(error)
            raise
        if self._commits is not None:
            self._commits.soon()

    def committed(self) -> "asyncio.Future[None] | None":
        """None when everything appended so far is as durable as promised, else a future for when it will be.

        The future fails with `JournalFailed`. Time passes on the disk only: in virtual time timers may ring meanwhile.
        """
        return None if self._commits is None else self._commits.wait()

    def close(self) -> None:
        """Have the disk take everything, and let others have the journal. Takes 5 s at most, in fsync mode."""
        if self._fd < 0:
            return
        if self._takes:
            self._takes, self._why_not = False, "it is closed"
        FORKS.unwatch(self)
        fd, self._fd = self._fd, -1
        done = self._last_commit(fd)
        release(self.path, fd)
        if done:  # else a thread still waits for the disk with this descriptor
            os.close(fd)

    # --- opening -----------------------------------------------------------------------------------------------

    def _made_ready(self, fd: int, scan: Scan) -> Recovery:
        try:
            kept = self._cut(fd, scan.end, scan.size) if scan.torn_bytes else _kept_before(self.path, scan.end)
            mark = self._begun(fd) if scan.mark is None else scan.mark
            torn_bytes = scan.torn_bytes or (0 if kept is None else kept.stat().st_size)
            sync(fd)  # what a killed process wrote is not on the disk for that, and is acted upon from here on
            sync_folder(self.path.parent)
        except OSError as error:
            raise JournalFailed(self.path, f"it cannot be made ready: {error.strerror}") from error
        self._framing = Framing(mark)
        self.records, self.size_bytes = scan.records, max(scan.end, HEADER.size)
        return Recovery(scan.records, torn_bytes, scan.mark is None, kept)

    def _begun(self, fd: int) -> int:
        mark = int.from_bytes(os.urandom(4), "little") | 1  # not 0, which is all over the place
        _write(fd, header_of(mark))
        return mark

    def _cut(self, fd: int, end: int, size: int) -> Path:
        kept = _keep(self.path, fd, end, size)
        os.ftruncate(fd, end)
        log.warning("%s: its last %d bytes were cut off in a write, and lie in %s now", self.path, size - end, kept)
        return kept

    # --- failing -----------------------------------------------------------------------------------------------

    def _fail(self, error: BaseException) -> None:
        """Nothing is appended any more. Cuts back what was written in part, so that the file ends with a whole fact."""
        self.broke(error)
        try:
            os.ftruncate(self._fd, self.size_bytes)
        except OSError:  # then the tear stays, and the next `open` cuts it
            pass
        self.tell()
        if isinstance(error, OSError):
            raise self._refusal() from error

    def broke(self, error: BaseException) -> None:
        """Nothing is appended any more; called by any thread."""
        if self.failed is not None:
            return
        what = getattr(error, "strerror", None) or repr(error)
        self._takes, self._why_not = False, f"it cannot be written any more: {what}. Nothing was appended since"
        self.failed = JournalFailed(self.path, self._why_not)

    def tell(self) -> None:
        """Tell `on_failure`, once."""
        hears, self._on_failure = self._on_failure, None
        if hears is not None and self.failed is not None:
            hears(self.failed)

    def failure(self) -> JournalFailed:
        """Why nothing is committed any more."""
        return JournalFailed(self.path, self._why_not)

    def _refusal(self) -> JournalFailed:
        if self.failed is not None:
            self.tell()
        return self.failure()

    def forked(self) -> None:
        """In a forked child: this is the parent's journal. Its lock stays with the parent alone."""
        fd, self._fd, self._takes = self._fd, -1, False
        self._why_not = "it belongs to the process that this one was forked from"
        self._commits = None
        if fd >= 0:
            os.close(fd)

    def _last_commit(self, fd: int) -> bool:
        """Whether nobody uses `fd` any more."""
        commits, self._commits = self._commits, None
        if commits is not None:
            return commits.end(END_S)
        if self.failed is None:
            try:
                sync(fd)
            except OSError as error:
                self.broke(error)
                self.tell()
        return True


def _write(fd: int, data: bytes | bytearray) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def _kept_before(path: Path, end: int) -> Path | None:
    """What an earlier life cut off here and then ended without a fact appended: nobody has acted upon the cut yet."""
    kept = beside(path, f"torn-{end}")
    return kept if os.path.lexists(kept) else None


def _keep(path: Path, fd: int, begin: int, end: int) -> Path:
    """Copy these bytes of the journal into a file of their own, and say which."""
    names = (beside(path, f"torn-{begin}{suffix}") for suffix in chain([""], (f"-{n}" for n in count(2))))
    kept = next(name for name in names if not os.path.lexists(name))
    copy = opened(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        while begin < end and (data := os.pread(fd, min(CHUNK_BYTES, end - begin), begin)):
            _write(copy, data)
            begin += len(data)
        sync(copy)
    finally:
        os.close(copy)
    return kept
