"""Binance, Coinbase and Kraken as they were recorded, all at once and as fast as they are read, into two processes.

Recorded exchanges -> HTTP and WebSockets -> feeds, hub and relay in one process -> TCP -> feeds in another: this one.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import attrs
import pytest

from ticktree.actors import ChildSpec, Supervisor, System
from ticktree.feeds import FeedAccount, Source, WireFeed
from ticktree.feeds.exchanges.played import played
from ticktree.feeds.playback import Cuts, RecordedExchange, Start
from ticktree.market import BookUpdate, Quote, Topic, Trade

from ..feeds.exchanges.collector import QUICK, Collector, Sides, floats, sides
from ..feeds.exchanges.test_binance_recorded import NAMES as BINANCE
from ..feeds.exchanges.test_coinbase_recorded import NAMES as COINBASE
from ..feeds.exchanges.test_kraken_recorded import NAMES as KRAKEN
from ..probe import BOX
from ..recordings import entries
from .program import Program

DEADLINE_S = 60.0
NAMES: Mapping[str, tuple[str, ...]] = {"binance": tuple(BINANCE.values()), "coinbase": COINBASE, "kraken": KRAKEN}
KINDS = ("trade", "quote", "book")


def symbol(exchange: str, name: str) -> str:
    """What the exchange calls it."""
    match exchange:
        case "binance":
            return name.replace("-", "")
        case "kraken":
            return name.replace("BTC", "XBT").replace("-", "/")
        case _:
            return name


@attrs.define
class Downstream:
    """One feed of this process."""

    name: str
    sink: Collector
    account: FeedAccount
    feed: WireFeed | None = None

    def books(self) -> dict[str, Sides]:
        """What it holds for right, by the exchange's symbol."""
        assert self.feed is not None
        return {symbol(self.name, update.instrument.name): sides(update) for update in self.feed.books()}


@attrs.frozen
class Run:
    exchanges: dict[str, RecordedExchange]
    feeds: dict[str, Downstream]
    upstream: Program
    accounts: dict[str, Any] = attrs.field(factory=dict[str, Any])  # of the first process, when it has ended

    async def told(self) -> None:
        """Let time begin, and wait until all was told and each book here is what the exchange's own is."""
        for exchange in self.exchanges.values():
            exchange.resume()
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*(exchange.ended() for exchange in self.exchanges.values()))
        for name, exchange in self.exchanges.items():
            right = {symbol: floats(texts) for symbol, texts in exchange.books().items()}
            feed = self.feeds[name]
            await feed.sink.until(lambda: feed.books() == right)  # noqa: B023  # waited for at once

    async def end(self) -> None:
        """Stop the first process, and read what became of everything there."""
        self.upstream.interrupt()
        code, printed = await asyncio.to_thread(self.upstream.end)
        assert code == 0, printed
        for line in printed.splitlines():
            if line.startswith("{"):
                account = json.loads(line)
                self.accounts[account["feed"]] = account
        assert set(self.accounts) == set(NAMES), printed


@asynccontextmanager
async def running(cuts: Cuts = Cuts()) -> AsyncGenerator[Run]:  # noqa: B008  # frozen
    async with AsyncExitStack() as stack:
        exchanges = dict[str, RecordedExchange]()
        for name, instruments in NAMES.items():
            start = Start(streams=len(instruments) * len(KINDS), quiet_s=0)
            exchange = RecordedExchange(played(name, entries(name)), cuts=cuts, start=start)
            exchange.pause()
            exchanges[name] = await stack.enter_async_context(exchange)
        where = {
            name: {"url": exchange.url, "rest_url": exchange.rest_url, "instruments": NAMES[name]}
            for name, exchange in exchanges.items()
        }
        upstream = Program("-m", "tests.e2e.three_feeds", "tcp://127.0.0.1:0", json.dumps(where))
        stack.enter_context(upstream)
        listens = await asyncio.to_thread(upstream.until, "relay/server: listens at ")
        found = re.search(r"listens at (\S+)$", listens.strip())
        assert found
        feeds = {name: Downstream(name, Collector(DEADLINE_S), FeedAccount()) for name in NAMES}
        specs = tuple(ChildSpec(name, _make(feed, found[1]), BOX) for name, feed in feeds.items())
        async with System(Supervisor(specs, intensity=3)):
            for name, exchange in exchanges.items():
                await feeds[name].sink.until(lambda: feeds[name].account.live)  # noqa: B023  # waited for at once
                async with asyncio.timeout(DEADLINE_S):
                    await exchange.until(lambda: not exchange.waiting)  # noqa: B023  # waited for at once
            yield Run(exchanges, feeds, upstream)
        for feed in feeds.values():
            assert feed.account.bytes_in == feed.account.decoded + feed.account.skipped


def _make(downstream: Downstream, url: str) -> Any:
    topics = tuple(Topic(downstream.name, "*", kind) for kind in KINDS)
    source = Source(
        downstream.name, topics, downstream.sink, account=downstream.account, backoff=QUICK, random=Random(1)
    )

    def make() -> WireFeed:
        downstream.feed = WireFeed(source, url)
        return downstream.feed

    return make


async def test_everything_that_was_recorded_comes_through_two_processes() -> None:
    async with running() as run:
        await run.told()
        await run.end()
        kraken, coinbase = run.accounts["kraken"], run.accounts["coinbase"]
        assert (kraken["checksums_verified"], kraken["checksums_failed"]) == (4_269, 0)
        assert run.feeds["kraken"].sink.counted(BookUpdate, Quote) == {BookUpdate: 4_279, Quote: 18}
        counted = run.feeds["coinbase"].sink.counted(BookUpdate, Quote, Trade)
        assert counted == {BookUpdate: 10 + 9_719, Quote: 107, Trade: 97}
        assert run.feeds["binance"].sink.counted(Quote, Trade) == {Quote: 84, Trade: 2}
        assert (kraken["gaps"], kraken["crossed"], coinbase["crossed"]) == (0, 0, 0)
        for name, feed in run.feeds.items():
            there, here = run.accounts[name], feed.account
            assert (here.broken, there["broken"], here.gaps, here.kinds["Skipped"]) == (0, 0, 0, 0), name
            assert {kind: here.kinds[kind] for kind in KINDS} == {kind: there["kinds"].get(kind, 0) for kind in KINDS}


@pytest.mark.parametrize("seed", [1, 2])
async def test_with_connections_cut_at_random_the_books_end_the_same(seed: int) -> None:
    async with running(Cuts(3, seed, missed=50)) as run:
        await run.told()
        await run.end()
        for name, exchange in run.exchanges.items():
            assert exchange.cuts == 3
            assert run.accounts[name]["connections"] == 4
            assert run.accounts[name]["bytes_in"] == run.accounts[name]["decoded"] + run.accounts[name]["skipped"]
        assert run.accounts["kraken"]["checksums_failed"] == 0
