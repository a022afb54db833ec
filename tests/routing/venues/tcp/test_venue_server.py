"""An engine, the market and the protocol under one actor."""

# pyright: reportPrivateUsage=false

from random import Random
from typing import Any

import attrs
import pytest

from ticktree.actors import Block, ChildSpec, Mailbox, Supervisor, System
from ticktree.market import Batch, FeedState, FeedStatus, InstrumentIds, Quote, TradingStatus
from ticktree.routing.gateway import VenueRules
from ticktree.routing.orders import OrderState, TimeInForce
from ticktree.routing.venues.simulated.engine import Engine
from ticktree.routing.venues.tcp import VenueServer, Where

from .rig import BTC, ETH, K, market, resting, ticket, trading, until

BOX = Mailbox(1_000, Block())


def engine() -> Engine:
    return Engine("sim", VenueRules(), Random(1))


def system_of(engine: Engine, **settings: Any) -> System:
    def start() -> VenueServer:
        return VenueServer("sim", engine, {"alpha": ""}, [BTC], **settings)

    return System(Supervisor((ChildSpec("venue", start, BOX),), intensity=3))


async def test_it_is_fed_by_the_market_and_serves_orders() -> None:
    sim = engine()
    async with system_of(sim) as system:
        venue = system.ref("venue")
        (url,) = await venue.ask(Where(), 1.0)
        venue.tell(market())
        async with trading(url) as (gateway, hearer):
            await until(lambda: hearer.ups == 1)
            gateway.submit(order := ticket())
            await until(lambda: hearer.kinds(order.client_id) == [K.ACCEPTED, K.FILL])
            gateway.submit(later := resting())
            await until(lambda: hearer.kinds(later.client_id) == [K.ACCEPTED])
            lower = Quote("sim", BTC, 63_980.0, 5.0, 63_985.0, 5.0, 2, 0, market().received_time_ns)
            venue.tell(Batch("sim", InstrumentIds(), events=[lower]))
            await until(lambda: hearer.kinds(later.client_id) == [K.ACCEPTED, K.FILL])


async def test_instruments_that_the_market_brings_are_offered_and_marks_mean_nothing() -> None:
    async with system_of(engine()) as system:
        venue = system.ref("venue")
        (url,) = await venue.ask(Where(), 1.0)
        async with trading(url) as (gateway, hearer):
            await until(lambda: hearer.ups == 1)
            venue.tell(FeedStatus("sim", FeedState.LIVE, "", 1))
            venue.tell(market(ETH))
            venue.tell(market(attrs.evolve(BTC, status=TradingStatus.HALTED)))
            await until(lambda: set(gateway._instruments) == {"BTC-USDT", "ETH-USDT"})
            await until(lambda: gateway._instruments["BTC-USDT"][0].status is TradingStatus.HALTED)


async def test_orders_end_when_their_time_has_come() -> None:
    async with system_of(engine()) as system:
        (url,) = await system.ref("venue").ask(Where(), 1.0)
        async with trading(url) as (gateway, hearer):
            await until(lambda: hearer.ups == 1)
            now_ns = hearer.clock.now_ns()
            late = resting(time_in_force=TimeInForce.GTD, expires_ns=now_ns + 60_000_000_000)
            soon = resting(time_in_force=TimeInForce.GTD, expires_ns=now_ns + 50_000_000)
            gateway.submit(late)
            gateway.submit(soon)
            await until(lambda: hearer.kinds(soon.client_id) == [K.ACCEPTED, K.EXPIRED])
            assert hearer.kinds(late.client_id) == [K.ACCEPTED]


async def test_an_engine_that_fails_ends_the_life_and_clients_find_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sim = engine()
    fails = [True]
    plain = sim.query

    def query(account: str, client_id: str, now_ns: int) -> None:
        if fails and fails.pop():
            raise ZeroDivisionError("a fault of the engine")
        plain(account, client_id, now_ns)

    monkeypatch.setattr(sim, "query", query)
    async with system_of(sim) as system:
        (url,) = await system.ref("venue").ask(Where(), 1.0)
        # The next life listens at the same place, or clients could not find it.
    port = url.rpartition(":")[2]
    async with system_of(sim, listen=[f"tcp://127.0.0.1:{port}"]) as system, trading(url) as (gateway, hearer):
        await until(lambda: hearer.ups == 1)
        gateway.submit(order := resting())
        await until(lambda: hearer.kinds(order.client_id) == [K.ACCEPTED])
        gateway.query(order)
        await until(lambda: hearer.ups == 2)
        gateway.query(order)
        await until(lambda: hearer.kinds(order.client_id) == [K.ACCEPTED, K.STATUS])
        assert hearer.of("report")[-1].state is OrderState.LIVE


async def test_a_message_that_means_nothing_ends_the_life() -> None:
    sim = engine()
    lives = list[VenueServer]()

    def start() -> VenueServer:
        lives.append(VenueServer("sim", sim, {"alpha": "secret"}, [BTC]))
        return lives[-1]

    async with System(Supervisor((ChildSpec("venue", start, BOX),), intensity=3)) as system:
        system.ref("venue").tell("what is this")
        await until(lambda: len(lives) == 2)
        assert "secret" not in repr(lives[-1])
