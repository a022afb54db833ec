"""Binance spot: streams of aggregate trades, best prices, book changes, candles; snapshots and definitions by HTTP.

Everything is public, no key is needed. Source: https://developers.binance.com/docs/binance-spot-api-docs, "WebSocket
Streams", "Market Data endpoints", and its CHANGELOG where that is named.

    topic   stream                event        sequence                   rule
    trade   <symbol>@aggTrade     Trade        a: one a taker's order     PLUS_ONE
    quote   <symbol>@bookTicker   Quote        u: of the book's update    MONOTONIC
    book    <symbol>@depth@100ms  BookUpdate   U to u                     RANGE, bridged by /api/v3/depth
    bar     <symbol>@kline_1m     Bar          none                       none; minutes that are over

The exchange tells no time with best prices and snapshots: their `venue_time_ns` is 0. It tells no change of an
instrument's status either. A connection ends after 24 hours; the base makes it anew.

The streams stand in the address: they flow as soon as the connection stands, so that a snapshot asked for then cannot
come before the changes that follow it, and there is no acknowledgement to wait for. What an address cannot hold is
subscribed to by messages.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import attrs
import msgspec
from msgspec import Meta, Struct

from ticktree.market import (
    BadInstrument,
    Bar,
    BookUpdate,
    Data,
    EventKind,
    Instrument,
    Quote,
    Side,
    Topic,
    Trade,
    TradingStatus,
)

from ..errors import BadMessage, FeedError, NotAsked, Refused
from ..feed import Acknowledged, Decoded, Feed
from ..rest import RestLimits, RestRefused
from ..sequence import SequenceRule
from ..source import Source
from .listing import defined
from .texts import Levels, Price, Size, Whole, decoder, parsed

URL = "wss://stream.binance.com:9443/stream"
REST_URL = "https://api.binance.com"

# CHANGELOG: 6,000 a minute since 2023-08-25; depth of 501 to 1,000 levels 50 since 2023-10-19. exchangeInfo: 20.
LIMITS = RestLimits(weight_a_minute=6_000)
DEPTH_LEVELS, DEPTH_WEIGHT = 1_000, 50
LISTING_WEIGHT = 20
MOST_ASKED = 100  # instruments asked for by name; beyond that the whole list comes, of some 15 MB

MOST_STREAMS = 1_024  # of one connection
MOST_ADDRESS = 8_000  # characters; beyond 8,004 the exchange refuses (unicorn-binance-websocket-api, issue 19)
# A message to the exchange: beyond 4,096 bytes on the wire it falls silent, without an error (binance-connector-rust,
# issue 27). It cuts off whoever sends more than 5 a second, pongs included.
MOST_MESSAGE, MOST_MESSAGES = 4_000, 4


class TooManyStreams(FeedError, ValueError):
    """More than one connection can carry: several feeds can share the instruments out."""

    def __init__(self, feed: str, streams: int) -> None:
        super().__init__(f"{feed}: {streams} streams are more than one connection can carry: use several feeds")
        self.feed, self.streams = feed, streams


# --- messages ------------------------------------------------------------------------------------------------------

_MS = 1_000_000  # nanoseconds
_BUY, _SELL = Side.BUY, Side.SELL  # members of an enum cost 30 ns to look up on CPython 3.11

Time = Annotated[int, Meta(ge=0, le=9_000_000_000_000)]  # milliseconds; in nanoseconds they fit 64 bits

T = TypeVar("T")


class AggTrade(Struct, gc=False):
    """What of an `aggTrade` we use: the trades of one taker's order at one price."""

    s: str
    a: Whole
    p: Price
    q: Size
    T: Time
    m: bool  # whether the buyer is the maker: then the seller took

    def event(self, feed: str, instrument: Instrument, received_ns: int) -> Trade:
        """The event it stands for."""
        side = _SELL if self.m else _BUY
        return Trade(feed, instrument, self.p, self.q, side, self.a, self.T * _MS, received_ns)


class WholeAggTrade(Struct, gc=False):
    """All of it, in the order in which it comes: msgspec looks for a key where the last one was, and then goes on."""

    e: Literal["aggTrade"]
    E: Time
    s: str
    a: Whole
    p: Price
    q: Size
    f: int
    l: int
    T: Time
    m: bool
    M: bool

    event = AggTrade.event


