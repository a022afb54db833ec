"""State as the sum of facts: every fact once, whatever the order in which it came, also after a restart."""

from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from ticktree.market import Side
from ticktree.routing import ledger as ledger_module
from ticktree.routing.facts import (
    Answered,
    AnyFact,
    Began,
    CancelSent,
    Doubted,
    Ended,
    Halted,
    NeverArrived,
    NotReplaced,
    NotSent,
    Opened,
    Quarantined,
    ReplaceSent,
    Reported,
    Resolved,
    Resumed,
    Sent,
    Turned,
)
from ticktree.routing.ledger import UNEXPLAINED, Ledger
from ticktree.routing.orders import Leg, Order, OrderState, Purpose, Ticket
from ticktree.routing.reports import Report, ReportKind

from ..market.samples import BTC, ETH
from .stories import LEG, ORDER, Story, defined, execution, now, opened, picture, replayed, sent

S, K = OrderState, ReportKind


# --- executions ----------------------------------------------------------------------------------------------------


def test_an_execution_is_booked_once_however_often_it_is_told() -> None:
    story = Story()
    first, again = story.fill(4, cumulative=4), story.fill(4, cumulative=4)
    assert first.fill is not None
    assert again.fill is None
    assert not again.turned
    assert (story.ledger.position(BTC.name), story.ledger.fills) == (4, 1)


def test_executions_that_overtake_each_other_are_all_booked() -> None:
    story = Story()
    story.fill(6, "x2", cumulative=10, sequence=2)
    assert not now(story.leg.accounted)
    assert story.leg.open_increments == 4
    story.fill(4, "x1", cumulative=4, sequence=1)
    assert story.leg.accounted
    assert story.ledger.position(BTC.name) == 10


@pytest.mark.parametrize("other", [{"venue": "b"}, {"day": "2"}, {"id": "x2"}])
def test_an_execution_is_known_by_venue_day_and_id(other: dict[str, Any]) -> None:
    story = Story()
    first: dict[str, Any] = {"day": "1"} if "day" in other else {}
    story.fill(4, **first)
    assert story.fill(4, **other).fill is not None
    assert story.ledger.position(BTC.name) == 8


def test_a_sale_lowers_the_position() -> None:
    story = Story(begun=False)
    story.tell(opened(side=Side.SELL), sent(side=Side.SELL))
    assert story.opens() == (0, 10)
    news = story.fill(4, side=Side.SELL)
    assert news.fill is not None
    assert (news.fill.side, story.ledger.position(BTC.name), story.opens()) == (Side.SELL, -4, (0, 6))


def test_a_fill_says_whose_it_is_and_what_it_cost() -> None:
    fill = Story().fill(4, price=10_050, fee="0.3").fill
    assert fill is not None
    assert (fill.order_id, fill.leg_id, fill.execution_id, fill.venue, fill.strategy) == (ORDER, LEG, "x1", "a", "s")
    assert (fill.quantity, fill.price, fill.fee, fill.late) == (
        Decimal("0.0004"),
        Decimal("100.5"),
        Decimal("0.3"),
        False,
    )


def test_a_bust_takes_an_execution_back() -> None:
    story = Story()
    story.fill(4)
    news = story.correct(0, 0)
    assert news.fill is None
    assert news.corrected is not None
    assert news.corrected.quantity_increments == 0
    assert (story.ledger.position(BTC.name), story.leg.booked_increments, story.opens()) == (0, 0, (10, 0))


def test_a_bust_that_comes_before_its_fill_leaves_nothing_booked() -> None:
    story = Story()
    story.correct(0, 0, sequence=2)
    late = story.fill(4, cumulative=4, sequence=1)
    assert (late.fill, late.corrected) == (None, None)
    assert (story.ledger.position(BTC.name), story.leg.booked_increments, story.leg.cumulative_increments) == (0, 0, 0)


