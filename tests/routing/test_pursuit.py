"""What is in doubt is asked about until the venue says; cancels are repeated until there is evidence."""

import attrs
import pytest

from ticktree.routing.facts import CancelSent, Doubted, NeverArrived, NotReplaced, Quarantined
from ticktree.routing.orders import OrderState
from ticktree.routing.records import LegRecord
from ticktree.routing.reports import ReportKind

from .stories import now
from .trading import PATIENCE, Trading, trading

S, K = OrderState, ReportKind
ACK, AGAIN = PATIENCE.ack_s + PATIENCE.look_s, PATIENCE.again_s + PATIENCE.look_s
GRACE_S = 1.0


async def canceling(t: Trading) -> LegRecord:
    leg = await t.live()
    t.desk().cancel(leg.order.order.id)
    await t.rest()
    return leg


# --- silence -------------------------------------------------------------------------------------------------------


@trading()
async def test_a_new_order_that_is_not_acknowledged_is_unknown_and_asked_about(t: Trading) -> None:
    leg = await t.sent()
    await t.rest(PATIENCE.ack_s - PATIENCE.look_s)
    assert leg.state is S.SENT
    await t.rest(2 * PATIENCE.look_s)
    assert (leg.state, leg.reason) == (S.UNKNOWN, "a did not answer within 1 s")
    assert t.a.asked("query") == [leg.leg.id]
    assert t.facts(Doubted)[0].leg_id == leg.leg.id
    assert t.updates()[-1].state is S.UNKNOWN
    assert len(t.a.asked("submit")) == 1  # it is not sent a second time


@trading()
async def test_what_is_unknown_is_asked_about_again_and_again_until_the_venue_says(t: Trading) -> None:
    leg = await t.sent()
    await t.rest(ACK + 3 * AGAIN)
    asked = len(t.a.asked("query"))
    assert asked == 4
    t.a.status(leg, S.LIVE)
    assert leg.state is S.LIVE
    await t.rest(5.0)
    assert len(t.a.asked("query")) == asked


@trading()
async def test_a_replace_that_is_not_answered_makes_the_order_unknown(t: Trading) -> None:
    leg = await t.live()
    await t.rest(5.0)
    assert leg.state is S.LIVE
    t.desk().replace(leg.order.order.id, "0.002", None)
    await t.rest(ACK)
    assert (leg.state, leg.pending) == (S.UNKNOWN, (20, 10_000))
    assert t.a.asked("query") == [leg.leg.id]


@trading()
async def test_a_live_order_that_nothing_is_heard_of_is_asked_about_now_and_then(t: Trading) -> None:
    leg = await t.live()
    await t.rest(PATIENCE.live_s - 1)
    assert not t.a.asked("query")
    await t.rest(2)
    assert t.a.asked("query") == [leg.leg.id]
    assert leg.state is S.LIVE
    t.a.status(leg, S.LIVE)
    await t.rest(PATIENCE.live_s - 1)
    assert len(t.a.asked("query")) == 1


@trading()
async def test_a_gateway_that_cannot_speak_now_is_asked_again_later(t: Trading) -> None:
    leg = await t.sent()
    t.a.connected = False  # nobody was told yet
    await t.rest(ACK)
    assert now(leg.state) is S.UNKNOWN
    assert not t.a.asked("query")
    t.a.connected = True
    await t.rest(AGAIN)
    assert t.a.asked("query") == [leg.leg.id]


@trading()
async def test_nothing_is_asked_while_nothing_is_connected(t: Trading) -> None:
    leg = await t.live()
    t.a.down()
    t.a.hears.on_unreadable(ValueError("garbage"), leg.leg.id)
    t.a.connected = True  # to see whether it would be asked
    await t.rest(5.0)
    assert not t.a.asked("query")


# --- cancels -------------------------------------------------------------------------------------------------------


