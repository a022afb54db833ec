"""Questions over HTTP against a real server: answered, refused, cut, late, endless."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
import msgspec
import pytest
from aiohttp import web

from ticktree.actors import LiveClock, VirtualClock
from ticktree.feeds import FeedError
from ticktree.feeds.rest import (
    AnswerTooLong,
    BadAnswer,
    Rest,
    RestClosed,
    RestError,
    RestLimits,
    RestRefused,
    TooSoon,
    Turns,
)
from ticktree.net import BadAddress, Lost, NameUnknown, NoAnswer, PeerLost, Refused, Silent, TlsFailed, Unreachable

LIMITS = RestLimits(weight_a_minute=6_000, total_s=2.0, most_bytes=100_000)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Level(msgspec.Struct):
    price: float


class Clock(LiveClock):
    """Live, but a sleep only takes notes and moves it on by `jump_s`; or does not end, where it is `stuck`."""

    def __init__(self) -> None:
        super().__init__()
        real, self.jump_s, self.slept, self.stuck = self.monotonic_ns, 0.0, list[float](), False
        self.monotonic_ns = lambda: real() + round(self.jump_s * 1e9)

    async def sleep(self, seconds: float) -> None:
        if seconds and self.stuck:
            await asyncio.Event().wait()
        if seconds:
            self.slept.append(seconds)
            self.jump_s += seconds
        await asyncio.sleep(0)


@attrs.define
class Rig:
    rest: Rest
    clock: Clock
    requests: list[web.Request] = attrs.field(factory=list[web.Request])
    tapped: list[tuple[str, bytes]] = attrs.field(factory=list[tuple[str, bytes]])

    async def ask(self, path: str = "/a", weight: int = 1, **query: str) -> Level:
        return await self.rest.get(path, query, weight, Level)


@asynccontextmanager
async def serving(handler: Handler, limits: RestLimits = LIMITS, path: str = "") -> AsyncGenerator[Rig]:
    clock = Clock()

    async def handle(request: web.Request) -> web.StreamResponse:
        rig.requests.append(request)
        return await handler(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    tapped = list[tuple[str, bytes]]()
    rest = Rest(clock, f"http://{host}:{port}{path}", limits, tap=lambda url, data: tapped.append((url, data)))
    rig = Rig(rest, clock, tapped=tapped)
    try:
        yield rig
    finally:
        await rig.rest.close()
        await runner.cleanup()


def saying(text: str | bytes, status: int = 200, **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        body = text if isinstance(text, bytes) else text.encode()
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return web.Response(status=status, body=body, headers=named)

    return handler


# --- answers -------------------------------------------------------------------------------------------------------


async def test_an_answer_is_decoded_into_what_is_asked_for() -> None:
    async with serving(saying('{"price":"1.5","else":[]}'), path="/v1/") as rig:
        assert await rig.ask("/depth", symbol="BTC USD&x") == Level(1.5)
        (request,) = rig.requests
        assert request.path == "/v1/depth"
        assert dict(request.query) == {"symbol": "BTC USD&x"}
        assert request.headers["Accept-Encoding"] == "identity"


async def test_answers_are_tapped_with_their_questions_and_refusals_are_not() -> None:
    answers = [(200, b'{"price":1}'), (503, b"sorry"), (200, b"what is this")]

    async def handler(_: web.Request) -> web.StreamResponse:
        status, body = answers.pop(0)
        return web.Response(status=status, body=body)

    async with serving(handler, path="/v1") as rig:
        assert await rig.ask(x="1 2") == Level(1)
        for error in (RestRefused, BadAnswer):
            with pytest.raises(error):
                await rig.ask(x="1 2")
        assert [data for _, data in rig.tapped] == [b'{"price":1}', b"what is this"]
        assert all(url.startswith("http://127.0.0.1:") and url.endswith("/v1/a?x=1+2") for url, _ in rig.tapped)


async def test_questions_share_one_session_that_close_ends() -> None:
    async with serving(saying('{"price":1}')) as rig:
        for _ in range(3):
            await rig.ask()
        assert len({request.transport for request in rig.requests}) == 1
        await rig.rest.close()
        with pytest.raises(RestClosed):
            await rig.ask()


async def test_whoever_waits_while_it_is_closed_gets_an_error() -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        asked.set()
        await never.wait()
        return web.Response()

    async with serving(hang) as rig:
        question = asyncio.create_task(rig.ask())
        await asked.wait()
        await rig.rest.close()
        with pytest.raises(RestClosed):
            await question
        never.set()


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [201, 204, 301, 400, 403, 404, 500, 503])
async def test_any_other_status_is_a_refusal_with_its_words(status: int) -> None:
    text = "" if status == 204 else '{"code":-1121,"msg":"Invalid symbol."}'
    async with serving(saying(text, status, Location="/b")) as rig:
        with pytest.raises(RestRefused) as caught:
            await rig.ask(key="secret")
        assert (caught.value.status, caught.value.head, caught.value.retry_after_s) == (status, text.encode(), None)
        assert "secret" not in str(caught.value)
        assert f"status {status}" in str(caught.value)
        assert len(rig.requests) == 1


async def test_a_refusal_may_be_endless() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(65_536))
        except (ConnectionError, asyncio.CancelledError):
            return response

    async with serving(endless) as rig:
        with pytest.raises(RestRefused) as caught:
            await rig.ask()
        assert caught.value.head == bytes(200)


@pytest.mark.parametrize("status", [418, 429])
async def test_nothing_is_asked_before_the_time_the_exchange_told(status: int) -> None:
    answers = [saying('{"price":1}'), saying("slow down", status, Retry_After="7")]

    async def handler(request: web.Request) -> web.StreamResponse:
        return await answers.pop()(request)

    async with serving(handler) as rig:
        with pytest.raises(RestRefused) as caught:
            await rig.ask()
        assert caught.value.retry_after_s == 7.0
        assert await rig.ask() == Level(1.0)
        assert sum(rig.clock.slept) == pytest.approx(7.0, abs=0.5)


@pytest.mark.parametrize(
    ("said", "pause_s"),
    [({}, 60.0), ({"Retry_After": "x"}, 60.0), ({"Retry_After": "-5"}, 60.0), ({"Retry_After": "9" * 400}, 259_200.0)],
)
async def test_a_ban_that_tells_no_time_or_a_silly_one_is_bounded(said: dict[str, str], pause_s: float) -> None:
    async with serving(saying("", 429, **said)) as rig:
        with pytest.raises(RestRefused) as caught:
            await rig.ask()
        assert caught.value.retry_after_s == pause_s


async def test_a_long_ban_is_told_at_once_to_whoever_asks() -> None:
    async with serving(saying("banned", 418, Retry_After="7200")) as rig:
        with pytest.raises(RestRefused):
            await rig.ask()
        with pytest.raises(TooSoon, match="7200 s") as caught:
            await rig.ask()
        assert caught.value.retry_after_s == pytest.approx(7_200, abs=1)
        assert len(rig.requests) == 1
        assert rig.clock.slept == []


# --- answers that are none -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"price":"x"}',
        b'{"price":NaN}',
        b"\xff\xfe\x00",
        b"<html>",
        b'{"price":"\xff"}',
        b'{"x":' + b"[" * 12_000 + b"]" * 12_000 + b',"price":1}',
        b'{"price":1}{"price":1}',
    ],
    ids=lambda body: repr(body[:12]),
)
async def test_garbage_is_named(body: bytes) -> None:
    async with serving(saying(body)) as rig:
        with pytest.raises(BadAnswer) as caught:
            await rig.ask()
        assert caught.value.head == body[:200]
        assert "/a: the answer cannot be read" in str(caught.value)


async def test_what_is_packed_unasked_is_not_unpacked() -> None:
    async with serving(saying(b"\x1f\x8b" + bytes(50), Content_Encoding="gzip")) as rig:
        with pytest.raises(BadAnswer):
            await rig.ask()


@pytest.mark.parametrize("told", [True, False])
async def test_an_answer_longer_than_the_bound_is_given_up(told: bool) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Length": "1000000000000"} if told else {})
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(65_536))
                sent += 65_536
        except (ConnectionError, asyncio.CancelledError):
            return response

    async with serving(endless) as rig:
        with pytest.raises(AnswerTooLong, match="100,000 bytes"):
            await rig.ask()
    assert sent < 50_000_000


async def test_an_answer_of_just_the_bound_is_read() -> None:
    body = b'{"price":1,"x":"' + b"x" * (LIMITS.most_bytes - 18) + b'"}'
    assert len(body) == LIMITS.most_bytes
    async with serving(saying(body)) as rig:
        assert await rig.ask() == Level(1.0)


# --- the network ---------------------------------------------------------------------------------------------------


async def test_silence_is_named_after_the_time_it_may_take() -> None:
    never = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    async with serving(hang, attrs.evolve(LIMITS, total_s=0.05)) as rig:
        with pytest.raises(Silent) as caught:
            await rig.ask()
        assert caught.value.silent_s == 0.05
        never.set()


async def test_an_answer_that_drips_is_given_up_as_well() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.005)
        except (ConnectionError, asyncio.CancelledError):
            return response

    async with serving(drip, attrs.evolve(LIMITS, total_s=0.05)) as rig:
        with pytest.raises(Silent):
            await rig.ask()


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\n", b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"price"']
)
async def test_an_answer_that_is_cut_in_the_middle_is_a_loss(sent: bytes) -> None:
    await raw(sent, PeerLost)


@pytest.mark.parametrize("sent", [b"\x00\xff\x00\xff\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 xyz\r\n\r\n"])
async def test_what_is_not_http_is_a_loss(sent: bytes) -> None:
    await raw(sent, PeerLost)


async def raw(sent: bytes, error: type[Exception]) -> None:
    """Ask a server that says `sent` and goes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        rest = Rest(Clock(), f"http://user:secret@127.0.0.1:{port}", LIMITS)
        with pytest.raises(error) as caught:
            await rest.get("/a", {"key": "secret"}, 1, Level)
        assert "secret" not in str(caught.value)
        await rest.close()