class BookTicker(Struct, gc=False):
    """Best prices, all of it. A side that is empty has price and size 0."""

    s: str
    u: Whole
    b: Size
    B: Size
    a: Size
    A: Size

    def event(self, feed: str, instrument: Instrument, received_ns: int) -> Quote:
        """The event it stands for."""
        return Quote(feed, instrument, self.b, self.B, self.a, self.A, self.u, 0, received_ns)


class DepthUpdate(Struct, gc=False):
    """What of a `depthUpdate` we use: levels that changed in the book's updates `U` to `u`, possibly none."""

    s: str
    E: Time
    U: Whole
    u: Whole
    b: Levels
    a: Levels

    def event(self, feed: str, instrument: Instrument, received_ns: int) -> BookUpdate:
        """The event it stands for. Raises `ValueError`."""
        if self.u < self.U:
            raise ValueError(f"it begins at update {self.U} and ends at {self.u}")
        return BookUpdate(feed, instrument, self.b, self.a, False, self.U, self.u, self.E * _MS, received_ns)


class WholeDepthUpdate(DepthUpdate, gc=False):
    """All of it."""

    e: Literal["depthUpdate"]


class Candle(Struct):
    """What of a `k` we use: trades of a minute, so far."""

    t: Time
    T: Time  # its last millisecond
    i: Literal["1m"]
    o: Price
    h: Price
    l: Price
    c: Price
    v: Size
    q: Size  # in the quoted asset
    n: Whole
    x: bool  # whether it is over


class Kline(Struct):
    """What of a `kline` we use."""

    s: str
    k: Candle

    def event(self, feed: str, instrument: Instrument, received_ns: int) -> Bar | None:
        """The event it stands for; None while its minute is not over."""
        k = self.k
        if not k.x:
            return None
        times = k.t * _MS, (k.T + 1) * _MS, received_ns
        return Bar(feed, instrument, k.o, k.h, k.l, k.c, k.v, k.q, k.n, *times)


class Combined(Struct, Generic[T], gc=False):
    """What every message of a combined stream is wrapped in."""

    stream: str
    data: T


@attrs.frozen(eq=False)
class Kind:
    """One kind of stream.

    `whole` decodes messages of exactly the keys we know, of which there are so many `keys`, and `event` is theirs;
    `needed` decodes those that have at least the keys we need.
    """

    suffix: str
    whole: Callable[[memoryview | bytes], Combined[Any]]
    needed: Callable[[memoryview | bytes], Combined[Any]]
    event: Callable[[Any, str, Instrument, int], Any]
    keys: int


def _kind(suffix: str, whole: Any, needed: Any) -> Kind:
    keys = len(msgspec.structs.fields(Combined)) + len(msgspec.structs.fields(whole))
    return Kind(suffix, decoder(Combined[whole]), decoder(Combined[needed]), whole.event, keys)


KINDS = {
    EventKind.TRADE: _kind("@aggTrade", WholeAggTrade, AggTrade),
    EventKind.QUOTE: _kind("@bookTicker", BookTicker, BookTicker),
    EventKind.BOOK: _kind("@depth@100ms", WholeDepthUpdate, DepthUpdate),
    EventKind.BAR: _kind("@kline_1m", Kline, Kline),
}

# What a whole message is of, by the third character from its end: a seventh of the time in which its stream's name is
# found. Candles, of which there is one in two seconds, are looked at closer.
_ENDING = itemgetter(-3)
_BY_ENDING = {ord("e"): KINDS[EventKind.TRADE], ord('"'): KINDS[EventKind.QUOTE], ord("]"): KINDS[EventKind.BOOK]}


class Depth(Struct):
    """The answer of /api/v3/depth."""

    lastUpdateId: Whole
    bids: Levels
    asks: Levels


class Filter(Struct):
    """One of an instrument's rules; of some thirty kinds we need those that have any of these."""

    filterType: str
    tickSize: Decimal | None = None  # PRICE_FILTER
    stepSize: Decimal | None = None  # LOT_SIZE, and others
    minNotional: Decimal | None = None  # NOTIONAL; MIN_NOTIONAL until 2023


