"""Whether an account is as our facts say; what differs and stays is quarantined, by name."""

from ticktree.market import Side
from ticktree.routing.controls import Resolve
from ticktree.routing.facts import Quarantined
from ticktree.routing.orders import OrderState
from ticktree.routing.reports import Report, ReportKind

from ..market.samples import BTC, ETH
from .trading import PATIENCE, Trading, trading

AGAIN = PATIENCE.again_s + PATIENCE.look_s
STRANGER = Report(ReportKind.STATUS, "stranger", 0, 0, 5, 10_000, OrderState.LIVE, instrument=BTC.name)


async def tell(t: Trading, positions: dict[str, int], *orders: Report) -> None:
    """The account says the same until nobody asks any more."""
    for _ in range(PATIENCE.explains_after + 1):
        t.a.account_is(positions, *orders)
        await t.rest(AGAIN)


@trading()
async def test_positions_that_agree_open_the_door(t: Trading) -> None:
    leg = await t.live()
    t.a.fill(leg, 10)
    t.a.down()
    t.a.up()
    t.a.account_is({BTC.name: 9})
    assert t.closed == "it is being reconciled"
    t.a.account_is({BTC.name: 10})
    assert t.closed == ""


@trading()
async def test_what_other_venues_hold_is_not_this_ones(t: Trading) -> None:
    leg = await t.live()
    t.a.fill(leg, 10)
    t.b.down()
    t.b.ready()
    assert not t.office.doors["b"].closed


@trading()
async def test_a_difference_may_be_fills_that_were_lost_so_these_are_asked_for_first(t: Trading) -> None:
    live = await t.live()
    over = await t.live()
    t.a.end(over)
    t.a.down()
    t.a.up()
    t.a.status(live, OrderState.LIVE)
    t.a.account_is({BTC.name: 4})
    assert t.a.asked("fills") == [over.leg.id]  # live ones are asked about anyway
    assert not t.ledger.quarantine
    t.a.fill(over, 4)
    t.a.account_is({BTC.name: 4})
    assert not t.closed
    assert not t.ledger.quarantine


@trading()
async def test_only_orders_at_that_venue_in_that_instrument_are_asked_about(t: Trading) -> None:
    over = await t.live()
    t.a.end(over)
    t.b.account_is({BTC.name: 4})
    t.a.account_is({ETH.name: 4})
    assert not t.a.asked("fills")
    assert not t.b.asked("fills")


@trading(ready=False)
async def test_a_position_that_nothing_explains_is_quarantined_and_adopted_by_the_operators_word(t: Trading) -> None:
    await t.rest()
    t.a.up()
    await tell(t, {BTC.name: 7})
    assert not t.closed
    (item,) = t.facts(Quarantined)
    assert (item.name, item.what, item.difference) == (BTC.name, "it holds 7 increments, our facts say 0", 7)
    refused = await t.order().final()
    assert refused.reason.startswith(f"quarantine: a/{BTC.name}: it holds 7 increments, our facts say 0")
    assert await t.ask(Resolve(f"a/{BTC.name}")) == f"a/{BTC.name} is released from quarantine"
    t.a.account_is({BTC.name: 7})
    leg = await t.live()
    assert leg.state is OrderState.LIVE
    assert t.ledger.position(BTC.name) == 0  # held, and nobody's here
    await tell(t, {BTC.name: 7})
    assert not t.ledger.quarantine


@trading(ready=False)
async def test_a_position_is_adopted_for_later_processes_too(t: Trading) -> None:
    t.a.up()
    await tell(t, {BTC.name: 7})
    await t.ask(Resolve(f"a/{BTC.name}"))
    await t.restart()
    t.a.up()
    t.a.account_is({BTC.name: 7})
    assert not t.closed


@trading()
async def test_an_open_order_of_somebody_else_is_quarantined_and_named(t: Trading) -> None:
    t.a.down()
    t.a.up()
    t.a.account_is({}, STRANGER)
    assert t.closed == "it is being reconciled"
    await tell(t, {}, STRANGER)
    assert t.closed == ""
    (item,) = t.facts(Quarantined)
    assert (item.name, item.what) == ("stranger", "an open order that is not ours")
    assert "quarantine: a/stranger: an open order that is not ours" in (await t.order().final()).reason
    assert await t.ask(Resolve("a/stranger")) == "a/stranger is released from quarantine"


@trading()
async def test_our_own_open_orders_are_no_strangers_but_those_that_are_over_are(t: Trading) -> None:
    leg = await t.live()
    own = Report(ReportKind.STATUS, leg.leg.id, 0, 0, 10, 10_000, OrderState.LIVE, instrument=BTC.name)
    t.a.down()
    t.a.up()
    t.a.status(leg, OrderState.LIVE)
    t.a.account_is({}, own)
    assert t.closed == ""
    t.a.end(leg)
    await tell(t, {}, own)
    assert [item.name for item in t.facts(Quarantined)] == [leg.leg.id]


@trading()
async def test_the_account_is_asked_for_again_until_it_answers_and_then_now_and_then(t: Trading) -> None:
    t.a.down()
    t.a.sent.clear()
    t.a.up()
    await t.rest(2 * AGAIN)
    assert len(t.a.asked("account")) == 3
    t.a.account_is()
    await t.rest(PATIENCE.live_s - 1)
    assert len(t.a.asked("account")) == 3
    await t.rest(2)
    assert len(t.a.asked("account")) == 4


@trading()
async def test_a_question_that_could_not_leave_does_not_count_as_one(t: Trading) -> None:
    t.a.down()
    t.a.up()
    t.a.connected = False  # nobody was told yet
    await t.rest(20 * AGAIN)
    t.a.connected = True
    t.a.account_is({BTC.name: 7})
    assert not t.ledger.quarantine
    assert t.closed


@trading()
async def test_a_difference_that_comes_while_trading_is_asked_about_and_quarantined_if_it_stays(t: Trading) -> None:
    leg = await t.live()
    await t.rest(PATIENCE.live_s + 1)
    await tell(t, {BTC.name: 7})
    assert f"a/{BTC.name}" in t.ledger.quarantine
    assert (await t.order().final()).refusal is not None
    t.desk().cancel(leg.order.order.id)  # cancels go out all the same
    await t.rest()
    assert t.a.asked("cancel") == [leg.leg.id]


@trading()
async def test_a_short_position_is_negative_in_the_account(t: Trading) -> None:
    leg = await t.live(side=Side.SELL)
    t.a.fill(leg, 10)
    t.a.down()
    t.a.up()
    t.a.account_is({BTC.name: 10})
    assert t.closed
    t.a.account_is({BTC.name: -10})
    assert not t.closed
