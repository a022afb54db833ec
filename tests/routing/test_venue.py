"""The actor in front of a gateway: what is written before it acts, what it takes and what it refuses."""

from typing import Any

import pytest

from ticktree.actors import control
from ticktree.market import Bar, Batch, BookUpdate, Gap, Quote, Side, Trade
from ticktree.routing import ledger
from ticktree.routing.controls import Resolve
from ticktree.routing.errors import UnknownMessage
from ticktree.routing.facts import Halted, NotSent, Quarantined, Reported, Sent
from ticktree.routing.gateway import VenueRules
from ticktree.routing.latency import Stage
from ticktree.routing.messages import AskQuote, CancelLeg, ReplaceLeg, SubmitLeg
from ticktree.routing.orders import Execution, Order, OrderState
from ticktree.routing.policies import Legs
from ticktree.routing.reports import ReportKind, VenueExecution, VenueQuote

from ..market.samples import BTC, IDS, quote, trade, update
from .trading import PATIENCE, ScriptedGateway, Trading, trading

S, K = OrderState, ReportKind


# --- orders --------------------------------------------------------------------------------------------------------


@trading()
async def test_a_leg_is_in_the_journal_before_its_first_byte_leaves(t: Trading) -> None:
    seen = list[list[str]]()
    t.a.on_submit = lambda ticket: seen.append([fact.leg_id for fact in t.facts(Sent)])
    leg = await t.sent()
    assert seen == [[leg.leg.id]]
    assert t.a.asked("submit") == [leg.leg.id]


@trading()
async def test_what_is_heard_while_the_session_ends_counts_and_what_is_not_over_then_is_in_doubt(t: Trading) -> None:
    rests, ends = await t.live(), await t.live()

    def last_words() -> None:
        t.a.status(rests, S.LIVE)  # the answer to a question that was asked before
        t.a.end(ends)

    t.a.on_stop = last_words
    await t.stop()
    assert (rests.state, ends.state) == (S.UNKNOWN, S.CANCELED)


@trading()
async def test_a_report_is_in_the_journal_before_anybody_hears_of_it(t: Trading) -> None:
    leg = await t.sent()
    t.a.fill(leg, 4)
    assert [fact.report.kind for fact in t.facts(Reported)] == [K.FILL]
    assert not t.heard
    await t.rest()
    assert [fill.quantity_increments for fill in t.fills()] == [4]


@trading()
async def test_what_changes_nothing_is_neither_written_nor_told(t: Trading) -> None:
    leg = await t.live()
    t.a.fill(leg, 4, id="x")
    await t.rest()
    told, written = len(t.heard), len(t.journal.facts)
    t.a.fill(leg, 4, id="x", cumulative=4)
    await t.rest()
    assert (len(t.heard), len(t.journal.facts)) == (told, written)


@trading()
async def test_words_about_the_same_state_are_written_and_not_told(t: Trading) -> None:
    leg = await t.live()
    told = len(t.heard)
    t.a.accept(leg)
    await t.rest()
    assert len(t.heard) == told


@trading()
async def test_a_leg_that_is_over_already_is_not_sent(t: Trading) -> None:
    leg = await t.sent()
    t.a.end(leg)
    t.venue().tell(SubmitLeg(leg), 0)
    await t.rest()
    assert len(t.a.asked("submit")) == 1


@trading()
async def test_a_leg_that_is_over_already_is_not_canceled(t: Trading) -> None:
    leg = await t.sent()
    t.a.end(leg)
    t.venue().tell_control(CancelLeg(leg))
    await t.rest()
    assert not t.a.asked("cancel")


@trading()
async def test_a_leg_in_the_mailbox_when_the_session_breaks_is_not_sent_and_not_in_doubt(t: Trading) -> None:
    async def breaks(order: Order, legs: Legs) -> Execution:
        leg = legs.send("a", order.quantity_increments)
        t.a.down()
        assert leg.state is S.SENT
        await legs.accounted()
        return legs.execution()

    t.work = breaks
    execution = await t.order(router="own").final()
    assert (execution.state, execution.reason) == (S.REJECTED, "a takes no orders: it is not connected: cut")
    assert not t.a.asked("submit")


