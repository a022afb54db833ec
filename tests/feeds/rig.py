"""A feed under a system, with a peer that the test plays by hand over a real socket, and a sink that keeps all."""

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Literal

import attrs

from ticktree.actors import Backoff, ChildSpec, Supervisor, System
from ticktree.feeds import Feed, FeedAccount, Source
from ticktree.market import (
    Batch,
    BookUpdate,
    FeedState,
    FeedStatus,
    Live,
    OrderBook,
    Port,
    Stale,
    Topic,
)

from ..net.raw_websocket import TEXT, Frame, RawPeer
from ..probe import BOX, DEADLINE_S
from .json_feed import ALL, Hand, RuledFeed

QUICK = Backoff(base_s=0.001, ceiling_s=0.002)


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
        connection = self.account._connection  # pyright: ignore[reportPrivateUsage]  # the account shows sums only
        return connection.bytes_in if connection else 0

    def audit(self) -> None:
        """Every byte is accounted for, at this instant."""
        account = self.account
        assert account.bytes_in == account.decoded + account.skipped + account.buffered, account
        self.audits += 1

    def history(self) -> tuple[str, ...]:
        return self.system.snapshot().actors()[0].history


def audited(feed: Feed, rig: "list[Rig]") -> Feed:
    """`feed`, whose accounts are checked after every call of its connection's."""

    def after(name: str) -> None:
        call = getattr(feed, name)

        def checked(*args: Any) -> None:
            call(*args)
            rig[0].audit()
            rig[0].sink.wake()

        setattr(feed, name, checked)

    for name in ("on_open", "on_frames", "on_lost", "on_fault"):
        after(name)
    unreachable = feed.on_unreachable

    def woken(error: Exception) -> None:
        unreachable(error)
        rig[0].sink.wake()

    feed.on_unreachable = woken  # type: ignore[method-assign]  # on this object alone
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
