"""The server's side over real sockets: who is let in, what ends a connection, and what outlives it."""

# pyright: reportPrivateUsage=false

from random import Random
from typing import Any

import attrs
import msgspec
import pytest

from ticktree.actors import LiveClock
from ticktree.market import TradingStatus
from ticktree.net import Server, StreamConnection, TokenNeeded
from ticktree.routing.orders import OrderState
from ticktree.routing.reports import Report, ReportKind
from ticktree.routing.venues.tcp import Front, LineFaults, OrderEntryServer, TcpGateway, guest, messages, session
from ticktree.routing.venues.tcp.session import Login

from .rig import (
    BTC,
    QUICK,
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
)


@pytest.mark.parametrize(
    ("login", "reason"),
    [
        (Login(2, "alpha", "open sesame", "one"), "version"),
        (Login(1, "alpha", "", "one"), "credentials"),
        (Login(1, "alpha", "open sesamf", "one"), "credentials"),
        (Login(1, "omega", "open sesame", "one"), "credentials"),
        (Login(1, "omega", "", "one"), "credentials"),
        (Login(1, "omega", "\0", "one"), "credentials"),
    ],
)
async def test_a_login_is_refused_and_the_answer_does_not_tell_accounts_from_tokens(login: Login, reason: str) -> None:
    async with serving(front(alpha="open sesame")) as (_, url):
        raw = await Raw.to(url)
        raw.say(login)
        refused, *rest = await raw.hear_end()
        assert (refused.reason, refused.versions) == (reason, (1,))
        if reason == "credentials":
            assert refused.text == "there is no such account, or its token is another"
        assert len(rest) == 1


async def test_an_account_without_a_token_is_let_in_on_loopback_and_makes_any_other_place_refused() -> None:
    async with serving(front(alpha="", beta="secret")) as (server, url):
        raw = await Raw.logged_in(url)
        with pytest.raises(TokenNeeded):
            await server.listen("tcp://0.0.0.0:0")
        await raw.connection.close()
    async with serving(front(alpha="secret"), url="tcp://0.0.0.0:0"):
        pass


GARBAGE = [
    b"\xff\xff\xff\xff" + b"\0" * 20,
    (65_533).to_bytes(4, "little") + b"\0" * 100,
    b"\x00\0\0\0",
    b"\x08\0\0\0" + b"\0" * 8,
    session.frame(0, b"\xc1"),
    session.frame(0, b"\x91\x63"),
    session.said(session.Heartbeat(1)),
    session.frame(1, messages.encode(messages.Cancel("a"))),
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_before_a_login_ends_the_connection(garbage: bytes) -> None:
    async with serving(front()) as (server, url):
        raw = await Raw.to(url)
        raw.connection.write(garbage)
        *said, _ = await raw.hear_end()
        assert [one.reason for one in said] in ([], ["malformed"])
        await until(lambda: server.clients == 0)
        await (await Raw.logged_in(url)).connection.close()


@pytest.mark.parametrize(
    "garbage",
    [
        *GARBAGE[:6],
        session.said(Login(1, "alpha", "", "one")),
        session.said(session.Heartbeat(7)),
        session.said(session.Reset(7)),
        session.frame(2, messages.encode(messages.Cancel("a"))),
    ],
)
async def test_garbage_within_a_session_ends_its_connection(garbage: bytes) -> None:
    async with serving(front()) as (server, url):
        raw = await Raw.logged_in(url)
        raw.connection.write(garbage)
        *said, _ = await raw.hear_end()
        assert [one.reason for one in said] in ([], ["malformed"])
        await until(lambda: server.clients == 0)


@pytest.mark.parametrize("seed", range(20))
async def test_noise_of_any_kind_ends_the_connection_and_nothing_else(seed: int) -> None:
    random = Random(seed)
    async with serving(front()) as (server, url):
        raw = await Raw.to(url)
        raw.connection.write(b"\xff" + random.randbytes(random.randint(15, 3_000)).replace(b"\0", b"\xff"))
        await raw.hear_end()
        await until(lambda: server.clients == 0)


async def test_a_numbered_message_that_means_nothing_is_rejected_and_the_session_goes_on() -> None:
    async with serving(front()) as (_, url):
        raw = await Raw.logged_in(url)
        raw.say(msgspec.msgpack.encode([16, "a-1", 5]), 1)
        reject = messages.read_server(await raw.hear())
        assert isinstance(reject, messages.Reject)
        assert (reject.number, reject.kind, reject.client_id) == (1, 16, "a-1")
        raw.say(messages.encode(messages.QueryOrder("a-1")), 2)
        report = messages.read_server(await raw.hear())
        assert isinstance(report, messages.ReportSaid)
        assert report.report.kind is K.NOT_FOUND
        await raw.connection.close()


@pytest.mark.parametrize("client_id", ["UPPER", "x" * 37, "a b"])
async def test_a_client_id_that_the_rules_do_not_allow_is_rejected(client_id: str) -> None:
    async with a_session() as (engine, _, gateway, hearer):
        gateway.submit(ticket(client_id=client_id))
        await until(lambda: hearer.kinds(client_id) == [K.REJECTED])
        assert not engine.orders("alpha")


async def test_who_does_not_log_in_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "LOGIN_S", 0.1)
    async with serving(front(), heartbeat_s=0.2) as (_, url):
        raw = await Raw.to(url)
        refused, _ = await raw.hear_end()
        assert "no LOGIN" in refused.text


