"""Binance as it was recorded, over real HTTP and WebSocket on loopback, with a book of its own to answer from.

The exchange's time is `now`: how many of the recorded messages it has told. `tell` moves it on. A question for a
snapshot is answered as of now, or as of an earlier or later time that the test puts into `times`.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import cache
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
from aiohttp import WSMsgType, web

from ..probe import DEADLINE_S
from ..recordings import recording

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Json = dict[str, Any]


@cache
def capture() -> tuple[list[tuple[Json, str]], dict[str, Json], Json]:
    """The messages that came, parsed and as text; snapshots by symbol; the definitions."""
    lines = list(recording("binance"))
    messages = [(json.loads(line.data), line.data) for line in lines if line.kind == "received"]
    answers = {urlsplit(line.url): line.data for line in lines if line.kind == "http"}
    snapshots = {
        parse_qs(url.query)["symbol"][0]: json.loads(data) for url, data in answers.items() if "depth" in url.path
    }
    return messages, snapshots, next(json.loads(data) for url, data in answers.items() if "exchangeInfo" in url.path)


class ReferenceBook:
    """A book kept by the exchange's own rules, in texts and decimals: nothing of it is shared with the program."""

    def __init__(self, snapshot: Json) -> None:
        self.last: int = snapshot["lastUpdateId"]
        self.bids = {Decimal(price): Decimal(size) for price, size in snapshot["bids"]}
        self.asks = {Decimal(price): Decimal(size) for price, size in snapshot["asks"]}

    def take(self, update: Json) -> None:
        if update["u"] <= self.last:
            return
        assert update["U"] <= self.last + 1
        self.last = update["u"]
        for side, levels in ((self.bids, update["b"]), (self.asks, update["a"])):
            for price, size in levels:
                if Decimal(size):
                    side[Decimal(price)] = Decimal(size)
                else:
                    side.pop(Decimal(price), None)

    def answer(self) -> Json:
        bids = [[f"{price:f}", f"{self.bids[price]:f}"] for price in sorted(self.bids, reverse=True)]
        asks = [[f"{price:f}", f"{self.asks[price]:f}"] for price in sorted(self.asks)]
        return {"lastUpdateId": self.last, "bids": bids, "asks": asks}

    def floats(self) -> tuple[dict[float, float], dict[float, float]]:
        bids, asks = ({float(price): float(size) for price, size in side.items()} for side in (self.bids, self.asks))
        return bids, asks

    def top(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        bid, ask = max(self.bids), min(self.asks)
        return bid, self.bids[bid], ask, self.asks[ask]


@attrs.define(eq=False)
class Client:
    socket: web.WebSocketResponse
    request: web.Request
    streams: set[str]


class RecordedBinance:
    def __init__(self) -> None:
        self.messages, self.snapshots, self.listing = capture()
        self.now = 0
        self.times = deque[int]()  # as of when the next questions for snapshots are answered
        self.open = asyncio.Event()  # snapshots are answered while it is set
        self.open.set()
        self.answers: dict[str, Answer] = {"/api/v3/depth": self.depth, "/api/v3/exchangeInfo": self.info}
        self.asked: list[str] = []
        self.clients: list[Client] = []
        self.requests: list[Json] = []  # what clients said over WebSockets
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.rest_url = self.url = ""

    async def __aenter__(self) -> "RecordedBinance":
        app = web.Application()
        app.router.add_get("/stream", self._stream)
        app.router.add_get("/{path:.*}", self._asked)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0]
        self.rest_url, self.url = f"http://{host}:{port}", f"ws://{host}:{port}/stream"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        self.open.set()
        await self.cut()
        await self._runner.cleanup()

    # --- what tests do with it ---------------------------------------------------------------------------------

    async def tell(self, count: int | None = None) -> None:
        """Send the next messages, all that are left unless told, to whoever asked for their streams."""
        end = len(self.messages) if count is None else self.now + count
        for message, text in self.messages[self.now : end]:
            for client in self.clients:
                if message["stream"] in client.streams:
                    await client.socket.send_str(text)
        self.now = end

    async def say(self, text: str) -> None:
        """Send something that was never recorded."""
        for client in self.clients:
            await client.socket.send_str(text)

    async def cut(self) -> None:
        """Reset all connections."""
        clients, self.clients = self.clients, []
        for client in clients:
            assert client.request.transport is not None
            client.request.transport.abort()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a client connects, asks or says something that makes it true."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(condition)

    def book(self, symbol: str, now: int | None = None) -> ReferenceBook:
        """What the book was."""
        book = ReferenceBook(self.snapshots[symbol])
        for message, _ in self.messages[: self.now if now is None else now]:
            if message["stream"] == f"{symbol.lower()}@depth@100ms":
                book.take(message["data"])
        return book

    # --- HTTP --------------------------------------------------------------------------------------------------

    async def _asked(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        await self._change()
        answer = self.answers.get(request.path)
        return web.Response(status=404) if answer is None else await answer(request)

    async def depth(self, request: web.Request) -> web.StreamResponse:
        assert request.query["limit"] == "1000"
        await self.open.wait()
        now = self.times.popleft() if self.times else self.now
        return web.json_response(self.book(request.query["symbol"], now).answer())

    async def info(self, request: web.Request) -> web.StreamResponse:
        wanted = json.loads(request.query.get("symbols", "null"))
        if wanted is None:
            return web.json_response(self.listing)
        listed = [entry for entry in self.listing["symbols"] if entry["symbol"] in wanted]
        if len(listed) < len(wanted):
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        return web.json_response({**self.listing, "symbols": listed})

    # --- WebSocket ---------------------------------------------------------------------------------------------

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        streams = set(filter(None, request.query.get("streams", "").split("/")))
        client = Client(socket, request, streams)
        self.clients.append(client)
        await self._change()
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._subscribe(client, json.loads(message.data))
        if client in self.clients:
            self.clients.remove(client)
            await self._change()
        return socket

    async def _subscribe(self, client: Client, request: Json) -> None:
        self.requests.append(request)
        client.streams |= set(request["params"])
        await client.socket.send_str(json.dumps({"result": None, "id": request["id"]}))
        await self._change()

    async def _change(self) -> None:
        async with self._changed:
            self._changed.notify_all()
