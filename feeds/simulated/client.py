"""The exchange's end of one connection, whatever is spoken on it: what was asked for, what is told, what goes wrong."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import ClassVar, Protocol

from ticktree.actors import Clock
from ticktree.actors.clock import NS
from ticktree.market import EventKind, Instrument, MarketError, Tick, Topic, messages, wire
from ticktree.market.conversation import Conversation, NotAccepted, Waiver, Wish
from ticktree.market.events import weight
from ticktree.market.messages import Refusal
from ticktree.net import Connection, NetError

from .connections import Breakable
from .faults import FaultKind, Faults, Plan
from .line import Line
from .market import Prices
from .stats import Counters
from .turn import KIND, Selection, Turn, selection

log = logging.getLogger("ticktree.feeds")

K = FaultKind
BEAT_S = wire.HEARTBEAT_S / 4
QUIET_NS = round(0.7 * wire.HEARTBEAT_S * NS)  # looked at each `BEAT_S`: it speaks at least each heartbeat


class Floor(Protocol):
    """What clients need of the exchange."""

    name: str
    session: str
    token: str
    prices: Prices
    faults: Faults
    counters: Counters

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    def enter(self, client: "Client") -> int:
        """A client comes; its place."""
        ...

    def leave(self, client: "Client") -> None:
        """It went."""
        ...

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call once, unless the exchange has ended by then."""
        ...

    def close(self, connection: Connection) -> None:
        """Close the connection, without waiting for it."""
        ...