@trading()
async def test_a_gateway_that_cannot_speak_leaves_the_leg_unsent(t: Trading) -> None:
    t.a.connected = False  # nobody was told yet
    handle = t.order()
    await t.rest()
    leg = t.leg(handle)
    assert (leg.state, leg.reason) == (S.REJECTED, "a is not connected")
    assert [fact.reason for fact in t.facts(NotSent)] == ["a is not connected"]
    assert (await handle.final()).state is S.REJECTED
    assert t.updates()[-1].state is S.REJECTED


# --- a disk that takes its time ------------------------------------------------------------------------------------


@trading()
async def test_nothing_is_sent_before_it_is_durable(t: Trading) -> None:
    t.journal.slow = True
    leg = await t.sent()
    await t.rest(3.0)
    assert not t.a.asked("submit")
    assert leg.state is S.SENT  # what has not left is not pursued
    t.journal.commit()
    await t.rest()
    assert t.a.asked("submit") == [leg.leg.id]


@trading()
async def test_what_waits_for_the_disk_when_the_session_breaks_is_not_sent(t: Trading) -> None:
    t.journal.slow = True
    leg = await t.sent()
    t.a.down()
    assert leg.state is S.SENT  # no byte left: nothing is in doubt
    t.journal.slow = False
    t.a.ready()
    t.journal.commit()
    await t.rest()
    assert not t.a.asked("submit")
    assert (leg.state, leg.reason) == (S.REJECTED, "a was lost")


@trading()
async def test_what_waits_for_the_disk_while_nothing_is_connected_is_not_sent(t: Trading) -> None:
    t.journal.slow = True
    leg = await t.sent()
    t.a.down()
    t.journal.commit()
    await t.rest()
    assert (leg.state, leg.reason) == (S.REJECTED, "a was lost")


@trading()
async def test_what_is_canceled_before_it_is_durable_is_not_sent(t: Trading) -> None:
    t.journal.slow = True
    leg = await t.sent()
    t.desk().cancel(leg.order.order.id)
    await t.rest()
    t.journal.commit()
    await t.rest()
    assert not t.a.sent[1:]  # the account was asked for, once
    assert (leg.state, leg.reason) == (S.REJECTED, "it was canceled before it was sent")


@trading()
async def test_what_the_disk_never_takes_is_not_sent(t: Trading) -> None:
    t.journal.slow = True
    leg = await t.sent()
    t.journal.waiting[0].set_exception(OSError("no space"))
    await t.rest()
    assert (leg.state, leg.reason) == (S.REJECTED, "no space")
    assert not t.a.asked("submit")


# --- the door ------------------------------------------------------------------------------------------------------


@trading(ready=False)
async def test_orders_are_refused_with_the_reason_until_everything_is_known(t: Trading) -> None:
    async def refused() -> str:
        return (await t.order().final()).reason

    assert await refused() == "venue: a takes no orders: it is not connected yet"
    t.a.up()
    assert await refused() == "venue: a takes no orders: it is being reconciled"
    t.a.account_is()
    leg = await t.live()
    t.a.down("cut")
    assert await refused() == "venue: a takes no orders: it is not connected: cut"
    t.a.ready()
    assert leg.state is S.UNKNOWN
    assert await refused() == "venue: a takes no orders: it is being reconciled"
    t.a.status(leg, S.LIVE)
    assert (t.closed, leg.state) == ("", S.LIVE)


@trading()
async def test_the_first_reason_of_a_lost_session_counts(t: Trading) -> None:
    t.a.down("cut")
    t.a.down("still cut")
    assert t.closed == "it is not connected: cut"


@trading(ready=False)
async def test_the_account_may_agree_before_or_after_the_orders_are_known(t: Trading) -> None:
    t.a.ready()
    leg = await t.live()
    t.a.down()
    t.a.up()
    t.a.status(leg, S.LIVE)
    assert t.closed
    t.a.account_is()
    assert not t.closed


@trading()
async def test_a_resolved_leg_opens_the_door_at_the_next_look(t: Trading) -> None:
    leg = await t.live()
    t.a.down()
    t.a.ready()
    await t.ask(Resolve(leg.leg.id))
    await t.rest(PATIENCE.look_s)
    assert not t.closed


@trading()
async def test_the_door_says_that_the_venue_stopped(t: Trading) -> None:
    door = t.office.doors["a"]
    await t.stop()
    assert door.closed == "it stopped"
    assert t.a.stopped
    await t.start()