def test_of_corrections_the_highest_revision_counts() -> None:
    story = Story()
    story.fill(8)
    assert story.correct(3, 3, revision=2, sequence=2).corrected is not None
    assert story.correct(5, 5, revision=1, sequence=1).corrected is None
    assert story.correct(3, 3, revision=2, sequence=2).corrected is None
    assert (story.ledger.position(BTC.name), story.leg.booked_increments) == (3, 3)


def test_a_corrected_price_changes_the_position_and_not_the_quantity() -> None:
    story = Story()
    story.fill(4, price=10_000)
    story.correct(4, 4, price=11_000)
    assert story.ledger.positions.of("s", BTC.name).average_price() == Decimal(110)
    assert story.ledger.position(BTC.name) == 4


def test_the_bust_of_a_filled_order_leaves_it_filled_and_over() -> None:
    story = Story()
    story.fill(10)
    story.tell(Ended(0, ORDER))
    story.correct(0, 0)
    assert (story.leg.state, story.leg.accounted, story.leg.open_increments) == (S.FILLED, True, 0)
    assert story.order.terminal
    assert (story.ledger.position(BTC.name), story.opens()) == (0, (0, 0))


def test_an_order_is_open_again_while_a_late_bust_is_not_understood() -> None:
    story = Story()
    story.fill(10, sequence=1)
    story.tell(Ended(0, ORDER))
    assert ORDER not in story.ledger.open_orders
    story.correct(4, 10, sequence=2)  # it counts six that it has not told
    assert ORDER in story.ledger.open_orders
    assert LEG in story.ledger.at("a")
    assert story.opens() == (6, 0)
    story.fill(6, "x2", cumulative=10, sequence=3)
    assert ORDER not in story.ledger.open_orders
    assert LEG not in story.ledger.at("a")
    assert story.ledger.position(BTC.name) == 10


@pytest.mark.parametrize("state", [S.CANCELED, S.EXPIRED, S.REJECTED])
def test_a_fill_after_the_end_is_booked(state: OrderState) -> None:
    story = Story()
    story.status(state)
    story.tell(Ended(0, ORDER))
    assert story.order.terminal
    news = story.fill(4)
    assert news.fill is not None
    assert (story.leg.state, story.ledger.position(BTC.name)) == (state, 4)
    assert story.order.terminal


def test_a_fill_after_the_answer_is_late() -> None:
    story = Story()
    story.fill(1)
    story.tell(Answered(0, ORDER))
    news = story.fill(4, "x2")
    assert news.fill is not None
    assert news.fill.late
    assert story.order.execution().late_increments == 4
    assert story.order.execution().late == Decimal("0.0004")


def test_what_a_late_fill_of_a_hedge_comes_to_is_not_counted_as_late_quantity() -> None:
    story = Story()
    story.tell(sent("h", quantity=4, side=Side.SELL, venue="b", purpose=Purpose.HEDGE), Answered(0, ORDER))
    assert story.fill(4, leg_id="h", side=Side.SELL, venue="b").fill is not None
    assert story.order.late_increments == 0


def test_an_over_fill_is_booked_and_counted_once() -> None:
    story = Story()
    story.fill(10)
    assert story.ledger.overfilled == 0
    story.fill(2, "x2", cumulative=12)
    assert (story.ledger.overfilled, story.order.overfilled_increments) == (1, 2)
    story.fill(1, "x3", cumulative=13)
    assert (story.ledger.overfilled, story.ledger.position(BTC.name)) == (1, 13)


def test_executions_of_orders_that_are_not_ours_are_booked_and_said_to_be_so() -> None:
    story = Story()
    news = story.fill(4, leg_id="stranger")
    assert news.record is None
    assert news.wrong == "fill of an order that is not ours"
    assert news.fill is not None
    assert (news.fill.strategy, news.fill.order_id, news.fill.late) == (UNEXPLAINED, "", True)
    assert story.ledger.position_of(UNEXPLAINED, BTC.name) == 4
    assert story.ledger.position(BTC.name) == 4


