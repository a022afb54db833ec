"""A relay over real sockets: a hub before it, which the test feeds by hand, clients of all sorts, a hub behind it."""

import asyncio
import socket
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import attrs

from ticktree.actors import Backoff, ChildSpec, MailboxStats, Supervisor, System
from ticktree.distribution import Figures, Hub, Relay, RelayFigures
from ticktree.feeds import FeedAccount, Source, WireFeed
from ticktree.market import Batch, BookUpdate, Data, Instrument, InstrumentIds, Mark, dialect, messages, wire
from ticktree.market.ticks import copied, events
from ticktree.net import Connection, StreamConnection, WebSocketConnection, connect

from ...market.samples import IDS
from ...probe import BOX, Probe
from ..support import FakePort, topics

DEADLINE_S = 10.0
SCHEMES = ("tcp", "unix", "ws")
QUICK = Backoff(base_s=0.001, ceiling_s=0.01)


class Upstream:
    """A feed that the test plays: it keeps books as a feed does, and publishes into the hub."""

    def __init__(self, hub: Hub, name: str = "sim", offered: Sequence[str] = ()) -> None:
        self.hub, self.name = hub, name
        self.port = FakePort(name, offered or (f"{name}/*/*",))
        hub.attach(self.port)

    def publish(self, *events: Data, columns: bool = True) -> Batch:
        for event in events:
            if isinstance(event, BookUpdate):
                self.port.follow(event)
        batch = Batch(self.name, self.hub.ids, events=list(events))
        if columns:
            batch = Batch(self.name, self.hub.ids, ticks=batch.ticks)
        self.hub.publish(batch)
        return batch

    def mark(self, mark: Mark) -> None:
        self.hub.mark(mark)


class Client:
    """A client that is no feed. `said` is all that came, in order: messages, and data as events.

    `speaks` "wire" or "dialect"; `beats` whether it shows that it lives; `reading` False leaves all with the kernel.
    """

    def __init__(self, url: str, speaks: str = "wire") -> None:
        self.url, self.speaks = url, speaks
        self.said: list[Any] = []
        self.rows = self.skipped = 0
        self.beats = True
        self.errors: list[Exception] = []
        self.definitions: dict[int, Instrument] = {}
        self.reader, self.writer = wire.Reader(), wire.Writer()
        self.connection: Connection = (
            WebSocketConnection(self, text=speaks == "dialect")
            if url.startswith("ws")
            else StreamConnection(self, wire.Framing())
        )
        self._heard = asyncio.Event()

    # --- what tests do -----------------------------------------------------------------------------------------

    def say(self, *what: messages.Message) -> None:
        for message in what:
            if self.speaks == "dialect":
                self.connection.write(dialect.encode(message))
            else:
                self.connection.write(self.writer.write(message))  # type: ignore[arg-type]  # none is the dialect's own

    def ask(self, *texts: str) -> None:
        self.say(messages.Subscribe(texts))

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._heard.clear()
                await self._heard.wait()

    async def get(self, wanted: type, count: int = 1) -> list[Any]:
        await self.until(lambda: len(self.of(wanted)) >= count)
        return self.of(wanted)

    async def gone(self) -> Exception:
        async with asyncio.timeout(DEADLINE_S):
            await self.connection.gone
        return self.errors[0]

    def of(self, wanted: Any) -> list[Any]:
        return [one for one in self.said if isinstance(one, wanted)]

    def refusals(self) -> list[str]:
        return [str(refused.reason) for refused in self.of(messages.Refused)]

    # --- the connection's calls --------------------------------------------------------------------------------

    def on_open(self, connection: Connection) -> None:
        self._beat()

    def _beat(self) -> None:
        if self.connection.gone.done():
            return
        if self.beats:
            self.say(messages.Heartbeat())
        asyncio.get_running_loop().call_later(wire.HEARTBEAT_S / 4, self._beat)

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        for frame in frames:
            if self.speaks == "dialect":
                self._take(dialect.decode(frame))
            else:
                if isinstance(frame, bytes):
                    wire.whole(frame, 0)
                self._take(self.reader.read(frame))
        self._heard.set()

    def on_lost(self, connection: Connection, error: Exception) -> None:
        self.errors.append(error)
        self._heard.set()

    def on_fault(self, error: Exception) -> None:
        self.errors.append(error)
        self._heard.set()

    def _take(self, message: Any) -> None:
        if isinstance(message, wire.TickRows):
            self.rows += len(message.ticks)
            self.said += events(copied(message.ticks), self.definitions, "sim")
        elif isinstance(message, dialect.DATA):
            by_name = {one.name: one for one in self.definitions.values()}
            self.said.append(dialect.heard(message, by_name, message.received_time_ns))
        else:
            if isinstance(message, messages.Instruments):
                self.definitions |= {one.id: one for one in message.instruments}
            if isinstance(message, messages.Skipped):
                self.skipped += message.count
            self.said.append(message)
        if self.speaks == "wire":
            assert self.rows + self.skipped == self.reader.sequence


