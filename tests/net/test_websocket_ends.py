"""The handshake: who is let in, who is refused and how, and what a client makes of answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ticktree.net.address import Address
from ticktree.net.errors import CannotListen, HandshakeFailed, NoAnswer, PeerLost, Refused, TlsFailed, Unreachable
from ticktree.net.websocket import WebSocketConnection
from ticktree.net.websocket_ends import connect_websocket, listen_websocket
from ticktree.net.websocket_rules import HandshakeRefused, UpgradeRequest, WebSocketAccess

from .ends import client_tls, server_tls
from .raw_websocket import TEXT, Frame, RawPeer
from .websocket_pairs import DEADLINE_S, End, door, join, listener


def text_end(end: End) -> Callable[[], WebSocketConnection]:
    return lambda: WebSocketConnection(end, text=True)


async def status(url: str, *headers: str, path: str = "/", host: str | None = None) -> tuple[int, str]:
    """HTTP status and body of what a door answers."""
    raw = await RawPeer.dial(url)
    try:
        head = await raw.ask(path, headers, host)
        number = int(head.split()[1])
        return number, "" if number == 101 else await raw.body()
    finally:
        raw.close()


# --- the door -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:{port}", 101),
        ("localhost:{port}", 101),
        ("LOCALHOST:{port}", 101),
        ("[::1]:{port}", 101),
        ("relay.example:{port}", 101),  # listed
        ("relay.example:1", 101),
        ("other.example:8000", 101),  # listed with its port
        ("other.example:{port}", 403),
        ("127.0.0.1", 403),  # which would be port 80
        ("127.0.0.1:1", 403),
        ("evil.example:{port}", 403),
        ("localhost.evil.example:{port}", 403),
        ("user@127.0.0.1:{port}", 403),
        ("127.0.0.1:{port}/x", 403),
        ("127.0.0.1:{port}:2", 403),
        ("127.0.0.1:99999", 403),
        ("", 403),
        ("[", 403),
    ],
)
async def test_only_a_host_that_is_this_server_is_let_in(host: str, expected: int) -> None:
    end = End()
    access = WebSocketAccess(hosts=frozenset({"relay.example", "other.example:8000"}))
    async with door(text_end(end), access=access) as opened:
        host = host.format(port=opened.bound[1])
        number, why = await status(opened.url, host=host or " ")
        assert number == expected
        if expected == 403:
            assert "Host" in why
            assert end.opened == 0


@pytest.mark.parametrize(
    ("origin", "expected"),
    [("https://example.org", 101), ("https://evil.example", 403), ("null", 403), ("http://127.0.0.1", 403), ("", 403)],
)
async def test_a_browsers_page_is_let_in_only_if_its_origin_is_listed(origin: str, expected: int) -> None:
    async with door(text_end(End()), access=WebSocketAccess(origins=frozenset({"https://example.org"}))) as opened:
        number, why = await status(opened.url, f"Origin: {origin}")
        assert number == expected
        assert ("Origin" in why) == (expected == 403)


async def test_two_hosts_are_none() -> None:
    async with door(text_end(End())) as opened:
        assert (await status(opened.url, "Host: localhost"))[0] == 400


@pytest.mark.parametrize(
    ("path", "expected"), [("/ticks", 101), ("/ticks?a=1", 101), ("/", 404), ("/ticks/", 404), ("/tick", 404)]
)
async def test_only_its_path_is_served(path: str, expected: int) -> None:
    async with door(text_end(End()), "ws://127.0.0.1:0/ticks") as opened:
        assert (await status(opened.url, path=path))[0] == expected


async def test_who_is_not_authorised_is_told_why_and_nothing_is_made_for_it() -> None:
    asked: list[UpgradeRequest] = []

    def authorise(request: UpgradeRequest) -> str | None:
        asked.append(request)
        known = "s3cret" in (request.query.get("token"), request.headers.get("x-token"))
        return None if known else "a token is needed"

    end = End()
    async with door(text_end(end), access=WebSocketAccess(authorise=authorise)) as opened:
        assert await status(opened.url) == (401, "a token is needed\n")
        assert await status(opened.url, path="/?token=wrong") == (401, "a token is needed\n")
        assert end.opened == 0
        assert (await status(opened.url, path="/?a=b&token=s3cret"))[0] == 101
        assert (await status(opened.url, "X-Token: s3cret"))[0] == 101
    assert [request.path for request in asked] == ["/"] * 4


GOOD = "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = "Sec-WebSocket-Version: 13\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        GOOD + KEY + "\r\n",
        GOOD + VERSION + "\r\n",
        GOOD + KEY + "Sec-WebSocket-Version: 12\r\n\r\n",
        GOOD + VERSION + "Sec-WebSocket-Key: c2hvcnQ=\r\n\r\n",
        GOOD.replace("Upgrade: websocket\r\n", "") + KEY + VERSION + "\r\n",
        GOOD.replace("GET", "POST") + KEY + VERSION + "\r\n",
        GOOD.replace("1.1", "1.0") + KEY + VERSION + "\r\n",
        GOOD.replace("/ HTTP", "\xff HTTP") + KEY + VERSION + "\r\n",
        GOOD + KEY + VERSION + "no header\r\n\r\n",
        GOOD + KEY + VERSION + "Content-Length: 5\r\n\r\nhello",
        "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        "\r\n\r\n",
    ],
)
async def test_what_is_no_handshake_is_refused(request_: str) -> None:
    end = End()
    async with door(text_end(end)) as opened:
        raw = await RawPeer.dial(opened.url)
        await raw.send(request_.format(host=opened.url[5:-1]).encode("latin-1"))
        assert b" 400 " in await raw.head()
        raw.close()
        assert end.opened == 0


async def test_a_handshake_is_bounded_in_time() -> None:
    async with door(text_end(End()), access=WebSocketAccess(handshake_s=0.05)) as opened:
        raw = await RawPeer.dial(opened.url)
        await raw.send(b"GET / HTTP/1.1\r\nHost: ")
        assert await raw.frame() is None
        raw.close()


async def test_a_handshake_is_bounded_in_size() -> None:
    async with door(text_end(End())) as opened:
        raw = await RawPeer.dial(opened.url)
        await raw.send(b"GET / HTTP/1.1\r\nX: " + b"*" * 1_000_000)
        assert await raw.frame() is None
        raw.close()


async def test_a_handshake_may_come_byte_by_byte_and_bring_frames() -> None:
    ends = [End(), End()]
    waiting = iter(ends)
    async with door(lambda: WebSocketConnection(next(waiting), text=True)) as opened:
        request = (GOOD + KEY + VERSION + "\r\n").format(host=opened.url[5:-1]).encode()
        for chop in (0, 1):
            raw = await RawPeer.dial(opened.url)
            await raw.send(request + raw.encode([Frame(TEXT, b"hi")] * 3)[:-2], chop)
            await ends[chop].has(2)
            raw.close()


async def test_what_fails_to_make_a_connection_is_ours_to_hear_of_and_not_the_clients() -> None:
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))

    def fail() -> WebSocketConnection:
        raise LookupError("secret detail")

    async with door(fail) as opened:
        number, why = await status(opened.url)
    assert number == 500
    assert "secret" not in why
    assert [str(context["exception"]) for context in heard] == ["secret detail"]


async def test_a_door_closes_whatever_stands_in_it() -> None:
    end = End()
    opened = await listen_websocket(Address.parse("ws://127.0.0.1:0/"), text_end(end))
    url = opened.url
    silent = await RawPeer.dial(url)
    standing = await RawPeer.dial(url)
    await standing.ask()
    closing = asyncio.ensure_future(opened.close())
    assert [frame.code for frame in await standing.rest()] == [1000]
    await closing
    assert await silent.frame() is None
    assert isinstance(await end.lost, PeerLost)
    silent.close()
    standing.close()
    with pytest.raises(Refused):
        await join(url, WebSocketConnection(End(), text=True))


async def test_a_port_that_is_taken_cannot_be_listened_at() -> None:
    async with door(text_end(End())) as opened:
        with pytest.raises(CannotListen):
            await listen_websocket(Address.parse(opened.url), text_end(End()))


# --- the client ---------------------------------------------------------------------------------------------------

Answering = Callable[[RawPeer], Awaitable[Any]]


async def meet(answer: Answering, timeout_s: float = DEADLINE_S) -> Exception:
    """What a client raises that meets such a server."""
    end = End()
    ours = WebSocketConnection(end, text=True)
    async with listener() as (sock, url):

        async def serve() -> None:
            raw = RawPeer((await asyncio.get_running_loop().sock_accept(sock))[0], client=False)
            try:
                await answer(raw)
                while await raw.frame() is not None:
                    pass
            finally:
                raw.close()

        serving = asyncio.ensure_future(serve())
        with pytest.raises(Unreachable) as caught:
            await connect_websocket(Address.parse(url), ours, timeout_s)
        await asyncio.gather(serving, return_exceptions=True)
    assert ours.gone.done()
    assert (end.opened, end.error) == (0, None)
    return caught.value


@pytest.mark.parametrize("number", [200, 301, 302, 400, 401, 403, 404, 429, 500, 503])
async def test_a_refusal_carries_its_status(number: int) -> None:
    error = await meet(lambda raw: raw.answer(f"{number} Whatever"))
    assert isinstance(error, HandshakeRefused)
    assert error.status == number


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.0 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 999 What\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: wrong\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nno header\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
        b"*" * 100_000,
    ],
)
async def test_an_answer_that_is_no_handshake_is_refused(answer: bytes) -> None:
    assert isinstance(await meet(lambda raw: raw.send(answer)), HandshakeRefused)


async def test_a_server_that_goes_within_the_handshake_fails_it() -> None:
    async def go(raw: RawPeer) -> None:
        await raw.head()
        raw.end()

    assert isinstance(await meet(go), HandshakeFailed)


async def test_a_server_that_says_nothing_is_no_answer() -> None:
    assert isinstance(await meet(lambda raw: raw.head(), timeout_s=0.05), NoAnswer)


async def test_who_gives_up_connecting_leaves_nothing_behind() -> None:
    ours = WebSocketConnection(End(), text=True)
    async with listener() as (sock, url):
        dialling = asyncio.ensure_future(connect_websocket(Address.parse(url), ours, DEADLINE_S))
        raw = RawPeer((await asyncio.get_running_loop().sock_accept(sock))[0], client=False)
        await raw.head()
        dialling.cancel()
        await asyncio.wait([dialling])
        assert dialling.cancelled()
        assert ours.gone.done()
        assert await raw.frame() is None
        raw.close()


async def test_a_client_says_where_it_wants_to_go_and_what_it_was_told_to() -> None:
    ours = WebSocketConnection(End(), text=True)
    async with listener() as (sock, url):
        address = Address.parse(url + "ws?stream=a")
        dialling = asyncio.ensure_future(connect_websocket(address, ours, DEADLINE_S, headers={"X-Key": "1"}))
        raw = RawPeer((await asyncio.get_running_loop().sock_accept(sock))[0], client=False)
        request = (await raw.answer()).decode()
        await dialling
        assert request.startswith("GET /ws?stream=a HTTP/1.1\r\n")
        assert f"\r\nHost: 127.0.0.1:{sock.getsockname()[1]}\r\n" in request
        assert "\r\nX-Key: 1" in request
        assert "Origin" not in request
        raw.close()
        await ours.close()


# --- TLS ----------------------------------------------------------------------------------------------------------


async def test_over_tls_the_server_proves_who_it_is() -> None:
    here, there = End(), End(lambda connection, message: connection.write(message))
    async with door(text_end(there), "wss://127.0.0.1:0/", tls=server_tls()) as opened:
        ours = await join(opened.url, WebSocketConnection(here, text=True), tls=client_tls())
        for n in (1, 100, 20_000, 300_000):
            ours.write(b"*" * n)
        await here.until(lambda: len(here.messages) == 4)
        assert [len(message) for message in here.messages] == [1, 100, 20_000, 300_000]
        await ours.close()
        await there.lost


async def test_without_trust_there_is_no_connection() -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: None)  # the server's half tells the loop
    there = End()
    async with door(text_end(there), "wss://127.0.0.1:0/", tls=server_tls()) as opened:
        with pytest.raises(TlsFailed):
            await join(opened.url, WebSocketConnection(End(), text=True))
        with pytest.raises(Unreachable):
            await join(opened.url.replace("wss", "ws"), WebSocketConnection(End(), text=True))
    assert there.opened == 0
