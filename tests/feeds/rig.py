"""A feed under a system, with a peer that the test plays by hand over a real socket, and a sink that keeps all."""

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Annotated, Any, ClassVar, Literal

import attrs
import msgspec
from msgspec import Meta

from ticktree.actors import Backoff, ChildSpec, Supervisor, System
from ticktree.feeds import Acknowledged, BadMessage, Decoded, Feed, FeedAccount, SequenceRule, Source
from ticktree.market import (
    Batch,
    BookUpdate,
    EventKind,
    FeedState,
    FeedStatus,
    Instrument,
    Live,
    OrderBook,
    Port,
    Quote,
    Stale,
    Topic,
    Trade,
)
from ticktree.market.strict_json import Strict
from ticktree.net import Connection, Framing, Lines

from ..net.raw_websocket import TEXT, Frame, RawPeer
from ..probe import BOX, DEADLINE_S

QUICK = Backoff(base_s=0.001, ceiling_s=0.002)
BTC = Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.0001"))
ETH = Instrument("ETH-USDT", 2, Decimal("0.01"), Decimal("0.0001"))
ALL = ("test/BTC-USDT/trade", "test/BTC-USDT/quote", "test/BTC-USDT/book", "test/ETH-USDT/trade", "test/ETH-USDT/book")


# --- the exchange, played by hand ----------------------------------------------------------------------------------


