"""What a venue's word means for a leg, whatever its order and however often it comes."""

from typing import Any

import pytest

from ticktree.market import Side
from ticktree.routing.facts import CancelSent, Doubted, NotReplaced, ReplaceSent
from ticktree.routing.orders import OrderState, Purpose
from ticktree.routing.reports import ReportKind

from .stories import LEG, Story, now, opened, sent

S, K = OrderState, ReportKind
ENDS = [(K.CANCELED, S.CANCELED), (K.EXPIRED, S.EXPIRED), (K.REJECTED, S.REJECTED)]


# --- states --------------------------------------------------------------------------------------------------------


def test_a_leg_is_sent_then_live_then_filled() -> None:
    story = Story()
    assert now(story.leg.state) is S.SENT
    assert story.say(K.ACCEPTED).turned
    assert now(story.leg.state) is S.LIVE
    story.fill(4)
    assert now(story.leg.state) is S.LIVE
    story.fill(6, "x2")
    assert story.leg.state is S.FILLED
    assert story.leg.accounted


@pytest.mark.parametrize(("kind", "state"), ENDS)
def test_the_venues_word_ends_a_leg(kind: ReportKind, state: OrderState) -> None:
    story = Story()
    news = story.say(kind, reason="no margin")
    assert (news.turned, news.state, story.leg.state, story.leg.reason) == (True, state, state, "no margin")


@pytest.mark.parametrize(("_", "end"), ENDS)
@pytest.mark.parametrize("later", [K.ACCEPTED, K.CANCELED, K.EXPIRED, K.REJECTED, K.REPLACED, K.CANCEL_REJECTED])
def test_a_terminal_state_stays(_: ReportKind, end: OrderState, later: ReportKind) -> None:
    story = Story()
    story.status(end)
    story.say(later)
    assert story.leg.state is end


def test_a_state_said_in_a_query_ends_a_leg_too_but_none_revives_it() -> None:
    story = Story()
    story.status(S.EXPIRED)
    assert story.leg.state is S.EXPIRED
    story.status(S.LIVE)
    assert story.leg.state is S.EXPIRED


@pytest.mark.parametrize(
    ("kind", "fields", "certain"),
    [
        (K.ACCEPTED, {}, S.LIVE), (K.STATUS, {"state": S.LIVE}, S.LIVE), (K.STATUS, {"state": S.CANCELED}, S.CANCELED),
        (K.FILL, {"cumulative": 3}, S.LIVE), (K.FILL, {"cumulative": 10}, S.FILLED), (K.CANCELED, {}, S.CANCELED),
        (K.EXPIRED, {}, S.EXPIRED), (K.REJECTED, {}, S.REJECTED),
    ],
)  # fmt: skip
def test_only_a_word_leads_from_unknown_back_to_certainty(
    kind: ReportKind, fields: dict[str, Any], certain: OrderState
) -> None:
    story = Story()
    story.tell(Doubted(0, LEG, "silence"))
    assert (story.leg.state, story.leg.reason) == (S.UNKNOWN, "silence")
    assert story.say(kind, **fields).turned
    assert story.leg.state is certain


@pytest.mark.parametrize("kind", [K.NOT_FOUND, K.REPLACE_REJECTED, K.CANCEL_REJECTED])
def test_words_that_say_nothing_about_the_order_itself_leave_it_unknown(kind: ReportKind) -> None:
    story = Story()
    story.tell(Doubted(0, LEG, "silence"))
    story.say(kind)
    assert story.leg.state is S.UNKNOWN


def test_a_rejected_cancel_makes_it_unknown() -> None:
    story = Story()
    story.say(K.ACCEPTED)
    story.tell(CancelSent(0, LEG))
    assert now(story.leg.state) is S.CANCEL_SENT
    story.say(K.CANCEL_REJECTED, reason="too late")
    assert story.leg.state is S.UNKNOWN


@pytest.mark.parametrize("kind", [K.ACCEPTED, K.FILL, K.STATUS])
def test_a_leg_that_is_being_canceled_stays_so_until_its_end(kind: ReportKind) -> None:
    story = Story()
    story.tell(CancelSent(0, LEG), Doubted(0, LEG, "silence"))
    story.say(kind, state=S.LIVE)
    assert story.leg.state is S.CANCEL_SENT


# --- what is counted -----------------------------------------------------------------------------------------------


def test_what_a_venue_counts_without_telling_is_open_and_not_accounted_for() -> None:
    story = Story()
    story.say(K.CANCELED, 4)
    assert (story.leg.cumulative_increments, story.leg.booked_increments) == (4, 0)
    assert story.leg.terminal
    assert not story.leg.accounted
    assert story.leg.open_increments == 4
    story.fill(4, cumulative=4)
    assert story.leg.accounted


