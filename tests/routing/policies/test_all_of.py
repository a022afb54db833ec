"""All legs are sent; what is uneven is mended as declared, and no further."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.market import Side
from ticktree.routing.errors import BadPolicy, Refused
from ticktree.routing.orders import OrderState, Purpose
from ticktree.routing.policies import AllOf, AnyOf, Hold, Retry, Share, Timeout, Unwind
from ticktree.routing.policies.shares import split

from .model import MS, NOT_READY, Model, an_order, scripted

HEDGED = (Share("a"), Share("b", opposite=True))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AllOf((), 1), "a share or more is on the order's side"),
        (lambda: AllOf((Share("a", opposite=True),), 1), "a share or more is on the order's side"),
        (lambda: AllOf("a", 1), "written in brackets"),
        (lambda: AllOf(("a", Share("a", weight=2)), 1), "names 'a' twice"),
        (lambda: Share("a", weight=0), "weight is a number above 0"),
        (lambda: Share("a", weight="many"), "weight is a number above 0"),
        (lambda: Share(Timeout("a", 1), opposite=True), "names a venue, and no policy"),
        (lambda: AllOf(("a",), 1, "unwind"), "compensation is Hold"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: Unwind(0), "within_s is a number"),
        (lambda: Retry(1, attempts=0), "attempts is a whole number from 1 on"),
        (lambda: AllOf((AnyOf((AllOf(HEDGED, 1),), 1), "c"), 1, Unwind(1)), "no nested policy has opposite shares"),
        (lambda: AllOf((Timeout(AllOf(HEDGED, 1), 1), "c"), 1, Retry(1)), "no nested policy has opposite shares"),
    ],
)
def test_what_cannot_work_is_refused_at_once(make: Any, message: str) -> None:
    with pytest.raises(BadPolicy, match=message):
        make()


@settings(deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 1_000), min_size=1, max_size=8))
def test_shares_sum_to_the_quantity_and_are_within_one_of_their_weight(quantity: int, weights: list[int]) -> None:
    shares = split(quantity, weights)
    assert sum(shares) == quantity
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - Fraction(quantity * weight, sum(weights))) < 1


@pytest.mark.parametrize(
    ("quantity", "weights", "shares"),
    [
        (10, [1, 1, 1], [4, 3, 3]),
        (10, [1, 2, 1], [3, 5, 2]),
        (1, [1, 1, 1], [1, 0, 0]),
        (7, ["0.1", "0.2", 0.7], [1, 1, 5]),
        (100, [1], [100]),
    ],
)
def test_largest_remainders_get_one_more(quantity: int, weights: list[Any], shares: list[int]) -> None:
    assert split(quantity, weights) == shares


@scripted
async def test_every_leg_leaves_before_the_loop_turns_and_the_result_has_each_ones_state(model: Model) -> None:
    model.start(AllOf(("a", Share("b", weight=2), "c"), 1), an_order(20))
    a, b, c = model.legs
    assert [leg.quantity_increments for leg in model.legs] == [5, 10, 5]
    model.fill(a)
    model.fill(b, 4)
    model.end(b, OrderState.EXPIRED)
    model.end(c, OrderState.REJECTED)
    final = await model.final()
    assert [(leg.state, leg.filled_increments) for leg in final.legs] == [
        (OrderState.FILLED, 5), (OrderState.EXPIRED, 4), (OrderState.REJECTED, 0),
    ]  # fmt: skip
    assert final.filled_increments == 9


@scripted
async def test_a_refusal_of_one_does_not_keep_the_others_and_is_told(model: Model) -> None:
    model.refuses["b"] = NOT_READY
    model.fills("a")
    model.fills("c")
    model.start(AllOf(("a", "b", "c"), 1), an_order(9))
    final = await model.final()
    assert (final.filled_increments, final.reason) == (6, "b: not ready: it is down")


@scripted
async def test_when_all_refuse_the_order_is_refused(model: Model) -> None:
    model.refuses = {"a": NOT_READY, "b": NOT_READY}
    model.start(AllOf(("a", "b"), 1))
    with pytest.raises(Refused, match="a: not ready: it is down; b: not ready"):
        await model.final()


@scripted
async def test_who_gets_nothing_of_a_small_order_is_not_asked(model: Model) -> None:
    model.fills("a")
    model.start(AllOf(("a", "b"), 1), an_order(1))
    final = await model.final()
    assert (len(model.legs), final.filled_increments, final.reason) == (1, 1, "nothing of it falls to b")


@scripted
async def test_hold_leaves_what_is_out_at_the_deadline_and_compensates_nothing(model: Model) -> None:
    model.fills("a")
    model.rests("b")
    model.start(AllOf(("a", "b"), 0.25))
    await model.rest(10)
    assert [(at, known.filled_increments, known.unknown_increments) for at, known in model.answers] == [
        (250 * MS, 5, 5)
    ]
    assert not model.canceled
    model.fill(model.legs[1], 2)
    model.end(model.legs[1])
    final = await model.final()
    assert (final.filled_increments, final.late_increments, len(model.legs)) == (7, 2, 2)


@scripted
async def test_opposite_shares_hedge_the_whole_quantity_on_the_other_side(model: Model) -> None:
    order = an_order(10, opposite_limit_increments=9_000, post_only=True, reduce_only=True)
    model.start(AllOf((Share("a"), Share("b", opposite=True), Share("c", weight=4, opposite=True)), 1), order)
    told = [(leg.leg.venue, leg.leg.ticket.side, leg.quantity_increments, leg.limit_increments) for leg in model.legs]
    assert told == [("a", Side.BUY, 10, 10_000), ("b", Side.SELL, 2, 9_000), ("c", Side.SELL, 8, 9_000)]
    assert [leg.leg.purpose for leg in model.legs] == [Purpose.WORK, Purpose.HEDGE, Purpose.HEDGE]
    assert [leg.leg.ticket.post_only for leg in model.legs] == [True, False, False]
    assert [leg.leg.ticket.reduce_only for leg in model.legs] == [True, False, False]
    for leg in model.legs:
        model.fill(leg)
    assert (await model.final()).filled_increments == 10


@scripted
async def test_nested_policies_get_their_share(model: Model) -> None:
    model.fills("a", 2)
    for venue in "bc":
        model.fills(venue)
    model.start(AllOf((AnyOf(("a", "b"), 1), "c"), 1))
    assert (await model.final()).filled_increments == 10
    assert [(leg.leg.venue, leg.quantity_increments) for leg in model.legs] == [("a", 5), ("c", 5), ("b", 3)]


# --- unwind --------------------------------------------------------------------------------------------------------


@scripted
async def test_unwind_brings_every_share_down_to_the_least_filled_one(model: Model) -> None:
    model.fills("a", 8)
    model.fills("b", 3)
    model.fills("c")
    model.start(AllOf(("a", "b", "c"), 1, Unwind(1)), an_order(30, limit=None))
    await model.rest(0.005)
    model.fills("a")
    model.fills("c")
    final = await model.final()
    unwound = [leg for leg in model.legs if leg.leg.purpose is Purpose.UNWIND]
    assert [(leg.leg.venue, leg.leg.ticket.side, leg.booked_increments) for leg in unwound] == [
        ("a", Side.SELL, 5), ("c", Side.SELL, 7),
    ]  # fmt: skip
    assert {(leg.limit_increments, leg.leg.ticket.time_in_force.value) for leg in unwound} == {(None, "ioc")}
    assert (final.filled_increments, final.reason) == (9, "")


@scripted
async def test_what_has_no_whole_increment_at_the_least_ratio_keeps_the_one_above(model: Model) -> None:
    model.fills("a")
    model.fills("b", 5)
    model.start(AllOf(("a", Share("b", weight=2)), 1, Unwind(1)), an_order(30))
    await model.final()
    assert [(leg.leg.venue, leg.quantity_increments) for leg in model.legs] == [("a", 10), ("b", 20), ("a", 7)]


@scripted
async def test_each_leg_of_a_nested_policy_is_unwound_once(model: Model) -> None:
    model.fills("a", 3)
    model.fills("b")
    model.fills("c", 0)
    model.start(AllOf((AnyOf(("a", "b"), 1), "c"), 1, Unwind(1)))
    await model.rest(0.015)
    model.fills("a", 0)  # of the first attempt to take it back
    await model.rest(0.01)
    model.fills("a")
    final = await model.final()
    assert [(leg.leg.venue, leg.quantity_increments) for leg in model.legs[3:]] == [("b", 2), ("a", 3), ("a", 3)]
    assert (final.filled_increments, final.reason) == (0, "")


@scripted
async def test_unwinding_waits_for_what_is_in_doubt(model: Model) -> None:
    model.fills("a")
    model.start(AllOf(("a", "b"), 0.25, Unwind(1)))
    model.doubt(model.legs[1])
    await model.rest(1000)
    assert len(model.legs) == 2
    assert model.canceled == [model.legs[1]]  # at the deadline, so that compensation can begin
    model.fill(model.legs[1], 4)
    model.end(model.legs[1])
    await model.rest(1)
    assert [(leg.leg.venue, leg.quantity_increments) for leg in model.legs[2:]] == [("a", 1)]
    assert (await model.final()).filled_increments == 8


@scripted
async def test_unwinding_is_bounded_in_attempts_and_says_what_is_left(model: Model) -> None:
    model.fills("a")
    model.fills("b", 0)
    model.start(AllOf(("a", "b"), 1, Unwind(100, attempts=2)))
    await model.rest(0.005)
    model.fills("a", 1)  # of what is to be taken back
    final = await model.final()
    assert [leg.quantity_increments for leg in model.legs] == [5, 5, 5, 4]
    assert (final.filled_increments, final.reason) == (3, "a is still beyond the least filled share by 0.0003")


@scripted
async def test_unwinding_is_bounded_in_time(model: Model) -> None:
    model.cancels()
    model.fills("a")
    model.fills("b", 0)
    model.start(AllOf(("a", "b"), 1, Unwind(0.5, attempts=10)))
    await model.rest(0.005)
    model.rests("a")
    final = await model.final()
    assert (len(model.legs), final.filled_increments) == (3, 5)
    assert model.now_ms() == 10 + 500 + 10


@scripted
async def test_a_hedge_is_unwound_on_the_orders_side(model: Model) -> None:
    model.fills("a", 4)
    model.fills("b")
    model.start(AllOf(HEDGED, 1, Unwind(1)))
    final = await model.final()
    last = model.legs[-1]
    assert (last.leg.venue, last.leg.ticket.side, last.booked_increments) == ("b", Side.BUY, 6)
    assert (last.leg.purpose, final.filled_increments) == (Purpose.UNWIND, 4)


@scripted
async def test_nothing_is_unwound_after_a_cancel(model: Model) -> None:
    model.fills("a")
    model.cancels()
    model.start(AllOf(("a", "b"), 1, Unwind(1)))
    await model.rest(0.1)
    model.scope.cancel()
    final = await model.final()
    assert (len(model.legs), final.filled_increments) == (2, 5)
    assert "canceled" in final.reason


@scripted
async def test_even_fills_need_no_unwinding(model: Model) -> None:
    for venue in "ab":
        model.fills(venue, 3)
    model.start(AllOf(("a", "b"), 1, Unwind(1)))
    assert (await model.final()).filled_increments == 6
    assert len(model.legs) == 2


# --- retry ---------------------------------------------------------------------------------------------------------


@scripted
async def test_retry_sends_what_is_lacking_as_the_next_attempt(model: Model) -> None:
    model.fills("a")
    model.fills("b", 2)
    model.start(AllOf(("a", "b"), 1, Retry(1)))
    final = await model.final()
    assert [(leg.leg.number, leg.leg.attempt, leg.quantity_increments) for leg in model.legs] == [
        (1, 1, 5), (2, 1, 5), (2, 2, 3), (2, 3, 1),
    ]  # fmt: skip
    assert (final.filled_increments, final.reason) == (10, "")


@scripted
async def test_retry_waits_for_what_is_in_doubt(model: Model) -> None:
    model.fills("a")
    model.start(AllOf(("a", "b"), 0.25, Retry(1)))
    model.doubt(model.legs[1])
    await model.rest(1000)
    assert len(model.legs) == 2
    model.end(model.legs[1])
    await model.rest()
    assert model.legs[2].quantity_increments == 5
    model.fill(model.legs[2])
    assert (await model.final()).filled_increments == 10


@scripted
async def test_retries_are_bounded_and_what_lacks_is_told(model: Model) -> None:
    model.fills("a")
    model.fills("b", 0)
    model.start(AllOf(("a", "b"), 1, Retry(1, attempts=2)))
    final = await model.final()
    assert (len(model.legs), final.filled_increments, final.reason) == (4, 5, "b lacks 0.0005")


@scripted
async def test_retry_is_bounded_in_time(model: Model) -> None:
    model.cancels()
    model.fills("a")
    model.fills("b", 0)
    model.start(AllOf(("a", "b"), 1, Retry(0.5, attempts=9)))
    await model.rest(0.005)
    model.rests("b")
    await model.final()
    assert (len(model.legs), model.now_ms()) == (3, 520)


@scripted
async def test_who_refused_is_asked_again_after_a_while(model: Model) -> None:
    model.fills("a")
    model.refuses["b"] = NOT_READY
    model.start(AllOf(("a", "b"), 1, Retry(0.6)))
    await model.rest(0.1)
    model.refuses.clear()
    model.fills("b")
    final = await model.final()
    assert (final.filled_increments, [at // MS for at in model.sent_ns]) == (10, [0, 210])
    assert final.reason == "b: not ready: it is down"


@scripted
async def test_a_nested_laggard_is_worked_again_by_its_policy(model: Model) -> None:
    model.fills("a", 1)
    model.fills("b", 1)
    model.fills("c")
    model.start(AllOf((AnyOf(("a", "b"), 1), "c"), 1, Retry(1, attempts=1)))
    final = await model.final()
    assert [(leg.leg.venue, leg.quantity_increments) for leg in model.legs] == [
        ("a", 5), ("c", 5), ("b", 4), ("a", 3), ("b", 2),
    ]  # fmt: skip
    assert (final.filled_increments, final.reason) == (9, "AnyOf lacks 0.0001")


def test_hold_is_what_happens_unless_told() -> None:
    assert AllOf(("a",), 1).compensation == Hold()