@trading()
async def test_a_crash_leaves_orders_in_doubt_and_the_next_life_asks(t: Trading) -> None:
    leg = await t.live()
    t.venue().tell_control("nonsense")
    await t.rest()
    assert leg.state is S.UNKNOWN
    assert t.closed == "it is not connected yet"
    t.a.ready()
    assert t.a.asked("query") == [leg.leg.id]
    t.a.status(leg, S.LIVE)
    assert not t.closed


@trading()
async def test_it_understands_no_other_messages(t: Trading) -> None:
    t.venue().tell_control("nonsense")
    await t.rest()
    (history,) = [life for life in t.system.cells() if life.path == "venues/a"]
    reason = history.last_reason
    assert reason is not None
    assert isinstance(reason.error, UnknownMessage)


# --- what the venue says of others ----------------------------------------------------------------------------------


@trading()
async def test_an_execution_of_no_order_of_ours_is_booked_and_quarantined(t: Trading) -> None:
    await t.live()
    execution = VenueExecution("x9", BTC.name, Side.BUY, 4, 10_000)
    t.a.say(K.FILL, "stranger", 4, execution=execution)
    t.a.say(K.FILL, "stranger", 4, execution=execution)
    assert t.ledger.position(BTC.name) == 4
    (item,) = t.facts(Quarantined)
    assert (item.name, item.instrument, item.what) == ("stranger", BTC.name, "executed x9, of no order of ours")
    refused = await t.order().final()
    assert refused.reason == "quarantine: a/stranger: executed x9, of no order of ours; resolve it first"


@trading()
async def test_other_words_about_strangers_are_logged(t: Trading, caplog: pytest.LogCaptureFixture) -> None:
    t.a.say(K.CANCELED, "stranger")
    assert "a said canceled of order stranger, which is not ours" in caplog.text
    t.a.say(K.NOT_FOUND, "stranger")
    assert not t.ledger.quarantine


@trading()
async def test_a_fill_of_an_order_that_is_long_forgotten_reaches_its_strategy(t: Trading) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "CLOSED_KEPT", 0)
        leg = await t.live()
        t.a.end(leg)
        await t.rest()
    assert leg.leg.id not in t.ledger.legs
    t.a.fill(leg, 4)
    await t.rest()
    (fill,) = t.fills()
    assert (fill.late, fill.order_id, fill.strategy) == (True, leg.order.order.id, "s")


@trading()
async def test_a_correction_of_an_order_that_is_long_forgotten_reaches_its_strategy(t: Trading) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "CLOSED_KEPT", 0)
        leg = await t.live()
        t.a.fill(leg, 10, id="x")
        await t.rest()
    assert leg.leg.id not in t.ledger.legs
    t.a.say(K.CORRECTED, leg, 0, execution=VenueExecution("x", BTC.name, Side.BUY, 0, 10_000, revision=1))
    await t.rest()
    assert t.ledger.position(BTC.name) == 0
    corrected = t.updates()[-1].corrected
    assert corrected is not None
    assert (corrected.execution_id, corrected.quantity_increments) == ("x", 0)


@trading()
async def test_that_a_live_order_is_as_we_know_it_is_heard_and_not_written_down(t: Trading) -> None:
    leg = await t.live()
    t.a.fill(leg, 4)
    written = len(t.facts(Reported))
    terms = {"quantity_increments": 10, "limit_increments": 10_000}
    for _ in range(5):
        t.a.status(leg, OrderState.LIVE, 4, **terms)
    assert len(t.facts(Reported)) == written
    t.a.status(leg, OrderState.LIVE, 6, **terms)  # which is news: two more were filled
    assert len(t.facts(Reported)) == written + 1
    assert t.a.asked("fills") == [leg.leg.id]


@trading()
async def test_words_that_contradict_each_other_are_logged_and_asked_about(
    t: Trading, caplog: pytest.LogCaptureFixture
) -> None:
    leg = await t.live()
    t.a.fill(leg, 4)
    t.a.say(K.CANCELED, leg, 3)
    assert "it counts 3 increments filled, after 4" in caplog.text
    assert t.a.asked("fills") == [leg.leg.id]