def test_executions_in_instruments_that_nobody_defined_are_no_position() -> None:
    story = Story(begun=False)
    told = attrs.evolve(ETH)
    report = Report(K.FILL, "stranger", 0, 4, execution=execution(4))
    news = story.ledger.apply(Reported(0, "a", "acc", report))
    assert news is not None
    assert story.ledger.position(told.name) == 0


def test_fills_of_orders_long_forgotten_are_still_their_strategys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "CLOSED_KEPT", 1)
    story = Story()
    story.status(S.CANCELED)
    story.tell(Ended(0, ORDER))
    for name in ("e1-2", "e1-3"):
        story.tell(opened(name), Turned(0, name, "risk", "", "", ""))
    assert ORDER not in story.ledger.orders
    assert LEG not in story.ledger.legs
    whose = story.ledger.whose(LEG)
    assert whose is not None
    assert (whose.order_id, whose.strategy, whose.router) == (ORDER, "s", "r")
    news = story.fill(4)
    assert news.fill is not None
    assert (news.record, news.wrong, news.fill.order_id, news.fill.strategy, news.fill.late) == (
        None,
        "",
        ORDER,
        "s",
        True,
    )
    assert story.ledger.position_of("s", BTC.name) == 4
    story.correct(1, 1)
    assert story.ledger.position_of("s", BTC.name) == 1


def test_an_order_that_is_open_again_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "CLOSED_KEPT", 1)
    story = Story()
    story.fill(10)
    story.tell(Ended(0, ORDER))
    story.correct(4, 10)
    for name in ("e1-2", "e1-3"):
        story.tell(opened(name), Turned(0, name, "risk", "", "", ""))
    assert ORDER in story.ledger.orders
    assert LEG in story.ledger.legs


def test_what_is_forgotten_is_let_go_of_also_where_it_was_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    import gc
    import weakref

    monkeypatch.setattr(ledger_module, "CLOSED_KEPT", 0)
    story = Story()
    order = weakref.ref(story.order)
    story.fill(10)
    story.tell(Ended(0, ORDER))
    gc.collect()
    assert order() is None


# --- facts of our own ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fact", [NotSent(0, LEG, "no connection"), NeverArrived(0, LEG, "not known")])
def test_a_leg_that_never_arrived_is_over(fact: AnyFact) -> None:
    story = Story()
    story.tell(Doubted(0, LEG, "silence"), fact)
    assert (story.leg.state, story.leg.accounted) == (S.REJECTED, True)
    assert story.leg.reason in {"no connection", "not known"}


@pytest.mark.parametrize("fact", [NotSent(0, LEG, "no connection"), NeverArrived(0, LEG, "not known")])
@pytest.mark.parametrize("told", [True, False])
def test_a_leg_that_was_filled_did_arrive_whatever_is_said(fact: AnyFact, told: bool) -> None:
    story = Story()
    if told:
        story.fill(4)
    else:
        story.say(K.STATUS, 4, state=S.LIVE)
    story.tell(fact)
    assert (story.leg.state, story.leg.contradicted, story.leg.accounted) == (S.LIVE, True, False)


def test_a_cancel_does_not_make_certain_what_is_unknown() -> None:
    story = Story()
    story.tell(Doubted(0, LEG, "silence"), CancelSent(0, LEG))
    assert (story.leg.state, story.leg.canceling) == (S.UNKNOWN, True)


def test_a_replace_does_not_make_certain_what_is_unknown() -> None:
    story = Story()
    story.tell(Doubted(0, LEG, "silence"), ReplaceSent(0, LEG, 20, 9_900))
    assert (story.leg.state, story.leg.open_increments) == (S.UNKNOWN, 20)
    story.tell(NotReplaced(0, LEG, "lost"))
    assert (story.leg.state, story.leg.open_increments) == (S.UNKNOWN, 10)


