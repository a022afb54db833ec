"""The simulated exchange and its feed, over a real socket."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import attrs
import pytest

from ticktree.actors import Backoff, ChildSpec, Supervisor, System
from ticktree.feeds import FeedAccount, Market, SimulatedExchange, SimulatedFeed, Source
from ticktree.feeds.simulated import BTC_USDT, RandomWalk
from ticktree.market import Event, FeedState, FeedStatus, Quote, Topic, Trade
from ticktree.net import Connection, PeerLost

from ..probe import BOX, Probe

QUICK = Backoff(base_s=0.001, ceiling_s=0.002)
FAST = Market(interval_s=0.001, trade_probability=0.5)


class ToProbe:
    """A sink that hands everything to a probe's queue, without a mailbox between."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def publish(self, events: Iterable[Event]) -> None:
        for event in events:
            self._probe.queue.put_nowait(event)


@attrs.frozen
class Rig:
    system: System
    events: Probe
    account: FeedAccount
    feed: list[SimulatedFeed]
    exchange: list[SimulatedExchange]

    def connection(self) -> Connection:
        session: Any = vars(self.feed[-1])["_session"]
        connection: Connection = session.connection
        return connection

    def clients(self) -> list[Any]:
        return list(vars(self.exchange[-1])["_clients"].values())


@asynccontextmanager
async def running(*topics: str, market: Market = FAST) -> AsyncGenerator[Rig]:
    events, account = Probe(), FeedAccount()
    wanted = tuple(map(Topic.parse, topics or ("simulated/*/*",)))
    source = Source("simulated", wanted, ToProbe(events), account, QUICK, Random(1))
    feeds: list[SimulatedFeed] = []
    exchanges: list[SimulatedExchange] = []

    def exchange() -> SimulatedExchange:
        exchanges.append(SimulatedExchange("simulated", market))
        return exchanges[-1]

    def feed() -> SimulatedFeed:
        feeds.append(SimulatedFeed(source, "exchange"))
        return feeds[-1]

    tree = Supervisor((ChildSpec("exchange", exchange, BOX), ChildSpec("feed", feed, BOX)), intensity=5)
    async with System(tree) as system:
        yield Rig(system, events, account, feeds, exchanges)


def is_state(state: FeedState) -> Callable[[Any], bool]:
    def check(event: Any) -> bool:
        return isinstance(event, FeedStatus) and event.state is state

    return check


async def test_data_follows_the_word_that_it_is_live() -> None:
    async with running() as rig:
        assert (await rig.events.get()).state is FeedState.LIVE
        quote = await rig.events.get(lambda event: isinstance(event, Quote))
        trade = await rig.events.get(lambda event: isinstance(event, Trade))
        assert quote.bid < quote.ask
        assert quote.instrument == BTC_USDT
        assert quote.received_time_ns >= quote.venue_time_ns > 0
        assert BTC_USDT.price_increments(quote.bid) > 0
        assert trade.feed == "simulated"
    assert rig.events.rest()[-1].state is FeedState.LOST


async def test_only_what_was_asked_for_comes() -> None:
    async with running("simulated/ETH-*/trade") as rig:
        events = [await rig.events.get() for _ in range(10)]
    assert {(type(event), event.instrument.name) for event in events[1:]} == {(Trade, "ETH-USDT")}


