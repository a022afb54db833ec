"""Coinbase Exchange: channels of trades, best prices at each trade, whole books and their changes; definitions by HTTP.

Everything is public, no key is needed. Source: https://docs.cdp.coinbase.com/exchange, "WebSocket Feed" (overview,
channels, authentication, best practices, errors, rate limits), "REST API" (rate limits, "Get all known trading pairs")
and its changelog where that is named.

    topic   channel        messages             event        sequence                  rule
    trade   matches        match                Trade        trade_id                  PLUS_ONE
    quote   ticker         ticker               Quote        of the product's stream   MONOTONIC
    book    level2_batch   snapshot, l2update   BookUpdate   none                      NONE; a snapshot is subscribed to

trade   A product's trades are numbered without holes (so they are in recordings, and `heartbeat` tells the last number
        so that clients can see what they missed): a hole is a gap. `last_match`, the trade before the subscription,
        which each connection tells again, is no event, and does not begin the numbering either: were that trade told
        as a `match` too, it would count as a duplicate.
quote   Told at each trade, not at each change of the best prices: who needs those takes the book. In 2021 it had no
        sizes: they are 0.0 then. The numbers are those of all that happens to a product, so that most are never told.
book    All levels there are, unbounded. The exchange promises that no update is lost, and neither numbers nor
        checksums could tell: a crossed book is flagged, not repaired. Snapshots have a `venue_time_ns` of 0.

`level2` needs an authenticated connection (changelog, 2023-08-01), `level2_batch` does not: the same messages, gathered
over 0.05 s. `level2=` names the channel, for recordings and for addresses where that is taken care of.

One message subscribes to everything, within the 5 s after which the exchange hangs up; one `subscriptions` acknowledges
it. It takes 10 messages a second, and 10 subscriptions to one channel of one product from one account. `status` is not
subscribed to, nor `heartbeat`, for pings tell whether the connection stands; unless there is nothing else to subscribe
to. New types of messages may come at any time, and are to be ignored: `on_bad="skip"` does, and counts them.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from ticktree.market import (
    BadInstrument,
    BookUpdate,
    Event,
    EventKind,
    Instrument,
    Level,
    Quote,
    Side,
    Topic,
    Trade,
    TradingStatus,
)

from ..errors import BadMessage, NotAsked, Refused, UnknownKind
from ..feed import Acknowledged, Decoded, Feed
from ..rest import RestLimits
from ..sequence import SequenceRule
from ..source import Source
from .listing import defined
from .texts import Levels, Price, Size, Whole, decoder, parsed

URL = "wss://ws-feed.exchange.coinbase.com"
REST_URL = "https://api.exchange.coinbase.com"

# 10 questions a second and 15 at once; a tenth of a minute's may come at once, and one is all that we ask.
LIMITS = RestLimits(weight_a_minute=150)


# --- times ---------------------------------------------------------------------------------------------------------

_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_NS = 9_000_000_000_000_000_000  # they fit 64 bits
_NS_OF_DIGITS: list[int] = [10 ** (9 - digits) for digits in range(10)]


def time_ns(text: str) -> int:
    """`2021-04-17T16:43:37.075687Z`, with up to nine decimals or none, as nanoseconds since 1970. Raises `ValueError`.

    Most messages come within a second that was read before.
    """
    second_ns, digits = _second_ns(text[:19]), text[20:-1]
    if digits.isdigit() and text[19] == "." and text[-1] == "Z" and len(digits) <= 9 and digits.isascii():
        return second_ns + int(digits) * _NS_OF_DIGITS[len(digits)]
    if text[19:] != "Z":
        raise ValueError(f"{text[:64]!r} is no time in UTC")
    return second_ns


@lru_cache(256)
def _second_ns(text: str) -> int:
    if not _SECOND.fullmatch(text):
        raise ValueError(f"{text!r} is no date and time")
    seconds = (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
    if not 0 <= seconds * 1_000_000_000 < _LAST_NS:
        raise ValueError(f"{text!r} is before 1970 or after 2255")
    return seconds * 1_000_000_000


# --- messages ------------------------------------------------------------------------------------------------------

_BUY, _SELL = Side.BUY, Side.SELL  # members of an enum cost 30 ns to look up on CPython 3.11

BuyOrSell = Literal["buy", "sell"]


class Match(Struct, gc=False):
    """What of a `match` we use; of a `last_match` as well."""

    kind: ClassVar = EventKind.TRADE

    type: Literal["match", "last_match"]
    trade_id: Whole
    side: BuyOrSell  # of the maker's order: who took is on the other one
    size: Size
    price: Price
    product_id: str
    time: str

    def event(self, feed: str, instrument: Instrument, received_ns: int) -> Trade | None:
        """The event it stands for; None for the trade before the subscription."""
        venue_ns = time_ns(self.time)
        if self.type == "last_match":
            return None
        side = _SELL if self.side == "buy" else _BUY
        return Trade(feed, instrument, self.price, self.size, side, self.trade_id, venue_ns, received_ns)


class WholeMatch(Match, gc=False):
    """All of it."""

    maker_order_id: str
    taker_order_id: str
    sequence: int


class Ticker(Struct, gc=False, kw_only=True):
    """What of a `ticker` we use."""

    kind: ClassVar = EventKind.QUOTE

    type: Literal["ticker"]
    sequence: Whole
    product_id: str
    best_bid: Size  # a side that is empty has price and size 0
    best_bid_size: Size = 0.0
    best_ask: Size
    best_ask_size: Size = 0.0
    time: str

    def event(self, feed: str, instrument: Instrument, received_ns: int) -> Quote:
        """The event it stands for."""
        bid, ask = (self.best_bid, self.best_bid_size), (self.best_ask, self.best_ask_size)
        return Quote(feed, instrument, *bid, *ask, self.sequence, time_ns(self.time), received_ns)


class WholeTicker(Ticker, gc=False, kw_only=True):
    """All of it, in 2021."""

    price: str
    open_24h: str
    volume_24h: str
    low_24h: str
    high_24h: str
    volume_30d: str
    side: str
    trade_id: int
    last_size: str


class SizedTicker(WholeTicker, gc=False, kw_only=True):
    """All of it, since: what may go elsewhere must be there."""

    best_bid_size: Size  # pyright: ignore[reportGeneralTypeIssues]  # it minds the order, which keywords do not have
    best_ask_size: Size  # pyright: ignore[reportGeneralTypeIssues]  # as above


class L2Update(Struct, gc=False):
    """An `l2update`, all of it: levels that changed, one after the other; a level may come twice."""

    kind: ClassVar = EventKind.BOOK

    type: Literal["l2update"]
    product_id: str
    changes: list[tuple[BuyOrSell, Price, Size]]
    time: str

    def event(self, feed: str, instrument: Instrument, received_ns: int) -> BookUpdate:
        """The event it stands for. No change of one side bears upon the other, so that each keeps its own order."""
        bids, asks = list[Level](), list[Level]()
        for side, price, size in self.changes:  # a third of what two comprehensions take for one change, half for 20
            (bids if side == "buy" else asks).append((price, size))
        venue_ns = time_ns(self.time)
        return BookUpdate(feed, instrument, tuple(bids), tuple(asks), False, 0, 0, venue_ns, received_ns)


class Snapshot(Struct, gc=False):
    """What of a `snapshot` we use: all levels of a book."""

    kind: ClassVar = EventKind.BOOK

    type: Literal["snapshot"]
    product_id: str
    asks: Levels
    bids: Levels

    def event(self, feed: str, instrument: Instrument, received_ns: int) -> BookUpdate:
        """The event it stands for."""
        return BookUpdate(feed, instrument, self.bids, self.asks, True, 0, 0, 0, received_ns)


class TimedSnapshot(Snapshot, gc=False):
    """One with a time, which is nowhere said to be the book's."""

    time: Annotated[str, Meta(pattern="^[^:]*:[^:]*:[^:]*$")]


