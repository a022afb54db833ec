"""The client's side over real sockets."""

# pyright: reportPrivateUsage=false

import logging
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import attrs
import msgspec
import pytest

from tests.net.ends import End, client_tls, server_tls
from ticktree.actors import LiveClock
from ticktree.market import Instrument
from ticktree.net import BadAddress, BadFrame, Server, StreamConnection
from ticktree.routing.errors import BadOrder, NotConnected
from ticktree.routing.gateway import Gateway, VenueRules
from ticktree.routing.orders import OrderState
from ticktree.routing.venues.tcp import LineFaults, Malformed, NotOffered, ProtocolError, TcpGateway, messages, session

from .rig import (
    BTC,
    ETH,
    LIMIT,
    Hearer,
    K,
    Raw,
    engine_with_prices,
    front,
    resting,
    serving,
    session as a_session,
    ticket,
    trading,
    until,
)  # fmt: skip


async def test_an_order_is_said_answered_and_filled() -> None:
    async with a_session() as (engine, _, gateway, hearer):
        order = ticket()
        gateway.submit(order)
        await until(lambda: hearer.kinds(order.client_id) == [K.ACCEPTED, K.FILL])
        report = hearer.of("report")[-1]
        assert report.execution == engine.executions("alpha")[0]
        assert report.received_ns > 0
        assert engine.position("alpha", BTC) == 5


async def test_a_resting_order_is_replaced_asked_about_and_canceled() -> None:
    async with a_session() as (_, _, gateway, hearer):
        order = resting()
        gateway.submit(order)
        gateway.replace(order, 7, order.limit_increments)
        gateway.query(order)
        gateway.query_account()
        gateway.query_quote(BTC, hearer.quoted)
        gateway.cancel(order)
        gateway.query_fills(order)
        await until(lambda: len(hearer.kinds(order.client_id)) == 5)
        assert hearer.kinds(order.client_id) == [K.ACCEPTED, K.REPLACED, K.STATUS, K.CANCELED, K.STATUS]
        (account,), (quote,) = hearer.of("account"), hearer.of("quote")
        assert [(one.client_id, one.quantity_increments) for one in account.open_orders] == [(order.client_id, 7)]
        assert quote.asks[0] == (6_400_050, 1_000_000)
        assert abs(hearer.clock.now_ns() - quote.time_ns) < 5e9


async def test_the_rules_are_those_that_the_login_told() -> None:
    rules = VenueRules(post_only=False, retransmits=True, not_found_grace_s=0.5)
    async with serving(front(engine_with_prices(rules))) as (_, url), trading(url) as (gateway, hearer):
        assert gateway.rules == VenueRules()
        await until(lambda: hearer.ups == 1)
        assert gateway.rules == rules
        assert gateway.account == "alpha"
        assert hearer.told == [("up", True)]


async def test_without_a_session_nothing_is_said() -> None:
    async with trading("tcp://127.0.0.1:1") as (gateway, _):
        for say in (gateway.submit, gateway.cancel, gateway.query, gateway.query_fills):
            with pytest.raises(NotConnected):
                say(ticket())
        with pytest.raises(NotConnected):
            gateway.replace(ticket(), 5, 5)
        with pytest.raises(NotConnected):
            gateway.query_account()


async def test_an_instrument_that_the_venue_does_not_have_is_refused_here() -> None:
    async with a_session() as (engine, _, gateway, _):
        with pytest.raises(NotOffered, match="has no ETH-USDT"):
            gateway.submit(ticket(instrument=ETH))
        assert issubclass(NotOffered, BadOrder)
        assert issubclass(NotOffered, NotConnected)
        assert not engine.orders("alpha")


@pytest.mark.parametrize("what", ["price_increment", "size_increment", "multiplier"])
async def test_an_instrument_of_other_increments_is_refused_here(what: str) -> None:
    async with a_session() as (engine, _, gateway, hearer):
        changed: dict[str, Any] = {what: Decimal("0.5")}
        other = attrs.evolve(BTC, **changed)
        with pytest.raises(NotOffered, match=f"its {what} is 0.5 here"):
            gateway.submit(ticket(instrument=other))
        equal = Instrument("BTC-USDT", 9, Decimal("0.010"), Decimal("0.00010"))
        gateway.submit(order := ticket(instrument=equal))
        await until(lambda: len(hearer.kinds(order.client_id)) == 2)
        assert list(engine.orders("alpha")) == [order.client_id]


async def test_an_order_across_a_change_of_definition_is_rejected_and_never_misread() -> None:
    async with a_session() as (engine, server, gateway, hearer):
        order = ticket()
        server.define(attrs.evolve(BTC, size_increment=Decimal("1")))
        gateway.submit(order)  # the change is not read yet
        await until(lambda: hearer.kinds(order.client_id) == [K.REJECTED])
        assert not engine.orders("alpha")
        with pytest.raises(NotOffered):
            gateway.submit(ticket())


