"""An aiohttp application at one socket: so many connections at once, and a bounded end."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

MOST_CONNECTIONS = 64  # a program that only connects must not use up the process's file descriptors
MOST_BYTES = 65_536  # of a request's body
BACKLOG = 64
SHUTDOWN_S = 0.5  # what a request that is being answered is given at the end
LINGER_S = 1.0  # for the rest of a body that nobody reads

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """Serves `application` from `open` to `close`. `connections`: there are so many now."""

    def __init__(self, application: web.Application) -> None:
        self._runner = web.AppRunner(
            application, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S, lingering_time=LINGER_S
        )
        self._server: asyncio.Server | None = None

    async def open_unix(self, sock: socket.socket) -> None:
        """Serve at a socket that is bound; it is closed with the site."""
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_unix_server(self._accept, sock=sock, backlog=BACKLOG)

    async def open_tcp(self, host: str, port: int) -> int:
        """Serve there, and return the port that was bound. Raises `OSError`."""
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(self._accept, host, port, backlog=BACKLOG)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Take no more connections, and end those there are, within about `SHUTDOWN_S`."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    @property
    def connections(self) -> int:
        """How many there are now."""
        server = self._runner.server
        return len(server.connections) if server is not None else 0

    def _accept(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        if server is None or self.connections >= MOST_CONNECTIONS:
            return _TurnedAway()
        return server()


class _TurnedAway(asyncio.Protocol):
    """One connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