class Client(ABC):
    """One client. Says first what it is asked for as it stands, then what comes, and never more than it takes."""

    speaks: ClassVar[str]

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._connection: Connection | None = None
        self._conversation = Conversation(floor.token)
        self._wanted: Selection = frozenset()
        self._defined = False
        self._withheld = 0
        self._missed: set[tuple[str, EventKind]] = set()
        self._spoke_ns = 0
        self._reads = True  # not while a fault keeps it from reading
        self._line: Line
        self._plan: Plan

    # --- what is particular ------------------------------------------------------------------------------------

    @abstractmethod
    def encode(self, message: messages.Message) -> bytes:
        """What is said besides data."""

    @abstractmethod
    def heard(self, frame: memoryview | bytes) -> object:
        """The message in `frame`. Raises `MarketError`."""

    @abstractmethod
    def tell(self, data: Sequence[Tick]) -> None:
        """Send data that are no news: how things stand."""

    @abstractmethod
    def tell_whole(self, topics: tuple[str, ...], data: Sequence[Tick]) -> None:
        """Send all that is known of `topics`."""

    @abstractmethod
    def news(self, turn: Turn, wanted: Selection) -> list[bytes]:
        """The data of a turn, as messages."""

    @abstractmethod
    def faulty(self, turn: Turn, wanted: Selection, news: list[bytes]) -> list[bytes]:
        """`news`, where a gap or a duplicate strikes, without one message or with one twice."""

    @abstractmethod
    def garbage(self, random: Random, instrument: Instrument) -> bytes:
        """Something that means nothing."""

    # --- the exchange's calls ----------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """If ticks were withheld and there is room again: say so, and how things stand now."""
        if not self._withheld or self._line.behind:
            return
        books = tuple(sorted((self._floor.name, name) for name, kind in self._missed if kind is EventKind.BOOK))
        self.say(messages.Skipped(self._withheld, books))
        missed, self._missed, self._withheld = frozenset(self._missed), set(), 0
        self.tell(self._standing(missed))

    def turn(self, turn: Turn) -> None:
        """Tell what the turn brought."""
        if self._line.ended:
            return
        self._strike_reading(turn)
        for mark in turn.marks(self._wanted):
            self.say(messages.said(mark))
        if self._line.behind or self._withheld:
            self._withhold(turn)
            return
        news = self.faulty(turn, self._wanted, self.news(turn, self._wanted))
        self._strike(turn, news)

    def beat(self) -> None:
        """Say that the connection lives, if nothing was said for a while; refuse who never says hello."""
        if not self._conversation.greeted:
            self._wait_for_hello()
            return
        quiet_ns = self._floor.clock.monotonic_ns() - self._spoke_ns
        if quiet_ns >= QUIET_NS and not self._line.behind:
            self.say(messages.Heartbeat())

    def _wait_for_hello(self) -> None:
        if self._connection is not None:
            try:
                self._conversation.waited(BEAT_S)
            except NotAccepted as refused:
                self._refuse(refused.reason, refused.text)

    def say(self, message: messages.Message) -> None:
        """Send one message."""
        self.send(self.encode(message))

    def send(self, data: bytes) -> None:
        """Send what is encoded."""
        if self._connection is not None:
            self._spoke_ns = self._floor.clock.monotonic_ns()
            self._line.send(data)

    def _withhold(self, turn: Turn) -> None:
        data = turn.data(self._wanted)
        rows = sum(map(weight, data))
        self._withheld += rows
        self._floor.counters.withheld += rows
        self._missed |= {(one.instrument.name, KIND[type(one)]) for one in data}

    def _standing(self, wanted: Iterable[tuple[str, EventKind]]) -> list[Tick]:
        """Books whole and last quotes, as of now."""
        prices, found = self._floor.prices, list[Tick]()
        for name, kind in sorted(wanted):
            if kind is EventKind.BOOK:
                self._floor.counters.snapshots += 1
                found.append(prices.snapshot(name))
            elif kind is EventKind.QUOTE:
                found.append(prices.quote(name))
        self._floor.counters.sent += sum(map(weight, found))
        return found

    # --- faults ------------------------------------------------------------------------------------------------

    def struck(self, kind: FaultKind, turn: Turn) -> Random | None:
        """If a fault of that kind strikes in this turn: what to draw its details from. Who does it, calls `did`."""
        return self._plan.struck(kind, turn.steps) if self._wanted else None

    def did(self, kind: FaultKind) -> None:
        """Count a fault."""
        self._floor.counters.injected[kind] += 1

    def _strike_reading(self, turn: Turn) -> None:
        connection = self._connection
        if connection is not None and self.struck(K.SLOW_READS, turn):
            self.did(K.SLOW_READS)
            self._reads = False
            connection.pause_reading()
            self._floor.later(self._plan.faults.slow_reads_s, self._read_on)

    def _read_on(self) -> None:
        self._reads = True
        if self._connection is not None:
            self._connection.resume_reading()

    def _strike(self, turn: Turn, news: list[bytes]) -> None:
        if self.struck(K.SILENCE, turn):
            self.did(K.SILENCE)
            self._line.hush()
        if random := self.struck(K.GARBAGE, turn):
            self.did(K.GARBAGE)
            self.send(self.garbage(random, random.choice(self._floor.prices.instruments)))
        random = self.struck(K.DISCONNECTS, turn)
        if random is None or not news:
            for message in news:
                self.send(message)
            return
        self.did(K.DISCONNECTS)
        index = random.randrange(len(news))
        for message in news[:index]:
            self.send(message)
        self._line.send(news[index], breaks=random)

    # --- what the client says ----------------------------------------------------------------------------------

    def _take(self, message: object) -> None:
        match self._conversation.hear(message):
            case messages.Hello():
                self.say(messages.Hello(session=self._floor.session, feed=self._floor.name))
            case Wish() as wish:
                self._subscribe(wish)
            case Waiver(standing):
                self._wanted = self._selected(map(Topic.parse, standing))
                self.say(messages.Subscribed(standing))
            case messages.End(reason):
                self.end_with(f"the client ended it: {reason}")
            case None:
                pass

    def _subscribe(self, wish: Wish) -> None:
        wanted = self._selected(wish.topics)
        if not wanted:
            raise NotAccepted(Refusal.NOTHING, f"nothing here matches {', '.join(wish.texts)}")
        self._conversation.agree(wish)
        self._wanted |= wanted
        self._missed -= wanted  # told whole now
        if not self._defined:
            self._defined = True
            self.say(messages.Instruments(self._floor.prices.instruments))
        self.say(messages.Subscribed(wish.standing))
        self.tell_whole(wish.texts, self._standing(wanted))

    def _selected(self, topics: Iterable[Topic]) -> Selection:
        return selection(topics, [instrument.name for instrument in self._floor.prices.market.instruments])

    # --- the connection's calls --------------------------------------------------------------------------------

    def on_open(self, connection: Connection) -> None:
        assert isinstance(connection, Breakable)
        self._connection, floor = connection, self._floor
        place = floor.enter(self)
        self._plan = Plan(floor.faults, place)
        self._line = Line(connection, floor.clock, floor.faults, Random(f"{floor.faults.seed}/{place}"))

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        for frame in frames:
            try:
                self._take(self.heard(frame))
            except NotAccepted as refused:
                self._refuse(refused.reason, refused.text)
            except MarketError as error:
                self._refuse(Refusal.MALFORMED, str(error))
            if self._connection is None:  # refused for good: what else it says matters no more
                break

    def _refuse(self, reason: Refusal, text: str) -> None:
        self._floor.counters.refused += 1
        log.warning("%s exchange: refused a %s client: %s", self._floor.name, self.speaks, text)
        self.say(messages.Refused(reason, text))
        if reason.is_final:
            self.end_with(text)
        else:
            self._conversation.refused()

    def end_with(self, reason: str) -> None:
        """Say the last word, and have the connection closed."""
        connection = self._connection
        if connection is not None:
            self.say(messages.End(reason))
            self._connection = None
            self._floor.close(connection)

    def on_lost(self, connection: Connection, error: Exception) -> None:
        self._connection = None
        self._line.close()
        self._floor.leave(self)
        if isinstance(error, MarketError | NetError):
            log.info("%s exchange: a %s client went: %s", self._floor.name, self.speaks, error)

    def on_fault(self, error: Exception) -> None:
        log.error("%s exchange: a client's connection failed", self._floor.name, exc_info=error)
