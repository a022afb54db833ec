"""The operator's hands: halt, resume, drain, flatten, resolve."""

import asyncio

import pytest

from ticktree.market import Side
from ticktree.routing.controls import DrainOrders, Flatten, Halt, Resolve, Resume
from ticktree.routing.errors import JournalFailed, UnknownMessage, UnknownOrder
from ticktree.routing.facts import Halted, Resolved, Resumed
from ticktree.routing.orders import OrderState, TimeInForce
from ticktree.routing.reports import ReportKind

from ..market.samples import BTC, quote
from .stories import now
from .trading import Trading, trading

S, K = OrderState, ReportKind


# --- halt and resume -----------------------------------------------------------------------------------------------


@trading()
async def test_a_halt_blocks_new_orders_and_nothing_else(t: Trading) -> None:
    leg = await t.live()
    assert await t.ask(Halt("enough")) == "halted: enough"
    assert [fact.reason for fact in t.facts(Halted)] == ["enough"]
    assert str((await t.order().final()).refusal) == "halted: enough"
    t.a.fill(leg, 4)
    assert t.ledger.position(BTC.name) == 4
    t.desk().cancel(leg.order.order.id)
    await t.rest()
    assert t.a.asked("cancel") == [leg.leg.id]
    t.a.down()
    t.a.up()
    assert t.a.asked("query") == [leg.leg.id]


@trading()
async def test_what_reduces_a_position_passes_a_halt(t: Trading) -> None:
    leg = await t.live()
    t.a.fill(leg, 10)
    await t.rest()
    await t.ask(Halt())
    assert (await t.order(11, Side.SELL, reduce_only=True).final()).refusal is not None
    assert (await t.sent(10, side=Side.SELL, reduce_only=True)).state is S.SENT


@trading()
async def test_what_reduces_a_position_passes_a_drain(t: Trading) -> None:
    leg = await t.live()
    t.a.fill(leg, 10)
    await t.ask(DrainOrders())
    await t.rest()
    assert (await t.order(1, Side.SELL).final()).refusal is not None
    assert (await t.sent(10, side=Side.SELL, reduce_only=True)).state is S.SENT


@trading()
async def test_the_venue_is_told_of_reduce_only_where_its_account_shows_that(t: Trading) -> None:
    leg = await t.live()
    t.a.fill(leg, 10)
    await t.rest()
    reducing = await t.live(10, side=Side.SELL, reduce_only=True)
    assert reducing.leg.ticket.reduce_only
    t.a.end(reducing)
    handle = t.desk(strategy="z").submit(t.clock, Side.SELL, BTC, "0.001", "100")
    await t.rest()
    t.a.fill(t.leg(handle), 10)  # the account holds nothing any more
    assert not (await t.sent(1, side=Side.SELL, reduce_only=True)).leg.ticket.reduce_only


@trading()
async def test_a_halt_outlives_the_process(t: Trading) -> None:
    await t.ask(Halt("enough"))
    await t.restart()
    t.a.ready()
    assert str((await t.order().final()).refusal) == "halted: enough"
    assert await t.ask(Resume("all is well")) == "resumed: all is well"
    assert [fact.reason for fact in t.facts(Resumed)] == ["all is well"]
    assert (await t.sent()).state is S.SENT


@trading()
async def test_nothing_resumes_while_the_journal_cannot_be_written(t: Trading) -> None:
    t.journal.break_down()
    await t.ask(Halt())  # a halt needs no journal
    assert t.ledger.halted
    with pytest.raises(JournalFailed, match="the disk is full"):
        await t.ask(Resume())
    assert t.ledger.halted


# --- drain ---------------------------------------------------------------------------------------------------------


@trading()
async def test_a_drain_cancels_what_is_open_and_takes_no_more_until_trading_resumes(t: Trading) -> None:
    leg, other = await t.live(), await t.live(router="own")
    assert await t.ask(DrainOrders()) == "draining: 2 orders are being canceled"
    await t.rest()
    assert sorted(t.a.asked("cancel")) == sorted([leg.leg.id, other.leg.id])
    refusal = (await t.order().final()).refusal
    assert refusal is not None
    assert refusal.limit == "drain"
    await t.ask(Resume())
    assert (await t.sent()).state is S.SENT


