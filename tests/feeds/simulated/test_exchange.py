"""The simulated exchange over real sockets, in both of its languages."""

import asyncio
from typing import Any

import attrs
import pytest

from ticktree.actors import StartFailed
from ticktree.feeds.simulated import Halt, Market, Stats, Where
from ticktree.market import Quote, Trade, TradingStatus, messages
from ticktree.market.events import BookUpdate
from ticktree.market.messages import Refusal

from .raw import BOTH, DEADLINE_S, FAST, exchange

STILL = attrs.evolve(FAST, interval_s=60.0)


async def test_a_wire_client_is_told_what_there_is_before_what_comes() -> None:
    async with exchange() as rig:
        client = await rig.client("tcp", "sim/BTC-USDT/*")
        await client.get(BookUpdate, 20)
    assert client.kinds()[:8] == [
        "Hello", "Instruments", "Subscribed", "SnapshotBegin", "BookUpdate", "Quote", "SnapshotEnd", "BookUpdate",
    ]  # fmt: skip
    hello, subscribed = client.of(messages.Hello)[0], client.of(messages.Subscribed)[0]
    assert (hello.feed, hello.session) == ("sim", rig.now.session)
    assert subscribed.topics == ("sim/BTC-USDT/*",)
    assert client.of(messages.Instruments)[0].instruments == FAST.instruments
    assert [update.snapshot for update in client.of(BookUpdate)[:2]] == [True, False]


async def test_a_dialect_client_is_told_the_same() -> None:
    async with exchange() as rig:
        client = await rig.client("ws", "sim/BTC-USDT/*")
        await client.get(BookUpdate, 20)
    assert client.kinds()[:6] == ["Hello", "Instruments", "Subscribed", "BookUpdate", "Quote", "BookUpdate"]
    assert [update.snapshot for update in client.of(BookUpdate)[:2]] == [True, False]


@pytest.mark.parametrize("scheme", BOTH)
async def test_books_are_the_true_ones_at_each_number(scheme: str) -> None:
    async with exchange() as rig:
        client = await rig.client(scheme, "*/*/book")
        for count in range(10, 200, 10):
            await client.get(BookUpdate, count)
            assert rig.agrees(client)
        assert set(client.books) == {"BTC-USDT", "ETH-USDT"}


async def test_both_languages_tell_the_same_story() -> None:
    async with exchange() as rig:
        clients = [await rig.client(scheme, "*/*/*") for scheme in BOTH]
        for client in clients:
            await client.get(Trade, 50)

    def story(said: list[Any]) -> dict[tuple[Any, ...], Any]:
        data = [one for one in said if isinstance(one, Quote | Trade | BookUpdate)]
        return {
            (type(one), one.instrument.name, one.sequence): one for one in data if not getattr(one, "snapshot", False)
        }

    one, other = (story(client.said) for client in clients)
    common = one.keys() & other.keys()
    assert len(common) > 200
    assert {key: one[key] for key in common} == {key: other[key] for key in common}


async def test_who_listens_changes_nothing() -> None:
    async with exchange() as rig:
        first = await rig.client("tcp", "*/BTC-USDT/trade")
        second = await rig.client("ws", "*/*/*")
        third = await rig.client("ws", "*/ETH-USDT/book", "*/*/quote")
        for client in (first, second):
            await client.get(Trade, 30)
        await third.get(Quote, 30)
    for trade in first.of(Trade):
        truth = [one for one in rig.truth.step(trade.sequence) if isinstance(one, Trade)]
        assert (trade.price, trade.size) in [(one.price, one.size) for one in truth]


@pytest.mark.parametrize("scheme", BOTH)
async def test_only_what_was_asked_for_comes(scheme: str) -> None:
    async with exchange() as rig:
        client = await rig.client(scheme, "sim/ETH-*/trade")
        trades = await client.get(Trade, 10)
    assert {trade.instrument.name for trade in trades} == {"ETH-USDT"}
    assert not client.of(Quote)
    assert not client.of(BookUpdate)


@pytest.mark.parametrize("scheme", BOTH)
async def test_a_second_subscription_adds_to_the_first(scheme: str) -> None:
    async with exchange() as rig:
        client = await rig.client(scheme, "sim/BTC-USDT/trade")
        client.subscribe("sim/ETH-USDT/quote")
        await client.get(Quote, 5)
        await client.get(Trade, len(client.of(Trade)) + 1)
    assert [one.topics for one in client.of(messages.Subscribed)] == [
        ("sim/BTC-USDT/trade",),
        ("sim/BTC-USDT/trade", "sim/ETH-USDT/quote"),
    ]
    assert len(client.of(messages.Instruments)) == 1


