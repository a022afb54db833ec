"""The feed against the exchange as it was recorded: books bridged, repaired and right."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random

import attrs
import pytest

from ticktree.actors import ChildSpec, Supervisor, System
from ticktree.feeds import FeedAccount, Source
from ticktree.feeds.exchanges.binance import LIMITS, BinanceFeed
from ticktree.feeds.playback import Cuts
from ticktree.market import BookUpdate, FeedState, FeedStatus, Gap, Live, OrderBook, Quote, Stale, Topic, Trade

from ...probe import BOX
from .by_hand import BinanceByHand
from .collector import QUICK, Collector, Sides, sides
from .playing import Wanted, playing

NAMES = {"NKNUSDT": "NKN-USDT", "BLZETH": "BLZ-ETH", "LRCBTC": "LRC-BTC", "RUNEEUR": "RUNE-EUR"}
ALL = tuple(f"binance/{name}/{kind}" for name in NAMES.values() for kind in ("trade", "quote", "book", "bar"))
WANTED = Wanted("binance", BinanceFeed, ALL, streams=len(ALL))
BOOKS = tuple(f"binance/{name}/book" for name in NAMES.values())


@attrs.frozen
class Rig:
    exchange: BinanceByHand
    sink: Collector
    account: FeedAccount
    feeds: list[BinanceFeed]
    system: System

    def books(self) -> dict[str, Sides]:
        """What the feed holds for right, by symbol."""
        return {update.instrument.name.replace("-", ""): sides(update) for update in self.feeds[-1].books()}

    def sequence(self, symbol: str) -> int:
        book = self.feeds[-1].book(NAMES[symbol])
        return -1 if book is None else book.sequence

    async def told_all(self) -> None:
        """Wait until every book that was subscribed to is where the exchange's is."""
        wanted = {topic.instrument for topic in self.feeds[-1].topics if topic.kind == "book"}
        ends = {symbol: self.exchange.last(symbol) for symbol in NAMES if NAMES[symbol] in wanted}
        await self.sink.until(lambda: all(self.sequence(symbol) == end for symbol, end in ends.items()))

    def check_books(self, *symbols: str) -> None:
        books = self.books()
        for symbol in symbols or NAMES:
            assert books[symbol] == self.exchange.book(symbol)

    async def skipped_to(self, now: int) -> None:
        """The exchange moves on, and nobody hears it."""
        self.exchange.cut()
        self.exchange.skip(now - self.exchange.now)


@asynccontextmanager
async def running(*topics: str, now: int = 0, connected: bool = True) -> AsyncGenerator[Rig]:
    async with BinanceByHand(now) as exchange:
        sink, account, feeds = Collector(), FeedAccount(), list[BinanceFeed]()
        wanted = tuple(map(Topic.parse, topics or ALL))
        source = Source("binance", wanted, sink, account=account, backoff=QUICK, random=Random(1))

        def feed() -> BinanceFeed:
            feeds.append(BinanceFeed(source, exchange.url, exchange.rest_url))
            return feeds[-1]

        async with System(Supervisor((ChildSpec("feed", feed, BOX),), intensity=3)) as system:
            if connected:
                await exchange.reaches(lambda: bool(exchange.clients))
            yield Rig(exchange, sink, account, feeds, system)
        await exchange.reaches(lambda: not exchange.clients)
        assert account.bytes_in == account.decoded + account.skipped


def questions(rig: Rig, symbol: str = "") -> int:
    return sum(f"/depth?symbol={symbol}" in asked for asked in rig.exchange.asked)


async def test_every_book_is_bridged_without_a_gap_and_ends_as_the_exchange_has_it() -> None:
    async with running() as rig:
        await rig.exchange.step()
        await rig.told_all()
        rig.check_books()
        assert (rig.account.gaps, rig.account.crossed, rig.account.errors) == (0, 0, {})
        assert rig.account.skipped == 0
        await rig.sink.until(lambda: len(rig.sink.of(Quote, Trade)) == 84 + 2)
    assert {event.instrument.name for event in rig.sink.of(Live)} == set(NAMES.values())


async def test_changes_that_came_before_the_snapshot_wait_for_it() -> None:
    async with running(*BOOKS) as rig:
        rig.exchange.answering.clear()
        rig.exchange.times.extend([20, 20, 20, 20])  # each snapshot lies within what waits
        await rig.exchange.step()
        await rig.exchange.reaches(lambda: questions(rig) == 4)
        assert rig.sink.of(BookUpdate) == []
        rig.exchange.answering.set()
        await rig.told_all()
        rig.check_books()
        assert (rig.account.gaps, rig.account.snapshots, rig.account.repairs) == (0, 4, 4)