async def test_a_client_that_falls_silent_is_cut_within_two_heartbeats() -> None:
    async with serving(front(), heartbeat_s=0.1) as (server, url):
        raw = await Raw.logged_in(url)
        heard = await raw.hear_end()
        assert 1 <= len([one for one in heard if isinstance(one, session.Heartbeat)]) <= 2
        await until(lambda: server.clients == 0)


async def test_a_client_that_does_not_read_is_cut_and_its_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "MOST_UNSENT", 100_000)
    engine = engine_with_prices()
    async with serving(front(engine)) as (server, url):
        raw = await Raw.logged_in(url)
        raw.connection.pause_reading()
        (desk,) = server._desks.values()
        report = Report(ReportKind.ACCEPTED, "a-1", 1, reason="x" * 400)
        most = 0
        for _ in range(100_000):
            if desk.mouth is None:
                break
            desk.report(report)
            most = max(most, next(iter(server._guests)).connection.unsent)  # type: ignore[union-attr]  # it stands
        assert desk.mouth is None
        assert most <= 101_000
        assert desk.session.said.kept_bytes <= session.MOST_KEPT_BYTES
        await until(lambda: server.clients == 0)
        await raw.connection.close()


async def test_more_clients_than_the_bound_are_turned_away() -> None:
    async with serving(front(), most_clients=2) as (_, url):
        raws = [await Raw.to(url), await Raw.to(url)]
        end = await (await Raw.to(url)).hear_end()
        assert len(end) == 1
        for raw in raws:
            await raw.connection.close()


async def test_the_newest_login_wins_and_the_older_process_stays_away() -> None:
    async with a_session(heartbeat_s=0.05) as (_, server, gateway, hearer):
        url = server._servers[0].url
        async with trading(url) as (newer, newers):
            await until(lambda: newers.ups == 1)
            await until(lambda: bool(hearer.of("down")))
            assert hearer.of("down") == ["the venue ended the session: another session logged in"]
            newer.submit(order := ticket())
            connection = newer._connection
            assert connection is not None
            before = connection.bytes_in
            await until(lambda: connection.bytes_in >= before + 300)  # heartbeats, while it would long be back
            assert len(newers.kinds(order.client_id)) == 2
            assert (hearer.ups, newers.ups, server.clients) == (1, 1, 1)
            assert not hearer.of("report")
            gateway.reset("the operator wants it back")
            await until(lambda: hearer.ups == 2)
            await until(lambda: len(newers.of("down")) == 1)


async def test_a_new_instance_forgets_what_the_former_one_left() -> None:
    async with serving(front()) as (_, url):
        former = await Raw.logged_in(url, instance="former")
        former.say(messages.encode(messages.QueryOrder("a-1")), 1)
        await former.hear()
        await former.connection.close()
        newer = await Raw.to(url)
        newer.say(Login(1, "alpha", "", "newer"))
        answer = await newer.hear()
        assert (answer.expected, answer.former_closed) == (1, True)
        await newer.hear()  # INSTRUMENTS
        newer.say(messages.encode(messages.QueryOrder("a-2")), 1)
        heard = await newer.hear()
        assert session.number_of(heard) == 1
        report = messages.read_server(heard)
        assert isinstance(report, messages.ReportSaid)
        assert report.report.client_id == "a-2"
        await newer.connection.close()