@trading()
async def test_a_cancel_is_repeated_until_there_is_evidence(t: Trading) -> None:
    leg = await canceling(t)
    assert leg.state is S.CANCEL_SENT
    await t.rest(3 * AGAIN)
    assert len(t.a.asked("cancel")) == 4
    t.a.end(leg)
    await t.rest(5.0)
    assert len(t.a.asked("cancel")) == 4
    assert len(t.facts(CancelSent)) == 1


@trading()
async def test_a_partial_fill_is_no_evidence_of_a_cancel(t: Trading) -> None:
    leg = await canceling(t)
    t.a.fill(leg, 4)
    await t.rest(AGAIN)
    assert (len(t.a.asked("cancel")), leg.state) == (2, S.CANCEL_SENT)


@trading()
async def test_a_cancel_is_repeated_over_reconnects(t: Trading) -> None:
    leg = await canceling(t)
    t.a.down()
    await t.rest(5.0)
    assert len(t.a.asked("cancel")) == 1
    t.a.up()
    assert t.a.sent[-2:] == [("cancel", leg.leg.id), ("account",)]
    await t.rest(AGAIN)
    assert len(t.a.asked("cancel")) == 3


@trading()
async def test_what_is_canceled_while_nothing_is_connected_is_canceled_when_something_is(t: Trading) -> None:
    leg = await t.live()
    t.a.down()
    t.desk().cancel(leg.order.order.id)
    await t.rest()
    assert not t.a.asked("cancel")
    t.a.up()
    assert t.a.asked("cancel") == [leg.leg.id]


@trading()
async def test_a_rejected_cancel_is_asked_about(t: Trading) -> None:
    leg = await canceling(t)
    t.a.say(K.CANCEL_REJECTED, leg, reason="too late")
    assert now(leg.state) is S.UNKNOWN
    assert t.a.asked("query") == [leg.leg.id]
    t.a.fill(leg, 10)
    assert leg.state is S.FILLED


@trading()
async def test_a_cancel_goes_on_in_the_next_life_of_the_actor_and_after_a_restart(t: Trading) -> None:
    leg = await canceling(t)
    t.venue().tell_control("nonsense")
    await t.rest()
    t.a.up()
    assert len(t.a.asked("cancel")) == 2
    await t.restart()
    t.a.up()
    assert t.a.asked("cancel") == [leg.leg.id]
    assert t.ledger.legs[leg.leg.id].canceling


# --- not found -----------------------------------------------------------------------------------------------------


@trading()
async def test_not_found_within_its_own_session_counts_for_nothing_and_ends_the_session_when_it_persists(
    t: Trading,
) -> None:
    leg = await t.sent()
    for misses in range(1, PATIENCE.resets_after + 1):
        assert not t.a.asked("reset")
        t.a.say(K.NOT_FOUND, leg)
        assert leg.state is S.SENT, misses
    assert t.a.asked("reset") == [f"order {leg.leg.id} was not answered"]
    assert not t.facts(NeverArrived)


@trading()
async def test_not_found_counts_in_a_later_session_once_the_grace_has_passed(t: Trading) -> None:
    leg = await t.sent()
    handle = t.handle(leg)
    t.a.down()
    t.a.ready()
    t.a.say(K.NOT_FOUND, leg)
    assert now(leg.state) is S.UNKNOWN
    await t.rest(GRACE_S + PATIENCE.again_s)
    for _ in t.a.asked("query")[1:]:  # those asked within the grace are answered first, and count for nothing
        assert now(leg.state) is S.UNKNOWN
        t.a.say(K.NOT_FOUND, leg)
    assert (leg.state, leg.reason) == (S.REJECTED, "a does not know it")
    assert not t.closed
    assert (await handle.final()).filled_increments == 0