Message = Match | Ticker | L2Update | Snapshot

# Messages that have at least the keys we need, by type.
_NEEDED: dict[str, Callable[[bytes], Message]] = {
    "match": decoder(Match),
    "last_match": decoder(Match),
    "ticker": decoder(Ticker),
    "l2update": decoder(L2Update),
    "snapshot": decoder(Snapshot),
}


def _colons(message: type[Struct]) -> int:
    names = [field.name for field in msgspec.structs.fields(message) if field.required]
    return len(names) + 2 * ("time" in names)


# Messages of exactly the keys we know, by the number of colons. Each key has one, and a time two: where there are no
# more colons than that, no key came twice. msgspec alone takes the last of two, silently.
_BY_COLONS: dict[int, Callable[[bytes], Message]] = {
    _colons(whole): decoder(whole)
    for whole in (WholeMatch, WholeTicker, SizedTicker, L2Update, Snapshot, TimedSnapshot)
}


# --- definitions ---------------------------------------------------------------------------------------------------


class Listed(Struct):
    """A product as /products lists it."""

    id: str
    base_currency: str
    quote_currency: str
    quote_increment: Decimal
    base_increment: Decimal
    status: str
    min_market_funds: Decimal = Decimal(0)  # for limit orders too, since 2022
    trading_disabled: bool = False
    cancel_only: bool = False
    post_only: bool = False  # then nothing is matched
    auction_mode: bool = False

    @property
    def name(self) -> str:
        """As we write it."""
        return f"{self.base_currency}-{self.quote_currency}"

    def instrument(self) -> Instrument:
        """What it defines. Raises `BadInstrument`."""
        if self.id != self.name:
            raise BadInstrument(
                f"{self.name}: the exchange calls it {self.id[:64]!r}, which its currencies do not tell"
            )
        increments = self.quote_increment, self.base_increment
        return Instrument(self.name, 0, *increments, self.min_market_funds, status=self._status())

    def _status(self) -> TradingStatus:
        if self.status in ("delisted", "internal"):
            return TradingStatus.CLOSED
        idle = self.trading_disabled or self.cancel_only or self.post_only or self.auction_mode
        return TradingStatus.HALTED if idle or self.status != "online" else TradingStatus.TRADING


