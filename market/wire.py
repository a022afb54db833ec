"""The wire protocol, sans I/O: bytes to messages and back, however the network cuts them. See docs/wire-protocol.md.

Little-endian frames of 16 to 65,536 bytes, a multiple of 8, begin with

    length u4 (header included), kind u1, version u1, flags u2 (0), sequence u8

`sequence` is an ordinal on this connection and in this direction, from 0 on: of a TICKS frame's first tick, in every
other frame of the next tick. SKIPPED advances it by its count: rows + skipped == ordinal, at every frame.
TICKS carries n >= 1 records of 64 bytes; every other frame one JSON object (`messages`), padded with spaces. A book
update may span TICKS frames: it ends with the row that has LAST.
"""

import struct
from collections.abc import Iterable
from enum import IntEnum

import msgspec
import numpy as np

from . import messages
from .errors import BadLength, BadPayload, ForeignFrame, FrameTooLong, SequenceGap
from .messages import (
    VERSION as VERSION,
    BarMessage as BarMessage,
    End as End,
    FeedMark as FeedMark,
    GapMark as GapMark,
    Heartbeat as Heartbeat,
    Hello as Hello,
    InstrumentMark as InstrumentMark,
    Instruments as Instruments,
    LiveMark as LiveMark,
    Refusal as Refusal,
    Refused as Refused,
    Skipped as Skipped,
    SnapshotBegin as SnapshotBegin,
    SnapshotEnd as SnapshotEnd,
    StaleMark as StaleMark,
    Subscribe as Subscribe,
    Subscribed as Subscribed,
    Unsubscribe as Unsubscribe,
)
from .strict_json import Strict
from .ticks import RECORD, TICK, Ticks

HEADER = struct.Struct("<IBBHQ")
MOST_BYTES = 65_536
MOST_ROWS = (MOST_BYTES - HEADER.size) // RECORD.size
HEARTBEAT_S = 1.0  # a side that had nothing to say for so long says HEARTBEAT
SILENCE_S = 2.0  # a side that heard nothing for so long has lost the other
_DEFINITIONS_A_FRAME = 128  # each of at most about 400 bytes
_BOOKS_A_FRAME = 400  # each of at most 120 bytes


class FrameKind(IntEnum):
    """What a frame is. The numbers are the protocol's: they never change, gaps are kept for kinds to come."""

    HELLO = 1
    REFUSED = 2
    END = 3
    HEARTBEAT = 4
    SUBSCRIBE = 8
    UNSUBSCRIBE = 9
    SUBSCRIBED = 10
    INSTRUMENTS = 16
    SNAPSHOT_BEGIN = 17
    SNAPSHOT_END = 18
    TICKS = 19
    SKIPPED = 20
    STATUS = 21
    BAR = 22


