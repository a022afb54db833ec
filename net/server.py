"""Listens, and gives each connection a peer of its own: so many at once, and beyond loopback with a token only."""

import asyncio
import os
import socket
import ssl
import stat
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Protocol

from .address import Address
from .connection import CLOSE_S, Connection
from .errors import CannotListen, PeerLost, TokenNeeded
from .stream import StreamConnection
from .websocket import WebSocketConnection
from .websocket_ends import WebSocketDoor
from .websocket_rules import WebSocketAccess, WebSocketLimits

MOST_CONNECTIONS: Final = 4096
HANDSHAKE_S: Final = 5.0  # for the TLS handshake of who connects
LINGER_S: Final = 1.0  # after which a handshake that was given up is over
BACKLOG: Final = 1024


class Guest(Protocol):
    """Who takes a place."""

    gone: asyncio.Future[None]

    async def close(self) -> None:
        """Bounded."""
        ...


class Server:
    """Listens at one address. `accept` makes the connection, with its peer, for each one who connects.

    A WebSocket listener may serve several paths: `below` makes the connections of those that stand below the address'
    own, by the rest of their path ("json" for ws://host/json, where it listens at ws://host/).

    Out of file descriptors nothing spins: uvloop takes the connections that it cannot keep, and closes them; asyncio's
    own loop lets them wait and looks again after a second.
    """

    def __init__(
        self,
        accept: Callable[[], Connection],
        tls: ssl.SSLContext | None = None,
        token: str | None = None,
        most_connections: int = MOST_CONNECTIONS,
        access: WebSocketAccess = WebSocketAccess(),  # noqa: B008  # frozen
        below: Mapping[str, Callable[[], Connection]] = MappingProxyType({}),
    ) -> None:
        """`token`: what the peers, or `access`, ask of who connects; the server only sees to it that there is one."""
        self._accept, self._tls, self._token, self._most = accept, tls, token or None, most_connections
        self._access, self._below = access, below
        self._server: asyncio.Server | None = None
        self._socket_file: tuple[str, int] | None = None  # and its inode
        self._guests: set[Guest] = set()
        self.url = ""  # where it listens
        self.refused = 0  # connections closed at once because there were enough

    @property
    def connections(self) -> int:
        """How many there are, those within their TLS handshake included."""
        return len(self._guests)

    async def listen(self, url: str) -> str:
        """Begin; the address that was bound (port 0 takes a free one). Raises `BadAddress`, `CannotListen`."""
        address = Address.parse(url)
        if self._server is not None:
            raise CannotListen(url, f"it listens already, at {self.url}")
        if address.is_tls != (self._tls is not None):
            why = (
                "it needs a certificate: Server(..., tls=...)" if address.is_tls else "its bytes would not be encrypted"
            )
            raise CannotListen(url, why)
        if not address.is_loopback and self._token is None:
            raise TokenNeeded(url)
        try:
            self.url = await self._bind(address)
        except OSError as error:
            raise CannotListen(url, str(error)) from error
        return self.url

    def shut(self) -> None:
        """Take no more connections; those there are stay."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._socket_file is not None:
            _unlink(*self._socket_file)
            self._socket_file = None

    async def close(self) -> None:
        """Take no more connections, and close those there are, all at once."""
        self.shut()
        closing = [asyncio.ensure_future(guest.close()) for guest in self._guests]
        if closing:
            await asyncio.wait(closing)

    async def _bind(self, address: Address) -> str:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {"backlog": BACKLOG}
        if self._tls is not None:
            options |= {"ssl": self._tls, "ssl_handshake_timeout": HANDSHAKE_S, "ssl_shutdown_timeout": CLOSE_S}
        if address.scheme == "unix":
            sock = _unix_socket(address)
            self._socket_file = address.path, os.stat(address.path).st_ino
            self._server = await loop.create_unix_server(self._open_stream, sock=sock, **options)
            return address.url
        door = self._door(address.path.partition("?")[0])
        make = partial(self._open_websocket, door) if address.is_websocket else self._open_stream
        self._server = await loop.create_server(make, address.host, address.port, **options)
        host, port, *_ = self._server.sockets[0].getsockname()
        door.bound, door.url = (address.host, port), address.bound(host, port)
        return door.url

    def _door(self, path: str) -> WebSocketDoor:
        made = {f"{path.rstrip('/')}/{rest}": accept for rest, accept in self._below.items()} | {path: self._accept}
        limits = WebSocketLimits(self._access.most_bytes)
        return WebSocketDoor(lambda path: self._accept_websocket(made[path]), made, self._access, limits)

    def _open_stream(self) -> asyncio.BaseProtocol:
        if self._is_full():
            return _TurnedAway()
        connection = self._accept()
        if not isinstance(connection, StreamConnection):
            raise TypeError(f"{self.url} cannot be served by a {type(connection).__name__}")
        connection.url = self.url
        self._admit(connection, lambda: connection.opened)
        return connection

    def _open_websocket(self, door: WebSocketDoor) -> asyncio.BaseProtocol:
        if self._is_full():
            return _TurnedAway()
        wire = door.knock()
        self._admit(wire, lambda: wire.bare is not None)
        return wire

    def _accept_websocket(self, accept: Callable[[], Connection]) -> WebSocketConnection:
        connection = accept()
        if not isinstance(connection, WebSocketConnection):
            raise TypeError(f"{self.url} cannot be served by a {type(connection).__name__}")
        if self._server is None:
            connection.abort(PeerLost("closed from this side"))
        return connection

    def _is_full(self) -> bool:
        full = len(self._guests) >= self._most
        self.refused += full
        return full

    def _admit(self, guest: "Guest", opened: Callable[[], bool]) -> None:
        self._guests.add(guest)
        guest.gone.add_done_callback(lambda _: self._guests.discard(guest))
        if self._tls is not None:  # of a TLS handshake that fails, the loop tells its protocol nothing
            asyncio.get_running_loop().call_later(HANDSHAKE_S + LINGER_S, self._forget_unopened, guest, opened)

    def _forget_unopened(self, guest: "Guest", opened: Callable[[], bool]) -> None:
        if not opened():
            self._guests.discard(guest)


class _TurnedAway(asyncio.Protocol):
    """One connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _unix_socket(address: Address) -> socket.socket:
    """A socket bound to the file, for its owner alone. Nobody can connect before it listens, so nobody is too early."""
    path = address.path
    _remove_stale(address)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        os.chmod(path, 0o600)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(address: Address) -> None:
    """Remove the socket file of a process that died. Raises `CannotListen` if it is none, or if somebody answers."""
    try:
        status = os.lstat(address.path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise CannotListen(address.url, "there is a file in its place, which is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a full backlog is an answer, too
        try:
            probe.connect(address.path)
        except ConnectionRefusedError:
            _unlink(address.path, status.st_ino)
            return
        except BlockingIOError:
            pass
    raise CannotListen(address.url, "somebody listens there")


def _unlink(path: str, inode: int) -> None:
    """Remove the file, unless it is another one by now."""
    try:
        if os.lstat(path).st_ino == inode:
            os.unlink(path)
    except FileNotFoundError:
        pass