@trading()
async def test_an_order_is_over_once_words_that_contradicted_each_other_agree_again(t: Trading) -> None:
    leg = await t.live()
    handle = t.handle(leg)
    t.a.fill(leg, 4)
    t.a.say(K.CANCELED, leg, 3)
    await t.rest()
    assert t.ledger.open_orders
    t.a.status(leg, S.CANCELED, 4)
    await t.rest()
    assert not t.ledger.open_orders  # at once, not by the deadline
    assert (await handle.final()).filled_increments == 4


@trading()
async def test_words_that_no_journal_can_hold_leave_their_order_unknown(t: Trading) -> None:
    leg = await t.live()
    t.journal.holds = lambda fact: not isinstance(fact, Reported)
    t.a.fill(leg, 1 << 70)
    assert (leg.state, leg.booked_increments, t.ledger.halted) == (S.UNKNOWN, 0, "")
    assert t.a.asked("query") == [leg.leg.id]
    t.journal.holds = lambda fact: True
    t.a.status(leg, S.LIVE)
    assert leg.state is S.LIVE


@trading()
async def test_a_bust_is_told_as_a_correction(t: Trading) -> None:
    leg = await t.live()
    t.a.fill(leg, 4, id="x")
    t.a.say(K.CORRECTED, leg, 0, execution=VenueExecution("x", BTC.name, Side.BUY, 0, 10_000, revision=1))
    await t.rest()
    corrected = t.updates()[-1].corrected
    assert corrected is not None
    assert corrected.quantity_increments == 0
    assert t.ledger.position(BTC.name) == 0


# --- messages that were lost, or cannot be read --------------------------------------------------------------------


@trading()
async def test_a_submit_that_is_known_to_be_lost_never_was(t: Trading) -> None:
    leg = await t.sent()
    handle = t.handle(leg)
    t.a.down()
    t.a.ready()
    assert t.closed
    t.a.hears.on_never_received(leg.leg.id, "submit")
    assert (leg.state, leg.reason) == (S.REJECTED, "it never reached a")
    assert not t.closed
    assert (await handle.final()).state is S.REJECTED


@trading()
async def test_evidence_against_what_the_venue_itself_has_filled_is_pursued(t: Trading) -> None:
    leg = await t.live()
    t.a.fill(leg, 4)
    t.a.hears.on_never_received(leg.leg.id, "submit")
    assert not leg.terminal
    assert not leg.accounted
    await t.rest(PATIENCE.again_s)
    assert t.a.asked("fills") == [leg.leg.id]
    t.a.status(leg, S.LIVE)
    assert leg.agreed


@trading()
async def test_a_cancel_that_is_known_to_be_lost_is_repeated_as_any_other(t: Trading) -> None:
    leg = await t.live()
    t.desk().cancel(leg.order.order.id)
    await t.rest()
    t.a.hears.on_never_received(leg.leg.id, "cancel")
    await t.rest(PATIENCE.again_s + PATIENCE.look_s)
    assert len(t.a.asked("cancel")) == 2
    assert leg.state is S.CANCEL_SENT


@trading()
async def test_evidence_about_what_is_over_or_nobody_knows_changes_nothing(t: Trading) -> None:
    leg = await t.live()
    t.a.end(leg)
    t.a.hears.on_never_received(leg.leg.id, "submit")
    t.a.hears.on_never_received("stranger", "submit")
    assert leg.state is S.CANCELED


@trading()
async def test_words_that_cannot_be_read_leave_their_order_unknown_and_asked_about(
    t: Trading, caplog: pytest.LogCaptureFixture
) -> None:
    leg = await t.live()
    t.a.hears.on_unreadable(ValueError("no number"), leg.leg.id)
    assert (leg.state, leg.reason) == (S.UNKNOWN, "a said what cannot be read")
    assert t.a.asked("query") == [leg.leg.id]
    t.a.hears.on_unreadable(ValueError("garbage"), None)
    t.a.hears.on_unreadable(ValueError("garbage"), "stranger")
    t.a.end(leg)
    t.a.hears.on_unreadable(ValueError("garbage"), leg.leg.id)
    assert leg.state is S.CANCELED
    assert len(t.a.asked("query")) == 1
    assert "a said what cannot be read: no number" in caplog.text


# --- replaces ------------------------------------------------------------------------------------------------------


