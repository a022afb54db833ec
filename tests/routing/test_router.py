"""Orders through a router and its policy to the paper venue, and what comes back."""

import asyncio
from decimal import Decimal

import pytest

from ticktree.actors import ChildSpec, StartFailed, Supervisor, System
from ticktree.routing import OrderState, Portfolio, Router, Timeout

from ..market.samples import BTC, quote
from ..probe import turns_until
from .desk import BOX, trading

NONE, HUNDREDTH = Decimal(0), Decimal("0.01")


async def test_a_marketable_order_is_filled_and_booked_and_told() -> None:
    async with trading() as rig:
        rig.show(quote(bid=100.0, ask=100.5))
        execution = await rig.buy(limit="101").execution()
        assert (execution.state, execution.filled, execution.unknown) == (OrderState.FILLED, HUNDREDTH, NONE)
        fill = await rig.fill()
        assert (fill.price, fill.quantity, fill.late) == (Decimal("100.5"), HUNDREDTH, False)
        assert rig.desk.position(BTC) == HUNDREDTH
        assert (await rig.sell().execution()).state is OrderState.FILLED
        assert rig.desk.position(BTC) == 0


async def test_an_order_counts_before_anybody_has_heard_of_it() -> None:
    async with trading() as rig:
        rig.buy()
        assert rig.desk.exposure(BTC) == HUNDREDTH
        assert rig.desk.position(BTC) == 0
        assert len(rig.desk.working(BTC)) == 1


async def test_at_the_deadline_the_caller_goes_on_and_the_order_lives_on() -> None:
    async with trading(deadline_s=0.02) as rig:
        rig.show(quote(ask=100.5))
        execution = await rig.buy(limit="99").execution()
        assert (execution.state, execution.filled, execution.unknown) == (OrderState.LIVE, NONE, HUNDREDTH)
        assert rig.desk.exposure(BTC) == HUNDREDTH
        rig.show(quote(bid=98.0, ask=98.5))
        fill = await rig.fill()
        assert fill.late
        assert rig.desk.position(BTC) == HUNDREDTH


async def test_without_a_word_by_the_deadline_the_state_is_unknown_until_the_word_comes() -> None:
    async with trading(deadline_s=0.01, latency_s=0.05) as rig:
        rig.show(quote())
        execution = await rig.buy().execution()
        assert (execution.state, execution.unknown) == (OrderState.UNKNOWN, HUNDREDTH)
        assert rig.desk.exposure(BTC) == HUNDREDTH
        assert (await rig.fill()).late
        assert rig.portfolio.open_orders() == ()


async def test_a_stop_refuses_new_orders_and_cancels_open_ones_before_it_ends() -> None:
    async with trading() as rig:
        rig.show(quote(ask=100.5))
        resting = rig.buy(limit="1")
        await turns_until(lambda: rig.portfolio.open_orders()[0].state is OrderState.LIVE)
        stopping = asyncio.create_task(rig.system.stop())
        await asyncio.sleep(0)
        late = rig.buy()
        report = await stopping
    assert report.exit_code == 0
    assert (await resting.execution()).state is OrderState.CANCELED
    assert (await late.execution()).state is OrderState.REJECTED
    assert rig.portfolio.open_orders() == ()
    assert rig.desk.exposure(BTC) == 0


async def test_orders_in_transit_at_the_stop_are_waited_for() -> None:
    async with trading(latency_s=0.05) as rig:
        rig.show(quote(ask=100.5))
        handle = rig.buy(limit="1")
        await rig.system.ref("router").drain(1.0)
        await turns_until(lambda: bool(rig.portfolio.open_orders()[0].legs))
    await handle.execution()  # at its deadline, with what was known then: on a slow machine before the venue's word
    assert rig.portfolio.open_orders() == ()


async def test_a_venue_that_restarts_has_lost_its_book_and_says_so() -> None:
    async with trading() as rig:
        handle = rig.buy(limit="1")
        await turns_until(lambda: bool(rig.portfolio.open_orders()[0].legs))
        rig.system.ref("paper").tell("nonsense")
        execution = await handle.execution()
        assert (execution.state, execution.reason) == (OrderState.CANCELED, "the venue restarted")


async def test_a_router_that_fails_answers_with_what_is_known_and_asks_the_venue_again() -> None:
    async with trading() as rig:
        rig.show(quote(ask=100.5))
        handle = rig.buy(limit="99")
        await turns_until(lambda: bool(rig.portfolio.open_orders()[0].legs))
        rig.system.ref("router").tell("nonsense")
        assert (await handle.execution()).unknown == HUNDREDTH
        rig.show(quote(bid=98.0, ask=98.5))
        assert (await rig.fill()).late
        assert rig.desk.position(BTC) == HUNDREDTH


async def test_a_closed_router_refuses_at_once() -> None:
    async with trading() as rig:
        await rig.system.supervisor().terminate_child("router")
        execution = await rig.buy().execution()
        assert execution.state is OrderState.REJECTED
        assert "closed" in execution.reason
        assert rig.desk.exposure(BTC) == 0


async def test_a_closed_venue_is_a_refusal() -> None:
    async with trading() as rig:
        await rig.system.supervisor().terminate_child("paper")
        execution = await rig.buy().execution()
        assert (execution.state, execution.reason) == (OrderState.REJECTED, "paper takes no orders")


async def test_a_policy_that_names_a_venue_which_is_not_there_stops_the_start() -> None:
    policy = Timeout("pepper", 1.0)
    spec = ChildSpec("router", lambda: Router("router", policy, {"paper": "paper"}, Portfolio("e")), BOX)
    with pytest.raises(StartFailed, match="no venue 'pepper', only paper"):
        await System(Supervisor((spec,))).start()