@pytest.mark.parametrize(
    "fact",
    [
        CancelSent(0, LEG), ReplaceSent(0, LEG, 20, None), Doubted(0, LEG, "x"), NotSent(0, LEG, "x"),
        NeverArrived(0, LEG, "x"), NotReplaced(0, LEG, "x"),
    ],
)  # fmt: skip
def test_what_is_over_is_not_touched_by_facts_of_our_own(fact: AnyFact) -> None:
    story = Story()
    story.status(S.EXPIRED)
    before = picture(story.ledger)
    story.tell(fact)
    assert picture(story.ledger) == before


@pytest.mark.parametrize(
    "fact",
    [
        CancelSent(0, "x"), Doubted(0, "x", "x"), Answered(0, "x"), Ended(0, "x"), Turned(0, "x", "risk", "", "", ""),
        Resolved(0, "x", S.CANCELED, "x"),
    ],
)  # fmt: skip
def test_facts_about_what_is_not_known_change_nothing(fact: AnyFact) -> None:
    story = Story()
    before = picture(story.ledger)
    story.tell(fact)
    assert picture(story.ledger) == before


def test_a_refused_order_is_over_and_reserves_nothing() -> None:
    story = Story(begun=False)
    story.tell(opened(), Turned(0, ORDER, "risk.max_position", "1", "2", "too much"))
    assert story.order.terminal
    assert (story.opens(), story.ledger.open_orders) == ((0, 0), {})
    assert str(story.order.refusal) == "risk.max_position: 2, where 1 is allowed: too much"
    assert story.order.execution().state is S.REJECTED


def test_an_order_ends_when_its_policy_and_all_its_legs_have() -> None:
    story = Story()
    story.tell(Ended(0, ORDER, "the deadline passed"))
    assert ORDER in story.ledger.open_orders
    story.status(S.CANCELED)
    assert ORDER not in story.ledger.open_orders
    assert story.order.execution().reason == "the deadline passed"


def test_the_first_reason_of_an_end_stays() -> None:
    story = Story()
    story.tell(Ended(0, ORDER, "first"), Ended(0, ORDER, "second"))
    assert story.order.reason == "first"


def test_a_halt_has_a_reason_until_trading_resumes() -> None:
    story = Story()
    story.tell(Halted(0, "enough"))
    assert story.ledger.halted == "enough"
    story.tell(Resumed(0, "go on"))
    assert not story.ledger.halted


def test_an_epoch_counts_its_orders_from_the_beginning() -> None:
    story = Story()
    assert (story.ledger.epoch, story.ledger.orders_made) == ("e1", 1)
    story.tell(Began(5, "e2"))
    assert (story.ledger.epoch, story.ledger.began_ns, story.ledger.orders_made) == ("e2", 5, 0)


# --- totals --------------------------------------------------------------------------------------------------------


def test_totals_are_by_instrument_strategy_and_side_after_each_fact() -> None:
    story = Story(begun=False)
    ledger = story.ledger
    story.tell(opened(grant=3))
    assert story.opens() == (13, 0)  # all that is granted, before anything is sent
    story.tell(sent(quantity=10))
    assert story.opens() == (13, 0)
    story.tell(opened("e1-2", 5, Side.SELL, "z"), sent("e1-2.1", "e1-2", 5, Side.SELL))
    assert (ledger.open_of("s", BTC.name, Side.BUY), ledger.open_of("z", BTC.name, Side.SELL)) == (13, 5)
    assert (ledger.open_of("s", BTC.name, Side.SELL), ledger.open_of("z", BTC.name, Side.BUY)) == (0, 0)
    assert story.opens() == (13, 5)
    story.fill(4)
    assert story.opens() == (9, 5)
    story.tell(Doubted(0, LEG, "silence"))
    assert story.opens() == (9, 5)  # unknown counts in full
    story.tell(Ended(0, ORDER))
    assert story.opens() == (6, 5)
    story.say(K.CANCELED, 4)
    assert story.opens() == (0, 5)
    assert ledger.position_of("s", BTC.name) == 4
    assert ledger.position_of("z", BTC.name) == 0