class Client:
    """The exchange's end of one connection of the feed's."""

    def __init__(self, sock: socket.socket, messages: bool) -> None:
        self.sock, self.messages = sock, messages
        self.heard = b""
        self.sent = 0  # bytes

    def send(self, data: bytes) -> None:
        """At once, as it is."""
        self.sent += self.sock.send(data)

    def say(self, *texts: bytes | str | dict[str, Any]) -> None:
        """Messages as the transport frames them, in one write."""
        self.send(b"".join(self.framed(text) for text in texts))

    def framed(self, text: bytes | str | dict[str, Any]) -> bytes:
        data = json.dumps(text).encode() if isinstance(text, dict) else text.encode() if isinstance(text, str) else text
        return Frame(TEXT, data).encode(masked=False) if self.messages else data + b"\n"

    async def hear(self, wanted: bytes) -> bytes:
        """What the feed said, once that is in it (not for WebSockets, which mask)."""
        async with asyncio.timeout(DEADLINE_S):
            while wanted not in self.heard:
                data = await asyncio.get_running_loop().sock_recv(self.sock, 65_536)
                assert data, f"it ended after {self.heard!r}"
                self.heard += data
        return self.heard

    async def gone(self) -> None:
        """Wait until the feed has closed its end."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while await asyncio.get_running_loop().sock_recv(self.sock, 65_536):
                    pass
        except ConnectionError:
            pass

    def cut(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.sock.close()


class Exchange:
    """Listens; the test accepts whoever comes."""

    def __init__(self, scheme: str, folder: str) -> None:
        self._scheme = scheme
        self.clients: list[Client] = []
        if scheme == "unix":
            path = str(Path(folder) / "exchange")
            self._sock = socket.socket(socket.AF_UNIX)
            self._sock.bind(path)
            self.url = f"unix://{path}"
        else:
            self._sock = socket.create_server(("127.0.0.1", 0))
            self.url = f"{scheme}://127.0.0.1:{self._sock.getsockname()[1]}"
        self._sock.listen(100)
        self._sock.setblocking(False)

    async def accept(self) -> Client:
        async with asyncio.timeout(DEADLINE_S):
            sock, _ = await asyncio.get_running_loop().sock_accept(self._sock)
        sock.setblocking(False)
        if self._scheme == "ws":
            await RawPeer(sock, client=False).answer()
        client = Client(sock, self._scheme == "ws")
        self.clients.append(client)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.cut()
        self._sock.close()


# --- what the feed tells -------------------------------------------------------------------------------------------


class Collector:
    """A sink that keeps what it is handed, in order, and wakes whoever waits for something."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.batches: list[Batch] = []
        self.ports: list[Port] = []
        self._wake = asyncio.Event()

    def attach(self, port: Port) -> None:
        self.ports.append(port)

    def publish(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.told.extend(batch.events)
        self._wake.set()

    def mark(self, mark: Any) -> None:
        self.told.append(mark)
        self._wake.set()

    def wake(self) -> None:
        self._wake.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that was told, read or lost makes `condition` true."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._wake.clear()
                await self._wake.wait()

    def of(self, *types: type) -> list[Any]:
        return [event for event in self.told if isinstance(event, types)]

    def states(self) -> list[str]:
        return [str(event.state) for event in self.of(FeedStatus)]


class Reader:
    """A strategy that has nothing but what is told: which books it may trust, and what they are."""

    def __init__(self) -> None:
        self.books: dict[str, OrderBook] = {}
        self.live: set[str] = set()

    def take(self, event: object) -> None:
        match event:
            case BookUpdate():
                self.books.setdefault(event.instrument.name, OrderBook()).apply(event)
            case Live():
                self.live.add(event.instrument.name)
            case Stale():
                self.live.discard(event.instrument.name)
            case FeedStatus(state=FeedState.LOST):
                self.live.clear()
            case _:
                pass

    def levels(self, name: str) -> tuple[dict[float, float], dict[float, float]]:
        bids, asks = self.books.get(name, OrderBook()).top(100_000)
        return dict(bids), dict(asks)


# --- a small JSON feed ---------------------------------------------------------------------------------------------

Size = Annotated[float, Meta(ge=0, le=1e20)]
Whole = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Levels = tuple[tuple[Size, Size], ...]


class Ack(msgspec.Struct, tag="ack", forbid_unknown_fields=True):
    pass


class TradeText(msgspec.Struct, tag="trade", forbid_unknown_fields=True):
    i: str
    n: Whole
    price: Size
    size: Size


class QuoteText(msgspec.Struct, tag="quote", forbid_unknown_fields=True):
    i: str
    n: Whole
    bid: Size
    ask: Size


class BookText(msgspec.Struct, tag="book", forbid_unknown_fields=True):
    i: str
    first: Whole
    last: Whole
    bids: Levels
    asks: Levels
    snapshot: bool


Text = Ack | TradeText | QuoteText | BookText
_strict: Strict[Any] = Strict(Ack, TradeText, QuoteText, BookText)


def trade(number: int, name: str = "BTC-USDT", price: float = 100.0) -> dict[str, Any]:
    return {"type": "trade", "i": name, "n": number, "price": price, "size": 1.0}


def quote(number: int, name: str = "BTC-USDT", bid: float = 100.0, ask: float = 101.0) -> dict[str, Any]:
    return {"type": "quote", "i": name, "n": number, "bid": bid, "ask": ask}


def book(
    first: int,
    last: int | None = None,
    *,
    name: str = "BTC-USDT",
    bids: Iterable[tuple[float, float]] = ((100.0, 1.0),),
    asks: Iterable[tuple[float, float]] = (),
    snapshot: bool = False,
) -> dict[str, Any]:
    last = first if last is None else last
    sides = {"bids": [list(level) for level in bids], "asks": [list(level) for level in asks]}
    return {"type": "book", "i": name, "first": first, "last": last, "snapshot": snapshot, **sides}


ACK = {"type": "ack"}
Question = tuple[str, asyncio.Future[BookUpdate]]  # which instrument's snapshot is asked for


@attrs.define(eq=False)
class Hand:
    """What the test has in hand over lives: the answers to what the feed asks beside its stream."""

    listing: tuple[Instrument, ...] = (BTC, ETH)
    refusals: list[Exception] = attrs.field(factory=list[Exception])  # of the next questions for definitions
    asked: int = 0  # for definitions
    questions: asyncio.Queue[Question] = attrs.field(factory=asyncio.Queue[Question])
    open: int = 0  # questions for snapshots without an answer
    most_open: int = 0
    logins: asyncio.Queue[asyncio.Future[None]] = attrs.field(factory=asyncio.Queue[asyncio.Future[None]])

    async def question(self, name: str | None = None) -> "asyncio.Future[BookUpdate]":
        """The next question for a snapshot."""
        async with asyncio.timeout(DEADLINE_S):
            found, future = await self.questions.get()
        assert name in (None, found)
        return future


class JsonFeed(Feed):
    """Trades, quotes and books of a made-up exchange, one JSON object a line or WebSocket message."""

    framing: ClassVar[Callable[[], Framing] | None] = staticmethod(lambda: Lines(65_536))

    def __init__(self, source: Source, url: str, hand: Hand) -> None:
        super().__init__(source, url)
        self.hand = hand
        self.opens = 0

    async def definitions(self) -> Iterable[Instrument]:
        self.hand.asked += 1
        if self.hand.refusals:
            raise self.hand.refusals.pop(0)
        return self.hand.listing

    def opened(self) -> None:
        self.opens += 1

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        return [f"subscribe {' '.join(map(str, topics))}\n".encode()]

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        data = bytes(frame)
        try:
            message = _strict.decode(data)
            return [Acknowledged() if isinstance(message, Ack) else self._event(message, received_ns)]
        except (ValueError, LookupError) as error:
            raise BadMessage(self.name, str(error), data) from None

    def _event(self, text: TradeText | QuoteText | BookText, received_ns: int) -> Trade | Quote | BookUpdate:
        instrument = self.by_symbol[text.i]
        match text:
            case TradeText():
                return Trade(self.name, instrument, text.price, text.size, None, text.n, 0, received_ns)
            case QuoteText():
                return Quote(self.name, instrument, text.bid, 1.0, text.ask, 1.0, text.n, 0, received_ns)
            case BookText():
                return BookUpdate(
                    self.name, instrument, text.bids, text.asks, text.snapshot, text.first, text.last, 0, received_ns
                )


EVERY_RULE: dict[EventKind, SequenceRule] = {
    EventKind.TRADE: SequenceRule.PLUS_ONE,
    EventKind.QUOTE: SequenceRule.MONOTONIC,
    EventKind.BOOK: SequenceRule.RANGE,
}


class RuledFeed(JsonFeed):
    """Numbered, with nothing to repair a book but a new connection."""

    rules: ClassVar = EVERY_RULE


class InBandFeed(RuledFeed):
    """A book's snapshot comes anew to who subscribes again."""

    def resubscribe_frames(self, instrument: Instrument) -> Iterable[bytes]:
        return [f"again {instrument.name}\n".encode()]


class FetchingFeed(RuledFeed):
    """Snapshots are asked for beside the stream."""

    async def snapshot(self, instrument: Instrument) -> BookUpdate:
        hand = self.hand
        hand.open += 1
        hand.most_open = max(hand.most_open, hand.open)
        future: asyncio.Future[BookUpdate] = asyncio.get_running_loop().create_future()
        hand.questions.put_nowait((instrument.name, future))
        try:
            return await future
        finally:
            hand.open -= 1

    def answer(self, sequence: int, name: str = "BTC-USDT", levels: int = 1) -> BookUpdate:
        bids = tuple((100.0 - n, 5.0) for n in range(levels))
        return BookUpdate(self.name, self.instruments[name], bids, (), True, sequence, sequence, 0, 0)


class LoginFeed(RuledFeed):
    async def login(self, connection: Connection) -> None:
        connection.write(b"login\n")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.hand.logins.put_nowait(future)
        await future


# --- together ------------------------------------------------------------------------------------------------------


@attrs.define(eq=False)
class Rig:
    exchange: Exchange
    sink: Collector
    account: FeedAccount
    hand: Hand
    feeds: list[Any]
    system: System
    audits: int = 0

    @property
    def feed(self) -> Any:
        return self.feeds[-1]

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.sink.until(condition)

    async def accept(self) -> Client:
        """The next connection, once the feed itself has heard that it stands."""
        client = await self.exchange.accept()
        await self.until(lambda: self.account.connections == len(self.exchange.clients))
        return client

    async def until_told(self, count: int, *types: type) -> None:
        await self.until(lambda: len(self.sink.of(*types)) == count)

    async def until_broken(self, count: int) -> None:
        await self.until(lambda: self.account.broken == count)

    async def until_failed(self, count: int) -> None:
        await self.until(lambda: sum(self.account.errors.values()) == count)

    async def read(self, client: Client) -> None:
        """Wait until the feed has read all that was sent on this, its present connection (a stream)."""
        async with asyncio.timeout(DEADLINE_S):
            while self.arrived() < client.sent:  # noqa: ASYNC110  # bytes of an unfinished message set nothing off
                await asyncio.sleep(0)
        self.audit()

    def arrived(self) -> int:
        connection = self.account._connection  # pyright: ignore[reportPrivateUsage]
        return connection.bytes_in if connection else 0

    def audit(self) -> None:
        """Every byte is accounted for, at this instant."""
        account = self.account
        assert account.bytes_in == account.decoded + account.skipped + account.buffered, account
        self.audits += 1

    def history(self) -> tuple[str, ...]:
        return self.system.snapshot().actors()[0].history


def audited(feed: Feed, rig: "list[Rig]") -> Feed:
    """`feed`, which has its accounts checked after every call of its connection's."""

    def after(name: str) -> None:
        call = getattr(feed, name)

        def checked(*args: Any) -> None:
            call(*args)
            rig[0].audit()
            rig[0].sink.wake()

        setattr(feed, name, checked)

    for name in ("on_open", "on_frames", "on_lost"):
        after(name)
    unreachable = feed.on_unreachable

    def woken(error: Exception) -> None:
        unreachable(error)
        rig[0].sink.wake()

    feed.on_unreachable = woken  # type: ignore[method-assign]
    return feed


Make = Callable[[Source, str, Hand], Feed]


@asynccontextmanager
async def running(
    make: Make = RuledFeed,
    *topics: str,
    scheme: Literal["tcp", "unix", "ws"] = "tcp",
    lives: int = 1,
    intensity: int = 3,
    hand: Hand | None = None,
    **source: Any,
) -> AsyncGenerator[Rig]:
    """A feed of `make` that connects to an exchange; at the end it must have had so many `lives`."""
    with tempfile.TemporaryDirectory() as folder:
        exchange = Exchange(scheme, folder)
        sink, account, feeds, rigs = Collector(), FeedAccount(), list[Feed](), list[Rig]()
        settings: dict[str, Any] = {"backoff": QUICK, "random": Random(1), **source}
        value = Source("test", tuple(map(Topic.parse, topics or ALL)), sink, account=account, **settings)
        held = hand or Hand()

        def feed() -> Feed:
            feeds.append(audited(make(value, exchange.url, held), rigs))
            return feeds[-1]

        system = System(Supervisor((ChildSpec("feed", feed, BOX),), intensity=intensity))
        rigs.append(Rig(exchange, sink, account, held, feeds, system))
        try:
            async with system:
                yield rigs[0]
                assert len(feeds) == lives, rigs[0].history()
            assert account.bytes_in == account.decoded + account.skipped
            assert account.buffered == 0
        finally:
            exchange.close()
