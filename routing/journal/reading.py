"""Reads a journal from its header to its last whole frame, and judges what follows: torn off, or damaged.

What is no whole frame, with none behind it, is the end of a write that was cut off. With one behind it, facts are
missing in the middle; whoever went on from there would not know of orders that are out.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import attrs
import msgspec

from ..errors import JournalCorrupt, JournalFailed, JournalForeign
from ..facts import AnyFact
from .format import (
    BODY_MOST,
    CHECK,
    CHECK_FROM_0,
    FRAME,
    HEADER,
    MAGIC,
    VERSION,
    Head,
    NewerVersion,
    mark_of,
    may_become_header,
)
from .safety import opened

CHUNK_BYTES: Final = 2 * BODY_MOST  # holds any frame whole
WHAT_TO_DO: Final = (
    "nothing was changed. Restore a copy, or move the file away and begin a new journal: then what is open at the "
    "venues is adopted or quarantined by their word"
)


@attrs.frozen
class Recovery:
    """What `open` found. `torn_bytes` were cut off behind the last fact and are kept in the file `kept`; by an earlier
    life, it may be, that ended before it appended anything."""

    records: int
    torn_bytes: int
    is_new: bool
    kept: Path | None = None


class Scan:
    """One pass over the journal at `path`, which `fd` reads; over as much as there is when it begins."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd
        self.size = os.fstat(fd).st_size
        self.records: int = 0
        self.end = 0  # bytes, up to here all is well
        self.mark: int | None = None  # None: there is no header yet

    @property
    def torn_bytes(self) -> int:
        """Behind the last whole frame."""
        return self.size - self.end

    def run(self, apply: Callable[[AnyFact], object]) -> None:
        """Call `apply` with each fact, in order. Raises `JournalForeign`, `JournalCorrupt`, `JournalFailed`."""
        for fact in self.facts():
            apply(fact)

    def facts(self) -> Iterator[AnyFact]:
        """Each fact, in order; may be used once. Raises as `run`."""
        self.mark = self._header()
        if self.mark is None:
            return
        self.end = HEADER.size
        whole = True
        while whole and self.end < self.size:
            before = self.end
            yield from self._chunk(self.mark)
            whole = self.end > before
        if not whole:
            self._judge(self.mark)

    def _read(self, size: int, offset: int) -> bytes:
        try:
            return os.pread(self._fd, min(size, self.size - offset), offset)
        except OSError as error:
            raise JournalFailed(self.path, f"it cannot be read at byte {offset:,}: {error.strerror}") from error

    # --- the header --------------------------------------------------------------------------------------------

    def _header(self) -> int | None:
        data = self._read(HEADER.size, 0)
        try:
            if len(data) == HEADER.size:
                return mark_of(data)
        except NewerVersion as error:
            raise JournalForeign(self.path, _of_version(error.version)) from None
        except ValueError as error:
            if not self._nothing_but_zeros(data):
                raise self._no_header(data, str(error)) from None
            return None
        if not may_become_header(data) and not self._nothing_but_zeros(data):
            raise self._no_header(data, f"it begins {data[:16]!r}")
        return None

    def _nothing_but_zeros(self, data: bytes) -> bool:
        """Whether a header was begun and the rest never reached the disk, so that there are zeros."""
        if not may_become_header(data.rstrip(b"\0")):
            return False
        offset = len(data)
        while offset < self.size and (chunk := self._read(CHUNK_BYTES, offset)):
            if chunk.strip(b"\0"):
                return False
            offset += len(chunk)
        return True

    def _no_header(self, data: bytes, what: str) -> Exception:
        if data.startswith(MAGIC):
            return JournalCorrupt(self.path, 0, f"{what}; {WHAT_TO_DO}")
        return JournalForeign(self.path, f"it is no journal: {what}. Nothing was changed; choose another name")

    # --- the frames --------------------------------------------------------------------------------------------

    def _chunk(self, mark: int) -> Iterator[AnyFact]:
        """The facts that are whole within the next chunk; then `end` and `records` follow."""
        data = memoryview(self._read(CHUNK_BYTES, self.end))
        head, head_size, crc32, decode = FRAME.unpack_from, FRAME.size, zlib.crc32, _DECODER.decode
        at, last, base = 0, len(data) - head_size, self.end
        number: int = self.records
        while at <= last:
            check, found_mark, length, found_number = head(data, at)
            body = at + head_size
            stop = body + length
            if found_mark != mark or found_number != number + 1 or stop > len(data):
                break
            if crc32(data[at + CHECK.size : stop], CHECK_FROM_0) != check:
                break
            try:
                fact = decode(data[body:stop])
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                raise self._no_fact(found_number, base + at, error) from None
            number, at = found_number, stop
            yield fact
        self.records, self.end = number, base + at

    def _no_fact(self, number: int, offset: int, error: Exception) -> JournalForeign:
        what = f"fact {number:,} at byte {offset:,} is whole and of no kind known here ({error})"
        return JournalForeign(self.path, f"{what}: a later ticktree wrote it, use that. Nothing was changed")

    # --- what follows the last whole frame ---------------------------------------------------------------------

    def _judge(self, mark: int) -> None:
        """Raises `JournalCorrupt` if a whole frame stands at `end` or behind it."""
        found = self._next_frame(mark)
        if found is None:
            return
        offset, number = found
        what = f"fact {self.records + 1:,} is not what was written, and fact {number:,} follows at byte {offset:,}"
        raise JournalCorrupt(self.path, self.end, f"{what}; {WHAT_TO_DO}")

    def _next_frame(self, mark: int) -> tuple[int, int] | None:
        """Offset and number of the first whole frame from `end` on."""
        sought, base = CHECK.pack(mark), self.end
        while len(data := self._read(CHUNK_BYTES, base)) >= FRAME.size:
            at = data.find(sought, CHECK.size)
            while at >= 0:
                offset = base + at - CHECK.size
                if (number := self._number_at(offset, mark)) is not None:
                    return offset, number
                at = data.find(sought, at + 1)
            base += len(data) - (FRAME.size - 1)
        return None

    def _number_at(self, offset: int, mark: int) -> int | None:
        data = self._read(FRAME.size, offset)
        if len(data) < FRAME.size or not (head := Head.parse(data)).fits(mark, self.size - offset):
            return None
        return head.number if head.holds(self._read(FRAME.size + head.length, offset)) else None


def read(path: Path) -> Iterator[AnyFact]:
    """The facts of the journal at `path`, in order, also while another process writes to it: as far as it is by now.

    Raises `JournalUnsafe`, `JournalForeign`, `JournalCorrupt`, `JournalFailed`.
    """
    fd = opened(path, os.O_RDONLY)
    try:
        yield from Scan(path, fd).facts()
    finally:
        os.close(fd)


def _of_version(version: int) -> str:
    if version > VERSION:
        return f"it is of version {version}, and {VERSION} is the latest known here: use a later ticktree"
    return f"it is of version {version}, which there never was: {VERSION} is the first"


_DECODER: Final[msgspec.msgpack.Decoder[AnyFact]] = msgspec.msgpack.Decoder(AnyFact)
