"""Our own feeds pass the conformance kit."""

import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from ticktree.feeds import Feed, RecordFeed, Source, WireFeed
from ticktree.feeds.dialect import DialectFeed
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.feeds.exchanges.coinbase import CoinbaseFeed
from ticktree.feeds.exchanges.kraken import KrakenFeed
from ticktree.feeds.testing import BookFact, FeedConformance, QuoteFact, TradeFact, UpdateFact
from ticktree.feeds.testing.facts import TextLevels
from ticktree.market import BookUpdate, Data, Instrument, Level, Quote, Side, Trade, dialect, messages, wire
from ticktree.market.ticks import encoded

# --- Binance: numbered streams, the subscription in the address, snapshots and definitions asked for ------------------


class TestBinance(FeedConformance):
    def make(self, source: Source, url: str, rest_url: str) -> Feed:
        return BinanceFeed(source, url, rest_url)

    def rest(self, path: str, query: Mapping[str, str], book: BookFact) -> bytes | None:
        if path == "/api/v3/depth":
            return json.dumps({"lastUpdateId": book.number, "bids": book.bids, "asks": book.asks}).encode()
        filters = [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "stepSize": "0.0001"},
        ]
        symbol = {
            "symbol": "BTCUSDT",
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "filters": filters,
        }
        return json.dumps({"symbols": [symbol]}).encode()

    def trade(self, trade: TradeFact) -> bytes:
        data = {
            "e": "aggTrade", "E": trade.time_ms, "s": symbol(trade.instrument), "a": trade.number, "p": trade.price,
            "q": trade.size, "f": 1, "l": 2, "T": trade.time_ms, "m": trade.aggressor is Side.SELL, "M": True,
        }  # fmt: skip
        return streamed(trade.instrument, "aggTrade", data)

    def quote(self, quote: QuoteFact) -> bytes:
        data = {
            "u": quote.number, "s": symbol(quote.instrument), "b": quote.bid, "B": quote.bid_size, "a": quote.ask,
            "A": quote.ask_size,
        }  # fmt: skip
        return streamed(quote.instrument, "bookTicker", data)

    def update(self, update: UpdateFact) -> bytes:
        data = {
            "e": "depthUpdate", "E": update.time_ms, "s": symbol(update.instrument), "U": update.number,
            "u": update.number, "b": update.bids, "a": update.asks,
        }  # fmt: skip
        return streamed(update.instrument, "depth@100ms", data)

    def refusal(self) -> bytes:
        return b'{"error":{"code":2,"msg":"Invalid request"},"id":1}'


def symbol(instrument: Instrument) -> str:
    return instrument.name.replace("-", "")


def streamed(instrument: Instrument, stream: str, data: Any) -> bytes:
    return compact({"stream": f"{symbol(instrument).lower()}@{stream}", "data": data})