async def test_a_port_where_nobody_listens_is_refused() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    rest = Rest(Clock(), f"http://127.0.0.1:{port}", LIMITS)
    with pytest.raises(Refused):
        await rest.get("/a", {}, 1, Level)
    await rest.close()


async def test_a_name_without_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: Any, **__: Any) -> Any:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", unknown)
    rest = Rest(Clock(), "https://nowhere.invalid", LIMITS)
    with pytest.raises(NameUnknown) as caught:
        await rest.get("/a", {}, 1, Level)
    assert "https://nowhere.invalid/a" in str(caught.value)
    await rest.close()


async def test_a_connection_that_is_not_made_in_time_or_not_at_all_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[Callable[[Any], Exception]] = [
        lambda _: TimeoutError(),
        lambda request: aiohttp.ClientConnectorError(request.connection_key, OSError(113, "No route to host")),
    ]

    async def fail(_: Any, request: Any, *__: Any, **___: Any) -> Any:
        raise failures.pop(0)(request)

    monkeypatch.setattr("aiohttp.TCPConnector.connect", fail)
    rest = Rest(Clock(), "https://127.0.0.1", LIMITS)
    with pytest.raises(NoAnswer, match=r"within 1\.0 s"):
        await rest.get("/a", {}, 1, Level)
    with pytest.raises(Unreachable, match="No route to host"):
        await rest.get("/a", {}, 1, Level)
    await rest.close()


