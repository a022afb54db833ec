"""Ticks in: the actor that connects, subscribes, decodes, accounts for every byte, and connects again.

Whoever writes a feed says what is particular: `framing`, `subscribe_frames`, `decode`. Bytes that cannot be decoded are
theirs: the connection is given up, named and counted, and made anew. Any other exception is ours: this life ends, and
the supervisor begins another.
"""

import logging
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from random import Random
from typing import ClassVar, Protocol

import attrs

from ticktree.actors import Actor, Backoff, NotRunning, Reason
from ticktree.market import Event, FeedState, FeedStatus, MarketError, Topic
from ticktree.net import Connection, Framing, Session, Silent

from .errors import FeedError, UnknownMessage

log = logging.getLogger("ticktree.feeds")

LOOK_S = 1.0


class Sink(Protocol):
    """Where events go on to, within the feed's own call: the hub."""

    def publish(self, events: Iterable[Event]) -> None:
        """Hand `events` to everyone who asked for them. Never raises, never waits."""
        ...


@attrs.define
class FeedAccount:
    """What became of every byte, over all of a feed's lives: `bytes_in == decoded + skipped + buffered`."""

    decoded: int = 0
    skipped: int = 0
    events: int = 0
    connections: int = 0
    broken: int = 0  # connections given up because their bytes could not be understood
    _former_bytes_in: int = 0
    _connection: Connection | None = None

    @property
    def bytes_in(self) -> int:
        """All bytes that were read."""
        return self._former_bytes_in + (self._connection.bytes_in if self._connection else 0)

    @property
    def buffered(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return self._connection.buffered if self._connection else 0

    def opened(self, connection: Connection) -> None:
        """A connection begins."""
        self.connections += 1
        self._connection = connection

    def lost(self, connection: Connection, broken: bool) -> None:
        """It ended; what came by it and was not decoded is skipped."""
        self._former_bytes_in += connection.bytes_in
        self._connection = None
        self.skipped = self._former_bytes_in - self.decoded
        self.broken += broken


@attrs.frozen
class Source:
    """What a feed is to bring: `topics` of itself, to `sink`, accounting in `account`."""

    name: str
    topics: tuple[Topic, ...]
    sink: Sink
    account: FeedAccount = attrs.field(factory=FeedAccount)
    backoff: Backoff = attrs.field(factory=Backoff)
    random: Random = attrs.field(factory=Random)


@attrs.frozen
class Fault:
    """A callback of the loop raised; the error is to end this life."""

    error: Exception


@attrs.frozen
class Look:
    """Time to see whether the connection is still alive."""


class Feed(Actor[Fault | Look]):
    """The base of all feeds."""

    framing: ClassVar[type[Framing]]  # a new one for each connection
    silence_s: ClassVar[float | None] = None  # without any byte for so long a connection is lost; None: never

    def __init__(self, source: Source, url: str) -> None:
        self.source, self.url = source, url
        self._session: Session | None = None
        self._is_live = False
        self._last_read_ns = 0

    # --- what is particular ------------------------------------------------------------------------------------

    async def locate(self) -> str:
        """The address, asked for before each attempt to connect."""
        return self.url

    def opened(self) -> None:
        """A new connection: forget what the last one told."""

    @abstractmethod
    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        """What to say on a new connection to get `topics`."""

    @abstractmethod
    def decode(self, frame: memoryview, received_ns: int) -> Iterable[Event]:
        """The events in one frame. No I/O. Raises a `MarketError` or `FeedError` for what cannot be understood."""

    # --- the actor ---------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        self._session = Session(self, self.framing, self.locate, self.source.backoff, self.source.random)
        self._session.start()
        if self.silence_s is not None:
            self.every(min(LOOK_S, self.silence_s / 2), Look())

    def on_message(self, message: Fault | Look) -> None:
        match message:
            case Fault(error):
                raise error
            case Look():
                self._look()
            case _:  # refs found by path take anything
                raise UnknownMessage(self.path, message)

    async def on_stop(self, reason: Reason) -> None:
        if self._session is not None:
            await self._session.stop()

    def _look(self) -> None:
        connection = self._session.connection if self._session else None
        if connection is None or connection.gone.done() or self.silence_s is None:
            return
        silent_s = (self.clock.monotonic_ns() - self._last_read_ns) / 1e9
        if self._last_read_ns and silent_s > self.silence_s:
            connection.abort(Silent(silent_s))

    # --- the connection's calls, within the loop's callbacks ----------------------------------------------------

    def on_open(self, connection: Connection) -> None:
        self.source.account.opened(connection)
        self._last_read_ns = self.clock.monotonic_ns()
        self.opened()
        for frame in self.subscribe_frames(self.source.topics):
            connection.write(frame)
        log.info("%s: connected, %d topics asked for", self.source.name, len(self.source.topics))

    def on_frames(self, connection: Connection, frames: Sequence[memoryview]) -> None:
        received_ns = self.clock.now_ns()
        self._last_read_ns = self.clock.monotonic_ns()
        account, events = self.source.account, list[Event]()
        try:
            for frame in frames:
                events.extend(self.decode(frame, received_ns))
                account.decoded += len(frame)
        except (MarketError, FeedError) as error:
            connection.abort(error)
        if events:
            account.events += len(events)
            self._publish(events)

    def on_lost(self, connection: Connection, error: Exception) -> None:
        broken = isinstance(error, MarketError | FeedError)
        self.source.account.lost(connection, broken)
        log.log(logging.ERROR if broken else logging.INFO, "%s: connection lost: %s", self.source.name, error)
        if self._is_live:
            self._is_live = False
            self.source.sink.publish([self._status(FeedState.LOST, str(error))])

    def on_unreachable(self, error: Exception) -> None:
        log.warning("%s: %s; trying again", self.source.name, error)

    def on_fault(self, error: Exception) -> None:
        try:
            self.ref.tell_control(Fault(error))
        except NotRunning:  # this life was killed: its supervisor knows
            log.debug("%s, after its end: %s", self.source.name, error)

    def _publish(self, events: list[Event]) -> None:
        if not self._is_live:
            self._is_live = True
            log.info("%s: live, data arrives", self.source.name)
            events.insert(0, self._status(FeedState.LIVE, "data arrives"))
        self.source.sink.publish(events)

    def _status(self, state: FeedState, reason: str) -> FeedStatus:
        return FeedStatus(self.source.name, state, reason, self.clock.now_ns())
