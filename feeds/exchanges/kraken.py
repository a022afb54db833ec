"""Kraken spot, WebSocket API v1: channels of trades, best prices, books with checksums; definitions by HTTP.

Everything is public, no key is needed. Source: https://docs.kraken.com/exchange, "WebSocket v1" (subscribe, book,
ticker, trade, subscriptionStatus, systemStatus, heartbeat), "Book checksum (WebSocket v1)", "Reconnection and
resilience", and "Get Tradable Asset Pairs".

    topic   channel        event        sequence   venue time
    trade   trade          Trade        none       the trade's
    quote   ticker         Quote        none       none: 0
    book    book-<depth>   BookUpdate   none       of the latest level

book    A snapshot of `depth` levels a side, then changes; the CRC32 over the ten best of each side, which comes with
        each change, tells whether one was missed, and a book that is wrong is subscribed to anew. What falls below the
        depth is never deleted by the exchange, and told again (with an "r") when it rises; here it is told as gone.
quote   Told when the best prices change or something is traded.
trade   Nothing tells a trade that was missed.
status  The exchange tells its own, not each instrument's: while nothing is matched all instruments are halted.

There are no bars: the exchange's candles (channel ohlc) are told with every trade, and none as the last of its minute;
`ticktree.market` makes bars from trades. Instruments have their usual names: BTC-USD for the exchange's XBT/USD, DOGE
for its XDG. A heartbeat comes each second in which nothing else does, but only to who has subscribed to something: a
feed of status alone pings, and is live with the exchange's first word.
"""

import logging
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Generic, Literal, TypeVar

import attrs
import msgspec
from msgspec import Struct

from ticktree.market import (
    BookUpdate,
    Event,
    EventKind,
    Instrument,
    InstrumentStatus,
    Level,
    OrderBook,
    Quote,
    Side,
    TextLevel,
    Topic,
    Trade,
    TradingStatus,
)

from ..errors import BadMessage, FeedError, NotAsked, Refused, UnknownKind
from ..feed import Acknowledged, Decoded, Feed
from ..rest import RestLimits
from ..source import Source
from .kraken_pairs import TRADED, AssetPairs, symbol_of
from .listing import defined
from .texts import MOST, Price, Size, decoder, parsed

log = logging.getLogger("ticktree.feeds")

URL = "wss://ws.kraken.com"
REST_URL = "https://api.kraken.com"
LIMITS = RestLimits(weight_a_minute=60)  # one a second an address, says the support; we ask once
DEPTHS = (10, 25, 100, 500, 1_000)

# Ours. No bound is documented, but 20 messages a second are (XChange, issue 3733); of all there is to subscribe to,
# three kinds of some thousand pairs, this makes 15.
MOST_PAIRS = 200
OURS = 1  # the `reqid` that tells an unsubscription of ours from one of the exchange's
PING = b'{"event":"ping"}'


class BadDepth(FeedError, ValueError):
    """The exchange has no books of `depth` levels."""

    def __init__(self, feed: str, depth: object) -> None:
        depths = ", ".join(map(str, DEPTHS))
        super().__init__(f"{feed}: the exchange has books of {depths} levels a side; not {depth!r}")
        self.feed, self.depth = feed, depth


# --- messages ------------------------------------------------------------------------------------------------------

T = TypeVar("T")

_BUY, _SELL = Side.BUY, Side.SELL  # members of an enum cost 30 ns to look up on CPython 3.11
_DIGITS = re.compile(r"[0-9]*\.?[0-9]*")  # of which float and int take those that are a number
_NS_OF_DIGITS = [10 ** (9 - digits) for digits in range(10)]
_LAST_NS = 9_000_000_000_000_000_000  # they fit 64 bits
MOST_CHECKSUM = (1 << 32) - 1


def time_ns(text: str) -> int:
    """`1618678133.365913`, seconds with up to nine decimals or none, as nanoseconds since 1970. Raises `ValueError`."""
    seconds, _, decimals = text.partition(".")
    digits = seconds + decimals
    if len(decimals) <= 9 and digits.isdigit() and digits.isascii():
        found: int = int(digits) * _NS_OF_DIGITS[len(decimals)]
        if found <= _LAST_NS:
            return found
    raise ValueError(f"{text[:64]!r} are no seconds since 1970")


Row = tuple[str, str, str]  # price, size, time: a level as it is from now on; size 0: it is gone


