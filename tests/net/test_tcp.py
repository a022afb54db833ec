"""Connections over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import pytest

from ticktree.net import BadAddress, Connection, PeerLost, Server, Unreachable, connect

DEADLINE_S = 5.0


class Lines:
    """A framing: what ends with a newline is a frame; `!` can be none."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def buffered(self) -> int:
        return len(self._rest)

    def split(self, data: bytes) -> Iterable[memoryview]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line == b"!":
                raise ValueError("no line")
            yield memoryview(line)


class End:
    """A peer that writes down what happens to it."""

    def __init__(self, fault: Callable[[bytes], None] = lambda _: None) -> None:
        self.happened: asyncio.Queue[Any] = asyncio.Queue()
        self._fault = fault

    def on_open(self, connection: Connection) -> None:
        self.happened.put_nowait(connection)

    def on_frames(self, connection: Connection, frames: Sequence[memoryview]) -> None:
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


@pytest.fixture
async def served() -> AsyncIterator[tuple[str, End]]:
    """An address, and the peer at its end of the one connection made to it."""
    end = End()
    server = Server(lambda: Connection(end, Lines()))
    yield await server.listen("tcp://127.0.0.1:0"), end
    await server.close()


async def open_to(url: str, end: End) -> Connection:
    connection: Connection = await connect(url, lambda: Connection(end, Lines()), DEADLINE_S)
    opened: Connection = await end.next()
    assert opened is connection
    return connection


async def test_frames_travel_both_ways(served: tuple[str, End]) -> None:
    url, there = served
    here = End()
    connection = await open_to(url, here)
    remote = await there.next()
    connection.write(b"one\ntwo\nhal")
    assert [await there.next(), await there.next()] == [b"one", b"two"]
    assert (remote.bytes_in, remote.buffered) == (11, 3)
    remote.write(b"answer\n")
    assert await here.next() == b"answer"


async def test_small_frames_are_not_held_back(served: tuple[str, End]) -> None:
    connection = await open_to(served[0], End())
    transport: Any = vars(connection)["_transport"]
    assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert transport.get_write_buffer_limits() == (64 * 1024, 256 * 1024)


async def test_closing_is_told_to_both_ends(served: tuple[str, End]) -> None:
    here = End()
    connection = await open_to(served[0], here)
    await served[1].next()
    await connection.close()
    assert "from this side" in str(await here.next())
    assert isinstance(await served[1].next(), PeerLost)
    await connection.close()


async def test_bytes_that_are_no_frames_end_the_connection_after_the_good_ones(served: tuple[str, End]) -> None:
    url, there = served
    connection = await open_to(url, End())
    await there.next()
    connection.write(b"good\n!\nnever seen\n")
    assert await there.next() == b"good"
    assert str(await there.next()) == "no line"


async def test_a_peer_that_raises_loses_its_connection_and_hears_of_its_fault() -> None:
    def fault(_: bytes) -> None:
        raise RuntimeError("a bug")

    there, here = End(fault), End()
    server = Server(lambda: Connection(there, Lines()))
    connection = await open_to(await server.listen("tcp://127.0.0.1:0"), here)
    await there.next()
    connection.write(b"x\n")
    assert await there.next() == b"x"
    kind, error = await there.next()
    assert (kind, str(error)) == ("fault", "a bug")
    assert await there.next() is error
    await server.close()


async def test_a_peer_that_does_not_read_pauses_the_writer(served: tuple[str, End]) -> None:
    url, there = served
    connection = await open_to(url, End())
    remote: Connection = await there.next()
    transport: Any = vars(remote)["_transport"]
    transport.pause_reading()
    while not connection.paused:
        connection.write(bytes(1 << 20))
    transport.resume_reading()
    connection.abort(PeerLost("enough"))


@pytest.mark.parametrize(
    "url", ["", "host:1", "http://host:1", "tcp://host", "tcp://:5", "tcp://host:x", "tcp://host:99999", "tcp://h:1/x"]
)
async def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadAddress, match="tcp://host:port"):
        await connect(url, lambda: Connection(End(), Lines()), 1.0)


async def test_nobody_listening_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unreachable, match=url):
            await connect(url, lambda: Connection(End(), Lines()), 1.0)


async def test_a_port_that_is_taken_is_named(served: tuple[str, End]) -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        await Server(lambda: Connection(End(), Lines())).listen(served[0])