# --- the feed ------------------------------------------------------------------------------------------------------


class CoinbaseFeed(Feed):
    """`level2`: the channel that tells books. Raises `UnknownKind` for topics of a kind that has no channel."""

    rules: ClassVar = {
        EventKind.TRADE: SequenceRule.PLUS_ONE,
        EventKind.QUOTE: SequenceRule.MONOTONIC,
        EventKind.BOOK: SequenceRule.NONE,
    }

    # Ours: what is idle is pinged. The exchange promises nothing on silent markets.
    heartbeat_s: ClassVar = 5.0
    pongs_suffice: ClassVar = True

    def __init__(self, source: Source, url: str = URL, rest_url: str = REST_URL, level2: str = "level2_batch") -> None:
        super().__init__(source, url)
        self._rest_url = rest_url
        self._channels = {EventKind.TRADE: "matches", EventKind.QUOTE: "ticker", EventKind.BOOK: level2}
        self._asked: dict[EventKind, dict[str, Instrument]] = {}
        for topic in source.topics:
            if topic.kind not in (*self._channels, EventKind.STATUS):
                raise UnknownKind(source.name, topic.kind, self._channels)

    def opened(self) -> None:
        names = self._names(self.topics)
        self._asked = {kind: {name: self.instruments[name] for name in names.get(kind, ())} for kind in EventKind}

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        wanted = self._names(topics)
        return (self._request("subscribe", wanted),) if wanted else ()

    def resubscribe_frames(self, instrument: Instrument) -> Iterable[bytes]:
        book = {EventKind.BOOK: [instrument.name]}
        return self._request("unsubscribe", book), self._request("subscribe", book)

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        events = self.decode_read((frame,), received_ns)
        return self._look_closer(bytes(frame), received_ns) if events is None else events

    def decode_read(self, frames: Sequence[memoryview | bytes], received_ns: int) -> Sequence[Event] | None:
        """Messages of exactly the keys we know."""
        events = list[Event]()
        try:
            for frame in frames:
                data = frame if type(frame) is bytes else bytes(frame)
                events += self._told(_BY_COLONS[data.count(b":")](data), received_ns)
        except (ValueError, LookupError, RecursionError):  # msgspec's errors are ValueErrors
            return None
        return events

    def _told(self, message: Message, received_ns: int) -> tuple[Event, ...]:
        instrument = self._asked[message.kind][message.product_id]
        event = message.event(self.source.name, instrument, received_ns)
        return () if event is None else (event,)

    def _look_closer(self, data: bytes, received_ns: int) -> Decoded:
        """What is not the usual message: an answer, one with keys that are new to us, or a bad one."""
        try:
            match parsed(data):
                case {"type": "subscriptions", "channels": list()}:
                    return (Acknowledged(),)
                case {"type": "heartbeat", "product_id": str(name)} if name in self._asked[EventKind.STATUS]:
                    return ()
                case {"type": "error", "message": what, **rest}:
                    raise Refused(self.name, f"{str(what)[:200]} ({str(rest.get('reason', 'no reason told'))[:200]})")
                case {"type": str(type_)} if type_ in _NEEDED:
                    return self._told(_NEEDED[type_](data), received_ns)
                case _:
                    raise ValueError("it is neither data nor an answer")
        except LookupError as error:
            raise NotAsked(self.name, str(error)[:64], data) from None
        except (ValueError, RecursionError) as error:
            raise BadMessage(self.name, str(error), data) from None

    async def definitions(self) -> Iterable[Instrument]:
        """All instruments there are."""
        listing = await self.rest(self._rest_url, LIMITS).get("/products", {}, 1, list[Listed])
        return defined(listing, {topic.instrument for topic in self.topics})

    def _names(self, topics: Iterable[Topic]) -> dict[EventKind, list[str]]:
        """The instruments to subscribe to, by kind; those of status, which has no channel, only if there are no others.

        The exchange hangs up on who subscribes to nothing.
        """
        names = dict[EventKind, list[str]]()
        for topic in dict.fromkeys(topics):
            names.setdefault(EventKind(topic.kind), []).append(topic.instrument)
        return {kind: names[kind] for kind in names if kind in self._channels} or names

    def _request(self, what: str, wanted: dict[EventKind, list[str]]) -> bytes:
        channels: list[Any] = [
            {"name": self._channels.get(kind, "heartbeat"), "product_ids": names} for kind, names in wanted.items()
        ]
        return msgspec.json.encode({"type": what, "channels": channels})
