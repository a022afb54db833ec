"""What a policy may send, who hears of it, and when an order is over."""

import asyncio
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from ticktree.market import Side
from ticktree.routing.errors import BadPolicy, Refusal, Refused, UnknownVenue
from ticktree.routing.legs import LegRequest
from ticktree.routing.orders import Execution, Order, OrderState, Purpose, TimeInForce
from ticktree.routing.policies import Legs, Part, Policy, Timeout

from .policies.model import MS, NOT_READY, Model, Works, an_order, scripted


async def settled(legs: Legs) -> Execution:
    await legs.accounted()
    return legs.execution()


def refusal_of(what: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        what()
    return str(caught.value)


# --- over-fill -----------------------------------------------------------------------------------------------------


@scripted
async def test_no_more_is_sent_than_ordered_and_granted(model: Model) -> None:
    said = list[str]()

    async def greedy(order: Order, legs: Legs) -> Execution:
        legs.send("a", 6)
        legs.send("b", 5)
        said.append(refusal_of(lambda: legs.send("c", 2)))
        legs.send("c", 1)
        return await settled(legs)

    model.start(Works(greedy), an_order(10, grant=2))
    await model.rest()
    assert said == ["quantity and max_overfill: 0.0013, where 0.0012 is allowed: filled, what is out, and this leg"]
    for leg in model.legs:
        model.end(leg)
    await model.final()


@scripted
async def test_what_is_unknown_or_counted_but_not_told_is_still_out(model: Model) -> None:
    async def careful(order: Order, legs: Legs) -> Execution:
        first = legs.send("a", 10)
        await legs.changed()
        assert first.state == "unknown"
        assert legs.remaining_increments == 0
        refusal_of(lambda: legs.send("b", 1))
        await legs.changed()
        assert first.terminal
        assert legs.remaining_increments == 6
        refusal_of(lambda: legs.send("b", 7))
        legs.send("b", 6)
        return await settled(legs)

    model.start(Works(careful))
    await model.rest()
    model.doubt(model.legs[0])
    await model.rest()
    model.end(model.legs[0], counted=4)
    await model.rest()
    model.fill(model.legs[0], 4)
    model.fill(model.legs[1])
    assert (await model.final()).filled_increments == 10


@scripted
async def test_a_part_cannot_send_beyond_its_own_quantity_nor_beyond_the_whole(model: Model) -> None:
    async def part(order: Order, legs: Legs) -> Execution:
        assert order.quantity_increments == legs.order.quantity_increments == legs.remaining_increments == 4
        refusal_of(lambda: legs.send("a", 5))
        legs.send("a", 2)
        return await settled(legs)

    async def whole(order: Order, legs: Legs) -> Execution:
        parts = [legs.begin(Works(part), 4) for _ in range(2)]
        await legs.sleep(0.1)
        assert legs.remaining_increments == 6
        legs.send("b", 6)
        refusal_of(lambda: legs.send("b", 1))
        for one in parts:
            assert (await one.ended()).filled_increments == 2
        return await settled(legs)

    for venue in "ab":
        model.fills(venue, after_s=1)
    model.start(Works(whole))
    assert (await model.final()).filled_increments == 10


@scripted
async def test_hedges_come_to_the_quantity_at_most(model: Model) -> None:
    async def hedge(order: Order, legs: Legs) -> Execution:
        legs.send("a", 10)
        legs.send("b", 6, purpose=Purpose.HEDGE)
        said = refusal_of(lambda: legs.send("c", 5, purpose=Purpose.HEDGE))
        assert said.startswith("quantity of hedges: 0.0011, where 0.001 is allowed")
        legs.send("c", 4, 8_000, TimeInForce.IOC, Purpose.HEDGE)
        return await settled(legs)

    for venue in "abc":
        model.fills(venue)
    model.start(Works(hedge), an_order(grant=5, side=Side.SELL, opposite_limit_increments=9_000))
    await model.final()
    assert [(leg.leg.ticket.side, leg.limit_increments) for leg in model.legs] == [
        (Side.SELL, 10_000), (Side.BUY, 9_000), (Side.BUY, 8_000),
    ]  # fmt: skip


@scripted
async def test_no_more_is_taken_back_than_a_leg_was_filled_for(model: Model) -> None:
    async def work(order: Order, legs: Legs) -> Execution:
        leg = legs.send("a", 10)
        await legs.accounted()
        said = refusal_of(lambda: legs.unwind(leg, 7))
        assert said.startswith("unwinding: 0.0007, where 0.0006 is allowed: what leg o-1.1.1 was filled for")
        back = legs.unwind(leg, 4)
        refusal_of(lambda: legs.unwind(leg, 3))
        await legs.accounted()
        again = legs.retry(back, 2)  # it was filled for 1 of 4
        refusal_of(lambda: legs.unwind(leg, 4))
        with pytest.raises(BadPolicy, match="itself an unwinding"):
            legs.unwind(back, 1)
        await legs.accounted()
        assert (again.leg.number, again.leg.attempt) == (back.leg.number, 2)
        return legs.execution()

    model.fills("a", 6)
    model.start(Works(work))
    await model.rest(0.005)
    model.fills("a", 1)
    final = await model.final()
    assert (final.filled_increments, [leg.booked_increments for leg in model.legs]) == (4, [6, 1, 1])
    with pytest.raises(BadPolicy, match=r"legs\.unwind"):
        model.scope._root.send("a", 1, purpose=Purpose.UNWIND)  # pyright: ignore[reportPrivateUsage]  # only it says UNWIND so


@scripted
async def test_the_next_attempt_needs_evidence_of_the_former(model: Model) -> None:
    async def work(order: Order, legs: Legs) -> Execution:
        leg = legs.send("a", 6, 9_000, TimeInForce.FOK)
        assert "attempt 1 of leg 1 is not accounted for: sent" in refusal_of(lambda: legs.retry(leg, 6))
        await legs.accounted(leg)
        second = legs.retry(leg, 5)
        assert "attempt 2 of leg 1" in refusal_of(lambda: legs.retry(leg, 1))
        await legs.accounted()
        ticket = second.leg.ticket
        assert (ticket.limit_increments, ticket.time_in_force, second.leg.attempt) == (9_000, TimeInForce.FOK, 2)
        assert legs.retry(second, 1).leg.attempt == 3
        return await settled(legs)

    model.fills("a", 1)
    model.start(Works(work))
    assert (await model.final()).filled_increments == 3


@scripted
async def test_the_number_of_a_leg_that_was_refused_is_not_given_again(model: Model) -> None:
    async def work(order: Order, legs: Legs) -> Execution:
        refusal_of(lambda: legs.send("b", 1))
        legs.send("a", 1)
        return await settled(legs)

    model.refuses["b"] = NOT_READY
    model.fills("a")
    model.start(Works(work))
    await model.final()
    assert model.legs[0].leg.number == 2


@scripted
async def test_the_attempt_that_was_refused_is_not_given_again(model: Model) -> None:
    async def work(order: Order, legs: Legs) -> Execution:
        leg = legs.send("a", 1)
        await legs.accounted()
        model.refuses["a"] = NOT_READY
        refusal_of(lambda: legs.retry(leg, 1))
        model.refuses.clear()
        assert legs.retry(leg, 1).leg.attempt == 3
        return await settled(legs)

    model.fills("a")
    model.start(Works(work))
    assert (await model.final()).filled_increments == 2


def test_what_an_order_says_beyond_price_and_time_holds_for_its_own_legs_alone() -> None:
    order = an_order(time_in_force=TimeInForce.GTD, expires_ns=5, post_only=True, reduce_only=True)
    own = LegRequest("a", Purpose.WORK, Side.BUY, 3, 7, TimeInForce.GTD, 1, 1).ticket("x", order)
    assert (own.client_id, own.quantity_increments, own.expires_ns, own.post_only, own.reduce_only) == (
        "x", 3, 5, True, True,
    )  # fmt: skip
    back = LegRequest("a", Purpose.UNWIND, Side.SELL, 3, None, TimeInForce.IOC, 2, 1).ticket("y", order)
    assert (back.side, back.expires_ns, back.post_only, back.reduce_only) == (Side.SELL, 0, False, False)


# --- the end -------------------------------------------------------------------------------------------------------


@scripted
async def test_a_policy_that_returns_early_ends_when_all_is_accounted_for(model: Model) -> None:
    async def hasty(order: Order, legs: Legs) -> Execution:
        legs.send("a", 4)
        legs.begin(Timeout("b", 1), 4)
        return legs.execution("that was all")

    model.start(Works(hasty))
    await model.rest(100)
    model.fill(model.legs[0])
    await model.rest(1)
    assert not model.scope.done.done()
    model.end(model.legs[1])
    final = await model.final()
    assert (final.filled_increments, final.reason) == (4, "that was all")


@attrs.frozen
class Sends:
    """Has nothing more to do once it has sent."""

    venues = ("a",)

    def execute(self, order: Order, legs: Legs) -> None:
        legs.send("a", 4)
        legs.send("a", 6)


@pytest.mark.parametrize("policy", [Sends(), Timeout(Sends(), 0.5)])
@scripted
async def test_a_policy_that_has_nothing_more_to_do_needs_no_task_of_its_own(model: Model, policy: Policy) -> None:
    tasks = len(asyncio.all_tasks())
    model.start(policy)
    await model.rest()
    assert len(asyncio.all_tasks()) - tasks == (policy != Sends())  # the one around it waits
    model.fill(model.legs[0])
    model.end(model.legs[1], counted=2)
    await model.rest(1)
    assert not model.scope.done.done()
    model.fill(model.legs[1], 2)
    assert (await model.final()).filled_increments == 6


@scripted
async def test_a_policy_whose_legs_are_over_when_it_has_sent_ends_behind_the_news_of_them(model: Model) -> None:
    model.on_send["a"] = model.end
    model.start(Sends())
    assert not model.scope.done.done()
    assert (await model.final()).state == OrderState.CANCELED


@scripted
async def test_a_part_that_works_on_keeps_the_order_open(model: Model) -> None:
    async def slow(order: Order, legs: Legs) -> Execution:
        await legs.sleep(1)
        legs.send("a", 1)
        return await settled(legs)

    async def hasty(order: Order, legs: Legs) -> Execution:
        legs.begin(Works(slow), 4)
        return legs.execution()

    model.fills("a")
    model.start(Works(hasty))
    assert (await model.final()).filled_increments == 1


@scripted
async def test_a_refusal_after_a_leg_was_sent_ends_with_that_reason_once_it_is_accounted_for(model: Model) -> None:
    async def work(order: Order, legs: Legs) -> Execution:
        legs.send("a", 1)
        legs.send("b", 1)
        return await settled(legs)

    model.refuses["b"] = NOT_READY
    model.start(Works(work))
    await model.rest(10)
    assert not model.scope.done.done()
    assert not model.canceled
    model.fill(model.legs[0])
    final = await model.final()
    assert (final.filled_increments, final.reason) == (1, "not ready: it is down")


@scripted
async def test_only_the_earliest_deadline_counts_and_the_caller_is_answered_once(model: Model) -> None:
    async def work(order: Order, legs: Legs) -> Execution:
        legs.answer_after(0.3)
        legs.answer_after(0.2)
        legs.answer_after(0.5)
        legs.send("a", 1)
        return await settled(legs)

    model.start(Works(work))
    await model.rest(1)
    assert [(at, known.unknown_increments) for at, known in model.answers] == [(200 * MS, 1)]
    model.end(model.legs[0])
    await model.final()


@scripted
async def test_nobody_is_answered_after_the_end(model: Model) -> None:
    model.fills("a")
    model.start(Timeout("a", 0.2))
    await model.final()
    await model.rest(1)
    assert not model.answers


# --- the strategy's cancel -----------------------------------------------------------------------------------------


@scripted
async def test_a_cancel_takes_back_what_is_out_and_lets_nothing_more_leave(model: Model) -> None:
    async def work(order: Order, legs: Legs) -> Execution:
        legs.send("a", 1)
        part = legs.begin(Timeout("b", 100), 2)
        await part.ended()
        for _ in range(2):
            assert refusal_of(lambda: legs.send("c", 1)) == "canceled"
        with pytest.raises(Refused, match="canceled"):
            await legs.begin(Timeout("c", 1), 1).ended()
        return await settled(legs)

    model.start(Works(work))
    await model.rest()
    model.end(model.legs[0])
    model.scope.cancel()
    assert model.canceled == [model.legs[1]]
    await model.rest(10)
    assert not model.scope.done.done()
    model.fill(model.legs[1])  # it crossed the cancel
    assert (await model.final()).filled_increments == 2
    assert len(model.legs) == 2
    model.scope.cancel()


@scripted
async def test_a_cancel_before_anything_was_sent_refuses_the_order(model: Model) -> None:
    async def sleepy(order: Order, legs: Legs) -> Execution:
        await legs.sleep(1000)
        return legs.execution()

    model.start(Works(sleepy))
    await model.rest(0.01)
    model.scope.cancel()
    with pytest.raises(Refused, match="canceled"):
        await model.final()
    assert model.now_ms() == 10


@scripted
async def test_a_policy_that_waits_for_news_hears_of_a_cancel(model: Model) -> None:
    async def waits(order: Order, legs: Legs) -> Execution:
        legs.send("a", 1)
        while True:
            await legs.changed()

    model.start(Works(waits))
    await model.rest()
    model.end(model.legs[0])
    await model.rest()
    model.scope.cancel()
    assert (await model.final()).reason == "canceled"


@scripted
async def test_a_part_that_is_canceled_leaves_the_others_alone(model: Model) -> None:
    async def work(order: Order, legs: Legs) -> Execution:
        one, other = legs.begin(Timeout("a", 9), 4), legs.begin(Timeout("b", 9), 4)
        assert [leg.leg.venue for leg in (*one.legs, *other.legs)] == ["a", "b"]
        one.cancel()
        await one.ended()
        assert (one.over, other.over) == (True, False)
        one.cancel()
        legs.send("c", 6)
        return await settled(legs)

    model.cancels()
    model.start(Works(work))
    await model.rest(1)
    assert [leg.leg.venue for leg in model.legs] == ["a", "b", "c"]
    assert model.canceled == [model.legs[0]]
    for leg in model.legs[1:]:
        model.fill(leg)
    await model.final()


# --- faults --------------------------------------------------------------------------------------------------------


class Oops(Exception):
    pass


async def _fails(order: Order, legs: Legs) -> Execution:
    legs.send("a", 4)
    await legs.sleep(0.1)
    raise Oops("of course")


async def _fails_nested(order: Order, legs: Legs) -> Execution:
    part: Part = legs.begin(Works(_fails), 5)
    await part.ended()
    return legs.execution()


async def _returns_nothing(order: Order, legs: Legs) -> Any:
    legs.send("a", 4)


async def _cancels_itself(order: Order, legs: Legs) -> Execution:
    legs.send("a", 4)
    raise asyncio.CancelledError


async def _asks_nobody(order: Order, legs: Legs) -> Execution:
    legs.send("a", 4)
    legs.send("nowhere", 1)
    return legs.execution()


async def _sends_nothing_of_it(order: Order, legs: Legs) -> Execution:
    legs.send("a", 4)
    legs.send("b", 0)
    return legs.execution()


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (_fails, Oops),
        (_fails_nested, Oops),
        (_returns_nothing, BadPolicy),
        (_cancels_itself, BadPolicy),
        (_asks_nobody, UnknownVenue),
        (_sends_nothing_of_it, BadPolicy),
    ],
)
@scripted
async def test_a_fault_is_handed_over_and_the_legs_stay_owned(model: Model, run: Any, kind: type) -> None:
    model.start(Works(run))
    await model.rest(1)
    assert [type(error) for error in model.faults] == [kind]
    assert model.canceled == model.legs
    assert not model.scope.done.done()
    model.fill(model.legs[0], 1)
    model.end(model.legs[0])
    final = await model.final()
    assert final.filled_increments == 1
    assert final.reason.startswith("its policy failed: ")


