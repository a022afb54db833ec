"""The same recording, back-tested and rehearsed at the speed it was recorded at: the same data, decisions and fills.

The strategy here decides by what it is told alone, each instrument for itself, and by no clock: what docs/backtest.md
has under "What may differ from a rehearsal" cannot change that. A machine that stands still for longer than the market
of the first test keeps a price would change fills; then it is rehearsed once more.
"""

import gzip
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

import attrs

from ticktree.actors import DropOldest, Mailbox
from ticktree.backtesting.rows import History
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.feeds.exchanges.coinbase import CoinbaseFeed
from ticktree.feeds.exchanges.kraken import KrakenFeed
from ticktree.market import EventKind, Quote, Side, Topic, Trade, batch_rows
from ticktree.parts import App, FeedPart, RouterPart, VenuePart, strategy_part
from ticktree.rehearsal import Manner, rehearse
from ticktree.routing import Terms, TimeInForce, Timeout
from ticktree.routing.journal import read
from ticktree.strategies import Strategy

from .. import recordings
from .markets import backtested

IOC: Final = Terms(time_in_force=TimeInForce.IOC)
KINDS: Final = EventKind.QUOTE, EventKind.TRADE
EVERYTHING: Final = Mailbox(65_536, DropOldest(), batch_rows)  # nothing is conflated: how fast the machine is, is told
Told = dict[tuple[str, str, str], list[tuple[float, ...]]]
Decided = tuple[str, str, Side, str, str]
Filled = tuple[str, tuple[tuple[str, str], ...]]


class Counting(Strategy):
    """Of each instrument every third quote is bought at, or sold, in turn."""

    topics: ClassVar[tuple[str, ...]] = ("*/*/*",)

    def __init__(self, told: Told, every: int) -> None:
        self.told, self.nth = told, every
        self.quotes = Counter[str]()

    def on_quote(self, quote: Quote) -> None:
        name = quote.instrument.name
        prices = quote.bid, quote.bid_size, quote.ask, quote.ask_size
        self.told.setdefault((quote.feed, name, "quote"), []).append(prices)
        self.quotes[name] += 1
        number = self.quotes[name]
        if number % self.nth or not 0 < quote.bid < quote.ask:
            return
        size = quote.instrument.size(max(1, round(20 / quote.ask / float(quote.instrument.size_increment))))
        if number // self.nth % 2:
            self.buy(quote.instrument, size, quote.ask, IOC)
        else:
            self.sell(quote.instrument, size, quote.bid, IOC)

    def on_trade(self, trade: Trade) -> None:
        key = trade.feed, trade.instrument.name, "trade"
        self.told.setdefault(key, []).append((trade.price, trade.size))


def application(told: Told, every: int, *feeds: FeedPart) -> App:
    """A strategy, a venue and a router for each feed."""
    strategies = tuple(
        attrs.evolve(
            strategy_part(Counting, router=feed.name, name=f"on_{feed.name}"), make=partial(Counting, told, every),
            topics=(Topic(feed.name, "*", EventKind.QUOTE), Topic(feed.name, "*", EventKind.TRADE)), mailbox=EVERYTHING,
        )
        for feed in feeds
    )  # fmt: skip
    return App(
        feeds=feeds, venues=tuple(VenuePart(f"at_{feed.name}", feed.name) for feed in feeds),
        routers=tuple(RouterPart(feed.name, Timeout(f"at_{feed.name}", deadline_s=5.0)) for feed in feeds),
        strategies=strategies,
    )  # fmt: skip


@attrs.frozen
class Seen:
    """What was told, decided and filled, each instrument and strategy by itself: what no clock is in."""

    told: Told
    decided: dict[str, list[Decided]]
    filled: dict[str, list[Filled]]


def seen(told: Told, orders: Any, fills: Any) -> Seen:
    decided, filled = dict[str, list[Decided]](), dict[str, list[Filled]]()
    for order in orders:
        terms = order.strategy, order.instrument, order.side, f"{order.quantity}", f"{order.limit}"
        of_it = tuple((f"{fill.quantity}", f"{fill.price}") for fill in fills if fill.order_id == order.id)
        decided.setdefault(order.instrument, []).append(terms)
        filled.setdefault(order.instrument, []).append((order.state, of_it))
    return Seen(told, decided, filled)


def played(folder: Path, every: int, *feeds: FeedPart) -> Seen:
    told: Told = {}
    outcome = backtested(application(told, every, *feeds), folder, align=True)
    assert outcome.incomplete == ""
    return seen(told, outcome.orders, outcome.fills)


