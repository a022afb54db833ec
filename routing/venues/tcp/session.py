"""One order-entry session as both sides keep it, sans I/O: numbers, login, what was said and is not confirmed yet.

Knows no orders: what is said is bytes here. docs/order-entry-protocol.md is the description for people.

ProtocolError (RoutingError)      theirs: the session ends, and a new connection puts it right
├── Malformed                     bytes that are no message
└── SequenceBroken                a number that is not the next one
"""

from collections import deque
from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import Annotated, Any, Final

import attrs
import msgspec

from ticktree.net import LengthPrefixed

from ...errors import RoutingError

VERSION: Final = 1
MOST_BYTES: Final = 64 * 1024  # of a frame, its length included
MOST_BODY: Final = MOST_BYTES - 12
MOST_TEXT: Final = 500  # characters that are for people
MOST_KEPT: Final = 10_000  # messages that a server keeps for an account until they are confirmed
MOST_KEPT_BYTES: Final = 1024 * 1024  # the same in bytes, whichever is reached first
MOST_UNCONFIRMED: Final = 65_536  # messages of a client
CONFIRM_EVERY: Final = 256  # messages heard, besides each heartbeat
LOGIN_S: Final = 5.0  # within which a connection says LOGIN
FRAMING: Final = LengthPrefixed(4, "little", MOST_BYTES)

ANOTHER_SESSION: Final = "another_session"  # of LOGGED_OUT
CLOSING: Final = "closing"
MALFORMED: Final = "malformed"
GOODBYE: Final = "goodbye"

_HEAD = Struct("<IQ")  # the length of what follows it, the number
_NUMBER = Struct("<Q")
BODY_AT: Final = 8  # in a frame without its length

Id = Annotated[str, msgspec.Meta(max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=MOST_TEXT)]
Number = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]


class ProtocolError(RoutingError):
    """The other side broke a rule of the protocol."""


class Malformed(ProtocolError):
    """Bytes that are no message; `head` is how they begin. Shows no values: one of them may be a token."""

    def __init__(self, why: str, head: bytes = b"") -> None:
        super().__init__(why)
        self.head = head


class SequenceBroken(ProtocolError):
    """A message of number `found` came, where `expected` was the next one."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"message {found} came, where {expected} was to come")
        self.expected, self.found = expected, found


# --- what is said besides orders -----------------------------------------------------------------------------------


class Login(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The client's first words. `session` and `expected`: how far it has heard an earlier session; "" and 1: none."""

    version: int
    account: Id
    token: Annotated[str, msgspec.Meta(max_length=1024)]
    instance: Id
    session: Id = ""
    expected: Number = 1

    def __repr__(self) -> str:
        return f"Login({self.version}, {self.account!r}, instance={self.instance!r}, expected={self.expected})"


