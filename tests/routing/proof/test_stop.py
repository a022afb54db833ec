"""A stop with orders in flight: nothing new goes out, what is open is canceled at once, nothing is left in between."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from ticktree.actors import LiveClock
from ticktree.market import Side
from ticktree.routing.desk import Desk
from ticktree.routing.facts import AnyFact
from ticktree.routing.journal import read
from ticktree.routing.orders import OrderState, Terms, Ticket, TimeInForce
from ticktree.routing.venues.tcp import TcpGateway

from ...market.samples import BTC
from .killed import VENUES, office_of, system
from .known import replayed
from .test_invariants import trading
from .test_kills import Counting, serving, trading as killing

BUY = Side.BUY
ORDERS = 30
AT_ONCE_S = 0.010
BUDGET_S = 2.0


def left(facts: list[AnyFact]) -> set[OrderState]:
    """How the legs of a journal stand."""
    return {leg.state for leg in replayed(facts).legs.values()}


def test_what_the_venues_say_while_the_system_stops_is_journalled() -> None:
    with trading("timeout", "hold", ends=False) as rig:
        rig.order("timeout", BUY, 5)
        rig.order("hold", BUY, 4)
        rig.pass_time(0.05)
        rig.stop()
        assert left(rig.journal.facts) == {OrderState.CANCELED}
        assert all(order.state is OrderState.CANCELED for v in rig.venues.values() for order in v.orders.values())


def test_what_the_venues_do_not_say_in_time_is_journalled_as_unknown() -> None:
    with trading("timeout", ends=False) as rig:
        rig.order("timeout", BUY, 5)
        rig.pass_time(0.05)
        rig.link.drop = 1.0
        began_s = rig.loop.time()
        rig.stop()
        assert rig.loop.time() - began_s < 1.0
        assert left(rig.journal.facts) == {OrderState.UNKNOWN}
        rig.link.drop = 0.0
        rig.journal = rig.journal.again()
        rig.start()
        rig.come_to_rest()


def test_a_fill_that_crosses_the_stop_is_booked() -> None:
    with trading("timeout", ends=False) as rig:
        rig.order("timeout", BUY, 5)
        rig.pass_time(0.05)
        venue = rig.venues["a"]
        id = next(iter(venue.orders))
        assert rig.system is not None
        rig.act(rig.system.begin_stop)
        rig.act(partial(venue.fill, id, 5, 10_000))
        rig.stop()
        assert replayed(rig.journal.facts).position(BTC.name) == venue.position(BTC.name) == 5


class Timed(TcpGateway):
    """Notes when each cancel is handed over, and each new order."""

    cancels: dict[str, float]
    submits: list[float]

    def __init__(self, url: str, account: str, **more: Any) -> None:
        super().__init__(url, account, **more)
        self.cancels, self.submits = {}, []

    def submit(self, ticket: Ticket) -> None:
        super().submit(ticket)
        self.submits.append(time.monotonic())

    def cancel(self, ticket: Ticket) -> None:
        super().cancel(ticket)
        self.cancels.setdefault(ticket.client_id, time.monotonic())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5.0):
        while not condition():  # noqa: ASYNC110  # what is awaited tells nobody that it happened
            await asyncio.sleep(0.001)


async def one_stop(path: Path, url: str) -> float:
    """How long after the running handler had yielded the last cancel was on its way; in seconds."""
    gateways = {name: Timed(url, name) for name in VENUES}
    stopping = system(str(path), url, 0, gateways=gateways, trades=False)
    stopping.budget_s = BUDGET_S
    office = office_of(stopping)
    await stopping.start()
    await until(lambda: len(office.doors) == len(VENUES) and not any(d.closed for d in office.doors.values()))
    desk = Desk("s", "timeout", office, lambda: stopping.ref("routers/timeout"))
    clock = LiveClock()
    for _ in range(ORDERS):
        desk.submit(clock, BUY, BTC, "0.0005", "90", Terms(TimeInForce.GTC))
    await until(lambda: [leg.state for leg in office.ledger.legs.values()].count(OrderState.LIVE) == ORDERS)
    stopping.begin_stop()
    time.sleep(0.02)  # noqa: ASYNC251  # the running handler takes its time
    yielded_s = time.monotonic()
    late = desk.submit(clock, BUY, BTC, "0.0005", "90")
    report = await stopping.wait()
    assert time.monotonic() - yielded_s < BUDGET_S + 1.0
    assert report.exit_code == 0
    assert late.done
    assert sum(len(gateway.submits) for gateway in gateways.values()) == ORDERS
    cancels = [at_s for gateway in gateways.values() for at_s in gateway.cancels.values()]
    assert len(cancels) == ORDERS
    assert left(list(read(path))) <= {OrderState.CANCELED, OrderState.UNKNOWN}
    return max(cancels) - yielded_s


async def test_at_a_stop_all_open_orders_are_canceled_at_once(tmp_path: Path) -> None:
    """In real time; the best of three, for others may need the processor, too."""
    engines, clock = {name: Counting(name) for name in VENUES}, LiveClock()
    server = serving(engines)
    for engine in engines.values():
        engine.move(Random(0), clock.now_ns())
    url = await server.listen("tcp://127.0.0.1:0")
    try:
        took_s = [await one_stop(tmp_path / f"{place}.journal", url) for place in range(3)]
    finally:
        await server.close()
    assert min(took_s) < AT_ONCE_S, took_s


async def test_a_process_that_is_told_to_end_in_the_middle_of_orders_leaves_nothing_in_between(tmp_path: Path) -> None:
    async with killing(tmp_path / "orders.journal", 1) as lives:
        child = await lives.born(1)
        lives.moves = True
        os.kill(child, signal.SIGUSR1)
        await asyncio.sleep(0.1)
        began_s = time.monotonic()
        os.kill(child, signal.SIGTERM)
        await lives.hear("gone")
        assert time.monotonic() - began_s < 11.0
        lives.moves = False
        lives.look()
        ledger = replayed(lives.facts)
        assert ledger.legs
        assert all(leg.terminal or leg.state is OrderState.UNKNOWN for leg in ledger.legs.values())
        for name, engine in lives.engines.items():
            for id, order in engine.orders(name).items():
                assert order.state.terminal or ledger.legs[id].state is OrderState.UNKNOWN
        await lives.end()
