"""A feed under a system on a loop of its own, an exchange that the test plays, and a sink that keeps all it is told."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import attrs
import uvloop

from ticktree.actors import Backoff, ChildSpec, DropOldest, Mailbox, Supervisor, System
from ticktree.market import (
    Batch,
    BookUpdate,
    Data,
    EventKind,
    FeedState,
    FeedStatus,
    Gap,
    Mark,
    OrderBook,
    Port,
    Topic,
)

from ..account import FeedAccount
from ..feed import Feed
from ..source import Source
from .facts import BookFact, Levels, Market
from .peers import Client, Exchange
from .rules import Nonconforming

DEADLINE_S = 10.0  # for anything to happen
FEED: Final = "feed"
QUICK: Final = Backoff(base_s=0.001, ceiling_s=0.002)
_BOX: Final = Mailbox(1_000, DropOldest())
_FOLDERS: Final = ("/proc/self/fd", "/dev/fd")


class Sink:
    """Keeps what it is handed, in order, and wakes whoever waits."""

    def __init__(self) -> None:
        self.told: list[Data | Mark] = []
        self.port: Port | None = None
        self.wake = asyncio.Event()

    def attach(self, port: Port) -> None:
        self.port = port

    def publish(self, batch: Batch) -> None:
        self.told.extend(batch.events)
        self.wake.set()

    def mark(self, mark: Mark) -> None:
        self.told.append(mark)
        self.wake.set()


@attrs.define(eq=False)
class Rig:
    """All that one test plays with. `now`: the number of the last update that the exchange has made."""

    rule: int
    market: Market
    sink: Sink
    account: FeedAccount
    exchange: Exchange
    system: System
    feeds: list[Feed]
    has_book: bool
    may_fail: bool
    faults: list[Exception] = attrs.field(factory=list[Exception])
    now: int = 0
    numbers: Counter[str] = attrs.field(factory=Counter[str])  # of the last fact of each kind
    asked: int = -1  # messages by which it subscribed on the present connection; -1: it has not yet
    losses: int = 0  # connections that ended
    _accepted: int = 0

    @property
    def feed(self) -> Feed:
        """Its present life."""
        return self.feeds[-1]

    def of(self, *types: type) -> list[Any]:
        """What was told of these types."""
        return [event for event in self.sink.told if isinstance(event, types)]

    def fail(self, what: str, **told: object) -> Nonconforming:
        """The error that says `what` is wrong."""
        return Nonconforming(self.rule, what, **told, came=self.sink.told[-8:], account=self.account)

    async def until(self, condition: Callable[[], bool], what: str, **told: object) -> None:
        """Wait until `condition` holds; raises `Nonconforming`, "`what`: it did not happen", at the deadline."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not condition():
                    if self.exchange.error is not None:
                        raise self.exchange.error
                    if self.faults and not self.may_fail:
                        raise self.fail(f"a life ended by {self.faults[0]!r}", **told) from self.faults[0]
                    self.sink.wake.clear()
                    await self.sink.wake.wait()
        except TimeoutError:
            raise self.fail(f"it did not happen within {DEADLINE_S:g} s: {what}", **told) from None

    async def turns(self, count: int = 6) -> None:
        """Give the loop turns: what was written is read on the other side of loopback."""
        for _ in range(count):
            await asyncio.sleep(0)

    async def accept(self) -> Client:
        """The next connection that stands, once the feed itself knows of it."""
        self._accepted += 1
        number = self._accepted
        await self.until(
            lambda: len(self.exchange.clients) >= number and self.account.connections >= number,
            f"connection {number}",
        )
        return self.exchange.clients[number - 1]

    async def fresh(self) -> Client:
        """A new connection in the place of the present one, if that stands; with a verified book."""
        losses, clients = self.losses, self.exchange.clients
        await self.turns()  # what was written is on its way
        if not clients[-1].gone:
            clients[-1].cut()
            await self.until_lost(losses)
        await self.until(
            lambda: not clients[-1].gone and self.account.connections >= len(clients), "there is a new connection"
        )
        self._accepted = len(clients) - 1
        return await self.ready()

    async def ready(self) -> Client:
        """The next connection, with all that was subscribed to answered, and a verified book where there is one."""
        client = await self.accept()
        await self.until(
            lambda: 0 <= self.asked <= len(client.heard) - client.handshake,
            "a subscription is said",
            heard=client.heard,
        )
        await self.arrived(client)
        if self.has_book:
            await self.until(lambda: self.book() is not None, "a verified book on a new connection")
            self.check_book()
        return client

    async def until_lost(self, losses: int) -> None:
        """Wait until more than so many connections were lost."""
        await self.until(lambda: self.losses > losses, "a connection that was cut is lost")

    async def until_duplicates(self, count: int, message: bytes) -> None:
        """Wait until so many were counted."""
        await self.until(lambda: self.account.duplicates >= count, "what comes twice is counted", sent=message)

    async def until_fault(self, what: str) -> Exception:
        """Wait until an error ends a life (of several that it may have)."""
        await self.until(lambda: bool(self.faults), what)
        return self.faults[0]

    async def arrived(self, client: Client) -> None:
        """Wait until the feed has read all that was sent on `client`, its present connection."""
        if self.exchange.scheme == "ws":
            await self.turns()  # bytes of a WebSocket count once the message is whole
        before, sent = self.account.bytes_in - self._read(), client.said if client.handshake else client.sent
        await self.until_read(lambda: self.account.bytes_in - before >= sent)

    async def until_read(self, condition: Callable[[], bool]) -> None:
        """Wait for what wakes nobody: bytes of a message that is not whole."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not condition():  # noqa: ASYNC110  # what is read in part wakes nobody
                    await asyncio.sleep(0)
        except TimeoutError:
            raise self.fail("what was sent is not read") from None

    def _read(self) -> int:
        connection = self.account._connection  # pyright: ignore[reportPrivateUsage]  # the kit is of this room
        return connection.bytes_in if connection else 0

    def book(self) -> tuple[Levels, Levels] | None:
        """The verified book, as late joiners get it."""
        assert self.sink.port is not None
        found = self.sink.port.book(self.market.instrument.name)
        return None if found is None else (dict(found.bids), dict(found.asks))

    def told_book(self) -> tuple[Levels, Levels]:
        """The book, as whoever listened from the beginning has it."""
        book = OrderBook()
        for update in self.of(BookUpdate):
            book.apply(update)
        bids, asks = book.top(100_000)
        return dict(bids), dict(asks)

    async def until_book(self, number: int, what: str) -> None:
        """Wait until the book is right as of update `number`, for late joiners and for those who listened."""
        right = self.market.book(number).levels
        await self.until(lambda: self.book() == right, what, expected=right)
        self.check_book()

    def check_book(self) -> None:
        """The verified book is that of the exchange, and the one that was told."""
        right = self.market.book(self.now).levels
        if self.told_book() != right or self.book() != right:
            raise self.fail("the book is wrong", expected=right, told=self.told_book(), verified=self.book())

    def audit(self) -> None:
        """Every byte is accounted for, at this instant."""
        account = self.account
        if account.bytes_in != account.decoded + account.skipped + account.buffered:
            raise Nonconforming(11, "bytes_in is not decoded + skipped + buffered", account=account)

    def check_trust(self) -> None:
        """No update of a book stands between a loss and the snapshot that ends it."""
        trusted = False
        for event in self.sink.told:
            match event:
                case BookUpdate(snapshot=True):
                    trusted = True
                case BookUpdate() if not trusted:
                    raise Nonconforming(5, "an update of a book was told without its snapshot", came=event)
                case Gap(kind=EventKind.BOOK) | FeedStatus(state=FeedState.LOST):
                    trusted = False
                case _:
                    pass


def watched(feed: Feed, rigs: "list[Rig]") -> Feed:
    """`feed`, whose accounts are looked at after every call of its connection's."""

    def after(name: str) -> None:
        call = getattr(feed, name)

        def checked(*arguments: Any) -> None:
            if name == "on_open":
                rigs[0].asked = -1
            if name == "on_fault":
                rigs[0].faults.append(arguments[0])
            call(*arguments)
            rigs[0].losses += name == "on_lost"
            if name != "on_unreachable":
                rigs[0].audit()
            rigs[0].sink.wake.set()

        setattr(feed, name, checked)

    for name in ("on_open", "on_frames", "on_lost", "on_fault", "on_unreachable"):
        after(name)
    subscribe_frames: Any = feed.subscribe_frames

    def subscribed(topics: Any) -> list[bytes]:
        frames = list(subscribe_frames(topics))
        rigs[0].asked = len(frames)
        return frames

    feed.subscribe_frames = subscribed  # type: ignore[method-assign]  # on this object alone
    return feed