class Part(Struct, gc=False, forbid_unknown_fields=True, rename={"all_asks": "as", "all_bids": "bs"}):
    """What a book's message holds: the levels that changed, and a checksum; or all levels."""

    a: Sequence[Row] = ()
    b: Sequence[Row] = ()
    c: str | None = None
    all_asks: Sequence[Row] | None = None
    all_bids: Sequence[Row] | None = None


class Frame(Struct, Generic[T], array_like=True, forbid_unknown_fields=True, gc=False):
    """What every message of a channel is."""

    id: int
    payload: T
    channel: str
    pair: str


class Ticker(Struct, gc=False):
    """What of a `ticker` we use: price, whole lots, size. A side that is empty has price and size 0."""

    a: tuple[Size, Any, Size]
    b: tuple[Size, Any, Size]


class Execution(Struct, array_like=True, gc=False):
    """What of one of the trades in a `trade` we use."""

    price: Price
    size: Size
    time: str
    side: Literal["b", "s"]  # of the taker's order


@attrs.frozen(eq=False)
class Stream:
    """What was subscribed to: one channel of one pair."""

    feed: str
    instrument: Instrument
    kind: EventKind
    channel: str
    pair: str


def _told_book(stream: Stream, part: Part, received_ns: int) -> tuple[BookUpdate, ...]:
    asks, bids, snapshot = part.a, part.b, False
    if part.all_asks is not None and part.all_bids is not None:
        asks, bids, snapshot = part.all_asks, part.all_bids, True
    checksum = None if part.c is None else int(part.c)
    if checksum is not None and checksum > MOST_CHECKSUM:
        raise ValueError(f"{checksum} is no checksum of 32 bits")
    ask_levels, ask_text, asks_ns = _levels(asks) if asks else NO_LEVELS
    bid_levels, bid_text, bids_ns = _levels(bids) if bids else NO_LEVELS
    return (
        BookUpdate(
            stream.feed, stream.instrument, bid_levels, ask_levels, snapshot, 0, 0, max(asks_ns, bids_ns), received_ns,
            False, (bid_text, ask_text), checksum,
        ),
    )  # fmt: skip


_Side = tuple[tuple[Level, ...], tuple[TextLevel, ...], int]  # levels, their text, the latest time
NO_LEVELS: _Side = ((), (), 0)


def _levels(rows: Sequence[Row]) -> _Side:
    """What `rows` of digits and dots tell. Raises `ValueError`."""
    levels = tuple([(float(price), float(size)) for price, size, _ in rows])
    for price, size in levels:
        if not (0.0 < price <= MOST and size <= MOST):
            raise ValueError(f"there is no level of {size} at {price}")
    return levels, tuple([(price, size) for price, size, _ in rows]), max([time_ns(time) for _, _, time in rows])


def _told_quote(stream: Stream, ticker: Ticker, received_ns: int) -> tuple[Quote, ...]:
    bid, _, bid_size = ticker.b
    ask, _, ask_size = ticker.a
    return (Quote(stream.feed, stream.instrument, bid, bid_size, ask, ask_size, 0, 0, received_ns),)


def _told_trades(stream: Stream, executions: Sequence[Execution], received_ns: int) -> tuple[Trade, ...]:
    trades = list[Trade]()
    for each in executions:
        side, venue_ns = _BUY if each.side == "b" else _SELL, time_ns(each.time)
        trades.append(Trade(stream.feed, stream.instrument, each.price, each.size, side, 0, venue_ns, received_ns))
    return tuple(trades)


@attrs.frozen(eq=False)
class Kind:
    """One kind of channel: what decodes its messages, the events they stand for, and the usual shapes of them."""

    whole: Callable[[bytes], Frame[Any]]
    told: Callable[[Stream, Any, int], tuple[Event, ...]]
    shapes: tuple[bytes, ...]


# What a usual message holds, without its digits and dots, and with as many levels as may be for one. What has such a
# shape has no key twice, and no number that is none: 0.3 us to know, where a closer look takes 10.
_ROWS = b'[["","",""]]'
_CHANGES = (b'{"a":@,"c":""}', b'{"b":@,"c":""}', b'{"a":@},{"b":@,"c":""}', b'{"as":@,"bs":@}')
_BOOKS = tuple(each.replace(b"@", _ROWS) for each in _CHANGES)
_TICKER = b'{"a":["",,""],"b":["",,""],"c":["",""],"v":["",""],"p":["",""],"t":[,],"l":["",""],"h":["",""],"o":["",""]}'
_TRADES = tuple(f'[["","","","{side}","{order}",""]]'.encode() for side in "bs" for order in "lm")

