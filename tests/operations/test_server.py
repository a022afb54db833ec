"""A running system, asked and told over its socket."""

import asyncio
import logging
import os
import socket as sockets
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from ticktree import Strategy
from ticktree.actors import Actor, Backoff, ChildSpec, Fail, Mailbox, StartFailed
from ticktree.app import App, GroupPart, StrategyPart, SupervisionPart, assemble, strategy_part
from ticktree.market import Quote
from ticktree.operations import metrics, server, site
from ticktree.operations.status import Status
from ticktree.routing import OrderState
from ticktree.routing.errors import JournalFailed
from ticktree.routing.router import CancelOrder

from .support import DEADLINE_S, Running, app, is_there, running, stopped, until

ROUTES = "GET /metrics, GET /health, GET /status, POST /halt, POST /resume, POST /drain, POST /flatten, POST /resolve"


# --- status ----------------------------------------------------------------------------------------------------------


async def test_the_status_tells_what_the_system_itself_knows(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        status = await it.status()
    assert (status.paper, status.stopping, status.unwell) == (True, False, ())
    assert status.process.pid == os.getpid()
    assert 0 <= status.process.resident_bytes <= status.process.peak_bytes
    assert 0 < status.uptime_s < DEADLINE_S
    assert status.loop.kind == "uvloop"
    assert status.strategies["holder"].topics == ("*/BTC-USDT/quote",)
    assert status.routers["default"].policy == "Timeout(child='paper', deadline_s=0.25)"
    assert (status.orders.opened, status.orders.open, status.orders.fills) == (2, 1, 1)
    (order,) = status.orders.oldest
    assert (order.side, order.quantity, order.limit, order.state) == ("buy", Decimal("0.02"), Decimal(1000), "live")
    assert [(leg.venue, leg.state, leg.filled) for leg in order.legs] == [("paper", "live", Decimal(0))]
    (holding,) = status.portfolio.holdings
    assert (holding.strategy, holding.quantity, holding.long) == ("holder", Decimal("0.01"), Decimal("0.03"))
    assert (status.venues["paper"].closed, status.venues["paper"].open) == ("", 1)
    assert status.venues["paper"].ended == status.routers["default"].ended == {"filled": 1}
    assert status.latencies["paper"]["wire->ack"].count == 2


async def test_pages_asked_for_at_once_are_made_one_after_the_other(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, at_work, most = metrics.written, 0, 0

    def written(status: Status) -> Iterator[bytes]:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        yield from real(status)
        at_work -= 1

    monkeypatch.setattr(metrics, "written", written)
    async with running(app(socket)) as it:
        answers = await asyncio.gather(*(it.ask("GET", "/metrics") for _ in range(20)))
    assert [code for code, _ in answers] == [200] * 20
    assert most == 1


async def test_ticks_and_bytes_are_conserved_in_every_status(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        for _ in range(5):
            status = await it.status()
            boxes = {node.path: node.mailbox for node in status.tree.walk() if node.mailbox is not None}
            assert list(boxes) == [node.path for node in it.system.snapshot().actors()]
            for box in boxes.values():
                parts = box.delivered + box.conflated + box.dropped.total + box.queued + box.in_handler
                assert box.received == parts
                assert box.unaccounted == 0
            assert boxes["strategies/holder"].received > 0
            for feed in status.feeds.values():
                assert feed.bytes_in == feed.decoded + feed.skipped + feed.buffered > 0


async def test_a_system_that_trades_nothing_says_how_it_is_and_has_nothing_to_control(socket: Path) -> None:
    async with running(attrs.evolve(app(socket), venues=(), routers=(), strategies=())) as it:
        await until(lambda: it.assembly.accounts["simulated"].live)
        status = await it.status()
        assert (status.venues, status.routers, status.orders.open) == ({}, {}, 0)
        assert status.feeds["simulated"].live
        assert (await it.ask("GET", "/metrics"))[0] == 200
        code, answer = await it.ask("POST", "/halt")
    assert (code, answer["error"]) == (
        409, "this system has no venues: nothing is traded, so there is nothing to control",
    )  # fmt: skip


# --- commands --------------------------------------------------------------------------------------------------------


async def test_halt_and_resume_are_done_and_answered_in_words(socket: Path) -> None:
    async with running(app(socket)) as it:
        assert await it.say("halt", reason="lunch") == "halted: lunch"
        assert it.assembly.office.ledger.halted == "lunch"
        assert (await it.status()).orders.halted == "lunch"
        assert await it.say("resume", reason="all is well") == "resumed: all is well"
        assert it.assembly.office.ledger.halted == ""
        code, answer = await it.ask("POST", "/halt")  # no body at all
        assert (code, answer) == (200, {"said": "halted: the operator's word"})


async def test_drain_cancels_what_is_open_and_the_position_stays(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        assert await it.say("drain") == "draining: 1 orders are being canceled"
        await until(lambda: not it.assembly.office.ledger.open_orders)
        status = await it.status()
        assert status.routers["default"].draining == "the router is draining"
        assert status.unwell == ("router default takes no orders: the router is draining",)
        assert status.portfolio.holdings[0].quantity == Decimal("0.01")
        await it.say("resume")
        assert (await it.status()).unwell == ()


async def test_flatten_closes_what_is_held_and_names_the_orders(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        code, answer = await it.ask("POST", "/flatten", {})
        assert code == 200
        (order,) = answer["orders"]
        assert answer["said"] == f"halted; 1 order closes what is held: {order}"
        await until(lambda: it.assembly.office.ledger.orders[order].state is OrderState.FILLED)
        assert (await it.status()).portfolio.holdings[0].quantity == 0
        assert await it.say("flatten", strategy="holder") == "halted; nothing is held"
        code, answer = await it.ask("POST", "/flatten", {"strategy": "holdr"})
        assert (code, answer["error"]) == (404, "there is no strategy 'holdr'; did you mean 'holder'?")


async def test_what_is_in_doubt_is_resolved_by_its_name(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        await it.system.supervisor("venues").terminate_child("paper")  # its session is gone: nobody knows
        status = await it.status()
        (order,) = status.orders.oldest
        assert (order.state, status.orders.unknown_legs, status.venues["paper"].unknown) == ("unknown", 1, 1)
        said = await it.say("resolve", name=order.id, state="canceled", reason="by telephone")
        assert said == f"{order.legs[0].id} resolved as canceled: by telephone"
        assert (await it.status()).orders.unknown_legs == 0
        code, answer = await it.ask("POST", "/resolve", {"name": order.id})
        assert code == 404
        assert f"nothing of {order.id} is in doubt" in answer["error"]


async def test_a_long_flatten_keeps_nobody_waiting_and_two_commands_are_both_done(socket: Path) -> None:
    async with running(app(socket, latency_s=0.1)) as it:  # a cancel takes 0.2 s
        await it.holding()
        flatten = asyncio.create_task(it.ask("POST", "/flatten", {"within_s": 5.0}))
        await until(lambda: it.assembly.office.ledger.halted != "")
        halt = asyncio.create_task(it.say("halt", reason="lunch"))
        status = await it.status()
        assert status.orders.halted == "positions are being flattened"
        assert not flatten.done()
        code, answer = await flatten
        assert (code, len(answer["orders"])) == (200, 1)
        assert await halt == "halted: lunch"


async def test_two_commands_at_once_are_both_done(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        said = await asyncio.gather(it.say("halt", reason="a"), it.say("drain"), it.say("halt", reason="b"))
        assert [one.partition(":")[0] for one in said] == ["halted", "draining", "halted"]
        assert it.assembly.office.ledger.halted in {"a", "b"}


class Silent(Actor[Any]):
    """Answers nothing."""

    def on_message(self, message: Any) -> None:
        pass


async def test_a_command_that_is_not_answered_in_time_may_still_be_done_and_that_is_said(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "ANSWER_S", 0.02)
    async with running(app(socket)) as it:
        root = it.system.supervisor()
        await root.terminate_child("controls")
        await root.delete_child("controls")
        await root.start_child(ChildSpec("controls", Silent, Mailbox(10, Fail())))
        code, answer = await it.ask("POST", "/halt", {"reason": "lunch"})
    assert code == 504
    assert answer["error"].startswith("controls did not answer Halt within 0.02 s; it is running, with 0 ticks queued")
    assert answer["error"].endswith("; it may still be done: look at the status")


async def test_a_command_while_the_controls_are_gone_is_refused(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.system.supervisor().terminate_child("controls")
        code, answer = await it.ask("POST", "/halt")
        assert (code, answer["error"]) == (503, "controls is closed: it was stopped")
        assert (await it.status()).orders.halted == ""


async def test_what_the_journal_does_not_take_is_an_error_and_said(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(app(socket)) as it:
        await it.say("halt")
        monkeypatch.setattr(
            it.assembly.office.blotter.journal, "failed", JournalFailed("orders.journal", "the disk is full")
        )
        code, answer = await it.ask("POST", "/resume")
        assert code == 500
        assert "the disk is full" in answer["error"]
        assert it.assembly.office.ledger.halted


async def test_a_command_is_one_line_of_the_log_and_a_question_none(
    socket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ticktree.operations")
    async with running(app(socket)) as it:
        caplog.clear()
        await it.ask("GET", "/status")
        await it.ask("GET", "/metrics")
        await it.say("halt", reason="lunch")
        await it.ask("POST", "/resolve", {"name": "x"})
        said = [record.getMessage() for record in caplog.records if record.name == "ticktree.operations"]
    assert said == [
        'the operator asked for halt {"reason":"lunch"}: halted: lunch',
        'the operator asked for resolve {"name":"x","state":"canceled","reason":"the operator\'s word"}: not done: '
        "there is no order 'x'",
    ]


# --- health ----------------------------------------------------------------------------------------------------------


async def health(it: Running) -> tuple[int, list[str]]:
    code, answer = await it.ask("GET", "/health")
    assert answer["ok"] == (code == 200) == (not answer["reasons"])
    return code, answer["reasons"]


async def test_health_turns_503_with_its_reasons_and_back(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        assert await health(it) == (200, [])
        await it.say("halt", reason="lunch")
        assert await health(it) == (503, ["trading is halted: lunch"])
        await it.system.supervisor("venues").terminate_child("paper")
        await it.system.supervisor("feeds").terminate_child("simulated-exchange")
        await until(lambda: not it.assembly.accounts["simulated"].live)
        assert await health(it) == (
            503, ["trading is halted: lunch", "feed simulated is not live", "venue paper takes no orders: it stopped"],
        )  # fmt: skip
        await it.say("resume")
        await it.system.supervisor("venues").restart_child("paper")
        await it.system.supervisor("feeds").restart_child("simulated-exchange")
        await until(lambda: it.assembly.accounts["simulated"].live and not it.assembly.office.doors["paper"].closed)
        assert await health(it) == (200, [])


class Fails(Strategy):
    topics = ("*/BTC-USDT/quote",)

    def on_quote(self, quote: Quote) -> None:
        raise RuntimeError("a fault of its own")


async def test_what_is_being_restarted_is_named(socket: Path) -> None:
    slowly = SupervisionPart(rooms={"strategies": GroupPart(delay=Backoff(base_s=60.0, ceiling_s=60.0))})
    parts: tuple[StrategyPart, ...] = (strategy_part(Fails),)
    async with running(app(socket, strategies=parts, supervision=slowly)) as it:
        await until(lambda: "restarting" in str(it.system.snapshot()))
        assert await health(it) == (503, ["strategies/fails is restarting"])
        (node,) = [node for node in (await it.status()).tree.walk() if node.path == "strategies/fails"]
        assert "a fault of its own" in node.history[-1]


# --- what may not be asked -------------------------------------------------------------------------------------------


WRONG: list[tuple[str, str, Any, int, str]] = [
    ("GET", "/", None, 404, f"there is no /; there are {ROUTES}"),
    ("POST", "/stop", None, 404, "there is no /stop; there are GET /metrics"),
    ("GET", "/halt", None, 405, f"/halt takes POST; there are {ROUTES}"),
    ("DELETE", "/status", None, 405, "/status takes GET, HEAD"),
    ("POST", "/halt", b"{", 400, 'send {"reason": "the feed looks wrong"}'),
    ("POST", "/flatten", {"within_s": -1}, 400, "$.within_s"),
    ("POST", "/halt", {"reason": "x" * 100_000}, 413, "a body has at most 65536 bytes"),
]


async def test_a_request_that_is_wrong_is_answered_with_what_would_be_right(socket: Path) -> None:
    async with running(app(socket)) as it:
        for method, page, body, code, why in WRONG:
            status, answer = await it.ask(method, page, body)
            assert status == code, page
            assert why in answer["error"]
        assert it.assembly.office.ledger.halted == ""
        await it.status()  # it goes on


GARBAGE = (
    b"\x00\xff\x16\x03\x01\n\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /halt HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"GET /" + b"x" * 20_000,
)


async def test_what_is_no_http_is_turned_away_and_nothing_else_notices(socket: Path) -> None:
    async with running(app(socket)) as it:
        for garbage in GARBAGE:
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(garbage)
            async with asyncio.timeout(DEADLINE_S):
                assert b" 200 " not in await reader.read()
            writer.close()
        assert it.assembly.office.ledger.halted == ""
        await it.status()


async def test_there_are_so_many_connections_at_once_and_who_leaves_makes_room(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "MOST_CONNECTIONS", 3)
    async with running(app(socket)) as it:
        held = [await asyncio.open_unix_connection(str(socket)) for _ in range(3)]
        reader, writer = await asyncio.open_unix_connection(str(socket))
        async with asyncio.timeout(DEADLINE_S):
            assert await reader.read() == b""
        writer.close()
        for _, one in held:
            one.close()
        async with asyncio.timeout(DEADLINE_S):
            while not await let_in(it):  # until it has noticed
                pass


async def let_in(it: Running) -> bool:
    try:
        await it.status()
    except aiohttp.ClientError:
        return False
    return True


# --- beginning and end -----------------------------------------------------------------------------------------------


async def test_a_second_system_at_the_same_socket_does_not_start_and_the_first_goes_on(socket: Path) -> None:
    async with running(app(socket)) as it:
        second = assemble(app(socket)).system()
        with pytest.raises(
            StartFailed, match=f"operations did not start: .*already running: a system answers at {socket}"
        ):
            await second.start()
        assert (await it.status()).unwell == ()
        assert [node.path for node in second.snapshot().actors() if node.state != "vacant"] == []
    assert not is_there(socket)


async def test_who_is_connected_does_not_keep_a_system_from_stopping(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        await it.status()  # its connection is kept
        idle = await asyncio.open_unix_connection(str(socket))
        half = await asyncio.open_unix_connection(str(socket))
        half[1].write(b"POST /halt HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await half[1].drain()
        await it.status()  # so it has read that
        assert await stopped(it.system) < 4.0
        assert not is_there(socket)
        async with asyncio.timeout(DEADLINE_S):
            assert await idle[0].read() == b""
            await half[0].read()
        for _, writer in (idle, half):
            writer.close()


async def test_a_command_that_is_under_way_keeps_nobody_from_stopping_and_that_is_told(
    socket: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "SHUTDOWN_S", 0.05)
    async with running(app(socket)) as it:
        await it.holding()
        await it.system.supervisor("venues").terminate_child("paper")  # who would have to confirm the cancel
        flatten = asyncio.create_task(it.ask("POST", "/flatten", {"within_s": 300.0}))
        await until(lambda: it.assembly.office.ledger.halted != "")
        async with asyncio.timeout(4.0):
            await it.system.supervisor().terminate_child("operations")
            await asyncio.wait([flatten])
        assert isinstance(flatten.exception(), aiohttp.ClientError)
        (order,) = it.assembly.office.ledger.open_orders.values()  # let it end, so that the rest stops at once
        await it.system.supervisor("venues").restart_child("paper")
        await until(lambda: order.state is OrderState.LIVE)
        it.system.ref("routers/default").tell_control(CancelOrder(order))
        await until(lambda: order.terminal)
    said = 'the operator asked for flatten {"strategy":null,"within_s":300.0}: the system stopped before it was done'
    assert said in caplog.messages
    assert not is_there(socket)


async def test_the_socket_outlives_a_failure_of_who_serves_it(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        it.system.ref("operations").tell(object())  # it takes no messages
        await until(lambda: [one.path for one in it.system.snapshot().actors() if one.restarts] == ["operations"])
        await until(lambda: is_there(socket))
        status = await it.status()
    assert [(node.path, node.life) for node in status.tree.walk() if node.restarts] == [("operations", 2)]


# --- metrics over TCP ------------------------------------------------------------------------------------------------


ASKED: list[tuple[str, dict[str, str], int, str]] = [
    ("/metrics", {}, 200, "ticktree_healthy"),
    ("/health", {}, 200, '"ok"'),
    ("/metrics", {"Host": "localhost:1"}, 200, "ticktree_healthy"),  # a tunnel's port
    ("/metrics", {"Host": "[::1]"}, 200, "ticktree_healthy"),
    ("/metrics", {"Host": "evil.example"}, 403, "the Host of a request has to be localhost"),
    ("/metrics", {"Host": "127.0.0.1.evil.example:9464"}, 403, "the Host"),
    ("/metrics", {"Host": "[broken"}, 403, "the Host"),
    ("/metrics", {"Origin": "http://localhost"}, 403, "not for pages of the web"),
    ("/status", {}, 404, "there is no /status; there are GET /metrics, GET /health"),
    ("/halt", {}, 404, "there is no /halt"),
]


async def test_over_tcp_programs_on_this_machine_are_told_metrics_and_health_and_nothing_else(socket: Path) -> None:
    async with running(app(socket, metrics="127.0.0.1:0")) as it, aiohttp.ClientSession() as client:
        await it.holding()
        metrics = (await it.status()).metrics
        for page, headers, code, why in ASKED:
            url = metrics.replace("/metrics", page)
            async with client.get(url, headers=headers) as answer:
                assert why in await answer.text()
                assert answer.status == code, (page, headers)
            async with client.post(url, headers=headers) as answer:
                assert answer.status in {403, 404, 405}
        assert it.assembly.office.ledger.halted == ""


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("0.0.0.0:9464", r"metrics cannot be told at 0.0.0.0:9464: nobody is asked for a token there"),
        ("10.0.0.1:9464", "nobody is asked for a token"),
        ("metrics.example:9464", "nobody is asked for a token"),
        ("9464", r'it is a host and a port, as in "127.0.0.1:9464"'),
        ("127.0.0.1:http", "it is a host and a port"),
        ("127.0.0.1:9464/metrics", "it is a host and a port"),
    ],
)
async def test_metrics_are_told_on_this_machine_only(socket: Path, where: str, why: str) -> None:
    with pytest.raises(StartFailed, match=why):
        await assemble(app(socket, metrics=where)).system().start()
    assert not is_there(socket)


async def test_a_port_in_use_is_named(socket: Path) -> None:
    with sockets.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        where = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(StartFailed, match=f"metrics cannot be told at {where}: [Aa]ddress already in use"):
            await assemble(app(socket, metrics=where)).system().start()


def test_an_application_that_is_not_spoken_to_has_no_socket() -> None:
    assert App.simulated(Fails).operations is None
    assert "operations" not in [child.id for child in App.simulated(Fails).tree().children]