async def test_plain_text_where_tls_is_expected_is_a_tls_failure() -> None:
    async with serving(saying('{"price":1}')) as rig:
        url = vars(rig.rest)["_url"].replace("http:", "https:")
        rest = Rest(Clock(), url, LIMITS)
        with pytest.raises(TlsFailed):
            await rest.get("/a", {}, 1, Level)
        await rest.close()
        assert rig.requests == []


async def test_tls_is_verified_and_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with serving(saying('{"price":1}')) as rig:
        assert await rig.ask() == Level(1.0)
        session = vars(rig.rest)["_session"]
        assert session.trust_env is False
        assert vars(session.connector)["_ssl"] is True  # aiohttp's word for the default context
        assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    "url", ["", "binance.com", "ftp://x", "wss://x", "http://", "https://x?y=1", "http://x:y", "http://["]
)
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadAddress):
        Rest(Clock(), url, LIMITS)


def test_aiohttp_is_imported_for_who_asks_only() -> None:
    program = "import sys, ticktree.app, ticktree.feeds.rest; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "ticktree.feeds.rest" in loaded
    assert loaded.isdisjoint({"aiohttp", "ticktree.feeds.rest_session"})


def test_all_that_goes_wrong_is_the_feed_s_or_a_loss() -> None:
    assert all(issubclass(error, FeedError) for error in (RestRefused, TooSoon, RestClosed, AnswerTooLong, BadAnswer))
    assert issubclass(RestError, FeedError)
    assert issubclass(Unreachable, Lost)