KINDS = {
    EventKind.TRADE: Kind(decoder(Frame[list[Execution]]), _told_trades, _TRADES),
    EventKind.QUOTE: Kind(decoder(Frame[Ticker]), _told_quote, (_TICKER,)),
    EventKind.BOOK: Kind(decoder(Frame[Part]), _told_book, _BOOKS),
}


def _shape(data: bytes) -> bytes:
    return data.translate(None, b"0123456789.").replace(b'["","",""],', b"")


def _plain(data: bytes) -> bytes:
    """`data` without the "r" of levels that are told again."""
    return data.replace(b'","r"]', b'"]') if b'"r"]' in data and not data.endswith(b'"r"]') else data


def _checked(objects: Iterable[Any]) -> Part:
    """What a book's message holds, whatever it looks like. Raises `ValueError`."""
    merged = dict[str, Any]()
    for each in objects:
        if not isinstance(each, dict) or merged.keys() & each.keys():
            raise ValueError("it holds something that is no levels, or a side twice")
        merged |= each
    if len(merged.keys() & {"as", "bs"}) != (0 if merged.keys() & {"a", "b"} else 2):
        raise ValueError("it is neither a snapshot nor changes")
    known = {key: _rows(merged[key]) for key in ("a", "b", "as", "bs") if key in merged}
    part = msgspec.convert(known | {"c": merged.get("c")}, Part)
    for text in [part.c or "", *(text for side in known.values() for row in side for text in row)]:
        if not _DIGITS.fullmatch(text):
            raise ValueError(f"{text[:64]!r} is no number")
    return part


def _rows(side: Any) -> list[Any]:
    return [row[:3] if isinstance(row, list) and row[3:] == ["r"] else row for row in msgspec.convert(side, list[Any])]


# --- the feed ------------------------------------------------------------------------------------------------------


