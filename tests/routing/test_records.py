"""What is known of legs and orders, and the worst that they may come to."""

from typing import Any

import pytest

from ticktree.market import Side
from ticktree.routing.errors import Refusal
from ticktree.routing.orders import Leg, Order, OrderState, Purpose, Ticket
from ticktree.routing.records import LegRecord, OrderRecord

from ..market.samples import BTC
from .stories import now

S = OrderState


def an_order(side: Side = Side.BUY, grant: int = 0) -> OrderRecord:
    return OrderRecord(Order("o", "s", BTC, side, 10, 10_000, max_overfill_increments=grant), "r")


def add(
    order: OrderRecord, quantity: int = 10, state: OrderState = S.LIVE, booked: int = 0,
    purpose: Purpose = Purpose.WORK, side: Side = Side.BUY, **more: Any,
) -> LegRecord:  # fmt: skip
    """A leg that its venue counts as we do, unless told otherwise."""
    id = f"o.{len(order.legs) + 1}"
    ticket = Ticket(id, BTC, side, quantity, 10_000)
    leg = Leg(id, order.order, len(order.legs) + 1, 1, "a", purpose, ticket)
    more.setdefault("cumulative_increments", booked)
    order.legs[id] = LegRecord(leg, order, quantity, 10_000, state, booked_increments=booked, **more)
    return order.legs[id]


# --- legs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [state for state in S if not state.terminal])
def test_all_that_is_not_booked_of_a_leg_is_open_while_it_is_not_over(state: OrderState) -> None:
    leg = add(an_order(), state=state, booked=3)
    assert (leg.open_increments, leg.terminal, leg.accounted) == (7, False, False)


@pytest.mark.parametrize("state", [state for state in S if state.terminal])
def test_of_a_leg_that_is_over_only_what_the_venue_counts_beyond_is_open(state: OrderState) -> None:
    assert add(an_order(), state=state, booked=3).open_increments == 0
    assert add(an_order(), state=state, booked=3, cumulative_increments=5).open_increments == 2
    assert add(an_order(), state=state, booked=3, cumulative_increments=1).open_increments == 0


@pytest.mark.parametrize(("pending", "worst"), [((20, None), 20), ((4, None), 10)])
def test_with_a_replace_on_its_way_the_larger_of_both_is_open(pending: tuple[int, None], worst: int) -> None:
    assert add(an_order(), pending=pending).open_increments == worst


def test_never_less_is_open_than_the_venue_counts_beyond_what_is_booked() -> None:
    assert add(an_order(), quantity=10, booked=10, cumulative_increments=13).open_increments == 3
    assert add(an_order(), quantity=10, booked=12).open_increments == 0


@pytest.mark.parametrize(
    ("state", "counted", "contradicted", "accounted"),
    [
        (S.CANCELED, 3, False, True), (S.CANCELED, 4, False, False), (S.CANCELED, 2, False, False),
        (S.CANCELED, 3, True, False), (S.LIVE, 3, False, False), (S.UNKNOWN, 3, False, False),
    ],
)  # fmt: skip
def test_a_leg_is_accounted_for_when_it_is_over_and_both_sides_count_the_same(
    state: OrderState, counted: int, contradicted: bool, accounted: bool
) -> None:
    leg = add(an_order(), state=state, booked=3, cumulative_increments=counted, contradicted=contradicted)
    assert leg.accounted is accounted
    assert leg.agreed is (counted == 3 and not contradicted)


def test_a_legs_result_is_a_value() -> None:
    result = add(an_order(), booked=3, reason="because").result()
    assert (result.state, result.filled_increments, result.open_increments, result.reason) == (S.LIVE, 3, 7, "because")


# --- orders --------------------------------------------------------------------------------------------------------


def test_an_order_is_filled_by_its_own_legs_less_what_was_unwound_of_them() -> None:
    order = an_order()
    add(order, 6, booked=6)
    add(order, 4, booked=2)
    add(order, 5, booked=5, purpose=Purpose.HEDGE, side=Side.SELL)
    add(order, 3, booked=3, purpose=Purpose.UNWIND, side=Side.SELL)
    add(order, 2, booked=2, purpose=Purpose.UNWIND, side=Side.BUY)  # of the hedge
    assert order.filled_increments == 5


