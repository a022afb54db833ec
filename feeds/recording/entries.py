"""What recordings hold, whoever made them: one entry for each thing that was said, with the time it was heard at."""

import gzip
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec


class EntryKind(StrEnum):
    """What happened.

    HTTP      a question was answered: `url` is what was asked for, `data` the body of the answer
    CONNECT   connection `connection` was opened to `url`
    SENT      the client said `data` on it
    RECEIVED  the exchange said `data` on it: one message, or one frame of a stream without its framing
    CLOSED    it ended; `data` says why
    """

    HTTP = "http"
    CONNECT = "connect"
    SENT = "sent"
    RECEIVED = "received"
    CLOSED = "closed"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry; `time_ns` since 1970."""

    kind: EntryKind
    time_ns: int
    connection: int = 0
    url: str = ""
    data: bytes = b""


class _Line(msgspec.Struct):
    """One line of a capture: JSON, gzipped or not."""

    t: float  # unix seconds
    kind: EntryKind
    conn: int | None = None
    url: str = ""
    data: str = ""


def read(path: Path) -> Iterator[Entry]:
    """The entries of the recording at `path`, in order."""
    decode = msgspec.json.Decoder(_Line).decode
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for text in lines:
            line = decode(text)
            yield Entry(line.kind, round(line.t * 1e9), line.conn or 0, line.url, line.data.encode())