def test_an_older_word_does_not_take_the_count_back() -> None:
    story = Story()
    story.say(K.STATUS, 7, state=S.LIVE, sequence=5)
    news = story.say(K.ACCEPTED, 0, sequence=1)
    assert (story.leg.cumulative_increments, news.wrong, story.leg.contradicted) == (7, "", False)


def test_a_later_count_that_falls_without_a_bust_is_a_contradiction_until_a_query_is_answered() -> None:
    story = Story()
    story.fill(7, sequence=5)
    news = story.say(K.EXPIRED, 6, sequence=6)
    assert news.wrong == "it counts 6 increments filled, after 7"
    assert (story.leg.cumulative_increments, story.leg.contradicted, story.leg.accounted) == (7, True, False)
    story.status(S.EXPIRED, 7, sequence=7)
    assert story.leg.accounted


def test_without_numbers_the_words_come_in_order_so_a_falling_count_is_a_contradiction() -> None:
    story = Story()
    story.fill(7)
    assert story.say(K.ACCEPTED, 0).wrong
    assert story.leg.contradicted


def test_the_answer_to_a_query_may_count_less() -> None:
    story = Story()
    story.fill(7, sequence=1)
    news = story.status(S.LIVE, 5, sequence=2)
    assert (news.wrong, story.leg.cumulative_increments, story.leg.agreed) == ("", 5, False)


def test_after_a_bust_the_count_may_fall() -> None:
    story = Story()
    story.fill(7, sequence=1)
    assert not story.correct(3, 3, sequence=2).wrong
    assert (story.leg.cumulative_increments, story.leg.booked_increments) == (3, 3)
    assert not story.say(K.CANCELED, 3, sequence=3).wrong
    assert story.leg.accounted


def test_after_a_bust_an_older_word_counts_no_more() -> None:
    story = Story()
    story.fill(7, sequence=1)
    story.correct(0, 0, sequence=3)
    story.say(K.CANCELED, 7, sequence=2)
    assert (story.leg.cumulative_increments, story.leg.booked_increments) == (0, 0)
    assert story.leg.accounted


def test_an_older_word_does_not_call_filled_what_was_busted_since() -> None:
    story = Story()
    story.fill(6, sequence=1)
    story.correct(0, 0, sequence=4)
    story.fill(4, "x2", cumulative=10, sequence=2)
    assert story.leg.state is S.LIVE


def test_an_older_word_does_not_call_filled_what_a_later_one_counted_less_of() -> None:
    story = Story()
    story.fill(4, sequence=1)
    story.status(S.LIVE, 4, sequence=5)  # a bust was lost on its way
    story.fill(6, "x2", cumulative=10, sequence=2)
    assert not story.leg.terminal


@pytest.mark.parametrize("kind", [K.CANCEL_REJECTED, K.REPLACE_REJECTED, K.NOT_FOUND])
def test_refusals_count_nothing(kind: ReportKind) -> None:
    story = Story()
    story.fill(7)
    assert not story.say(kind, 0).wrong
    assert story.leg.cumulative_increments == 7


def test_an_older_answer_does_not_say_that_it_is_live_again() -> None:
    story = Story()
    story.say(K.ACCEPTED, sequence=5)
    story.tell(Doubted(0, LEG, "silence"))
    story.status(S.LIVE, sequence=4)
    assert now(story.leg.state) is S.UNKNOWN
    story.status(S.LIVE, sequence=6)
    assert story.leg.state is S.LIVE


# --- replaces ------------------------------------------------------------------------------------------------------


def replacing(quantity: int = 20, sequence: int = 0) -> Story:
    story = Story()
    story.say(K.ACCEPTED, sequence=sequence)
    story.tell(ReplaceSent(0, LEG, quantity, 9_900))
    return story


def replaced(story: Story, quantity: int = 20, sequence: int = 0, cumulative: int = 0) -> None:
    story.say(K.REPLACED, cumulative, quantity_increments=quantity, limit_increments=9_900, sequence=sequence)


@pytest.mark.parametrize("quantity", [5, 20])
def test_while_a_replace_is_out_the_larger_of_both_is_open(quantity: int) -> None:
    story = replacing(quantity)
    assert story.leg.state is S.REPLACE_SENT
    assert story.leg.open_increments == max(10, quantity)
    assert story.opens() == (max(10, quantity), 0)


@pytest.mark.parametrize("quantity", [5, 20])
def test_a_replace_that_is_confirmed_changes_the_leg_and_its_order(quantity: int) -> None:
    story = replacing(quantity)
    replaced(story, quantity)
    assert (story.leg.state, story.leg.quantity_increments, story.leg.limit_increments) == (S.LIVE, quantity, 9_900)
    assert (story.order.order.quantity_increments, story.order.order.limit_increments) == (quantity, 9_900)
    assert story.opens() == (quantity, 0)