# --- turns ---------------------------------------------------------------------------------------------------------


async def test_at_most_four_are_asked_at_once() -> None:
    under_way = most = 0
    full, go = asyncio.Event(), asyncio.Event()

    async def handler(_: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 4:
            full.set()
        await go.wait()
        under_way -= 1
        return web.json_response({"price": 1})

    async with serving(handler) as rig:
        questions = [asyncio.create_task(rig.ask()) for _ in range(10)]
        await full.wait()
        go.set()
        assert await asyncio.gather(*questions) == [Level(1.0)] * 10
        assert most == 4


async def test_a_question_that_is_cancelled_gives_its_place_away() -> None:
    async with serving(saying('{"price":1}'), attrs.evolve(LIMITS, at_once=1)) as rig:
        for _ in range(5):
            question = asyncio.create_task(rig.ask())
            await asyncio.sleep(0)
            question.cancel()
            await asyncio.wait([question])
        assert await rig.ask() == Level(1.0)


async def test_a_question_that_is_cancelled_while_it_waits_costs_nothing() -> None:
    async with serving(saying('{"price":1}'), attrs.evolve(LIMITS, weight_a_minute=100)) as rig:
        await rig.ask(weight=10)
        rig.clock.stuck = True
        for _ in range(50):
            question = asyncio.create_task(rig.ask(weight=100))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            question.cancel()
            await asyncio.wait([question])
        rig.clock.stuck = False
        await rig.ask(weight=1)
        assert sum(rig.clock.slept) < 1


def test_a_tenth_comes_at_once_and_the_rest_evenly() -> None:
    clock = VirtualClock()
    turns = Turns(clock, 6_000)
    assert [turns.book(50) for _ in range(12)] == [0.0] * 12
    assert turns.book(50) == pytest.approx(50 / 90)  # nine tenths of 100 a second
    assert turns.book(50) == pytest.approx(100 / 90)


@pytest.mark.parametrize("weight", [1, 20, 50, 250, 599])
def test_no_minute_sees_more_than_the_limit(weight: int) -> None:
    clock = VirtualClock()
    turns, at = Turns(clock, 6_000), list[float]()
    for pause_s in [0.0, 3.0, 30.0, 0.5] * 100:
        clock.advance(pause_s)
        for _ in range(5):
            clock.advance(turns.book(weight))
            at.append(clock.monotonic_ns() / 1e9)
    for index, begin_s in enumerate(at):
        assert weight * sum(begin_s <= each < begin_s + 60 for each in at[index : index + 7_000]) <= 6_000


def test_after_a_rest_there_is_no_wait() -> None:
    clock = VirtualClock()
    turns = Turns(clock, 600)
    while not turns.book(10):
        pass
    clock.advance(60)
    assert turns.book(10) == 0.0