@attrs.frozen
class Rig:
    """A running relay, and whoever talks to it."""

    hub: Hub
    system: System
    urls: dict[str, str]
    clients: list[Client] = attrs.field(factory=list[Client])

    def url(self, kind: str) -> str:
        """Of "tcp", "unix", "ws" (binary), "json"."""
        return self.urls["ws"] + "json" if kind == "json" else self.urls[kind]

    async def stranger(self, kind: str = "tcp") -> Client:
        """One that is connected and has said nothing."""
        client = Client(self.url(kind), "dialect" if kind == "json" else "wire")
        self.clients.append(client)
        await connect(self.url(kind), client.connection, DEADLINE_S)
        return client

    async def client(self, kind: str = "tcp", *texts: str, token: str = "") -> Client:
        """One that was let in, and has been answered about `texts` if there are any."""
        client = await self.stranger(kind)
        client.say(messages.Hello(token=token))
        if texts:
            client.ask(*texts)
            await client.get(messages.Subscribed)
            if kind != "json":
                await client.get(messages.SnapshotEnd)
        else:
            await client.get(messages.Hello)
        return client

    async def figures(self) -> RelayFigures:
        return await self.system.ref("relay/server").ask(Figures(), DEADLINE_S)

    def mailboxes(self) -> list[MailboxStats]:
        """The clients' buffers, in the order in which they were let in."""
        return [node.mailbox for node in self.system.snapshot().actors() if node.path.startswith("relay/clients/")]

    def narrow(self, size_bytes: int = 16 * 1024) -> None:
        """Let the kernel keep little of what is not read: on loopback it would take megabytes."""
        connections: list[Any] = [guest.connection for guest in lobby(self.system).guests]
        connections += [client.connection for client in self.clients]
        for connection in connections:
            sock: socket.socket = connection._transport.get_extra_info("socket")
            for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, buffer, size_bytes)

    async def until(self, condition: Callable[[RelayFigures], Any]) -> RelayFigures:
        async with asyncio.timeout(DEADLINE_S):
            while not condition(figures := await self.figures()):  # noqa: ASYNC110  # connections that go set nothing off
                await asyncio.sleep(0)
        return figures


def lobby(system: System) -> Any:
    """What the relay's server and its clients share."""
    (server,) = (cell for cell in system.cells() if cell.path == "relay/server")
    assert server.life is not None
    return vars(server.life.actor)["_lobby"]


@asynccontextmanager
async def relaying(hub: Hub | None = None, listen: Sequence[str] = (), **options: Any) -> AsyncGenerator[Rig]:
    """A relay at all sorts of addresses."""
    hub = hub or Hub(IDS)
    with tempfile.TemporaryDirectory() as folder:
        asked = tuple(listen) or ("tcp://127.0.0.1:0", f"unix://{folder}/relay", "ws://127.0.0.1:0/")
        relay = Relay(hub, listen=asked, **options)
        system = System(Supervisor((relay.tree(),), intensity=5))
        async with system:
            urls = (await system.ref("relay/server").ask(Figures(), DEADLINE_S)).urls
            rig = Rig(hub, system, {url.partition(":")[0]: url for url in urls})
            try:
                yield rig
            finally:
                for client in rig.clients:
                    await client.connection.close()
        assert all(cell.stats().unaccounted == 0 for cell in system.cells())


@attrs.frozen
class Behind:
    """A second process, as it were: a hub behind a `WireFeed`, and a probe that hears everything."""

    hub: Hub
    probe: Probe
    account: FeedAccount
    system: System
    feeds: list[WireFeed]

    @property
    def feed(self) -> WireFeed:
        return self.feeds[-1]


@asynccontextmanager
async def behind(
    url: str, *texts: str, name: str = "sim", upstream: str = "", token: str = "", make: Any = WireFeed
) -> AsyncGenerator[Behind]:
    hub, probe, account, feeds = Hub(InstrumentIds()), Probe(), FeedAccount(), list[WireFeed]()
    asked = topics(*(texts or (f"{name}/*/*",)))
    source = Source(name, asked, hub, hub.ids, account, backoff=QUICK, random=Random(1))

    def start() -> WireFeed:
        feeds.append(make(source, url, token, upstream))
        return feeds[-1]

    system = System(Supervisor((probe.spec, ChildSpec("feed", start, BOX)), intensity=5))
    hub.subscribe(system.ref("probe"), topics("*/*/*"))
    async with system:
        yield Behind(hub, probe, account, system, feeds)
