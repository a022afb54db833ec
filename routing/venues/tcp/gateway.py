"""One account at a venue that speaks the order-entry protocol over TCP, TLS or a Unix socket: the client's side.

Its session outlives its connections: numbers go on, and what the other side missed is said again or given up, as
`session.py` has it. docs/order-entry-protocol.md is the description for people.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final, assert_never

from msgspec.structs import force_setattr

from ticktree.actors import Backoff, Clock, Closed, NotRunning
from ticktree.actors.clock import NS, Alarm
from ticktree.market import Instrument
from ticktree.net import Address, BadAddress, BadFrame, Connection, PeerLost, Pulse, Session, Silent, StreamConnection
from ticktree.net.pulse import LOOKS

from ...errors import BadOrder, NotConnected
from ...gateway import Hears, VenueRules
from ...orders import Ticket
from ...reports import Report, ReportKind, VenueQuote
from . import messages, session as sessions
from .messages import AccountPart, QuoteSaid, Reject, ReportSaid
from .session import ALWAYS, NEVER, YOUNG, ClientSession, ProtocolError

log = logging.getLogger("ticktree.routing")

HEARTBEAT_S: Final = 1.0
BACKOFF: Final = Backoff(base_s=0.05, ceiling_s=5.0)
Answer = Callable[[VenueQuote | None], None]


class NotOffered(BadOrder, NotConnected):
    """The venue does not trade the instrument, or means something else by its increments; no byte left."""


class TcpGateway:
    """A `Gateway`. Connects for ever; `rules` and `heartbeat_s` hold until the venue has told its own.

    resend_within_s  a submit or replace that the venue has not received is said again within that time, and given up
                     after it: `hears.on_never_received` tells, once the venue has said that it expects that number
    tls              whom to trust, if set before the start; see `ticktree.net.connect`

    When another process logs in to the account, this one stays out until `reset`: the newest wins.
    """

    def __init__(  # noqa: PLR0913  # policies, by name
        self,
        url: str,
        account: str,
        token: str = "",
        *,
        heartbeat_s: float = HEARTBEAT_S,
        backoff: Backoff = BACKOFF,
        resend_within_s: float = 2.0,
        rules: VenueRules = VenueRules(),  # noqa: B008  # frozen
    ) -> None:
        if Address.parse(url).is_websocket:
            raise BadAddress(url, "orders do not travel over WebSockets")
        self._url, self._account, self._token = url, account, token
        self._backoff, self._resend_within_ns, self._rules = backoff, round(resend_within_s * NS), rules
        self._clock: Clock
        self._hears: Hears
        self._session: ClientSession  # what is said and heard, over all connections
        self._connecting: Session | None = None
        self._connection: Connection | None = None  # the one that stands
        self._logged_in: sessions.LoggedIn | None = None  # on that connection
        self._ready = False  # orders may be said
        self._told_up = False
        self._ended = False  # the connection is given up, and what it still brings is not looked at
        self._free = asyncio.Event()  # nobody else has the account, as far as is known
        self._free.set()
        self._instruments: dict[str, tuple[Instrument, int]] = {}  # and their definitions' numbers
        self._quotes: dict[int, Answer] = {}  # by their requests' numbers
        self._accounts: dict[int, list[AccountPart]] = {}
        self._alarm: Alarm | None = None
        self._complained = ""
        self.tls: ssl.SSLContext | None = None
        self._set_heartbeat(heartbeat_s)

    @property
    def rules(self) -> VenueRules:
        """What the venue declares."""
        return self._rules

    @property
    def account(self) -> str:
        """Whose orders these are, in the venue's words."""
        return self._account

    @property
    def duplicates(self) -> int:
        """Messages of the venue that came twice in this session, and were ignored."""
        return self._session.heard.duplicates

    def __repr__(self) -> str:
        return f"<TcpGateway {self._account} at {Address.parse(self._url)}>"

    # --- its life ----------------------------------------------------------------------------------------------

    def start(self, hears: Hears, random: Random) -> None:
        """Begin to connect."""
        self._hears, self._clock = hears, hears.clock
        instance = f"{self._clock.now_ns():016x}-{random.getrandbits(32):08x}"
        self._session = ClientSession(instance, self._resend_within_ns)
        self._connecting = Session(self, self._make, self._locate, self._backoff, random)
        self._connecting.tls = self.tls
        self._connecting.start()
        self._look()

    async def stop(self) -> None:
        """End the session, for good; bounded in time."""
        connecting, self._connecting = self._connecting, None
        if connecting is None:
            return
        self._stop_looking()
        if self._logged_in is not None and self._connection is not None:
            self._connection.write(sessions.said(sessions.Logout("goodbye")))
        self._ready = False
        await connecting.stop()

    def reset(self, reason: str) -> None:
        """End this session's connection and begin another; also after somebody else took the account over."""
        self._free.set()
        self._give_up(PeerLost(f"given up: {reason}"))

    @property
    def clock(self) -> Clock:
        """What time it is; raises where whoever hears is gone."""
        return self._hears.clock

    def on_unreachable(self, error: Exception) -> None:
        """No connection could be made; another attempt follows."""
        if self._free.is_set():
            self._complain(f"cannot be reached: {error}")

    def on_fault(self, error: Exception) -> None:
        """Who hears failed, or is gone."""
        self._ready = False
        if isinstance(error, Closed | NotRunning):
            self._stop_looking()
            self._give_up(PeerLost("whoever heard it is gone"))
            return
        log.error("%r failed", self, exc_info=error)
        self._hears.on_unreadable(error, None)

    def _make(self) -> Connection:
        return StreamConnection(self, sessions.FRAMING)

    async def _locate(self) -> str:
        await self._free.wait()
        return self._url

    def _complain(self, what: str) -> None:
        """Log it, unless it is what was logged last."""
        if what != self._complained:
            self._complained = what
            log.warning("%r: %s", self, what)

    def _give_up(self, error: Exception) -> None:
        self._ready, self._ended = False, True
        if self._connection is not None:
            self._connection.abort(error)

    # --- heartbeats --------------------------------------------------------------------------------------------

    def _set_heartbeat(self, heartbeat_s: float) -> None:
        self._look_s = heartbeat_s / LOOKS
        self._pulse = Pulse(heartbeat_s, self._look_s)
        self._pulse.begin()

    def _look(self) -> None:
        if self._connecting is None:  # stopped meanwhile
            return
        self._alarm = self._clock.call_at(self._clock.monotonic_ns() + round(self._look_s * NS), self._look)
        connection = self._connection
        if connection is None:
            return
        silent_s = self._pulse.look(connection, reading=True)
        if silent_s is not None:
            self._give_up(Silent(silent_s))
        elif self._pulse.is_due() and self._logged_in is not None:
            connection.write(self._session.heartbeat())

    def _stop_looking(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    # --- the connection's calls --------------------------------------------------------------------------------

    def on_open(self, connection: Connection) -> None:
        self._connection, self._ended = connection, False
        self._pulse.begin()
        connection.write(self._session.login(self._account, self._token))

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        now_ns = self._clock.now_ns()
        try:
            for frame in frames:
                number = sessions.number_of(frame)
                if number:
                    self._take(number, frame, now_ns)
                else:
                    self._hear(sessions.read(frame))
                if self._ended:  # what else it says matters no more
                    return
        except ProtocolError as error:
            self._unreadable(error)

    def on_lost(self, connection: Connection, error: Exception) -> None:
        if connection is not self._connection:
            return
        self._connection, self._logged_in, self._ready = None, None, False
        self._accounts.clear()
        if isinstance(error, BadFrame):
            self._hears.on_unreadable(error, None)
        if self._told_up:
            self._told_up = False
            self._hears.on_down(str(error))
        quotes, self._quotes = self._quotes, {}
        for answer in quotes.values():
            answer(None)

    def _unreadable(self, error: ProtocolError) -> None:
        self._complain(f"the session ends: {error}")
        self._hears.on_unreadable(error, None)
        self._give_up(error)

    # --- what the venue says besides numbered messages ---------------------------------------------------------

    def _hear(self, message: sessions.SessionMessage) -> None:
        match message:
            case sessions.Heartbeat(expected) if self._logged_in is not None:
                self._session.said.confirm(expected)
            case sessions.LoggedIn() if self._logged_in is None:
                self._log_in(message)
            case sessions.Instruments() if self._logged_in is not None:
                self._define(message, self._logged_in)
            case sessions.Reset() if self._logged_in is not None:
                self._complain("the venue no longer keeps all it said meanwhile; all orders are asked about")
                self._session.reset(message)
            case sessions.LoginRefused(reason, text, versions):
                self._complain(f"the venue refuses the login ({reason}): {text}; it speaks {versions}")
                self._give_up(PeerLost(f"the login was refused: {text}"))
            case sessions.LoggedOut():
                self._logged_out(message)
            case _:
                raise ProtocolError(f"{type(message).__name__} may not be said at this point")

    def _log_in(self, message: sessions.LoggedIn) -> None:
        rules = messages.rules(message.rules)
        try:
            resumed = self._session.logged_in(message, self._clock.monotonic_ns())
        except ProtocolError:
            self._session.forget()
            raise
        self._logged_in, self._rules, self._complained = message, rules, ""
        self._instruments.clear()
        self._stop_looking()  # at the former rhythm: the first beat of a quicker one would come too late
        self._set_heartbeat(message.heartbeat_s)
        self._look()
        if resumed.frames and self._connection is not None:
            self._connection.write(b"".join(resumed.frames))
        for client_id, what in resumed.given_up:
            self._hears.on_never_received(client_id, what)

    def _define(self, message: sessions.Instruments, logged_in: sessions.LoggedIn) -> None:
        for number, instrument in messages.definitions(message.content).items():
            self._instruments[instrument.name] = instrument, number
        if message.last and not self._told_up:
            self._told_up = self._ready = True
            self._hears.on_up(logged_in.former_closed)

    def _logged_out(self, message: sessions.LoggedOut) -> None:
        ours = message.instance == self._session.instance  # from a connection that was given up meanwhile
        if message.reason == sessions.ANOTHER_SESSION and not ours:
            self._free.clear()
            log.error("%r: another process logged in to the account; this one stays out", self)
        self._give_up(PeerLost(f"the venue ended the session: {message.text or message.reason}"))

    # --- what the venue says about orders ----------------------------------------------------------------------

    def _take(self, number: int, frame: memoryview | bytes, now_ns: int) -> None:
        if not self._told_up:
            raise ProtocolError(f"message {number} came before INSTRUMENTS")
        heard = self._session.heard
        if not heard.is_next(number):
            return
        try:
            message = messages.read_server(frame)
        except ProtocolError:
            heard.took()  # or else it would come again, for ever
            raise
        if type(message) is ReportSaid:
            report = message.report
            force_setattr(report, "received_ns", now_ns)  # nobody else has it yet
            self._hears.on_report(report)
        else:
            self._answered(message, now_ns)
        # Only now: what whoever hears it did not survive comes again.
        if heard.took() and self._connection is not None:
            self._connection.write(self._session.heartbeat())

    def _answered(self, message: messages.ServerMessage, now_ns: int) -> None:
        match message:
            case AccountPart():
                self._add_account(message)
            case QuoteSaid():
                answer = self._quotes.pop(message.request, None)
                if answer is not None:  # else it was asked on a former connection, and answered by its end
                    answer(messages.quote(message, now_ns))
            case Reject():
                self._rejected(message, now_ns)
            case ReportSaid(report):
                self._hears.on_report(report)
            case _:
                assert_never(message)

    def _add_account(self, part: AccountPart) -> None:
        parts = self._accounts.get(part.request)
        if parts is None:  # asked on a former connection
            return
        parts.append(part)
        if part.last:
            del self._accounts[part.request]
            self._hears.on_account(messages.account(parts))

    def _rejected(self, reject: Reject, now_ns: int) -> None:
        """The venue's word that a message had no effect."""
        log.error("%r: the venue does not understand message %d: %s", self, reject.number, reject.reason)
        kind = _REJECTED.get(reject.kind)
        if kind is not None and reject.client_id:
            self._hears.on_report(
                Report(kind, reject.client_id, reject.time_ns, reason=reject.reason, received_ns=now_ns)
            )

    # --- what is said ------------------------------------------------------------------------------------------

    def submit(self, ticket: Ticket) -> None:
        """Send a new order. Raises `NotConnected`; `NotOffered` where the venue has no such instrument."""
        connection = self._uncrowded()
        number = self._definition(ticket.instrument)
        body = messages.new_order(ticket, number)
        connection.write_now(
            self._session.said.say(body, self._clock.monotonic_ns(), YOUNG, (ticket.client_id, "submit"))
        )

    def cancel(self, ticket: Ticket) -> None:
        """Take an order back; also while the venue does not keep up. Raises `NotConnected`."""
        connection = self._sendable()
        body = messages.encode(messages.Cancel(ticket.client_id))
        connection.write_now(
            self._session.said.say(body, self._clock.monotonic_ns(), ALWAYS, (ticket.client_id, "cancel"))
        )

    def replace(self, ticket: Ticket, quantity_increments: int, limit_increments: int | None) -> None:
        """Change an order to this whole quantity and limit. Raises `NotConnected`, `BadOrder`."""
        connection = self._uncrowded()
        body = messages.replace(ticket.client_id, quantity_increments, limit_increments)
        connection.write_now(
            self._session.said.say(body, self._clock.monotonic_ns(), YOUNG, (ticket.client_id, "replace"))
        )

    def query(self, ticket: Ticket) -> None:
        """Ask what became of an order. Raises `NotConnected`."""
        self._ask(messages.QueryOrder(ticket.client_id))

    def query_fills(self, ticket: Ticket) -> None:
        """Ask for all executions of an order. Raises `NotConnected`."""
        self._ask(messages.QueryFills(ticket.client_id))

    def query_account(self) -> None:
        """Ask for open orders and positions. Raises `NotConnected`."""
        self._accounts[self._ask(messages.QueryAccount())] = []

    def query_quote(self, instrument: Instrument, answer: Answer) -> None:
        """Ask what is displayed. Raises `NotConnected`; else `answer` is called once."""
        self._quotes[self._ask(messages.QueryQuote(instrument.name))] = answer

    def _ask(self, query: Any) -> int:
        """Say it; the number it has."""
        connection, said = self._sendable(), self._session.said
        number = said.next
        connection.write(said.say(messages.encode(query), self._clock.monotonic_ns(), NEVER))
        return number

    def _sendable(self) -> Connection:
        connection = self._connection
        if connection is None or not self._ready:
            raise NotConnected(f"{self._account} has no session with its venue at the moment")
        if self._session.said.full:
            raise NotConnected(f"the venue of {self._account} confirms nothing any more")
        return connection

    def _uncrowded(self) -> Connection:
        connection = self._sendable()
        if connection.paused:
            raise NotConnected(f"the venue of {self._account} does not keep up")
        return connection

    def _definition(self, instrument: Instrument) -> int:
        """The number of its definition. Raises `BadOrder` unless both sides mean the same by an increment."""
        found = self._instruments.get(instrument.name)
        if found is None:
            raise NotOffered(f"the venue of {self._account} has no {instrument.name}")
        theirs, number = found
        if theirs is not instrument:
            _agree(self._account, theirs, instrument)
            self._instruments[instrument.name] = instrument, number
        return number


_REJECTED = {16: ReportKind.REJECTED, 17: ReportKind.CANCEL_REJECTED, 18: ReportKind.REPLACE_REJECTED}


def _agree(account: str, theirs: Instrument, ours: Instrument) -> None:
    for what in ("price_increment", "size_increment", "multiplier"):
        its, own = getattr(theirs, what), getattr(ours, what)
        if its != own:
            raise NotOffered(
                f"{ours.name}: its {what} is {own} here and {its} at the venue of {account}: "
                f"use the venue's definition for orders there"
            )
