"""The wire protocol's JSON dialect, for WebSocket clients that ask for it: one object a text message.

`encode` an event or message, `decode` a message, `heard` the event it tells. Prices, sizes and times are described in
docs/wire-protocol.md.
"""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Literal, assert_never

import msgspec

from . import events, messages
from .errors import BadNumber, BadPayload
from .events import Side
from .instruments import Instrument
from .messages import BarMessage as BarMessage, Message, Size, Time, Whole, known
from .strict_json import Strict

Levels = tuple[tuple[float, Size], ...]  # price, size


class QuoteMessage(Message, frozen=True, tag="quote"):
    """The top of a book."""

    feed: str
    instrument: str
    sequence: Whole
    venue_time_ns: Time
    received_time_ns: Time
    bid: float
    bid_size: Size
    ask: float
    ask_size: Size


class TradeMessage(Message, frozen=True, tag="trade"):
    """One execution; `aggressor` is null where the exchange does not say."""

    feed: str
    instrument: str
    sequence: Whole
    venue_time_ns: Time
    received_time_ns: Time
    price: float
    size: Size
    aggressor: Literal["buy", "sell"] | None


class SnapshotMessage(Message, frozen=True, tag="snapshot"):
    """A book whole: all that was known of it before is void. It holds the updates up to `sequence`."""

    feed: str
    instrument: str
    sequence: Whole
    venue_time_ns: Time
    received_time_ns: Time
    crossed: bool
    bids: Levels
    asks: Levels


class BookMessage(Message, frozen=True, tag="book"):
    """Levels that changed at once; size 0 takes one away. It holds the updates `first_sequence` to `sequence`."""

    feed: str
    instrument: str
    first_sequence: Whole
    sequence: Whole
    venue_time_ns: Time
    received_time_ns: Time
    crossed: bool
    bids: Levels
    asks: Levels


DataMessage = QuoteMessage | TradeMessage | SnapshotMessage | BookMessage | BarMessage
DATA = (QuoteMessage, TradeMessage, SnapshotMessage, BookMessage, BarMessage)

_SIDES: dict[str | None, Side | None] = {"buy": Side.BUY, "sell": Side.SELL, None: None}
_TEXTS: dict[Side | None, Literal["buy", "sell"] | None] = {Side.BUY: "buy", Side.SELL: "sell", None: None}
_encoder = msgspec.json.Encoder()
_strict: Strict[Message] = Strict(*DATA, *messages.CONVERSATION, *messages.MARKS)


def encode(what: events.Event | Message) -> bytes:
    """One text message. Raises `BadNumber` for a value that is not finite, which JSON cannot say."""
    message = what if isinstance(what, Message) else said(what)
    text = _encoder.encode(message)
    if b"null" in text:  # what msgspec makes of NaN and infinity
        for value in _numbers(msgspec.structs.astuple(message)):
            if not isfinite(value):
                raise BadNumber(value, f"is not finite, in a {type(message).__struct_config__.tag}")
    return text


def decode(text: bytes | str | memoryview, offset: int = 0) -> Message:
    """The message that `text` is; `offset` of its first byte on the connection, for the error. Raises `BadPayload`."""
    data = b""
    try:
        data = text if type(text) is bytes else text.encode() if isinstance(text, str) else bytes(text)
        message = _strict.decode(data)
        if type(message) in _BOOKS:
            _check_book(message)
    except ValueError as error:
        head = b"" if b"token" in data else data[:16]
        raise BadPayload(offset, head, str(error)) from None  # not chained: see Strict.decode
    return message


_BOOKS = frozenset[type[Message]]({SnapshotMessage, BookMessage})


def _check_book(message: Message) -> None:
    assert isinstance(message, SnapshotMessage | BookMessage)
    if not message.bids and not message.asks:
        raise ValueError("a book of no level at all")
    if isinstance(message, BookMessage) and message.first_sequence > message.sequence:
        raise ValueError(f"updates {message.first_sequence} to {message.sequence}")


def said(event: events.Event) -> DataMessage | messages.Mark | messages.Skipped:
    """The message that tells `event`."""
    match event:
        case events.Quote():
            return QuoteMessage(
                event.feed, event.instrument.name, event.sequence, event.venue_time_ns, event.received_time_ns,
                event.bid, event.bid_size, event.ask, event.ask_size,
            )  # fmt: skip
        case events.Trade():
            return TradeMessage(
                event.feed, event.instrument.name, event.sequence, event.venue_time_ns, event.received_time_ns,
                event.price, event.size, _TEXTS[event.aggressor],
            )  # fmt: skip
        case events.BookUpdate():
            return _book_said(event)
        case events.Bar():
            return messages.bar_said(event)
        case _:
            return messages.said(event)


def heard(
    message: DataMessage | messages.Mark | messages.Skipped,
    instruments: Mapping[str, Instrument],
    received_ns: int,
    feed: str | None = None,
) -> events.Event:
    """The event that `message` tells: data as received here at `received_ns`, `instruments` by name.

    `feed`: what the other side is called here as one feed, in place of what the message says.

    Raises `UnknownInstrument`.
    """
    if not isinstance(message, DATA):
        return messages.heard(message, instruments, feed)
    if isinstance(message, BarMessage):
        return messages.bar_heard(message, instruments, received_ns, feed)
    name = message.feed if feed is None else feed
    instrument = known(instruments, message.instrument)
    match message:
        case QuoteMessage():
            return events.Quote(
                name, instrument, message.bid, message.bid_size, message.ask, message.ask_size,
                message.sequence, message.venue_time_ns, received_ns,
            )  # fmt: skip
        case TradeMessage():
            return events.Trade(
                name, instrument, message.price, message.size, _SIDES[message.aggressor],
                message.sequence, message.venue_time_ns, received_ns,
            )  # fmt: skip
        case SnapshotMessage() | BookMessage():
            return _book_heard(message, name, instrument, received_ns)
    assert_never(message)


def _book_said(update: events.BookUpdate) -> SnapshotMessage | BookMessage:
    if update.snapshot:
        return SnapshotMessage(
            update.feed, update.instrument.name, update.sequence, update.venue_time_ns, update.received_time_ns,
            update.crossed, update.bids, update.asks,
        )  # fmt: skip
    return BookMessage(
        update.feed, update.instrument.name, update.first_sequence, update.sequence, update.venue_time_ns,
        update.received_time_ns, update.crossed, update.bids, update.asks,
    )  # fmt: skip


def _book_heard(
    message: SnapshotMessage | BookMessage, name: str, instrument: Instrument, received_ns: int
) -> events.BookUpdate:
    first = message.first_sequence if isinstance(message, BookMessage) else message.sequence
    return events.BookUpdate(
        name, instrument, message.bids, message.asks, isinstance(message, SnapshotMessage), first,
        message.sequence, message.venue_time_ns, received_ns, message.crossed,
    )  # fmt: skip


def _numbers(values: tuple[object, ...]) -> Iterator[float]:
    for value in values:
        if isinstance(value, float):
            yield value
        elif isinstance(value, tuple):
            yield from _numbers(value)  # pyright: ignore[reportUnknownArgumentType]  # levels within levels
