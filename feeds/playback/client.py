"""One client of the recorded exchange: what it is still to be sent, in order, and how it is broken off."""

import asyncio
import socket
import struct
from collections import deque

from aiohttp import WSCloseCode, web

from .particular import Listener

READ = b"all was read"
ROOM = 1 << 20  # characters that may wait for a client before time waits for it

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what was not sent is dropped, and the peer is reset


class Client:
    """What is said to it waits in a queue of its own, so that answers and messages keep their order."""

    def __init__(self, websocket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.websocket, self.listener, self.open = websocket, Listener(), True
        self._transport = transport
        self._outbox = deque[str]()
        self._waiting = 0
        self._more, self._less, self._ponged = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether it has to read before it is told more."""
        return self._waits(ROOM)

    def say(self, text: str) -> None:
        """Send it as soon as what was said before has been sent."""
        self._outbox.append(text)
        self._waiting += len(text)
        self._more.set()

    async def room(self, patience_s: float, most: int = ROOM) -> None:
        """Wait until no more than `most` characters wait; who reads nothing for so long is broken off."""
        try:
            while self._waits(most):
                self._less.clear()
                async with asyncio.timeout(patience_s):
                    await self._less.wait()
        except TimeoutError:
            self.reset()

    def _waits(self, most: int) -> bool:
        return self.open and self._waiting > most

    async def write(self) -> None:
        """Send what is said, until the client is gone."""
        try:
            while True:
                while self._outbox:
                    text = self._outbox[0]
                    await self.websocket.send_str(text)
                    self._outbox.popleft()
                    self._waiting -= len(text)
                    self._less.set()
                self._more.clear()
                await self._more.wait()
        except ConnectionError:  # also what aiohttp raises for a transport that closes
            self.close()

    def reset(self, beginning: bytes = b"") -> None:
        """Break it off at once, in the middle of a message if `beginning` holds any of one."""
        if self.open and not self._transport.is_closing():
            if beginning and self._transport.get_write_buffer_size() == 0:
                self._transport.write(beginning)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        self.close()

    async def read(self, patience_s: float) -> None:
        """Wait until it has read all that was said: it answers a ping behind it. Who does not is broken off."""
        await self.room(patience_s, most=0)
        if not self.open:
            return
        self._ponged.clear()
        try:
            async with asyncio.timeout(patience_s):
                await self.websocket.ping(READ)
                await self._ponged.wait()
        except (ConnectionError, TimeoutError):
            self.reset()

    def ponged(self, payload: bytes) -> None:
        """It answered a ping; others than ours have no such payload."""
        if payload == READ:
            self._ponged.set()

    async def part(self, patience_s: float) -> None:
        """Close it when all was sent (RFC 6455, 7.4.1: an endpoint goes away); who does not answer is broken off."""
        try:
            async with asyncio.timeout(patience_s):
                await self.room(patience_s, most=0)
                await self.websocket.close(code=WSCloseCode.GOING_AWAY, message=b"the recording has ended")
        except TimeoutError:
            self.reset()
        self.close()

    def close(self) -> None:
        """It is gone: nobody waits for it any more."""
        self.open = False
        self._less.set()
        self._ponged.set()


def frame(data: bytes) -> bytes:
    """A whole message of text as a server sends it (RFC 6455, 5.2)."""
    if len(data) < 126:
        return bytes((0x81, len(data))) + data
    if len(data) < 1 << 16:
        return b"\x81\x7e" + len(data).to_bytes(2, "big") + data
    return b"\x81\x7f" + len(data).to_bytes(8, "big") + data
