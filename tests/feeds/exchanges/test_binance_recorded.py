"""The feed against the exchange as it was recorded: books bridged, repaired and right."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Any

import attrs
import pytest
from aiohttp import web

from ticktree.actors import Backoff, ChildSpec, Supervisor, System
from ticktree.feeds import FeedAccount, Source
from ticktree.feeds.exchanges.binance import LIMITS, BinanceFeed
from ticktree.market import Batch, BookUpdate, FeedState, FeedStatus, Gap, Live, OrderBook, Quote, Stale, Topic, Trade

from ...probe import BOX, DEADLINE_S
from ..recorded import RecordedBinance

QUICK = Backoff(base_s=0.001, ceiling_s=0.01)
NAMES = {"NKNUSDT": "NKN-USDT", "BLZETH": "BLZ-ETH", "LRCBTC": "LRC-BTC", "RUNEEUR": "RUNE-EUR"}
ALL = tuple(f"binance/{name}/{kind}" for name in NAMES.values() for kind in ("trade", "quote", "book", "bar"))
BOOKS = tuple(f"binance/{name}/book" for name in NAMES.values())


class Collector:
    """A sink that keeps what it is handed, in order, and wakes whoever waits for something."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self._wake = asyncio.Event()

    def attach(self, port: object) -> None: ...

    def publish(self, batch: Batch) -> None:
        self.told.extend(batch.events)
        self._wake.set()

    def mark(self, mark: Any) -> None:
        self.told.append(mark)
        self._wake.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._wake.clear()
                await self._wake.wait()

    def of(self, *types: type) -> list[Any]:
        return [event for event in self.told if isinstance(event, types)]


@attrs.frozen
class Rig:
    exchange: RecordedBinance
    sink: Collector
    account: FeedAccount
    feeds: list[BinanceFeed]
    system: System

    def books(self) -> dict[str, tuple[dict[float, float], dict[float, float]]]:
        """What the feed holds for right, by symbol."""
        found = {update.instrument.name.replace("-", ""): update for update in self.feeds[-1].books()}
        return {symbol: (dict(update.bids), dict(update.asks)) for symbol, update in found.items()}

    def sequence(self, symbol: str) -> int:
        book = self.feeds[-1].book(NAMES[symbol])
        return -1 if book is None else book.sequence

    async def told_all(self) -> None:
        """Wait until every book that was subscribed to is where the exchange's is."""
        wanted = {topic.instrument for topic in self.feeds[-1].topics if topic.kind == "book"}
        ends = {symbol: self.exchange.book(symbol).last for symbol in NAMES if NAMES[symbol] in wanted}
        await self.sink.until(lambda: all(self.sequence(symbol) == end for symbol, end in ends.items()))

    def check_books(self, *symbols: str) -> None:
        books = self.books()
        for symbol in symbols or NAMES:
            assert books[symbol] == self.exchange.book(symbol).floats()

    async def skipped_to(self, now: int) -> None:
        """The exchange moves on, and nobody hears it."""
        await self.exchange.cut()
        self.exchange.now = now


@asynccontextmanager
async def running(*topics: str, now: int = 0, connected: bool = True) -> AsyncGenerator[Rig]:
    async with RecordedBinance() as exchange:
        exchange.now = now
        sink, account, feeds = Collector(), FeedAccount(), list[BinanceFeed]()
        wanted = tuple(map(Topic.parse, topics or ALL))
        source = Source("binance", wanted, sink, account=account, backoff=QUICK, random=Random(1))

        def feed() -> BinanceFeed:
            feeds.append(BinanceFeed(source, exchange.url, exchange.rest_url))
            return feeds[-1]

        async with System(Supervisor((ChildSpec("feed", feed, BOX),), intensity=3)) as system:
            if connected:
                await exchange.until(lambda: bool(exchange.clients))
            yield Rig(exchange, sink, account, feeds, system)
        await exchange.until(lambda: not exchange.clients)
        assert account.bytes_in == account.decoded + account.skipped


def questions(rig: Rig, symbol: str = "") -> int:
    return sum(f"/depth?symbol={symbol}" in asked for asked in rig.exchange.asked)


async def test_every_book_is_bridged_without_a_gap_and_ends_as_the_exchange_has_it() -> None:
    async with running() as rig:
        await rig.exchange.tell()
        await rig.told_all()
        rig.check_books()
        assert (rig.account.gaps, rig.account.crossed, rig.account.errors) == (0, 0, {})
        assert rig.account.skipped == 0
        await rig.sink.until(lambda: len(rig.sink.of(Quote, Trade)) == 84 + 2)
    assert {event.instrument.name for event in rig.sink.of(Live)} == set(NAMES.values())