async def test_a_venue_that_does_not_keep_up_gets_no_orders_but_cancels() -> None:
    async with a_session() as (engine, _, gateway, hearer):
        order = resting()
        gateway.submit(order)
        await until(lambda: bool(hearer.kinds(order.client_id)))
        connection = gateway._connection
        assert connection is not None
        connection.paused = True
        with pytest.raises(NotConnected, match="does not keep up"):
            gateway.submit(ticket())
        with pytest.raises(NotConnected, match="does not keep up"):
            gateway.replace(order, 6, LIMIT)
        gateway.cancel(order)
        await until(lambda: hearer.kinds(order.client_id) == [K.ACCEPTED, K.CANCELED])
        assert engine.orders("alpha")[order.client_id].state is OrderState.CANCELED


async def test_a_question_for_a_quote_is_answered_once_also_by_the_end_of_the_session() -> None:
    async with a_session(faults=LineFaults(delay_s=0.2)) as (_, _, gateway, hearer):
        gateway.query_quote(BTC, hearer.quoted)
        gateway.reset("enough")
        await until(lambda: hearer.ups == 2)
        assert hearer.of("quote") == [None]
        assert [told[0] for told in hearer.told] == ["up", "down", "quote", "up"]
        gateway.query_quote(ETH, hearer.quoted)
        await until(lambda: len(hearer.of("quote")) == 2)
        assert hearer.of("quote") == [None, None]


async def test_answers_that_come_twice_are_heard_once() -> None:
    async with a_session(faults=LineFaults(duplicates=1.0)) as (_, _, gateway, hearer):
        orders = [ticket() for _ in range(20)]
        for order in orders:
            gateway.submit(order)
        await until(lambda: gateway.duplicates >= 40)
        assert all(hearer.kinds(order.client_id) == [K.ACCEPTED, K.FILL] for order in orders)


class Scripted(End):
    """A server that lets everybody in, and then says what the test wants."""

    def __init__(self, *after: bytes) -> None:
        super().__init__()
        self.after, self.logins, self.heard = after, list[session.Login](), list[bytes]()

    def on_frames(self, connection, frames, more) -> None:  # type: ignore[no-untyped-def]  # as the gateway's own
        for frame in frames:
            if session.number_of(frame):
                self.heard.append(bytes(frame))
                continue
            message = session.read(frame)
            if isinstance(message, session.Login):
                self.logins.append(message)
                again = message.session == "s"
                rules = msgspec.Raw(messages.rules_said(VenueRules()))
                connection.write(session.said(session.LoggedIn(1, "s", 1, 0.1, 0, True, rules)))
                (content,) = messages.definitions_said([messages.definition(1, BTC)])
                connection.write(session.said(session.Instruments(msgspec.Raw(content), True)))
                if not again:
                    for data in self.after:
                        connection.write(data)


NOTHING = b"\x91\x63"


@pytest.mark.parametrize(
    ("said", "error", "expected"),
    [
        (b"\xff\xff\xff\xff\0\0\0\0\0\0\0\0", BadFrame, 1),  # a negative length
        ((70_000).to_bytes(4, "little") + b"x" * 100, BadFrame, 1),
        (session.frame(1, NOTHING), Malformed, 2),  # it counts as received, or it would come for ever
        (session.frame(0, NOTHING), Malformed, 1),
        (b"\x03\0\0\0abc", Malformed, 1),
        (session.frame(2, NOTHING), ProtocolError, 1),
        (session.said(session.Heartbeat(9)), ProtocolError, 1),
        (session.said(session.Logout()), ProtocolError, 1),
        (session.said(session.Login(1, "alpha", "", "one")), ProtocolError, 1),
        (session.said(session.Reset(7)) + session.said(session.Reset(2)), ProtocolError, 7),
    ],
)
async def test_what_cannot_be_read_is_told_and_the_session_begins_again(
    said: bytes, error: type[Exception], expected: int
) -> None:
    end = Scripted(said)
    server = Server(lambda: StreamConnection(end, session.FRAMING))
    url = await server.listen("tcp://127.0.0.1:0")
    async with trading(url) as (_, hearer):
        await until(lambda: hearer.ups == 2)
        assert [told[0] for told in hearer.told] == ["up", "unreadable", "down", "up"]
        assert isinstance(hearer.of("unreadable")[0], error)
        assert (end.logins[1].session, end.logins[1].expected) == ("s", expected)
    await server.close()


async def test_a_message_that_the_venue_does_not_understand_is_its_word_that_it_had_no_effect() -> None:
    rejects = [
        session.frame(number + 1, messages.encode(messages.Reject(7, kind, "a-1", "why", 5)))
        for number, kind in enumerate((16, 17, 18, 19))
    ]
    end = Scripted(*rejects)
    server = Server(lambda: StreamConnection(end, session.FRAMING))
    url = await server.listen("tcp://127.0.0.1:0")
    async with trading(url) as (gateway, hearer):
        await until(lambda: gateway._session.heard.expected == 5)
        assert hearer.kinds("a-1") == [K.REJECTED, K.CANCEL_REJECTED, K.REPLACE_REJECTED]
    await server.close()