@trading()
async def test_not_found_never_counts_where_the_former_session_may_still_be_alive(t: Trading) -> None:
    leg = await t.sent()
    t.a.down()
    t.a.up(former_closed=False)
    await t.rest(10.0)
    for _ in t.a.asked("query"):
        t.a.say(K.NOT_FOUND, leg)
    assert now(leg.state) is S.UNKNOWN
    t.a.down()
    t.a.sent.clear()
    t.a.up(former_closed=True)
    await t.rest(GRACE_S + PATIENCE.again_s)
    for _ in t.a.asked("query"):
        t.a.say(K.NOT_FOUND, leg)
    assert leg.state is S.REJECTED


@trading()
async def test_not_found_counts_for_nothing_within_the_grace_however_often_it_is_said(t: Trading) -> None:
    leg = await t.sent()
    t.a.down()
    t.a.up()
    await t.rest(GRACE_S - PATIENCE.look_s)
    for _ in range(10):
        t.a.say(K.NOT_FOUND, leg)
    assert leg.state is S.UNKNOWN


@trading()
async def test_not_found_about_what_is_over_or_has_not_left_changes_nothing(t: Trading) -> None:
    leg = await t.live()
    t.a.end(leg)
    t.a.say(K.NOT_FOUND, leg)
    assert leg.state is S.CANCELED
    t.journal.slow = True
    waiting = await t.sent()
    t.a.say(K.NOT_FOUND, waiting)
    assert waiting.state is S.SENT
    t.journal.commit()


@trading()
async def test_an_order_that_was_filled_and_is_not_known_any_more_is_quarantined(t: Trading) -> None:
    leg = await t.live()
    t.a.fill(leg, 4)
    t.a.down()
    t.a.ready()
    t.a.account_is({"BTC-USDT": 4})
    for _ in range(PATIENCE.explains_after + 3):
        await t.rest(GRACE_S)
        t.a.say(K.NOT_FOUND, leg)
    assert (leg.terminal, leg.contradicted) == (False, True)
    assert len(t.facts(NeverArrived)) == 1
    assert [item.name for item in t.facts(Quarantined)] == [leg.leg.id]
    assert t.a.asked("fills")


@trading()
async def test_a_replace_that_a_later_session_does_not_know_of_never_will_be_known(t: Trading) -> None:
    leg = await t.live()
    t.desk().replace(leg.order.order.id, "0.002", None)
    await t.rest()
    t.a.down()
    t.a.up()
    t.a.status(leg, S.LIVE, quantity_increments=10, limit_increments=10_000)
    assert now(leg.pending) == (20, 10_000)
    await t.rest(GRACE_S)
    t.a.status(leg, S.LIVE, quantity_increments=10, limit_increments=10_000)
    assert (leg.pending, leg.state, len(t.facts(NotReplaced))) == (None, S.LIVE, 1)
    await t.rest()
    assert t.updates()[-1].reason == "a does not know of it"


@trading()
async def test_a_replace_that_stays_unconfirmed_in_its_own_session_ends_that(t: Trading) -> None:
    leg = await t.live()
    t.desk().replace(leg.order.order.id, "0.002", None)
    await t.rest()
    for _ in range(PATIENCE.resets_after):
        t.a.status(leg, S.LIVE, quantity_increments=10, limit_increments=10_000)
    assert len(t.a.asked("reset")) == 1
    assert leg.pending == (20, 10_000)


# --- sessions ------------------------------------------------------------------------------------------------------


@trading()
async def test_a_broken_session_leaves_everything_that_was_sent_unknown_and_a_new_one_asks_about_it(t: Trading) -> None:
    live, sent = await t.live(), await t.sent()
    over = await t.live()
    t.a.end(over)
    await t.rest()
    t.a.down()
    assert [leg.state for leg in (live, sent, over)] == [S.UNKNOWN, S.UNKNOWN, S.CANCELED]
    assert live.reason == "the connection to a was lost"
    assert t.ledger.open("BTC-USDT", live.leg.ticket.side) == 20  # in full
    t.a.up()
    assert sorted(t.a.asked("query")) == sorted([live.leg.id, sent.leg.id])
    t.a.status(live, S.LIVE)
    t.a.account_is()
    assert t.closed == "it is being reconciled"
    t.a.status(sent, S.CANCELED)
    assert not t.closed


