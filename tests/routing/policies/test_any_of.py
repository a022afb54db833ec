"""The first fill wins: one after the other, or racing."""

from typing import Any

import pytest

from ticktree.routing.errors import BadPolicy, Refusal, Refused
from ticktree.routing.orders import OrderState, TimeInForce
from ticktree.routing.policies import AnyOf, BestOf, Timeout

from .model import MS, NOT_READY, Model, an_order, scripted


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AnyOf((), 1), "names one venue or more"),
        (lambda: AnyOf("binance", 1), "written in brackets"),
        (lambda: AnyOf(("a", "a"), 1), "names 'a' twice"),
        (lambda: AnyOf(("a", 5), 1), "written by its name"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: AnyOf(("a",), 0), "deadline_s is a number"),
        (lambda: AnyOf(("a",), 1, each_s=-1), "each_s is a number"),
        (lambda: AnyOf(("a",), 1, each_s=0.1, racing=True), "racing has the deadline alone"),
    ],
)
def test_what_cannot_work_is_refused_at_once(make: Any, message: str) -> None:
    with pytest.raises(BadPolicy, match=message):
        make()


@scripted
async def test_the_first_leg_leaves_before_the_loop_turns(model: Model) -> None:
    model.start(AnyOf(("a", "b"), 1))
    assert [leg.leg.venue for leg in model.legs] == ["a"]
    model.fill(model.legs[0])
    await model.final()
    assert len(model.legs) == 1


@scripted
async def test_a_partial_fill_passes_the_remainder_on(model: Model) -> None:
    model.fills("a", 3)
    model.fills("b", 0)
    model.fills("c", 5)
    model.fills("d")
    model.start(AnyOf(("a", "b", "c", "d"), 1))
    assert (await model.final()).filled_increments == 10
    assert [leg.quantity_increments for leg in model.legs] == [10, 7, 7, 2]
    assert {leg.leg.ticket.time_in_force for leg in model.legs} == {TimeInForce.IOC}


@scripted
async def test_it_ends_when_the_children_are_exhausted(model: Model) -> None:
    model.fills("a", 3)
    model.fills("b", 2)
    model.start(AnyOf(("a", "b"), 1))
    assert (await model.final()).filled_increments == 5
    assert not model.answers


@scripted
async def test_a_leg_in_doubt_blocks_the_next(model: Model) -> None:
    model.start(AnyOf(("a", "b"), 1000))
    model.doubt(model.legs[0])
    await model.rest(500)
    assert len(model.legs) == 1
    model.fill(model.legs[0], 4)
    model.end(model.legs[0])
    await model.rest()
    assert [leg.quantity_increments for leg in model.legs] == [10, 6]
    model.end(model.legs[1])
    await model.final()


@scripted
async def test_fills_that_are_counted_but_not_told_block_the_next(model: Model) -> None:
    model.start(AnyOf(("a", "b"), 1000))
    model.end(model.legs[0], counted=10)
    await model.rest(500)
    assert len(model.legs) == 1
    model.fill(model.legs[0], 10)
    assert (await model.final()).filled_increments == 10
    assert len(model.legs) == 1


@scripted
async def test_at_the_deadline_the_caller_goes_on_and_nothing_more_is_sent(model: Model) -> None:
    model.rests("a")
    model.start(AnyOf(("a", "b"), 0.25))
    model.after(0.1, lambda: model.fill(model.legs[0], 2))
    await model.rest(0.3)
    ((at_ns, known),) = model.answers
    assert at_ns == 250 * MS
    assert (known.filled_increments, known.unknown_increments) == (2, 8)
    assert model.canceled == model.legs
    await model.rest(10)
    assert not model.scope.done.done()
    model.fill(model.legs[0], 3)
    model.end(model.legs[0])
    final = await model.final()
    assert (final.filled_increments, final.late_increments) == (5, 3)
    assert final.reason == "the deadline passed"
    assert len(model.legs) == 1


@scripted
async def test_each_s_cancels_and_waits_for_the_evidence_before_the_next(model: Model) -> None:
    model.start(AnyOf(("a", "b"), 10, each_s=0.1), an_order(time_in_force=TimeInForce.GTC))
    await model.rest(1)
    assert model.canceled == model.legs
    assert len(model.legs) == 1
    model.fill(model.legs[0], 6)  # it crossed the cancel
    model.end(model.legs[0])
    await model.rest()
    assert [leg.quantity_increments for leg in model.legs] == [10, 4]
    model.fill(model.legs[1])
    assert (await model.final()).filled_increments == 10