@pytest.mark.parametrize("scheme", BOTH)
async def test_who_subscribes_to_a_book_again_is_told_the_whole_of_it(scheme: str) -> None:
    async with exchange() as rig:
        client = await rig.client(scheme, "sim/BTC-USDT/book")
        await client.get(BookUpdate, 10)
        client.subscribe("sim/BTC-USDT/book")
        await client.until(lambda: sum(update.snapshot for update in client.of(BookUpdate)) == 2)
        await client.get(BookUpdate, len(client.of(BookUpdate)) + 10)
        assert rig.agrees(client)
    assert client.of(messages.Subscribed)[-1].topics == ("sim/BTC-USDT/book",)


@pytest.mark.parametrize("scheme", BOTH)
async def test_who_unsubscribes_gets_no_more(scheme: str) -> None:
    async with exchange() as rig:
        client = await rig.client(scheme, "sim/BTC-USDT/trade", "sim/BTC-USDT/quote")
        client.say(messages.Unsubscribe(("sim/BTC-USDT/quote", "never/heard/book")))
        await client.get(messages.Subscribed, 2)
        quotes = len(client.of(Quote))
        await client.get(Trade, len(client.of(Trade)) + 5)
        assert len(client.of(Quote)) == quotes
    assert client.of(messages.Subscribed)[-1].topics == ("sim/BTC-USDT/trade",)


@pytest.mark.parametrize("scheme", BOTH)
@pytest.mark.parametrize(
    ("topics", "reason"),
    [
        (("sim/BTC-USDT",), Refusal.TOPIC),
        (("sim/DOGE-USDT/book",), Refusal.NOTHING),
        (tuple(f"{n}/*/book" for n in range(200)), Refusal.LIMIT),
    ],
)
async def test_a_subscription_that_cannot_be_is_refused_and_what_stood_stands(
    scheme: str, topics: tuple[str, ...], reason: Refusal
) -> None:
    async with exchange() as rig:
        client = await rig.client(scheme, *(f"{n}x/BTC-USDT/trade" for n in range(100)))
        client.subscribe(*topics)
        assert (await client.get(messages.Refused))[0].reason is reason
        await client.get(Trade, len(client.of(Trade)) + 1)
        assert rig.now.stats().refused == 1


@pytest.mark.parametrize("scheme", BOTH)
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ((messages.Hello(version=9),), Refusal.VERSION),
        ((messages.Hello(token="wrong"),), Refusal.TOKEN),
        ((messages.Subscribe(("*/*/*",)),), Refusal.ORDER),
        ((messages.Hello(token="right"), messages.Hello(token="right")), Refusal.ORDER),
        ((messages.Hello(token="right"), messages.Skipped(3)), Refusal.ORDER),
    ],
)
async def test_who_does_not_keep_to_the_order_is_told_why_and_sent_away(
    scheme: str, said: tuple[messages.Message, ...], reason: Refusal
) -> None:
    async with exchange(STILL, token="right") as rig:
        client = await rig.stranger(scheme)
        client.say(*said)
        await client.gone()
        refused = client.of(messages.Refused)
        assert [one.reason for one in refused] == [reason]
        assert isinstance(client.said[-1], messages.End)
        while (await rig.system.ref("exchange").ask(Stats(), DEADLINE_S)).clients:
            pass


@pytest.mark.parametrize("scheme", BOTH)
async def test_who_says_end_is_let_go(scheme: str) -> None:
    async with exchange(STILL) as rig:
        client = await rig.client(scheme)
        client.say(messages.End("enough"))
        await client.gone()
        assert client.said[1:] == [messages.End("the client ended it: enough")]
        assert rig.now.stats().refused == 0


@pytest.mark.parametrize("scheme", BOTH)
async def test_nonsense_is_refused_and_costs_nobody_else_anything(scheme: str) -> None:
    async with exchange() as rig:
        good = await rig.client("tcp", "*/*/book")
        bad = await rig.client(scheme)
        bad.connection.write(b"GET / HTTP/1.1\r\n\r\n" * 10)
        await bad.gone()
        await good.get(BookUpdate, len(good.of(BookUpdate)) + 20)
        assert rig.agrees(good)
        assert rig.system.snapshot().actors()[0].restarts == 0


@pytest.mark.parametrize("scheme", BOTH)
async def test_a_token_lets_in(scheme: str) -> None:
    async with exchange(STILL, token="right") as rig:
        client = await rig.client(scheme, "*/*/book", token="right")
        await client.get(BookUpdate, 2)


@pytest.mark.parametrize("scheme", BOTH)
async def test_an_idle_connection_hears_a_heartbeat_each_second(scheme: str) -> None:
    async with exchange(STILL) as rig:
        client = await rig.client(scheme)
        client.say(messages.Heartbeat())
        began_s = asyncio.get_running_loop().time()
        await client.get(messages.Heartbeat, 2)
        assert 1.3 < asyncio.get_running_loop().time() - began_s < 2.4


