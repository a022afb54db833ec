"""What fails while a connection is made is told apart, and nothing ever falls back to plain text."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ticktree.net import (
    Address,
    BadAddress,
    Connection,
    NameUnknown,
    NoAnswer,
    PeerLost,
    Refused,
    Server,
    StreamConnection,
    TlsFailed,
    Unreachable,
    WebSocketConnection,
    connect,
)

from .ends import DEADLINE_S, LINES, End, client_tls, close, lines_server, server_tls, until

SHORT_S = 0.2


async def refusal(url: str, timeout_s: float = DEADLINE_S, **options: Any) -> Unreachable:
    """Why no connection to `url` could be made; its peer must not hear of it."""
    end = End()
    connection = StreamConnection(end, LINES)
    with pytest.raises(Unreachable) as caught:
        await connect(url, connection, timeout_s, **options)
    assert connection.gone.done()
    assert end.happened.empty()
    assert caught.value.url == url
    return caught.value


@asynccontextmanager
async def listening(reply: bytes | None) -> AsyncGenerator[tuple[str, "asyncio.Queue[bytes]"]]:
    """A plain peer that answers the first bytes with `reply`, closes if that is empty, and is silent if it is None."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.read(100_000))
        if reply is None:
            await reader.read()
        elif reply:
            writer.write(reply)
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield "127.0.0.1:" + str(server.sockets[0].getsockname()[1]), heard
    server.close()
    await asyncio.sleep(0)


async def test_nobody_listening_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = await refusal(f"tcp://127.0.0.1:{taken.getsockname()[1]}")
    assert isinstance(error, Refused)


async def test_a_socket_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert isinstance(await refusal(f"unix://{tmp_path}/nobody"), Refused)


async def test_a_name_without_an_address_is_told_apart() -> None:
    assert isinstance(await refusal("tcp://no-such-host.invalid:1"), NameUnknown)


async def test_silence_is_told_apart() -> None:
    with socket.socket() as full:  # its queue holds one connection, and nobody takes it
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        error = await refusal(f"tcp://127.0.0.1:{full.getsockname()[1]}", SHORT_S)
        for sock in waiting:
            sock.close()
    assert isinstance(error, NoAnswer)


async def test_each_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = End(), End()
    server = lines_server(there)
    bound = Address.parse(await server.listen("tcp://127.0.0.1:0"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        places = [taken.getsockname(), ("127.0.0.1", bound.port)]

        async def resolve(address: Address, due_s: float) -> list[tuple[str, int]]:
            return places

        monkeypatch.setattr(import_module("ticktree.net.connect"), "_resolve", resolve)
        connection = StreamConnection(here, LINES)
        await connect("tcp://two.example.org:1", connection, DEADLINE_S)
    assert await here.next() is connection
    await close(connection, server)


async def test_an_authority_that_is_not_trusted_is_refused() -> None:
    there = End()
    server = lines_server(there, tls=server_tls())
    error = await refusal(await server.listen("tls://127.0.0.1:0"))
    assert isinstance(error, TlsFailed)
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert there.happened.empty()
    await server.close()


async def test_a_certificate_for_another_name_is_refused() -> None:
    server = lines_server(End(), tls=server_tls())
    port = Address.parse(await server.listen("tls://127.0.0.1:0")).port
    error = await refusal(f"tls://localhost:{port}", tls=client_tls())
    assert isinstance(error, TlsFailed)
    assert "ostname mismatch" in str(error)
    await server.close()


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", None], ids=["plain", "closes", "silent"])
async def test_a_peer_that_speaks_no_tls_is_given_up_and_told_nothing(reply: bytes | None) -> None:
    async with listening(reply) as (place, heard):
        error = await refusal(f"tls://{place}", SHORT_S if reply is None else DEADLINE_S, tls=client_tls())
        assert isinstance(error, TlsFailed)
        assert (await heard.get())[:2] == b"\x16\x03"  # TLS, RFC 8446, section 5.1, and nothing else
        assert heard.empty()


async def test_a_plain_client_is_not_let_in_where_tls_is_spoken() -> None:
    there, here = End(), End()
    server = lines_server(there, tls=server_tls())
    port = Address.parse(await server.listen("tls://127.0.0.1:0")).port
    connection = StreamConnection(here, LINES)
    await connect(f"tcp://127.0.0.1:{port}", connection, DEADLINE_S)
    connection.write(b"plain\n" * 100)
    frames, error = await here.until_lost()
    assert b"plain" not in frames
    assert isinstance(error, PeerLost)
    assert there.happened.empty()
    await server.close()


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
async def test_a_connect_that_is_cancelled_leaves_nothing_behind(scheme: str) -> None:
    async with listening(None) as (place, heard):
        here = End()
        connection = StreamConnection(here, LINES)
        task = asyncio.ensure_future(connect(f"{scheme}://{place}", connection, DEADLINE_S, client_tls()))
        if scheme == "tls":
            await heard.get()  # in the middle of its handshake
        else:
            await until(lambda: not here.happened.empty())
        task.cancel()
        await asyncio.wait([task])
        assert connection.gone.done()
        assert connection.opened is (scheme == "tcp")
        if scheme == "tcp" and task.cancelled():
            assert isinstance((await here.until_lost())[1], PeerLost)
        await close(connection)


async def test_what_is_no_address_is_refused() -> None:
    connection = StreamConnection(End(), LINES)
    with pytest.raises(BadAddress, match="tcp://host:port"):
        await connect("nowhere", connection, DEADLINE_S)
    assert not connection.gone.done()


async def test_a_kind_of_connection_that_cannot_go_there_is_refused() -> None:
    with pytest.raises(TypeError, match="StreamConnection"):
        await connect("ws://127.0.0.1:1/", StreamConnection(End(), LINES), DEADLINE_S)
    with pytest.raises(TypeError, match="WebSocketConnection"):
        await connect("tcp://127.0.0.1:1", WebSocketConnection(End(), text=True), DEADLINE_S)


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_the_scheme_of_a_websocket_picks_the_way(scheme: str) -> None:
    here, there = End(), End()
    server = Server(lambda: WebSocketConnection(there, text=True), tls=server_tls() if scheme == "wss" else None)
    connection = WebSocketConnection(here, text=True)
    await connect(await server.listen(f"{scheme}://127.0.0.1:0/feed"), connection, DEADLINE_S, client_tls())
    assert await here.next() is connection
    remote: Connection = await there.next()
    connection.write(b"question")
    assert await there.next() == b"question"
    remote.write(b"answer")
    assert await here.next() == b"answer"
    await close(connection, server)