@scripted
async def test_a_fault_before_anything_was_sent_refuses_the_order(model: Model) -> None:
    class Broken:
        venues = ("a",)

        def execute(self, order: Order, legs: Legs) -> Any:
            raise Oops("at once")

    model.start(Broken())
    with pytest.raises(Refused, match="policy: Oops: at once"):
        await model.final()
    assert len(model.faults) == 1


@scripted
async def test_a_nested_fault_at_once_ends_the_policy_around_it(model: Model) -> None:
    class Broken:
        venues = ("a",)

        def execute(self, order: Order, legs: Legs) -> Any:
            legs.send("a", 1)
            return 5

    class Around:
        venues = ("a",)

        def execute(self, order: Order, legs: Legs) -> Any:
            legs.begin(Broken(), 1)
            return self._wait()

        async def _wait(self) -> None:
            await asyncio.Event().wait()

    model.cancels()
    model.start(Around())
    final = await model.final()
    assert (len(model.faults), model.canceled == model.legs) == (1, True)
    assert final.reason.startswith("its policy failed: TypeError")
    assert len(asyncio.all_tasks()) == 1


# --- the router's end ----------------------------------------------------------------------------------------------


@scripted
async def test_a_stop_ends_all_tasks_and_says_nothing(model: Model) -> None:
    model.start(Timeout(Timeout(Timeout("a", 0.2), 0.2), 0.3))
    await model.rest(0.1)
    tasks = model.scope.stop()
    assert len(tasks) == 2  # the innermost has sent, and needs none
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    model.fill(model.legs[0])
    model.scope.cancel()
    await model.rest(10)
    assert (model.answers, model.faults, model.canceled, model.scope.done.done()) == ([], [], [], False)
    assert len(asyncio.all_tasks()) == 1


