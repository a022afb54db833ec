"""A made-up exchange's feed for tests: trades, quotes and books, one JSON object a line or WebSocket message."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import attrs
import msgspec
from msgspec import Meta

from ticktree.feeds import Acknowledged, BadMessage, Decoded, Feed, SequenceRule, Source
from ticktree.market import BookUpdate, EventKind, Instrument, Quote, Topic, Trade
from ticktree.market.strict_json import Strict
from ticktree.net import Connection, Framing, Lines

from ..probe import DEADLINE_S

BTC = Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.0001"))
ETH = Instrument("ETH-USDT", 2, Decimal("0.01"), Decimal("0.0001"))
ALL = ("test/BTC-USDT/trade", "test/BTC-USDT/quote", "test/BTC-USDT/book", "test/ETH-USDT/trade", "test/ETH-USDT/book")


Size = Annotated[float, Meta(ge=0, le=1e20)]
Whole = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Levels = tuple[tuple[Size, Size], ...]


class Ack(msgspec.Struct, tag="ack", forbid_unknown_fields=True):
    pass


class TradeText(msgspec.Struct, tag="trade", forbid_unknown_fields=True):
    i: str
    n: Whole
    price: Size
    size: Size


class QuoteText(msgspec.Struct, tag="quote", forbid_unknown_fields=True):
    i: str
    n: Whole
    bid: Size
    ask: Size


class BookText(msgspec.Struct, tag="book", forbid_unknown_fields=True):
    i: str
    first: Whole
    last: Whole
    bids: Levels
    asks: Levels
    snapshot: bool


Text = Ack | TradeText | QuoteText | BookText
_strict: Strict[Any] = Strict(Ack, TradeText, QuoteText, BookText)


def trade(number: int, name: str = "BTC-USDT", price: float = 100.0) -> dict[str, Any]:
    return {"type": "trade", "i": name, "n": number, "price": price, "size": 1.0}


def quote(number: int, name: str = "BTC-USDT", bid: float = 100.0, ask: float = 101.0) -> dict[str, Any]:
    return {"type": "quote", "i": name, "n": number, "bid": bid, "ask": ask}


def book(
    first: int,
    last: int | None = None,
    *,
    name: str = "BTC-USDT",
    bids: Iterable[tuple[float, float]] = ((100.0, 1.0),),
    asks: Iterable[tuple[float, float]] = (),
    snapshot: bool = False,
) -> dict[str, Any]:
    last = first if last is None else last
    sides = {"bids": [list(level) for level in bids], "asks": [list(level) for level in asks]}
    return {"type": "book", "i": name, "first": first, "last": last, "snapshot": snapshot, **sides}


ACK = {"type": "ack"}
Question = tuple[str, asyncio.Future[BookUpdate]]  # which instrument's snapshot is asked for


@attrs.define(eq=False)
class Hand:
    """What the test has in hand over lives: the answers to what the feed asks beside its stream."""

    listing: tuple[Instrument, ...] = (BTC, ETH)
    refusals: list[Exception] = attrs.field(factory=list[Exception])  # of the next questions for definitions
    asked: int = 0  # for definitions
    questions: asyncio.Queue[Question] = attrs.field(factory=asyncio.Queue[Question])
    open: int = 0  # questions for snapshots without an answer
    most_open: int = 0
    logins: asyncio.Queue[asyncio.Future[None]] = attrs.field(factory=asyncio.Queue[asyncio.Future[None]])

    async def question(self, name: str | None = None) -> "asyncio.Future[BookUpdate]":
        """The next question for a snapshot."""
        async with asyncio.timeout(DEADLINE_S):
            found, future = await self.questions.get()
        assert name in (None, found)
        return future


class JsonFeed(Feed):
    """Trades, quotes and books of a made-up exchange, one JSON object a line or WebSocket message."""

    framing: ClassVar[Callable[[], Framing] | None] = staticmethod(lambda: Lines(65_536))

    def __init__(self, source: Source, url: str, hand: Hand) -> None:
        super().__init__(source, url)
        self.hand = hand
        self.opens = 0

    async def definitions(self) -> Iterable[Instrument]:
        self.hand.asked += 1
        if self.hand.refusals:
            raise self.hand.refusals.pop(0)
        return self.hand.listing

    def opened(self) -> None:
        self.opens += 1

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        return [f"subscribe {' '.join(map(str, topics))}\n".encode()]

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        data = bytes(frame)
        try:
            message = _strict.decode(data)
            return [Acknowledged() if isinstance(message, Ack) else self._event(message, received_ns)]
        except (ValueError, LookupError) as error:
            raise BadMessage(self.name, str(error), data) from None

    def _event(self, text: TradeText | QuoteText | BookText, received_ns: int) -> Trade | Quote | BookUpdate:
        instrument = self.by_symbol[text.i]
        match text:
            case TradeText():
                return Trade(self.name, instrument, text.price, text.size, None, text.n, 0, received_ns)
            case QuoteText():
                return Quote(self.name, instrument, text.bid, 1.0, text.ask, 1.0, text.n, 0, received_ns)
            case BookText():
                return BookUpdate(
                    self.name, instrument, text.bids, text.asks, text.snapshot, text.first, text.last, 0, received_ns
                )


EVERY_RULE: dict[EventKind, SequenceRule] = {
    EventKind.TRADE: SequenceRule.PLUS_ONE,
    EventKind.QUOTE: SequenceRule.MONOTONIC,
    EventKind.BOOK: SequenceRule.RANGE,
}


class RuledFeed(JsonFeed):
    """Numbered, with nothing to repair a book but a new connection."""

    rules: ClassVar = EVERY_RULE


class ReadingFeed(RuledFeed):
    """Understands a whole read at once, where nothing in it is bad."""

    def __init__(self, source: Source, url: str, hand: Hand) -> None:
        super().__init__(source, url, hand)
        self.at_once = 0  # understood at once

    def decode_read(self, frames: Sequence[memoryview | bytes], received_ns: int) -> Sequence[Any] | None:
        try:
            events = [event for frame in frames for event in self.decode(frame, received_ns)]
        except BadMessage:
            return None
        self.at_once += 1
        return events


class InBandFeed(RuledFeed):
    """A book's snapshot comes anew to who subscribes again."""

    def resubscribe_frames(self, instrument: Instrument) -> Iterable[bytes]:
        return [f"again {instrument.name}\n".encode()]


class FetchingFeed(RuledFeed):
    """Snapshots are asked for beside the stream."""

    async def snapshot(self, instrument: Instrument) -> BookUpdate:
        hand = self.hand
        hand.open += 1
        hand.most_open = max(hand.most_open, hand.open)
        future: asyncio.Future[BookUpdate] = asyncio.get_running_loop().create_future()
        hand.questions.put_nowait((instrument.name, future))
        try:
            return await future
        finally:
            hand.open -= 1

    def answer(self, sequence: int, name: str = "BTC-USDT", levels: int = 1) -> BookUpdate:
        bids = tuple((100.0 - n, 5.0) for n in range(levels))
        return BookUpdate(self.name, self.instruments[name], bids, (), True, sequence, sequence, 0, 0)


class LoginFeed(RuledFeed):
    async def login(self, connection: Connection) -> None:
        connection.write(b"login\n")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.hand.logins.put_nowait(future)
        await future