class Scripted:
    """What the exchange says: the author's answers, unless a test puts its own in their place."""

    def __init__(self, author: Any, market: Market) -> None:
        self._author, self._market = author, market
        self.rig: Rig | None = None
        self.refusing: Callable[[], bytes] | None = None  # says no on the next connection, in place of anything else
        self.refusal = b""
        self.answers: list[bytes | int] = []  # in place of the next ones
        self.ages: list[int] = []  # of the next snapshots that are asked for, in updates
        self.last_answer = b""
        self._refused = False

    def book(self, age: int = 0) -> BookFact:
        """As it stands, or so many updates before."""
        assert self.rig is not None
        return self._market.book(max(0, self.rig.now - age))

    def on_open(self) -> list[bytes]:
        said, refusing = list(self._author.opened(self.book())), self.refusing
        self._refused, self.refusing = refusing is not None, None
        if refusing is None:
            return said
        self.refusal = refusing()
        return [self.refusal]

    def on_heard(self, message: bytes) -> list[bytes]:
        return [] if self._refused else list(self._author.heard(message, self.book()))

    def on_asked(self, path: str, query: Mapping[str, str]) -> bytes | int:
        if self.answers:
            return self.answers.pop(0)
        age = self.ages.pop(0) if self.ages else 0
        answer: bytes | None = self._author.rest(path, query, self.book(age))
        self.last_answer = answer or b""
        return 404 if answer is None else answer


