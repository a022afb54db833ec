"""How a WebSocket connection comes to be: the client's handshake, and the door of a server that checks who knocks."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from picows import WSHandshakeError, WSListener, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener

from .address import Address
from .connection import CLOSE_S
from .errors import CannotListen, HandshakeFailed, NameUnknown, NoAnswer, PeerLost, Refused, TlsFailed, Unreachable
from .websocket import WebSocketConnection
from .websocket_rules import LOCAL, USUAL, HandshakeRefused, WebSocketAccess, WebSocketLimits, upgrade_request
from .websocket_wire import Wire

_PORTS = {"ws": 80, "wss": 443}


async def connect_websocket(
    address: Address,
    connection: WebSocketConnection,
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Connect `connection`, which is new, to `address`; its peer has heard `on_open` when this returns.

    `timeout_s` bounds the whole. `tls`: default, the system's authorities. Proxies of the environment are not asked and
    redirects not followed. Raises `Unreachable`'s kinds, `HandshakeRefused` with the HTTP status among them; the
    connection is `gone` then.
    """
    wire = Wire(lambda *_: connection.reader, connection.limits.most_bytes, _host(address), address.path, headers)
    wire.connection = connection
    connection.url = connection.url or str(address)
    try:
        async with asyncio.timeout(timeout_s):
            await _handshake(address, wire, tls)
    except Exception as error:
        named = _named(address, error)
        connection.give_up(named)
        raise named from error
    except asyncio.CancelledError:
        connection.give_up(PeerLost("broken off while it was made"))
        raise


async def _handshake(address: Address, wire: Wire, tls: ssl.SSLContext | None) -> None:
    options: dict[str, Any] = {}
    if address.is_tls:
        context = tls or ssl.create_default_context()
        options = {"ssl": context, "server_hostname": address.host, "ssl_shutdown_timeout": CLOSE_S}
    await asyncio.get_running_loop().create_connection(lambda: wire, address.host, address.port, **options)
    await wire.wait_until_handshake_complete()
    if wire.listener is None:  # picows calls a handshake complete, too, that a closed connection ended
        raise HandshakeFailed(address.url, "it closed in the middle of the WebSocket handshake")


def _named(address: Address, error: Exception) -> Exception:
    url, why = address.url, str(error) or type(error).__name__
    match error:
        case Unreachable():
            return error
        case WSHandshakeError():
            status = None if error.response is None else int(error.response.status)
            return HandshakeRefused(url, status, ascii(why))
        case TimeoutError():
            return NoAnswer(url, "no answer in time")
        case ssl.SSLError():
            return TlsFailed(url, why)
        case socket.gaierror():
            return NameUnknown(url, why)
        case ConnectionRefusedError():
            return Refused(url, why)
        case OSError():
            return Unreachable(url, why)
        case _:
            return HandshakeFailed(url, why)


