"""The form of our own recordings, as pure functions: a first line for people, then a block for what one read brought.

First line   `ticktree recording 1 {"feed":"binance","type":"module:Class","began_ns":1700000000000000000}` and LF
Block        the header, then `count` lengths (u4), then as many parts, one straight after the other

The header is little-endian, 40 bytes:

    u4 check       CRC-32 of the rest of the header
    u4 body_check  CRC-32 of what follows it
    u4 length      bytes that follow it
    u1 kind        1 HTTP (url, answer), 2 CONNECT (url), 3 SENT (message), 4 RECEIVED (messages), 5 CLOSED (reason),
                   6 HOLE (messages and bytes missing, u8 each)
    u1 flags       1: further calls followed for the same read
    u2             0
    u4 connection  counted from 1 within the file; 0: none
    u4 count       parts
    i8 time_ns     since 1970
    u8 stream      bytes that the messages took on their connection, with the framing around them

The header has a check of its own, so that a length is believed only if it was written so: a body that the file does not
hold was cut off, and is not a lie.
"""

import struct
import zlib
from collections.abc import Sequence
from itertools import accumulate, pairwise

import attrs
import msgspec

from .entries import EntryKind

MAGIC = b"ticktree recording "
VERSION = 1
MOST_LINE = 4_096  # bytes of the first line
HEADER = struct.Struct("<IIIBBHIIqQ")
CHECK_BYTES = 4
MORE = 1

_CODES = {kind: code for code, kind in enumerate(EntryKind, 1)}
_KINDS = {code: kind for kind, code in _CODES.items()}
_PARTS = {EntryKind.HTTP: 2, EntryKind.CONNECT: 1, EntryKind.SENT: 1, EntryKind.CLOSED: 1, EntryKind.HOLE: 1}

Bytes = bytes | bytearray | memoryview


class Title(msgspec.Struct, frozen=True):
    """The first line, without its magic: which `feed` recorded, of what `type` (module:Class), from when on."""

    feed: str = ""
    type: str = ""
    began_ns: int = 0


@attrs.frozen
class Block:
    """One block. `body`: all parts, one straight after the other; `ends`: where each ends."""

    kind: EntryKind
    time_ns: int
    connection: int
    body: bytes
    ends: tuple[int, ...]
    stream_bytes: int = 0
    more: bool = False

    def parts(self) -> list[bytes]:
        """Copies of the parts, as messages of a WebSocket come."""
        body = self.body
        return [body[begin:end] for begin, end in pairwise((0, *self.ends))]

    def views(self) -> list[memoryview]:
        """Writable views of one copy, as frames of a stream come."""
        body = memoryview(bytearray(self.body))
        return [body[begin:end] for begin, end in pairwise((0, *self.ends))]


@attrs.frozen
class Header:
    """What a block's header says, if its check is right."""

    kind: EntryKind
    flags: int
    length: int
    body_check: int
    connection: int
    count: int
    time_ns: int
    stream_bytes: int


def first_line(title: Title) -> bytes:
    """How a file begins."""
    return MAGIC + f"{VERSION} ".encode() + msgspec.json.encode(title) + b"\n"


def title_of(line: bytes) -> tuple[int, Title | None]:
    """The version that the first line tells, and the rest of it if that version is known. Raises `ValueError`."""
    version, _, rest = line.removeprefix(MAGIC).partition(b" ")
    if not version.isdigit() or len(version) > 9:
        raise ValueError("the first line tells no version")
    known = int(version) == VERSION
    return int(version), msgspec.json.decode(rest, type=Title) if known else None


def encoded(
    kind: EntryKind, time_ns: int, connection: int, lengths: Sequence[int], payload: Bytes, stream: tuple[int, int]
) -> tuple[bytes, Bytes]:
    """A block of parts of such `lengths`, whose bytes are `payload`: what comes before the payload, and that.

    `stream`: bytes that they took on their connection, and the flags.
    """
    count, (stream_bytes, flags) = len(lengths), stream
    table = struct.pack(f"<{count}I", *lengths)
    check, length = zlib.crc32(payload, zlib.crc32(table)), len(table) + len(payload)
    fields = (check, length, _CODES[kind], flags, 0, connection, count, time_ns, stream_bytes)
    header = bytearray(HEADER.pack(0, *fields))
    header[:CHECK_BYTES] = zlib.crc32(memoryview(header)[CHECK_BYTES:]).to_bytes(CHECK_BYTES, "little")
    return bytes(header + table), payload


def header_of(data: bytes) -> Header:
    """What the `HEADER.size` bytes of a header say. Raises `ValueError`."""
    check, body_check, length, code, flags, _, connection, count, time_ns, stream_bytes = HEADER.unpack(data)
    if zlib.crc32(memoryview(data)[CHECK_BYTES:]) != check:
        raise ValueError("a block's header has the wrong check")
    kind = _KINDS.get(code)
    if kind is None:
        raise ValueError(f"blocks of kind {code} are not known")
    if 4 * count > length or _PARTS.get(kind, count) != count:
        raise ValueError(f"a block of {length} bytes and kind {kind} cannot have {count} parts")
    return Header(kind, flags, length, body_check, connection, count, time_ns, stream_bytes)


def block_of(header: Header, data: bytes) -> Block:
    """The block, whose `header.length` bytes behind the header are `data`. Raises `ValueError`."""
    if zlib.crc32(data) != header.body_check:
        raise ValueError("a block has the wrong check")
    lengths = struct.unpack_from(f"<{header.count}I", data)
    body = data[4 * header.count :]
    if sum(lengths) != len(body):
        raise ValueError(f"a block's parts come to {sum(lengths)} bytes, and it has {len(body)}")
    ends = tuple(accumulate(lengths))
    more = bool(header.flags & MORE)
    return Block(header.kind, header.time_ns, header.connection, body, ends, header.stream_bytes, more)