class LoggedIn(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The server's answer. Where `session` is that of LOGIN the numbers go on, else they begin at 1 on both sides."""

    version: int
    session: Id
    expected: Number
    heartbeat_s: Annotated[float, msgspec.Meta(ge=0.01, le=3600.0)]
    time_ns: int
    former_closed: bool
    rules: msgspec.Raw


class LoginRefused(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """The server lets nobody in, and closes."""

    reason: Id
    text: Text
    versions: tuple[int, ...] = (VERSION,)


class Logout(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The client goes, for now."""

    reason: Text = ""


class LoggedOut(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """The server ends the session, and closes. `instance`: who took the account over, where that is the reason."""

    reason: Id
    text: Text = ""
    instance: Id = ""


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Here I am; all messages before number `expected` came."""

    expected: Number


class Reset(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """The server keeps no message before number `next` any more: the client goes on with that one."""

    next: Number


class Instruments(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """What the two sides agree on with each login, in as many parts as it takes; `last` ends them."""

    content: msgspec.Raw
    last: bool


class GapFill(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """Stands in the place of a message that is not said any more; numbered like that one."""


SessionMessage = Login | LoggedIn | LoginRefused | Logout | LoggedOut | Heartbeat | Reset | Instruments

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder[SessionMessage](SessionMessage)
GAP_FILL: Final = _encoder.encode(GapFill())


def frame(number: int, body: bytes) -> bytes:
    """A whole frame. `number` is 0 for what is said besides numbered messages."""
    return _HEAD.pack(8 + len(body), number) + body


def said(message: SessionMessage) -> bytes:
    """`message` as a whole frame."""
    return frame(0, _encoder.encode(message))


def number_of(data: memoryview | bytes) -> int:
    """The number of a frame, which comes without its length. Raises `Malformed`."""
    if len(data) <= BODY_AT:
        raise Malformed(f"a frame of {len(data)} bytes, where {BODY_AT} are the number and a message follows")
    number: int = _NUMBER.unpack_from(data)[0]
    return number


def read(data: memoryview | bytes) -> SessionMessage:
    """What a frame without a number says. Raises `Malformed`."""
    try:
        message: SessionMessage = _decoder.decode(data[BODY_AT:])
    except (ValueError, RecursionError) as error:  # msgspec's are
        raise Malformed(f"no message of a session: {error}", bytes(data[:16])) from None
    return message


# --- one direction of a session ------------------------------------------------------------------------------------


class Resend(IntEnum):
    """What becomes of a message that the other side has not received when the session goes on."""

    ALWAYS = 0  # it is said again
    YOUNG = 1  # said again while it is young, else given up, and the one who said it is told
    NEVER = 2  # given up: it is asked anew where the answer still matters


ALWAYS, YOUNG, NEVER = Resend.ALWAYS, Resend.YOUNG, Resend.NEVER  # bound once: an Enum's attributes are slow


class Kept(msgspec.Struct, frozen=True):
    """A message that is not confirmed. `note` is the application's own."""

    number: int
    frame: bytes
    said_ns: int
    resend: Resend
    note: Any


class Outgoing:
    """Numbers what is said, from 1 on, and keeps it until it is confirmed."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self.kept: deque[Kept] = deque()
        self.kept_bytes = 0
        self.next = 1  # the number of the next message

    @property
    def full(self) -> bool:
        """Whether as much is kept as may be."""
        return len(self.kept) >= self._most or self.kept_bytes >= self._most_bytes

    @property
    def first(self) -> int:
        """The number of the oldest message that is kept; of the next one if none is."""
        return self.kept[0].number if self.kept else self.next

    def say(self, body: bytes, said_ns: int, resend: Resend = ALWAYS, note: Any = None) -> bytes:
        """The frame of `body`, kept."""
        number = self.next
        data = _HEAD.pack(8 + len(body), number) + body
        self.kept.append(Kept(number, data, said_ns, resend, note))
        self.kept_bytes += len(data)
        self.next = number + 1
        return data

    def confirm(self, expected: int) -> None:
        """The other side has all before `expected`. Raises `ProtocolError` for what was never said."""
        if expected > self.next:
            raise ProtocolError(f"message {expected - 1} is confirmed, where {self.next - 1} was the last")
        kept = self.kept
        while kept and kept[0].number < expected:
            self.kept_bytes -= len(kept.popleft().frame)

    def keep(self, kept: Iterable[Kept]) -> None:
        """These instead."""
        self.kept = deque(kept)
        self.kept_bytes = sum(len(one.frame) for one in self.kept)

    def drop_beyond(self) -> None:
        """Forget the oldest messages, as many as are too many."""
        while len(self.kept) > self._most or self.kept_bytes > self._most_bytes:
            self.kept_bytes -= len(self.kept.popleft().frame)


class Incoming:
    """Looks at the numbers of what is heard."""

    def __init__(self) -> None:
        self.expected = 1
        self.duplicates = 0  # messages that came again, and were ignored

    def is_next(self, number: int) -> bool:
        """Whether it is the next one, and not one that came before. Raises `SequenceBroken` where one is missing."""
        if number == self.expected:
            return True
        if number > self.expected:
            raise SequenceBroken(self.expected, number)
        self.duplicates += 1
        return False

    def took(self) -> bool:
        """The next one was heard, and acted upon. Whether it is time to confirm."""
        self.expected += 1
        return self.expected % CONFIRM_EVERY == 0


# --- both directions, as either side has them ----------------------------------------------------------------------


@attrs.frozen
class Resumed:
    """How a client's session goes on: what to send again, and the notes of what the server never received and never
    will. `anew`: the server has nothing of it, so that nothing is known of what was said before."""

    frames: tuple[bytes, ...] = ()
    given_up: tuple[Any, ...] = ()
    anew: bool = False


class ClientSession:
    """A client's side, over all its connections. `instance`: the process' own name for itself."""

    def __init__(self, instance: str, resend_within_ns: int) -> None:
        self.instance = instance
        self._resend_within_ns = resend_within_ns
        self._begin("")

    def _begin(self, session: str) -> None:
        self.id = session
        self.said = Outgoing(MOST_UNCONFIRMED, MOST_UNCONFIRMED * 128)
        self.heard = Incoming()

    def forget(self) -> None:
        """What the two sides keep contradicts itself: begin anew with the next login."""
        self._begin("")

    def login(self, account: str, token: str) -> bytes:
        """The first words on a connection."""
        return said(Login(VERSION, account, token, self.instance, self.id, self.heard.expected))

    def logged_in(self, message: LoggedIn, now_ns: int) -> Resumed:
        """Go on where the server is. Raises `ProtocolError`, after which `forget` is the way out."""
        if message.session != self.id:
            anew = self.id != ""
            self._begin(message.session)
            if message.expected != 1:
                raise ProtocolError(f"a new session begins with message 1; not {message.expected}")
            return Resumed(anew=anew)
        if message.expected < self.said.first:
            raise ProtocolError(f"message {message.expected} is expected, which was confirmed")
        self.said.confirm(message.expected)
        return self._resume(now_ns)

    def _resume(self, now_ns: int) -> Resumed:
        """That the server expects the first of these is its word that it has none of them."""
        kept, given_up = list[Kept](), list[Any]()
        for one in self.said.kept:
            old = now_ns - one.said_ns > self._resend_within_ns
            if one.resend is NEVER or (one.resend is YOUNG and old):
                if one.resend is YOUNG:
                    given_up.append(one.note)
                # From here on it says nothing, also if this connection ends before the server hears it.
                one = Kept(one.number, frame(one.number, GAP_FILL), now_ns, ALWAYS, None)
            kept.append(one)
        self.said.keep(kept)
        return Resumed(tuple(one.frame for one in kept), tuple(given_up))

    def reset(self, message: Reset) -> None:
        """The server has forgotten messages: go on behind them. Raises `ProtocolError`."""
        if message.next < self.heard.expected:
            raise ProtocolError(f"RESET to message {message.next}, where {self.heard.expected} was to come")
        self.heard.expected = message.next

    def heartbeat(self) -> bytes:
        """Here I am, and so much came."""
        return said(Heartbeat(self.heard.expected))


class ServerSession:
    """A server's side for one account, over all connections of all its clients."""

    def __init__(self, most_kept: int = MOST_KEPT, most_kept_bytes: int = MOST_KEPT_BYTES) -> None:
        self._most_kept, self._most_kept_bytes = most_kept, most_kept_bytes
        self._begin("", "")

    def _begin(self, session: str, instance: str) -> None:
        self.id, self.instance = session, instance
        self.said = Outgoing(self._most_kept, self._most_kept_bytes)
        self.heard = Incoming()

    def login(self, login: Login, fresh: str) -> bool:
        """Whether the numbers go on; else what was kept is forgotten, and session `fresh` begins."""
        mine = self.id != "" and (self.id, self.instance) == (login.session, login.instance)
        if mine and login.expected <= self.said.next:
            self.said.confirm(login.expected)
            return True
        self._begin(fresh, login.instance)
        return False

    def resume(self, expected: int) -> list[bytes]:
        """What to send after a login that expects that number."""
        kept = self.said
        lost = [said(Reset(kept.first))] if expected < kept.first else []
        return lost + [one.frame for one in kept.kept]

    def say(self, body: bytes, now_ns: int) -> bytes:
        """The frame of `body`, kept; the oldest beyond the bound are forgotten."""
        data = self.said.say(body, now_ns)
        self.said.drop_beyond()
        return data

    def heartbeat(self) -> bytes:
        """Here I am, and so much came."""
        return said(Heartbeat(self.heard.expected))
