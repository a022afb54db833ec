"""Ticks in: the actor that connects, subscribes, decodes, checks, repairs, accounts for every byte, and connects again.

Whoever writes a feed says what is particular (`particular.py`): `subscribe_frames`, `decode`, and where it helps
`definitions`, `snapshot`, `rules`. Bytes that cannot be decoded are theirs: named, counted, and answered with the
policy `on_bad`. Any other exception is ours: this life ends, and the supervisor begins another.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import nullcontext
from itertools import groupby
from operator import length_hint
from typing import Any

import attrs
import numpy as np

from ticktree.actors import Clock, NotRunning, Reason
from ticktree.market import (
    Bar,
    BookUpdate,
    Data,
    EventKind,
    FeedState,
    FeedStatus,
    Instrument,
    Live,
    Mark,
    MarketError,
    Quote,
    TickKind,
    Ticks,
    Trade,
)
from ticktree.net import (
    BadFrame,
    Connection,
    Framing,
    Pulse,
    Session,
    Silent,
    StreamConnection,
    Unlocated,
    WebSocketConnection,
    WebSocketViolation,
)
from ticktree.net.pulse import LOOKS

from .books import Books
from .errors import BadMessage, FeedError, NotAsked, Refused, UnknownInstruments, UnknownMessage
from .outlet import Outlet
from .particular import Acknowledged as Acknowledged, Decoded as Decoded, Particular
from .recording.blocks import Title
from .recording.player import Player, is_recording
from .recording.recorder import Tape
from .rest import Rest, RestLimits
from .sequence import SequenceRule
from .source import Source
from .tasks import Tasks
from .updates import understood

log = logging.getLogger("ticktree.feeds")

LOGIN_S = 10.0
NOT_UNDERSTOOD = (MarketError, BadMessage, BadFrame, WebSocketViolation)
_BOOK = int(TickKind.BOOK)
Taken = Callable[[Sequence[Any]], None]


@attrs.frozen
class Fault:
    """A callback of the loop raised; the error is to end this life."""

    error: Exception


@attrs.frozen
class Look:
    """Time to see whether the connection, and each instrument, is still alive."""


class Feed(Particular, Outlet[Fault | Look]):
    """The base of all feeds: subclass it, and override what `Particular` has."""

    def __init__(self, source: Source, url: str) -> None:
        super().__init__(source)
        self.url = url
        self.instruments: dict[str, Instrument] = {}  # by name
        self.by_symbol: dict[str, Instrument] = {}  # by what the exchange calls them
        self._session: Session | Player | None = None
        self._player: Player | None = None  # in the session's place, where `url` is a recording
        self._tape: Tape | None = None
        self._scheme = ""
        self._books = Books(self, fetches=type(self).snapshot is not Feed.snapshot)
        self._lasts: list[dict[str, int]] = []
        bounds = [bound for bound in (self.heartbeat_s, source.stale_after_s) if bound is not None]
        self._look_s = min(bounds) / LOOKS if bounds else None
        self._pulse = Pulse(self.heartbeat_s, self._look_s) if self.heartbeat_s and self._look_s else None
        self._holders: set[object] = set()
        self._ends = False  # by its own will: the loss that follows is none
        self._rests: dict[str, Rest] = {}  # by url
        self._tasks = Tasks(self.give_up, self.on_fault)
        self._routes = self._make_routes()

    def adopt(self, instrument: Instrument) -> Instrument:
        """Know `instrument` from now on, by the id it has in this process."""
        known = self.source.ids.adopt(instrument)
        self.instruments[known.name] = known
        self.by_symbol[self.symbol(known)] = known
        return known

    def rest(self, url: str, limits: RestLimits) -> Rest:
        """Questions to the exchange over HTTP, for `definitions` and `snapshot`; ends with this life.

        One each `url`, within the `limits` that it was first asked for with.
        """
        rest = self._rests.get(url)
        if rest is None:
            played = None if self._player is None else self._player.rest(url, limits)
            rest = played or Rest(self.clock, url, limits, tap=self._answered if self._tape else None)
            self._rests[url] = rest
        return rest

    @property
    def clock(self) -> Clock:
        """The system's time; where a recording is played, its own. Raises `NotRunning`."""
        clock = super().clock  # raises, if this life was killed
        return clock if self._player is None else self._player.clock

    # --- the port ----------------------------------------------------------------------------------------------

    def books(self) -> Iterable[BookUpdate]:
        """A snapshot of every verified book."""
        return self._books.snapshots()

    def book(self, instrument: str) -> BookUpdate | None:
        """A snapshot of the verified book of that name; None while there is none."""
        return self._books.snapshot(instrument)

    def pause(self, holder: object) -> None:
        """Read no more until `resume`; each holder counts once."""
        if not self._holders:
            self.source.account.pauses += 1
            if (connection := self._connection()) is not None:
                connection.pause_reading()
        self._holders.add(holder)

    def resume(self, holder: object) -> None:
        """`holder` has room again."""
        if holder not in self._holders:
            return
        self._holders.discard(holder)
        if not self._holders and (connection := self._connection()) is not None:
            self._listen()
            connection.resume_reading()

    # --- the actor ---------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        source = self.source
        session = self._session = self._new_session()
        self.now_ns = self.clock.now_ns  # an attribute: the hot path asks for no property
        source.sink.attach(self)
        self._go_lost("the life before this one was killed")
        if source.tap is not None:
            title = Title(self.name, f"{type(self).__module__}:{type(self).__qualname__}", self.now_ns())
            self._tape = source.tap.begin(title, source.account.count_unrecorded)
        session.start()
        if self._look_s is None:
            return
        if self._player is not None and self._player.own_time:
            self._player.every(self._look_s, self._look)
        else:
            self.every(self._look_s, Look())

    def on_message(self, message: Fault | Look) -> None:
        match message:
            case Fault(error):
                raise error
            case Look():
                self._look()
            case _:  # refs found by path take anything
                raise UnknownMessage(self.path, message)

    def on_drain(self) -> None:
        """The system stops: read no more, all feeds at once. They stop one after the other, and what still came by the
        others made each wait for turns of a loop that was never idle: 60 feeds took beyond the budget of 10 s."""
        self._holders.add(self)
        if (connection := self._connection()) is not None:
            connection.pause_reading()

    async def on_stop(self, reason: Reason) -> None:
        self._ends = True
        tape, self._tape = self._tape, None  # the end of this life is no loss that a replay should tell
        if self._session is not None:
            await self._session.stop()
        await self._tasks.stop()
        for rest in tuple(self._rests.values()):  # work that goes on although it was cancelled may ask for more
            await rest.close()
        if tape is not None:
            await tape.close()

    def _look(self) -> None:
        connection = self._connection()
        if connection is None or not connection.opened:
            return
        if self._pulse is not None:
            silent_s = self._pulse.look(connection, reading=not self._holders)
            if silent_s is not None and not (self.pongs_suffice and isinstance(connection, WebSocketConnection)):
                connection.abort(Silent(silent_s))
            elif self._pulse.is_due() and (beat := self.beat()):
                connection.write(beat)
        if self._deadlines is not None and not self._holders:
            self._look_for_stale(self._deadlines)

    def _listen(self) -> None:
        """From now on silence is the other side's."""
        if self._pulse is not None:
            self._pulse.begin()
        if self._deadlines is not None:
            self._deadlines.restart(self.instruments.values(), self.clock.monotonic_ns())

    # --- connecting --------------------------------------------------------------------------------------------

    def _new_session(self) -> Session | Player:
        source = self.source
        if not is_recording(self.url):
            return Session(self, self._new_connection, self._where, source.backoff, source.random)
        self._player = Player(self, self.url, self.clock, self._define, self._is_busy, source.rank)
        self._pulse = None  # who was silent when it was recorded is lost in the recording
        source.account.replay = self._player.replay
        return self._player

    def _connection(self) -> Connection | None:
        connection = self._session.connection if self._session else None
        return None if connection is None or connection.gone.done() else connection

    @property
    def speaks_messages(self) -> bool:
        """Whether the transport brings messages, not a stream."""
        return self._scheme in ("ws", "wss")

    def _new_connection(self) -> Connection:
        if self.speaks_messages:
            return WebSocketConnection(self, text=self.text, reads=self.reads, heartbeat_s=self.heartbeat_s)
        particular: Any = type(self)  # on an instance a plain function would be a method
        framing: Callable[[], Framing] | None = particular.framing
        if framing is None:
            raise FeedError(f"{self.name}: a {type(self).__name__} speaks over WebSockets only, not {self._scheme}://")
        return StreamConnection(self, framing(), reads=self.reads)

    def _is_busy(self) -> bool:
        """Whether there is work beside reading. Raises `NotRunning`, which ends a replay whose life was killed."""
        _ = self.clock
        return self._tasks.under_way

    async def _where(self) -> str:
        try:
            await self._define()
            url = await self.locate()
        except UnknownInstruments:
            raise
        except (FeedError, MarketError) as error:
            raise Unlocated(str(error)) from error
        self._scheme = url.partition(":")[0]
        return url

    async def _define(self) -> None:
        if type(self).definitions is Feed.definitions or self.instruments:
            return
        wanted = dict.fromkeys(topic.instrument for topic in self.topics)  # in order: so ids are given
        known = self.source.defined
        if not wanted.keys() <= known.keys():
            with nullcontext() if self._tape is None else self._tape.defining():
                listed = {instrument.name: instrument for instrument in await self.definitions()}
            if missing := sorted(name for name in wanted if name not in listed):
                raise UnknownInstruments(self.name, missing, listed)
            known.update({name: listed[name] for name in wanted})
        for name in wanted:
            self.adopt(known[name])

    async def _begin(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(LOGIN_S):
                await self.login(connection)
        except TimeoutError:
            raise Silent(LOGIN_S) from None
        self._subscribe(connection)

    def _subscribe(self, connection: Connection) -> None:
        self._say(connection, self.subscribe_frames(self.topics))
        self._books.begin()

    def _say(self, connection: Connection, frames: Iterable[bytes]) -> None:
        for frame in frames:
            if self._tape is not None:
                self._tape.sent(frame, self.now_ns())
            connection.write(frame)

    def _answered(self, url: str, data: bytes) -> None:
        if self._tape is not None:
            self._tape.answered(url, data, self.now_ns())

    # --- the connection's calls, within the loop's callbacks ----------------------------------------------------

    def on_open(self, connection: Connection) -> None:
        self.source.account.opened(connection)
        self._scheme = connection.url.partition(":")[0]
        if self._tape is not None:
            self._tape.connected(connection.url, self.now_ns())
        self._forget_connection()
        self._listen()
        self.opened()
        log.info("%s: connected, asking for %d topics", self.name, len(self.topics))
        if self._holders:
            connection.pause_reading()
        if type(self).login is Feed.login:
            self._subscribe(connection)
        else:
            self.own(self._begin(connection), "logs in")

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        if self._ticktree_life is None and self._session is not None:
            raise NotRunning(f"{self.name}: this life was killed; the next has a connection of its own")
        account, routes = self.source.account, self._routes
        self.received_ns = received_ns = self.now_ns()
        given = connection.bytes_in - connection.buffered - account.offset
        if self._tape is not None:
            self._tape.received(frames, more, received_ns, given)
        events = self.decode_read(frames, received_ns) if len(frames) > 1 else None
        if events is None:
            self._take_each(connection, frames, given)
        else:
            account.messages += len(frames)
            account.decoded += given
            for type_, run in groupby(events, type):
                routes[type_](tuple(run))
        if self._pending and not more:
            self._flush()

    def _take_each(self, connection: Connection, frames: Sequence[memoryview | bytes], given: int) -> None:
        """Decode `frames` one by one; `given` bytes are theirs and of what is around them."""
        account, decode, routes, received_ns = self.source.account, self.decode, self._routes, self.received_ns
        around, rest = divmod(given - sum(map(len, frames)), len(frames))  # prefixes, and ends of lines
        for frame in frames:
            try:
                decoded = decode(frame, received_ns)
                if type(decoded) is np.ndarray:
                    self._take_ticks(decoded)
                else:
                    for event in tuple(decoded):  # all of a message, or nothing
                        routes[type(event)]((event,))
            except (MarketError, FeedError) as error:
                if not self._bad(connection, frame, error):
                    account.skip_rest()
                    break
                account.skipped += len(frame) + around
                continue
            account.messages += 1
            account.decoded += len(frame) + around
        else:
            account.decoded += rest

    def on_lost(self, connection: Connection, error: Exception) -> None:
        if self._pending:
            self._flush()
        if self._tape is not None:
            self._tape.closed(str(error), self.now_ns())
        broken = isinstance(error, NOT_UNDERSTOOD)
        self.source.account.lost(connection, None if self._ends else error, broken)
        self._forget_connection()
        if not self._ends:
            log.log(logging.ERROR if broken else logging.INFO, "%s: connection lost: %s", self.name, error)
        self._go_lost(str(error))

    def on_unreachable(self, error: Exception) -> None:
        self.source.account.errors[type(error).__name__] += 1
        log.warning("%s: %s; trying again", self.name, error)

    def on_fault(self, error: Exception) -> None:
        self.source.account.skip_rest()
        try:
            self.ref.tell_control(Fault(error))
        except NotRunning:  # this life was killed: its supervisor knows
            log.debug("%s, after its end: %s", self.name, error)

    def _bad(self, connection: Connection, frame: memoryview | bytes, error: Exception) -> bool:
        """Answer a message that cannot be understood. Whether to go on with the next one."""
        account, name = self.source.account, type(error).__name__
        if isinstance(error, BadMessage):
            error.offset = account.offset
        first = logging.INFO if isinstance(error, NotAsked) else logging.ERROR
        level = logging.DEBUG if account.errors[name] else first  # the first of its kind; then they are counted
        head = bytes(frame[:16])
        log.log(level, "%s: at byte %d, a message that begins %r: %s", self.name, account.offset, head, error)
        if self.source.on_bad == "reconnect" or not self.can_skip or isinstance(error, Refused):
            connection.abort(error)
            return False
        account.errors[name] += 1
        return True

    def _forget_connection(self) -> None:
        self._tasks.drop()
        for last in self._lasts:
            last.clear()
        self._books.reset()
        if self._deadlines is not None:
            self._deadlines.forgive()

    # --- what comes in -----------------------------------------------------------------------------------------

    def _make_routes(self) -> dict[type, Taken]:
        """What is done with each type of event, of which several may come in a row."""
        marks = dict.fromkeys(Mark.__args__, _each(self._take_mark))
        return {
            **marks,
            Quote: self._sequenced(EventKind.QUOTE, self._take_quotes),
            Trade: self._sequenced(EventKind.TRADE, self._take_data),
            BookUpdate: _each(self._books.take),
            Bar: self._take_data,
            Acknowledged: self._acknowledged,
        }

    def _sequenced(self, kind: EventKind, take: Taken) -> Taken:
        """Checks the numbers of one kind, instrument by instrument, and passes on what comes once."""
        rule, account, last = self.rules.get(kind, SequenceRule.NONE), self.source.account, dict[str, int]()
        if rule is SequenceRule.NONE:
            return take
        self._lasts.append(last)
        gapless, known = rule is not SequenceRule.MONOTONIC, last.get

        def checked(events: Sequence[Quote | Trade]) -> None:
            begin, rest = 0, iter(events)
            for event in rest:
                name, number = event.instrument.name, event.sequence
                if number != (expected := known(name, number)) and (gapless or number < expected):
                    at = len(events) - length_hint(rest) - 1
                    take(events[begin:at])
                    if number < expected:
                        account.duplicates += 1
                        begin = at + 1
                        continue
                    begin = at
                    self.gap(event.instrument, kind, expected, number)
                last[name] = number + 1
            take(events[begin:])

        return checked

    def _take_data(self, events: Sequence[Data]) -> None:
        self._pending += events

    def _take_quotes(self, quotes: Sequence[Quote]) -> None:
        self.source.account.crossed += sum([quote.crossed for quote in quotes])
        self._pending += quotes

    def _take_mark(self, mark: Mark) -> None:
        self._books.heed(mark)
        if isinstance(mark, FeedStatus):
            self.source.account.live = mark.state is FeedState.LIVE
        self.mark(mark)

    def _acknowledged(self, _: Sequence[Acknowledged]) -> None:
        self._go_live("the subscription stands")

    def _take_ticks(self, ticks: Ticks) -> None:
        if not len(ticks):
            return
        if self.source.stamped:
            ticks["received_time_ns"] = self.received_ns
        batch, kinds = understood(ticks, self.source, self.table)
        ticks.setflags(write=False)
        books = self._count(kinds)
        if self._pending:
            self._flush()
        revived = self._books.follow(ticks[ticks["kind"] == _BOOK]) if books else ()
        self._publish(batch)
        for instrument in revived:
            self.mark(Live(self.name, instrument, self.received_ns))

    def _is_right(self, instrument: Instrument) -> bool:
        return self._books.is_repaired(instrument.name)

    # --- for its books -----------------------------------------------------------------------------------------

    def distrust(self, instrument: Instrument, reason: str) -> None:
        """What is known of that book is wrong: say so, and trust it again only from a snapshot on."""
        self._books.distrust(instrument, reason)

    def say(self, frames: Iterable[bytes]) -> None:
        """Send `frames`, if there is a connection."""
        if (connection := self._connection()) is not None:
            self._say(connection, frames)

    def give_up(self, error: Exception) -> None:
        """Cut the connection, because of `error`; another one follows."""
        if (connection := self._connection()) is not None:
            connection.abort(error)

    def own(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Do `work` beside reading, until the connection ends; what it raises ends the connection, or this life."""
        self._tasks.begin(work, f"{self.name} {what}")


def _each(take: Callable[[Any], None]) -> Taken:
    def take_each(events: Sequence[Any]) -> None:
        for event in events:
            take(event)

    return take_each
