"""What is said on a connection besides data: the same JSON objects in the wire protocol's frames and in the dialect.

Each has a `type`, takes no field that it does not know, and names instruments by name. docs/wire-protocol.md shows all.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, assert_never

import msgspec
from msgspec import Meta

from . import events
from .errors import UnknownInstrument
from .events import FeedState
from .instruments import Instrument, TradingStatus

VERSION = 1
MOST_TOPICS = 256  # of one connection: so that any list of them fits a frame
MOST_WHOLE = 2**63 - 1

Whole = Annotated[int, Meta(ge=0, le=MOST_WHOLE)]
Time = Annotated[int, Meta(ge=-MOST_WHOLE, le=MOST_WHOLE)]
Size = Annotated[float, Meta(ge=0)]
Session = Annotated[str, Meta(pattern=r"\A([0-9a-f]{16})?\Z")]
Topics = Annotated[tuple[str, ...], Meta(max_length=MOST_TOPICS)]


class Message(msgspec.Struct, frozen=True, gc=False, tag_field="type", forbid_unknown_fields=True):
    """What all messages have in common."""


# --- the conversation ----------------------------------------------------------------------------------------------


class Hello(Message, frozen=True, tag="hello"):
    """The first word of either side. A client sends `token` where one is asked for, a server the rest.

    `session` is 16 hexadecimal digits, another each time the server starts (text: JSON's numbers hold 53 bits for
    many readers). `feed` is what the server calls its feed.
    """

    version: int = VERSION
    session: Session = ""
    feed: str = ""
    token: str = ""

    def __repr__(self) -> str:  # without the token
        return f"Hello(version={self.version}, session={self.session!r}, feed={self.feed!r})"


class Subscribe(Message, frozen=True, tag="subscribe"):
    """The client wants `topics`, too. What they select is told whole first, also if it was subscribed before."""

    topics: Topics


class Unsubscribe(Message, frozen=True, tag="unsubscribe"):
    """The client no longer wants `topics`, written as it subscribed them; unknown ones are ignored."""

    topics: Topics


class Subscribed(Message, frozen=True, tag="subscribed"):
    """All topics that stand now: the answer to each SUBSCRIBE and UNSUBSCRIBE."""

    topics: Topics


class Refusal(StrEnum):
    """Why a server refuses. After TOKEN, VERSION, MALFORMED, ORDER and BUSY it ends the connection."""

    TOKEN = "token"  # missing or wrong
    VERSION = "version"  # one that it does not speak
    MALFORMED = "malformed"  # not this protocol
    ORDER = "order"  # not what may be said at this point
    BUSY = "busy"  # it has as many clients as it takes
    TOPIC = "topic"  # not feed/instrument/kind
    LIMIT = "limit"  # more topics than it allows
    NOTHING = "nothing"  # nothing there matches

    @property
    def is_final(self) -> bool:
        """Whether the connection ends with it; else all stands as it stood before the request."""
        return self not in (Refusal.TOPIC, Refusal.LIMIT, Refusal.NOTHING)


class Refused(Message, frozen=True, tag="refused"):
    """The last request is refused as a whole: a code for programs, and a text for people."""

    reason: Refusal
    text: str = ""


class Instruments(Message, frozen=True, tag="instruments"):
    """Definitions, valid on this connection, before the first use of each; a later one of the same id replaces it."""

    instruments: tuple[Instrument, ...]


class SnapshotBegin(Message, frozen=True, tag="snapshot_begin"):
    """The ticks until SNAPSHOT_END are what is known of `topics`: books whole, last quotes."""

    topics: Topics


class SnapshotEnd(Message, frozen=True, tag="snapshot_end"):
    """What was begun is complete, also if nothing was known; ticks are news again."""

    topics: Topics


class Skipped(Message, frozen=True, tag="skipped"):
    """`count` ticks were left out here: the client does not keep up. `books`: (feed, instrument) that lost levels.

    `feed` is whose ticks they were; empty where they were of several.
    """

    count: Whole
    books: tuple[tuple[str, str], ...] = ()
    feed: str = ""


class Heartbeat(Message, frozen=True, tag="heartbeat"):
    """Nothing happened, and the connection is alive."""


class End(Message, frozen=True, tag="end"):
    """The last word, and why."""

    reason: str


# --- data that are no ticks ----------------------------------------------------------------------------------------


class BarMessage(Message, frozen=True, tag="bar"):
    """Trades summed up, from `begin_time_ns` until before `end_time_ns`."""

    feed: str
    instrument: str
    open: float
    high: float
    low: float
    close: float
    volume: Size
    notional: float
    trades: Whole
    begin_time_ns: Time
    end_time_ns: Time
    received_time_ns: Time


# --- marks, passed on in place -------------------------------------------------------------------------------------


class FeedMark(Message, frozen=True, tag="feed_status"):
    """From here on `feed` is live or lost."""

    feed: str
    state: FeedState
    reason: str
    received_time_ns: Time


class InstrumentMark(Message, frozen=True, tag="instrument_status"):
    """The exchange says whether the instrument can be traded."""

    feed: str
    instrument: str
    status: TradingStatus
    venue_time_ns: Time
    received_time_ns: Time


class GapMark(Message, frozen=True, tag="gap"):
    """Number `expected` of a stream should have come here, and `found` came."""

    feed: str
    instrument: str
    kind: str
    expected: Whole
    found: Whole
    received_time_ns: Time


class StaleMark(Message, frozen=True, tag="stale"):
    """From here on what is known of the instrument may be wrong."""

    feed: str
    instrument: str
    reason: str
    received_time_ns: Time


class LiveMark(Message, frozen=True, tag="live"):
    """From here on it is right again."""

    feed: str
    instrument: str
    received_time_ns: Time


Mark = FeedMark | InstrumentMark | GapMark | StaleMark | LiveMark
MARKS = (FeedMark, InstrumentMark, GapMark, StaleMark, LiveMark)
CONVERSATION = (Hello, Subscribe, Unsubscribe, Subscribed, Refused, Instruments, Skipped, Heartbeat, End)
StandingMark = events.InstrumentStatus | events.FeedStatus | events.Gap | events.Stale | events.Live


def said(mark: events.Mark) -> Mark | Skipped:
    """The message that tells `mark`."""
    match mark:
        case events.FeedStatus():
            return FeedMark(mark.feed, mark.state, mark.reason, mark.received_time_ns)
        case events.InstrumentStatus():
            return InstrumentMark(
                mark.feed, mark.instrument.name, mark.status, mark.venue_time_ns, mark.received_time_ns
            )
        case events.Gap():
            return GapMark(mark.feed, mark.instrument.name, mark.kind, mark.expected, mark.found, mark.received_time_ns)
        case events.Stale():
            return StaleMark(mark.feed, mark.instrument.name, mark.reason, mark.received_time_ns)
        case events.Live():
            return LiveMark(mark.feed, mark.instrument.name, mark.received_time_ns)
        case events.Skipped():
            return Skipped(mark.rows, tuple(sorted(mark.books)), mark.feed)
    assert_never(mark)


def heard(message: Mark | Skipped, instruments: Mapping[str, Instrument], feed: str | None = None) -> events.Mark:
    """The mark that `message` tells; `instruments` by name. Raises `UnknownInstrument`.

    `feed`: what the other side is called here as one feed, in place of what the message says.
    """
    name = message.feed if feed is None else feed
    if isinstance(message, Skipped):
        books = frozenset((its if feed is None else feed, instrument) for its, instrument in message.books)
        return events.Skipped(message.count, books, name)
    received_ns = message.received_time_ns
    if isinstance(message, FeedMark):
        return events.FeedStatus(name, message.state, message.reason, received_ns)
    instrument = known(instruments, message.instrument)
    match message:
        case InstrumentMark():
            return events.InstrumentStatus(name, instrument, message.status, message.venue_time_ns, received_ns)
        case GapMark():
            return events.Gap(name, instrument, message.kind, message.expected, message.found, received_ns)
        case StaleMark():
            return events.Stale(name, instrument, message.reason, received_ns)
        case LiveMark():
            return events.Live(name, instrument, received_ns)
    assert_never(message)


def bar_said(bar: events.Bar) -> BarMessage:
    """The message that tells `bar`."""
    return BarMessage(
        bar.feed, bar.instrument.name, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.notional, bar.trades,
        bar.begin_time_ns, bar.end_time_ns, bar.received_time_ns,
    )  # fmt: skip


def bar_heard(
    message: BarMessage, instruments: Mapping[str, Instrument], received_ns: int, feed: str | None = None
) -> events.Bar:
    """The bar that `message` tells, as received here at `received_ns`; else as `heard`. Raises `UnknownInstrument`."""
    return events.Bar(
        message.feed if feed is None else feed, known(instruments, message.instrument), message.open, message.high,
        message.low, message.close, message.volume, message.notional, message.trades, message.begin_time_ns,
        message.end_time_ns, received_ns,
    )  # fmt: skip


def known(instruments: Mapping[str, Instrument], name: str) -> Instrument:
    """`instruments[name]`. Raises `UnknownInstrument`."""
    try:
        return instruments[name]
    except KeyError:
        raise UnknownInstrument(name) from None