class TickRows(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The ticks of one TICKS frame, or of several: an array of `TICK`, valid as long as it is kept.

    Of one frame it is a view of the bytes that were read, writable where these are.
    """

    ticks: Ticks


Message = (
    Hello
    | Refused
    | End
    | Heartbeat
    | Subscribe
    | Unsubscribe
    | Subscribed
    | Instruments
    | SnapshotBegin
    | SnapshotEnd
    | TickRows
    | Skipped
    | BarMessage
    | messages.Mark
)

_KINDS: dict[type[messages.Message], FrameKind] = {
    Hello: FrameKind.HELLO,
    Refused: FrameKind.REFUSED,
    End: FrameKind.END,
    Heartbeat: FrameKind.HEARTBEAT,
    Subscribe: FrameKind.SUBSCRIBE,
    Unsubscribe: FrameKind.UNSUBSCRIBE,
    Subscribed: FrameKind.SUBSCRIBED,
    Instruments: FrameKind.INSTRUMENTS,
    SnapshotBegin: FrameKind.SNAPSHOT_BEGIN,
    SnapshotEnd: FrameKind.SNAPSHOT_END,
    Skipped: FrameKind.SKIPPED,
    BarMessage: FrameKind.BAR,
    **dict.fromkeys(messages.MARKS, FrameKind.STATUS),
}
_STRICT: dict[FrameKind, Strict[messages.Message]] = {
    kind: Strict(*(type for type, its_kind in _KINDS.items() if its_kind is kind))
    for kind in FrameKind
    if kind is not FrameKind.TICKS
}

# A header's first 8 bytes as one number: the length below, and above it kind, version and flags as one.
_WORD = struct.Struct("<Q")
_WORDS = struct.Struct("<QQ")  # that number, and the sequence
_LENGTH = 0xFFFF_FFFF
_KNOWN = {int(kind) | VERSION << 8: kind for kind in FrameKind}
_TICKS = FrameKind.TICKS | VERSION << 8
_HEADER_BYTES, _ROW_BYTES = HEADER.size, RECORD.size
_U8 = np.dtype("<u8")


class Framing:
    """Cuts one direction of a connection into frames. Holds nothing: what is not whole stays with the connection."""

    most_bytes = MOST_BYTES
    read_bytes = 512 * 1024  # at once: 8,192 ticks, most of them in few runs

    def cut(self, data: memoryview, offset: int) -> tuple[list[memoryview], int, Exception | None]:
        """The whole frames at the start of `data`, their bytes, and a `WireError` if what follows can be none.

        TICKS frames of equal length in a row are one slice, for `Reader` to take apart at once. `offset`: of data[0] on
        the connection.
        """
        frames, at, end = list[memoryview](), 0, len(data)
        while end - at >= _HEADER_BYTES:
            (word,) = _WORD.unpack_from(data, at)
            length, rest = word & _LENGTH, word >> 32
            if rest not in _KNOWN or length & 7 or not _HEADER_BYTES <= length <= MOST_BYTES:
                return frames, at, _refusal(data, at, offset)
            stop = at + length
            if stop > end:
                break
            # One look at the next header: the search costs 3 us, for nothing where lengths alternate.
            if rest == _TICKS and stop + length <= end and _WORD.unpack_from(data, stop)[0] == word:
                stop = at + length * _equal(data, at, word, length)
            frames.append(data[at:stop])
            at = stop
        return frames, at, None


def whole(message: bytes | memoryview, offset: int) -> bytes | memoryview:
    """`message`, which a transport of messages brought, if it is one frame, or one run of equal TICKS frames.

    `offset`: of its first byte on the connection. Raises a `WireError` for a length that lies, and for bytes left over.
    """
    frames, taken, error = Framing().cut(memoryview(message), offset)
    if error is not None:
        raise error
    if len(frames) != 1 or taken != len(message):
        head = bytes(message[:_HEADER_BYTES])
        raise BadPayload(offset, head, f"a message of {len(message)} bytes that is not one frame, or one run of TICKS")
    return message


def _equal(data: memoryview, at: int, word: int, length: int) -> int:
    """How many whole frames from `at` on begin with `word`."""
    count = (len(data) - at) // length
    different = np.ndarray((count,), _U8, data, at, (length,)) != word
    first = int(different.argmax())
    return first or count  # the frame at `at` itself does begin so


def _refusal(data: memoryview, at: int, offset: int) -> Exception:
    length, kind, version, _, _ = HEADER.unpack_from(data, at)
    head = bytes(data[at : at + _HEADER_BYTES])
    if length > MOST_BYTES:
        return FrameTooLong(offset + at, head, length, MOST_BYTES)
    if length < _HEADER_BYTES or length % 8:
        return BadLength(offset + at, head, length)
    return ForeignFrame(offset + at, head, kind, version)


class Reader:
    """What one side makes of the slices that `Framing` cut: messages, their sequence checked.

    After an error the connection is of no more use.
    """

    def __init__(self) -> None:
        self._offset = 0
        self._expected = 0

    @property
    def sequence(self) -> int:
        """The next tick's ordinal: all rows and all that were skipped so far."""
        return self._expected

    def read(self, frame: memoryview | bytes) -> Message:
        """The message in `frame`, or all ticks of a run of frames. Raises `SequenceGap`, `BadPayload`."""
        word, sequence = _WORDS.unpack_from(frame)
        if sequence != self._expected:
            raise SequenceGap(self._offset, _head(frame), self._expected, sequence)
        if word >> 32 != _TICKS:
            return self._control(_KNOWN[word >> 32], frame)
        length = word & _LENGTH
        rows, rest = divmod(length - _HEADER_BYTES, _ROW_BYTES)
        if rest or not rows:
            why = f"TICKS of {length - _HEADER_BYTES} bytes, not a multiple of 64" if rest else "TICKS of no tick"
            raise BadPayload(self._offset, _head(frame), why)
        if len(frame) == length:
            ticks: Ticks = np.ndarray((rows,), TICK, frame, _HEADER_BYTES)
        else:
            ticks = self._run(frame, length, rows)
        self._offset += len(frame)
        self._expected += len(ticks)
        return TickRows(ticks)

    def _run(self, frames: memoryview | bytes, length: int, rows: int) -> Ticks:
        count, first = len(frames) // length, self._expected
        sequences = np.ndarray((count,), _U8, frames, 8, (length,))
        expected = np.arange(first, first + count * rows, rows, dtype=_U8)
        if sequences.tobytes() != expected.tobytes():  # 1 us; (a != b).any() takes 4
            index = int((sequences != expected).argmax())
            start = index * length
            head = bytes(frames[start : start + _HEADER_BYTES])
            raise SequenceGap(self._offset + start, head, int(expected[index]), int(sequences[index]))
        # Always a copy: in a row, and the receiver's own. A frame's rows are one piece: 2 ns a row, where each on its
        # own takes 3 to 5 in short frames.
        payloads = np.ndarray((count,), np.dtype((np.void, rows * _ROW_BYTES)), frames, _HEADER_BYTES, (length,))
        return np.ndarray((count * rows,), TICK, payloads.copy())

    def _control(self, kind: FrameKind, frame: memoryview | bytes) -> Message:
        try:
            message = _STRICT[kind].decode(bytes(frame[_HEADER_BYTES:]))
        except ValueError as error:
            raise BadPayload(self._offset, _head(frame), f"{kind.name}: {error}") from None  # see Strict.decode
        if isinstance(message, Skipped):
            self._expected += message.count
            if self._expected > messages.MOST_WHOLE:
                raise BadPayload(self._offset, _head(frame), f"SKIPPED takes the ordinal beyond {messages.MOST_WHOLE}")
        self._offset += len(frame)
        return message  # type: ignore[return-value]  # of the types in _KINDS, which are the union's


def _head(frame: memoryview | bytes) -> bytes:
    return bytes(frame[:_HEADER_BYTES])


class Writer:
    """What one side has to say, as frames; it numbers the ticks."""

    def __init__(self) -> None:
        self._sequence = 0

    @property
    def sequence(self) -> int:
        """The next tick's ordinal: all rows and all that were skipped so far."""
        return self._sequence

    def write(self, message: Message) -> bytes:
        """`message`, in as many frames as it takes. Raises `FrameTooLong` for a text that fits none."""
        return self.ticks(message.ticks) if isinstance(message, TickRows) else b"".join(self.frames(message))

    def frames(self, message: messages.Message) -> list[bytes]:
        """The same frame by frame, for a transport of messages; not for ticks."""
        match message:
            case Skipped():
                return self._skipped(message)
            case Instruments():
                every = message.instruments
                parts = [every[n : n + _DEFINITIONS_A_FRAME] for n in range(0, len(every), _DEFINITIONS_A_FRAME)]
                return [self._control(Instruments(part)) for part in parts or [()]]
            case _:
                return [self._control(message)]

    def ticks(self, ticks: Ticks) -> bytes:
        """`ticks` in frames of at most 64 KiB; none for none."""
        data, frames = ticks.tobytes(), list[bytes]()
        for start in range(0, len(data), MOST_ROWS * _ROW_BYTES):
            part = data[start : start + MOST_ROWS * _ROW_BYTES]  # the same object where it is all
            frames.append(self.head(len(part) // _ROW_BYTES))
            frames.append(part)
        return b"".join(frames)

    def head(self, rows: int) -> bytes:
        """The header of a TICKS frame; its `rows` records, 1 to 1,023, are to follow, and count as said."""
        head = _WORDS.pack(_HEADER_BYTES + _ROW_BYTES * rows | _TICKS << 32, self._sequence)
        self._sequence += rows
        return head

    def skipped(self, count: int, books: Iterable[tuple[str, str]] = (), feed: str = "") -> bytes:
        """`count` ticks of `feed` are left out here; `books`: (feed, instrument) of those that lost levels.

        More books than fit one frame follow in further frames of count 0.
        """
        return b"".join(self._skipped(Skipped(count, tuple(books), feed)))

    def _skipped(self, skipped: Skipped) -> list[bytes]:
        every, frames, count = skipped.books, list[bytes](), skipped.count
        for start in range(0, max(len(every), 1), _BOOKS_A_FRAME):
            frames.append(self._control(Skipped(count, every[start : start + _BOOKS_A_FRAME], skipped.feed)))
            self._sequence += count
            count = 0
        return frames

    def _control(self, message: messages.Message) -> bytes:
        payload = msgspec.json.encode(message)
        payload += b" " * (-len(payload) % 8)
        length, kind = _HEADER_BYTES + len(payload), _KINDS[type(message)]
        header = HEADER.pack(min(length, _LENGTH), kind, VERSION, 0, self._sequence)
        if length > MOST_BYTES:
            raise FrameTooLong(0, header, length, MOST_BYTES)
        return header + payload
