"""What recordings hold, whoever made them: one entry for each thing that was said, with the time it was heard at."""

import struct
from enum import StrEnum

import msgspec

_HOLE = struct.Struct("<QQ")


class EntryKind(StrEnum):
    """What happened.

    HTTP      a question was answered: `url` is what was asked for, `data` the body of the answer
    CONNECT   connection `connection` was opened to `url`
    SENT      the client said `data` on it; empty where that would tell a secret
    RECEIVED  the exchange said `data` on it: one message, or one frame of a stream without its framing
    CLOSED    it ended; `data` says why
    HOLE      something is missing here, because the disk did not keep up, or was full: `Hole.parse` says how much
    """

    HTTP = "http"
    CONNECT = "connect"
    SENT = "sent"
    RECEIVED = "received"
    CLOSED = "closed"
    HOLE = "hole"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry; `time_ns` since 1970."""

    kind: EntryKind
    time_ns: int
    connection: int = 0
    url: str = ""
    data: bytes = b""


class Hole(msgspec.Struct, frozen=True):
    """How many entries are missing, and how many bytes they would have had (url and data)."""

    messages: int
    size: int

    @classmethod
    def parse(cls, data: bytes | memoryview) -> "Hole":
        """What the `data` of a HOLE tell. Raises `ValueError`."""
        if len(data) != _HOLE.size:
            raise ValueError(f"a hole is told in {_HOLE.size} bytes, not {len(data)}")
        return cls(*_HOLE.unpack(data))

    def plus(self, messages: int, size: int) -> "Hole":
        """So much more is missing."""
        return Hole(self.messages + messages, self.size + size)

    def encoded(self) -> bytes:
        """The `data` of a HOLE."""
        return _HOLE.pack(self.messages, self.size)