@trading()
async def test_a_session_that_follows_another_without_a_word_doubts_everything_too(t: Trading) -> None:
    leg = await t.live()
    t.a.up()
    assert (leg.state, leg.reason) == (S.UNKNOWN, "a new session began")


@trading()
async def test_after_a_restart_all_that_is_not_over_is_asked_about(t: Trading) -> None:
    leg = await t.live()
    over = await t.live()
    t.a.end(over)
    await t.rest()
    await t.restart()
    again = t.ledger.legs[leg.leg.id]
    assert now(again.state) is S.UNKNOWN
    t.a.up()
    assert t.a.asked("query") == [leg.leg.id]
    t.a.fill(again, 10)
    t.a.account_is({"BTC-USDT": 10})
    assert (again.state, t.closed, t.ledger.position("BTC-USDT")) == (S.FILLED, "", 10)


@trading()
async def test_what_had_not_left_when_the_process_ended_is_not_found_and_over(t: Trading) -> None:
    t.journal.slow = True
    leg = await t.sent()
    t.journal.slow = False
    await t.restart()
    again = t.ledger.legs[leg.leg.id]
    assert now(again.state) is S.UNKNOWN
    t.a.ready()
    await t.rest(GRACE_S + PATIENCE.again_s)
    for _ in t.a.asked("query"):
        t.a.say(K.NOT_FOUND, again)
    assert again.state is S.REJECTED


# --- missing fills -------------------------------------------------------------------------------------------------


@trading()
async def test_fills_that_the_venue_counts_and_did_not_tell_are_asked_for(t: Trading) -> None:
    leg = await t.live()
    t.a.end(leg, cumulative=4)
    assert t.a.asked("fills") == [leg.leg.id]
    assert not now(leg.accounted)
    t.a.fill(leg, 4, cumulative=4)
    assert leg.accounted
    await t.rest(5.0)
    assert len(t.a.asked("fills")) == 1


@trading()
async def test_a_missing_fill_is_asked_for_at_once_but_not_in_a_tight_circle(t: Trading) -> None:
    leg = await t.live()
    for _ in range(10):
        t.a.status(leg, S.LIVE, 4)
    assert len(t.a.asked("fills")) == 1
    await t.rest(AGAIN)
    assert len(t.a.asked("fills")) == 2


@pytest.mark.parametrize("answers", [False, True])
def test_fills_that_are_never_explained_are_quarantined_and_named(answers: bool) -> None:
    @trading()
    async def run(t: Trading) -> None:
        leg = await t.live()
        t.a.end(leg, cumulative=4)
        for _ in range(PATIENCE.explains_after * 3):
            await t.rest(0.3)
            if answers:  # after a while, and always the same
                t.a.status(leg, S.CANCELED, 4)
        (item,) = t.facts(Quarantined)
        assert (item.venue, item.name, item.instrument) == ("a", leg.leg.id, "BTC-USDT")
        assert item.what == "it counts 4 increments filled, and told 0"
        assert (await t.order().final()).reason == f"quarantine: a/{leg.leg.id}: {item.what}; resolve it first"

    run()


@trading()
async def test_a_bust_of_an_order_that_is_over_is_asked_about_where_it_does_not_add_up(t: Trading) -> None:
    leg = await t.live()
    t.a.fill(leg, 10, id="x")
    ticket = leg.leg.ticket
    from ticktree.routing.reports import VenueExecution

    bust = VenueExecution("x", ticket.instrument.name, ticket.side, 0, 10_000, revision=1)
    t.a.say(K.CORRECTED, leg, 10, execution=bust)
    assert t.a.asked("fills") == [leg.leg.id]


@trading(patience=attrs.evolve(PATIENCE, live_s=3.0))
async def test_patience_is_the_venues_own(t: Trading) -> None:
    leg = await t.live()
    await t.rest(3.2)
    assert t.a.asked("query") == [leg.leg.id]
