"""Trades and best prices of an exchange of our own invention, over one WebSocket.

It speaks JSON, and lists its instruments over HTTP. Write in its place how yours does:

    GET /instruments
    [{"symbol": "BTC-USDT", "price_step": "0.01", "size_step": "0.0001"}]

    we say   {"op": "subscribe", "topics": [{"type": "trade", "symbol": "BTC-USDT"}]}
    it says  {"type": "subscribed"}
             {"type": "refused", "why": "there is no BTC-USTD"}
             {"type": "trade", "symbol": "BTC-USDT", "id": 1, "time_ms": 1700000000000,
              "price": "64000.25", "size": "0.5", "side": "buy"}
             {"type": "quote", "symbol": "BTC-USDT", "id": 1, "time_ms": 1700000000000,
              "bid": "64000.00", "bid_size": "2", "ask": "64000.50", "ask_size": "0.7"}

The ids of trades of a symbol have no holes, those of its quotes may. `side` is who took.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct
from ticktree.feeds import (
    Acknowledged,
    BadMessage,
    Decoded,
    Feed,
    Refused,
    SequenceRule,
    Source,
)
from ticktree.feeds.errors import UnknownKind
from ticktree.feeds.exchanges.listing import defined
from ticktree.feeds.exchanges.texts import Price, Size, Whole, decoder, parsed
from ticktree.feeds.rest import RestLimits
from ticktree.market import EventKind, Instrument, Quote, Side, Topic, Trade

URL = "ws://127.0.0.1:8765/stream"
REST = "http://127.0.0.1:8765"
LIMITS = RestLimits(weight_a_minute=600)  # how much may be asked over HTTP
KINDS = (EventKind.TRADE, EventKind.QUOTE)
MS = 1_000_000  # nanoseconds

Time = Annotated[int, Meta(ge=0, le=9_000_000_000_000)]  # milliseconds


class Subscribed(Struct, tag="subscribed"):
    """The subscription stands."""


class No(Struct, tag="refused"):
    """It does not."""

    why: str


class Traded(Struct, tag="trade"):
    """Somebody traded."""

    symbol: str
    id: Whole
    time_ms: Time
    price: Price
    size: Size
    side: Literal["buy", "sell"]

    def event(self, feed: str, instrument: Instrument, received_ns: int) -> Trade:
        """What it tells."""
        side = Side.BUY if self.side == "buy" else Side.SELL
        what, time_ns = (self.price, self.size, side), self.time_ms * MS
        return Trade(feed, instrument, *what, self.id, time_ns, received_ns)


class Quoted(Struct, tag="quote"):
    """The best prices changed."""

    symbol: str
    id: Whole
    time_ms: Time
    bid: Price
    bid_size: Size
    ask: Price
    ask_size: Size

    def event(self, feed: str, instrument: Instrument, received_ns: int) -> Quote:
        """What it tells."""
        best = self.bid, self.bid_size, self.ask, self.ask_size
        return Quote(feed, instrument, *best, self.id, self.time_ms * MS, received_ns)


class Listing(Struct):
    """One of /instruments."""

    symbol: str
    price_step: Decimal
    size_step: Decimal

    @property
    def name(self) -> str:
        """As ticktree writes it: BASE-QUOTE. This exchange does, too."""
        return self.symbol

    def instrument(self) -> Instrument:
        """What it defines. Raises `BadInstrument`."""
        return Instrument(self.name, 0, self.price_step, self.size_step)


message = decoder(Subscribed | No | Traded | Quoted)


class NewFeed(Feed):
    """Trades and best prices. Raises `UnknownKind` for topics of another kind.

    url, rest_url  where the exchange is
    """

    rules: ClassVar[Mapping[EventKind, SequenceRule]] = {
        EventKind.TRADE: SequenceRule.PLUS_ONE,  # a hole is a gap, which is told
        EventKind.QUOTE: SequenceRule.MONOTONIC,
    }
    heartbeat_s: ClassVar[float | None] = 10.0
    pongs_suffice: ClassVar[bool] = True  # an exchange that answers our pings is there

    def __init__(self, source: Source, url: str = URL, rest_url: str = REST) -> None:
        super().__init__(source, url)
        self._rest_url = rest_url
        for topic in source.topics:
            if topic.kind not in KINDS:
                raise UnknownKind(source.name, topic.kind, KINDS)

    async def definitions(self) -> Iterable[Instrument]:
        rest = self.rest(self._rest_url, LIMITS)
        listings = await rest.get("/instruments", {}, 1, list[Listing])
        return defined(listings, {topic.instrument for topic in self.topics})

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        wanted = [{"type": str(one.kind), "symbol": one.instrument} for one in topics]
        yield msgspec.json.encode({"op": "subscribe", "topics": wanted})

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        data = bytes(frame)
        try:
            parsed(data)  # refuses a key that comes twice
            match message(data):
                case Traded() | Quoted() as told:
                    instrument = self.by_symbol[told.symbol]
                    return (told.event(self.name, instrument, received_ns),)
                case No(why):
                    raise Refused(self.name, why[:200])
                case _:
                    return (Acknowledged(),)
        except (ValueError, LookupError, RecursionError) as error:
            raise BadMessage(self.name, str(error), data) from None
