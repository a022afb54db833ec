"""Our end of a WebSocket against a raw one: what it heard, and what is left when it is over."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ticktree.net.address import Address
from ticktree.net.connection import Connection
from ticktree.net.websocket import WebSocketConnection
from ticktree.net.websocket_ends import WebSocketDoor, connect_websocket, listen_websocket
from ticktree.net.websocket_rules import LOCAL, USUAL, WebSocketLimits

from .raw_websocket import RawPeer

DEADLINE_S = 5.0
SIDES = ("client", "server")  # that ours is


class End:
    """A peer that writes down what happens to it; it checks the books at each call."""

    def __init__(self, on_message: Callable[[Any, bytes], None] = lambda connection, message: None) -> None:
        self.messages: list[bytes] = []
        self.calls: list[int] = []  # messages in each
        self.faults: list[Exception] = []
        self.opened = 0
        self.error: Exception | None = None
        self.lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._on_message = on_message
        self._changed = asyncio.Event()

    def on_open(self, connection: Connection) -> None:
        self.opened += 1
        self._changed.set()

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        assert self.error is None
        assert frames
        self.calls.append(len(frames))
        self.messages += [bytes(frame) for frame in frames]
        self._balanced(connection)
        self._changed.set()
        for frame in frames:
            self._on_message(connection, bytes(frame))

    def on_lost(self, connection: Connection, error: Exception) -> None:
        assert self.error is None, "lost twice"
        self.error = error
        self._balanced(connection)
        self.lost.set_result(error)
        self._changed.set()

    def on_fault(self, error: Exception) -> None:
        self.faults.append(error)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def has(self, count: int) -> None:
        """Until it was told of `count` messages."""
        await self.until(lambda: len(self.messages) >= count)

    def _balanced(self, connection: Connection) -> None:
        assert connection.bytes_in == sum(map(len, self.messages)) + connection.buffered


@asynccontextmanager
async def door(
    make: Callable[[], WebSocketConnection], url: str = "ws://127.0.0.1:0/", **options: Any
) -> AsyncGenerator[WebSocketDoor]:
    """A server of ours."""
    opened = await listen_websocket(Address.parse(url), make, **options)
    try:
        yield opened
    finally:
        async with asyncio.timeout(DEADLINE_S):
            await opened.close()


async def join(url: str, connection: WebSocketConnection, **options: Any) -> WebSocketConnection:
    """`connection`, connected to `url`."""
    await connect_websocket(Address.parse(url), connection, DEADLINE_S, **options)
    return connection


@asynccontextmanager
async def listener() -> AsyncGenerator[tuple[socket.socket, str]]:
    """A raw listening socket, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        yield sock, f"ws://127.0.0.1:{sock.getsockname()[1]}/"


@asynccontextmanager
async def pair(
    side: str, end: End, text: bool = True, limits: WebSocketLimits = USUAL, also: bytes = b"", **options: Any
) -> AsyncGenerator[tuple[WebSocketConnection, RawPeer]]:
    """Our end, connected, and the raw one. `also`: what a raw server writes with its handshake."""
    ours = WebSocketConnection(end, text=text, limits=limits, **options)
    if side == "server":
        async with door(lambda: ours, access=LOCAL, limits=limits) as opened:
            raw = await RawPeer.dial(opened.url)
            try:
                assert b" 101 " in (await raw.ask())
                yield ours, raw
            finally:
                raw.close()
        return
    async with listener() as (sock, url):
        dialling = asyncio.ensure_future(connect_websocket(Address.parse(url), ours, DEADLINE_S))
        raw = RawPeer((await asyncio.get_running_loop().sock_accept(sock))[0], client=False)
        await raw.answer(also=also)
        await dialling
        try:
            yield ours, raw
        finally:
            raw.close()
            async with asyncio.timeout(DEADLINE_S):
                await ours.close()
