"""A relay and what stands behind it: what one hub distributes, another process's distributes, too."""

from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from ticktree.actors import Block, Conflate, Mailbox
from ticktree.distribution import BadRelay, Hub, Relay
from ticktree.market import (
    Bar,
    Batch,
    FeedState,
    FeedStatus,
    Gap,
    InstrumentStatus,
    Live,
    Quote,
    Skipped,
    Stale,
    TradingStatus,
    latest_quote,
    messages,
)
from ticktree.net import BadAddress

from ...market.samples import BTC, ETH, IDS, quote, trade
from ..support import topics, update
from .rig import SCHEMES, Behind, Upstream, behind, relaying

HALTED = attrs.evolve(BTC, status=TradingStatus.HALTED)
BAR = Bar("sim", BTC, 1.0, 2.0, 0.5, 1.5, 10.0, 12.0, 3, 0, 60, 99)
SNAPSHOT = update((100.0, 1.0), (99.0, 3.0), asks=((101.0, 2.0),), snapshot=True)
DELTA = update((100.0, 0.0), asks=((100.5, 4.0),), sequence=10)
MARKS = (
    Gap("sim", BTC, "trade", 3, 5, 1),
    Stale("sim", BTC, "a gap", 2),
    Live("sim", BTC, 3),
    InstrumentStatus("sim", HALTED, TradingStatus.HALTED, 4, 5),
    InstrumentStatus("sim", BTC, TradingStatus.TRADING, 6, 7),
    Skipped(7, frozenset(), "sim"),
)
KINDS = ("tcp", "unix", "ws", "json")


class Follower:
    """What reaches the probe behind, event by event; without the times of arrival, which are this process's own."""

    def __init__(self, b: Behind) -> None:
        self.b, self.found = b, list[Any]()

    async def until(self, last: Any) -> list[Any]:
        """All that came up to `last`, and it."""
        while last not in self.found:
            message = await self.b.probe.get()
            for event in message.events if isinstance(message, Batch) else [message]:
                self.found.append(timeless(event))
        return self.found


def timeless(event: Any) -> Any:
    if isinstance(event, Skipped | FeedStatus):
        return event
    return msgspec.structs.replace(event, received_time_ns=0)


async def live(b: Behind) -> Follower:
    """Once the subscription stands."""
    await b.probe.get(
        lambda message: message == FeedStatus("sim", FeedState.LIVE, message.reason, message.received_time_ns)
    )
    return Follower(b)


# --- there and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_what_is_published_before_it_is_published_behind_it_in_the_same_order(scheme: str, columns: bool) -> None:
    async with relaying() as rig, behind(rig.url(scheme)) as b:
        sim = Upstream(rig.hub)
        follower = await live(b)
        sim.publish(SNAPSHOT, columns=columns)
        sim.publish(quote(), trade(), quote(instrument=ETH), columns=columns)
        sim.publish(DELTA, columns=columns)
        for mark in MARKS:
            sim.mark(mark)
        sim.publish(BAR, trade(), BAR, columns=False)
        sim.publish(quote(bid=77.0), columns=columns)
        told = await follower.until(timeless(quote(bid=77.0)))
        sent = [SNAPSHOT, quote(), trade(), quote(instrument=ETH), DELTA, *MARKS, BAR, trade(), BAR, quote(bid=77.0)]
        live_again = Live("sim", BTC, 0)  # the feed behind says itself that it has the book
        told.remove(live_again)
        assert told == list(map(timeless, sent))
        book = b.feed.book("BTC-USDT")
        assert book is not None
        assert (book.bids, book.asks) == (((99.0, 3.0),), ((100.5, 4.0), (101.0, 2.0)))