# --- flatten -------------------------------------------------------------------------------------------------------


async def holding(t: Trading, other: Side = Side.BUY) -> None:
    """Strategy s is long 10, z long (or short) 5, and each has an order out."""
    for strategy, side, quantity in (("s", Side.BUY, 10), ("z", other, 5)):
        for limit in ("100", "90"):
            t.desk(strategy=strategy).submit(t.clock, side, BTC, BTC.size(quantity), limit)
    await t.rest()
    first, _, second, _ = t.ledger.legs.values()
    t.a.fill(first, 10)
    t.a.fill(second, 5)
    await t.rest()
    t.quote = quote()


def canceled(t: Trading) -> None:
    for leg in t.ledger.legs.values():
        if leg.canceling and not leg.terminal:
            t.a.end(leg)


@trading()
async def test_flatten_halts_cancels_and_closes_by_reduce_only_orders_at_the_market(t: Trading) -> None:
    await holding(t)
    flattening = asyncio.create_task(t.ask(Flatten()))
    await t.rest(0.1)
    assert len(t.a.asked("cancel")) == 2
    assert t.ledger.halted == "positions are being flattened"
    canceled(t)
    closing = await flattening
    assert len(closing) == 2
    orders = [t.ledger.orders[id].order for id in closing]
    assert [(order.strategy, order.side, order.quantity_increments) for order in orders] == [
        ("s", Side.SELL, 10), ("z", Side.SELL, 5),
    ]  # fmt: skip
    assert all(order.reduce_only and order.limit_increments is None for order in orders)
    assert all(order.time_in_force is TimeInForce.IOC for order in orders)
    await t.rest()
    for order in orders:
        leg = t.leg_of(order.id)
        t.a.fill(leg, leg.quantity_increments)
    assert t.ledger.position(BTC.name) == 0


@trading()
async def test_flatten_is_of_one_strategy_where_one_is_named(t: Trading) -> None:
    await holding(t)
    flattening = asyncio.create_task(t.ask(Flatten("s")))
    await t.rest(0.1)
    (order_id,) = t.a.asked("cancel")
    assert t.ledger.legs[order_id].order.order.strategy == "s"
    canceled(t)
    (closing,) = await flattening
    await t.rest()
    t.a.fill(t.leg_of(closing), 10)
    assert (t.ledger.position_of("s", BTC.name), t.ledger.position_of("z", BTC.name)) == (0, 5)


@trading()
async def test_a_short_position_is_bought_back(t: Trading) -> None:
    leg = await t.live(4, side=Side.SELL)
    t.a.fill(leg, 4)
    await t.rest()
    (closing,) = await t.ask(Flatten())
    order = t.ledger.orders[closing].order
    assert (order.side, order.quantity_increments) == (Side.BUY, 4)
    await t.rest()
    assert t.leg_of(closing).state is S.SENT


@trading()
async def test_opposite_positions_of_two_strategies_are_flattened_too(t: Trading) -> None:
    await holding(t, Side.SELL)
    flattening = asyncio.create_task(t.ask(Flatten()))
    await t.rest(0.1)
    canceled(t)
    closing = await flattening
    await t.rest()
    assert [str(t.ledger.orders[id].refusal) for id in closing] == ["None", "None"]


@trading()
async def test_flatten_waits_for_cancels_within_its_bound_only(t: Trading) -> None:
    await holding(t)
    began_ns = t.clock.monotonic_ns()
    assert len(await t.ask(Flatten("s", within_s=2.0))) == 1
    assert round((t.clock.monotonic_ns() - began_ns) / 1e9, 1) == 2.0


@trading()
async def test_flatten_with_nothing_held_and_nothing_out_is_done_at_once(t: Trading) -> None:
    assert await t.ask(Flatten()) == ()


@trading()
async def test_a_strategy_that_is_not_there_is_named_with_the_nearest(t: Trading) -> None:
    with pytest.raises(UnknownOrder, match=r"there is no strategy 'ss'; did you mean 's'\?"):
        await t.ask(Flatten("ss"))
    with pytest.raises(UnknownOrder, match=r"there is no strategy 'momentum'$"):
        await t.ask(Flatten("momentum"))
    assert not t.ledger.halted


