"""Makes connections; the address picks the way. What fails is told apart: the name, refusal, silence, trust."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from .address import Address
from .connection import CLOSE_S, Connection
from .errors import NameUnknown, NoAnswer, PeerLost, Refused, TlsFailed, Unreachable
from .stream import StreamConnection
from .websocket import WebSocketConnection
from .websocket_ends import connect_websocket


async def connect(url: str, connection: Connection, timeout_s: float, tls: ssl.SSLContext | None = None) -> None:
    """Connect `connection`, which is new, to `url`; its peer has heard `on_open` when this returns.

    `timeout_s` bounds the whole. `tls`: whom to trust on tls:// and wss://; default, the system's authorities, and the
    certificate must name the host. Raises `BadAddress`; `Unreachable`, of which `NameUnknown`, `Refused`, `NoAnswer`,
    `TlsFailed` and `HandshakeFailed` say more. Whatever it raises, the connection is `gone`.
    """
    address = Address.parse(url)
    connection.url = str(address)
    try:
        if isinstance(connection, WebSocketConnection) and address.is_websocket:
            await connect_websocket(address, connection, timeout_s, tls or (trust() if address.is_tls else None))
        elif isinstance(connection, StreamConnection) and not address.is_websocket:
            await _connect_stream(address, connection, asyncio.get_running_loop().time() + timeout_s, tls)
        else:
            raise TypeError(f"{address} cannot be reached by a {type(connection).__name__}")
    except Exception as error:
        connection.give_up(error)
        raise
    except asyncio.CancelledError:
        connection.give_up(PeerLost("broken off while it was made"))
        raise


@cache
def trust() -> ssl.SSLContext:
    """The system's authorities, host names checked. Read once: it takes 20 ms."""
    return ssl.create_default_context()


async def _connect_stream(
    address: Address, connection: StreamConnection, due_s: float, tls: ssl.SSLContext | None
) -> None:
    loop = asyncio.get_running_loop()
    if address.scheme == "unix":
        async with _named(address, due_s):
            await loop.create_unix_connection(lambda: connection, address.path)
        return
    found = await _resolve(address, due_s)
    failed: Unreachable = NameUnknown(address.url, "its name has no address")
    for place, where in enumerate(found):
        # The time is shared out, so that an address that swallows everything leaves some for the next.
        left_s = (due_s - loop.time()) / (len(found) - place)
        try:
            await _connect_one(address, where, connection, left_s, tls)
        except TlsFailed:
            raise
        except Unreachable as error:
            failed = error
        else:
            return
    raise failed


async def _resolve(address: Address, due_s: float) -> list[tuple[str, int]]:
    """Host, as a number, and port of each address of the name."""
    async with _named(address, due_s, NameUnknown):
        found = await asyncio.get_running_loop().getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return [(str(host), int(port)) for *_, (host, port, *_) in found]


async def _connect_one(
    address: Address, where: tuple[str, int], connection: StreamConnection, left_s: float, tls: ssl.SSLContext | None
) -> None:
    # Not with a socket of ours, connected before: when that transport closes early, uvloop and the socket both close
    # its descriptor, which by then may be somebody else's.
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {}
    if address.is_tls:
        options = {
            "ssl": tls or trust(),
            "server_hostname": address.host,
            "ssl_handshake_timeout": 0.9 * left_s,  # so that silence in it is told from silence before it
            "ssl_shutdown_timeout": CLOSE_S,
        }
    async with _named(address, loop.time() + left_s):
        await loop.create_connection(lambda: connection, *where, **options)


@asynccontextmanager
async def _named(address: Address, due_s: float, late: type[Unreachable] = NoAnswer) -> AsyncGenerator[None]:
    """What fails within, as an error of this room; `late` if it is not done when the loop's time is `due_s`."""
    try:
        async with asyncio.timeout_at(due_s):
            yield
    except OSError as error:  # TimeoutError and ssl.SSLError are
        kind = late if isinstance(error, TimeoutError) else _kind(address, error)
        raise kind(address.url, str(error) or "no answer in time") from error


def _kind(address: Address, error: OSError) -> type[Unreachable]:
    match error:
        case ConnectionRefusedError() | FileNotFoundError():
            return Refused
        case socket.gaierror():
            return NameUnknown
        case ssl.SSLError():
            return TlsFailed
        case ConnectionError() if address.is_tls:  # the handshake was broken off, or took too long
            return TlsFailed
        case _:
            return Unreachable