class KrakenFeed(Feed):
    """`depth` is how many levels a side its books have.

    Raises `UnknownKind` for topics of a kind that there is no channel of, and `BadDepth`.
    """

    # Something comes each second. The exchange advises to give a connection up after 5 s of silence: twice this.
    heartbeat_s: ClassVar = 2.5

    def __init__(self, source: Source, url: str = URL, rest_url: str = REST_URL, depth: int = 1_000) -> None:
        super().__init__(source, url)
        if depth not in DEPTHS:
            raise BadDepth(source.name, depth)
        for topic in source.topics:
            if topic.kind not in (*KINDS, EventKind.STATUS):
                raise UnknownKind(source.name, topic.kind, KINDS)
        self._rest_url, self._depth = rest_url, depth
        self._channels = {EventKind.TRADE: "trade", EventKind.QUOTE: "ticker", EventKind.BOOK: f"book-{depth}"}
        self._streams: dict[tuple[str, str], Stream] = {}
        self._usual: dict[bytes, Stream] = {}
        self._traded = True

    def opened(self) -> None:
        self._streams.clear()
        self._usual.clear()
        for topic in self.topics:
            if topic.kind in KINDS:
                kind, instrument = EventKind(topic.kind), self.instruments[topic.instrument]
                stream = Stream(self.name, instrument, kind, self._channels[kind], symbol_of(topic.instrument))
                self._streams[stream.channel, stream.pair] = stream
                ending = _shape(f',"{stream.channel}","{stream.pair}"]'.encode())
                self._usual.update({b"[," + each + ending: stream for each in KINDS[kind].shapes})

    def symbol(self, instrument: Instrument) -> str:
        return symbol_of(instrument.name)

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        pairs: dict[EventKind, list[str]] = {}
        for topic in dict.fromkeys(topics):
            if topic.kind in KINDS:
                pairs.setdefault(EventKind(topic.kind), []).append(symbol_of(topic.instrument))
        return [
            self._request("subscribe", kind, names[start : start + MOST_PAIRS])
            for kind, names in pairs.items()
            for start in range(0, len(names), MOST_PAIRS)
        ]

    def resubscribe_frames(self, instrument: Instrument) -> Iterable[bytes]:
        pairs = [symbol_of(instrument.name)]
        return (
            self._request("unsubscribe", EventKind.BOOK, pairs, reqid=OURS),
            self._request("subscribe", EventKind.BOOK, pairs),
        )

    def beat(self) -> bytes:
        return b"" if self._streams else PING

    def _request(self, event: str, kind: EventKind, pairs: list[str], **more: int) -> bytes:
        name, _, depth = self._channels[kind].partition("-")
        subscription = {"name": name, "depth": int(depth)} if depth else {"name": name}
        return msgspec.json.encode({"event": event, "pair": pairs, "subscription": subscription, **more})

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        events = self.decode_read((frame,), received_ns)
        return self._look_closer(bytes(frame), received_ns) if events is None else events

    def decode_read(self, frames: Sequence[memoryview | bytes], received_ns: int) -> Sequence[Event] | None:
        """Messages of the usual shapes."""
        events = list[Event]()
        try:
            for frame in frames:
                plain = _plain(frame if type(frame) is bytes else bytes(frame))
                stream = self._usual.get(_shape(plain))
                if stream is None:
                    return None
                kind = KINDS[stream.kind]
                message = kind.whole(plain.replace(b"},{", b","))  # asks and bids as one object
                if message.pair != stream.pair or message.channel != stream.channel:
                    return None
                events += kind.told(stream, message.payload, received_ns)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            return None
        return events

    def _look_closer(self, data: bytes, received_ns: int) -> Decoded:
        """What is not the usual message: an answer, one with keys that are new to us, or a bad one."""
        try:
            match parsed(data):
                case [int(), *payload, str(channel), str(pair)]:
                    return self._told(self._stream(channel, pair, data), payload, data, received_ns)
                case {"event": "heartbeat" | "pong"}:
                    return ()
                case {"event": "subscriptionStatus", "status": "subscribed"}:
                    return (Acknowledged(),)
                case {"event": "subscriptionStatus", "status": "unsubscribed", "reqid": _}:
                    return ()
                case {"event": "subscriptionStatus", "status": "unsubscribed", "pair": pair}:
                    raise Refused(self.name, f"it tells no more of {str(pair)[:64]}")
                case {"event": "systemStatus", "status": str(status)}:
                    told = self._system_status(status, received_ns)
                    return told if self._streams else (Acknowledged(), *told)
                case {"errorMessage": why, **rest} | {"Error": why, **rest}:
                    raise Refused(self.name, f"{str(why)[:200]} ({str(rest.get('pair', 'no pair told'))[:64]})")
                case _:
                    raise ValueError("it is neither data nor an answer")
        except (ValueError, RecursionError) as error:
            raise BadMessage(self.name, str(error), data) from None

    def _stream(self, channel: str, pair: str, data: bytes) -> Stream:
        stream = self._streams.get((channel, pair))
        if stream is None:
            raise NotAsked(self.name, f"{channel[:64]!r} of {pair[:64]!r}", data)
        return stream

    def _told(self, stream: Stream, payload: list[Any], data: bytes, received_ns: int) -> Iterable[Event]:
        if stream.kind is EventKind.BOOK:
            return _told_book(stream, _checked(payload), received_ns)
        kind = KINDS[stream.kind]
        return kind.told(stream, kind.whole(data).payload, received_ns)

    def _system_status(self, status: str, received_ns: int) -> tuple[InstrumentStatus, ...]:
        """What changes for all instruments."""
        traded = status in TRADED
        if traded is self._traded:
            return ()
        self._traded = traded
        log.warning("%s: the exchange is %s", self.name, status[:64])
        return tuple(
            InstrumentStatus(self.name, each, each.status if traded else TradingStatus.HALTED, 0, received_ns)
            for each in self.instruments.values()
        )

    def new_book(self, instrument: Instrument) -> OrderBook:
        return OrderBook(text=True, depth=self._depth)

    def checksum(self, book: OrderBook) -> int:
        """CRC32 over the ten best asks, then the ten best bids: price and size without dot and leading zeros."""
        bids, asks = book.top_text(10)
        return zlib.crc32("".join([*map(_digits, asks), *map(_digits, bids)]).encode())

    async def definitions(self) -> Iterable[Instrument]:
        """All instruments there are."""
        answer = await self.rest(self._rest_url, LIMITS).get("/0/public/AssetPairs", {}, 1, AssetPairs)
        if answer.error:
            raise Refused(self.name, ", ".join(answer.error)[:200])
        pairs = [pair for pair in answer.result.values() if pair.wsname]
        return defined(pairs, {topic.instrument for topic in self.topics})


# Of the twenty levels that a checksum is over one or two are new: 2.5 us, where making them anew takes 5.6.
@lru_cache(16_384)
def _digits(level: TextLevel) -> str:
    price, size = level
    return price.replace(".", "").lstrip("0") + size.replace(".", "").lstrip("0")