@attrs.frozen
class Setting:
    """What one run begins with."""

    author: Any
    market: Market
    topics: tuple[str, ...]
    number: int  # of the rule that is tested
    answers: bool  # whether there is HTTP
    lives: int = 1  # that the feed may have
    prepare: Callable[[Scripted, Exchange], None] = lambda _script, _exchange: None


@asynccontextmanager
async def running(setting: Setting, **source: Any) -> AsyncGenerator[tuple[Rig, Scripted]]:
    """A feed that connects to the exchange of `setting`; at the end nothing is left over."""
    author, sink, account = setting.author, Sink(), FeedAccount()
    script = Scripted(author, setting.market)
    exchange = Exchange(author.scheme, script, sink.wake.set)
    setting.prepare(script, exchange)
    await exchange.open(setting.answers)
    feeds, rigs = list[Feed](), list[Rig]()
    settings: dict[str, Any] = {"backoff": QUICK, "random": Random(1), **source}
    value = Source(FEED, tuple(map(Topic.parse, setting.topics)), sink, account=account, **settings)

    def start() -> Feed:
        feed: Feed = author.make(value, exchange.url, exchange.rest_url)
        exchange.text = feed.text
        particular: Any = type(feed)
        if author.scheme != "ws" and particular.framing is not None:
            exchange.framing = particular.framing()
        feeds.append(watched(feed, rigs))
        return feed

    system = System(Supervisor((ChildSpec(FEED, start, _BOX),), intensity=max(setting.lives - 1, 1)))
    has_book = any(topic.endswith("/book") for topic in setting.topics)
    rigs.append(
        Rig(setting.number, setting.market, sink, account, exchange, system, feeds, has_book, setting.lives > 1)
    )
    script.rig = rigs[0]
    try:
        async with system:
            yield rigs[0], script
            if len(feeds) > setting.lives:
                raise rigs[0].fail(f"a life ended by {rigs[0].faults[:1]}")
        if account.buffered or account.bytes_in != account.decoded + account.skipped:
            raise Nonconforming(11, "bytes are left over at the end", account=account)
    finally:
        await exchange.close()


def play(number: int, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `test` of rule `number` on a new loop; raises `Nonconforming` for what it leaves over."""
    unhandled = list[str]()

    async def checked() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: unhandled.append(str(context)))
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        server.close()
        await server.wait_closed()
        within = _descriptors()  # the loop has some of its own, one of them since it first listened
        await test()
        for _ in range(1_000):
            if not _tasks() and len(_descriptors()) <= len(within):
                break
            await asyncio.sleep(0)
        if left := _tasks():
            raise Nonconforming(11, "a task is left over", task=[task.get_coro() for task in left])
        if len(_descriptors()) > len(within):
            raise Nonconforming(11, "a descriptor is left open", open=sorted(_descriptors() - within))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(checked())
    if unhandled:
        raise Nonconforming(11, "the loop heard of an exception that nobody handled", came=unhandled)


def _tasks() -> "set[asyncio.Task[Any]]":
    return asyncio.all_tasks() - {asyncio.current_task()}


def _descriptors() -> set[str]:
    folder = next((folder for folder in _FOLDERS if os.path.isdir(folder)), None)
    return set() if folder is None else {f"{entry}: {_target(folder, entry)}" for entry in os.listdir(folder)}


def _target(folder: str, entry: str) -> str:
    try:
        return os.readlink(f"{folder}/{entry}")
    except OSError:  # the folder itself, which was open to be read
        return ""