@trading()
async def test_a_replace_is_sent_with_the_whole_quantity_and_limit(t: Trading) -> None:
    leg = await t.live()
    t.desk().replace(leg.order.order.id, "0.002", "99")
    await t.rest()
    assert t.a.sent[-1] == ("replace", leg.leg.id, 20, 9_900)
    assert (leg.state, leg.pending, t.ledger.open(BTC.name, Side.BUY)) == (S.REPLACE_SENT, (20, 9_900), 20)
    t.a.say(K.REPLACED, leg, quantity_increments=20, limit_increments=9_900)
    await t.rest()
    assert (leg.state, leg.quantity_increments) == (S.LIVE, 20)


@trading()
async def test_of_two_replaces_in_a_row_the_second_is_refused_and_the_first_stays_out(t: Trading) -> None:
    leg = await t.live()
    t.desk().replace(leg.order.order.id, "0.002", None)
    t.desk().replace(leg.order.order.id, "0.003", None)
    await t.rest()
    assert t.a.asked("replace") == [leg.leg.id]
    assert (leg.state, leg.pending) == (S.REPLACE_SENT, (20, 10_000))
    assert t.ledger.open(BTC.name, Side.BUY) == 20
    assert t.updates()[-1].reason == "it is replace_sent"


@trading()
async def test_a_replace_that_cannot_be_said_leaves_the_order_as_it_was(t: Trading) -> None:
    leg = await t.live()
    t.a.connected = False  # nobody was told yet
    t.desk().replace(leg.order.order.id, "0.002", None)
    await t.rest()
    assert (leg.state, leg.pending) == (S.LIVE, None)
    assert t.updates()[-1].reason == "a is not connected"


@trading()
async def test_a_replace_that_is_known_to_be_lost_leaves_the_order_as_it_was(t: Trading) -> None:
    leg = await t.live()
    t.desk().replace(leg.order.order.id, "0.002", None)
    await t.rest()
    t.a.hears.on_never_received(leg.leg.id, "replace")
    await t.rest()
    assert (leg.state, leg.pending) == (S.LIVE, None)
    assert t.updates()[-1].reason == "it never reached a"


@trading()
async def test_an_order_that_is_no_longer_live_is_not_replaced(t: Trading) -> None:
    leg = await t.live()
    t.a.down()
    t.venue().tell_control(ReplaceLeg(leg, 20, None))
    await t.rest()
    t.a.up()
    t.venue().tell_control(ReplaceLeg(leg, 20, None))
    await t.rest()
    assert not t.a.asked("replace")
    said = [update.reason for update in t.updates() if update.reason]
    assert said == ["the connection to a was lost", "a is not connected", "it is unknown"]


@trading(patience=PATIENCE)
async def test_a_cancel_overtakes_a_replace_and_both_end(t: Trading) -> None:
    leg = await t.live()
    t.desk().replace(leg.order.order.id, "0.002", None)
    await t.rest()
    t.desk().cancel(leg.order.order.id)
    await t.rest()
    assert (leg.state, leg.open_increments) == (S.CANCEL_SENT, 20)
    t.a.say(K.REPLACED, leg, quantity_increments=20, limit_increments=10_000)
    assert leg.state is S.CANCEL_SENT
    t.a.end(leg)
    await t.rest()
    assert (leg.state, t.ledger.open(BTC.name, Side.BUY)) == (S.CANCELED, 0)


# --- a router that does not keep up --------------------------------------------------------------------------------


@trading()
async def test_a_full_router_halts_trading_and_loses_nothing(t: Trading, monkeypatch: pytest.MonkeyPatch) -> None:
    leg = await t.live(9)
    monkeypatch.setattr(control, "CONTROL_BOUND", 2)
    for place in range(5):
        t.a.fill(leg, 1, id=f"x{place}")
    assert t.ledger.halted == "router r does not keep up"
    assert len(t.facts(Halted)) == 1
    monkeypatch.undo()
    await t.rest(PATIENCE.look_s)
    assert [fill.execution_id for fill in t.fills()] == [f"x{place}" for place in range(5)]


