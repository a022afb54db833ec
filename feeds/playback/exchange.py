"""The recorded exchange: what was recorded, told again over real HTTP and WebSockets on loopback.

Time is the recording's, and counts in messages: `now` of them have been told. It stands still until the clients have
subscribed, and after a cut until they have subscribed again, so that nothing happens that nobody can hear. Where the
recording lacks messages, the connections are cut as well.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType

import attrs
from aiohttp import WSMsgType, web

from ticktree.actors import Clock, LiveClock

from ..recording import EntryKind
from .client import Client, frame
from .cuts import Cut, Cuts
from .errors import CannotListen, NothingRecorded
from .pace import Pace
from .particular import Answer, Books, Played

PATIENCE_S = 10.0  # what a client that does not read may keep the others waiting
BEAT_S = 1.0
MOST_SAID = 1 << 20  # bytes of one message of a client
MOST_CLIENTS = 256
KEPT = 10_000  # of what clients asked and said, the latest
AT_ONCE = 64  # messages told in one go, before the loop has its turn
LACKING = b'{"error":"neither in the recording nor known from it"}'
FULL = b'{"error":"too many connections"}'


@attrs.frozen
class Start:
    """When time begins: once `clients` clients with `streams` streams in all stand, and none came for `quiet_s`."""

    clients: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    streams: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    quiet_s: float = attrs.field(default=0.25, validator=attrs.validators.ge(0))


class RecordedExchange:
    """Serves `played` while its context is open. Raises `NothingRecorded`.

    speed  how many times as fast as it was recorded; None: as fast as clients read
    cuts   where connections are broken off
    start  what has to stand before time begins
    """

    def __init__(
        self,
        played: Played,
        speed: float | None = None,
        cuts: Cuts = Cuts(),  # noqa: B008  # frozen, as is the next
        start: Start = Start(),
        port: int = 0,
        clock: Clock | None = None,
    ) -> None:
        if not played.messages:
            raise NothingRecorded
        self.played, self.now = played, 0
        self.asked = deque[str](maxlen=KEPT)  # questions over HTTP: path and query
        self.requests = deque[str](maxlen=KEPT)  # what clients said over WebSockets
        self.clients: list[Client] = []
        self.connections = self.answered = self.cuts = 0
        self.waiting = True  # for clients to subscribe
        self.began_ns = 0  # when time began, monotonic; 0: it did not
        self._clock, self._port, self._start = clock or LiveClock(), port, start
        self._pace = Pace(self._clock, speed)
        self._planned = cuts.among(len(played.messages))
        self._paused = False
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._telling: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self.rest_url = self.url = ""

    async def __aenter__(self) -> "RecordedExchange":
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Listen, on loopback alone. Raises `CannotListen`."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._asked)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise CannotListen(self._port, os.strerror(error.errno) if error.errno else str(error)) from error
        host, port = self._runner.addresses[0]
        self.rest_url, self.url = f"http://{host}:{port}", f"ws://{host}:{port}{self.played.path}"
        self._telling = asyncio.create_task(self._tell(), name=f"{self.played.name}, recorded: telling")
        if self.played.heartbeat:
            self._beating = asyncio.create_task(self._beat(), name=f"{self.played.name}, recorded: heartbeats")

    async def close(self) -> None:
        """Break off whoever is there, and listen no more."""
        tasks = [task for task in (self._telling, self._beating) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()

    # --- what goes on --------------------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """How many messages there are to be told."""
        return len(self.played.messages)

    @property
    def streams(self) -> int:
        """How many subscriptions stand."""
        return sum(len(client.listener.streams) for client in self.clients)

    def books(self) -> Books:
        """The reference books as of now."""
        return self.played.books()

    async def ended(self) -> None:
        """Wait until everything was told, and handed to the sockets of those who are still there."""
        assert self._telling is not None
        await asyncio.shield(self._telling)
        await self._emptied()

    async def read(self) -> None:
        """Wait until everything was told, and read by those who are still there."""
        await self.ended()
        await asyncio.gather(*(client.read(PATIENCE_S) for client in self.clients))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that a client does, or a message that is told, makes it true."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    # --- by hand -------------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Let time stand still; `step` alone moves it."""
        self._paused = True

    def resume(self) -> None:
        """Let it go on."""
        self._paused = False
        self._begin()
        self._change()

    async def step(self, count: int | None = None) -> None:
        """Tell the next `count` messages, all that are left unless told, whatever the pace."""
        end = self.total if count is None else min(self.now + count, self.total)
        while self.now < end:
            self._next()
            await self._room()

    def skip(self, count: int) -> None:
        """The next `count` messages pass, and nobody hears them."""
        for entry in self.played.messages[self.now : self.now + count]:
            self.played.advance(entry)
            self.now += 1
        self._change()

    def say(self, text: str) -> None:
        """Send something that was never recorded, to everybody."""
        for client in self.clients:
            client.say(text)

    def cut(self, beginning: bytes = b"") -> None:
        """Reset all connections, after having sent `beginning`."""
        clients, self.clients = self.clients, []
        for client in clients:
            client.reset(beginning)

    async def part(self, patience_s: float) -> None:
        """Close all connections in the orderly way: clients read all there is, and then that it has ended."""
        clients, self.clients = self.clients, []
        await asyncio.gather(*(client.part(patience_s) for client in clients))

    # --- time ----------------------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        await self._started()
        cuts = iter(self._planned)
        cut = next(cuts, None)
        while True:
            await self.until(lambda: not self._paused or self.now >= self.total)
            if self.now >= self.total:
                return
            if cut is not None and self.now >= cut.at:
                await self._strike(cut)
                cut = next(cuts, None)
            elif self.played.messages[self.now].kind is EntryKind.HOLE:
                await self._strike(Cut(self.now, 0.0, missed=1))
            elif wait_s := self._pace.wait_s(self.played.messages[self.now].time_ns):
                await self._clock.sleep(wait_s)
                if not self._paused:
                    await self._turn(1)
            else:
                await self._turn(AT_ONCE if cut is None else min(AT_ONCE, cut.at - self.now))

    async def _started(self) -> None:
        start, seen = self._start, -1
        while True:
            await self.until(lambda: self._stand(start.clients, start.streams))
            if seen == (seen := self.streams):
                break
            await self._clock.sleep(start.quiet_s)
        self._go_on()

    def _go_on(self) -> None:
        """Those that time waited for are there."""
        self.waiting = False
        self.began_ns = self.began_ns or self._clock.monotonic_ns()
        self._begin()
        self._change()

    def _stand(self, clients: int, streams: int) -> bool:
        return sum(bool(client.listener.streams) for client in self.clients) >= clients and self.streams >= streams

    async def _beat(self) -> None:
        """While time stands still, clients are to know that the connection does not."""
        while True:
            before = self.now
            await self._clock.sleep(BEAT_S)
            if self.now == before:
                for client in self.clients:
                    if client.listener.streams and not client.full:
                        client.say(self.played.heartbeat)

    def _begin(self) -> None:
        if self.now < self.total:
            self._pace.begin(self.played.messages[self.now].time_ns)

    async def _turn(self, most: int) -> None:
        """Tell up to `most` messages that are due."""
        for entry in self.played.messages[self.now : self.now + most]:
            if self._pace.wait_s(entry.time_ns) or self._paused or entry.kind is EntryKind.HOLE:
                break
            self._next()
            await self._room()
        await asyncio.sleep(0)

    async def _strike(self, cut: Cut) -> None:
        await self._emptied()  # what is lost is what the sockets hold, as it is when a connection breaks
        standing, message = self.streams, frame(self.played.messages[self.now].data)
        self.cut(message[: int(len(message) * cut.part)])
        self.cuts += 1
        self.skip(cut.missed)
        self.waiting = True
        await self.until(lambda: self.streams >= standing)
        self._go_on()

    def _next(self) -> None:
        entry = self.played.messages[self.now]
        stream, text = self.played.advance(entry), entry.data.decode(errors="replace")
        self.now += 1
        if entry.kind is EntryKind.HOLE:  # nobody can be told what is missing
            self.cut()
        for client in self.clients:
            wanted = client.listener.streams
            if stream in wanted if stream is not None else wanted:
                client.say(text)
        self._changed.set()

    async def _room(self) -> None:
        for client in [client for client in self.clients if client.full]:
            await client.room(PATIENCE_S)

    async def _emptied(self) -> None:
        for client in tuple(self.clients):
            await client.room(PATIENCE_S, most=0)

    def _change(self) -> None:
        self._changed.set()

    # --- HTTP ----------------------------------------------------------------------------------------------------

    async def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """What a question is answered with."""
        return self.played.answer(path, query) or (404, LACKING)

    async def _asked(self, request: web.Request) -> web.StreamResponse:
        if request.path == self.played.path and "upgrade" in request.headers.get("Connection", "").lower():
            return await self._connected(request)
        self.asked.append(request.path_qs)
        self.answered += 1
        self._change()
        status, body = await self.answer(request.path, request.query)
        return web.Response(status=status, body=body, content_type="application/json")

    # --- WebSockets ----------------------------------------------------------------------------------------------

    async def _connected(self, request: web.Request) -> web.StreamResponse:
        if len(self.clients) >= MOST_CLIENTS:
            return web.Response(status=503, body=FULL, content_type="application/json")
        websocket = web.WebSocketResponse(compress=False, max_msg_size=MOST_SAID, autoping=False)
        await websocket.prepare(request)
        assert request.transport is not None
        client = Client(websocket, request.transport)
        for text in self.played.greeting(client.listener, request.query):
            client.say(text)
        self.clients.append(client)
        self.connections += 1
        self._change()
        writing = asyncio.create_task(client.write(), name=f"{self.played.name}, recorded: writing")
        try:
            await self._listen(client)
        finally:
            client.close()
            if client in self.clients:
                self.clients.remove(client)
            self._change()
            writing.cancel()
            await asyncio.wait([writing])
        return websocket

    async def _listen(self, client: Client) -> None:
        async for message in client.websocket:
            match message.type:
                case WSMsgType.TEXT:
                    self.requests.append(message.data)
                    for text in self.played.heard(client.listener, message.data):
                        client.say(text)
                    self._change()
                    await client.room(PATIENCE_S)
                case WSMsgType.PING:
                    await client.websocket.pong(message.data)
                case WSMsgType.PONG:
                    client.ponged(message.data)
                case _:
                    pass
