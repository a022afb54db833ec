"""A session makes its connection anew, for ever."""

import asyncio
from random import Random
from typing import Any

from ticktree.actors import Backoff, LiveClock, NotRunning
from ticktree.net import BadAddress, Connection, PeerLost, Server, Session, Unreachable

from .test_tcp import End, Lines

QUICK = Backoff(base_s=0.001, ceiling_s=0.002)


class Reads:
    def begin_read(self, filled: bool) -> None:
        pass

    def end_read(self) -> None:
        pass


class Client(End):
    def __init__(self) -> None:
        super().__init__()
        self.clock, self.reads = LiveClock(), Reads()

    def on_unreachable(self, error: Exception) -> None:
        self.happened.put_nowait(("unreachable", error))


def session_to(client: Any, *urls: str, backoff: Backoff = QUICK) -> Session:
    """A session that is told each of `urls` once, then always the last."""
    left = list(urls)

    async def locate() -> str:
        return left.pop(0) if len(left) > 1 else left[0]

    return Session(client, Lines, locate, backoff, Random(1))


async def test_a_lost_connection_is_made_anew() -> None:
    there, client = End(), Client()
    server = Server(lambda: Connection(there, Lines()))
    session = session_to(client, await server.listen("tcp://127.0.0.1:0"))
    session.start()
    first = await client.next()
    (await there.next()).abort(PeerLost("cut"))
    assert isinstance(await client.next(), PeerLost)
    second = await client.next()
    assert isinstance(second, Connection)
    assert second is not first
    assert session.connection is second
    await session.stop()
    await server.close()


async def test_an_address_that_cannot_be_reached_is_tried_again_and_asked_for_anew() -> None:
    client = Client()
    server = Server(lambda: Connection(End(), Lines()))
    gone = await server.listen("tcp://127.0.0.1:0")
    await server.close()
    server = Server(lambda: Connection(End(), Lines()))
    session = session_to(client, gone, gone, await server.listen("tcp://127.0.0.1:0"))
    session.start()
    for _ in range(2):
        kind, error = await client.next()
        assert kind == "unreachable"
        assert isinstance(error, Unreachable)
    assert isinstance(await client.next(), Connection)
    await session.stop()
    await server.close()


async def test_stopping_in_the_middle_of_connecting_closes_what_there_is() -> None:
    server, client = Server(lambda: Connection(End(), Lines())), Client()
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
    attempts = 5
    asked: list[int] = []

    class Recorded(Backoff):
        def delay_s(self, attempt: int, random: Random) -> float:
            asked.append(attempt)
            return 0.001

    client = Client()
    session = session_to(client, "tcp://127.0.0.1:1", backoff=Recorded())
    session.start()
    for _ in range(attempts + 1):
        await client.next()
    await session.stop()
    assert asked[:attempts] == list(range(attempts))
