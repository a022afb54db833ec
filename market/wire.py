"""The wire protocol, sans I/O: bytes to messages and back, however the network cuts them.

Little-endian frames of 16 to 65,536 bytes, a multiple of 8, begin with

    length u4 (header included), kind u1, version u1, flags u2 (0), sequence u8

`sequence` is the ordinal, on this connection and in this direction, of the next tick: of a TICKS frame's first one.
TICKS carries n records of 64 bytes; every other frame one JSON object, padded with spaces.
The client says HELLO and SUBSCRIBE; the server HELLO, INSTRUMENTS (before any tick that uses them), SUBSCRIBED, TICKS
as they come, HEARTBEAT when it has nothing to say, and END before it closes.
"""

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Any

import attrs
import msgspec

from .errors import BadLength, BadPayload, ForeignFrame, FrameTooLong, SequenceGap
from .instruments import Instrument
from .ticks import RECORD

VERSION = 1
HEADER = struct.Struct("<IBBHQ")
MOST_BYTES = 65_536
MOST_ROWS = (MOST_BYTES - HEADER.size) // RECORD.size
_DEFINITIONS_A_FRAME = 256  # each of at most about 200 bytes


class FrameKind(IntEnum):
    """What a frame is. The numbers are the protocol's: they never change, gaps are kept for kinds to come."""

    HELLO = 1
    SUBSCRIBE = 2
    SUBSCRIBED = 3
    INSTRUMENTS = 5
    TICKS = 8
    HEARTBEAT = 10
    END = 11


class Hello(msgspec.Struct, frozen=True):
    """The first word of either side. A client's session is 0; a server's is new each time it starts."""

    session: int
    version: int = VERSION
    token: str = ""


class Subscribe(msgspec.Struct, frozen=True):
    """All topics the client wants, in place of those it wanted before."""

    topics: tuple[str, ...]


class Subscribed(msgspec.Struct, frozen=True):
    """The subscription stands: what comes next belongs to it."""

    topics: tuple[str, ...]


class Instruments(msgspec.Struct, frozen=True):
    """Definitions, valid on this connection."""

    instruments: tuple[Instrument, ...]


class Heartbeat(msgspec.Struct, frozen=True):
    """Nothing happened, and the connection is alive."""


class End(msgspec.Struct, frozen=True):
    """The last word, and why."""

    reason: str


@attrs.frozen
class TickRows:
    """The records of one TICKS frame: n x 64 bytes, valid as long as the bytes that were read."""

    records: memoryview


Message = Hello | Subscribe | Subscribed | Instruments | Heartbeat | End | TickRows

_KINDS: dict[type[msgspec.Struct], FrameKind] = {
    Hello: FrameKind.HELLO,
    Subscribe: FrameKind.SUBSCRIBE,
    Subscribed: FrameKind.SUBSCRIBED,
    Instruments: FrameKind.INSTRUMENTS,
    Heartbeat: FrameKind.HEARTBEAT,
    End: FrameKind.END,
}
_DECODERS: dict[int, msgspec.json.Decoder[Any]] = {
    int(kind): msgspec.json.Decoder(type) for type, kind in _KINDS.items()
}
_KNOWN = frozenset(map(int, FrameKind))
_TICKS = int(FrameKind.TICKS)


class Framing:
    """Cuts one direction of a connection into frames. Holds less than one frame, whatever a length field claims."""

    def __init__(self) -> None:
        self._partial = bytearray()
        self._needed = HEADER.size
        self._offset = 0  # of the first byte not yet given away

    @property
    def buffered(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._partial)

    def split(self, data: bytes) -> Iterator[memoryview]:
        """The frames that `data` completes, header included. Raises `WireError`, after which the stream is lost."""
        if self._partial:
            self._partial += data
            if len(self._partial) < self._needed:
                return
            data = bytes(self._partial)
            self._partial.clear()
        view, start, end = memoryview(data), 0, len(data)
        while end - start >= HEADER.size:
            length = self._length(view, start)
            if end - start < length:
                self._needed = length
                break
            yield view[start : start + length]
            start += length
            self._offset += length
        else:
            self._needed = HEADER.size
        self._partial += view[start:]

    def _length(self, view: memoryview, start: int) -> int:
        length, kind, version, _, _ = HEADER.unpack_from(view, start)
        head = bytes(view[start : start + HEADER.size])
        if length > MOST_BYTES:
            raise FrameTooLong(self._offset, head, length, MOST_BYTES)
        if length < HEADER.size or length % 8:
            raise BadLength(self._offset, head, length)
        if version != VERSION or kind not in _KNOWN:
            raise ForeignFrame(self._offset, head, kind, version)
        return int(length)


class Reader:
    """What one side makes of the frames it gets: messages, their sequence checked."""

    def __init__(self) -> None:
        self._offset = 0
        self._expected = 0

    def read(self, frame: memoryview) -> Message:
        """The message in `frame`. Raises `SequenceGap`, `BadPayload`."""
        _, kind, _, _, sequence = HEADER.unpack_from(frame)
        offset, self._offset = self._offset, self._offset + len(frame)
        if sequence != self._expected:
            raise SequenceGap(offset, bytes(frame[: HEADER.size]), self._expected, sequence)
        payload = frame[HEADER.size :]
        if kind != _TICKS:
            return self._control(kind, payload, offset, frame)
        rows, rest = divmod(len(payload), RECORD.size)
        if rest:
            raise BadPayload(offset, bytes(frame[:16]), f"TICKS of {len(payload)} bytes, not a multiple of 64")
        self._expected += rows
        return TickRows(payload)

    def _control(self, kind: int, payload: memoryview, offset: int, frame: memoryview) -> Message:
        try:
            message: Message = _DECODERS[kind].decode(payload)
        except (msgspec.DecodeError, RecursionError) as error:  # a ValidationError is a DecodeError
            raise BadPayload(offset, bytes(frame[:16]), f"{FrameKind(kind).name}: {error}") from error
        return message


class Writer:
    """What one side has to say, as frames; it numbers the ticks."""

    def __init__(self) -> None:
        self._sequence = 0

    def write(self, message: Message) -> bytes:
        """`message`, in as many frames as it takes."""
        if isinstance(message, TickRows):
            return b"".join(self._ticks(message.records))
        if isinstance(message, Instruments):
            return b"".join(self._control(part) for part in _parts(message))
        return self._control(message)

    def _ticks(self, records: memoryview) -> Iterable[bytes]:
        for start in range(0, len(records), MOST_ROWS * RECORD.size):
            part = records[start : start + MOST_ROWS * RECORD.size]
            yield HEADER.pack(HEADER.size + len(part), FrameKind.TICKS, VERSION, 0, self._sequence) + part
            self._sequence += len(part) // RECORD.size

    def _control(self, message: msgspec.Struct) -> bytes:
        payload = msgspec.json.encode(message)
        payload += b" " * (-len(payload) % 8)
        length, kind = HEADER.size + len(payload), _KINDS[type(message)]
        header = HEADER.pack(length, kind, VERSION, 0, self._sequence)
        if length > MOST_BYTES:
            raise FrameTooLong(0, header, length, MOST_BYTES)
        return header + payload


def _parts(message: Instruments) -> Iterator[Instruments]:
    every = message.instruments
    for start in range(0, len(every), _DEFINITIONS_A_FRAME):
        yield Instruments(every[start : start + _DEFINITIONS_A_FRAME])