class Listed(Struct):
    """An instrument as /api/v3/exchangeInfo lists it."""

    symbol: str
    status: str
    baseAsset: str
    quoteAsset: str
    filters: list[Filter]

    @property
    def name(self) -> str:
        """As we write it."""
        return f"{self.baseAsset}-{self.quoteAsset}"

    def instrument(self) -> Instrument:
        """What it defines. Raises `BadInstrument`."""
        if self.symbol != symbol_of(self.name):
            raise BadInstrument(f"{self.name}: the exchange calls it {self.symbol[:64]!r}, not by its assets")
        rules = {rule.filterType: rule for rule in self.filters}
        price, size = rules.get("PRICE_FILTER"), rules.get("LOT_SIZE")
        if price is None or price.tickSize is None or size is None or size.stepSize is None:
            raise BadInstrument(f"{self.name}: the exchange tells no price or size increment")
        notional = rules.get("NOTIONAL") or rules.get("MIN_NOTIONAL")
        least = notional.minNotional if notional and notional.minNotional is not None else Decimal(0)
        status = STATUS.get(self.status, TradingStatus.HALTED)  # one that we do not know is not trading
        return Instrument(self.name, 0, price.tickSize, size.stepSize, least, status=status)


STATUS = {
    "TRADING": TradingStatus.TRADING,
    "BREAK": TradingStatus.HALTED,
    "HALT": TradingStatus.HALTED,
    "AUCTION_MATCH": TradingStatus.HALTED,
    "PRE_TRADING": TradingStatus.CLOSED,
    "POST_TRADING": TradingStatus.CLOSED,
    "END_OF_DAY": TradingStatus.CLOSED,
}


class Listing(Struct):
    """The answer of /api/v3/exchangeInfo."""

    symbols: list[Listed]


# --- the feed ------------------------------------------------------------------------------------------------------


class BinanceFeed(Feed):
    """Raises `TooManyStreams` for more topics than one connection can carry."""

    rules: ClassVar = {
        EventKind.TRADE: SequenceRule.PLUS_ONE,
        EventKind.QUOTE: SequenceRule.MONOTONIC,
        EventKind.BOOK: SequenceRule.RANGE,
    }

    # Ours: what is idle is pinged. The exchange promises nothing but a ping of its own in three minutes.
    heartbeat_s: ClassVar = 5.0
    pongs_suffice: ClassVar = True

    def __init__(self, source: Source, url: str = URL, rest_url: str = REST_URL) -> None:
        super().__init__(source, url)
        self._rest_url = rest_url
        self._streams: dict[str, tuple[str, Instrument, Kind]] = {}
        self._address, self._messages = addressed(source.name, url, source.topics)

    async def locate(self) -> str:
        return self._address

    def opened(self) -> None:
        self._streams = {
            stream_name(topic): (
                symbol_of(topic.instrument),
                self.instruments[topic.instrument],
                KINDS[EventKind(topic.kind)],
            )
            for topic in streamed(self.topics)
        }

    def symbol(self, instrument: Instrument) -> str:
        return symbol_of(instrument.name)

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        return self._messages

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        data = frame if type(frame) is bytes else bytes(frame)
        try:  # as `decode_read`, without what that takes before its first message: 2 us
            kind = _BY_ENDING[data[-3]]
            message = kind.whole(data)
            symbol, instrument, asked = self._streams[message.stream]
            if asked is kind and message.data.s == symbol and data.count(b":") == kind.keys:
                return (message.data.event(self.source.name, instrument, received_ns),)
        except (ValueError, LookupError, RecursionError):  # msgspec's errors are ValueErrors
            pass
        return self._look_closer(data, received_ns)

    def decode_read(self, frames: Sequence[memoryview | bytes], received_ns: int) -> Sequence[Data] | None:
        """Messages of exactly the keys we know.

        Each key has a colon, and each of those keys must be there: where there are no more colons in all, none came
        twice. msgspec alone takes the last of two, silently.
        """
        feed, streams, events, keys = self.source.name, self._streams, list[Data](), 0
        try:
            for ending, run in groupby(frames, _ENDING):
                kind = _BY_ENDING[ending]
                event, messages = kind.event, [*map(kind.whole, run)]  # one by one, each step is slower after the other
                keys += kind.keys * len(messages)
                for message in messages:
                    data, (symbol, instrument, asked) = message.data, streams[message.stream]
                    if data.s != symbol or asked is not kind:
                        return None
                    events.append(event(data, feed, instrument, received_ns))
        except (ValueError, LookupError, RecursionError):  # msgspec's errors are ValueErrors
            return None
        return events if b"".join(frames).count(b":") == keys else None

    def _look_closer(self, data: bytes, received_ns: int) -> Decoded:
        """What is not the usual message: an answer, one with keys that are new to us (10 us), or a bad one."""
        try:
            match parsed(data):
                case {"stream": str(stream), "data": _}:
                    event = self._event(stream, data, received_ns)
                    return () if event is None else (event,)
                case {"result": None, "id": _}:
                    return (Acknowledged(),)
                case {"error": {"code": code, "msg": why}} | {"code": code, "msg": why}:
                    raise Refused(self.name, f"{str(why)[:200]} (code {str(code)[:20]})")
                case _:
                    raise ValueError("it is neither data nor an answer")
        except (ValueError, RecursionError) as error:
            raise BadMessage(self.name, str(error), data) from None

    def _event(self, stream: str, data: bytes, received_ns: int) -> Data | None:
        known = self._streams.get(stream)
        if known is None:
            raise NotAsked(self.name, f"stream {stream[:64]!r}", data)
        symbol, instrument, kind = known
        payload = kind.needed(data).data
        if payload.s != symbol:
            raise ValueError(f"{payload.s[:64]!r} in stream {stream!r}")
        event: Data | None = payload.event(self.name, instrument, received_ns)
        return event

    async def snapshot(self, instrument: Instrument) -> BookUpdate:
        query = {"symbol": self.symbol(instrument), "limit": str(DEPTH_LEVELS)}
        depth = await self.rest(self._rest_url, LIMITS).get("/api/v3/depth", query, DEPTH_WEIGHT, Depth)
        last = depth.lastUpdateId
        return BookUpdate(self.name, instrument, depth.bids, depth.asks, True, last, last, 0, self.clock.now_ns())

    async def definitions(self) -> Iterable[Instrument]:
        """The instruments that are wanted; all there are, if the exchange does not know one of them."""
        names = {topic.instrument for topic in self.topics}
        return defined(await self._listing(names), names)

    async def _listing(self, names: set[str]) -> list[Listed]:
        rest, query = self.rest(self._rest_url, LIMITS), dict[str, str]()
        if len(names) <= MOST_ASKED:
            query["symbols"] = json.dumps(sorted(map(symbol_of, names)), separators=(",", ":"))
        try:
            answer = await rest.get("/api/v3/exchangeInfo", query, LISTING_WEIGHT, Listing)
        except RestRefused as error:
            if error.status != 400 or not query:
                raise
            answer = await rest.get("/api/v3/exchangeInfo", {}, LISTING_WEIGHT, Listing)
        return answer.symbols