@scripted
async def test_a_nested_deadline_moves_on_likewise(model: Model) -> None:
    model.cancels()
    model.start(AnyOf((Timeout("a", 0.05), Timeout("b", 0.05), "c"), 10))
    await model.rest(0.2)
    assert [(leg.leg.venue, at // MS) for leg, at in zip(model.legs, model.sent_ns, strict=True)] == [
        ("a", 0), ("b", 60), ("c", 120),
    ]  # fmt: skip
    assert [leg.leg.ticket.time_in_force.value for leg in model.legs] == ["gtc", "gtc", "ioc"]
    model.fill(model.legs[2])
    assert (await model.final()).filled_increments == 10


@scripted
async def test_a_child_that_refuses_is_passed_over_and_its_reason_kept(model: Model) -> None:
    model.refuses["a"] = NOT_READY
    model.fills("b")
    model.start(AnyOf(("a", BestOf(("c", "d"), max_price_age_s=1, deadline_s=0.1), "b"), 1))
    final = await model.final()
    assert final.filled_increments == 10
    assert "a: not ready: it is down" in final.reason
    assert "BestOf: max_price_age" in final.reason


@scripted
async def test_when_all_refuse_the_order_is_refused_with_all_reasons(model: Model) -> None:
    model.refuses = {"a": NOT_READY, "b": Refusal("position", "5", "10")}
    model.start(AnyOf(("a", "b"), 1))
    with pytest.raises(Refused, match=r"a: not ready: it is down; b: position: 10, where 5 is allowed"):
        await model.final()


@scripted
async def test_a_late_fill_beyond_the_order_is_told_and_nothing_more_is_sent(model: Model) -> None:
    model.start(AnyOf(("a", "b", "c"), 1))
    model.end(model.legs[0])
    await model.rest()
    model.fill(model.legs[0], 4)  # after its end: the venue's fault, but a fact
    model.end(model.legs[1])
    await model.rest()
    assert [leg.quantity_increments for leg in model.legs] == [10, 10, 6]
    model.fill(model.legs[2])
    assert (await model.final()).filled_increments == 10


@scripted
async def test_after_a_cancel_nothing_more_is_sent(model: Model) -> None:
    model.start(AnyOf(("a", "b", "c"), 1))
    model.scope.cancel()
    assert model.canceled == model.legs
    model.fill(model.legs[0], 1)
    model.end(model.legs[0])
    final = await model.final()
    assert (final.filled_increments, len(model.legs), final.reason) == (1, 1, "b: canceled")


@scripted
async def test_an_order_that_is_to_rest_is_not_made_ioc(model: Model) -> None:
    model.start(AnyOf(("a", "b"), 1), an_order(post_only=True))
    assert model.legs[0].leg.ticket.time_in_force is TimeInForce.GTC
    assert model.legs[0].leg.ticket.post_only
    model.fill(model.legs[0])
    await model.final()


# --- racing --------------------------------------------------------------------------------------------------------


@scripted
async def test_a_race_needs_the_grant_of_all_but_one(model: Model) -> None:
    model.start(AnyOf(("a", "b", "c"), 1, racing=True), an_order(grant=19))
    with pytest.raises(Refused, match=r"max_overfill: 0\.002, where 0\.0019 is allowed") as caught:
        await model.final()
    assert caught.value.refusal.limit == "max_overfill"
    assert not model.legs


@scripted
async def test_at_the_first_fill_the_others_are_canceled(model: Model) -> None:
    model.start(AnyOf(("a", "b", "c"), 1, racing=True), an_order(grant=20))
    assert [leg.quantity_increments for leg in model.legs] == [10, 10, 10]
    a, b, c = model.legs
    model.live(a)
    model.live(b)
    await model.rest()
    assert not model.canceled  # an acknowledgement wins nothing
    model.fill(b, 4)
    await model.rest()
    assert model.canceled == [a, c]
    model.fill(b)
    model.end(a)
    await model.rest()
    assert not model.scope.done.done()
    model.fill(c, 10)  # it crossed the cancel
    final = await model.final()
    assert (final.filled_increments, final.unknown_increments) == (20, 0)


@scripted
async def test_a_race_without_fill_ends_at_the_deadline(model: Model) -> None:
    model.cancels()
    model.start(AnyOf(("a", "b"), 0.25, racing=True), an_order(grant=10))
    final = await model.final()
    assert [at for at, _ in model.answers] == [250 * MS]
    assert model.answers[0][1].unknown_increments == 20
    assert (final.filled_increments, final.state) == (0, OrderState.CANCELED)


@scripted
async def test_a_race_goes_on_without_who_refuses(model: Model) -> None:
    model.refuses["a"] = NOT_READY
    model.start(AnyOf(("a", Timeout("b", 0.1)), 1, racing=True), an_order(grant=10))
    model.fill(model.legs[0])
    final = await model.final()
    assert (final.filled_increments, final.reason) == (10, "a: not ready: it is down")


@scripted
async def test_a_race_that_all_refuse_is_refused(model: Model) -> None:
    model.refuses = {"a": NOT_READY, "b": NOT_READY}
    model.start(AnyOf(("a", "b"), 1, racing=True), an_order(grant=10))
    with pytest.raises(Refused, match="not ready"):
        await model.final()


@scripted
async def test_the_winner_of_a_race_is_canceled_at_the_deadline(model: Model) -> None:
    model.cancels()
    model.start(AnyOf(("a", "b"), 0.25, racing=True), an_order(grant=10))
    model.fill(model.legs[0], 1)
    final = await model.final()
    assert {leg.leg.venue for leg in model.canceled} == {"a", "b"}
    assert final.filled_increments == 1
    assert model.now_ms() == 260
