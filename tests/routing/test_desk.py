"""A strategy's door to its router: counted before anybody hears of it, and answered whatever happens."""

import pytest

from ticktree.market import BadNumber, OffIncrement, Side
from ticktree.routing.errors import BadOrder, UnknownOrder
from ticktree.routing.facts import Opened, Turned
from ticktree.routing.orders import OrderState
from ticktree.routing.reports import ReportKind
from ticktree.routing.risk import Limits

from ..market.samples import BTC, ETH, quote
from .trading import Trading, trading


@trading()
async def test_an_order_is_in_the_journal_and_counts_before_anybody_else_runs(t: Trading) -> None:
    t.quote = quote()
    handle = t.order()
    (fact,) = t.facts(Opened)
    assert (fact.order_id, fact.strategy, fact.router, fact.policy) == (handle.order.id, "s", "r", "timeout")
    assert fact.quote == ("sim", 7, 100.0, 100.5, 20)
    assert t.ledger.open(BTC.name, Side.BUY) == 10
    assert not handle.done


@trading()
async def test_a_decision_without_a_price_says_so(t: Trading) -> None:
    t.order()
    assert t.facts(Opened)[0].quote is None


@trading(limits=Limits(max_position={"*": "0.0015"}))
async def test_two_orders_in_a_row_are_judged_together(t: Trading) -> None:
    t.order()
    refusal = (await t.order().final()).refusal
    assert str(refusal) == "risk.max_position.*: 0.002, where 0.0015 is allowed"
    assert [fact.limit for fact in t.facts(Turned)] == ["risk.max_position.*"]
    assert t.ledger.open(BTC.name, Side.BUY) == 10


@trading(limits=Limits(max_order_size={"*": "0.0005"}))
async def test_a_refused_order_is_answered_at_once_and_reserves_nothing(t: Trading) -> None:
    handle = t.order()
    assert handle.done
    execution = await handle.final()
    assert (execution.state, execution.filled_increments, execution.unknown_increments) == (OrderState.REJECTED, 0, 0)
    assert not t.ledger.open_orders
    assert not t.office.handles
    await t.rest()
    assert not t.a.asked("submit")


@trading()
async def test_an_order_that_cannot_be_written_never_was(t: Trading) -> None:
    t.journal.break_down()
    handle = t.order()
    execution = await handle.final()
    assert execution.refusal is not None
    assert (execution.state, execution.refusal.limit) == (OrderState.REJECTED, "journal")
    assert not t.ledger.orders
    assert not t.office.handles


@trading()
async def test_a_router_that_takes_nothing_refuses(t: Trading) -> None:
    await t.system.supervisor("routers").terminate_child("r")
    execution = await t.order().final()
    assert execution.reason == "router: the router r took no order (closed)"
    assert not t.ledger.open_orders


@trading()
async def test_what_could_never_be_an_order_raises_and_leaves_no_trace(t: Trading) -> None:
    desk = t.desk()
    with pytest.raises(OffIncrement):
        desk.submit(t.clock, Side.BUY, BTC, "0.00001", "100")
    with pytest.raises(BadNumber):
        desk.submit(t.clock, Side.BUY, BTC, "much", "100")
    with pytest.raises(BadOrder):
        desk.submit(t.clock, Side.BUY, BTC, 0, "100")
    assert not t.facts(Opened)


# --- cancel and replace --------------------------------------------------------------------------------------------


@trading()
async def test_only_open_orders_of_ones_own_can_be_canceled_or_replaced(t: Trading) -> None:
    leg = await t.live()
    order_id = leg.order.order.id
    for desk, name in ((t.desk(strategy="z"), order_id), (t.desk(), "nothing")):
        with pytest.raises(UnknownOrder, match=f"has no open order '{name}'"):
            desk.cancel(name)
        with pytest.raises(UnknownOrder):
            desk.replace(name, "0.002", None)
    t.a.end(leg)
    await t.rest()
    with pytest.raises(UnknownOrder):
        t.desk().cancel(order_id)


@trading()
async def test_a_replace_names_what_changes_and_keeps_the_rest(t: Trading) -> None:
    leg = await t.live()
    t.desk().replace(leg.order.order.id, None, "101")
    await t.rest()
    assert t.a.sent[-1] == ("replace", leg.leg.id, 10, 10_100)
    t.a.say(ReportKind.REPLACED, leg, quantity_increments=10, limit_increments=10_100)
    t.desk().replace(leg.order.order.id, "0.0005", None)
    await t.rest()
    assert t.a.sent[-1] == ("replace", leg.leg.id, 5, 10_100)


@trading()
async def test_a_replace_is_exact_and_above_zero(t: Trading) -> None:
    leg = await t.live()
    desk, order_id = t.desk(), leg.order.order.id
    with pytest.raises(OffIncrement):
        desk.replace(order_id, "0.00001", None)
    for quantity, limit in ((0, None), ("-0.001", None), (None, 0), (None, "-1")):
        with pytest.raises(BadOrder, match="above 0; or cancel it"):
            desk.replace(order_id, quantity, limit)
    await t.rest()
    assert not t.a.asked("replace")


# --- what is held and out ------------------------------------------------------------------------------------------


@trading()
async def test_a_desk_sees_what_its_own_strategy_holds_and_has_out(t: Trading) -> None:
    desk, other = t.desk(), t.desk(strategy="z")
    leg = await t.live()
    t.a.fill(leg, 4, 10_050)
    assert desk.position(BTC) == BTC.size(4)
    holding = desk.holding(BTC)
    assert holding.average_price() == BTC.price(10_050)
    assert desk.exposure(BTC) == BTC.size(10)
    assert [order.id for order in desk.working(BTC)] == [leg.order.order.id]
    assert not desk.position(ETH)
    assert not desk.working(ETH)
    assert not other.position(BTC)
    assert not other.exposure(BTC)
    assert not other.working(BTC)


@trading()
async def test_exposure_is_the_worse_of_both_sides_and_zero_only_when_nothing_is_out(t: Trading) -> None:
    desk = t.desk()
    assert desk.exposure(BTC) == 0
    await t.live(3)
    await t.live(8, side=Side.SELL)
    assert desk.exposure(BTC) == BTC.size(-8)
    bought = await t.live(9)
    assert desk.exposure(BTC) == BTC.size(12)
    t.a.fill(bought, 9)
    assert desk.exposure(BTC) == BTC.size(12)
