"""Gate's spot market: trades and books over one WebSocket, snapshots and definitions by HTTP.

Everything is public, no key is needed. Source: https://www.gate.com/docs/developers/apiv4, "Spot WebSocket v4" and
"Spot" of the REST API.

    topic   channel                          event        sequence             rule
    trade   spot.trades                      Trade        id; nothing said     none
    book    spot.order_book_update, 100 ms   BookUpdate   U to u               RANGE, bridged by /spot/order_book
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from ticktree.feeds import Acknowledged, BadMessage, Decoded, Feed, Refused, SequenceRule, Source
from ticktree.feeds.errors import UnknownKind
from ticktree.feeds.exchanges.listing import defined
from ticktree.feeds.exchanges.texts import Levels, Price, Size, Whole, decoder, parsed
from ticktree.feeds.rest import RestLimits
from ticktree.market import BookUpdate, EventKind, Instrument, Side, Topic, Trade, TradingStatus

URL = "wss://api.gateio.ws/ws/v4/"
REST_URL = "https://api.gateio.ws/api/v4"
LIMITS = RestLimits(weight_a_minute=1_200)  # 200 in 10 seconds, each endpoint
LEVELS = 100  # of a book that is updated each 100 ms
MS = 1_000_000  # nanoseconds

CHANNELS = {EventKind.TRADE: ("spot.trades",), EventKind.BOOK: ("spot.order_book_update", "100ms")}

Time = Annotated[int, Meta(ge=0, le=9_000_000_000_000)]  # milliseconds
FineTime = Annotated[float, Meta(ge=0, le=9e12)]  # the same, with digits behind the point
Digits = Annotated[int, Meta(ge=0, le=30)]  # behind the point


class PublicTrade(Struct):
    """What of a trade is used."""

    id: Whole
    create_time_ms: FineTime
    side: Literal["buy", "sell"]  # the taker's
    currency_pair: str
    amount: Size
    price: Price

    def event(self, feed: str, instrument: Instrument, received_ns: int) -> Trade:
        """What it tells."""
        side = Side.BUY if self.side == "buy" else Side.SELL
        time_ns = int(self.create_time_ms * 1_000) * 1_000
        return Trade(feed, instrument, self.price, self.amount, side, self.id, time_ns, received_ns)


class Change(Struct):
    """What of a change of a book is used: the levels that changed, and which updates that sums up."""

    t: Time
    s: str
    U: Whole
    u: Whole
    b: Levels
    a: Levels

    def event(self, feed: str, instrument: Instrument, received_ns: int) -> BookUpdate:
        """What it tells."""
        if self.u < self.U:
            raise ValueError(f"it begins with update {self.U} and ends with {self.u}")
        return BookUpdate(feed, instrument, self.b, self.a, False, self.U, self.u, self.t * MS, received_ns)


class TradeMessage(Struct):
    """An update of channel spot.trades."""

    result: PublicTrade


class BookMessage(Struct):
    """An update of channel spot.order_book_update."""

    result: Change


class Depth(Struct):
    """The answer of /spot/order_book."""

    id: Whole
    bids: Levels
    asks: Levels


class Pair(Struct):
    """What /spot/currency_pairs lists."""

    base: str
    quote: str
    precision: Digits  # of prices
    amount_precision: Digits
    trade_status: str
    min_quote_amount: Decimal = Decimal(0)

    @property
    def name(self) -> str:
        """As ticktree writes it."""
        return f"{self.base}-{self.quote}"

    def instrument(self) -> Instrument:
        """What it defines. Raises `BadInstrument`."""
        price, size = Decimal(1).scaleb(-self.precision), Decimal(1).scaleb(-self.amount_precision)
        status = TradingStatus.TRADING if self.trade_status == "tradable" else TradingStatus.HALTED
        return Instrument(self.name, 0, price, size, self.min_quote_amount, status=status)


trade_message = decoder(TradeMessage)
book_message = decoder(BookMessage)


class GateFeed(Feed):
    """Trades and books of Gate's spot market. Raises `UnknownKind` for topics of another kind."""

    rules: ClassVar = {EventKind.BOOK: SequenceRule.RANGE}
    heartbeat_s: ClassVar = 10.0  # ours: an idle connection is pinged, and Gate answers pings
    pongs_suffice: ClassVar = True

    def __init__(self, source: Source, url: str = URL, rest_url: str = REST_URL) -> None:
        super().__init__(source, url)
        self._rest_url = rest_url
        for topic in source.topics:
            if topic.kind not in CHANNELS:
                raise UnknownKind(source.name, topic.kind, CHANNELS)

    def symbol(self, instrument: Instrument) -> str:
        return instrument.name.replace("-", "_")

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        time_s = self.clock.now_ns() // 1_000_000_000  # no more than a minute off Gate's own
        for topic in topics:
            channel, *more = CHANNELS[EventKind(topic.kind)]
            payload = [self.symbol(self.instruments[topic.instrument]), *more]
            asked = {"time": time_s, "channel": channel, "event": "subscribe", "payload": payload}
            yield msgspec.json.encode(asked)

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        data = bytes(frame)
        try:
            match parsed(data):
                case {"channel": "spot.trades", "event": "update"}:
                    trade = trade_message(data).result
                    return (trade.event(self.name, self.by_symbol[trade.currency_pair], received_ns),)
                case {"channel": "spot.order_book_update", "event": "update"}:
                    change = book_message(data).result
                    return (change.event(self.name, self.by_symbol[change.s], received_ns),)
                case {"error": {"code": code, "message": why}}:
                    raise Refused(self.name, f"{str(why)[:200]} (code {str(code)[:20]})")
                case {"event": "subscribe", "result": {"status": "success"}}:
                    return (Acknowledged(),)
                case _:
                    raise ValueError("it is neither data nor an answer")
        except (ValueError, LookupError, RecursionError) as error:
            raise BadMessage(self.name, str(error), data) from None

    async def snapshot(self, instrument: Instrument) -> BookUpdate:
        query = {"currency_pair": self.symbol(instrument), "limit": str(LEVELS), "with_id": "true"}
        depth = await self.rest(self._rest_url, LIMITS).get("/spot/order_book", query, 1, Depth)
        bids, asks, last = depth.bids, depth.asks, depth.id
        return BookUpdate(self.name, instrument, bids, asks, True, last, last, 0, self.clock.now_ns())

    async def definitions(self) -> Iterable[Instrument]:
        pairs = await self.rest(self._rest_url, LIMITS).get("/spot/currency_pairs", {}, 1, list[Pair])
        return defined(pairs, {topic.instrument for topic in self.topics})
