"""How a relay speaks to one client: in the wire protocol's frames, or in the JSON dialect's texts.

What is sent to many is made once: a batch's rows cross as the memory they came in, behind a header of 16 bytes for
each client; its texts are kept with the batch.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from ticktree.market import Bar, Batch, Data, dialect, messages, wire
from ticktree.market.events import weight
from ticktree.market.ticks import RECORD, copied, encode
from ticktree.net import Connection, WebSocketConnection

MOST_ROWS = wire.MOST_ROWS
_ROW_BYTES = RECORD.size
Part = memoryview | messages.BarMessage  # rows, or what is no tick


class Speech(ABC):
    """What one client hears.

    said     frames or texts so far
    sent     ticks, bars among them
    skipped  ticks that it was told were left out
    """

    speaks: ClassVar[str]

    def __init__(self) -> None:
        self.said = self.sent = self.skipped = 0
        self._connection: Connection | None = None

    def begin(self, connection: Connection) -> None:
        """The connection stands."""
        self._connection = connection

    def finish(self) -> None:
        """The last word was said."""
        self._connection = None

    @property
    def gathered(self) -> int:
        """Ticks that wait for `flush`, so that they share a frame."""
        return 0

    @abstractmethod
    def hear(self, frame: bytes | memoryview) -> object:
        """The message in what the client said. Raises `MarketError`."""

    @abstractmethod
    def say(self, message: messages.Message) -> None:
        """Something besides data, after all that was gathered."""

    @abstractmethod
    def tell(self, batch: Batch) -> None:
        """Data, gathered as far as they can be."""

    @abstractmethod
    def tell_one(self, event: Data) -> None:
        """The same, of one event."""

    def flush(self) -> None:  # noqa: B027  # texts wait for nothing
        """Write what was gathered."""


class ClientFraming(wire.Framing):
    """Cuts what a client says into frames; what can be none comes as the last of them, so that it can be answered."""

    read_bytes = wire.MOST_BYTES

    def cut(self, data: memoryview, offset: int) -> tuple[list[memoryview], int, Exception | None]:
        frames, taken, error = super().cut(data, offset)
        if error is None:
            return frames, taken, None
        return [*frames, data[taken : taken + wire.HEADER.size]], len(data), None


class WireSpeech(Speech):
    """The wire protocol. What has gathered goes into one frame, of as many ticks as fit."""

    speaks = "wire"

    def __init__(self) -> None:
        super().__init__()
        self._reader, self._writer = wire.Reader(), wire.Writer()
        self._messages = False  # whether each frame is a message of its own
        self._out: list[bytes | memoryview] = []  # whole frames, then the one that is being filled
        self._head = 0  # where in it the header of that frame belongs
        self._rows = 0  # in that frame

    def begin(self, connection: Connection) -> None:
        super().begin(connection)
        self._messages = isinstance(connection, WebSocketConnection)

    @property
    def gathered(self) -> int:
        return self._rows

    def hear(self, frame: bytes | memoryview) -> object:
        return self._reader.read(wire.whole(frame, 0))

    def say(self, message: messages.Message) -> None:
        self.flush()
        frames = self._writer.frames(message)
        self.said += 1
        if isinstance(message, messages.Skipped):
            self.skipped += message.count
        elif isinstance(message, messages.BarMessage):
            self.sent += 1
        if self._connection is not None:
            for frame in frames:
                self._connection.write(frame)

    def tell(self, batch: Batch) -> None:
        for part in batch.made(_parts):
            if isinstance(part, messages.BarMessage):
                self.say(part)
            else:
                self._add(part)

    def tell_one(self, event: Data) -> None:
        if isinstance(event, Bar):
            self.say(messages.bar_said(event))
        else:
            self._add(memoryview(encode((event,))))

    def flush(self) -> None:
        if self._rows:
            self._end_frame()
        if self._out:
            self._write()

    def _add(self, rows: memoryview) -> None:
        begin, end = 0, len(rows)
        while begin < end:
            if not self._rows:
                self._head = len(self._out)
                self._out.append(b"")
            stop = min(end, begin + (MOST_ROWS - self._rows) * _ROW_BYTES)
            self._out.append(rows[begin:stop])
            self._rows += (stop - begin) // _ROW_BYTES
            begin = stop
            if self._rows == MOST_ROWS:
                self._end_frame()

    def _end_frame(self) -> None:
        self._out[self._head] = self._writer.head(self._rows)
        self.sent += self._rows
        self._rows = 0
        if self._messages:
            self._write()

    def _write(self) -> None:
        out, self._out = self._out, []
        self.said += 1
        if self._connection is not None:
            self._connection.write_parts(out)


class DialectSpeech(Speech):
    """The JSON dialect: each event is a text."""

    speaks = "dialect"

    def hear(self, frame: bytes | memoryview) -> object:
        return dialect.decode(frame)

    def say(self, message: messages.Message) -> None:
        if isinstance(message, messages.SnapshotBegin | messages.SnapshotEnd):
            return
        if isinstance(message, messages.Skipped):
            self.skipped += message.count
        self._write(dialect.encode(message))

    def tell(self, batch: Batch) -> None:
        self.sent += len(batch)
        for text in batch.made(_texts):
            self._write(text)

    def tell_one(self, event: Data) -> None:
        self.sent += weight(event)
        self._write(dialect.encode(event))

    def _write(self, text: bytes) -> None:
        self.said += 1
        if self._connection is not None:
            self._connection.write(text)


def _parts(batch: Batch) -> list[Part]:
    """The rows of a batch as bytes, in one part but for bars, which stand in their place."""
    if batch.columnar or Bar not in map(type, batch.events):
        return [_bytes(batch)]
    parts, rows = list[Part](), bytearray()
    for event in batch.events:
        if not isinstance(event, Bar):
            rows += encode((event,))
            continue
        if rows:
            parts.append(memoryview(bytes(rows)))
            rows = bytearray()
        parts.append(messages.bar_said(event))
    return [*parts, memoryview(bytes(rows))] if rows else parts


def _bytes(batch: Batch) -> memoryview:
    ticks = batch.ticks
    return (ticks if ticks.flags.c_contiguous else copied(ticks)).view(np.uint8).data


def _texts(batch: Batch) -> list[bytes]:
    return [dialect.encode(event) for event in batch.events]