async def test_a_snapshot_newer_than_all_that_came_makes_it_old() -> None:
    async with running("binance/NKN-USDT/book", connected=False) as rig:
        rig.exchange.times.append(200)
        await rig.exchange.reaches(lambda: bool(rig.exchange.clients))
        await rig.sink.until(lambda: rig.sequence("NKNUSDT") > 0)
        assert rig.sequence("NKNUSDT") == rig.exchange.last("NKNUSDT", 200)
        await rig.exchange.step()
        await rig.told_all()
        rig.check_books("NKNUSDT")
        assert rig.account.gaps == 0
        assert rig.account.duplicates > 50


async def test_a_snapshot_older_than_what_waits_is_asked_for_again() -> None:
    async with running("binance/NKN-USDT/book", now=60, connected=False) as rig:
        rig.exchange.answering.clear()
        rig.exchange.times.extend([20, 30, 40])
        await rig.exchange.reaches(lambda: bool(rig.exchange.clients))
        await rig.exchange.step(40)
        await rig.exchange.reaches(lambda: questions(rig) == 1)
        rig.exchange.answering.set()
        await rig.told_all()
        rig.check_books("NKNUSDT")
        assert rig.account.gaps == 0
        assert rig.account.snapshots == 4
        assert rig.account.repairs == 1


async def test_what_is_told_of_a_book_leads_to_the_same_book() -> None:
    """Who has only the events, as strategies do, gets there, too."""
    async with running(*BOOKS) as rig:
        await rig.exchange.step()
        await rig.told_all()
        books: dict[str, Sides] = {}
        for update in rig.sink.of(BookUpdate):
            if update.snapshot:
                books[update.instrument.name] = sides(update)
                continue
            for side, levels in zip(books[update.instrument.name], (update.bids, update.asks), strict=True):
                side.update(levels)
                for price, size in levels:
                    if not size:
                        del side[price]
        assert {name.replace("-", ""): books[name] for name in books} == rig.books()
        rig.check_books()


async def test_the_top_of_the_book_is_what_the_exchange_says_it_is() -> None:
    """`bookTicker` tells every change of the top, with the number of the book's update that made it.

    So after the book's update `u` its top is what the last ticker up to `u` said: comparable from a symbol's first
    ticker on. Where the numbers are equal, both name the very same update.
    """
    async with running() as rig:
        await rig.sink.until(lambda: len(rig.sink.of(Live)) == len(NAMES))
        await rig.exchange.step()
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
        await rig.exchange.step(messages)
        await rig.skipped_to(messages)
        await rig.exchange.reaches(lambda: bool(rig.exchange.clients))
        await rig.exchange.step()
        await rig.told_all()
        rig.check_books()
        assert (rig.account.gaps, rig.account.connections) == (0, 2)


async def test_books_are_right_again_after_many_cuts_that_cost_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    generous = attrs.evolve(LIMITS, weight_a_minute=1_000_000)  # 52 snapshots take half a minute else
    monkeypatch.setattr("ticktree.feeds.exchanges.binance.LIMITS", generous)
    async with running() as rig:
        for now in range(20, 260, 20):
            await rig.exchange.step(10)
            await rig.skipped_to(now)
            await rig.exchange.reaches(lambda: bool(rig.exchange.clients))
        await rig.exchange.step()
        await rig.told_all()
        rig.check_books()
        assert rig.account.gaps == 0
        assert rig.account.connections == 13


