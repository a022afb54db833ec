"""One venue, a deadline: the caller goes on, the order lives on."""

import math
from typing import Any

import pytest

from ticktree.routing.errors import BadPolicy, Refused
from ticktree.routing.orders import OrderState, TimeInForce
from ticktree.routing.policies import AnyOf, Timeout

from .model import MS, NOT_READY, Model, an_order, scripted


@pytest.mark.parametrize("deadline_s", [0, -1, math.nan, math.inf, "1s", True, None])
def test_a_deadline_that_cannot_be_is_refused(deadline_s: Any) -> None:
    with pytest.raises(BadPolicy, match="deadline_s is a number of seconds above 0"):
        Timeout("a", deadline_s)


@pytest.mark.parametrize("child", ["", 5, None, AnyOf])
def test_a_child_that_is_neither_a_name_nor_a_policy_is_refused(child: Any) -> None:
    with pytest.raises(BadPolicy, match="written by its name"):
        Timeout(child, 1)


@scripted
async def test_the_leg_leaves_before_the_loop_turns(model: Model) -> None:
    model.start(Timeout("a", 0.25))
    (leg,) = model.legs
    assert (leg.leg.venue, leg.quantity_increments, leg.limit_increments) == ("a", 10, 10_000)
    assert leg.leg.ticket.time_in_force is TimeInForce.GTC
    model.fill(leg)
    assert (await model.final()).filled_increments == 10


@scripted
async def test_what_comes_before_the_deadline_is_the_answer(model: Model) -> None:
    model.fills("a", 4, after_s=0.24)
    model.start(Timeout("a", 0.25))
    execution = await model.final()
    assert (execution.filled_increments, execution.unknown_increments, execution.state) == (4, 0, OrderState.CANCELED)
    await model.rest(1)
    assert not model.answers


@scripted
async def test_the_caller_goes_on_at_the_deadline_and_nothing_is_canceled(model: Model) -> None:
    model.rests("a")
    model.start(Timeout("a", 0.25))
    model.after(0.1, lambda: model.fill(model.legs[0], 3))
    await model.rest(1)
    ((answered_ns, known),) = model.answers
    assert answered_ns == 250 * MS
    assert (known.filled_increments, known.unknown_increments) == (3, 7)
    assert not model.canceled
    assert not model.scope.done.done()
    model.fill(model.legs[0])
    final = await model.final()
    assert (final.filled_increments, final.late_increments, final.unknown_increments) == (10, 7, 0)


@scripted
async def test_a_leg_in_doubt_keeps_the_order_open(model: Model) -> None:
    model.start(Timeout("a", 0.25))
    model.doubt(model.legs[0])
    await model.rest(100)
    assert (model.answers[0][1].state, model.answers[0][1].unknown_increments) == (OrderState.UNKNOWN, 10)
    assert not model.scope.done.done()
    model.end(model.legs[0], OrderState.REJECTED)
    assert (await model.final()).state is OrderState.REJECTED


@scripted
async def test_a_venue_that_counts_more_than_it_told_keeps_the_order_open(model: Model) -> None:
    model.start(Timeout("a", 0.25))
    model.end(model.legs[0], counted=4)
    await model.rest(100)
    assert not model.scope.done.done()
    model.fill(model.legs[0], 4)
    assert (await model.final()).filled_increments == 4


@scripted
async def test_a_refusal_refuses_the_order(model: Model) -> None:
    model.refuses["a"] = NOT_READY
    model.start(Timeout("a", 0.25))
    with pytest.raises(Refused) as caught:
        await model.final()
    assert caught.value.refusal == NOT_READY
    await model.rest(1)
    assert not model.answers


@scripted
async def test_a_policy_may_stand_in_a_venues_place(model: Model) -> None:
    policy = Timeout(AnyOf(("a", "b"), 5), 0.25)
    assert policy.venues == ("a", "b")
    model.start(policy)
    await model.rest(1)
    assert [at for at, _ in model.answers] == [250 * MS]
    model.fill(model.legs[0], 4)
    model.end(model.legs[0])
    await model.rest()
    assert [leg.quantity_increments for leg in model.legs] == [10, 6]
    model.fill(model.legs[1])
    assert (await model.final()).filled_increments == 10


@scripted
async def test_a_nested_refusal_refuses_the_order(model: Model) -> None:
    model.refuses["a"] = NOT_READY
    model.start(Timeout(Timeout("a", 1), 0.25))
    with pytest.raises(Refused, match="not ready: it is down"):
        await model.final()


@scripted
async def test_an_order_that_has_a_time_in_force_keeps_it(model: Model) -> None:
    model.start(Timeout("a", 1), an_order(time_in_force=TimeInForce.FOK))
    assert model.legs[0].leg.ticket.time_in_force is TimeInForce.FOK
    model.end(model.legs[0])
    await model.final()
