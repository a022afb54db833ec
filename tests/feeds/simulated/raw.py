"""A client of the simulated exchange that is no feed: it takes what comes, checks the numbers, and builds books."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import attrs
import numpy as np

from ticktree.actors import ChildSpec, Supervisor, System
from ticktree.feeds.simulated import Faults, Market, SimulatedExchange, Truth
from ticktree.market import Instrument, OrderBook, dialect, messages, wire
from ticktree.market.events import BookUpdate, Data
from ticktree.market.ticks import events
from ticktree.net import Connection, StreamConnection, WebSocketConnection, connect

from ...probe import BOX

DEADLINE_S = 10.0
FAST = Market(interval_s=0.002)
EVERYWHERE = ("tcp://127.0.0.1:0", "ws://127.0.0.1:0/")
BOTH = ("tcp", "ws")
NO_FAULTS = Faults()


class Client:
    """One connection's life. `said` is all that came, in order: messages, and data as events."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.said: list[Any] = []
        self.errors: list[Exception] = []
        self.books: dict[str, OrderBook] = {}
        self.beats = True
        self.follows = True  # whether updates must follow one another
        self.instruments: dict[str, Instrument] = {}
        self.reader, self.writer = wire.Reader(), wire.Writer()
        self.connection: Connection = (
            WebSocketConnection(self, text=True) if scheme == "ws" else StreamConnection(self, wire.Framing())
        )
        self._heard = asyncio.Event()

    # --- what tests do -----------------------------------------------------------------------------------------

    def say(self, *what: messages.Message) -> None:
        for message in what:
            if self.scheme == "ws":
                self.connection.write(dialect.encode(message))
            else:
                self.connection.write(self.writer.write(message))  # type: ignore[arg-type]  # none is the dialect's own

    def subscribe(self, *topics: str) -> None:
        self.say(messages.Subscribe(topics))

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._heard.clear()
                await self._heard.wait()

    async def get(self, wanted: type, count: int = 1) -> list[Any]:
        """Wait until so many of that type were said; these."""
        await self.until(lambda: len(self.of(wanted)) >= count)
        return self.of(wanted)

    async def gone(self) -> Exception:
        async with asyncio.timeout(DEADLINE_S):
            await self.connection.gone
        return self.errors[0]

    def of(self, wanted: type) -> list[Any]:
        return [one for one in self.said if isinstance(one, wanted)]

    def kinds(self) -> list[str]:
        """The types of what was said, each run of the same one once."""
        names = [type(one).__name__ for one in self.said]
        return [name for name, before in zip(names, ["", *names], strict=False) if name != before]

    # --- the connection's calls --------------------------------------------------------------------------------

    def on_open(self, connection: Connection) -> None:
        if self.scheme != "ws":  # a WebSocket answers pings
            asyncio.get_running_loop().call_later(wire.HEARTBEAT_S / 4, self._beat)

    def _beat(self) -> None:
        if self.beats and not self.connection.gone.done():
            self.say(messages.Heartbeat())
            asyncio.get_running_loop().call_later(wire.HEARTBEAT_S / 4, self._beat)

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        for frame in frames:
            self._take(dialect.decode(frame) if self.scheme == "ws" else self.reader.read(frame))
        self._heard.set()

    def on_lost(self, connection: Connection, error: Exception) -> None:
        self.errors.append(error)
        self._heard.set()

    def on_fault(self, error: Exception) -> None:
        self.errors.append(error)
        self._heard.set()

    def _take(self, message: Any) -> None:
        if isinstance(message, wire.TickRows):
            by_id = {instrument.id: instrument for instrument in self.instruments.values()}
            for event in events(np.array(message.ticks, copy=True), by_id, "sim"):
                self._data(event)
        elif isinstance(message, dialect.DATA):
            self._data(cast(Data, dialect.heard(message, self.instruments, 0)))
        else:
            if isinstance(message, messages.Instruments):
                self.instruments |= {instrument.name: instrument for instrument in message.instruments}
            self.said.append(message)

    def _data(self, event: Data) -> None:
        self.said.append(event)
        if isinstance(event, BookUpdate) and self.follows:
            book = self.books.setdefault(event.instrument.name, OrderBook())
            assert event.snapshot or event.first_sequence == book.sequence + 1, (event, book)
            book.apply(event)


@attrs.frozen
class Rig:
    """A running exchange, and whoever talks to it."""

    exchange: list[SimulatedExchange]
    system: System
    truth: Truth
    clients: list[Client]

    @property
    def now(self) -> SimulatedExchange:
        return self.exchange[-1]

    async def stranger(self, scheme: str) -> Client:
        """One that is connected and has said nothing."""
        client = Client(scheme)
        self.clients.append(client)
        await connect(self.now.urls[scheme], client.connection, DEADLINE_S)
        return client

    async def client(self, scheme: str, *topics: str, token: str = "") -> Client:
        """One that has said hello, and subscribed to `topics` if there are any."""
        client = await self.stranger(scheme)
        client.say(messages.Hello(token=token))
        if topics:
            client.subscribe(*topics)
        return client

    def narrow(self) -> None:
        """Let the kernel keep little of what is not read: on loopback it would take 6 MB, which is many steps."""
        ours: list[Any] = [client.connection for client in self.clients]
        theirs: list[Any] = [vars(client)["_connection"] for client in vars(self.now)["_clients"]]
        for connection in ours + theirs:
            sock = connection._transport.get_extra_info("socket")
            for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, buffer, 256 * 1024)

    def agrees(self, client: Client) -> bool:
        """Whether each of its books is the true one of its number."""
        return all(
            tuple(map(tuple, book.top(1_000))) == self.truth.book(name, book.sequence)
            for name, book in client.books.items()
        )


@asynccontextmanager
async def exchange(
    market: Market = FAST,
    faults: Faults = NO_FAULTS,
    listen: Sequence[str] = EVERYWHERE,
    token: str = "",
) -> AsyncGenerator[Rig]:
    made: list[SimulatedExchange] = []

    def make() -> SimulatedExchange:
        made.append(SimulatedExchange("sim", market, listen, faults, token))
        return made[-1]

    tree = Supervisor((ChildSpec("exchange", make, BOX),), intensity=5)
    async with System(tree, watchdog_s=0) as system:  # working out the truth blocks the loop, and that is fine
        rig = Rig(made, system, Truth("sim", market), [])
        try:
            yield rig
        finally:
            for client in rig.clients:
                await client.connection.close()