async def test_json_clients_hear_the_same_as_texts() -> None:
    async with relaying() as rig:
        sim = Upstream(rig.hub)
        client = await rig.client("json", "sim/*/*")
        sim.publish(SNAPSHOT, quote(), trade())
        sim.publish(BAR, columns=False)
        for mark in MARKS[:3]:
            sim.mark(mark)
        await client.get(messages.LiveMark)
        data = [SNAPSHOT, quote(), trade(), BAR]
        assert [one for one in client.said if not isinstance(one, messages.Message)] == data
        assert [type(one) for one in client.of(messages.Message)] == [
            messages.Hello, messages.Instruments, messages.Subscribed,
            messages.GapMark, messages.StaleMark, messages.LiveMark,
        ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
async def test_definitions_come_before_their_use_and_again_when_they_change(kind: str) -> None:
    async with relaying(Hub()) as rig:
        sim = Upstream(rig.hub)
        btc = rig.hub.ids.adopt(attrs.evolve(BTC, id=7))
        client = await rig.client(kind, "sim/*/trade")
        assert client.of(messages.Instruments)[0].instruments == (btc,)
        other = rig.hub.ids.adopt(attrs.evolve(ETH, id=7))  # whose id is taken
        halted = rig.hub.ids.adopt(attrs.evolve(BTC, status=TradingStatus.HALTED))
        sim.publish(msgspec.structs.replace(trade(), instrument=other), columns=False)
        await client.get(type(trade()))
        *_, defined, told = client.said
        assert set(defined.instruments) == {other, halted}
        assert {one.status for one in defined.instruments} == {TradingStatus.TRADING, TradingStatus.HALTED}
        assert told.instrument == other


async def test_only_what_was_asked_for_is_defined_and_sent() -> None:
    async with relaying() as rig:
        sim = Upstream(rig.hub)
        client = await rig.client("tcp", "sim/ETH-USDT/quote")
        sim.publish(quote(), trade(), quote(instrument=ETH))
        assert await client.get(Quote) == [quote(instrument=ETH)]
        assert client.of(messages.Instruments) == [messages.Instruments((ETH,))]


async def test_a_redefined_instrument_is_defined_again_before_a_mark_names_it() -> None:
    async with relaying(Hub()) as rig:
        sim = Upstream(rig.hub)
        first = rig.hub.ids.adopt(BTC)
        second = rig.hub.ids.adopt(attrs.evolve(BTC, price_increment=ETH.size_increment))
        client = await rig.client("tcp", "sim/*/trade")
        sim.mark(Stale("sim", first, "a gap", 0))
        await client.get(messages.StaleMark)
        assert [one.instruments for one in client.of(messages.Instruments)] == [(first, second), (first,)]


# --- the conversation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_who_comes_late_is_told_what_is_known_and_then_what_is_new(kind: str) -> None:
    async with relaying(Hub(IDS, topics("sim/*/quote"))) as rig:
        sim = Upstream(rig.hub)
        sim.publish(SNAPSHOT, quote(), quote(instrument=ETH), trade())
        sim.mark(Stale("sim", ETH, "a gap", 5))
        client = await rig.client(kind, "sim/*/*")
        sim.publish(DELTA)
        await client.until(lambda: DELTA in client.said)
        kinds = [type(one).__name__ for one in client.said]
        known = ["StaleMark", "Quote", "Quote", "BookUpdate"]
        if kind != "json":
            known = ["SnapshotBegin", *known, "SnapshotEnd"]
        assert kinds == ["Hello", "Instruments", "Subscribed", *known, "BookUpdate"]
        assert SNAPSHOT in client.said


@pytest.mark.parametrize("kind", KINDS)
async def test_who_comes_while_the_feed_is_lost_hears_so_once_it_is_subscribed(kind: str) -> None:
    async with relaying() as rig:
        sim = Upstream(rig.hub)
        sim.mark(FeedStatus("sim", FeedState.LOST, "cut", 4))
        client = await rig.client(kind, "sim/*/*")
        assert await client.get(messages.FeedMark) == [messages.FeedMark("sim", FeedState.LOST, "cut", 4)]
        assert client.said.index(client.of(messages.FeedMark)[0]) > client.said.index(client.of(messages.Subscribed)[0])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_topic_that_is_named_again_is_told_whole_again_but_only_that(kind: str) -> None:
    async with relaying() as rig:
        sim = Upstream(rig.hub)
        sim.mark(FeedStatus("sim", FeedState.LIVE, "data", 4))
        sim.publish(SNAPSHOT, update((50.0, 1.0), snapshot=True, instrument=ETH))
        client = await rig.client(kind, "sim/*/book")
        await client.until(lambda: len(client.of(type(SNAPSHOT))) == 2)
        client.said.clear()
        client.ask("sim/BTC-USDT/book")
        await client.get(type(SNAPSHOT))
        named = ("sim/BTC-USDT/book",)
        brackets: list[object] = [messages.SnapshotBegin(named), messages.SnapshotEnd(named)]
        if kind != "json":
            await client.get(messages.SnapshotEnd)
            brackets.insert(1, SNAPSHOT)
        standing = messages.Subscribed(("sim/*/book", "sim/BTC-USDT/book"))
        assert client.said == [standing, *(brackets if kind != "json" else [SNAPSHOT])]


@pytest.mark.parametrize("kind", KINDS)
async def test_who_unsubscribes_gets_no_more(kind: str) -> None:
    async with relaying() as rig:
        sim = Upstream(rig.hub)
        client = await rig.client(kind, "sim/*/quote", "sim/*/trade")
        client.say(messages.Unsubscribe(("sim/*/quote", "never/heard/book")))
        await client.get(messages.Subscribed, 2)
        assert client.of(messages.Subscribed)[-1].topics == ("sim/*/trade",)
        sim.publish(quote(), trade())
        await client.get(type(trade()))
        assert client.of(Quote) == []
        client.say(messages.Unsubscribe(("sim/*/trade",)))
        await client.get(messages.Subscribed, 3)
        assert rig.hub.subscriptions() == ()
        client.ask("sim/*/quote")
        await client.get(messages.Subscribed, 4)
        sim.publish(quote(), trade())
        await client.get(Quote)
        assert len(client.of(type(trade()))) == 1


async def test_a_connection_of_the_binary_protocol_is_of_one_feed_and_a_json_client_hears_all() -> None:
    async with relaying() as rig:
        for feed in ("one", "two"):
            Upstream(rig.hub, feed)
        refused = await rig.stranger("tcp")
        refused.say(messages.Hello())
        refused.ask("*/*/quote")
        (why,) = await refused.get(messages.Refused)
        assert (why.reason, "one, two" in why.text) == (messages.Refusal.TOPIC, True)
        refused.ask("one/*/quote")
        await refused.get(messages.Subscribed)
        refused.ask("two/*/quote")
        assert len(await refused.get(messages.Refused, 2)) == 2
        both = await rig.client("json", "*/*/quote")
        for feed in ("one", "two"):
            Upstream(rig.hub, feed).publish(quote(feed=feed))
        assert await both.get(Quote, 2) == [quote(feed="one"), quote(feed="two")]
        assert await refused.get(Quote) == [quote()]  # which the test's client calls sim


async def test_a_feed_that_comes_later_is_not_mixed_into_a_connection_of_another() -> None:
    async with relaying() as rig:
        one = Upstream(rig.hub, "one")
        client = await rig.client("tcp", "*/*/quote")
        Upstream(rig.hub, "two").publish(quote(bid=1.0, feed="two"))
        one.publish(quote(bid=2.0, feed="one"))
        assert await client.get(Quote) == [quote(bid=2.0)]


async def test_what_nobody_has_is_refused_and_near_names_are_told() -> None:
    async with relaying() as rig:
        Upstream(rig.hub, "binance", ("binance/BTC-USDT/quote", "binance/ETH-USDT/*"))
        client = await rig.client("tcp", "binance/BTC-USDT/quote")
        for asked, told in (
            ("binance/BTC-USDC/quote", "BTC-USDT"),
            ("binence/BTC-USDT/quote", "BTC-USDT"),
            ("binance/BTC-USDT/trade", "BTC-USDT"),
            ("x/y/quote", "binance"),
        ):
            client.ask(asked)
            count = len(client.of(messages.Refused)) + 1
            refused = (await client.get(messages.Refused, count))[-1]
            assert refused.reason is messages.Refusal.NOTHING
            assert asked in refused.text
            assert told in refused.text
        client.ask("*/ETH-*/book")
        await client.get(messages.Subscribed, 2)
        assert (await rig.figures()).refused == {"nothing": 4}


async def test_two_feeds_stand_behind_one_relay_each_on_its_own_connection() -> None:
    async with relaying() as rig:
        one, two = Upstream(rig.hub, "one"), Upstream(rig.hub, "two")
        async with behind(rig.url("tcp"), name="one") as a, behind(rig.url("ws"), name="mine", upstream="two") as b:
            await a.probe.get(lambda m: isinstance(m, FeedStatus))
            await b.probe.get(lambda m: isinstance(m, FeedStatus))
            one.publish(quote(bid=1.0, feed="one"))
            two.publish(quote(bid=2.0, feed="two"))
            two.mark(Stale("two", BTC, "a gap", 0))
            (first,) = (await a.probe.get(lambda m: isinstance(m, Batch))).events
            (second,) = (await b.probe.get(lambda m: isinstance(m, Batch))).events
            assert (first.feed, first.bid, second.feed, second.bid) == ("one", 1.0, "mine", 2.0)
            assert (await b.probe.get(lambda m: isinstance(m, Stale))).feed == "mine"


# --- repair, and coming back -----------------------------------------------------------------------------------------


async def test_a_book_that_lost_rows_is_repaired_alone_by_subscribing_to_it_again() -> None:
    async with relaying() as rig, behind(rig.url("tcp")) as b:
        sim = Upstream(rig.hub)
        follower = await live(b)
        sim.publish(SNAPSHOT, update((50.0, 1.0), snapshot=True, instrument=ETH))
        sim.mark(Skipped(2, frozenset({("sim", "BTC-USDT")}), "sim"))
        stale = await b.probe.get(lambda m: isinstance(m, Stale))
        assert stale.instrument == BTC
        batch = await b.probe.get(lambda m: isinstance(m, Batch))
        assert list(map(timeless, batch.events)) == [timeless(SNAPSHOT)]
        assert (await b.probe.get(lambda m: isinstance(m, Live))).instrument == BTC
        sim.publish(quote(bid=77.0))
        assert [timeless(quote(bid=77.0))] == (await follower.until(timeless(quote(bid=77.0))))
        assert (b.account.snapshots, b.account.repairs, b.account.connections) == (1, 3, 1)


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_relay_that_comes_back_at_the_same_address_is_found_again(scheme: str, tmp_path: Path) -> None:
    hub = Hub(IDS)
    sim = Upstream(hub)
    sim.publish(SNAPSHOT)
    listen = {"tcp": "tcp://127.0.0.1:0", "unix": f"unix://{tmp_path}/relay", "ws": "ws://127.0.0.1:0/"}[scheme]
    async with relaying(hub, (listen,)) as rig:
        listen = rig.url(scheme)
        lost = behind(listen)
        b = await lost.__aenter__()
        await b.probe.get(lambda m: isinstance(m, Live))
    await b.probe.get(lambda m: isinstance(m, FeedStatus) and m.state is FeedState.LOST)
    sim.publish(DELTA)
    async with relaying(hub, (listen,)):
        await b.probe.get(lambda m: isinstance(m, FeedStatus) and m.state is FeedState.LIVE)
        await b.probe.get(lambda m: isinstance(m, Live))
        book = b.feed.book("BTC-USDT")
        assert book is not None
        assert (book.bids, book.asks) == (((99.0, 3.0),), ((100.5, 4.0), (101.0, 2.0)))
        await lost.__aexit__(None, None, None)


async def test_a_server_that_fails_listens_again_at_its_port_and_its_clients_live_on() -> None:
    async with relaying() as rig:
        sim = Upstream(rig.hub)
        client = await rig.client("tcp", "sim/*/quote")
        waiting = await rig.stranger("tcp")
        rig.system.ref("relay/server").tell("nonsense")
        await waiting.gone()
        figures = await rig.until(lambda figures: figures.urls)
        assert figures.urls == tuple(rig.urls.values())
        sim.publish(quote())
        assert await client.get(Quote) == [quote()]
        again = await rig.client("tcp", "sim/*/quote")
        assert again.of(messages.Hello)[0].session == client.of(messages.Hello)[0].session


async def test_a_clients_fault_ends_that_client_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with relaying() as rig:
        sim = Upstream(rig.hub)
        good, bad = await rig.client("tcp", "sim/*/quote"), await rig.client("tcp", "sim/*/quote")
        figures = await rig.figures()
        rig.system.ref(figures.clients[1].path).tell(object())
        await bad.gone()
        assert bad.of(messages.End) == [messages.End("the relay failed")]
        sim.publish(quote())
        assert await good.get(Quote) == [quote()]
        figures = await rig.until(lambda figures: figures.connections == 1)
        assert len(rig.hub.subscriptions()) == 1
        assert rig.system.supervisor("relay/clients").count_children().active == 1


# --- what it is asked to be ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("overflow", [Block(), Conflate(latest_quote, otherwise=Block())])
def test_a_buffer_that_would_stop_the_feeds_is_refused(overflow: Any) -> None:
    with pytest.raises(BadRelay, match="stop the feeds"):
        Relay(Hub(), buffer=Mailbox(10, overflow))
    with pytest.raises(BadRelay, match="that needs buffer="):
        Relay(Hub(), pauses_feed=True)


def test_what_cannot_be_is_refused_where_it_is_written() -> None:
    cases: list[dict[str, Any]] = [
        {"listen": ()},
        {"most_clients": 0},
        {"admissions_a_second": 0},
        {"stuck_after_s": -1.0},
    ]
    for options in cases:
        with pytest.raises(BadRelay):
            Relay(Hub(), **options)
    with pytest.raises(BadAddress):
        Relay(Hub(), listen="http://x")
    assert "sesame" not in repr(Relay(Hub(), token="open sesame"))


async def test_with_a_token_only_who_says_it_is_let_in() -> None:
    async with relaying(token="open sesame") as rig:
        Upstream(rig.hub)
        async with behind(rig.url("unix"), token="open sesame") as b:
            await live(b)
        for kind in KINDS:
            wrong = await rig.stranger(kind)
            wrong.say(messages.Hello(token="open sesam"))
            await wrong.gone()
            assert wrong.refusals() == ["token"]
        assert (await rig.figures()).refused == {"token": 4}


async def test_the_figures_tell_who_is_there_and_what_they_got() -> None:
    async with relaying() as rig:
        sim = Upstream(rig.hub)
        client = await rig.client("tcp", "sim/*/quote")
        other = await rig.client("json", "*/BTC-USDT/*")
        sim.publish(quote(), trade())
        await client.get(Quote)
        await other.get(type(trade()))
        figures = await rig.figures()
        assert (figures.connections, figures.admitted, figures.waiting, figures.sent) == (2, 2, 0, 3)
        first, second = figures.clients
        assert (first.speaks, first.topics, first.sent, first.buffered) == ("wire", ("sim/*/quote",), 1, 0)
        assert (second.speaks, second.sent, second.skipped) == ("dialect", 2, 0)
        assert first.remote.startswith("127.0.0.1:")
        assert 0 < first.since_ns <= second.since_ns
        await client.connection.close()
        figures = await rig.until(lambda figures: figures.connections == 1)
        assert (figures.sent, figures.admitted, figures.lost) == (3, 2, {"PeerLost": 1})