async def test_what_happened_while_a_client_was_away_is_told_when_it_is_back() -> None:
    async with a_session() as (engine, server, gateway, hearer):
        order = resting()
        gateway.submit(order)
        await until(lambda: hearer.kinds(order.client_id) == [K.ACCEPTED])
        gateway.reset("a break")
        await until(lambda: server.clients == 0)
        engine.hit("alpha", order.client_id, 2, LiveClock().now_ns())
        await until(lambda: hearer.kinds(order.client_id) == [K.ACCEPTED, K.FILL])
        assert [told[0] for told in hearer.told] == ["up", "report", "down", "up", "report"]


async def test_reports_beyond_the_bound_are_forgotten_and_the_client_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_session() as (engine, server, gateway, hearer):
        (desk,) = server._desks.values()
        desk.session.said._most = 3
        order = resting(quantity=10)
        gateway.submit(order)
        await until(lambda: hearer.kinds(order.client_id) == [K.ACCEPTED])
        gateway.reset("a break")
        await until(lambda: server.clients == 0)
        for _ in range(5):
            engine.hit("alpha", order.client_id, 1, LiveClock().now_ns())
        await until(lambda: len(hearer.kinds(order.client_id)) == 4)
        fills = [report.cumulative_increments for report in hearer.of("report")[1:]]
        assert fills == [3, 4, 5]
        gateway.query_fills(order)
        await until(lambda: len(hearer.kinds(order.client_id)) == 4 + 6)


class Deaf:
    """A server that lets the first connection in, and then does not act on what it says."""

    def __init__(self, server: OrderEntryServer) -> None:
        self.server = server
        self.deaf: Any = None

    async def listen(self) -> Server:
        listening = Server(self._accept)
        await listening.listen("tcp://127.0.0.1:0")
        self.server._look()
        return listening

    def _accept(self) -> StreamConnection:
        made = guest.Guest(self.server)
        if self.deaf is None:
            self.deaf = made
            hears = made.on_frames

            def on_frames(connection: Any, frames: Any, more: bool) -> None:
                hears(connection, [frame for frame in frames if not session.number_of(frame)], more)

            made.on_frames = on_frames  # type: ignore[method-assign]  # in its place, for this test
        return StreamConnection(made, session.FRAMING)


@pytest.mark.parametrize("old", [False, True])
async def test_what_was_not_received_is_said_again_while_young_and_reported_when_old(old: bool) -> None:
    engine = engine_with_prices()
    server = OrderEntryServer([front(engine)], LiveClock())
    listening = await Deaf(server).listen()
    async with trading(listening.url, resend_within_s=0.0 if old else 30.0) as (gateway, hearer):
        await until(lambda: hearer.ups == 1)
        order, canceled, query = ticket(), resting(), ticket()
        gateway.submit(order)
        gateway.cancel(canceled)
        gateway.query(query)
        gateway.reset("nothing comes")
        await until(lambda: hearer.ups == 2)
        gateway.query(order)
        await until(
            lambda: bool(hearer.kinds(order.client_id)) and hearer.kinds(order.client_id)[-1] in (K.STATUS, K.NOT_FOUND)
        )
        if old:
            assert [told[0] for told in hearer.told[:4]] == ["up", "down", "never", "up"]
            assert hearer.told[2] == ("never", order.client_id, "submit")
            assert hearer.kinds(order.client_id) == [K.NOT_FOUND]
            assert not engine.orders("alpha")
        else:
            assert not hearer.of("never")
            assert hearer.kinds(order.client_id) == [K.ACCEPTED, K.FILL, K.STATUS]
        assert hearer.kinds(canceled.client_id) == [K.CANCEL_REJECTED]  # it was said again, whatever its age
        assert hearer.kinds(query.client_id) == []  # it was given up: nobody waits for it
    await listening.close()
    await server.close()


