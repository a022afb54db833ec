"""Clients that lie, hang or flood: each is refused by name and counted, and costs the others nothing."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from ticktree.market import Quote, conversation, messages, wire
from ticktree.market.ticks import TICK
from ticktree.net import ShortReads, StreamConnection, connect

from ...market.samples import quote
from ...probe import turns_until
from .rig import DEADLINE_S, Client, Rig, Upstream, lobby, relaying

KINDS = ("tcp", "unix", "ws", "json")
HELLO = messages.Hello()


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


@asynccontextmanager
async def good_company(**options: Any) -> AsyncGenerator[tuple[Rig, Client]]:
    """A relay with one good client, who gets all that it asked for afterwards; then nothing is left of the others."""
    async with relaying(**options) as rig:
        sim = Upstream(rig.hub)
        good = await rig.client("tcp", "sim/*/quote")
        open_before, tasks_before = descriptors(), len(asyncio.all_tasks())
        yield rig, good
        sim.publish(quote(bid=55.0))
        assert await good.get(Quote) == [quote(bid=55.0)]
        for client in rig.clients:
            if client is not good:
                await client.connection.close()
        await rig.until(lambda figures: figures.connections == 1)
        assert len(rig.hub.subscriptions()) == 1
        await turns_until(lambda: rig.system.supervisor("relay/clients").count_children().actors == 1)
        async with asyncio.timeout(DEADLINE_S):
            while descriptors() > open_before or len(asyncio.all_tasks()) > tasks_before:  # noqa: ASYNC110  # that tells nobody
                await asyncio.sleep(0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ((messages.Hello(version=9),), "version"),
        ((messages.Hello(token="wrong"),), "token"),
        ((messages.Subscribe(("sim/*/quote",)),), "order"),
        ((messages.Hello(token="right"), messages.Hello(token="right")), "order"),
        ((messages.Hello(token="right"), messages.Skipped(3)), "order"),
        ((messages.Hello(token="right"), messages.Subscribed(())), "order"),
    ],
)
async def test_who_does_not_keep_to_the_order_is_refused_by_name_and_sent_away(
    kind: str, said: tuple[messages.Message, ...], reason: str
) -> None:
    async with relaying(token="right") as rig:
        client = await rig.stranger(kind)
        client.say(*said)
        await client.gone()
        assert client.refusals() == [reason]
        assert isinstance(client.said[-1], messages.End)
        figures = await rig.until(lambda figures: not figures.connections)
        assert figures.refused == {reason: 1}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("topics", "reason"),
    [
        (("sim/BTC-USDT",), "topic"),
        (("sim/BTC-USDT/qoute",), "topic"),
        (("x" * 60_000,), "topic"),
        (("other/BTC-USDT/quote",), "nothing"),
        (tuple(f"x{n}/*{n}*/quote" for n in range(255)), "nothing"),
        ((), "nothing"),
        (tuple(f"sim/{n}-USDT/quote" for n in range(256)), "limit"),
    ],
)
async def test_a_subscription_that_cannot_be_is_refused_and_what_stood_stands(
    kind: str, topics: tuple[str, ...], reason: str
) -> None:
    async with relaying() as rig:
        sim = Upstream(rig.hub)
        client = await rig.client(kind, "sim/BTC-USDT/quote")
        client.ask(*topics)
        (refused,) = await client.get(messages.Refused)
        assert refused.reason == reason
        assert len(refused.text) <= 500
        sim.publish(quote())
        assert await client.get(Quote) == [quote()]
        client.ask("sim/ETH-USDT/quote")
        assert (await client.get(messages.Subscribed, 2))[-1].topics == ("sim/BTC-USDT/quote", "sim/ETH-USDT/quote")


async def test_a_list_of_257_topics_is_no_message() -> None:
    async with good_company() as (rig, _):
        client = await rig.client("tcp")
        client.ask(*(f"sim/{n}-USDT/quote" for n in range(257)))
        await client.gone()
        assert client.refusals() == ["malformed"]


@pytest.mark.parametrize("kind", ["tcp", "json"])
async def test_who_floods_while_it_waits_in_line_is_heard_again_once_it_is_let_in(kind: str) -> None:
    async with good_company(admissions_a_second=1) as (rig, _):
        client, most = await rig.stranger(kind), 0
        line: dict[Any, None] = lobby(rig.system).line
        client.say(HELLO, *[messages.Subscribe(("sim/*/quote",))] * 3_000)
        async with asyncio.timeout(DEADLINE_S):
            while not client.of(messages.Hello):
                gathered: list[list[object]] = [vars(guest)["_requests"] for guest in line]
                most = max([most, *map(len, gathered)])
                await asyncio.sleep(0)
        assert 16 <= most < 1_000  # and what one read of 32 KiB brought
        assert len(await client.get(messages.Subscribed, 3_000)) == 3_000


async def test_who_is_refused_time_and_again_is_sent_away() -> None:
    async with good_company() as (rig, _):
        client = await rig.client("tcp")
        for _ in range(70):
            client.ask("nothing/of/book")
        await client.gone()
        *others, last = client.refusals()
        assert (set(others) <= {"nothing"}, last) == (True, "order")


@pytest.mark.parametrize("kind", KINDS)
async def test_who_never_says_hello_is_sent_away(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "SILENCE_S", 0.5)
    async with good_company() as (rig, _):
        client = await rig.stranger(kind)
        await client.gone()
        assert client.refusals() == ["order"]


async def test_who_falls_silent_is_given_up() -> None:
    async with good_company() as (rig, _):
        client = await rig.client("tcp", "sim/*/quote")
        client.beats = False
        await client.gone()
        await rig.until(lambda figures: figures.lost == {"Silent": 1})


@pytest.mark.parametrize("kind", ["tcp", "ws"])
@pytest.mark.parametrize("greeted", [True, False])
async def test_ticks_are_a_servers_to_send(kind: str, greeted: bool) -> None:
    async with good_company() as (rig, _):
        client = await (rig.client(kind) if greeted else rig.stranger(kind))
        client.connection.write(client.writer.ticks(np.zeros(3, TICK)))
        await client.gone()
        assert client.refusals() == ["order"]


GARBAGE = {
    "noise": b"\xff" * 64,
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "oversize": wire.HEADER.pack(1 << 30, 1, 1, 0, 0),
    "short": wire.HEADER.pack(8, 1, 1, 0, 0),
    "odd": wire.HEADER.pack(17, 1, 1, 0, 0) + b"x",
    "no JSON": wire.HEADER.pack(24, 1, 1, 0, 0) + b"12345678",
    "a sequence": wire.HEADER.pack(40, 4, 1, 0, 7) + b'{"type":"heartbeat"}    ',
    "another version": wire.HEADER.pack(16, 1, 2, 0, 0),
}


@pytest.mark.parametrize("kind", ["tcp", "unix", "ws"])
@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_ends_that_connection_and_is_counted(kind: str, name: str) -> None:
    async with good_company() as (rig, _):
        client = await rig.stranger(kind)
        client.connection.write(GARBAGE[name])
        await client.gone()
        figures = await rig.until(lambda figures: figures.connections == 1)
        expected = "version" if name == "another version" else "malformed"
        assert figures.refused == {expected: 1}
        assert client.refusals() == [expected]


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b"\xff", b'{"type":"hello","type":"hello"}', b'{"type":"tick"}', b"[" * 5_000]
)
async def test_a_text_that_is_no_message_ends_that_connection(text: bytes) -> None:
    async with good_company() as (rig, _):
        client = await rig.stranger("json")
        client.connection.write(text)
        await client.gone()
        if text != b"\xff":  # that is no text, and WebSockets end themselves
            assert client.refusals() == ["malformed"]


async def test_half_a_frame_and_then_nothing_is_silence() -> None:
    async with good_company() as (rig, _):
        client = await rig.client("tcp")
        client.beats = False
        client.connection.write(wire.HEADER.pack(4_096, 8, 1, 0, 0) + b"{" * 100)
        await client.gone()


async def test_a_frame_that_trickles_in_costs_no_more_than_its_bytes() -> None:
    async with good_company() as (rig, _):
        client = await rig.stranger("tcp")
        frame = client.writer.write(HELLO)
        for byte in frame:
            client.connection.write(bytes([byte]))
            await asyncio.sleep(0)
        assert await client.get(messages.Hello)


@pytest.mark.parametrize("kind", ["ws", "json"])
async def test_a_message_above_a_frames_length_is_refused(kind: str) -> None:
    async with good_company() as (rig, _):
        client = await rig.client(kind)
        client.connection.write(b" " * 70_000)
        await client.gone()


async def test_several_frames_in_one_message_are_none() -> None:
    async with good_company() as (rig, _):
        client = await rig.client("ws")
        client.connection.write(2 * client.writer.write(messages.Heartbeat()))
        await client.gone()
        assert client.refusals() == ["malformed"]


async def test_beyond_the_most_clients_one_is_told_that_there_are_enough() -> None:
    async with good_company(most_clients=3) as (rig, _):
        inside = [await rig.client("unix"), await rig.client("json")]
        for kind in KINDS:
            outside = await rig.stranger(kind)
            await outside.gone()
            assert outside.refusals() == ["busy"]
        await inside[0].connection.close()
        await rig.until(lambda figures: figures.connections == 2)
        assert await rig.client("tcp")
        assert (await rig.figures()).refused == {"busy": 4}


async def flood(count: int, **options: Any) -> None:
    """`count` connections that say nothing; as many as may are kept, and sent away after the silence."""
    async with good_company(**options) as (rig, _):
        ends: list[Any] = []

        async def open_one() -> None:
            connection = StreamConnection(Client(rig.url("tcp")), wire.Framing(), buffers=ShortReads(wire.MOST_BYTES))
            vars(connection)["_peer"].beats = False
            ends.append(connection)
            await connect(rig.url("tcp"), connection, 60.0)

        for start in range(0, count, 100):
            await asyncio.gather(*(open_one() for _ in range(min(100, count - start))))
        for connection in ends:
            await connection.gone
        figures = await rig.figures()
        refused, most = figures.refused, options.get("most_clients", 4_032)
        assert figures.turned_away + refused.get("busy", 0) + refused["order"] == count
        assert refused["order"] >= most - 1


async def test_a_flood_of_connections_is_bounded_and_passes() -> None:
    await flood(400, most_clients=100)


@pytest.mark.soak
async def test_five_thousand_connections_that_say_nothing_pass() -> None:
    await flood(5_000)