def test_all_that_is_granted_is_open_while_the_policy_works_and_what_is_out_after_it() -> None:
    order = an_order(grant=5)
    assert order.open_increments == 15
    add(order, 10, booked=4)
    assert order.open_increments == 11
    order.ended = True
    assert order.open_increments == 6
    assert order.unknown_increments == 6


def test_never_less_is_open_than_what_is_out() -> None:
    order = an_order()
    add(order, 8)
    add(order, 8)
    assert order.open_increments == 16


def test_what_was_refused_with_nothing_sent_opens_nothing() -> None:
    order = an_order()
    order.refusal, order.ended = Refusal("halted"), True
    assert (order.opens(), order.open_increments, order.terminal) == ((0, 0), 0, True)


def test_what_was_refused_after_something_was_sent_opens_what_is_out() -> None:
    order = an_order()
    add(order, 4)
    order.refusal, order.ended = Refusal("halted"), True
    assert (order.opens(), order.terminal) == ((4, 0), False)


@pytest.mark.parametrize("side", Side)
def test_what_is_open_is_told_by_side(side: Side) -> None:
    other = Side.SELL if side is Side.BUY else Side.BUY
    order = an_order(side)
    add(order, 10, side=side)
    add(order, 4, purpose=Purpose.HEDGE, side=other)
    add(order, 3, purpose=Purpose.UNWIND, side=side)
    assert order.opens() == ((13, 4) if side is Side.BUY else (4, 13))


def test_what_is_beyond_the_quantity_is_over_filled() -> None:
    order = an_order()
    add(order, 10, booked=8)
    assert order.overfilled_increments == 0
    add(order, 10, booked=5)
    assert order.overfilled_increments == 3


def test_an_order_is_over_when_its_policy_is_and_every_leg_is_accounted_for() -> None:
    order = an_order()
    leg = add(order, 10, S.CANCELED)
    assert not now(order.terminal)
    order.ended = True
    assert now(order.terminal)
    leg.cumulative_increments = 1
    assert not order.terminal


@pytest.mark.parametrize(
    ("legs", "state"),
    [
        ([], S.NEW),
        ([(S.LIVE, 0)], S.LIVE),
        ([(S.UNKNOWN, 0), (S.LIVE, 0)], S.UNKNOWN),
        ([(S.CANCELED, 0), (S.SENT, 0)], S.SENT),
        ([(S.LIVE, 0), (S.CANCEL_SENT, 0)], S.CANCEL_SENT),
        ([(S.CANCELED, 4), (S.FILLED, 6)], S.FILLED),
        ([(S.CANCELED, 4), (S.FILLED, 5)], S.CANCELED),
        ([(S.FILLED, 4), (S.EXPIRED, 0)], S.EXPIRED),
        ([(S.REJECTED, 0)], S.REJECTED),
    ],
)
def test_an_order_is_as_uncertain_as_its_least_certain_leg(
    legs: list[tuple[OrderState, int]], state: OrderState
) -> None:
    order = an_order()
    for leg_state, booked in legs:
        add(order, 10, leg_state, booked)
    assert order.state is state


def test_an_order_that_ended_with_nothing_sent_is_rejected() -> None:
    order = an_order()
    order.ended = True
    assert order.state is S.REJECTED


def test_an_execution_tells_what_is_known_now_and_the_most_telling_reason() -> None:
    order = an_order()
    add(order, 10, S.CANCELED, 4, reason="by the venue")
    add(order, 6, S.LIVE, 1)
    order.late_increments = 2
    known = order.execution()
    assert (known.filled_increments, known.unknown_increments, known.late_increments) == (5, 5, 2)
    assert [leg.filled_increments for leg in known.legs] == [4, 1]
    assert known.reason == "by the venue"
    order.refusal = Refusal("risk", because="too much")
    assert order.execution().reason == "risk: too much"
    order.reason = "the deadline passed"
    assert order.execution().reason == "the deadline passed"
    assert order.execution("so they say").reason == "so they say"