async def test_a_server_that_died_is_found_again_on_the_same_port() -> None:
    engine = engine_with_prices()
    server = OrderEntryServer([front(engine)], LiveClock())
    url = await server.listen("tcp://127.0.0.1:0")
    async with trading(url) as (gateway, hearer):
        await until(lambda: hearer.ups == 1)
        order = resting()
        gateway.submit(order)
        await until(lambda: hearer.kinds(order.client_id) == [K.ACCEPTED])
        gateway.cancel(order)
        await server.close()
        again = OrderEntryServer([front()], LiveClock())  # whose engine knows nothing
        await again.listen(url)
        await until(lambda: hearer.ups == 2)
        assert hearer.told[-1] == ("up", True)
        gateway.query(order)
        await until(lambda: hearer.kinds(order.client_id)[-1] is K.NOT_FOUND)
        gateway.submit(new := ticket())
        await until(lambda: hearer.kinds(new.client_id) == [K.ACCEPTED, K.FILL])
        assert not hearer.of("never")  # a server that forgot is no evidence
        await again.close()


async def test_refused_logins_are_tried_again() -> None:
    async with serving(front(), faults=LineFaults(refuse_logins=3)) as (_, url), trading(url) as (_, hearer):
        await until(lambda: hearer.ups == 1)
        assert hearer.told == [("up", True)]


async def test_several_engines_stand_behind_one_server() -> None:
    one, two = engine_with_prices(), engine_with_prices()
    with pytest.raises(ValueError, match="'alpha'"):
        OrderEntryServer([front(one), front(two)], LiveClock())
    async with (
        serving(Front(one, {"alpha": ""}, [BTC]), Front(two, {"beta": ""}, [BTC])) as (_, url),
        trading(url) as (first, firsts),
        trading(url, "beta") as (second, seconds),
    ):
        await until(lambda: firsts.ups == seconds.ups == 1)
        first.submit(ticket())
        second.submit(ticket(quantity=7))
        await until(lambda: len(firsts.of("report")) == len(seconds.of("report")) == 2)
        assert (one.position("alpha", BTC), one.position("beta", BTC)) == (5, 0)
        assert (two.position("alpha", BTC), two.position("beta", BTC)) == (0, 7)


async def test_a_change_of_status_is_told_and_does_not_change_the_definition() -> None:
    async with a_session() as (_, server, gateway, hearer):
        server.define(attrs.evolve(BTC, status=TradingStatus.HALTED))
        await until(lambda: gateway._instruments["BTC-USDT"][0].status is TradingStatus.HALTED)
        gateway.submit(order := ticket())
        await until(lambda: bool(hearer.kinds(order.client_id)))
        assert hearer.ups == 1


async def test_delayed_answers_keep_their_order() -> None:
    async with a_session(faults=LineFaults(delay_s=0.001, jitter_s=0.02)) as (_, _, gateway, hearer):
        orders = [ticket() for _ in range(30)]
        for order in orders:
            gateway.submit(order)
        await until(lambda: len(hearer.of("report")) == 60)
        assert [report.client_id for report in hearer.of("report")] == [o.client_id for o in orders for _ in range(2)]


async def exchange(cut: int | None) -> int:
    """Submit, acknowledgement, fill, on connections that end after `cut` bytes of answers; the bytes without a cut."""
    engine = engine_with_prices()
    cuts = () if cut is None else (cut,)
    faults = LineFaults(cuts)
    async with serving(front(engine), faults=faults) as (_, url):
        hearer, total = Hearer(), 0
        gateway = TcpGateway(url, "alpha", backoff=QUICK)
        gateway.start(hearer, Random(1))
        order, other = ticket(client_id="taking"), resting(client_id="resting")
        await until(lambda: gateway._ready)
        gateway.submit(order)
        gateway.submit(other)
        gateway.cancel(other)
        await until(lambda: hearer.kinds("taking") == [K.ACCEPTED, K.FILL])
        await until(lambda: hearer.kinds("resting") == [K.ACCEPTED, K.CANCELED])
        assert engine.position("alpha", BTC) == 5
        assert engine.orders("alpha")["resting"].state is OrderState.CANCELED
        assert len(engine.executions("alpha")) == 1
        assert not hearer.of("never")
        assert not hearer.of("unreadable")
        if cut is None:
            connection = gateway._connection
            assert connection is not None
            total = connection.bytes_in
        await gateway.stop()
        return total


async def test_a_connection_cut_at_every_byte_of_the_answers_loses_and_doubles_nothing() -> None:
    total = await exchange(None)
    assert 300 < total < 1_500
    for cut in range(1, total):
        await exchange(cut)
