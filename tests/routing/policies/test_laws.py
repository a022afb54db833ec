"""What every policy keeps, nested as may be, whatever venues do in whatever order."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.market import Side
from ticktree.routing.errors import Refusal, Refused
from ticktree.routing.legs import LegRequest
from ticktree.routing.orders import Execution, Order, OrderState, Purpose
from ticktree.routing.policies import (
    AllOf,
    AnyOf,
    BestOf,
    Compensation,
    Hold,
    Policy,
    Retry,
    Share,
    Sweep,
    Timeout,
    Unwind,
)
from ticktree.routing.policies.all_of import hedges
from ticktree.routing.records import LegRecord, OrderRecord

from .model import NOT_READY, Model, an_order, scripted

CALM_NS = 20_000_000_000  # from here on venues end what they have
DEADLINE_S = 0.5  # of the outermost policy; nested ones have from half to twice of it
LAST = (OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED, OrderState.FILLED)


class Chaos(Model):
    """Venues that do what they like: acknowledge, fill, doubt, end legs with fills still to be told."""

    def __init__(self, clock: Any, random: Random) -> None:
        super().__init__(clock)
        self.random = random
        self.cancel_ns: int | None = None
        self.cleared_ns: int | None = None  # since when nothing has been out

    def send(self, record: OrderRecord, request: LegRequest) -> LegRecord:
        assert self.cancel_ns is None, "sent after a cancel"
        if self.random.random() < 0.1:
            raise Refused(self.random.choice([NOT_READY, Refusal("rate", "5", "6")]))
        leg = super().send(record, request)
        self.after(self.random.choice([0.0, 0.001, 0.03]), self.step, leg)
        return leg

    def step(self, leg: LegRecord) -> None:
        """One thing happens to `leg`; the next one later."""
        if leg.accounted:
            return
        calm = self.clock.monotonic_ns() > CALM_NS
        if leg.terminal:
            self.fill(leg, leg.cumulative_increments - leg.booked_increments)
        elif calm:
            self.end(leg)
        else:
            self._any(leg)
        if not leg.accounted:
            self.after(self.random.choice([0.0, 0.002, 0.05, 0.7]), self.step, leg)

    def _any(self, leg: LegRecord) -> None:
        missing = leg.quantity_increments - leg.booked_increments
        match self.random.choice(("live", "fill", "fill", "all", "doubt", "end", "end", "count")):
            case "live":
                self.live(leg)
            case "fill":
                self.fill(leg, self.random.randint(1, missing))
            case "all":
                self.fill(leg)
            case "doubt":
                self.doubt(leg)
            case "end":
                self.end(leg, self.random.choice(LAST[:3]))
            case _:
                self.end(leg, counted=leg.booked_increments + self.random.randint(0, missing))

    def show_all(self) -> None:
        for venue in "abcd":
            if self.random.random() < 0.8:
                shown = {"bids": self._levels(), "asks": self._levels()}
                self.show(venue, **shown, age_s=self.random.choice([0, 0.5, 2]))
            self.quote_after_s[venue] = self.random.choice([0, 0.01, 3])

    def _levels(self) -> tuple[tuple[int, int], ...]:
        return tuple((self.random.randint(9_990, 10_005), self.random.randint(0, 8)) for _ in range(3))


deadlines = st.sampled_from([DEADLINE_S / 2, DEADLINE_S, DEADLINE_S * 2])
venues = st.permutations("abcd").flatmap(lambda all: st.integers(1, 4).map(lambda n: tuple(all[:n])))
asking = venues.flatmap(
    lambda names: st.sampled_from([BestOf, Sweep]).map(
        lambda kind: kind(names, max_price_age_s=1, deadline_s=DEADLINE_S)
    )
)
bounded = st.sampled_from([Hold(), Unwind(0.3), Unwind(5), Retry(0.3), Retry(5, attempts=2)])
leaves = st.one_of(asking, st.builds(Timeout, st.sampled_from("abcd"), deadlines))


def an_all(shares: tuple[Share, ...], deadline_s: float, compensation: Compensation) -> AllOf:
    """With what compensates only where it may."""
    nested_hedges = any(hedges(share.child) for share in shares)
    return AllOf(shares, deadline_s, Hold() if nested_hedges else compensation)


def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    mixed = st.lists(inner, max_size=2).flatmap(lambda nested: venues.map(lambda names: (*names[:2], *nested)))
    shares = mixed.flatmap(
        lambda mix: st.tuples(*(st.builds(Share, st.just(one), st.sampled_from([1, 2, "0.3"])) for one in mix))
    )
    hedged = st.tuples(venues, venues).map(
        lambda pair: tuple(map(Share, pair[0])) + tuple(Share(one, opposite=True) for one in pair[1])
    )
    return st.one_of(
        st.builds(Timeout, inner, deadlines),
        st.builds(AnyOf, mixed, deadlines, st.sampled_from([None, 0.05])),
        st.builds(AnyOf, mixed, deadlines, racing=st.just(True)),
        st.builds(an_all, shares, deadlines, bounded),
        st.builds(an_all, hedged, deadlines, bounded),
    )


policies = st.recursive(leaves, around, max_leaves=5)
orders = st.builds(
    an_order,
    st.integers(1, 40),
    st.sampled_from([None, 10_000]),
    st.sampled_from(Side),
    st.sampled_from([0, 0, 10, 200]),
)


async def worked(model: Chaos, policy: Policy, order: Order, cancel_after_s: float | None) -> Execution | None:
    """Work an order to its end, and hold the laws at it; None where it was refused."""
    model.show_all()
    model.start(policy, order)
    if cancel_after_s is not None:

        def cancel() -> None:
            model.cancel_ns = model.clock.monotonic_ns()
            model.scope.cancel()

        model.after(cancel_after_s, cancel)
    try:
        final = await model.final()
    except Refused:
        assert not model.legs
        final = None
    assert not model.faults
    assert all(leg.accounted for leg in model.record.legs.values())
    assert model.clock.monotonic_ns() < CALM_NS + 30_000_000_000, "all was accounted for long ago"
    return final


seeds = st.integers(0, 1 << 32)
cancels = st.none() | st.sampled_from([0.0, 0.01, 0.3, 2.0])


@settings(max_examples=200, deadline=None)
@given(policies, orders, seeds, cancels)
def test_no_over_fill_no_end_before_all_is_accounted_for_and_always_an_end(
    policy: Policy, order: Order, seed: int, cancel_after_s: float | None
) -> None:
    """The model holds over-fill at each send, and that nothing is sent after a cancel."""

    @scripted
    async def run(model: Model) -> None:
        chaos = Chaos(model.clock, Random(seed))
        final = await worked(chaos, policy, order, cancel_after_s)
        if final is not None:
            side = order.side
            work = sum(leg.booked_increments for leg in chaos.legs if leg.leg.purpose is Purpose.WORK)
            back = sum(
                leg.booked_increments
                for leg in chaos.legs
                if leg.leg.purpose is Purpose.UNWIND and leg.leg.ticket.side is not side
            )
            assert final.filled_increments == work - back
            assert final.unknown_increments == 0
            assert work <= order.quantity_increments + order.max_overfill_increments

    run()


@settings(max_examples=80, deadline=None)
@given(policies, orders, seeds)
def test_the_caller_is_answered_at_the_deadline_with_what_is_known_then(policy: Any, order: Order, seed: int) -> None:
    @scripted
    async def run(model: Model) -> None:
        chaos = Chaos(model.clock, Random(seed))
        known = list[tuple[int, int]]()
        deadline_ns = round(policy.deadline_s * 1e9)

        def note(record: OrderRecord, execution: Execution) -> None:
            Model.answer(chaos, record, execution)
            known.append((record.filled_increments, record.unknown_increments))

        chaos.answer = note  # type: ignore[method-assign]  # in its place, for this test
        await worked(chaos, policy, order, None)
        if chaos.answers:
            ((at_ns, execution),) = chaos.answers
            assert at_ns <= deadline_ns
            assert known == [(execution.filled_increments, execution.unknown_increments)]
        else:
            assert chaos.clock.monotonic_ns() <= deadline_ns + 1

    run()


sequences = st.builds(AnyOf, venues, deadlines, st.sampled_from([None, 0.05]))


@settings(max_examples=80, deadline=None)
@given(st.one_of(sequences, asking), orders, seeds)
def test_nothing_is_sent_after_the_deadline(policy: Any, order: Order, seed: int) -> None:
    @scripted
    async def run(model: Model) -> None:
        chaos = Chaos(model.clock, Random(seed))
        await worked(chaos, policy, order, None)
        assert all(at_ns < policy.deadline_s * 1e9 for at_ns in chaos.sent_ns)

    run()


@settings(max_examples=80, deadline=None)
@given(sequences, orders, seeds)
def test_one_after_the_other_never_has_more_out_than_the_remainder(policy: AnyOf, order: Order, seed: int) -> None:
    """Whatever the order grants: the next leg leaves when all before it are accounted for, with what they lack."""

    @scripted
    async def run(model: Model) -> None:
        chaos = Chaos(model.clock, Random(seed))

        def sent(leg: LegRecord) -> None:
            before = [one for one in chaos.record.legs.values() if one is not leg]
            assert all(one.accounted for one in before)
            filled = sum(one.booked_increments for one in before)
            assert leg.quantity_increments == order.quantity_increments - filled

        for venue in "abcd":
            chaos.on_send[venue] = sent
        await worked(chaos, policy, order, None)

    run()


@settings(max_examples=50, deadline=None)
@given(st.sampled_from([("a", "b"), ("a", "b", "c"), (Share("a"), Share("b", opposite=True))]), orders, seeds)
def test_compensation_waits_until_all_is_accounted_for_and_is_bounded(parts: Any, order: Order, seed: int) -> None:
    attempts, within_s = 2, 0.4
    for kind in (Unwind, Retry):

        @scripted
        async def run(model: Model, kind: Any = kind) -> None:
            chaos = Chaos(model.clock, Random(seed))

            def sent(leg: LegRecord) -> None:
                if leg.leg.purpose is Purpose.UNWIND or leg.leg.attempt > 1:
                    now = [
                        one for one in chaos.legs if chaos.sent_ns[chaos.legs.index(one)] < chaos.clock.monotonic_ns()
                    ]
                    assert all(one.accounted for one in now)

            for venue in "abcd":
                chaos.on_send[venue] = sent
            await worked(chaos, AllOf(parts, DEADLINE_S, kind(within_s, attempts)), order, None)
            assert len(chaos.legs) <= len(parts) * (1 + attempts)

        run()


def test_the_model_notices_an_over_fill() -> None:
    """The laws above lean on it."""

    @scripted
    async def run(model: Model) -> None:
        model.start(Timeout("a", 1))
        with pytest.raises(AssertionError, match="over-fill"):
            model.send(model.record, LegRequest("b", Purpose.WORK, Side.BUY, 1, None, "ioc", 9, 1))  # type: ignore[arg-type]  # wrong on purpose
        model.fill(model.legs[0])

    run()