@pytest.mark.parametrize(
    ("first", "opens"),
    [
        (sent(quantity=10), (10, 0)),
        (sent(quantity=13), (13, 0)),  # beyond what the order was granted
        (sent(quantity=4, side=Side.SELL, purpose=Purpose.HEDGE), (10, 4)),
    ],
)
def test_the_first_leg_counts_beyond_what_its_order_has_reserved(first: Sent, opens: tuple[int, int]) -> None:
    story = Story(begun=False)
    story.tell(opened(quantity=10))
    assert now(story.opens()) == (10, 0)
    story.tell(first)
    assert story.opens() == opens
    assert story.ledger.long_and_short(BTC.name) == opens


def test_what_is_open_of_each_strategy_can_be_listed() -> None:
    story = Story()
    story.tell(opened("e1-2", 5, Side.SELL, "z"))
    listed = {(one.strategy, one.instrument.name): (one.buys, one.sells) for one in story.ledger.opens()}
    assert listed == {("s", BTC.name): (10, 0), ("z", BTC.name): (0, 5)}
    story.status(S.CANCELED)
    story.tell(Ended(0, ORDER), Turned(0, "e1-2", "risk", "", "", ""))
    assert not list(story.ledger.opens())


def test_hedge_and_unwind_legs_count_on_their_own_side_and_only_unwinding_lowers_what_is_filled() -> None:
    story = Story()
    story.fill(10)
    story.tell(
        sent("h", quantity=6, side=Side.SELL, venue="b", purpose=Purpose.HEDGE),
        sent("u", quantity=4, side=Side.SELL, purpose=Purpose.UNWIND),
    )
    assert story.opens() == (0, 10)
    story.fill(6, "h1", leg_id="h", side=Side.SELL, venue="b")
    assert (story.opens(), story.order.filled_increments) == ((0, 4), 10)
    story.fill(4, "u1", leg_id="u", side=Side.SELL)
    assert (story.opens(), story.order.filled_increments) == ((0, 0), 6)
    assert story.ledger.position(BTC.name) == 0


def test_resting_legs_are_found_by_venue_instrument_and_side_until_they_are_over() -> None:
    story = Story()
    ledger = story.ledger
    assert [leg.leg.id for leg in ledger.resting("a", BTC.name, Side.BUY)] == [LEG]
    for elsewhere in (("b", BTC.name, Side.BUY), ("a", ETH.name, Side.BUY), ("a", BTC.name, Side.SELL)):
        assert not list(ledger.resting(*elsewhere))
    story.say(K.CANCELED, 3)  # over, though not accounted for
    assert not list(ledger.resting("a", BTC.name, Side.BUY))
    assert LEG in ledger.at("a")


# --- what is news --------------------------------------------------------------------------------------------------


def is_news(story: Story, kind: ReportKind, cumulative: int = 0, leg_id: str = LEG, **fields: Any) -> bool:
    return story.ledger.is_news(Report(kind, leg_id, 0, cumulative, **fields), "a", "acc")


def test_a_fill_that_is_booked_and_counted_is_no_news() -> None:
    story = Story()
    assert is_news(story, K.FILL, 4, execution=execution(4))
    story.fill(4)
    assert not is_news(story, K.FILL, 4, execution=execution(4))
    assert is_news(story, K.FILL, 6, execution=execution(4))
    assert is_news(story, K.CORRECTED, 4, execution=execution(3, revision=1))


def test_old_words_about_what_is_over_are_no_news() -> None:
    story = Story()
    assert is_news(story, K.ACCEPTED, sequence=3)
    story.say(K.CANCELED, sequence=5)
    assert not is_news(story, K.ACCEPTED, sequence=3)
    assert is_news(story, K.STATUS, 2, sequence=6)