def compact(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


# --- Coinbase: books in-band and unnumbered, trades numbered --------------------------------------------------------


class TestCoinbase(FeedConformance):
    def make(self, source: Source, url: str, rest_url: str) -> Feed:
        return CoinbaseFeed(source, url, rest_url)

    def heard(self, message: bytes, book: BookFact) -> Iterable[bytes]:
        asked = json.loads(message)
        yield compact({"type": "subscriptions", "channels": asked["channels"]})
        if asked["type"] == "subscribe":
            yield self.snapshot(book)

    def rest(self, path: str, query: Mapping[str, str], book: BookFact) -> bytes | None:
        currencies = {"base_currency": "BTC", "quote_currency": "USDT"}
        increments = {"quote_increment": "0.01", "base_increment": "0.0001"}
        return compact([{"id": "BTC-USDT", "status": "online", **currencies, **increments}])

    def trade(self, trade: TradeFact) -> bytes:
        side = "sell" if trade.aggressor is Side.BUY else "buy"  # the maker's
        return compact(
            {
                "type": "match", "trade_id": trade.number, "maker_order_id": "m", "taker_order_id": "t", "side": side,
                "size": trade.size, "price": trade.price, "product_id": trade.instrument.name,
                "sequence": 10 * trade.number, "time": at(trade.time_ms),
            }
        )  # fmt: skip

    def quote(self, quote: QuoteFact) -> bytes:
        return compact(
            {
                "type": "ticker", "sequence": quote.number, "product_id": quote.instrument.name, "price": quote.bid,
                "best_bid": quote.bid, "best_bid_size": quote.bid_size, "best_ask": quote.ask,
                "best_ask_size": quote.ask_size, "time": at(quote.time_ms),
            }
        )  # fmt: skip

    def snapshot(self, book: BookFact) -> bytes:
        return compact({"type": "snapshot", "product_id": book.instrument.name, "asks": book.asks, "bids": book.bids})

    def update(self, update: UpdateFact) -> bytes:
        changes = [("buy", *level) for level in update.bids] + [("sell", *level) for level in update.asks]
        what = {"type": "l2update", "product_id": update.instrument.name}
        return compact({**what, "changes": changes, "time": at(update.time_ms)})

    def refusal(self) -> bytes:
        return b'{"type":"error","message":"Failed to subscribe","reason":"NOPE is not a valid product"}'


def at(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# --- Kraken: books in-band, with a checksum ---------------------------------------------------------------------------


class TestKraken(FeedConformance):
    def make(self, source: Source, url: str, rest_url: str) -> Feed:
        return KrakenFeed(source, url, rest_url)

    def opened(self, book: BookFact) -> Iterable[bytes]:
        yield b'{"connectionID":1,"event":"systemStatus","status":"online","version":"1.8.2"}'

    def heard(self, message: bytes, book: BookFact) -> Iterable[bytes]:
        asked = json.loads(message)
        subscription = asked["subscription"]
        status = {"channelID": 1, "event": "subscriptionStatus", "status": f"{asked['event']}d", "pair": "XBT/USDT"}
        yield compact(
            {**status, **{key: asked[key] for key in ("reqid",) if key in asked}, "subscription": subscription}
        )
        if asked["event"] == "subscribe" and subscription["name"] == "book":
            yield self.snapshot(book)

    def rest(self, path: str, query: Mapping[str, str], book: BookFact) -> bytes | None:
        pair = {"wsname": "XBT/USDT", "pair_decimals": 2, "lot_decimals": 4, "status": "online"}
        return compact({"error": [], "result": {"XBTUSDT": pair}})

    def trade(self, trade: TradeFact) -> bytes:
        row = [trade.price, trade.size, seconds(trade.time_ms), trade.aggressor.name[0].lower(), "l", ""]
        return compact([1, [row], "trade", pair_of(trade.instrument)])

    def quote(self, quote: QuoteFact) -> bytes:
        best = {"a": [quote.ask, 1, quote.ask_size], "b": [quote.bid, 1, quote.bid_size]}
        rest = {"c": ["1", "1"], "v": ["1", "1"], "p": ["1", "1"], "t": [1, 1], "l": ["1", "1"], "h": ["1", "1"]}
        return compact([1, {**best, **rest, "o": ["1", "1"]}, "ticker", pair_of(quote.instrument)])

    def snapshot(self, book: BookFact) -> bytes:
        sides = {"as": rows(book.asks, book.time_ms), "bs": rows(book.bids, book.time_ms)}
        return compact([1, sides, "book-1000", pair_of(book.instrument)])

    def update(self, update: UpdateFact) -> bytes:
        asks, bids = rows(update.asks, update.time_ms), rows(update.bids, update.time_ms)
        text = "".join(digits(*level) for side in (update.book.asks, update.book.bids) for level in side[:10])
        checksum = str(zlib.crc32(text.encode()))
        return compact([1, {"a": asks}, {"b": bids, "c": checksum}, "book-1000", pair_of(update.instrument)])

    def refusal(self) -> bytes:
        status = {"event": "subscriptionStatus", "status": "error", "pair": "XBT/NOPE"}
        return compact({**status, "errorMessage": "Currency pair not supported XBT/NOPE"})


def pair_of(instrument: Instrument) -> str:
    return instrument.name.replace("BTC", "XBT").replace("-", "/")


def rows(levels: TextLevels, time_ms: int) -> list[tuple[str, str, str]]:
    return [(price, size, seconds(time_ms)) for price, size in levels]


def digits(price: str, size: str) -> str:
    return price.replace(".", "").lstrip("0") + size.replace(".", "").lstrip("0")


def seconds(time_ms: int) -> str:
    return f"{time_ms / 1_000:.6f}"


# --- our own protocols: books come in-band, to who subscribes ---------------------------------------------------------


def event(fact: TradeFact | QuoteFact | BookFact | UpdateFact) -> Data:
    what, time_ns = ("theirs", fact.instrument), fact.time_ms * 1_000_000
    match fact:
        case TradeFact():
            return Trade(*what, float(fact.price), float(fact.size), fact.aggressor, fact.number, time_ns, 0)
        case QuoteFact():
            prices = float(fact.bid), float(fact.bid_size), float(fact.ask), float(fact.ask_size)
            return Quote(*what, *prices, fact.number, time_ns, 0)
        case BookFact() | UpdateFact():
            whole = isinstance(fact, BookFact)
            return BookUpdate(*what, floats(fact.bids), floats(fact.asks), whole, fact.number, fact.number, time_ns, 0)


def floats(levels: TextLevels) -> tuple[Level, ...]:
    return tuple((float(price), float(size)) for price, size in levels)


class TestDialect(FeedConformance):
    any_finite: ClassVar[bool] = True

    def make(self, source: Source, url: str, rest_url: str) -> Feed:
        return DialectFeed(source, url)

    def opened(self, book: BookFact) -> Iterable[bytes]:
        yield dialect.encode(messages.Hello(feed="theirs"))
        yield dialect.encode(messages.Instruments((self.instrument,)))

    def heard(self, message: bytes, book: BookFact) -> Iterable[bytes]:
        said = dialect.decode(message)
        if isinstance(said, messages.Subscribe):
            yield dialect.encode(messages.Subscribed(said.topics))
            yield self.snapshot(book)

    def trade(self, trade: TradeFact) -> bytes:
        return dialect.encode(event(trade))

    def quote(self, quote: QuoteFact) -> bytes:
        return dialect.encode(event(quote))

    def snapshot(self, book: BookFact) -> bytes:
        return dialect.encode(event(book))

    def update(self, update: UpdateFact) -> bytes:
        return dialect.encode(event(update))

    def refusal(self) -> bytes:
        return dialect.encode(messages.Refused(messages.Refusal.TOPIC, "no such topic"))


class Ticks(FeedConformance):
    """What speaks in 64-byte records, in frames or bare."""

    scheme = "tcp"

    def rows(self, data: Data) -> bytes:
        raise NotImplementedError

    def trade(self, trade: TradeFact) -> bytes:
        return self.rows(event(trade))

    def quote(self, quote: QuoteFact) -> bytes:
        return self.rows(event(quote))

    def snapshot(self, book: BookFact) -> bytes:
        return self.rows(event(book))

    def update(self, update: UpdateFact) -> bytes:
        return self.rows(event(update))


class TestWire(Ticks):
    numbered: ClassVar[bool] = True
    _writer = wire.Writer()

    def make(self, source: Source, url: str, rest_url: str) -> Feed:
        return WireFeed(source, url)

    def opened(self, book: BookFact) -> Iterable[bytes]:
        self._writer = wire.Writer()
        yield self._writer.write(wire.Hello(feed="theirs"))
        yield self._writer.write(wire.Instruments((self.instrument,)))

    def heard(self, message: bytes, book: BookFact) -> Iterable[bytes]:
        if message[4] == wire.FrameKind.SUBSCRIBE:
            yield self._writer.write(wire.Subscribed(("feed/*/*",)))
            yield self.snapshot(book)

    def rows(self, data: Data) -> bytes:
        return self._writer.ticks(encoded([data]))

    def refusal(self) -> bytes:
        return self._writer.write(wire.Refused(wire.Refusal.TOPIC, "no such topic"))


class TestRecords(Ticks):
    def make(self, source: Source, url: str, rest_url: str) -> Feed:
        return RecordFeed(source, url, (self.instrument,))

    def opened(self, book: BookFact) -> Iterable[bytes]:
        yield self.snapshot(book)

    def rows(self, data: Data) -> bytes:
        return encoded([data]).tobytes()