async def test_a_server_that_says_nothing_is_left_within_two_heartbeats() -> None:
    end = End()
    server = Server(lambda: StreamConnection(end, session.FRAMING))
    url = await server.listen("tcp://127.0.0.1:0")
    async with trading(url, heartbeat_s=0.1):
        await end.next()
        began_ns = LiveClock().monotonic_ns()
        while not isinstance(await end.next(), Exception):
            pass
        assert LiveClock().monotonic_ns() - began_ns >= 0.1e9
    await server.close()


async def test_a_server_that_falls_silent_is_noticed_within_two_heartbeats() -> None:
    end = Scripted()  # it tells a heartbeat of 0.1 s, and says none
    server = Server(lambda: StreamConnection(end, session.FRAMING))
    url = await server.listen("tcp://127.0.0.1:0")
    async with trading(url) as (_, hearer):
        await until(lambda: bool(hearer.of("down")))
        assert hearer.of("down") == ["nothing came for 0.2 s"]  # counted in looks
    await server.close()


async def test_heartbeats_keep_an_idle_session_up() -> None:
    async with a_session(heartbeat_s=0.1) as (_, _, gateway, hearer):
        connection = gateway._connection
        assert connection is not None
        before = connection.bytes_in
        await until(lambda: connection.bytes_in >= before + 6 * 15)  # six heartbeats
        assert hearer.told == [("up", True)]


async def test_a_venue_with_a_quicker_rhythm_is_kept_up_with_from_the_login_on() -> None:
    async with serving(front(), heartbeat_s=0.05) as (_, url), trading(url, heartbeat_s=1.0) as (gateway, hearer):
        await until(lambda: hearer.ups == 1)
        connection = gateway._connection
        assert connection is not None
        before = connection.bytes_in
        await until(lambda: connection.bytes_in >= before + 10 * 15)  # ten heartbeats
        assert hearer.told == [("up", True)]


async def test_an_error_of_whoever_hears_is_not_lost_and_its_report_comes_again() -> None:
    class Failing(Hearer):
        fails = 1

        def on_report(self, report) -> None:  # type: ignore[no-untyped-def]  # as the gateway's own
            if self.fails:
                self.fails -= 1
                raise OSError("the disk is full")
            super().on_report(report)

    async with serving(front()) as (_, url), trading(url) as (gateway, hearer):
        hearer.__class__ = Failing
        await until(lambda: hearer.ups == 1)
        gateway.submit(order := ticket())
        await until(lambda: hearer.kinds(order.client_id) == [K.ACCEPTED, K.FILL])
        assert isinstance(hearer.of("unreadable")[0], OSError)
        assert hearer.ups == 2


async def test_a_token_is_in_no_repr_log_or_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(front(alpha="open sesame")) as (_, url):
        async with trading(url, token="open sesame") as (gateway, hearer):
            await until(lambda: hearer.ups == 1)
            assert "sesame" not in repr(gateway) + str(gateway)
        async with trading(url, token="close sesame") as (gateway, hearer):
            await until(lambda: "credentials" in caplog.text)
            with pytest.raises(NotConnected) as raised:
                gateway.submit(ticket())
    assert "sesame" not in caplog.text + repr(raised.value) + repr(front(alpha="open sesame"))


@pytest.mark.parametrize("scheme", ["tls", "unix"])
async def test_a_session_also_stands_over_tls_and_unix_sockets(scheme: str, tmp_path: Path) -> None:
    url = "tls://127.0.0.1:0" if scheme == "tls" else f"unix://{tmp_path}/venue.sock"
    tls = server_tls() if scheme == "tls" else None
    async with serving(front(alpha="secret"), url=url, tls=tls) as (_, bound):
        hearer = Hearer()
        gateway = TcpGateway(bound, "alpha", "secret")
        gateway.tls = client_tls() if scheme == "tls" else None
        gateway.start(hearer, Random(1))
        await until(lambda: hearer.ups == 1)
        gateway.submit(order := ticket())
        await until(lambda: hearer.kinds(order.client_id) == [K.ACCEPTED, K.FILL])
        await gateway.stop()


def test_it_is_a_gateway() -> None:
    gateway: Gateway = TcpGateway("tcp://127.0.0.1:1", "alpha", "secret")
    assert gateway.account == "alpha"
    assert repr(gateway) == "<TcpGateway alpha at tcp://127.0.0.1:1>"


def test_a_websocket_is_no_place_for_orders() -> None:
    with pytest.raises(BadAddress):
        TcpGateway("ws://127.0.0.1:1/", "alpha")


async def test_stop_says_goodbye_and_is_heard_as_one() -> None:
    async with serving(front()) as (server, url):
        async with trading(url) as (_, hearer):
            await until(lambda: hearer.ups == 1)
        await until(lambda: server.clients == 0)
        raw = await Raw.logged_in(url)
        raw.say(session.Logout("bye"))
        assert await raw.hear() == session.LoggedOut(session.GOODBYE)
        await raw.connection.close()
