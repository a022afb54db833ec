"""What holds for every connection, shown on Unix sockets: who looks after it may fail at any time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ticktree.net import Connection, PeerLost, Server, StreamConnection, connect

from .ends import DEADLINE_S, LINES, End, close, lines_server, open_to, until


class Faulty(End):
    """Raises where it is told to."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    def _raise_in(self, where: str) -> None:
        if where == self._where:
            raise RuntimeError(f"a bug in {where}")

    def on_open(self, connection: Connection) -> None:
        super().on_open(connection)
        self._raise_in("on_open")

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        super().on_frames(connection, frames, more)
        self._raise_in("on_frames")

    def on_lost(self, connection: Connection, error: Exception) -> None:
        super().on_lost(connection, error)
        self._raise_in("on_lost")


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable[[End], Any]]:
    """Listens for one peer."""
    servers: list[Server] = []

    async def listen(end: End) -> str:
        servers.append(lines_server(end))
        return await servers[-1].listen(f"unix://{tmp_path}/{len(servers)}")

    yield listen
    for server in servers:
        await server.close()


@pytest.mark.parametrize("where", ["on_open", "on_frames"])
async def test_a_peer_that_raises_loses_its_connection_and_hears_of_its_fault(where: str, serve: Any) -> None:
    there, here = Faulty(where), End()
    connection = await open_to(await serve(there), here)
    remote: Connection = await there.next()
    if where == "on_frames":
        connection.write(b"x\n")
        assert await there.next() == b"x"
    kind, error = await there.next()
    assert (kind, str(error)) == ("fault", f"a bug in {where}")
    assert await there.next() is error
    assert remote.gone.done()
    assert isinstance(await here.next(), PeerLost)


async def test_a_fault_in_the_last_call_is_heard_of_too(serve: Any) -> None:
    there, here = Faulty("on_lost"), End()
    connection = await open_to(await serve(there), here)
    await there.next()
    connection.abort(PeerLost("cut"))
    assert isinstance(await there.next(), PeerLost)
    assert str((await there.next())[1]) == "a bug in on_lost"


async def test_the_first_reason_to_end_is_the_one_told(serve: Any) -> None:
    here = End()
    connection = await open_to(await serve(End()), here)
    connection.abort(PeerLost("first"))
    connection.abort(PeerLost("second"))
    await connection.close()
    assert str(await here.next()) == "first"
    assert here.happened.empty()


async def test_closing_is_told_to_both_ends_once(serve: Any) -> None:
    here, there = End(), End()
    connection = await open_to(await serve(there), here)
    await there.next()
    await connection.close()
    assert "from this side" in str(await here.next())
    assert isinstance(await there.next(), PeerLost)
    await connection.close()
    connection.abort(PeerLost("late"))
    connection.write(b"nobody\n")
    assert here.happened.empty()


async def test_what_is_queued_goes_out_before_a_close(serve: Any) -> None:
    here, there = End(), End()
    connection = await open_to(await serve(there), here)
    for _ in range(1000):
        connection.write(b"x" * 999 + b"\n")
    await connection.close()
    frames, _ = await there.until_lost()
    assert len(frames) == 1000


async def test_a_close_gives_up_on_a_peer_that_does_not_read(serve: Any) -> None:
    here, there = End(), End()
    connection = await open_to(await serve(there), here)
    remote: Connection = await there.next()
    remote.pause_reading()
    while not connection.paused:
        connection.write(bytes(1 << 20))
    async with asyncio.timeout(DEADLINE_S):
        await connection.close()
    assert connection.gone.done()
    assert "from this side" in str(await here.next())


async def test_a_connection_that_never_stood_closes_silently() -> None:
    end = End()
    connection = StreamConnection(end, LINES)
    await connection.close()
    assert connection.gone.done()
    assert end.happened.empty()


async def test_a_connection_given_up_before_it_stands_never_opens(serve: Any) -> None:
    here, there = End(), End()
    connection = StreamConnection(here, LINES)
    connection.abort(PeerLost("no more"))
    await connect(await serve(there), connection, DEADLINE_S)
    await there.next()
    assert isinstance(await there.next(), PeerLost)
    await connection.gone
    assert not connection.opened
    assert here.happened.empty()


async def test_reading_can_be_paused_before_there_is_anything_to_read(serve: Any) -> None:
    here, there = End(), End()
    url = await serve(there)
    connection = StreamConnection(here, LINES)
    connection.pause_reading()
    await connect(url, connection, DEADLINE_S)
    remote: Connection = await there.next()
    remote.write(b"early\n")
    connection.write(b"heard\n")
    assert await there.next() == b"heard"
    assert await here.next() is connection
    assert here.happened.empty()
    assert connection.buffered == connection.bytes_in
    connection.resume_reading()
    assert await here.next() == b"early"
    await close(connection)


async def test_reading_paused_in_a_callback_stops_there(serve: Any) -> None:
    there = End()
    here = End(lambda _: connection.pause_reading())
    connection = await open_to(await serve(there), here)
    remote: Connection = await there.next()
    remote.write(b"one\n")
    assert await here.next() == b"one"
    remote.write(b"two\n")
    connection.write(b"heard\n")
    assert await there.next() == b"heard"
    assert here.happened.empty()
    connection.resume_reading()
    connection.resume_reading()
    assert await here.next() == b"two"
    await close(connection)


async def test_a_peer_that_does_not_read_pauses_the_writer_until_it_does(serve: Any) -> None:
    there = End()
    connection = await open_to(await serve(there), End())
    remote: Connection = await there.next()
    remote.pause_reading()
    while not connection.paused:
        connection.write(b"x" * 1023 + b"\n")
    remote.resume_reading()
    await until(lambda: not connection.paused)
    assert await there.next() == b"x" * 1023
    await close(connection)