@scripted
async def test_a_policy_that_fails_when_it_is_stopped_is_logged(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    async def stubborn(order: Order, legs: Legs) -> Execution:
        try:
            await legs.sleep(9)
        finally:
            raise Oops("not now")

    model.start(Works(stubborn))
    await model.rest()
    await asyncio.wait(model.scope.stop())
    await model.rest()
    assert "its policy failed when it was ended" in caplog.text
    assert not model.faults


# --- what else a policy sees ---------------------------------------------------------------------------------------


@scripted
async def test_quotes_are_asked_for_at_once_and_who_is_late_or_cannot_is_left_out(model: Model) -> None:
    async def ask(order: Order, legs: Legs) -> Execution:
        quotes = await legs.quotes("abcd", 0.2)
        assert sorted(quotes) == ["a"]
        assert legs.clock.monotonic_ns() == 200 * MS
        quotes = await legs.quotes("ab", 0.2)
        assert legs.clock.monotonic_ns() == 250 * MS
        raise Refused(Refusal("enough"))

    model.show("a", asks=((1, 1),))
    model.show("c", asks=((1, 1),))
    model.quote_after_s = {"a": 0.05, "c": 0.3}
    model.start(Works(ask))
    with pytest.raises(Refused, match="enough"):
        await model.final()


@scripted
async def test_a_deadline_is_news(model: Model) -> None:
    async def work(order: Order, legs: Legs) -> Execution:
        legs.send("a", 1)
        legs.answer_after(0.1)
        await legs.changed()
        assert legs.clock.monotonic_ns() == 100 * MS
        legs.cancel()
        return await settled(legs)

    model.cancels()
    model.start(Works(work))
    await model.final()
    assert len(model.answers) == 1


@scripted
async def test_a_part_says_what_is_known_at_its_deadline(model: Model) -> None:
    async def work(order: Order, legs: Legs) -> Execution:
        part = legs.begin(Timeout("a", 0.1), 4)
        known = await part.answered()
        assert (known.order.quantity_increments, known.filled_increments, known.unknown_increments) == (4, 1, 3)
        assert known.state is OrderState.LIVE
        ended = await part.ended()
        assert (ended.state, ended.filled_increments) == (OrderState.FILLED, 4)
        return legs.execution()

    model.start(Works(work))
    await model.rest(0.05)
    model.fill(model.legs[0], 1)
    await model.rest(1)
    model.fill(model.legs[0])
    final = await model.final()
    assert (final.state, final.filled_increments) == (OrderState.CANCELED, 4)
    assert not model.answers
