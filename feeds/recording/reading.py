"""Reads recordings, ours or captures: what was written before a tear is used, what is damaged has a name.

Memory never grows by what a length in the file claims: a part is read only if the file has it.
"""

import logging
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ..replay import Progress
from . import captures
from .blocks import HEADER, MAGIC, MOST_LINE, VERSION, Block, Title, block_of, header_of, title_of
from .entries import Entry, EntryKind
from .errors import DamagedRecording, EmptyRecording, NewerRecording, NoRecording

log = logging.getLogger("ticktree.feeds")

BUFFER_BYTES = 1 << 20


class Reading:
    """Reads the recording at `path` once, from `blocks` or, message by message, from `entries`.

    Raises `NoRecording`, `EmptyRecording` and `NewerRecording` at once, or for captures with the first block;
    `DamagedRecording` while it is read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.title = Title()
        self._done = self._blocks = self._first_ns = self._time_ns = self._torn = 0
        try:
            self._file = path.open("rb", buffering=BUFFER_BYTES)
        except OSError as error:
            raise NoRecording(path, f"it cannot be opened ({error.strerror})") from None
        try:
            self._total = os.fstat(self._file.fileno()).st_size
            self._source = self._recognised(self._file)
        except BaseException:
            self._file.close()
            raise

    def progress(self) -> Progress:
        """How far it was read, as of now."""
        return Progress(self._done, self._total, self._blocks, self._first_ns, self._time_ns, self._torn)

    def close(self) -> None:
        """Read no more. Whoever reads to the end, or to an error, need not call it."""
        self._file.close()

    def blocks(self) -> Iterator[Block]:
        """All that is left, in order. Raises `DamagedRecording`."""
        with self._file:
            for block in self._source:
                self._blocks += 1
                self._first_ns = self._first_ns or block.time_ns
                self._time_ns = block.time_ns
                yield block
        if self._torn:
            log.warning("%s: its last %d bytes were cut off, and are left out", self.path, self._torn)

    def entries(self) -> Iterator[Entry]:
        """All that is left, message by message."""
        for block in self.blocks():
            yield from entries_of(block)

    # --- which kind it is --------------------------------------------------------------------------------------

    def _recognised(self, file: BinaryIO) -> Iterator[Block]:
        head = file.read(len(MAGIC))
        if head == MAGIC:
            self._begin(head + file.readline(MOST_LINE))
            return self._ours(file)
        file.seek(0)
        if MAGIC.startswith(head):
            raise EmptyRecording(self.path, self._total)
        if not head.startswith((b"{", captures.GZIP)):
            raise NoRecording(self.path, f"it is something else, and begins {head!r}")
        return self._capture(file, head.startswith(captures.GZIP))

    def _begin(self, line: bytes) -> None:
        if not line.endswith(b"\n"):
            if len(line) <= MOST_LINE:
                raise EmptyRecording(self.path, self._total)
            raise DamagedRecording(self.path, 0, f"the first line is longer than {MOST_LINE:,} bytes")
        try:
            version, title = title_of(line)
        except ValueError as error:
            raise DamagedRecording(self.path, 0, f"its first line cannot be read: {error}") from None
        if title is None:
            raise NewerRecording(self.path, version, VERSION)
        self.title, self._done = title, len(line)

    # --- ours --------------------------------------------------------------------------------------------------

    def _ours(self, file: BinaryIO) -> Iterator[Block]:
        while head := file.read(HEADER.size):
            left = self._total - self._done
            if left < HEADER.size or len(head) < HEADER.size:
                break
            try:
                header = header_of(head)
                if header.length > left - HEADER.size:
                    break
                block = block_of(header, file.read(header.length))
            except ValueError as error:
                raise DamagedRecording(self.path, self._done, str(error)) from None
            self._done += HEADER.size + header.length
            yield block
        self._torn = self._total - self._done

    # --- captures ----------------------------------------------------------------------------------------------

    def _capture(self, file: BinaryIO, packed: bool) -> Iterator[Block]:
        offset, line = 0, b""
        pieces = captures.unpacked(file) if packed else iter(lambda: file.read(captures.CHUNK), b"")
        try:
            for line in captures.lines(pieces):
                block = captures.block_of(line)
                offset += len(line)
                self._done = file.tell() if packed else offset
                yield block
        except captures.Cut as cut:
            self._torn = max(1, cut.size)
        except (ValueError, RecursionError, zlib.error) as error:
            if not offset and not isinstance(error, zlib.error):
                raise NoRecording(self.path, f"its first line is none of a capture's: {error}") from None
            if packed or line.endswith(b"\n") or not line:
                raise DamagedRecording(self.path, offset, f"it cannot be read on: {error}") from None
            self._torn = len(line)
        else:
            self._done = self._total
        if not offset:
            raise EmptyRecording(self.path, self._total)


class Readings:
    """Reads several recordings of one feed, one after the other, as if they were one; None stands between two.

    Raises as `Reading`; also `DamagedRecording` for one that begins before the one before it has ended.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._readings = [Reading(self._paths[0])]
        self._sizes = [path.stat().st_size for path in self._paths[1:]]  # the others are opened in their turn

    @property
    def title(self) -> Title:
        """Of the first."""
        return self._readings[0].title

    def progress(self) -> Progress:
        """How far they were read, as of now."""
        each = [reading.progress() for reading in self._readings]
        left = sum(self._sizes[len(each) - 1 :])
        return Progress(
            sum(one.bytes_done for one in each), left + sum(one.bytes_total for one in each),
            sum(one.blocks for one in each), each[0].first_ns, max(one.time_ns for one in each),
            sum(one.torn_bytes for one in each),
        )  # fmt: skip

    def close(self) -> None:
        """Read no more."""
        self._readings[-1].close()

    def blocks(self) -> Iterator[Block | None]:
        """All that is left, in order."""
        yield from self._readings[0].blocks()
        for path in self._paths[1:]:
            last_ns = self.progress().time_ns
            reading = Reading(path)
            self._readings.append(reading)
            yield None
            for block in reading.blocks():
                if block.time_ns < last_ns:
                    raise DamagedRecording(path, 0, "it begins before the one that was given before it ends")
                yield block


def entries_of(block: Block) -> Iterator[Entry]:
    """What a block tells, message by message."""
    parts = block.parts()
    match block.kind:
        case EntryKind.HTTP:
            yield Entry(block.kind, block.time_ns, 0, parts[0].decode(errors="replace"), parts[1])
        case EntryKind.CONNECT:
            yield Entry(block.kind, block.time_ns, block.connection, parts[0].decode(errors="replace"))
        case EntryKind.SENT | EntryKind.RECEIVED | EntryKind.CLOSED | EntryKind.HOLE:
            for part in parts:
                yield Entry(block.kind, block.time_ns, block.connection, "", part)


def read(path: Path) -> Iterator[Entry]:
    """The entries of the recording at `path`, in order. Raises `RecordingError`, of which errors.py has the kinds."""
    return Reading(path).entries()
