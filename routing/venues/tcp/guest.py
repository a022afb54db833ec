"""One connection to an order-entry server, from its first byte to its last: whether it may speak, and still lives."""

import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from ticktree.actors import Clock
from ticktree.net import Connection, NetError, PeerLost, Pulse, Silent

from . import messages, session as sessions
from .desk import Desk
from .faults import Line, LineFaults
from .session import LOGIN_S, VERSION, LoggedOut, ProtocolError

log = logging.getLogger("ticktree.routing")

MOST_UNSENT: Final = 2 * 1024 * 1024  # bytes that a client has not taken: twice what is kept for it. Then it is cut


class LoginDenied(Exception):
    """Nobody is let in: `reason` for programs, the text for people."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class House(Protocol):
    """What a guest needs of the server."""

    clock: Clock
    heartbeat_s: float
    look_s: float
    faults: LineFaults
    acted: Callable[[], None]  # an engine was asked something
    on_fault: Callable[[Exception], None]  # something of ours failed

    def enter(self, guest: "Guest") -> int:
        """It comes; how many came before it."""
        ...

    def leave(self, guest: "Guest") -> None:
        """It went."""
        ...

    def admit(self, login: sessions.Login) -> Desk:
        """The desk of who may log in so. Raises `LoginDenied`."""
        ...

    def fresh_id(self) -> str:
        """An id that no session had."""
        ...

    def close_soon(self, connection: Connection) -> None:
        """Close it, without waiting for that."""
        ...


class Guest:
    """The peer of one connection."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.connection: Connection | None = None
        self.desk: Desk | None = None  # once it is logged in
        self._line: Line
        self._pulse = Pulse(house.heartbeat_s, house.look_s)
        self._waited_s = 0.0
        self._ended = False  # nothing more is said, nor heard

    # --- the connection's calls --------------------------------------------------------------------------------

    def on_open(self, connection: Connection) -> None:
        self.connection = connection
        self._line = Line(connection, self._house.clock, self._house.faults, self._house.enter(self), self._cut)
        self._pulse.begin()

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        for frame in frames:
            if self._ended:
                return
            try:
                self._take(frame)
            except LoginDenied as denied:
                log.warning("order entry: a login from %s is refused: %s", connection.remote, denied)
                self._end(sessions.LoginRefused(denied.reason, str(denied)[: sessions.MOST_TEXT], (VERSION,)))
            except ProtocolError as error:
                self._refuse(str(error)[: sessions.MOST_TEXT])

    def on_lost(self, connection: Connection, error: Exception) -> None:
        self._part()
        self._line.close()
        self._house.leave(self)
        if isinstance(error, NetError):
            log.info("order entry: %s went: %s", self.name, error)

    def on_fault(self, error: Exception) -> None:
        self._house.on_fault(error)

    # --- what it says ------------------------------------------------------------------------------------------

    def _take(self, frame: memoryview | bytes) -> None:
        number, desk = sessions.number_of(frame), self.desk
        if not number:
            self._hear(sessions.read(frame))
            return
        if desk is None:
            raise ProtocolError("LOGIN comes first")
        heard = desk.session.heard
        if not heard.is_next(number):
            return
        # Before it is acted upon: what may have been acted upon is never acted upon again.
        confirms = heard.took()
        desk.take(number, frame)
        self._house.acted()
        if confirms:
            self.send(desk.session.heartbeat())

    def _hear(self, message: sessions.SessionMessage) -> None:
        match message:
            case sessions.Login() if self.desk is None:
                self._log_in(message)
            case sessions.Heartbeat(expected) if self.desk is not None:
                self.desk.session.said.confirm(expected)
            case sessions.Logout(reason):
                log.info("order entry: %s logs out: %s", self.name, reason)
                self._end(LoggedOut(sessions.GOODBYE))
            case _:
                raise ProtocolError(f"{type(message).__name__} may not be said at this point")

    def _log_in(self, login: sessions.Login) -> None:
        desk = self._house.admit(login)
        if isinstance(desk.mouth, Guest):
            desk.mouth.log_out(sessions.ANOTHER_SESSION, "another session logged in", login.instance)
        session = desk.session
        goes_on = session.login(login, self._house.fresh_id())
        self.desk, desk.mouth = desk, self
        # Connections are read one at a time and what they say is acted upon at once: of those before this one nothing
        # is on its way any more.
        answer = sessions.LoggedIn(
            VERSION, session.id, session.heard.expected, self._house.heartbeat_s, self._house.clock.now_ns(), True,
            msgspec.Raw(messages.rules_said(desk.front.engine.rules)),
        )  # fmt: skip
        self.send(sessions.said(answer))
        self.tell_instruments()
        if goes_on and (missed := session.resume(login.expected)):
            self.send(b"".join(missed))
        log.info("order entry: %s logged in, %s", self.name, "and goes on" if goes_on else "anew")

    # --- what it is told ---------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Who it is, for people."""
        remote = self.connection.remote if self.connection is not None else ""
        return f"{self.desk.account if self.desk is not None else 'somebody'} from {remote or 'here'}"

    def tell_instruments(self, *names: str) -> None:
        """Say what there is to trade: those named, or all."""
        assert self.desk is not None
        contents = self.desk.catalogue.contents(*names)
        for place, content in enumerate(contents):
            last = place == len(contents) - 1
            self.send(sessions.said(sessions.Instruments(msgspec.Raw(content), last)))

    def send(self, data: bytes) -> None:
        """Send frames; a client that takes none of them is cut."""
        connection = self.connection
        if connection is None or self._ended:
            return
        self._line.send(data)
        if connection.unsent + self._line.waiting_bytes > MOST_UNSENT:
            log.warning("order entry: %s does not read what it is told, and is cut", self.name)
            self._part()
            connection.abort(PeerLost("it does not read"))

    def look(self) -> None:
        """Called each `look_s`: see whether it says who it is, and lives; and show that we do."""
        connection = self.connection
        if connection is None or self._ended:
            return
        if self.desk is None:
            self._waited_s += self._house.look_s
            if self._waited_s > LOGIN_S:
                self._refuse(f"no LOGIN within {LOGIN_S:g} s")
        elif (silent_s := self._pulse.look(connection, reading=True)) is not None:
            self._part()
            connection.abort(Silent(silent_s))
        elif self._pulse.is_due():
            self.send(self.desk.session.heartbeat())

    def log_out(self, reason: str, text: str = "", instance: str = "") -> None:
        """End it, and say why."""
        self._end(LoggedOut(reason, text, instance))

    def _refuse(self, text: str) -> None:
        log.warning("order entry: %s is cut: %s", self.name, text)
        if self.desk is None:
            self._end(sessions.LoginRefused(sessions.MALFORMED, text, (VERSION,)))
        else:
            self._end(LoggedOut(sessions.MALFORMED, text))

    def _end(self, last_words: sessions.SessionMessage) -> None:
        if self._ended or self.connection is None:
            return
        self.send(sessions.said(last_words))
        self._cut()

    def _cut(self) -> None:
        connection = self.connection
        if connection is not None and not self._ended:
            self._part()
            self._house.close_soon(connection)

    def _part(self) -> None:
        """Nothing more is said here, nor heard: the account's messages wait for its next connection."""
        self._ended = True
        if self.desk is not None and self.desk.mouth is self:
            self.desk.mouth = None
