"""Every error a feed raises or counts.

FeedError
├── UnknownMessage (TypeError)       yours: a feed was told something that no feed understands
├── UnknownInstruments (ValueError)  yours: the exchange does not list what the config asks for
├── UnknownKind (ValueError)         yours: a topic asks for a kind of data that the exchange's feed does not bring
├── BadMessage                       theirs: a message that cannot be understood; names feed, offset, first bytes
│   └── NotAsked                     theirs: of a stream, an instrument or a kind that was not asked for
├── Refused                          theirs: the exchange ended the conversation, or refused to begin it
├── ChecksumFailed                   theirs, or ours: a book is not what the exchange has; it is repaired
├── NoSnapshot                       theirs: a gap that nothing can repair but a new connection
├── RestError                        theirs: an answer over HTTP that is none (rest.py has its five kinds)
├── RecordingError                   theirs, or yours: no recording, or none that can be read (recording/errors.py)
├── FileError                        theirs, or yours: a file of ticks that cannot be told (files/errors.py)
├── PlaybackError (ValueError)       yours: a recording that cannot be served (playback/errors.py)
├── BadFault (ValueError)            yours: a fault that the simulated exchange does not know (simulated/faults.py)
└── TooManyStreams (ValueError)      yours: more than one connection to that exchange can carry (in its module)
"""

from collections.abc import Iterable
from difflib import get_close_matches

MOST_SHOWN = 5  # looking for near names takes 10 ms each among some thousands


class FeedError(Exception):
    """Base of everything this room raises."""


class UnknownMessage(FeedError, TypeError):
    """An actor was told something that it does not understand."""

    def __init__(self, path: str, message: object) -> None:
        super().__init__(f"{path} was told {message!r}, which it does not understand")
        self.path = path


class UnknownInstruments(FeedError, ValueError):
    """The exchange does not list `names`."""

    def __init__(self, feed: str, names: Iterable[str], listed: Iterable[str]) -> None:
        listed = tuple(listed)
        self.feed, self.names = feed, tuple(names)
        shown, more = self.names[:MOST_SHOWN], len(self.names) - MOST_SHOWN
        near = {name: get_close_matches(name, listed, 3) for name in shown}
        told = "; ".join(f"{name} (near it: {', '.join(hits) or 'nothing'})" for name, hits in near.items())
        super().__init__(f"{feed}: the exchange does not list {told}" + (f"; and {more} more" if more > 0 else ""))


class UnknownKind(FeedError, ValueError):
    """A topic asks for `kind`; the feed brings `kinds` only."""

    def __init__(self, feed: str, kind: str, kinds: Iterable[str]) -> None:
        self.feed, self.kind, self.kinds = feed, kind, tuple(kinds)
        super().__init__(f"{feed}: there is no {kind} of this exchange, only {', '.join(self.kinds)}: ask for these")


class BadMessage(FeedError):
    """A message of `feed` that cannot be understood; `head` is its first 16 bytes.

    `offset`: where on its connection it begins; the base knows, and says so in the error that a decoder raised.
    """

    def __init__(self, feed: str, why: str, message: bytes | memoryview) -> None:
        self.feed, self.why, self.head = feed, why, bytes(message[:16])
        self.offset: int | None = None
        super().__init__(feed, why)

    def __str__(self) -> str:
        place = "" if self.offset is None else f" at byte {self.offset}:"
        return f"{self.feed}:{place} {self.why}; the message begins {self.head!r}"


class NotAsked(BadMessage):
    """What was not asked for: in a recording, whoever made it asked for more. Nothing is wrong with it."""

    def __init__(self, feed: str, what: str, message: bytes | memoryview) -> None:
        super().__init__(feed, f"{what[:160]} was not asked for", message)


class Refused(FeedError):
    """The exchange ended the conversation, or refused to begin it, and said why."""

    def __init__(self, feed: str, reason: str) -> None:
        super().__init__(f"{feed}: the exchange ended it: {reason}")
        self.feed, self.reason = feed, reason


class ChecksumFailed(FeedError):
    """The book of `instrument` has the checksum `found` where the exchange's has `expected`."""

    def __init__(self, feed: str, instrument: str, expected: int, found: int) -> None:
        self.reason = f"its checksum is {found} where {expected} was expected"
        super().__init__(f"{feed}: the book of {instrument} is wrong: {self.reason}")
        self.feed, self.instrument, self.expected, self.found = feed, instrument, expected, found


class NoSnapshot(FeedError):
    """A gap in the book of `instrument`, where the feed knows no snapshot: only a new connection helps."""

    def __init__(self, feed: str, instrument: str) -> None:
        super().__init__(f"{feed}: a gap in the book of {instrument}; connecting anew for its snapshot")
        self.feed, self.instrument = feed, instrument