# --- resolve -------------------------------------------------------------------------------------------------------


@trading()
async def test_an_unknown_leg_is_over_by_the_operators_word_and_its_strategy_hears_of_it(t: Trading) -> None:
    leg = await t.live()
    handle = t.handle(leg)
    t.a.down()
    said = await t.ask(Resolve(leg.leg.id, S.EXPIRED, "I called them"))
    assert said == f"{leg.leg.id} resolved as expired: I called them"
    assert [(fact.leg_id, fact.state) for fact in t.facts(Resolved)] == [(leg.leg.id, S.EXPIRED)]
    assert (await handle.final()).state is S.EXPIRED
    assert (t.updates()[-1].state, t.updates()[-1].reason) == (S.EXPIRED, "I called them")
    t.a.ready()
    assert not t.closed


@trading()
async def test_an_order_is_resolved_leg_by_leg_where_it_is_in_doubt(t: Trading) -> None:
    leg = await t.live()
    handle = t.handle(leg)
    t.a.fill(leg, 2)
    t.a.end(leg, cumulative=5)  # it never told three of these
    await t.rest()
    assert not now(leg.accounted)
    await t.ask(Resolve(leg.order.order.id))
    assert leg.accounted
    final = await handle.final()
    assert (final.state, final.filled_increments) == (S.CANCELED, 2)


@trading()
async def test_what_a_router_that_is_gone_has_sent_can_be_resolved(t: Trading) -> None:
    leg = await t.live()
    t.a.down()
    del t.office.routers["r"]
    await t.ask(Resolve(leg.leg.id))
    assert leg.state is S.CANCELED


@trading()
async def test_a_quarantined_leg_is_resolved_by_its_place_and_name(t: Trading) -> None:
    leg = await t.live()
    handle = t.handle(leg)
    t.a.end(leg, cumulative=5)
    await t.rest(20.0)
    name = f"a/{leg.leg.id}"
    assert name in t.ledger.quarantine
    assert await t.ask(Resolve(name, reason="a ghost")) == f"{leg.leg.id} resolved as canceled: a ghost"
    assert not t.ledger.quarantine
    assert (await handle.final()).filled_increments == 0
    assert (await t.sent()).state is S.SENT


@trading()
async def test_a_quarantined_leg_that_came_clear_is_only_released(t: Trading) -> None:
    leg = await t.live()
    t.a.end(leg, cumulative=5)
    await t.rest(20.0)
    t.a.fill(leg, 5, cumulative=5)
    assert leg.accounted
    assert await t.ask(Resolve(f"a/{leg.leg.id}")) == f"a/{leg.leg.id} is released from quarantine"


@trading()
async def test_only_what_is_in_doubt_can_be_resolved(t: Trading) -> None:
    leg = await t.live()
    with pytest.raises(UnknownOrder, match=f"nothing of {leg.leg.id} is in doubt: {leg.leg.id} is live; cancel it"):
        await t.ask(Resolve(leg.leg.id))


@trading()
async def test_a_resolution_is_an_end(t: Trading) -> None:
    leg = await t.live()
    t.a.down()
    with pytest.raises(UnknownOrder, match="canceled, rejected, expired or filled; not live"):
        await t.ask(Resolve(leg.leg.id, S.LIVE))


@trading()
async def test_an_order_that_is_not_there_is_named_with_the_nearest(t: Trading) -> None:
    leg = await t.live()
    order_id = leg.order.order.id
    with pytest.raises(UnknownOrder, match=rf"there is no order '{order_id}x'; did you mean '{order_id}'\?"):
        await t.ask(Resolve(f"{order_id}x"))
    with pytest.raises(UnknownOrder, match=r"there is no order '!'$"):
        await t.ask(Resolve("!"))


@trading()
async def test_it_understands_nothing_else(t: Trading) -> None:
    controls = t.system.ref("controls")
    controls.tell("nonsense")
    await t.rest()
    (cell,) = [cell for cell in t.system.cells() if cell.path == "controls"]
    assert cell.last_reason is not None
    assert isinstance(cell.last_reason.error, UnknownMessage)