@pytest.mark.parametrize("scheme", BOTH)
async def test_an_exchange_that_closes_says_so(scheme: str) -> None:
    async with exchange() as rig:
        client = await rig.client(scheme, "*/*/quote")
        await client.get(Quote)
        await rig.system.stop()
        await client.gone()
    assert client.said[-1] == messages.End("the exchange closes")


@pytest.mark.parametrize("scheme", BOTH)
async def test_a_halt_is_told(scheme: str) -> None:
    market = attrs.evolve(FAST, halts=(Halt("BTC-USDT", 200, 10),))
    async with exchange(market) as rig:
        client = await rig.client(scheme, "*/*/status")
        marks = await client.get(messages.InstrumentMark, 2)
        assert [mark.status for mark in marks] == [TradingStatus.HALTED, TradingStatus.TRADING]
        assert {mark.instrument for mark in marks} == {"BTC-USDT"}


@pytest.mark.parametrize("scheme", BOTH)
async def test_who_does_not_keep_up_misses_ticks_is_told_how_many_and_then_how_things_stand(scheme: str) -> None:
    market = Market(interval_s=0.001, steps_a_turn=40)
    async with exchange(market) as rig:
        healthy = await rig.client("tcp", "*/*/trade")
        client = await rig.client(scheme, "*/*/*")
        await client.get(BookUpdate, 10)
        rig.narrow()
        client.connection.pause_reading()
        await healthy.until(lambda: rig.now.counters.withheld > 1_000)
        client.connection.resume_reading()
        (skipped, *_) = await client.get(messages.Skipped)
        await client.get(BookUpdate, len(client.of(BookUpdate)) + 100)
        assert rig.agrees(client)
        assert skipped.count >= 1_000
        assert skipped.books == (("sim", "BTC-USDT"), ("sim", "ETH-USDT"))
        after = client.said[client.said.index(skipped) + 1 :]
        assert next(one for one in after if isinstance(one, BookUpdate)).snapshot
        assert not healthy.of(messages.Skipped)
        assert rig.now.counters.withheld >= sum(one.count for one in client.of(messages.Skipped))


async def test_where_and_stats_answer_who_asks() -> None:
    async with exchange() as rig:
        client = await rig.client("tcp", "*/*/*")
        await client.get(Quote, 10)
        ref = rig.system.ref("exchange")
        urls = await ref.ask(Where(), DEADLINE_S)
        stats = await ref.ask(Stats(), DEADLINE_S)
        assert urls.keys() == {"tcp", "ws"}
        assert urls["tcp"].startswith("tcp://127.0.0.1:")
        assert (stats.clients, stats.sessions, stats.withheld) == (1, 1, 0)
        assert stats.steps > 0
        assert stats.sent >= 10
        assert stats.injected == {}


async def test_a_unix_socket_speaks_the_wire_protocol(tmp_path: Any) -> None:
    async with exchange(listen=[f"unix://{tmp_path}/exchange"]) as rig:
        client = await rig.client("unix", "*/*/book")
        await client.get(BookUpdate, 20)
        assert rig.agrees(client)


async def test_an_address_that_is_taken_fails_the_start() -> None:
    async with exchange() as rig:
        with pytest.raises(StartFailed):
            async with exchange(listen=[rig.now.urls["tcp"]]):
                pass


async def test_an_exchange_that_restarts_begins_its_market_anew() -> None:
    async with exchange() as rig:
        client = await rig.client("tcp", "*/*/book")
        await client.get(BookUpdate, 100)
        first = rig.now
        rig.system.ref("exchange").tell("nonsense")
        await client.gone()
        await rig.system.ref("exchange").ask(Where(), DEADLINE_S)
        assert rig.now is not first
        again = await rig.client("tcp", "*/*/book")
        await again.get(BookUpdate, 10)
        assert rig.agrees(again)
        assert again.of(BookUpdate)[0].sequence < client.of(BookUpdate)[-1].sequence


async def test_who_falls_silent_is_lost() -> None:
    async with exchange(STILL) as rig:
        client = await rig.client("tcp", "sim/*/*")
        await client.get(messages.Subscribed)
        client.beats = False
        await client.gone()


@pytest.mark.parametrize("scheme", BOTH)
async def test_who_never_says_hello_is_refused(scheme: str) -> None:
    async with exchange(STILL) as rig:
        client = await rig.stranger(scheme)
        await client.gone()
    assert [refused.reason for refused in client.of(messages.Refused)] == [Refusal.ORDER]


async def test_who_says_hello_and_lives_stays_though_it_asks_for_nothing() -> None:
    async with exchange(STILL) as rig:
        client = await rig.client("tcp")
        await client.get(messages.Heartbeat, 3)
        assert not client.errors
