"""A real feed of the simulated exchange, and a sink behind it that builds books of what it is told."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Literal

import attrs

from ticktree.actors import Backoff, ChildSpec, Supervisor, System
from ticktree.feeds import Feed, FeedAccount, Source
from ticktree.feeds.simulated import (
    ExchangeStats,
    FaultKind,
    Faults,
    Market,
    SimulatedDialectFeed,
    SimulatedExchange,
    SimulatedFeed,
    Truth,
)
from ticktree.market import Batch, BookUpdate, FeedState, FeedStatus, Mark, OrderBook, Port, Skipped, Stale, Topic

from ...probe import BOX
from .raw import EVERYWHERE, FAST

DEADLINE_S = 8.0
QUICK = Backoff(base_s=0.001, ceiling_s=0.004)
FEEDS = {"tcp": SimulatedFeed, "ws": SimulatedDialectFeed}
NO_FAULTS = Faults()


class Follower:
    """The sink. A book is forgotten when it is said to be stale, or the feed to be lost; each update must follow."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.books: dict[str, OrderBook] = {}
        self.wrong: list[str] = []
        self.heard = asyncio.Event()

    def attach(self, port: Port) -> None:
        pass

    def publish(self, batch: Batch) -> None:
        for event in batch.events:
            self.told.append(event)
            if isinstance(event, BookUpdate):
                self._follow(event)
        self.heard.set()

    def mark(self, mark: Mark) -> None:
        self.told.append(mark)
        match mark:
            case FeedStatus(_, FeedState.LOST, _, _):
                self.books.clear()
            case Stale():
                self.books.pop(mark.instrument.name, None)
            case Skipped():
                for _, name in mark.books:
                    self.books.pop(name, None)
            case _:
                pass
        self.heard.set()

    def _follow(self, update: BookUpdate) -> None:
        name = update.instrument.name
        if update.snapshot:
            self.books[name] = OrderBook()
        elif name not in self.books or update.first_sequence != self.books[name].sequence + 1:
            self.wrong.append(f"{name}: update {update.sequence} follows upon {self.books.get(name)}")
            return
        self.books[name].apply(update)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.told if isinstance(event, kind)]

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self.heard.clear()
                await self.heard.wait()


@attrs.frozen
class Rig:
    system: System
    follower: Follower
    account: FeedAccount
    feeds: list[Feed]
    exchanges: list[SimulatedExchange]
    truth: Truth

    def stats(self) -> ExchangeStats:
        return self.exchanges[-1].stats()

    def did(self, kind: FaultKind) -> int:
        return self.stats().injected.get(kind, 0)

    async def until_step(self, step: int) -> None:
        """Until the market has made so many steps, and the feed tells of a later one."""
        last = {"at": 0}

        def arrived() -> bool:
            told = self.follower.told
            last["at"] = max([last["at"], *(getattr(event, "sequence", 0) for event in told[-20:])])
            return last["at"] >= step

        await self.follower.until(arrived)

    async def until_whole(self) -> None:
        """Until every book is followed."""
        names = {instrument.name for instrument in self.exchanges[-1].market.instruments}
        await self.follower.until(lambda: self.follower.books.keys() == names)

    def check(self) -> None:
        """Every byte is accounted for, and every book that is followed is the true one of its number."""
        account, follower = self.account, self.follower
        assert account.bytes_in == account.decoded + account.skipped + account.buffered
        assert not follower.wrong
        for name, book in follower.books.items():
            assert tuple(map(tuple, book.top(1_000))) == self.truth.book(name, book.sequence)
            verified = self.feeds[-1].book(name)
            if verified is not None:
                assert (verified.bids, verified.asks) == self.truth.book(name, verified.sequence)


@asynccontextmanager
async def following(
    scheme: str,
    faults: Faults = NO_FAULTS,
    market: Market = FAST,
    topics: tuple[str, ...] = ("sim/*/*",),
    on_bad: Literal["skip", "reconnect"] = "skip",
    listen: tuple[str, ...] = EVERYWHERE,
) -> AsyncGenerator[Rig]:
    follower, account = Follower(), FeedAccount()
    wanted = tuple(map(Topic.parse, topics))
    source = Source("sim", wanted, follower, account=account, backoff=QUICK, random=Random(1), on_bad=on_bad)
    feeds: list[Feed] = []
    exchanges: list[SimulatedExchange] = []

    def exchange() -> SimulatedExchange:
        exchanges.append(SimulatedExchange("sim", market, listen, faults))
        return exchanges[-1]

    def feed() -> Feed:
        feeds.append(FEEDS[scheme](source, "exchange"))
        return feeds[-1]

    tree = Supervisor((ChildSpec("exchange", exchange, BOX), ChildSpec("feed", feed, BOX)), intensity=5)
    async with System(tree, watchdog_s=0) as system:  # working out the truth blocks the loop, and that is fine
        rig = Rig(system, follower, account, feeds, exchanges, Truth("sim", market))
        yield rig
    assert account.bytes_in == account.decoded + account.skipped
    assert account.buffered == 0