def test_words_about_strangers_are_news_unless_they_say_that_nobody_knows_them() -> None:
    assert is_news(Story(), K.CANCELED, leg_id="stranger")
    assert not is_news(Story(), K.NOT_FOUND, leg_id="stranger")


# --- quarantine ----------------------------------------------------------------------------------------------------


def test_what_is_quarantined_stands_against_orders_in_that_instrument_at_that_venue_until_resolved() -> None:
    story = Story()
    item = Quarantined(0, "a", BTC.name, BTC.name, "it holds 7 increments, our facts say 0", 7)
    story.tell(item)
    assert story.ledger.is_quarantined("a", BTC.name) == item
    assert story.ledger.is_quarantined("b", BTC.name) is None
    assert story.ledger.is_quarantined("a", ETH.name) is None
    story.tell(Resolved(0, f"a/{BTC.name}", S.CANCELED, "it is mine"))
    assert story.ledger.is_quarantined("a", BTC.name) is None
    assert story.ledger.adopted == {("a", BTC.name): 7}


def test_a_resolved_stranger_adopts_nothing() -> None:
    story = Story()
    story.tell(Quarantined(0, "a", "x", BTC.name, "not ours"), Resolved(0, "a/x", S.CANCELED, "known"))
    assert not story.ledger.adopted
    assert not story.ledger.quarantine


def test_a_leg_is_resolved_as_the_operator_says_and_a_later_fill_is_booked_all_the_same() -> None:
    story = Story()
    story.fill(1, cumulative=5)
    story.tell(Doubted(0, LEG, "silence"), Ended(0, ORDER), Resolved(0, LEG, S.CANCELED, "I called them"))
    assert (story.leg.state, story.leg.reason, story.leg.accounted) == (S.CANCELED, "I called them", True)
    assert (story.order.terminal, story.opens()) == (True, (0, 0))
    assert story.fill(2, "x2").fill is not None
    assert story.ledger.position(BTC.name) == 3


def test_instruments_are_known_once_defined_and_the_process_own_object_takes_their_place() -> None:
    ledger = Ledger()
    ledger.apply(defined())
    (known,) = ledger.known()
    assert known == BTC
    assert known is not BTC
    ledger.define(BTC)
    assert next(iter(ledger.known())) is BTC


# --- a restart knows the same ---------------------------------------------------------------------------------------


LEGS = ["e1-1.1", "e1-1.2", "e1-2.1", "stranger"]
ORDERS = ["e1-1", "e1-2", "e1-9"]
reasons = st.sampled_from(["", "because"])
legs, orders, sides, states = st.sampled_from(LEGS), st.sampled_from(ORDERS), st.sampled_from(Side), st.sampled_from(S)
quantities, venues = st.integers(0, 12), st.sampled_from(["a", "b"])
executions = st.none() | st.builds(
    execution, quantities, st.sampled_from(["x1", "x2", "x3"]), sides, st.integers(9_900, 10_100), st.integers(0, 2)
)
reports = st.builds(
    Report, st.sampled_from(K), legs, st.just(0), quantities, quantities, st.none() | st.just(9_900),
    st.none() | states, executions, reasons, st.just(0), st.integers(0, 6),
)  # fmt: skip
later_facts = st.one_of(
    st.builds(Reported, st.just(0), venues, st.just("acc"), reports),
    st.builds(Reported, st.just(0), venues, st.just("acc"), reports),
    st.builds(CancelSent, st.just(0), legs),
    st.builds(ReplaceSent, st.just(0), legs, quantities, st.just(9_900)),
    st.builds(NotReplaced, st.just(0), legs, reasons),
    st.builds(Doubted, st.just(0), legs, reasons),
    st.builds(NotSent, st.just(0), legs, reasons),
    st.builds(NeverArrived, st.just(0), legs, reasons),
    st.builds(Answered, st.just(0), orders),
    st.builds(Ended, st.just(0), orders, reasons),
    st.builds(Turned, st.just(0), orders, *[reasons] * 4),
    st.builds(
        Resolved, st.just(0), st.sampled_from([*LEGS, "a/x"]), states.filter(lambda state: state.terminal), reasons
    ),
    st.builds(Quarantined, st.just(0), venues, st.just("x"), st.just(BTC.name), reasons, st.integers(-2, 2)),
    st.builds(Halted, st.just(0), reasons),
    st.builds(Resumed, st.just(0), reasons),
)
OPENINGS: list[AnyFact] = [
    Began(0, "e1"), defined(), opened(grant=5), sent(), opened("e1-2", 6, Side.SELL, "z"),
    sent("e1-1.2", quantity=3, side=Side.SELL, venue="b", purpose=Purpose.UNWIND),
    sent("e1-2.1", "e1-2", 6, Side.SELL),
]  # fmt: skip