@trading()
async def test_what_a_full_router_missed_waits_as_long_as_it_is_full(
    t: Trading, monkeypatch: pytest.MonkeyPatch
) -> None:
    leg = await t.live(9)
    monkeypatch.setattr(control, "CONTROL_BOUND", 1)
    t.a.fill(leg, 1, id="x0")
    t.a.fill(leg, 1, id="x1")
    t.a.fill(leg, 1, id="x2")
    await t.rest(3 * PATIENCE.look_s)
    assert [fill.execution_id for fill in t.fills()] == ["x0", "x1", "x2"]


@trading()
async def test_news_for_a_former_process_router_that_is_not_there_any_more_is_told_by_another(t: Trading) -> None:
    leg = await t.live()
    await t.stop()
    del t.policies["r"]
    await t.start()
    t.a.ready()
    t.a.fill(t.ledger.legs[leg.leg.id], 10)
    await t.rest()
    assert (t.ledger.position(BTC.name), t.ledger.halted, t.closed) == (10, "", "")
    assert [fill.late for fill in t.fills()] == [True]


# --- market data and quotes ----------------------------------------------------------------------------------------


class Simulated(ScriptedGateway):
    def __init__(self) -> None:
        super().__init__("a", VenueRules())
        self.market: list[Any] = []

    def on_market(self, event: Any) -> None:
        self.market.append(event)


A_BATCH = Batch("sim", IDS, events=[quote()])
A_BAR = Bar("sim", BTC, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 0, 60, 70)
A_MARK = Gap("sim", BTC, "trade", 5, 7, 0)


async def tell_market(t: Trading) -> None:
    for event in (quote(), trade(), update((100.0, 1.0)), A_BATCH, A_BAR, A_MARK):
        t.venue().tell(event)
    await t.rest()


@trading()
async def test_market_data_goes_past_gateways_that_do_not_ask_for_it(t: Trading) -> None:
    await tell_market(t)
    assert not t.closed


@trading()
async def test_simulated_gateways_are_told_market_data_and_no_bars_nor_marks(t: Trading) -> None:
    simulated = t.gateways["a"] = Simulated()
    t.venue().tell_control("nonsense")  # the next life has the other gateway
    await t.rest()
    await tell_market(t)
    assert [type(event) for event in simulated.market] == [Quote, Trade, BookUpdate, Batch]


@trading()
async def test_a_venue_is_asked_what_it_displays(t: Trading) -> None:
    answers = list[VenueQuote | None]()
    t.venue().tell_control(AskQuote(BTC, answers.append))
    await t.rest()
    what, name, answer = t.a.sent[-1]
    assert (what, name) == ("quote", BTC.name)
    answer(None)
    t.a.connected = False
    t.venue().tell_control(AskQuote(BTC, answers.append))
    await t.rest()
    assert answers == [None, None]


# --- latencies -----------------------------------------------------------------------------------------------------


@trading()
async def test_each_stage_of_an_order_is_measured(t: Trading) -> None:
    t.journal.slow = True
    leg = await t.sent()
    await t.rest(0.010)
    t.journal.commit()
    await t.rest(0.020)
    t.a.accept(leg)
    await t.rest(0.040)
    t.a.fill(leg, 4)
    t.a.fill(leg, 6)
    summaries = t.office.latencies.summaries()["a"]
    ms = {stage: round(summary.max_ns / 1e6) for stage, summary in summaries.items()}
    assert ms == {
        Stage.DECISION_TO_JOURNAL: 0, Stage.JOURNAL_TO_WIRE: 10, Stage.WIRE_TO_ACK: 20, Stage.ACK_TO_FILL: 40,
        Stage.DECISION_TO_WIRE: 10,
    }  # fmt: skip
    assert {summary.count for summary in summaries.values()} == {1}


@trading()
async def test_a_venue_in_this_process_may_answer_within_the_submit(t: Trading) -> None:
    t.a.on_submit = lambda ticket: t.a.say(K.ACCEPTED, ticket.client_id)
    leg = await t.sent()
    assert leg.state is S.LIVE
    assert leg.wire_ns <= leg.ack_ns


@trading()
async def test_orders_of_a_former_process_are_not_measured(t: Trading) -> None:
    leg = await t.live()
    await t.restart()
    t.a.ready()
    again = t.ledger.legs[leg.leg.id]
    t.a.fill(again, 10)
    assert t.office.latencies.summaries()["a"][Stage.ACK_TO_FILL].count == 0
    assert again.state is S.FILLED