def _host(address: Address) -> str:
    """The `Host` header: RFC 9110, 7.2."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return host if address.port == _PORTS[address.scheme] else f"{host}:{address.port}"


class WebSocketDoor:
    """Makes the protocols of a listening socket: `create_server(door.knock, ...)`, then say where it is `bound`.

    Each request is checked (`WebSocketAccess`) before `accept` makes a connection for its path. A handshake is
    bounded in time (`access.handshake_s`) and size (16 KiB, by picows). Frames above `limits` are refused before they
    are allocated; then the connection's own limits hold.
    """

    def __init__(
        self,
        accept: Callable[[str], WebSocketConnection],
        paths: Collection[str] = ("/",),
        access: WebSocketAccess = LOCAL,
        limits: WebSocketLimits = USUAL,
    ) -> None:
        self._accept, self._paths, self._access, self._limits = accept, paths, access, limits
        self._wires: set[ServerWire] = set()
        self.bound: tuple[str, int] = ("", 0)  # host and port
        self.url = ""
        self.server: asyncio.Server | None = None

    def knock(self) -> "ServerWire":
        """The protocol of one more connection."""
        return ServerWire(self, self._limits.most_bytes, self._access.handshake_s)

    def admit(self, request: WSUpgradeRequest, wire: "ServerWire") -> WSListener | WSUpgradeResponseWithListener:
        """Whom picows shall tell of frames; or what it shall answer."""
        if len(request.headers.getall("Host", [])) != 1:
            return _refused(400, "there must be one Host")
        try:
            asked = upgrade_request(request.path, request.headers)
        except ValueError:
            return _refused(400, "the request target is no path")
        refusal = self._access.refusal(asked, self._paths, self.bound)
        if refusal is not None:
            return _refused(*refusal)
        try:
            connection = self._accept(asked.path)
        except Exception as error:  # ours, and nobody else would hear of it; picows would tell the client
            asyncio.get_running_loop().call_exception_handler({"message": "no connection was made", "exception": error})
            return _refused(500, "no connection could be made")
        connection.url = connection.url or self.url
        wire.serve(connection)
        return connection.reader

    async def close(self) -> None:
        """Take no more connections, and close those there are, all at once; bounded."""
        if self.server is not None:
            self.server.close()
        closing = [asyncio.ensure_future(wire.close()) for wire in tuple(self._wires)]
        if closing:
            await asyncio.wait(closing)

    def entered(self, wire: "ServerWire") -> None:
        """A transport stands."""
        self._wires.add(wire)

    def left(self, wire: "ServerWire") -> None:
        """It is gone."""
        self._wires.discard(wire)


class ServerWire(Wire):
    """The protocol of one connection to a server; without a connection of ours until its handshake is done."""

    def __init__(self, door: WebSocketDoor, most_bytes: int, handshake_s: float) -> None:
        super().__init__(self._admit, most_bytes)
        self._door, self._handshake_s = door, handshake_s
        self._late: asyncio.TimerHandle | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._door.entered(self)
        # Also ends one that was refused and does not take its answer.
        self._late = asyncio.get_running_loop().call_later(self._handshake_s, self._drop)
        super().connection_made(transport)

    def _admit(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener:
        return self._door.admit(request, self)

    def serve(self, connection: WebSocketConnection) -> None:
        """The request is in order: `connection` is made of it."""
        self.connection = connection
        if self._late is not None:
            self._late.cancel()
        if self.bare is not None:
            connection.connected(self, self.bare)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.left(self)
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)
        if not self.gone.done():
            self.gone.set_result(None)

    async def close(self) -> None:
        """Bounded."""
        if self.connection is not None:
            await self.connection.close()
        self._drop()
        await asyncio.wait([self.gone], timeout=CLOSE_S)

    def _drop(self) -> None:
        if self.bare is not None:
            self.bare.abort()


def _refused(status: int, why: str) -> WSUpgradeResponseWithListener:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    body = f"{why}\n".encode("ascii", "backslashreplace")
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(status, body, headers), None)


async def listen_websocket(
    address: Address,
    accept: Callable[[], WebSocketConnection],
    tls: ssl.SSLContext | None = None,
    access: WebSocketAccess = LOCAL,
    limits: WebSocketLimits = USUAL,
) -> WebSocketDoor:
    """Listen at `address` (port 0 takes a free one); the door says the `url`, and is to be closed.

    Raises `CannotListen`. That a door beyond loopback asks for a token (`access.authorise`) is the caller's to see to.
    """
    door = WebSocketDoor(lambda _: accept(), (address.path.partition("?")[0],), access, limits)
    options: dict[str, Any] = {}
    if tls is not None:
        options = {"ssl": tls, "ssl_handshake_timeout": access.handshake_s, "ssl_shutdown_timeout": CLOSE_S}
    try:
        door.server = await asyncio.get_running_loop().create_server(door.knock, address.host, address.port, **options)
    except OSError as error:
        raise CannotListen(address.url, str(error)) from error
    host, port = cast(tuple[str, int], door.server.sockets[0].getsockname()[:2])
    door.bound, door.url = (address.host, port), address.bound(host, port)
    return door