def rehearsed(folder: Path, journal: Path, every: int, *feeds: FeedPart) -> Seen:
    told: Told = {}
    report = rehearse(application(told, every, *feeds), folder, Manner(speed=1.0, journal=journal))
    assert report.exit_code == 0
    history = History.of(read(journal), {})
    return seen(told, history.orders(), history.fills)


# --- a fast market of our own ----------------------------------------------------------------------------------------

STEP_S: Final = 0.2  # as long a price stays, while sizes change all the time
SYMBOL: Final[dict[str, Any]] = {
    "symbol": "AAAUSDT", "status": "TRADING", "baseAsset": "AAA", "quoteAsset": "USDT", "baseAssetPrecision": 8,
    "quotePrecision": 8, "quoteAssetPrecision": 8,
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "100000", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "minNotional": "1", "applyToMarket": True, "avgPriceMins": 5},
    ],
}  # fmt: skip


def fast_market(path: Path, seconds: float = 1.0, per_s: int = 400) -> None:
    """A capture of Binance: quotes and trades of one symbol, a price that steps up and down."""
    lines: list[dict[str, Any]] = [
        {"t": 1_700_000_000.0, "kind": "http", "url": "https://api.binance.com/api/v3/exchangeInfo",
         "data": json.dumps({"symbols": [SYMBOL]})},
        {"t": 1_700_000_000.01, "kind": "connect", "conn": 1,
         "url": "wss://stream.binance.com:9443/stream?streams=aaausdt@bookTicker/aaausdt@aggTrade"},
    ]  # fmt: skip
    for number in range(round(seconds * per_s)):
        at_s = 0.02 + number / per_s
        price = 100 + round(at_s // STEP_S) * 7 % 5
        if number % 5 == 4:
            data = {"e": "aggTrade", "E": 1, "s": "AAAUSDT", "a": number, "p": f"{price}.5", "q": "1", "f": number,
                    "l": number, "T": 1_700_000_000_000, "m": bool(number % 2), "M": True}  # fmt: skip
            stream = "aaausdt@aggTrade"
        else:
            size = f"{50 + number % 7}"
            data = {"u": number + 1, "s": "AAAUSDT", "b": f"{price}.0", "B": size, "a": f"{price + 1}.0", "A": size}
            stream = "aaausdt@bookTicker"
        text = json.dumps({"stream": stream, "data": data}, separators=(",", ":"))
        lines.append({"t": 1_700_000_000 + at_s, "kind": "received", "conn": 1, "data": text})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_fast_market_is_the_same_back_tested_and_rehearsed(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    fast_market(folder / "binance.jsonl")
    feed = FeedPart("binance", BinanceFeed, ("AAA-USDT",), KINDS, type="binance")
    here = played(folder, 40, feed)
    fills = list[dict[str, list[Filled]]]()
    while here.filled not in fills and len(fills) < 3:
        there = rehearsed(folder, tmp_path / f"{len(fills)}.journal", 40, feed)
        assert here.told == there.told
        assert here.decided == there.decided
        fills.append(there.filled)
    assert here.filled == fills[-1]
    assert [state for state, _ in here.filled["AAA-USDT"]] == ["filled"] * 8
    assert len(here.told["binance", "AAA-USDT", "quote"]) == 320


# --- three exchanges, as they were -----------------------------------------------------------------------------------

SECONDS: Final = 2.4  # then each of them has told something
EXCHANGES: Final = {
    "binance": FeedPart("binance", BinanceFeed, ("NKN-USDT",), KINDS, type="binance"),
    "coinbase": FeedPart("coinbase", CoinbaseFeed, ("SKL-USD", "CRV-EUR", "YFI-BTC"), KINDS, type="coinbase"),
    "kraken": FeedPart("kraken", KrakenFeed, ("XMR-USD", "ADA-BTC", "ETH-CHF", "SC-EUR"), KINDS, type="kraken"),
}


def shortened(source: Path, folder: Path) -> None:
    """Its first seconds."""
    with gzip.open(source) as lines:
        found, first_s = list[bytes](), None
        for line in lines:
            at_s = json.loads(line)["t"]
            first_s = at_s if first_s is None else first_s
            if at_s - first_s > SECONDS:
                break
            found.append(line)
    (folder / source.name.removesuffix(".gz")).write_bytes(b"".join(found))


def test_three_recorded_exchanges_tell_the_same_and_lead_to_the_same_decisions(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in EXCHANGES:
        shortened(recordings.path(name), folder)
    here = played(folder, 1, *EXCHANGES.values())
    there = rehearsed(folder, tmp_path / "journal", 1, *EXCHANGES.values())
    assert here.told == there.told
    assert here.decided == there.decided
    assert sum(map(len, here.decided.values())) >= 5
