"""What became of every byte and message of a feed, over all its lives and connections."""

from collections import Counter

import attrs

from ticktree.net import Connection

from .replay import Replay


@attrs.define
class FeedAccount:
    """Counters that only grow. At every instant `bytes_in == decoded + skipped + buffered`.

    Bytes are those of messages and of what the framing puts around them; WebSockets count messages' payloads.
    """

    decoded: int = 0  # bytes of messages that were understood
    skipped: int = 0  # bytes of messages that were not, and of what a broken connection left incomplete
    messages: int = 0
    kinds: Counter[str] = attrs.field(factory=Counter[str])  # ticks by kind; marks by their name
    connections: int = 0
    live: bool = False  # whether the last that was told is that the feed is live
    broken: int = 0  # connections given up because their bytes could not be understood
    errors: Counter[str] = attrs.field(factory=Counter[str])  # by the error's name
    gaps: int = 0
    duplicates: int = 0  # came twice, or before the snapshot that has them
    crossed: int = 0  # book updates that left a crossed book, and crossed quotes
    repairs: int = 0  # books that were made right again
    snapshots: int = 0  # asked for, to that end
    pauses: int = 0  # times a full mailbox made the feed stop reading
    checksums_verified: int = 0
    checksums_failed: int = 0
    unrecorded: int = 0  # lives that were not recorded, or not to their end, though it was asked for: the disk
    replay: Replay | None = None  # of the files that are played in place of a connection
    _former_bytes_in: int = 0
    _connection: Connection | None = None
    _before: int = 0  # decoded and skipped by former connections

    @property
    def bytes_in(self) -> int:
        """All bytes that were read."""
        return self._former_bytes_in + (self._connection.bytes_in if self._connection else 0)

    @property
    def buffered(self) -> int:
        """Bytes of a message that is not complete yet."""
        return self._connection.buffered if self._connection else 0

    @property
    def offset(self) -> int:
        """Where on this connection the next message begins."""
        return self.decoded + self.skipped - self._before

    @property
    def events(self) -> int:
        """Ticks that were passed on."""
        return sum(self.kinds[kind] for kind in ("quote", "trade", "book", "bar"))

    def count_unrecorded(self) -> None:
        """A life's recording failed."""
        self.unrecorded += 1

    def opened(self, connection: Connection) -> None:
        """A connection begins."""
        self._settle()  # a life that was killed said nothing of its end
        self.connections += 1
        self._connection, self._before = connection, self.decoded + self.skipped

    def skip_rest(self) -> None:
        """Nothing more of what was delivered is looked at."""
        self.skipped = self.bytes_in - self.buffered - self.decoded

    def lost(self, connection: Connection, error: Exception | None, broken: bool) -> None:
        """It ended; what came by it and was not decoded is skipped. No error: the feed itself has closed it."""
        if connection is self._connection:
            self._settle()
        if error is not None:
            self.errors[type(error).__name__] += 1
        self.broken += broken

    def _settle(self) -> None:
        if self._connection is not None:
            self._former_bytes_in += self._connection.bytes_in
            self._connection = None
            self.skipped = self._former_bytes_in - self.decoded