async def test_changes_that_came_before_the_snapshot_wait_for_it() -> None:
    async with running(*BOOKS) as rig:
        rig.exchange.open.clear()
        rig.exchange.times.extend([20, 20, 20, 20])  # each snapshot lies within what waits
        await rig.exchange.tell()
        await rig.exchange.until(lambda: questions(rig) == 4)
        assert rig.sink.of(BookUpdate) == []
        rig.exchange.open.set()
        await rig.told_all()
        rig.check_books()
        assert (rig.account.gaps, rig.account.snapshots, rig.account.repairs) == (0, 4, 4)


async def test_a_snapshot_newer_than_all_that_came_makes_it_old() -> None:
    async with running("binance/NKN-USDT/book", connected=False) as rig:
        rig.exchange.times.append(200)
        await rig.exchange.until(lambda: bool(rig.exchange.clients))
        await rig.sink.until(lambda: rig.sequence("NKNUSDT") > 0)
        assert rig.sequence("NKNUSDT") == rig.exchange.book("NKNUSDT", 200).last
        await rig.exchange.tell()
        await rig.told_all()
        rig.check_books("NKNUSDT")
        assert rig.account.gaps == 0
        assert rig.account.duplicates > 50


async def test_a_snapshot_older_than_what_waits_is_asked_for_again() -> None:
    async with running("binance/NKN-USDT/book", now=60, connected=False) as rig:
        rig.exchange.open.clear()
        rig.exchange.times.extend([20, 30, 40])
        await rig.exchange.until(lambda: bool(rig.exchange.clients))
        await rig.exchange.tell(40)
        await rig.exchange.until(lambda: questions(rig) == 1)
        rig.exchange.open.set()
        await rig.told_all()
        rig.check_books("NKNUSDT")
        assert rig.account.gaps == 0
        assert rig.account.snapshots == 4
        assert rig.account.repairs == 1


async def test_what_is_told_of_a_book_leads_to_the_same_book() -> None:
    """Who has only the events, as strategies do, gets there, too."""
    async with running(*BOOKS) as rig:
        await rig.exchange.tell()
        await rig.told_all()
        sides: dict[str, tuple[dict[float, float], dict[float, float]]] = {}
        for update in rig.sink.of(BookUpdate):
            if update.snapshot:
                sides[update.instrument.name] = (dict(update.bids), dict(update.asks))
                continue
            for side, levels in zip(sides[update.instrument.name], (update.bids, update.asks), strict=True):
                side.update(levels)
                for price, size in levels:
                    if not size:
                        del side[price]
        assert {name.replace("-", ""): sides[name] for name in sides} == rig.books()
        rig.check_books()


async def test_the_top_of_the_book_is_what_the_exchange_says_it_is() -> None:
    """`bookTicker` tells every change of the top, with the number of the book's update that made it.

    So after the book's update `u` its top is what the last ticker up to `u` said: comparable from a symbol's first
    ticker on. Where the numbers are equal, both name the very same update.
    """
    async with running() as rig:
        await rig.sink.until(lambda: len(rig.sink.of(Live)) == len(NAMES))
        await rig.exchange.tell()
        await rig.told_all()
        await rig.sink.until(lambda: len(rig.sink.of(Quote)) == 84)
    compared = same = 0
    for name in NAMES.values():
        quotes = [event for event in rig.sink.of(Quote) if event.instrument.name == name]
        book = OrderBook()
        for update in rig.sink.of(BookUpdate):
            if update.instrument.name != name:
                continue
            book.apply(update)
            said = [quote for quote in quotes if quote.sequence <= update.sequence]
            if said:
                top = said[-1]
                assert (book.bid, book.ask) == ((top.bid, top.bid_size), (top.ask, top.ask_size))
                compared += 1
                same += top.sequence == update.sequence
    assert (compared, same) == (159, 26)


@pytest.mark.parametrize("messages", [1, 2, 30, 100, 200, 264])
async def test_books_are_right_again_after_a_connection_that_was_cut(messages: int) -> None:
    async with running() as rig:
        await rig.exchange.tell(messages)
        await rig.skipped_to(messages)
        await rig.exchange.until(lambda: bool(rig.exchange.clients))
        await rig.exchange.tell()
        await rig.told_all()
        rig.check_books()
        assert (rig.account.gaps, rig.account.connections) == (0, 2)


async def test_books_are_right_again_after_many_cuts_that_cost_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    generous = attrs.evolve(LIMITS, weight_a_minute=1_000_000)  # 52 snapshots take half a minute else
    monkeypatch.setattr("ticktree.feeds.exchanges.binance.LIMITS", generous)
    async with running() as rig:
        for now in range(20, 260, 20):
            await rig.exchange.tell(10)
            await rig.skipped_to(now)
            await rig.exchange.until(lambda: bool(rig.exchange.clients))
        await rig.exchange.tell()
        await rig.told_all()
        rig.check_books()
        assert rig.account.gaps == 0
        assert rig.account.connections == 13


