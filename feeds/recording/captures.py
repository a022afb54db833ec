"""Captures of others: JSON lines, gzipped or not, one object for each thing that was said."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta

from .blocks import Block
from .entries import EntryKind

CHUNK = 256 * 1024
MOST_LINE = 64 << 20  # bytes; an answer over HTTP may be some 20 MB
GZIP = b"\x1f\x8b"

Seconds = Annotated[float, Meta(ge=0, le=9e9)]


class Line(msgspec.Struct):
    """One line; `t`: unix seconds."""

    t: Seconds
    kind: EntryKind
    conn: int | None = None
    url: str = ""
    data: str = ""


_decode = msgspec.json.Decoder(Line).decode


def block_of(line: bytes) -> Block:
    """What one line tells. Raises `ValueError`."""
    found = _decode(line)
    time_ns, connection, data = round(found.t * 1e9), found.conn or 0, found.data.encode()
    match found.kind:
        case EntryKind.HTTP:
            url = found.url.encode()
            return Block(found.kind, time_ns, 0, url + data, (len(url), len(url) + len(data)))
        case EntryKind.CONNECT:
            data = found.url.encode()
        case EntryKind.HOLE:
            raise ValueError("captures have no holes")
        case EntryKind.SENT | EntryKind.RECEIVED | EntryKind.CLOSED:
            pass
    return Block(found.kind, time_ns, connection, data, (len(data),), len(data))


class Cut(Exception):
    """A compressed file ends in the middle, `size` bytes into a line of what it unpacks to."""

    def __init__(self, size: int = 0) -> None:
        super().__init__(size)
        self.size = size


def unpacked(file: BinaryIO) -> Iterator[bytes]:
    """The pieces of a gzipped file. Raises `zlib.error`; `Cut` at its end, if that is not where it should be."""
    unzip, begun = zlib.decompressobj(31), False
    while data := file.read(CHUNK):
        while data:
            if unzip.eof:  # several, one after the other, are one file (RFC 1952, 2.2)
                unzip = zlib.decompressobj(31)
            yield unzip.decompress(data, CHUNK)
            begun = True
            data = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
    if begun and not unzip.eof:
        yield unzip.flush()  # what was held back by the bound
        if not unzip.eof:
            raise Cut


def lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """`pieces` as lines with their LF; the last may have none. Raises `ValueError` for one that does not end."""
    held, size = list[bytes](), 0
    try:
        for piece in pieces:
            *whole, rest = piece.split(b"\n")
            for line in whole:
                yield b"".join((*held, line, b"\n"))
                held, size = [], 0
            held.append(rest)
            size += len(rest)
            if size > MOST_LINE:
                raise ValueError(f"a line does not end within {MOST_LINE:,} bytes")
    except Cut:
        raise Cut(size) from None
    if size:
        yield b"".join(held)