async def test_every_byte_is_accounted_for_also_over_reconnects() -> None:
    async with running() as rig:
        account = rig.account
        for _ in range(3):
            await rig.events.get(is_state(FeedState.LIVE))
            rig.connection().abort(PeerLost("cut"))
            assert account.bytes_in == account.decoded + account.skipped + account.buffered
            assert (await rig.events.get(is_state(FeedState.LOST))).reason == "cut"
        await rig.events.get(is_state(FeedState.LIVE))
    assert account.connections == 4
    assert account.bytes_in == account.decoded + account.skipped > 0
    assert account.buffered == 0


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\xff" * 64])
async def test_bytes_that_are_not_the_protocol_are_named_and_the_connection_made_anew(garbage: bytes) -> None:
    async with running() as rig:
        await rig.events.get(is_state(FeedState.LIVE))
        vars(rig.clients()[0])["_connection"].write(garbage)
        assert "the frame begins" in (await rig.events.get(is_state(FeedState.LOST))).reason
        await rig.events.get(is_state(FeedState.LIVE))
        assert rig.account.broken == 1
        assert rig.system.snapshot().actors()[1].restarts == 0  # theirs, not ours
    assert rig.account.bytes_in == rig.account.decoded + rig.account.skipped


async def test_a_feed_that_fails_is_restarted_and_data_flows_again() -> None:
    async with running() as rig:
        await rig.events.get(is_state(FeedState.LIVE))
        rig.system.ref("feed").tell("nonsense")
        await rig.events.get(is_state(FeedState.LOST))
        await rig.events.get(is_state(FeedState.LIVE))
        node = rig.system.snapshot().actors()[1]
        assert (node.life, node.mailbox.dropped.crash) == (2, 1)
        assert "UnknownMessage" in node.history[0]


async def test_an_error_of_ours_in_a_callback_ends_the_life_of_the_feed() -> None:
    async with running() as rig:
        await rig.events.get(is_state(FeedState.LIVE))

        def bug(frame: memoryview, received_ns: int) -> list[Event]:
            raise RuntimeError("a bug")

        vars(rig.feed[0])["decode"] = bug
        await rig.events.get(is_state(FeedState.LOST))
        await rig.events.get(is_state(FeedState.LIVE))
        assert "a bug" in rig.system.snapshot().actors()[1].history[0]


async def test_an_exchange_that_restarts_is_found_again_at_its_new_address() -> None:
    async with running() as rig:
        await rig.events.get(is_state(FeedState.LIVE))
        rig.system.ref("exchange").tell("nonsense")
        assert "the exchange closes" in (await rig.events.get(is_state(FeedState.LOST))).reason
        await rig.events.get(is_state(FeedState.LIVE))
        assert len(rig.feed) == 1


async def test_silence_beyond_the_agreed_is_a_loss() -> None:
    async with running(market=attrs.evolve(FAST, trade_probability=0.0)) as rig:
        await rig.events.get(is_state(FeedState.LIVE))
        vars(rig.feed[0])["silence_s"] = 1e-9  # less than any pause between two reads
        rig.feed[0]._look()  # pyright: ignore[reportPrivateUsage]  # what the timer calls
        assert "nothing came" in (await rig.events.get(is_state(FeedState.LOST))).reason


async def test_a_client_that_speaks_something_else_is_cut_off_alone() -> None:
    async with running() as rig:
        await rig.events.get(is_state(FeedState.LIVE))
        rig.connection().write(bytes(16))
        reason = (await rig.events.get(is_state(FeedState.LOST))).reason
        assert reason
        await rig.events.get(is_state(FeedState.LIVE))
        assert rig.system.snapshot().actors()[0].restarts == 0


async def test_a_client_that_is_behind_misses_ticks_and_they_are_counted() -> None:
    async with running() as rig:
        await rig.events.get(is_state(FeedState.LIVE))
        client = rig.clients()[0]
        vars(client)["_connection"].paused = True
        assert client.send([(await rig.events.get(lambda event: isinstance(event, Quote)))]) == 1


def test_the_same_seed_gives_the_same_prices() -> None:
    def walk(seed: int) -> list[Any]:
        steps = RandomWalk("simulated", BTC_USDT, 6_400_000, Random(seed))
        return [tick for n in range(50) for tick in steps.step(n, 0.5)]

    assert walk(1) == walk(1)
    assert walk(1) != walk(2)


def test_a_market_needs_a_price_for_each_instrument() -> None:
    with pytest.raises(ValueError, match="one price an instrument"):
        Market(start_increments=(1,))
