"""Orders at work: who is told what and when, and what a router does when it ends, drains, or its policy fails."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ticktree.actors import StartFailed
from ticktree.market import Side
from ticktree.routing import router
from ticktree.routing.errors import Refused, UnknownMessage, UnknownVenue
from ticktree.routing.facts import Answered, Doubted, Ended, NotSent, Sent, Turned
from ticktree.routing.gateway import VenueRules
from ticktree.routing.orders import Execution, Order, OrderState, Purpose, TimeInForce
from ticktree.routing.policies import AnyOf, BestOf, Legs, Timeout
from ticktree.routing.reports import ReportKind, VenueQuote
from ticktree.routing.risk import Limits, SelfTrade
from ticktree.routing.router import AT_ONCE, DRAINING, STOPPING, DrainRouter, ResumeRouter
from ticktree.routing.scope import Scope
from ticktree.routing.sends import LegRequest

from ..market.samples import BTC
from .trading import Trading, trading

S, K = OrderState, ReportKind


def life_ended_by(t: Trading, path: str = "routers/r") -> BaseException | None:
    (cell,) = [cell for cell in t.system.cells() if cell.path == path]
    return cell.last_reason.error if cell.last_reason is not None else None


# --- answers -------------------------------------------------------------------------------------------------------


@trading()
async def test_a_filled_order_is_answered_and_over(t: Trading) -> None:
    handle = t.order()
    await t.rest()
    t.a.fill(t.leg(handle), 10)
    execution = await handle.execution()
    assert (execution.state, execution.filled_increments, execution.unknown_increments) == (S.FILLED, 10, 0)
    assert await handle.final() == execution
    assert not t.ledger.open_orders
    assert not t.office.handles
    assert [fill.late for fill in t.fills()] == [False]


@trading()
async def test_the_caller_goes_on_at_the_deadline_with_what_is_known_and_hears_the_rest_later(t: Trading) -> None:
    handle = t.order()
    await t.rest()
    leg = t.leg(handle)
    t.a.accept(leg)
    t.a.fill(leg, 4)
    began_ns = t.clock.monotonic_ns()
    answer = await handle.execution()
    assert round((t.clock.monotonic_ns() - began_ns) / 1e9) == 5
    assert (answer.state, answer.filled_increments, answer.unknown_increments) == (S.LIVE, 4, 6)
    assert t.ledger.open_orders
    assert len(t.facts(Answered)) == 1
    t.a.fill(leg, 6)
    final = await handle.final()
    assert (final.state, final.filled_increments, final.late_increments) == (S.FILLED, 10, 6)
    assert [fill.late for fill in t.fills()] == [False, True]
    assert not t.a.asked("cancel")  # a timeout cancels nothing


@trading()
async def test_who_gives_up_waiting_loses_nothing(t: Trading) -> None:
    handle = t.order()
    waiting = asyncio.create_task(handle.execution())
    await t.rest()
    waiting.cancel()
    await t.rest()
    assert waiting.cancelled()
    t.a.fill(t.leg(handle), 10)
    assert (await handle.execution()).filled_increments == 10
    assert (await handle.final()).state is S.FILLED
    assert t.ledger.position(BTC.name) == 10


@trading()
async def test_a_cancel_in_the_same_handler_as_its_order_takes_that_back_before_it_leaves(t: Trading) -> None:
    handle = t.order()
    t.desk().cancel(handle.order.id)  # control messages pass the order by
    final = await handle.final()
    assert str(final.refusal) == "canceled"
    await t.rest()
    assert t.a.asked("submit") == []
    assert t.ledger.open(BTC.name, Side.BUY) == 0


@trading()
async def test_a_fill_after_the_end_is_told_as_late(t: Trading) -> None:
    leg = await t.live()
    t.a.end(leg)
    await t.rest()
    assert not t.ledger.open_orders
    t.a.fill(leg, 4)
    await t.rest()
    assert [(fill.quantity_increments, fill.late) for fill in t.fills()] == [(4, True)]
    assert t.desk().position(BTC) == BTC.size(4)


@trading()
async def test_an_over_fill_is_booked_told_and_logged(t: Trading, caplog: pytest.LogCaptureFixture) -> None:
    leg = await t.live()
    t.a.fill(leg, 10)
    t.a.fill(leg, 2)
    await t.rest()
    assert [fill.quantity_increments for fill in t.fills()] == [10, 2]
    assert f"{leg.order.order.id} is over-filled by 0.0002, granted: 0" in caplog.text
    assert (t.ledger.overfilled, t.ledger.overfilled_beyond) == (1, 1)


@trading()
async def test_each_new_state_of_a_leg_is_told_with_its_reason(t: Trading, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    leg = await t.live()
    t.a.end(leg, K.REJECTED)
    await t.rest()
    assert [(update.state, update.reason) for update in t.updates()] == [(S.LIVE, ""), (S.REJECTED, "by the venue")]
    (said,) = [record for record in caplog.records if "rejected: by the venue" in record.message]
    assert said.levelno == logging.WARNING
    other = await t.live()
    t.a.say(K.CANCELED, other)
    await t.rest()
    assert f"order {other.leg.id} canceled: no reason given" in caplog.text


@trading()
async def test_a_fill_is_logged_with_price_and_position(t: Trading, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    leg = await t.live(side=Side.SELL)
    t.a.fill(leg, 4, 10_050)
    await t.rest()
    assert f"r: fill {leg.order.order.id}: s sold 0.0004 BTC-USDT at 100.5, a, position -0.0004" in caplog.text


@trading()
async def test_a_strategy_that_cannot_be_told_is_logged(t: Trading, caplog: pytest.LogCaptureFixture) -> None:
    leg = await t.live()
    await t.system.supervisor().terminate_child("s")
    t.a.fill(leg, 10)
    await t.rest()
    assert "r: s could not be told of" in caplog.text
    assert t.ledger.position(BTC.name) == 10


@trading()
async def test_a_strategy_of_no_place_is_booked_all_the_same(t: Trading) -> None:
    leg = await t.live()
    del t.office.strategies["s"]
    t.a.fill(leg, 10)
    await t.rest()
    assert (t.ledger.position_of("s", BTC.name), t.fills()) == (10, [])


# --- refusals ------------------------------------------------------------------------------------------------------


@trading(rules=VenueRules(times_in_force=frozenset({TimeInForce.IOC})))
async def test_what_the_venue_lacks_is_refused_before_anything_is_sent(t: Trading) -> None:
    handle = t.order()
    execution = await handle.final()
    assert execution.state is S.REJECTED
    assert str(execution.refusal) == "venue: a has no time in force gtc"
    assert [(update.leg_id, update.state, update.reason) for update in t.updates()] == [
        ("", S.REJECTED, "venue: a has no time in force gtc")
    ]
    assert not t.facts(Sent)
    assert [fact.limit for fact in t.facts(Turned)] == ["venue"]


@trading()
async def test_a_halt_that_comes_before_the_leg_refuses_it(t: Trading) -> None:
    handle = t.order()
    t.blotter.halt("enough", 0)
    assert str((await handle.final()).refusal) == "halted: enough"
    assert not t.a.asked("submit")


@trading()
async def test_a_leg_that_cannot_be_written_is_refused_and_trading_halts(t: Trading) -> None:
    handle = t.order()
    t.journal.break_down()
    refusal = (await handle.final()).refusal
    assert refusal is not None
    assert refusal.limit == "journal"
    assert not t.a.asked("submit")
    assert "the disk is full" in t.ledger.halted


@trading(policies={"r": AnyOf(("a", "b"), deadline_s=5.0)})
async def test_no_more_is_sent_than_was_ordered_while_a_leg_is_unknown(t: Trading) -> None:
    handle = t.order()
    await t.rest()
    t.a.down()
    await t.rest(4.0)
    assert not t.b.asked("submit")
    assert (await handle.execution()).unknown_increments == 10


def past_its_scope(said: list[str], request: LegRequest) -> Callable[[Order, Legs], Coroutine[Any, Any, Execution]]:
    """A policy that sends 6 increments, and then asks the router itself for `request`."""

    async def work(order: Order, legs: Legs) -> Execution:
        legs.send("a", 6)
        assert isinstance(legs, Scope)
        whole = legs._whole  # pyright: ignore[reportPrivateUsage]  # past the scope's own laws
        await legs.sleep(1e-6)
        with pytest.raises(Refused) as caught:
            whole.sends.send(whole.record, request)
        said.append(str(caught.value))
        await legs.accounted()
        return legs.execution()

    return work


def request(quantity: int, number: int) -> LegRequest:
    return LegRequest("a", Purpose.WORK, Side.BUY, quantity, 10_000, TimeInForce.GTC, number, 1)


@trading()
async def test_a_policy_that_sends_beyond_what_is_granted_is_refused_by_the_router_too(t: Trading) -> None:
    said = list[str]()
    t.work = past_its_scope(said, request(5, 9))
    await t.sent(router="own")
    await t.rest(1e-3)
    assert said == ["max_overfill: 0.0011, where 0.001 is allowed"]


@trading()
async def test_a_client_order_id_is_never_used_twice(t: Trading) -> None:
    said = list[str]()
    t.work = past_its_scope(said, request(4, 1))
    leg = await t.sent(router="own")
    await t.rest(1e-3)
    assert said == [f"client order id: {leg.leg.id} was sent already, and none is used twice"]


@trading()
async def test_nothing_is_sent_once_the_router_drains_whoever_asks(t: Trading) -> None:
    said = list[str]()
    t.work = past_its_scope(said, request(4, 9))
    t.a.on_submit = lambda ticket: t.office.draining.update(own=DRAINING)
    t.order(router="own")
    await t.rest(1e-3)
    assert said == [f"drain: {DRAINING}"]
    t.office.draining.clear()


@trading(rules=VenueRules(client_id_length=5))
async def test_a_venue_that_allows_too_few_ids_is_sent_nothing(t: Trading) -> None:
    assert "a allows client order ids of 5 characters" in (await t.order().final()).reason


@trading()
async def test_ids_are_as_the_venue_declares_them_with_each_login(t: Trading) -> None:
    assert (await t.live()).leg.id.endswith("-1.1")
    t.a.rules = VenueRules(client_id_length=40, client_id_alphabet="0123456789")
    t.a.down()
    t.a.ready()
    t.a.status(next(iter(t.ledger.legs.values())), S.LIVE)
    assert (await t.sent()).leg.id.isdigit()


@trading()
async def test_a_venue_actor_that_takes_no_message_refuses_the_leg(t: Trading) -> None:
    await t.system.supervisor("venues").terminate_child("a")
    t.office.doors["a"].closed = ""
    execution = await t.order().final()
    assert execution.reason == "venue: a takes no orders (closed)"
    assert [fact.reason for fact in t.facts(NotSent)] == ["a takes no orders (closed)"]
    assert not t.ledger.open_orders


@trading(policies={"r": BestOf(("a",), max_price_age_s=1.0, deadline_s=1.0)})
async def test_a_venue_actor_that_is_gone_displays_nothing(t: Trading) -> None:
    await t.system.supervisor("venues").terminate_child("a")
    execution = await t.order().final()
    assert execution.state is S.REJECTED


@trading(policies={"r": BestOf(("a",), max_price_age_s=1.0, deadline_s=1.0)})
async def test_what_a_venue_displays_is_asked_for_and_a_late_answer_harms_nothing(t: Trading) -> None:
    handle = t.order()
    await t.rest()
    _, _, answer = t.a.sent[-1]
    shown = VenueQuote("a", BTC.name, (), ((10_000, 50),), t.clock.now_ns())
    answer(shown)
    await t.rest()
    t.a.fill(t.leg(handle), 10)
    assert (await handle.final()).state is S.FILLED
    answer(shown)


def test_a_router_does_not_start_with_a_venue_that_is_not_there() -> None:
    @trading(policies={"r": Timeout("c", deadline_s=1.0)})
    async def never(t: Trading) -> None:
        raise AssertionError("it has started")

    with pytest.raises(StartFailed) as caught:
        never()
    assert isinstance(caught.value.__cause__, UnknownVenue)


# --- self-trade ----------------------------------------------------------------------------------------------------


@trading(limits=Limits(self_trade=SelfTrade.CANCEL_RESTING))
async def test_legs_that_would_trade_with_ours_are_taken_back_first_where_that_is_asked_for(t: Trading) -> None:
    resting = await t.live(side=Side.SELL, limit="100")
    away = await t.live(side=Side.SELL, limit="101")
    taking = await t.sent(limit="100")
    assert t.a.sent[-2:] == [("submit", taking.leg.id), ("cancel", resting.leg.id)] or t.a.sent[-2:] == [
        ("cancel", resting.leg.id), ("submit", taking.leg.id),
    ]  # fmt: skip
    assert (resting.canceling, away.canceling) == (True, False)


@trading(limits=Limits(self_trade=SelfTrade.REFUSE))
async def test_else_it_is_refused(t: Trading) -> None:
    await t.live(side=Side.SELL, limit="100")
    refusal = (await t.order(limit="100").final()).refusal
    assert refusal is not None
    assert refusal.limit == "risk.self_trade"


# --- replaces ------------------------------------------------------------------------------------------------------


async def refused_replace(t: Trading, order_id: str, quantity: str = "0.002") -> str:
    t.desk().replace(order_id, quantity, None)
    await t.rest()
    assert not t.a.asked("replace")
    update = t.updates()[-1]
    assert (update.order_id, update.leg_id) == (order_id, "")
    return update.reason


@trading()
async def test_only_an_order_of_one_leg_that_is_live_can_be_replaced(t: Trading) -> None:
    leg = await t.sent()
    said = await refused_replace(t, leg.order.order.id)
    assert said == "replace: only an order of one leg that is live can be replaced; it is sent"


@trading(policies={"r": AnyOf(("a", "b"), deadline_s=5.0, racing=True)})
async def test_an_order_of_several_legs_is_not_replaced(t: Trading) -> None:
    handle = t.order(max_overfill="0.001")
    await t.rest()
    assert "it is of 2 legs" in await refused_replace(t, handle.order.id)


@trading(rules=VenueRules(replaces=False))
async def test_a_venue_that_replaces_nothing_is_not_asked_to(t: Trading) -> None:
    leg = await t.live()
    assert await refused_replace(t, leg.order.order.id) == "replace: a replaces no orders"


@trading(limits=Limits(max_order_size={"*": "0.0015"}))
async def test_a_replace_passes_the_gate(t: Trading) -> None:
    leg = await t.live()
    said = await refused_replace(t, leg.order.order.id)
    assert said == "risk.max_order_size.*: 0.002, where 0.0015 is allowed"


# --- cancels -------------------------------------------------------------------------------------------------------


@trading()
async def test_a_canceled_order_is_over_at_the_venues_word(t: Trading) -> None:
    leg = await t.live()
    handle = t.handle(leg)
    t.desk().cancel(leg.order.order.id)
    await t.rest()
    assert leg.state is S.CANCEL_SENT
    t.a.end(leg)
    assert (await handle.final()).state is S.CANCELED


@trading()
async def test_an_order_whose_policy_is_gone_is_canceled_leg_by_leg(t: Trading) -> None:
    leg = await t.live()
    t.router().tell_control("nonsense")
    await t.rest()
    t.desk().cancel(leg.order.order.id)
    await t.rest()
    assert t.a.asked("cancel") == [leg.leg.id]


@trading()
async def test_of_an_order_whose_policy_is_gone_only_what_is_out_is_canceled(t: Trading) -> None:
    async def two(order: Order, legs: Legs) -> Execution:
        legs.send("a", 4)
        legs.send("a", 6)
        await legs.accounted()
        return legs.execution()

    t.work = two
    handle = t.order(router="own")
    await t.rest()
    over, out = t.record(handle).legs.values()
    t.a.end(over)
    t.router("own").tell_control("nonsense")
    await t.rest()
    t.desk("own").cancel(handle.order.id)
    await t.rest()
    assert t.a.asked("cancel") == [out.leg.id]


# --- faults, and the next life -------------------------------------------------------------------------------------


@trading()
async def test_a_policys_fault_ends_the_routers_life_and_its_legs_stay_owned(t: Trading) -> None:
    async def fails(order: Order, legs: Legs) -> Execution:
        legs.send("a", order.quantity_increments)
        await legs.sleep(1.0)
        raise ZeroDivisionError("a fault of ours")

    t.work = fails
    handle = t.order(router="own")
    await t.rest()
    leg = t.leg(handle)
    t.a.accept(leg)
    await t.rest(1.1)
    assert isinstance(life_ended_by(t, "routers/own"), ZeroDivisionError)
    assert t.a.asked("cancel") == [leg.leg.id]  # what is out is taken back
    assert (await handle.execution()).unknown_increments == 10
    t.a.fill(leg, 4)
    t.a.end(leg)
    final = await handle.final()
    assert (final.filled_increments, final.state) == (4, S.CANCELED)
    assert [fill.quantity_increments for fill in t.fills()] == [4]


@trading()
async def test_the_next_life_adopts_what_is_out_sends_no_more_and_answers(t: Trading) -> None:
    leg = await t.live()
    handle = t.handle(leg)
    t.router().tell_control("nonsense")
    await t.rest()
    assert isinstance(life_ended_by(t), UnknownMessage)
    assert [fact.reason for fact in t.facts(Ended)] == ["its router started anew"]
    answer = await handle.execution()
    assert (answer.state, answer.unknown_increments) == (S.LIVE, 10)
    t.a.fill(leg, 10)
    assert (await handle.final()).filled_increments == 10
    assert [fill.late for fill in t.fills()] == [True]


@trading()
async def test_an_order_that_waits_when_the_router_fails_is_answered_and_not_worked_after_that(t: Trading) -> None:
    first, second = t.order(router="own"), t.order(router="own")
    t.router("own").tell_control("nonsense")
    await t.rest()
    for handle in (first, second):
        execution = await handle.final()
        assert (execution.state, execution.unknown_increments) == (S.REJECTED, 0)
    await t.rest(1.0)
    assert not t.facts(Sent)
    assert not t.ledger.open_orders
    assert (await t.sent(router="own")).state is S.SENT  # it lives


@trading()
async def test_after_a_restart_orders_of_the_former_process_are_owned_and_their_fills_are_told(t: Trading) -> None:
    leg = await t.live()
    await t.restart()
    t.heard.clear()
    assert [record.ended for record in t.ledger.open_orders.values()] == [True]
    t.a.up()
    again = t.ledger.legs[leg.leg.id]
    t.a.fill(again, 10)
    await t.rest()
    assert [(fill.quantity_increments, fill.late) for fill in t.fills()] == [(10, True)]
    assert not t.ledger.open_orders


@trading()
async def test_orders_of_a_router_that_is_not_there_any_more_reserve_nothing_once_they_are_over(t: Trading) -> None:
    leg = await t.live()
    await t.stop()
    del t.policies["r"]
    await t.start()
    t.a.ready()
    t.a.end(t.ledger.legs[leg.leg.id])
    await t.rest()
    assert t.ledger.open(BTC.name, Side.BUY) == 0
    assert not t.ledger.open_orders


# --- drain, resume, stop -------------------------------------------------------------------------------------------


@trading()
async def test_a_drained_router_cancels_what_is_open_and_refuses_what_is_new_until_it_resumes(t: Trading) -> None:
    leg = await t.live()
    t.router().tell_control(DrainRouter())
    await t.rest()
    assert t.a.asked("cancel") == [leg.leg.id]
    assert str((await t.order().final()).refusal) == f"drain: {DRAINING}"
    t.router().tell_control("nonsense")
    await t.rest()
    assert (await t.order().final()).refusal is not None  # its next life drains, too
    t.router().tell_control(ResumeRouter())
    assert (await t.sent()).state is S.SENT


@trading()
async def test_a_drain_of_many_cancels_a_few_at_a_time_and_refuses_what_is_new_meanwhile(t: Trading) -> None:
    legs = [await t.live() for _ in range(5 * AT_ONCE)]
    t.router().tell_control(DrainRouter())
    for _ in iter(lambda: bool(t.office.draining), True):
        await asyncio.sleep(0)
    late = t.order()
    assert str((await late.final()).refusal) == f"drain: {DRAINING}"
    assert len(t.a.asked("cancel")) <= 2 * AT_ONCE
    await t.rest()
    assert t.a.asked("cancel") == [leg.leg.id for leg in legs]


@trading()
async def test_what_waits_when_a_drain_begins_is_never_sent_though_it_ends_at_once(t: Trading) -> None:
    handles = [t.order() for _ in range(5 * AT_ONCE)]
    t.router().tell_control(DrainRouter())
    t.router().tell_control(ResumeRouter())
    finals = [await handle.final() for handle in handles]
    assert {final.state for final in finals} == {S.REJECTED}
    assert not t.a.asked("submit")
    assert (await t.sent()).state is S.SENT


@trading()
async def test_a_life_that_begins_in_the_middle_of_a_drain_cancels_the_rest(t: Trading) -> None:
    legs = [await t.live() for _ in range(3 * AT_ONCE)]
    t.router().tell_control(DrainRouter())
    t.router().tell_control("nonsense")
    await t.rest()
    assert set(t.a.asked("cancel")) == {leg.leg.id for leg in legs}


@trading()
async def test_a_stop_in_the_middle_of_a_drain_cancels_the_rest(t: Trading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "AT_ONCE", 1)
    legs = [await t.live() for _ in range(50)]
    await t.stop()
    assert set(t.a.asked("cancel")) == {leg.leg.id for leg in legs}
    await t.start()


@trading()
async def test_a_drain_leaves_what_stands_at_a_venue_that_is_gone_and_says_so(
    t: Trading, caplog: pytest.LogCaptureFixture
) -> None:
    leg, other = await t.live(), await t.live()
    del t.office.doors["a"]
    t.router().tell_control(DrainRouter())
    await t.rest()
    for one in (leg, other):
        assert f"order {one.leg.id} stays where it is: there is no venue a" in caplog.text
    assert str((await t.order().final()).refusal) == f"drain: {DRAINING}"


@trading()
async def test_a_policy_sends_nothing_more_once_its_router_drains(t: Trading) -> None:
    said = list[str]()

    async def slow(order: Order, legs: Legs) -> Execution:
        t.router("own").tell_control(DrainRouter())
        await asyncio.sleep(1.0)
        try:
            legs.send("a", 1)
        except Refused as refused:
            said.append(str(refused))
            raise
        return legs.execution()

    t.work = slow
    handle = t.order(router="own")
    assert (await handle.final()).state is S.REJECTED
    assert said
    assert not t.a.asked("submit")


@trading()
async def test_a_stop_refuses_cancels_and_waits_for_the_venues_word(t: Trading) -> None:
    leg = await t.live()
    handle = t.handle(leg)
    stopping = asyncio.create_task(t.system.stop())
    await t.rest(0.01)
    assert t.a.asked("cancel") == [leg.leg.id]
    assert str((await t.order().final()).refusal) in {
        f"drain: {STOPPING}",
        "router: the router r took no order (closed)",
    }
    await t.rest(0.1)
    assert not stopping.done()
    t.a.fill(leg, 4)
    t.a.end(leg)
    final = await handle.final()
    assert (final.filled_increments, final.state) == (4, S.CANCELED)
    report = await stopping
    assert report.exit_code == 0
    assert [fact.reason for fact in t.facts(Ended)] == [STOPPING]
    assert not t.facts(Doubted)
    await t.start()


@trading()
async def test_what_no_word_comes_of_is_left_unknown_in_the_journal_at_a_stop(
    t: Trading, caplog: pytest.LogCaptureFixture
) -> None:
    leg = await t.live()
    handle = t.handle(leg)
    began_ns = t.clock.monotonic_ns()
    await t.stop()
    assert t.clock.monotonic_ns() - began_ns < 1e9
    assert [(fact.leg_id, fact.reason) for fact in t.facts(Doubted)] == [(leg.leg.id, "the system stopped")]
    assert f"{leg.order.order.id} is still unknown at the stop" in caplog.text
    assert (await handle.execution()).unknown_increments == 10
    await t.start()
    assert t.ledger.legs[leg.leg.id].state is S.UNKNOWN


@trading()
async def test_a_stop_with_nothing_out_does_not_wait(t: Trading) -> None:
    leg = await t.live()
    t.a.end(leg)
    await t.rest()
    began_ns = t.clock.monotonic_ns()
    await t.stop()
    assert t.clock.monotonic_ns() - began_ns < 50e6
    await t.start()


@trading()
async def test_an_unknown_leg_is_not_doubted_a_second_time_at_a_stop(t: Trading) -> None:
    leg = await t.live()
    t.a.down()
    await t.stop()
    assert len(t.facts(Doubted)) == 1
    assert leg.state is S.UNKNOWN
    await t.start()
