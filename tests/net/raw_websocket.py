"""The other end of a WebSocket, written by hand, byte for byte; it shares no code with what it tests."""

import asyncio
import base64
import hashlib
import socket
from collections.abc import Iterable
from typing import NamedTuple

DEADLINE_S = 5.0
MASK = b"\x37\xfa\x21\x3d"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class Heard(NamedTuple):
    """One frame that came."""

    opcode: int
    payload: bytes
    fin: bool = True
    masked: bool = False

    @property
    def code(self) -> int | None:
        return int.from_bytes(self.payload[:2], "big") if len(self.payload) >= 2 else None


class Frame(NamedTuple):
    """One frame to send: as wrong as asked for. `masked` None: as the side has to."""

    opcode: int
    payload: bytes = b""
    fin: bool = True
    reserved: int = 0
    masked: bool | None = None
    length: int | None = None  # what the header claims
    length_bytes: int | None = None  # 0, 2 or 8 after the second byte

    def encode(self, masked: bool) -> bytes:
        masked = masked if self.masked is None else self.masked
        length = len(self.payload) if self.length is None else self.length
        first = (self.fin << 7) | (self.reserved << 4) | self.opcode
        width = self.length_bytes
        if width is None:
            width = 0 if length < 126 else 2 if length < 65536 else 8
        second = {0: length, 2: 126, 8: 127}[width] | (masked << 7)
        head = bytes([first, second]) + (length.to_bytes(width, "big") if width else b"")
        return head + (MASK + mask(self.payload, MASK) if masked else self.payload)


def mask(payload: bytes, key: bytes) -> bytes:
    n = len(payload)
    long_key = (key * (n // 4 + 1))[:n]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(long_key, "big")).to_bytes(n, "big")


def close(code: int, reason: bytes = b"") -> Frame:
    return Frame(CLOSE, code.to_bytes(2, "big") + reason)


class RawPeer:
    """One end of a connected socket; `client` says whose part it plays."""

    def __init__(self, sock: socket.socket, client: bool) -> None:
        self.sock, self._client = sock, client
        self._held = b""
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @classmethod
    async def dial(cls, url: str) -> "RawPeer":
        """Connect to `ws://host:port...`, without a word."""
        host, port = url.removeprefix("ws://").split("/")[0].split(":")
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
        return cls(sock, True)

    async def ask(self, path: str = "/", headers: Iterable[str] = (), host: str | None = None) -> bytes:
        """The client's handshake; the head of the answer."""
        name = host or "{}:{}".format(*self.sock.getpeername()[:2])
        lines = [f"GET {path} HTTP/1.1", f"Host: {name}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *headers]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        return await self.head()

    async def answer(self, status: str = "101 Switching Protocols", also: bytes = b"") -> bytes:
        """The server's handshake, `also` in the same write; the head of the request."""
        request = await self.head()
        (key,) = (
            line.split(": ")[1] for line in request.decode().split("\r\n") if line.startswith("Sec-WebSocket-Key")
        )
        accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
        lines = [f"HTTP/1.1 {status}", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}"]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode() + also)
        return request

    async def head(self) -> bytes:
        while b"\r\n\r\n" not in self._held:
            if not await self._receive():
                raise EOFError(self._held)
        head, self._held = self._held.split(b"\r\n\r\n", 1)
        return head

    async def body(self) -> str:
        """Everything until the end of the stream, as text."""
        while await self._receive():
            pass
        return self._held.decode()

    async def send(self, data: bytes, chop: int = 0) -> None:
        """All of it, in pieces of `chop` bytes with a turn of the loop between them; a peer that went is no error."""
        loop = asyncio.get_running_loop()
        step = chop or max(len(data), 1)
        try:
            for start in range(0, len(data), step):
                async with asyncio.timeout(DEADLINE_S):
                    await loop.sock_sendall(self.sock, data[start : start + step])
                if chop:
                    await asyncio.sleep(0)
        except (ConnectionError, BrokenPipeError):
            pass

    def encode(self, frames: Iterable[Frame]) -> bytes:
        return b"".join(frame.encode(self._client) for frame in frames)

    async def frame(self) -> Heard | None:
        """The next frame, or None at the end of the stream."""
        while (heard := self._cut()) is None:
            if not await self._receive():
                return None
        return heard

    async def rest(self, answer: bool = True) -> list[Heard]:
        """Every frame until the end of the stream. A close frame is answered, unless it is the answer itself."""
        heard: list[Heard] = []
        while (frame := await self.frame()) is not None:
            heard.append(frame)
            if frame.opcode == CLOSE and answer:
                await self.send(self.encode([Frame(CLOSE, frame.payload)]))
                self.end()
        return heard

    def end(self) -> None:
        """Write no more."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:  # the connection is gone
            pass

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Close with a reset in place of a goodbye."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.sock.close()

    async def _receive(self) -> bool:
        try:
            async with asyncio.timeout(DEADLINE_S):
                data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
        except ConnectionError:
            return False
        self._held += data
        return bool(data)

    def _cut(self) -> Heard | None:
        held = self._held
        if len(held) < 2:
            return None
        length, begin = held[1] & 127, 2
        if length > 125:
            begin += 2 if length == 126 else 8
            length = int.from_bytes(held[2:begin], "big")
        masked = bool(held[1] & 128)
        key, begin = (held[begin : begin + 4], begin + 4) if masked else (b"", begin)
        if len(held) < begin + length:
            return None
        payload, self._held = held[begin : begin + length], held[begin + length :]
        return Heard(held[0] & 15, mask(payload, key) if masked else payload, bool(held[0] & 128), masked)
