"""A server lets in whom it may, as many as it may, and leaves nothing behind."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ticktree.net import (
    Address,
    CannotListen,
    Connection,
    HandshakeFailed,
    Lost,
    PeerLost,
    Server,
    StreamConnection,
    TokenNeeded,
    WebSocketConnection,
    connect,
)

from .ends import DEADLINE_S, LINES, End, client_tls, close, lines_server, open_to, server_tls, until


class Ends:
    """Peers of a server that lets in many."""

    def __init__(self) -> None:
        self.ends: list[End] = []

    def accept(self) -> StreamConnection:
        self.ends.append(End())
        return StreamConnection(self.ends[-1], LINES)


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


# --- who may listen where ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["tcp://0.0.0.0:0", "tcp://[::]:0", "ws://0.0.0.0:0", "tcp://example.org:0"])
async def test_beyond_loopback_nobody_listens_without_a_token(url: str) -> None:
    for token in (None, ""):
        with pytest.raises(TokenNeeded, match="token="):
            await lines_server(End(), token=token).listen(url)


async def test_with_a_token_it_listens_anywhere() -> None:
    server = lines_server(End(), token="secret")
    assert (await server.listen("tcp://0.0.0.0:0")).startswith("tcp://0.0.0.0:")
    await server.close()


async def test_encryption_is_as_the_address_says() -> None:
    with pytest.raises(CannotListen, match="certificate"):
        await lines_server(End()).listen("tls://127.0.0.1:0")
    with pytest.raises(CannotListen, match="not be encrypted"):
        await lines_server(End(), tls=server_tls()).listen("tcp://127.0.0.1:0")


async def test_a_port_that_is_taken_is_named() -> None:
    server = lines_server(End())
    url = await server.listen("tcp://127.0.0.1:0")
    with pytest.raises(CannotListen, match=url):
        await lines_server(End()).listen(url)
    with pytest.raises(CannotListen, match="already"):
        await server.listen("tcp://127.0.0.1:0")
    await server.close()


async def test_a_closed_server_is_reached_no_more_and_closes_twice() -> None:
    server = lines_server(End())
    url = await server.listen("tcp://127.0.0.1:0")
    await close(server, server)
    with pytest.raises(Lost):
        await connect(url, StreamConnection(End(), LINES), DEADLINE_S)


# --- how many ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
async def test_beyond_the_limit_a_connection_is_closed_at_once_and_counted(scheme: str) -> None:
    ends, tls = Ends(), server_tls() if scheme == "tls" else None
    server = Server(ends.accept, tls, most_connections=2)
    url = await server.listen(f"{scheme}://127.0.0.1:0")
    inside = [await open_to(url, End(), tls=client_tls()) for _ in range(2)]
    outside = End()
    await open_to(url, outside, tls=client_tls())
    assert isinstance(await outside.next(), PeerLost)
    assert (server.refused, server.connections, len(ends.ends)) == (1, 2, 2)
    await inside[0].close()
    await until(lambda: server.connections == 1)
    again = await open_to(url, End(), tls=client_tls())
    again.write(b"in\n")
    assert isinstance(await ends.ends[2].next(), Connection)
    assert await ends.ends[2].next() == b"in"
    await close(inside[1], again, server)


async def test_beyond_the_limit_a_websocket_is_closed_at_once_and_counted() -> None:
    server = Server(lambda: WebSocketConnection(End(), text=True), most_connections=1)
    url = await server.listen("ws://127.0.0.1:0/")
    inside = WebSocketConnection(End(), text=True)
    await connect(url, inside, DEADLINE_S)
    with pytest.raises(HandshakeFailed):
        await connect(url, WebSocketConnection(End(), text=True), DEADLINE_S)
    assert (server.refused, server.connections) == (1, 1)
    await close(inside)
    await until(lambda: server.connections == 0)
    await close(server)


async def test_a_tls_handshake_that_fails_takes_no_place_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticktree.net.server.HANDSHAKE_S", 0.3)
    monkeypatch.setattr("ticktree.net.server.LINGER_S", 0.01)
    server = Server(Ends().accept, server_tls(), most_connections=1)
    address = Address.parse(await server.listen("tls://127.0.0.1:0"))
    with socket.create_connection((address.host, address.port)):
        await until(lambda: server.connections == 1)
        await until(lambda: server.connections == 0)
    connection = await open_to(server.url, End(), tls=client_tls())
    await close(connection, server)


async def test_a_hundred_connections_close_at_once_and_give_everything_back() -> None:
    server = Server(Ends().accept)
    url = await server.listen("tcp://127.0.0.1:0")
    here = End()
    await (await open_to(url, here)).close()  # what the loop needs for itself is there now
    await until(lambda: server.connections == 0)
    before = descriptors()
    connections = [StreamConnection(here, LINES) for _ in range(100)]
    await asyncio.gather(*(connect(url, connection, DEADLINE_S) for connection in connections))
    await until(lambda: server.connections == 100)
    await server.close()
    await asyncio.gather(*(connection.gone for connection in connections))
    await until(lambda: server.connections == 0)
    await until(lambda: descriptors() <= before)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("loop", ["uvloop.new_event_loop", "asyncio.new_event_loop"])
def test_out_of_descriptors_accepting_does_not_spin_and_goes_on_afterwards(loop: str) -> None:
    program = f"""
        import asyncio, resource, socket, time, uvloop
        from tests.net.ends import LINES, End, until
        from ticktree.net import Address, Server, StreamConnection

        async def main():
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            ends = []
            def accept():
                ends.append(End())
                return StreamConnection(ends[-1], LINES)
            server = Server(accept)
            url = Address.parse(await server.listen("tcp://127.0.0.1:0"))
            clients = [socket.socket() for _ in range(20)]
            taken = max(sock.fileno() for sock in clients)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 4, hard))
            for sock in clients:
                sock.setblocking(False)
                sock.connect_ex((url.host, url.port))
            await until(lambda: ends)
            used = time.process_time()
            await asyncio.sleep(0.5)  # a stretch of time is what is measured
            assert 0 < len(ends) < 20, len(ends)
            assert time.process_time() - used < 0.2, time.process_time() - used
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            with socket.create_connection((url.host, url.port)) as late:
                late.setblocking(False)
                count = len(ends)
                await until(lambda: len(ends) > count)
            for sock in clients:
                sock.close()
            await server.close()

        asyncio.Runner(loop_factory={loop}).run(main())
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=20)