def test_an_order_of_several_legs_keeps_its_quantity_when_one_is_replaced() -> None:
    story = replacing(5)
    story.tell(sent("e1-1.2", quantity=1))
    replaced(story, 5)
    assert story.order.order.quantity_increments == 10


@pytest.mark.parametrize("word", ["rejected", "lost"])
def test_a_replace_that_is_refused_or_lost_leaves_the_leg_as_it_was(word: str) -> None:
    story = replacing()
    if word == "rejected":
        story.say(K.REPLACE_REJECTED)
    else:
        story.tell(NotReplaced(0, LEG, "lost"))
    assert (story.leg.state, story.leg.pending, story.leg.quantity_increments) == (S.LIVE, None, 10)
    assert story.opens() == (10, 0)


def test_a_status_with_the_new_terms_confirms_a_replace() -> None:
    story = replacing()
    story.status(S.LIVE, quantity_increments=20, limit_increments=9_900)
    assert (story.leg.state, story.leg.quantity_increments, story.leg.pending) == (S.LIVE, 20, None)


def test_a_status_with_the_old_terms_leaves_a_replace_open() -> None:
    story = replacing()
    story.tell(Doubted(0, LEG, "silence"))
    story.status(S.LIVE, quantity_increments=10, limit_increments=10_000)
    assert (story.leg.state, story.leg.pending) == (S.REPLACE_SENT, (20, 9_900))


def test_an_order_that_ends_takes_its_replace_along() -> None:
    story = replacing()
    story.status(S.CANCELED)
    assert (story.leg.state, story.leg.pending, story.leg.open_increments) == (S.CANCELED, None, 0)


def test_an_order_is_not_full_while_a_replace_may_make_it_larger() -> None:
    story = replacing()
    story.fill(10)
    assert now(story.leg.state) is S.REPLACE_SENT
    replaced(story, cumulative=10)
    assert story.leg.state is S.LIVE


@pytest.mark.parametrize("sequence", [0, 7])
@pytest.mark.parametrize("word", ["rejected", "lost"])
def test_an_order_that_seems_full_when_its_replace_fails_is_not_called_live(word: str, sequence: int) -> None:
    story = replacing()
    story.fill(10, sequence=sequence)
    if word == "rejected":
        story.say(K.REPLACE_REJECTED, sequence=sequence and sequence + 1)
    else:
        story.tell(NotReplaced(0, LEG, "lost"))
    assert story.leg.state in {S.UNKNOWN, S.FILLED}
    story.status(S.FILLED, 10, sequence=sequence and sequence + 2)
    assert story.leg.state is S.FILLED


def test_a_replace_to_what_is_filled_already_fills_the_order() -> None:
    story = replacing(5)
    story.fill(5)
    replaced(story, 5, cumulative=5)
    assert story.leg.state is S.FILLED


def test_a_canceled_order_whose_replace_is_confirmed_is_still_being_canceled() -> None:
    story = replacing()
    story.tell(CancelSent(0, LEG))
    replaced(story)
    assert story.leg.state is S.CANCEL_SENT


@pytest.mark.parametrize("former", [K.REPLACED, K.REPLACE_REJECTED])
def test_a_repeated_word_about_a_former_replace_does_not_settle_the_next(former: ReportKind) -> None:
    story = replacing(20, sequence=1)
    terms: dict[str, Any] = {"quantity_increments": 20, "limit_increments": 9_900} if former is K.REPLACED else {}
    story.say(former, sequence=2, **terms)
    story.tell(ReplaceSent(0, LEG, 40, 9_800))
    story.say(former, sequence=2, **terms)
    assert now(story.leg.pending) == (40, 9_800)
    assert story.opens() == (40, 0)
    story.say(K.REPLACED, sequence=3, quantity_increments=40, limit_increments=9_800)
    assert (story.leg.pending, story.leg.quantity_increments) == (None, 40)


def test_a_delayed_word_about_a_former_replace_does_not_settle_the_next() -> None:
    story = replacing(20, sequence=1)
    story.status(S.LIVE, quantity_increments=20, limit_increments=9_900, sequence=3)
    story.tell(ReplaceSent(0, LEG, 40, 9_800))
    replaced(story, sequence=2)
    assert story.leg.pending == (40, 9_800)
    assert story.opens() == (40, 0)


# --- which side ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", [Purpose.HEDGE, Purpose.UNWIND])
def test_a_leg_on_the_other_side_counts_there(purpose: Purpose) -> None:
    story = Story(begun=False)
    story.tell(opened(), sent(), sent("e1-1.2", quantity=4, side=Side.SELL, venue="b", purpose=purpose))
    assert story.opens() == (10, 4)
    story.fill(1, "h1", leg_id="e1-1.2", side=Side.SELL, venue="b")
    assert story.opens() == (10, 3)
