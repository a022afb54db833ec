"""The form of a journal, as pure functions: a header, then a frame for each fact. All numbers are little-endian.

Header, 28 bytes, the same in all versions:

    16 bytes       `ticktree journal`
    u4 version     of the frames
    u4 mark        drawn when the file was made; begins every frame of it and, most likely, nothing else
    u4 check       CRC-32 of the header before it

Frame, 20 bytes and the body:

    u4 check       CRC-32 of the whole frame, with 0 in this place
    u4 mark        the file's: neither remains of another journal nor what a fact quotes is taken for a frame
    u4 length      bytes of the body
    u8 number      of the fact, counted from 1 within the file
    body           the fact, as msgpack
"""

import struct
import zlib
from typing import Final

import attrs
import msgspec

from ..facts import VERSION as VERSION, AnyFact

MAGIC: Final = b"ticktree journal"
HEADER: Final = struct.Struct("<16sIII")
FRAME: Final = struct.Struct("<IIIQ")
CHECK: Final = struct.Struct("<I")
CHECK_FROM_0: Final = zlib.crc32(bytes(CHECK.size))  # where the check of a frame begins, its own place being 0
BODY_MOST: Final = 1 << 20  # bytes of one fact; a greater length is a lie, or a fact that somebody stuffed


class NewerVersion(ValueError):
    """A header of a `version` that is not known here."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version}")
        self.version = version


def header_of(mark: int) -> bytes:
    """The header of a new journal."""
    head = HEADER.pack(MAGIC, VERSION, mark, 0)[: -CHECK.size]
    return head + CHECK.pack(zlib.crc32(head))


def mark_of(header: bytes) -> int:
    """The mark in a whole header. Raises `NewerVersion`, or ValueError for what was no header, or is one no more."""
    magic: bytes
    version: int
    mark: int
    check: int
    magic, version, mark, check = HEADER.unpack(header)
    if magic != MAGIC:
        raise ValueError(f"it begins {header[:16]!r}")
    if check != zlib.crc32(header[: -CHECK.size]):
        raise ValueError("the check of the header is wrong")
    if version != VERSION:
        raise NewerVersion(version)
    return mark


def may_become_header(data: bytes) -> bool:
    """Whether `data` is how a header of this version begins: its writer was cut off."""
    known = MAGIC + CHECK.pack(VERSION)
    return len(data) < HEADER.size and (known.startswith(data) or data.startswith(known))


class Framing:
    """Turns facts into frames, in one buffer that is used again and again."""

    def __init__(self, mark: int) -> None:
        self._mark = mark
        self._encode_into = msgspec.msgpack.Encoder().encode_into
        self._head_into, self._check_into, self._crc32 = FRAME.pack_into, CHECK.pack_into, zlib.crc32
        self._buffer = bytearray(FRAME.size)

    def frame(self, fact: AnyFact, number: int) -> bytearray:
        """Valid until the next call. Raises TypeError, ValueError or OverflowError for what no journal can hold."""
        buffer = self._buffer
        self._encode_into(fact, buffer, FRAME.size)
        length = len(buffer) - FRAME.size
        if length > BODY_MOST:
            raise ValueError(f"it takes {length:,} bytes, and {BODY_MOST:,} is the most")
        self._head_into(buffer, 0, 0, self._mark, length, number)
        self._check_into(buffer, 0, self._crc32(buffer))
        return buffer


@attrs.frozen
class Head:
    """What a frame says of itself."""

    check: int
    mark: int
    length: int
    number: int

    @classmethod
    def parse(cls, data: bytes) -> "Head":
        """The head that `data` begins with."""
        return cls(*FRAME.unpack_from(data))

    def fits(self, mark: int, room: int) -> bool:
        """Whether it may be a frame of the journal with this `mark`, in `room` bytes."""
        return self.mark == mark and self.length <= min(BODY_MOST, room - FRAME.size)

    def holds(self, frame: bytes) -> bool:
        """Whether the whole `frame` is what was written."""
        return zlib.crc32(memoryview(frame)[CHECK.size :], CHECK_FROM_0) == self.check
