"""The exchange's end of the kit: listens on loopback, speaks bytes as they are, and answers questions over HTTP.

Written by hand, byte for byte, so that it can be as wrong as a test wants; it shares no code with `ticktree.net`.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Protocol, cast

from aiohttp import web

from ticktree.net import Framing

Scheme = Literal["ws", "tcp"]
Answer = bytes | int  # a body, or the status of a refusal

_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_MOST_READ = 1 << 20


class Script(Protocol):
    """What the exchange says by itself."""

    def on_open(self) -> Iterable[bytes]:
        """First of all, on a new connection."""
        ...

    def on_heard(self, message: bytes) -> Iterable[bytes]:
        """In answer."""
        ...

    def on_asked(self, path: str, query: Mapping[str, str]) -> Answer:
        """Over HTTP."""
        ...


class Client(asyncio.Protocol):
    """The exchange's end of one connection of the feed's."""

    def __init__(self, exchange: "Exchange") -> None:
        self.exchange = exchange
        self.heard: list[bytes] = []  # the request of a WebSocket's handshake first
        self.handshake = 1 if exchange.scheme == "ws" else 0  # of what was heard
        self.sent = 0  # bytes, since the handshake
        self.said = 0  # bytes of messages
        self.gone = False
        self._held = b""
        self._shaken = exchange.scheme != "ws"
        self._opened = False
        self._transport: asyncio.Transport | None = None

    # --- what tests do with it ---------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """`data` as it is."""
        if self._transport is not None and not self.gone:
            self._transport.write(data)
            self.sent += len(data)

    def say(self, *messages: bytes) -> None:
        """Messages, as the transport frames them."""
        self.said += sum(map(len, messages))
        self.send(b"".join(map(self.framed, messages)))

    def framed(self, message: bytes) -> bytes:
        """A message within a WebSocket's frame; those of streams have their framing already."""
        if self.exchange.scheme != "ws":
            return message
        opcode, length = _TEXT if self.exchange.text else _BINARY, len(message)
        size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2, "big")
        return bytes([0x80 | opcode]) + (size if length < 1 << 16 else b"\x7f" + length.to_bytes(8, "big")) + message

    def cut(self) -> None:
        """Drop the connection, with nothing that says so."""
        if self._transport is not None:
            self._transport.abort()

    def deafen(self) -> None:
        """Read nothing any more, and answer nothing: the other side of a network that lost the way."""
        if self._transport is not None:
            self._transport.pause_reading()

    # --- the loop's calls --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._shaken:
            self.data_received(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.exchange.changed()

    def data_received(self, data: bytes) -> None:
        try:
            self._take(data)
        except Exception as error:  # what the author's script raises
            self.exchange.fail(error)

    def _take(self, data: bytes) -> None:
        self._held += data
        if not self._shaken and not self._shake():
            return
        if not self._opened:
            self._open()
        for message in self._messages() if self.exchange.scheme == "ws" else self._frames():
            self.heard.append(message)
            self.say(*self.exchange.script.on_heard(message))
        self.exchange.changed()

    # --- WebSockets --------------------------------------------------------------------------------------------

    def _shake(self) -> bool:
        head, end, rest = self._held.partition(b"\r\n\r\n")
        if not end:
            return False
        lines = head.split(b"\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        accept = base64.b64encode(hashlib.sha1(fields[b"sec-websocket-key"] + _GUID).digest())
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        answer += b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        if self.exchange.spoilt:
            self.exchange.spoilt -= 1
            assert self._transport is not None
            self._transport.write(answer[: len(answer) // 2])
            self._transport.close()
            return False
        self.heard.append(lines[0])
        self._held, self._shaken = rest, True
        self.send(answer)
        return True

    def _open(self) -> None:
        self._opened = True
        self.sent = 0
        if self.exchange.scheme != "ws" and self.exchange.spoilt:
            self.exchange.spoilt -= 1
            self.cut()
            return
        self.exchange.clients.append(self)
        self.say(*self.exchange.script.on_open())
        self.exchange.changed()

    def _messages(self) -> Iterable[bytes]:
        while (frame := _cut(self._held)) is not None:
            opcode, payload, taken = frame
            self._held = self._held[taken:]
            if opcode == _PING:
                self.send(bytes([0x80 | _PONG, len(payload)]) + payload)
            elif opcode == _CLOSE and self._transport is not None:
                self._transport.write(bytes([0x80 | _CLOSE, len(payload)]) + payload)
                self._transport.close()
            elif opcode in (_TEXT, _BINARY):
                yield payload

    def _frames(self) -> Iterable[bytes]:
        framing = self.exchange.framing
        if framing is None:
            return
        frames, taken, error = framing.cut(memoryview(self._held), 0)
        assert error is None, f"what the feed says is not in its own framing: {error}"
        self._held = self._held[taken:]
        yield from map(bytes, frames)


def _cut(data: bytes) -> tuple[int, bytes, int] | None:
    """The opcode and payload of the first frame of a client's, and the bytes it takes; None while it is not whole."""
    if len(data) < 2:
        return None
    length, begin = data[1] & 127, 2
    if length > 125:
        begin += 2 if length == 126 else 8
        length = int.from_bytes(data[2:begin], "big")
    key, begin = data[begin : begin + 4], begin + 4
    if len(data) < begin + length:
        return None
    masked = data[begin : begin + length]
    repeated = (key * (length // 4 + 1))[:length]
    payload = bytes(one ^ other for one, other in zip(masked, repeated, strict=True))
    return data[0] & 15, payload, begin + length


class Exchange:
    """Listens for the feed. `spoilt`: so many of the next handshakes break off; `clients`: all that stood."""

    def __init__(self, scheme: Scheme, script: Script, changed: Callable[[], None]) -> None:
        self.scheme, self.script, self.changed = scheme, script, changed
        self.text = True
        self.framing: Framing | None = None
        self.clients: list[Client] = []
        self.asked: list[str] = []
        self.spoilt = 0
        self.error: Exception | None = None  # that the script raised
        self.url = self.rest_url = ""
        self._server: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None

    def fail(self, error: Exception) -> None:
        """The script itself is wrong: no test goes on."""
        self.error = self.error or error
        self.changed()

    def unframed(self, message: bytes) -> bytes:
        """What a decoder is handed of `message`."""
        frames = [] if self.framing is None else self.framing.cut(memoryview(message), 0)[0]
        return bytes(frames[0]) if frames else message

    async def open(self, answers: bool) -> None:
        """Listen; over HTTP also where it `answers` there."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Client(self), "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{self.scheme}://127.0.0.1:{port}" + ("/stream" if self.scheme == "ws" else "")
        if answers:
            app = web.Application()
            app.router.add_get("/{path:.*}", self._answer)
            self._runner = web.AppRunner(app, shutdown_timeout=0.1)
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", 0).start()
            host, port = self._runner.addresses[0]
            self.rest_url = f"http://{host}:{port}"

    async def close(self) -> None:
        """Listen no more."""
        for client in self.clients:
            client.cut()
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        try:
            answer = self.script.on_asked(request.path, request.query)
        except Exception as error:
            self.fail(error)
            answer = 500
        self.changed()
        if isinstance(answer, int):
            return web.Response(status=answer, text="the kit refuses")
        return web.Response(body=answer, content_type="application/json")
