"""The recorded exchange over real sockets: who hears what and when, cuts, clients that do not read."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import aiohttp
import pytest

from ticktree.actors import Clock
from ticktree.feeds.playback import Cuts, NothingRecorded, Played, RecordedExchange, Start
from ticktree.feeds.playback.client import frame
from ticktree.feeds.recording import Entry

from .clocks import SkippingClock
from .simple import HOLE, PlayedSimply, S, told

AT_ONCE, NONE = Start(quiet_s=0), Cuts()
PATIENT_S = 30.0  # what a machine with other work may take
Session = aiohttp.ClientSession


@pytest.fixture
async def session() -> AsyncGenerator[Session]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENT_S)) as session:
        yield session


@asynccontextmanager
async def serving(
    messages: list[Entry] | Played,
    speed: float | None = None,
    cuts: Cuts = NONE,
    start: Start = AT_ONCE,
    clock: Clock | None = None,
) -> AsyncGenerator[RecordedExchange]:
    played = PlayedSimply(messages) if isinstance(messages, list) else messages
    async with RecordedExchange(played, speed, cuts, start, clock=clock) as exchange, asyncio.timeout(PATIENT_S):
        yield exchange


@asynccontextmanager
async def listening(
    session: Session, exchange: RecordedExchange, streams: str = ""
) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
    url = f"{exchange.url}?streams={streams}" if streams else exchange.url
    async with session.ws_connect(url) as websocket:
        assert await websocket.receive_str() == "welcome"
        yield websocket


async def heard(websocket: aiohttp.ClientWebSocketResponse, count: int) -> list[str]:
    return [await websocket.receive_str() for _ in range(count)]


async def all_heard(websocket: aiohttp.ClientWebSocketResponse) -> list[str]:
    """Everything up to the end."""
    return [message.data async for message in websocket if message.type is aiohttp.WSMsgType.TEXT]


@contextmanager
def silent(port: int) -> Generator[socket.socket]:
    """A client that wants stream a, and does not read."""
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(
            b"GET /here?streams=a HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        yield peer


def up_to_reset(peer: socket.socket) -> bytes:
    """All that it is sent before it is broken off."""
    peer.settimeout(PATIENT_S)
    got = bytearray()
    with pytest.raises(ConnectionResetError):
        while data := peer.recv(1 << 20):
            got += data
    return bytes(got)


async def test_who_subscribes_hears_its_streams_in_order_and_what_is_for_all(session: Session) -> None:
    messages = told("a 1", "b 1", "all 1", "a 2", "b 2")
    async with (
        serving(messages, start=Start(clients=2, quiet_s=0)) as exchange,
        listening(session, exchange, "a") as one,
        listening(session, exchange, "a,b") as two,
    ):
        await exchange.ended()
        assert await heard(one, 3) == ["a 1", "all 1", "a 2"]
        assert await heard(two, 5) == ["a 1", "b 1", "all 1", "a 2", "b 2"]


async def test_all_is_read_once_each_client_answers_behind_what_it_was_told(session: Session) -> None:
    async with serving(told("a 1", "a 2")) as exchange, listening(session, exchange, "a") as one:
        await exchange.ended()
        reading = asyncio.create_task(exchange.read())
        for _ in range(100):
            await asyncio.sleep(0)
        assert not reading.done()  # this client answers pings when it has read what came before them
        assert await heard(one, 2) == ["a 1", "a 2"]
        answering = asyncio.create_task(one.receive())
        await reading
        assert exchange.clients
        answering.cancel()


async def test_who_never_answers_is_broken_off_and_all_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticktree.feeds.playback.exchange.PATIENCE_S", 0.05)
    async with serving(told("a 1")) as exchange:
        with silent(int(exchange.rest_url.rpartition(":")[2])):
            await exchange.read()
            assert not any(client.open for client in exchange.clients)


async def test_clients_may_ping(session: Session) -> None:
    async with serving(told("a 1")) as exchange, session.ws_connect(exchange.url, autoping=False) as websocket:
        assert await websocket.receive_str() == "welcome"
        await websocket.ping(b"there?")
        message = await websocket.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"there?")


async def test_time_stands_still_until_as_many_have_subscribed_as_are_to(session: Session) -> None:
    async with (
        serving(told("a 1", "a 2"), start=Start(clients=2, streams=3, quiet_s=0)) as exchange,
        listening(session, exchange, "a") as one,
        listening(session, exchange) as two,
    ):
        await two.send_str("a")
        assert await two.receive_str() == "since 0"
        assert exchange.now == 0
        assert exchange.waiting
        await two.send_str("b")
        assert await two.receive_str() == "since 0"
        await exchange.ended()
        assert await heard(one, 2) == await heard(two, 2) == ["a 1", "a 2"]


async def test_time_begins_when_no_subscription_came_for_a_moment(session: Session) -> None:
    clock = SkippingClock()
    start = Start(quiet_s=0.5)
    async with serving(told("a 1"), start=start, clock=clock) as exchange, listening(session, exchange, "a"):
        await exchange.ended()
    assert clock.slept == [0.5]


@pytest.mark.parametrize(("speed", "took"), [(1.0, [2.0, 3.0]), (10.0, [0.2, 0.3]), (None, [])])
async def test_it_takes_as_long_as_it_took(session: Session, speed: float | None, took: list[float]) -> None:
    clock, first = SkippingClock(), told("a 1", "a 2", "a 3")
    messages = [Entry(each.kind, at * S, 1, "", each.data) for each, at in zip(first, (10, 12, 15), strict=True)]
    async with serving(messages, speed, clock=clock) as exchange, listening(session, exchange, "a") as websocket:
        await exchange.ended()
        assert await heard(websocket, 3) == ["a 1", "a 2", "a 3"]
    assert [each for each in clock.slept if each] == pytest.approx(took)


async def test_by_hand_it_tells_so_many_passes_over_others_and_says_what_never_was(session: Session) -> None:
    async with serving(told(*(f"a {number}" for number in range(6)))) as exchange:
        exchange.pause()
        async with listening(session, exchange, "a") as websocket:
            await exchange.step(2)
            exchange.skip(2)
            exchange.say("never")
            assert await heard(websocket, 3) == ["a 0", "a 1", "never"]
            assert (exchange.now, exchange.total) == (4, 6)
            assert exchange.books() == {"passed": ({"4": "1"}, {})}
            exchange.resume()
            await exchange.ended()
            assert await heard(websocket, 2) == ["a 4", "a 5"]


async def test_questions_are_answered_as_of_now_and_unknown_ones_are_not_found(session: Session) -> None:
    async with serving(told("a 1", "a 2", "a 3")) as exchange:
        exchange.skip(2)
        async with session.get(f"{exchange.rest_url}/passed") as answer:
            assert (answer.status, await answer.text()) == (200, "2")
            assert answer.content_type == "application/json"
        async with session.get(f"{exchange.rest_url}/other?x=1") as answer:
            assert answer.status == 404
        assert list(exchange.asked) == ["/passed", "/other?x=1"]
        async with session.get(f"{exchange.rest_url}/here") as answer:  # where WebSockets are opened
            assert answer.status == 404


async def all_connections(session: Session, exchange: RecordedExchange, last: str) -> list[list[str]]:
    """Listen to stream a, again and again, up to `last`: what each connection brought."""
    heard = list[list[str]]()
    while True:
        try:
            async with session.ws_connect(f"{exchange.url}?streams=a") as websocket:
                heard.append([])
                async for message in websocket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        heard[-1].append(message.data)
                    if message.data == last:
                        return heard
        except aiohttp.ClientError:
            continue


@pytest.mark.parametrize("seed", range(5))
async def test_after_a_cut_time_waits_until_the_streams_stand_again(session: Session, seed: int) -> None:
    messages = [f"a {number}" for number in range(100)]
    async with serving(told(*messages), cuts=Cuts(4, seed)) as exchange:
        connections = await all_connections(session, exchange, "a 99")
        assert (exchange.cuts, exchange.connections) == (4, 5)
    told_to = [text for connection in connections for text in connection if text != "welcome"]
    assert told_to == sorted(told_to, key=messages.index)  # nothing twice, nothing out of order
    places = [cut.at for cut in Cuts(4, seed).among(100)]
    for connection, begin in zip(connections, [0, *places], strict=True):
        assert connection[1:2] in ([], messages[begin : begin + 1])  # nothing passed while nobody could hear


async def test_a_cut_may_come_in_the_middle_of_a_message(session: Session) -> None:
    beginning = frame(b"x" * 1_000)[:500]
    async with serving(told("a 1")) as exchange:
        exchange.pause()
        with silent(int(exchange.rest_url.rpartition(":")[2])) as peer:
            await exchange.until(lambda: bool(exchange.clients))
            await exchange.clients[0].room(PATIENT_S, most=0)
            exchange.cut(beginning)
            got = await asyncio.to_thread(up_to_reset, peer)
    assert got.endswith(frame(b"welcome") + beginning)


async def test_messages_that_pass_after_a_cut_are_heard_by_nobody(session: Session) -> None:
    cuts = Cuts(1, 3, missed=50)
    cut = cuts.among(100)[0]
    async with serving(told(*(f"a {number}" for number in range(100))), cuts=cuts) as exchange:
        connections = await all_connections(session, exchange, "a 99")
    assert cut.missed > 0
    assert connections[1][:2] == ["welcome", f"a {cut.at + cut.missed}"]


async def test_a_hole_in_the_recording_cuts_the_connections(session: Session) -> None:
    one, two = told("a 1", "a 2")
    async with serving([one, HOLE, two]) as exchange:
        connections = await all_connections(session, exchange, "a 2")
        assert connections[1] == ["welcome", "a 2"]
        assert "a 2" not in connections[0]


async def test_by_hand_a_hole_cuts_the_connections_as_well(session: Session) -> None:
    async with serving([*told("a 1"), HOLE]) as exchange:
        exchange.pause()
        async with listening(session, exchange, "a"):
            await exchange.step()
            assert exchange.clients == []


async def test_who_does_not_read_is_broken_off_and_the_others_hear_everything(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticktree.feeds.playback.exchange.PATIENCE_S", 1.0)
    long = "x" * 100_000
    messages = told(*(f"a {number} {long}" for number in range(150)))  # 15 MB: more than sockets and queues hold
    async with serving(messages, start=Start(clients=2, quiet_s=0)) as exchange:
        with silent(int(exchange.rest_url.rpartition(":")[2])) as peer:
            async with listening(session, exchange, "a") as websocket:
                reading = asyncio.create_task(heard(websocket, 150))
                await exchange.until(lambda: len(exchange.clients) == 2)
                await exchange.until(lambda: len(exchange.clients) == 1)
                await exchange.ended()
                assert [text.split()[1] for text in await reading] == [str(number) for number in range(150)]
            assert await asyncio.to_thread(up_to_reset, peer)


async def test_clients_know_that_the_connection_stands_while_time_does_not(session: Session) -> None:
    played, start = PlayedSimply(told("a 1"), heartbeat="beat"), Start(clients=2)
    async with (
        serving(played, start=start, clock=SkippingClock()) as exchange,
        listening(session, exchange, "a") as websocket,
    ):
        assert await heard(websocket, 3) == ["beat", "beat", "beat"]
        assert exchange.now == 0


async def test_parting_lets_clients_read_to_the_end(session: Session) -> None:
    messages = told(*(f"a {number}" for number in range(100)))
    async with serving(messages) as exchange, listening(session, exchange, "a") as websocket:
        reading = asyncio.create_task(all_heard(websocket))
        await exchange.ended()
        await exchange.part(PATIENT_S)
        assert len(await reading) == 100
        assert websocket.close_code == aiohttp.WSCloseCode.GOING_AWAY


async def test_a_message_that_the_exchange_fails_on_ends_it_with_that_error(session: Session) -> None:
    class Failing(PlayedSimply):
        def advance(self, entry: Entry) -> None:
            raise RuntimeError("no")

    async with serving(Failing(told("a 1"))) as exchange, listening(session, exchange, "a"):
        with pytest.raises(RuntimeError, match="no"):
            await exchange.ended()


def test_a_recording_without_messages_is_refused() -> None:
    with pytest.raises(NothingRecorded, match="no message"):
        RecordedExchange(PlayedSimply([]))