def symbol_of(name: str) -> str:
    """What the exchange calls the instrument that we write BASE-QUOTE."""
    return name.replace("-", "")


def streamed(topics: Iterable[Topic]) -> list[Topic]:
    """Those of `topics` that there is a stream for, each once."""
    return [topic for topic in dict.fromkeys(topics) if topic.kind in KINDS]


def stream_name(topic: Topic) -> str:
    """The exchange's name of a topic's stream."""
    return symbol_of(topic.instrument).lower() + KINDS[EventKind(topic.kind)].suffix


def addressed(feed: str, url: str, topics: Iterable[Topic]) -> tuple[str, tuple[bytes, ...]]:
    """An address with as many streams as it can hold, books first, and messages for the others.

    Raises `TooManyStreams`.
    """
    wanted = sorted(streamed(topics), key=lambda topic: topic.kind != EventKind.BOOK)
    names = [stream_name(topic) for topic in wanted]
    held = _fitting(names, MOST_ADDRESS - len(url) - len("?streams="), between=1)
    address = f"{url}?streams={'/'.join(names[:held])}" if held else url
    messages, left = list[bytes](), names[held:]
    while left:
        count = _fitting(left, MOST_MESSAGE - 64, between=3)
        request = {"method": "SUBSCRIBE", "params": left[:count], "id": len(messages) + 1}
        messages.append(msgspec.json.encode(request))
        left = left[count:]
    if len(names) > MOST_STREAMS or len(messages) > MOST_MESSAGES:
        raise TooManyStreams(feed, len(names))
    return address, tuple(messages)


def _fitting(names: list[str], room: int, between: int) -> int:
    """How many of `names` fit into `room` characters, with so many between each two."""
    for count, name in enumerate(names):
        room -= len(name) + between
        if room < 0:
            return count
    return len(names)