async def check_cuts(seed: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generous = attrs.evolve(LIMITS, weight_a_minute=1_000_000)
    monkeypatch.setattr("ticktree.feeds.exchanges.binance.LIMITS", generous)
    async with playing(WANTED, Cuts(count, seed, missed=20)) as run:
        await run.ended()
        assert (run.exchange.cuts, run.account.connections) == (count, count + 1)
        assert (run.account.gaps, run.account.crossed) == (0, 0)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_books_end_the_same_however_connections_are_cut(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    await check_cuts(seed, 5, monkeypatch)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
async def test_books_end_the_same_after_cuts_anywhere(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    await check_cuts(seed, 30, monkeypatch)


async def test_messages_that_are_missing_are_a_gap_of_that_book_alone_and_it_is_repaired() -> None:
    async with running(*BOOKS) as rig:
        await rig.sink.until(lambda: len(rig.sink.of(Live)) == len(NAMES))
        missing = next(
            index
            for index, entry in enumerate(rig.exchange.played.messages)
            if index >= 50 and b"nknusdt@depth@100ms" in entry.data
        )
        await rig.exchange.step(missing)
        rig.exchange.skip(1)
        await rig.exchange.step()
        await rig.told_all()
        rig.check_books()
        assert rig.account.gaps == 1
    assert [mark.instrument.name for mark in rig.sink.of(Gap, Stale)] == ["NKN-USDT", "NKN-USDT"]
    assert [mark.instrument.name for mark in rig.sink.of(Live)][4:] == ["NKN-USDT"]


async def test_messages_that_come_twice_are_dropped_and_counted() -> None:
    async with running() as rig:
        await rig.sink.until(lambda: len(rig.sink.of(Live)) == len(NAMES))
        before = rig.exchange.last("NKNUSDT")
        for entry in rig.exchange.played.messages:
            rig.exchange.say(entry.data.decode())
            rig.exchange.say(entry.data.decode())
        rig.exchange.skip(rig.exchange.total)
        await rig.told_all()
        await rig.sink.until(lambda: len(rig.sink.of(Quote, Trade)) == 84 + 2)
        rig.check_books()
        assert rig.account.gaps == 0
        assert rig.account.duplicates >= 84 + 2 + 177
        assert before < rig.exchange.last("NKNUSDT")


async def test_a_bad_message_costs_itself_alone() -> None:
    async with running() as rig:
        await rig.exchange.step(100)
        rig.exchange.say('{"stream":"nknusdt@aggTrade","data":{"p":"nan"}}')
        rig.exchange.say("[" * 5_000)
        await rig.exchange.step()
        await rig.told_all()
        rig.check_books()
        assert rig.account.errors == {"BadMessage": 2}
        assert (rig.account.gaps, rig.account.connections) == (0, 1)
        assert rig.account.skipped == 48 + 5_000


async def test_a_snapshot_that_is_refused_is_asked_for_again() -> None:
    async with running("binance/NKN-USDT/book", connected=False) as rig:
        rig.exchange.refusals.extend([(500, b"sorry"), (200, b"{"), (200, b'{"lastUpdateId":-1}')])
        await rig.exchange.reaches(lambda: bool(rig.exchange.clients))
        await rig.exchange.step()
        await rig.told_all()
        rig.check_books("NKNUSDT")
        assert rig.account.errors == {"BadAnswer": 2, "RestRefused": 1}


async def test_definitions_are_asked_for_by_name_and_once() -> None:
    async with running("binance/NKN-USDT/book", "binance/NKN-USDT/trade") as rig:
        await rig.skipped_to(10)
        await rig.exchange.reaches(lambda: bool(rig.exchange.clients))
        feed = rig.feeds[0]
        assert [each.name for each in feed.instruments.values()] == ["NKN-USDT"]
        assert feed.instruments["NKN-USDT"].price_increment == Decimal("0.0001")
    assert [asked for asked in rig.exchange.asked if "exchangeInfo" in asked] == [
        "/api/v3/exchangeInfo?symbols=%5B%22NKNUSDT%22%5D"
    ]


async def test_an_instrument_that_is_not_listed_ends_the_feed_with_names_near_it() -> None:
    async with running("binance/NKN-USDX/book", connected=False) as rig:
        # Each life asks for it by name and then for all, so the third question is the next life's.
        await rig.exchange.reaches(lambda: sum("exchangeInfo" in asked for asked in rig.exchange.asked) >= 3)
        why = rig.system.snapshot().actors()[0].history[0]
        assert "NKN-USDX" in why
        assert "NKN-USDT" in why


async def test_streams_that_the_address_cannot_hold_come_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticktree.feeds.exchanges.binance.MOST_ADDRESS", 120)
    async with running() as rig:
        await rig.exchange.reaches(lambda: bool(rig.exchange.requests))
        assert json.loads(rig.exchange.requests[0])["method"] == "SUBSCRIBE"
        await rig.sink.until(lambda: bool(rig.sink.of(FeedStatus)))  # by the acknowledgement alone
        assert rig.sink.of(FeedStatus)[0].state is FeedState.LIVE
        await rig.exchange.step()
        await rig.told_all()
        rig.check_books()
        await rig.sink.until(lambda: len(rig.sink.of(Quote, Trade)) == 84 + 2)