def live(facts: list[AnyFact]) -> Ledger:
    """As a running process takes them: orders and legs as the objects it has, only what is news."""
    ledger = Ledger()
    for fact in facts:
        match fact:
            case Opened():
                order = Order(
                    fact.order_id, fact.strategy, ledger.instruments[fact.instrument], fact.side, fact.quantity,
                    fact.limit, max_overfill_increments=fact.max_overfill,
                )  # fmt: skip
                ledger.take(order, fact.router, fact.policy)
            case Sent():
                order = ledger.orders[fact.order_id].order
                ticket = Ticket(fact.leg_id, order.instrument, fact.side, fact.quantity, fact.limit)
                ledger.add(Leg(fact.leg_id, order, fact.number, fact.attempt, fact.venue, fact.purpose, ticket))
            case _:
                ledger.apply(fact)
    return ledger


@settings(max_examples=25, deadline=None)
@given(st.lists(later_facts, max_size=25))
def test_a_replay_of_any_facts_comes_to_the_same_state_as_taking_them_live(more: list[AnyFact]) -> None:
    facts = [*OPENINGS, *more]
    assert picture(replayed(facts)) == picture(live(facts))


@settings(max_examples=25, deadline=None)
@given(st.lists(later_facts, max_size=25))
def test_totals_are_the_sums_over_open_orders_and_executions_after_any_facts(more: list[AnyFact]) -> None:
    ledger = replayed([*OPENINGS, *more])
    for place, side in enumerate((Side.BUY, Side.SELL)):
        assert ledger.open(BTC.name, side) == sum(record.opens()[place] for record in ledger.orders.values())
        for strategy in ("s", "z"):
            own = [record for record in ledger.orders.values() if record.order.strategy == strategy]
            assert ledger.open_of(strategy, BTC.name, side) == sum(record.opens()[place] for record in own)
    assert set(ledger.open_orders) == {id for id, record in ledger.orders.items() if not record.terminal}
    out = {id for id, leg in ledger.legs.items() if not leg.accounted}
    assert {id for venue in "ab" for id in ledger.at(venue)} == out


def booked_of(ledger: Ledger) -> Any:
    legs = [leg.booked_increments for leg in ledger.legs.values()]
    return legs, ledger.fills, ledger.position(BTC.name), list(ledger.positions.all())


@settings(max_examples=25, deadline=None)
@given(st.lists(later_facts, max_size=25), st.lists(st.integers(0, 30), max_size=10))
def test_words_that_were_no_news_would_have_booked_nothing(more: list[AnyFact], again: list[int]) -> None:
    facts = [*more, *(more[place] for place in again if place < len(more))]
    ledger = replayed(list(OPENINGS))
    for fact in facts:
        if isinstance(fact, Reported) and not ledger.is_news(fact.report, fact.venue, fact.account):
            before = booked_of(ledger)
            ledger.apply(fact)
            assert booked_of(ledger) == before
        else:
            ledger.apply(fact)