async def test_messages_that_are_missing_are_a_gap_of_that_book_alone_and_it_is_repaired() -> None:
    async with running(*BOOKS) as rig:
        await rig.sink.until(lambda: len(rig.sink.of(Live)) == len(NAMES))
        missing = next(
            index
            for index, (message, _) in enumerate(rig.exchange.messages[50:], 50)
            if message["stream"] == "nknusdt@depth@100ms"
        )
        await rig.exchange.tell(missing)
        rig.exchange.now += 1
        await rig.exchange.tell()
        await rig.told_all()
        rig.check_books()
        assert rig.account.gaps == 1
    assert [mark.instrument.name for mark in rig.sink.of(Gap, Stale)] == ["NKN-USDT", "NKN-USDT"]
    assert [mark.instrument.name for mark in rig.sink.of(Live)][4:] == ["NKN-USDT"]


async def test_messages_that_come_twice_are_dropped_and_counted() -> None:
    async with running() as rig:
        await rig.sink.until(lambda: len(rig.sink.of(Live)) == len(NAMES))
        before = rig.exchange.book("NKNUSDT").last
        for _, text in rig.exchange.messages:
            await rig.exchange.say(text)
            await rig.exchange.say(text)
        rig.exchange.now = len(rig.exchange.messages)
        await rig.told_all()
        await rig.sink.until(lambda: len(rig.sink.of(Quote, Trade)) == 84 + 2)
        rig.check_books()
        assert rig.account.gaps == 0
        assert rig.account.duplicates >= 84 + 2 + 177
        assert before < rig.exchange.book("NKNUSDT").last


async def test_a_bad_message_costs_itself_alone() -> None:
    async with running() as rig:
        await rig.exchange.tell(100)
        await rig.exchange.say('{"stream":"nknusdt@aggTrade","data":{"p":"nan"}}')
        await rig.exchange.say("[" * 5_000)
        await rig.exchange.tell()
        await rig.told_all()
        rig.check_books()
        assert rig.account.errors == {"BadMessage": 2}
        assert (rig.account.gaps, rig.account.connections) == (0, 1)
        assert rig.account.skipped == 48 + 5_000


async def test_a_snapshot_that_is_refused_is_asked_for_again() -> None:
    refusals = [
        web.Response(status=500, text="sorry"),
        web.Response(text="{"),
        web.Response(text='{"lastUpdateId":-1}'),
    ]
    async with running("binance/NKN-USDT/book", connected=False) as rig:

        async def depth(request: web.Request) -> web.StreamResponse:
            return refusals.pop() if refusals else await rig.exchange.depth(request)

        rig.exchange.answers["/api/v3/depth"] = depth
        await rig.exchange.until(lambda: bool(rig.exchange.clients))
        await rig.exchange.tell()
        await rig.told_all()
        rig.check_books("NKNUSDT")
        assert rig.account.errors == {"BadAnswer": 2, "RestRefused": 1}


async def test_definitions_are_asked_for_by_name_and_once() -> None:
    async with running("binance/NKN-USDT/book", "binance/NKN-USDT/trade") as rig:
        await rig.skipped_to(10)
        await rig.exchange.until(lambda: bool(rig.exchange.clients))
        feed = rig.feeds[0]
        assert [each.name for each in feed.instruments.values()] == ["NKN-USDT"]
        assert feed.instruments["NKN-USDT"].price_increment == Decimal("0.0001")
    assert [asked for asked in rig.exchange.asked if "exchangeInfo" in asked] == [
        "/api/v3/exchangeInfo?symbols=%5B%22NKNUSDT%22%5D"
    ]


async def test_an_instrument_that_is_not_listed_ends_the_feed_with_names_near_it() -> None:
    async with running("binance/NKN-USDX/book", connected=False) as rig:
        # Each life asks for it by name and then for all, so the third question is the next life's.
        await rig.exchange.until(lambda: sum("exchangeInfo" in asked for asked in rig.exchange.asked) >= 3)
        why = rig.system.snapshot().actors()[0].history[0]
        assert "NKN-USDX" in why
        assert "NKN-USDT" in why


async def test_streams_that_the_address_cannot_hold_come_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticktree.feeds.exchanges.binance.MOST_ADDRESS", 120)
    async with running() as rig:
        await rig.exchange.until(lambda: bool(rig.exchange.requests))
        assert rig.exchange.requests[0]["method"] == "SUBSCRIBE"
        await rig.sink.until(lambda: bool(rig.sink.of(FeedStatus)))  # by the acknowledgement alone
        assert rig.sink.of(FeedStatus)[0].state is FeedState.LIVE
        await rig.exchange.tell()
        await rig.told_all()
        rig.check_books()
        await rig.sink.until(lambda: len(rig.sink.of(Quote, Trade)) == 84 + 2)
