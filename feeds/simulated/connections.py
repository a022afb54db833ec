"""The exchange's connections, which can also break off in the middle of a message, as no well-meant one can."""

import asyncio
import socket
from abc import abstractmethod
from random import Random
from struct import pack

from ticktree.net import Connection, PeerLost, StreamConnection, WebSocketConnection

_RESET = pack("ii", 1, 0)  # SO_LINGER: closing drops what is not sent yet, and says so to the other side


class Breakable(Connection):
    """One that can be broken off."""

    @abstractmethod
    def _bytes(self, message: bytes) -> bytes:
        """What goes over the network for `message`."""

    def break_off(self, message: bytes, random: Random) -> None:
        """Write `message` up to any byte of it, then go: by closing or by a reset."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        data = self._bytes(message)
        transport.write(data[: random.randrange(len(data))])
        if random.random() < 0.5:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        loop = asyncio.get_running_loop()
        # uvloop writes at the end of its iteration, which may be after the next callback, but not after the second.
        loop.call_soon(loop.call_soon, self.abort, PeerLost("broken off on purpose"))


class BreakableStream(StreamConnection, Breakable):
    """Over TCP, a Unix socket or TLS."""

    def _bytes(self, message: bytes) -> bytes:
        return message


class BreakableWebSocket(WebSocketConnection, Breakable):
    """Over a WebSocket: one text message is one frame."""

    def _bytes(self, message: bytes) -> bytes:
        size = len(message)
        if size < 126:
            return pack(">BB", 0x81, size) + message
        return (pack(">BBH", 0x81, 126, size) if size < 65_536 else pack(">BBQ", 0x81, 127, size)) + message
