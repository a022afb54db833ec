"""Both ends of a connection for tests: a peer that writes down what happens to it, and the certificates of `tls/`."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ticktree.net import Connection, Framing, Lines, Server, StreamConnection, connect

DEADLINE_S = 5.0
TLS = Path(__file__).parent / "tls"
LINES = Lines(1024)


class End:
    """A peer that writes down what happens to it."""

    def __init__(self, fault: Callable[[bytes], None] = lambda _: None) -> None:
        self.happened: asyncio.Queue[Any] = asyncio.Queue()
        self._fault = fault

    def on_open(self, connection: Connection) -> None:
        self.happened.put_nowait(connection)

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        for frame in frames:
            self.happened.put_nowait(bytes(frame))
            self._fault(bytes(frame))

    def on_lost(self, connection: Connection, error: Exception) -> None:
        self.happened.put_nowait(error)

    def on_fault(self, error: Exception) -> None:
        self.happened.put_nowait(("fault", error))

    async def next(self) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            return await self.happened.get()

    async def until_lost(self) -> tuple[list[bytes], Exception]:
        """The frames up to the end, and why it ended."""
        frames: list[bytes] = []
        while not isinstance(heard := await self.next(), Exception):
            if isinstance(heard, bytes):
                frames.append(heard)
        return frames, heard


async def open_to(url: str, end: End, framing: Framing = LINES, tls: ssl.SSLContext | None = None) -> StreamConnection:
    """A connection to `url` that `end` has heard of."""
    connection = StreamConnection(end, framing)
    await connect(url, connection, DEADLINE_S, tls)
    opened: Connection = await end.next()
    assert opened is connection
    return connection


def lines_server(end: End, **options: Any) -> Server:
    """A server of one peer, for one connection."""
    return Server(lambda: StreamConnection(end, LINES), **options)


async def close(*ends: Connection | Server) -> None:
    """Close them one after another; the near end first, so that nothing is left to the loop's own end."""
    for end in ends:
        await end.close()


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop turns until `condition` holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # what is awaited tells nobody that it happened
            await asyncio.sleep(0)  # a turn, in which the loop looks at its sockets


def server_tls() -> ssl.SSLContext:
    """Of who is 127.0.0.1."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "server.pem", TLS / "server.key")
    return context


def client_tls() -> ssl.SSLContext:
    """Of who trusts the tests' authority, and nobody else."""
    return ssl.create_default_context(cafile=str(TLS / "ca.pem"))
