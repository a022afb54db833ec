"""A session makes its connection anew, for ever."""

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ticktree.actors import AskTimeout, Backoff, LiveClock, NotRunning
from ticktree.net import (
    BadAddress,
    Connection,
    HandshakeFailed,
    NameUnknown,
    NetError,
    NoAnswer,
    PeerLost,
    Refused,
    Session,
    StreamConnection,
    TlsFailed,
    Unreachable,
)
from ticktree.net.session import LASTING_NS, Attempts

from .ends import DEADLINE_S, LINES, End, client_tls, lines_server, server_tls, until

QUICK = Backoff(base_s=0.001, ceiling_s=0.002)


class Client(End):
    def __init__(self) -> None:
        super().__init__()
        self.clock = LiveClock()

    def on_unreachable(self, error: Exception) -> None:
        self.happened.put_nowait(("unreachable", error))


class Recorded(Backoff):
    """Writes down what it is asked."""

    asked: list[int]

    def delay_s(self, attempt: int, random: Random) -> float:
        self.asked.append(attempt)
        return 0.001


def recorded() -> Any:
    backoff = Recorded()
    object.__setattr__(backoff, "asked", [])
    return backoff


def session_to(client: Any, *urls: str, backoff: Backoff = QUICK) -> Session:
    """A session that is told each of `urls` once, then always the last."""
    left = list(urls)

    async def locate() -> str:
        return left.pop(0) if len(left) > 1 else left[0]

    return session_at(client, locate, backoff)


def session_at(client: Any, locate: Callable[[], Awaitable[str]], backoff: Backoff = QUICK) -> Session:
    return Session(client, lambda: StreamConnection(client, LINES), locate, backoff, Random(1))


async def test_a_lost_connection_is_made_anew() -> None:
    there, client = End(), Client()
    server = lines_server(there)
    session = session_to(client, await server.listen("tcp://127.0.0.1:0"))
    session.start()
    first = await client.next()
    (await there.next()).abort(PeerLost("cut"))
    assert isinstance(await client.next(), PeerLost)
    second = await client.next()
    assert isinstance(second, Connection)
    assert second is not first
    assert session.connection is second
    await until(lambda: session.attempts.made == 2)  # `connect` has returned, too
    await session.stop()
    assert (session.attempts.made, session.attempts.failed) == (2, 0)
    await server.close()


async def test_an_address_that_cannot_be_reached_is_tried_again_and_asked_for_anew() -> None:
    client, server = Client(), lines_server(End())
    gone = await server.listen("tcp://127.0.0.1:0")
    await server.close()
    server = lines_server(End())
    session = session_to(client, gone, gone, await server.listen("tcp://127.0.0.1:0"))
    session.start()
    for _ in range(2):
        kind, error = await client.next()
        assert kind == "unreachable"
        assert isinstance(error, Refused)
    assert isinstance(await client.next(), Connection)
    await until(lambda: session.attempts.made == 1)
    await session.stop()
    assert (session.attempts.refused, session.attempts.made) == (2, 1)
    await server.close()


async def test_failures_are_counted_apart(tmp_path: Path) -> None:
    client, server = Client(), lines_server(End(), tls=server_tls())
    trusted = await server.listen("tls://127.0.0.1:0")
    wrong = trusted.replace("127.0.0.1", "localhost")
    session = session_to(client, "tcp://no-such-host.invalid:1", f"unix://{tmp_path}/no", wrong, wrong, trusted)
    session.tls = client_tls()
    session.start()
    kinds: list[type[Exception]] = [type((await client.next())[1]) for _ in range(4)]
    assert kinds == [NameUnknown, Refused, TlsFailed, TlsFailed]
    assert isinstance(await client.next(), Connection)
    await until(lambda: session.attempts.made == 1)
    await session.stop()
    assert session.attempts == Attempts(made=1, name_unknown=1, refused=1, tls_failed=2)
    assert session.attempts.failed == 4
    await server.close()


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (NameUnknown("x", ""), "name_unknown"),
        (Refused("x", ""), "refused"),
        (NoAnswer("x", ""), "no_answer"),
        (TlsFailed("x", ""), "tls_failed"),
        (HandshakeFailed("x", ""), "handshake_failed"),
        (Unreachable("x", ""), "otherwise"),
    ],
)
def test_each_kind_of_failure_has_its_counter(error: Exception, name: str) -> None:
    attempts = Attempts()
    attempts.count(error)
    assert attempts == Attempts(**{name: 1})
    assert attempts.failed == 1


