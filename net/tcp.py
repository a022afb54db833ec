"""TCP connections and listeners: thin shells that hand frames to a peer object, and bound what they buffer."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Protocol, cast
from urllib.parse import urlsplit

from ticktree.actors import ReadTurns

from .errors import BadAddress, NetError, PeerLost, Unreachable
from .framing import Framing

HIGH_BYTES, LOW_BYTES = 256 * 1024, 64 * 1024  # uvloop's own low mark is 16 bytes
FILLED_BYTES = 256 * 1024  # what uvloop reads at once; so much means that more is waiting
CLOSE_S = 1.0


class Peer(Protocol):
    """Who looks after one end of a connection. Called within the loop's callbacks; it must not block."""

    def on_open(self, connection: "Connection") -> None:
        """Bytes may be written."""
        ...

    def on_frames(self, connection: "Connection", frames: Sequence[memoryview]) -> None:
        """The frames one read completed; views of bytes that stay valid as long as they are kept."""
        ...

    def on_lost(self, connection: "Connection", error: Exception) -> None:
        """The connection is gone. Called once, last."""
        ...

    def on_fault(self, error: Exception) -> None:
        """One of the above raised: a fault of the peer's own, which somebody has to own."""
        ...


class Connection(asyncio.Protocol):
    """One end of a TCP connection. `reads` opens a hand-off window around each read, where there is a runtime."""

    def __init__(self, peer: Peer, framing: Framing, reads: ReadTurns | None = None) -> None:
        self._peer, self._framing, self._reads = peer, framing, reads
        self._transport: asyncio.Transport | None = None
        self._error: Exception | None = None
        self._opened = False
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.paused = False  # the peer does not keep up: write no more until it is False again
        self.bytes_in = 0

    @property
    def buffered(self) -> int:
        """Bytes read whose frame is not complete."""
        return self._framing.buffered

    def write(self, data: bytes) -> None:
        """Queue bytes. Look at `paused` first: what a slow peer does not take stays in memory."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def abort(self, error: Exception) -> None:
        """Give the connection up, now, because of `error`."""
        self._error = self._error or error
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Send what is queued, then close; after a second without success, give up."""
        if self._transport is None or self.gone.done():
            return
        self._error = self._error or PeerLost("closed from this side")
        self._transport.close()
        await asyncio.wait([self.gone], timeout=CLOSE_S)
        if not self.gone.done():
            self._transport.abort()
            await asyncio.wait([self.gone], timeout=CLOSE_S)
        self.connection_lost(None)  # nothing to do, unless the loop forgot to

    # --- the loop's calls --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(HIGH_BYTES, LOW_BYTES)
        no_delay(self._transport)
        self._opened = True
        self._guard(lambda: self._peer.on_open(self))

    def data_received(self, data: bytes) -> None:
        if self._error is not None:  # given up; uvloop may still deliver what it had read
            return
        self.bytes_in += len(data)
        if self._reads is None:
            self._read(data)
            return
        self._reads.begin_read(len(data) >= FILLED_BYTES)
        try:
            self._read(data)
        finally:
            self._reads.end_read()

    def _read(self, data: bytes) -> None:
        frames: list[memoryview] = []
        wrong: Exception | None = None
        try:
            frames.extend(self._framing.split(data))
        except Exception as error:
            wrong = error
        if frames:
            self._guard(lambda: self._peer.on_frames(self, frames))
        if wrong is not None:
            self.abort(wrong)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False

    def connection_lost(self, exc: Exception | None) -> None:
        if self.gone.done():
            return
        self.gone.set_result(None)
        if self._error is None:
            self._error = PeerLost(f"the connection broke: {exc}" if exc else "the connection was closed")
        error = self._error
        if self._opened:
            self._guard(lambda: self._peer.on_lost(self, error))

    def _guard(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            self.abort(error)
            self._peer.on_fault(error)


class Server:
    """Listens, and gives each connection a peer of its own."""

    def __init__(self, accept: Callable[[], Connection]) -> None:
        self._accept = accept
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()

    async def listen(self, url: str) -> str:
        """Begin; the address that was bound (port 0 takes a free one). Raises `BadAddress`, `Unreachable`."""
        host, port = address(url)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._open, host, port)
        except OSError as error:
            raise Unreachable(url, str(error)) from error
        bound = self._server.sockets[0].getsockname()
        return f"tcp://{bound[0]}:{bound[1]}"

    def _open(self) -> Connection:
        connection = self._accept()
        self._connections.add(connection)
        connection.gone.add_done_callback(lambda _: self._connections.discard(connection))
        return connection

    async def close(self) -> None:
        """Take no more connections, and close those there are."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            await connection.close()


async def connect(url: str, make: Callable[[], Connection], timeout_s: float) -> Connection:
    """Connect to `url`. Raises `BadAddress`, `Unreachable`."""
    host, port = address(url)
    connection = make()
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().create_connection(lambda: connection, host, port)
    except TimeoutError as error:
        raise Unreachable(url, f"no answer within {timeout_s:g} s") from error
    except OSError as error:
        raise Unreachable(url, str(error)) from error
    except asyncio.CancelledError:
        connection.connection_lost(None)  # uvloop closes the transport and does not tell its protocol
        raise
    return connection


def address(url: str) -> tuple[str, int]:
    """Host and port of `tcp://host:port`. Raises `BadAddress`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadAddress(url, str(error)) from error
    if parts.scheme != "tcp":
        raise BadAddress(url, f"the scheme {parts.scheme!r} is not spoken")
    if not host or port is None or parts.path or parts.query:
        raise BadAddress(url, "it needs a host and a port, and nothing else")
    return host, port


def no_delay(transport: asyncio.Transport) -> None:
    """Send small frames at once; raises `NetError` where the socket would not."""
    sock = cast(socket.socket, transport.get_extra_info("socket"))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY):
        raise NetError("the socket does not take TCP_NODELAY")