# --- Unix sockets -----------------------------------------------------------------------------------------------


async def test_a_socket_file_is_its_owners_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    path, there = tmp_path / "socket", End()
    server = lines_server(there)
    assert await server.listen(f"unix://{path}") == f"unix://{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    connection = await open_to(server.url, End())
    await close(connection, server)
    assert not path.exists()


async def test_the_socket_file_of_a_dead_process_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    server = lines_server(End())
    await server.listen(f"unix://{path}")
    connection = await open_to(server.url, End())
    await close(connection, server)


async def test_the_socket_file_of_a_live_process_is_left_alone(tmp_path: Path) -> None:
    path, there = tmp_path / "socket", End()
    first = lines_server(there)
    await first.listen(f"unix://{path}")
    with pytest.raises(CannotListen, match="somebody listens"):
        await lines_server(End()).listen(f"unix://{path}")
    connection = await open_to(first.url, End())
    await close(connection, first)


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(CannotListen, match="not a socket"):
        await lines_server(End()).listen(f"unix://{path}")
    assert path.read_text() == "data"


async def test_a_socket_file_that_somebody_else_put_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = lines_server(End())
    await server.listen(f"unix://{path}")
    path.rename(tmp_path / "old")
    path.write_text("another's")
    await server.close()
    assert path.read_text() == "another's"


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match="nowhere"):
        await lines_server(End()).listen(f"unix://{tmp_path}/nowhere/socket")


# --- several paths, and a listener that shuts -----------------------------------------------------------------------


async def test_a_listener_serves_the_paths_below_its_own() -> None:
    own, below = Ends(), Ends()

    def accept(ends: Ends, text: bool) -> WebSocketConnection:
        ends.ends.append(End())
        return WebSocketConnection(ends.ends[-1], text=text)

    server = Server(lambda: accept(own, False), below={"json": lambda: accept(below, True)})
    url = await server.listen("ws://127.0.0.1:0/feed")
    first, second = WebSocketConnection(End(), text=False), WebSocketConnection(End(), text=True)
    await connect(url, first, DEADLINE_S)
    await connect(f"{url}/json", second, DEADLINE_S)
    assert (len(own.ends), len(below.ends)) == (1, 1)
    with pytest.raises(HandshakeFailed, match="404"):
        await connect(f"{url}/other", WebSocketConnection(End(), text=True), DEADLINE_S)
    await close(first, second, server)


async def test_a_listener_that_shuts_keeps_its_connections() -> None:
    ends = Ends()
    server = Server(ends.accept)
    url = await server.listen("tcp://127.0.0.1:0")
    inside = await open_to(url, End())
    server.shut()
    with pytest.raises(Lost):
        await connect(url, StreamConnection(End(), LINES), DEADLINE_S)
    inside.write(b"still here\n")
    assert isinstance(await ends.ends[0].next(), Connection)
    assert await ends.ends[0].next() == b"still here"
    assert inside.remote == url.removeprefix("tcp://")
    await close(inside, server)
