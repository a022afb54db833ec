"""A live feed and the exchange as it was recorded, over real sockets: what is told, and whether the books agree."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from random import Random

import attrs

from ticktree.actors import ChildSpec, Supervisor, System
from ticktree.feeds import Feed, FeedAccount, Source
from ticktree.feeds.exchanges.played import played
from ticktree.feeds.playback import Cuts, RecordedExchange, Start
from ticktree.feeds.recording import Entry, Recorder
from ticktree.market import Topic

from ...probe import BOX
from ...recordings import entries
from .collector import QUICK, Collector, Sides, floats, sides

DEADLINE_S = 30.0  # what a machine with other work may take for one recording


@attrs.frozen
class Wanted:
    """Which feed, and of what; time begins when so many `streams` are subscribed to."""

    name: str
    feed: Callable[[Source, str, str], Feed]  # from the source, where WebSockets are opened, where questions are asked
    topics: tuple[str, ...]
    streams: int


@attrs.frozen
class Playing:
    exchange: RecordedExchange
    sink: Collector
    account: FeedAccount
    feeds: list[Feed]

    def books(self) -> dict[str, Sides]:
        """What the feed holds for right, by the exchange's symbol."""
        feed = self.feeds[-1]
        return {feed.symbol(update.instrument): sides(update) for update in feed.books()}

    def right(self) -> dict[str, Sides]:
        """What they are to be."""
        return {symbol: floats(texts) for symbol, texts in self.exchange.books().items()}

    async def ended(self) -> None:
        """Wait until everything was told, and until the feed has heard what its books are."""
        async with asyncio.timeout(DEADLINE_S):
            await self.exchange.ended()
        right = self.right()
        await self.sink.until(lambda: self.books() == right)


@asynccontextmanager
async def playing(
    wanted: Wanted,
    cuts: Cuts = Cuts(),  # noqa: B008  # frozen
    recorded: Iterable[Entry] | None = None,
    tap: Recorder | None = None,
) -> AsyncGenerator[Playing]:
    """A feed of what is `recorded`, else the capture, by `tap`. At the end every byte has to be accounted for."""
    name, start = wanted.name, Start(streams=wanted.streams, quiet_s=0)
    half = played(name, entries(name) if recorded is None else recorded)
    async with RecordedExchange(half, cuts=cuts, start=start) as exchange:
        sink, account, feeds = Collector(DEADLINE_S), FeedAccount(), list[Feed]()
        topics = tuple(map(Topic.parse, wanted.topics))
        source = Source(name, topics, sink, account=account, backoff=QUICK, random=Random(1), tap=tap)

        def feed() -> Feed:
            feeds.append(wanted.feed(source, exchange.url, exchange.rest_url))
            return feeds[-1]

        async with System(Supervisor((ChildSpec("feed", feed, BOX),), intensity=3)):
            yield Playing(exchange, sink, account, feeds)
        async with asyncio.timeout(DEADLINE_S):
            await exchange.until(lambda: not exchange.clients)
        assert account.bytes_in == account.decoded + account.skipped