async def test_an_address_that_nobody_tells_is_asked_for_again() -> None:
    client = Client()

    async def locate() -> str:
        raise AskTimeout("exchange", "where", 1.0, "idle")

    session = session_at(client, locate)
    session.start()
    for _ in range(2):
        assert "still to be told" in str((await client.next())[1])
    await session.stop()
    assert session.attempts.unlocated >= 2


async def test_an_address_that_takes_for_ever_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticktree.net.session.LOCATE_S", 0.01)
    client = Client()

    async def locate() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    session = session_at(client, locate)
    session.start()
    for _ in range(2):
        assert "0.01 s" in str((await client.next())[1])
    await session.stop()


async def test_stopping_in_the_middle_of_connecting_closes_what_there_is() -> None:
    server, client = lines_server(End()), Client()
    session = session_to(client, await server.listen("tcp://127.0.0.1:0"))
    session.start()
    connection = await client.next()  # made, but `create_connection` has not returned yet
    async with asyncio.timeout(0.5):
        await session.stop()
    assert connection.gone.done()
    assert isinstance(await client.next(), PeerLost)
    await server.close()


async def test_stopping_while_it_pauses_ends_it() -> None:
    client = Client()
    session = session_to(client, "tcp://127.0.0.1:1", backoff=Backoff(30.0, 30.0))
    session.start()
    await client.next()
    async with asyncio.timeout(1.0):
        await session.stop()
    await session.stop()


async def test_a_stop_ends_in_time_whatever_the_locating_does() -> None:
    client, ended = Client(), asyncio.Event()

    async def locate() -> str:
        client.happened.put_nowait("locating")
        while not ended.is_set():
            with suppress(asyncio.CancelledError):
                await ended.wait()
        return "tcp://127.0.0.1:1"

    session = session_at(client, locate)
    session.start()
    assert await client.next() == "locating"
    async with asyncio.timeout(DEADLINE_S):
        await session.stop()
    kind, error = await client.next()
    assert kind == "fault"
    assert isinstance(error, NetError)
    leaked = asyncio.all_tasks() - {asyncio.current_task()}
    assert len(leaked) == 1
    ended.set()
    await asyncio.wait(leaked, timeout=DEADLINE_S)
    assert len(asyncio.all_tasks()) == 1


async def test_an_address_that_can_never_be_is_a_fault_of_ours() -> None:
    client = Client()
    session_to(client, "nowhere").start()
    kind, error = await client.next()
    assert kind == "fault"
    assert isinstance(error, BadAddress)


async def test_a_client_that_was_killed_ends_it() -> None:
    class Killed(Client):
        def __getattribute__(self, name: str) -> Any:
            if name == "clock":
                raise NotRunning("killed")
            return super().__getattribute__(name)

    client = Killed()
    session_to(client, "tcp://127.0.0.1:1").start()
    kind, error = await client.next()
    assert kind == "fault"
    assert isinstance(error, NotRunning)


async def test_pauses_grow_while_it_does_not_last() -> None:
    attempts, backoff, client = 5, recorded(), Client()
    session = session_to(client, "tcp://127.0.0.1:1", backoff=backoff)
    session.start()
    for _ in range(attempts + 1):
        await client.next()
    await session.stop()
    assert backoff.asked[:attempts] == list(range(attempts))


class Fast(LiveClock):
    """On which every connection lasts; and so does every attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.monotonic_ns = itertools.count(0, 2 * LASTING_NS).__next__

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


async def test_pauses_begin_anew_after_a_connection_that_lasted_and_only_then() -> None:
    there, client, backoff = End(), Client(), recorded()
    client.clock = Fast()
    server = lines_server(there)
    session = session_to(client, *["tcp://127.0.0.1:1"] * 3, await server.listen("tcp://127.0.0.1:0"), backoff=backoff)
    session.start()
    for _ in range(3):
        assert isinstance((await client.next())[1], Refused)
    assert isinstance(await client.next(), Connection)
    (await there.next()).abort(PeerLost("cut"))
    assert isinstance(await client.next(), PeerLost)
    assert isinstance(await client.next(), Connection)
    assert backoff.asked == [0, 1, 2, 0]
    await session.stop()
    await server.close()


async def test_no_listener_is_ever_asked_in_plain_text_after_tls_failed() -> None:
    client = Client()
    heard: list[bytes] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        session = session_to(client, f"tls://127.0.0.1:{listener.getsockname()[1]}")
        session.start()
        for _ in range(3):
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            with sock:
                heard.append(await asyncio.get_running_loop().sock_recv(sock, 2))
            assert isinstance((await client.next())[1], TlsFailed)
        await session.stop()
    assert heard == [b"\x16\x03"] * 3
