"""How orders and legs ended, counted as they end: always what a recount of all of them comes to."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ticktree.routing import ledger as ledger_module
from ticktree.routing.facts import AnyFact, Doubted, Ended, Resolved, Turned
from ticktree.routing.ledger import UNEXPLAINED, Ledger
from ticktree.routing.orders import OrderState
from ticktree.routing.portfolio import RouterCounts, VenueCounts

from .stories import LEG, ORDER, Story, opened, sent
from .test_ledger import OPENINGS, later_facts, live

S = OrderState
Counts = dict[str, dict[OrderState, int]]


def routers(ledger: Ledger) -> Counts:
    return {name: counts.ended for name, counts in RouterCounts.of(ledger).items() if counts.ended}


def venues(ledger: Ledger) -> Counts:
    return {name: counts.ended for name, counts in VenueCounts.of(ledger).items() if counts.ended}


def test_an_order_counts_when_it_has_ended_and_by_its_latest_end() -> None:
    story = Story()
    story.status(S.CANCELED)
    assert (routers(story.ledger), venues(story.ledger)) == ({}, {"a": {S.CANCELED: 1}})
    story.tell(Ended(0, ORDER))
    assert routers(story.ledger) == {"r": {S.CANCELED: 1}}
    story.fill(10)  # it was filled, after all
    assert routers(story.ledger) == {"r": {S.FILLED: 1}}
    assert venues(story.ledger) == {"a": {S.CANCELED: 1}}
    story.correct(0, 0)
    assert routers(story.ledger) == {"r": {S.CANCELED: 1}}


def test_an_order_that_a_late_bust_opens_again_does_not_count_until_it_is_understood() -> None:
    story = Story()
    story.fill(10, sequence=1)
    story.tell(Ended(0, ORDER))
    story.correct(4, 10, sequence=2)
    assert (routers(story.ledger), venues(story.ledger)) == ({}, {})
    (of_r,), (at_a,) = RouterCounts.of(story.ledger).values(), VenueCounts.of(story.ledger).values()
    assert (of_r.open, at_a.open) == (1, 1)
    story.fill(6, "x2", cumulative=10, sequence=3)
    assert (routers(story.ledger), venues(story.ledger)) == ({"r": {S.FILLED: 1}}, {"a": {S.FILLED: 1}})


def test_the_operators_word_is_an_end_too() -> None:
    story = Story()
    story.tell(Ended(0, ORDER), Doubted(0, LEG, "silence"))
    assert VenueCounts.of(story.ledger)["a"].unknown == 1
    story.tell(Resolved(0, LEG, S.EXPIRED, "seen at the venue"))
    assert (routers(story.ledger), venues(story.ledger)) == ({"r": {S.EXPIRED: 1}}, {"a": {S.EXPIRED: 1}})
    story.tell(Resolved(0, LEG, S.CANCELED, "no, seen better"))
    assert (routers(story.ledger), venues(story.ledger)) == ({"r": {S.CANCELED: 1}}, {"a": {S.CANCELED: 1}})


def test_orders_that_never_had_a_leg_count_as_rejected() -> None:
    story = Story(begun=False)
    story.tell(opened("e1-2"), Turned(0, "e1-2", "risk", "", "", ""), opened("e1-3"), Ended(0, "e1-3"))
    assert routers(story.ledger) == {"r": {S.REJECTED: 2}}


def test_executions_and_over_fills_count_at_their_router_and_venue() -> None:
    story = Story()
    story.fill(10)
    story.fill(2, "x2", cumulative=12)
    story.fill(1, "x3", cumulative=13)
    story.fill(4, leg_id="stranger", venue="b")
    of, at = RouterCounts.of(story.ledger, ["idle"]), VenueCounts.of(story.ledger, ["idle"])
    assert list(of) == ["idle", UNEXPLAINED, "r"]
    assert (of["r"].fills, of["r"].overfilled, of["r"].overfilled_beyond) == (3, 1, 1)
    assert (of[UNEXPLAINED].fills, at["b"].fills, of["idle"].fills, at["idle"].open) == (1, 1, 0, 0)
    assert (at["a"].fills, at["a"].overfilled) == (3, 1)


def test_what_is_forgotten_counts_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "CLOSED_KEPT", 1)
    story = Story()
    story.fill(10)
    story.tell(Ended(0, ORDER))
    for name in ("e1-2", "e1-3", "e1-4"):
        story.tell(opened(name), Turned(0, name, "risk", "", "", ""))
    assert ORDER not in story.ledger.orders
    assert story.fill(4, "late").fill is not None
    assert routers(story.ledger) == {"r": {S.FILLED: 1, S.REJECTED: 3}}
    assert venues(story.ledger) == {"a": {S.FILLED: 1}}
    assert RouterCounts.of(story.ledger)["r"].fills == 2


class Recount:
    """Of all orders and legs that there ever were, looked at after each fact."""

    def __init__(self) -> None:
        self.orders: dict[str, tuple[str, OrderState] | None] = {}
        self.legs: dict[str, tuple[str, OrderState] | None] = {}

    def look(self, ledger: Ledger) -> None:
        for id, order in ledger.orders.items():
            self.orders[id] = (order.router, order.state) if order.terminal else None
        for id, leg in ledger.legs.items():
            self.legs[id] = (leg.leg.venue, leg.state) if leg.accounted else None

    @staticmethod
    def counted(ends: dict[str, tuple[str, OrderState] | None]) -> Counts:
        counts: Counts = {}
        for (place, state), count in Counter(end for end in ends.values() if end is not None).items():
            counts.setdefault(place, {})[state] = count
        return counts


MORE: list[AnyFact] = [
    opened("e1-3", 5), sent("e1-3.1", "e1-3", 5, venue="b"), opened("e1-4", 1), opened("e1-5", 1),
]  # fmt: skip


@pytest.mark.parametrize("kept", [0, 1, 16_384])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(more=st.lists(later_facts, max_size=30))
def test_the_tallies_are_a_recount_after_any_facts_however_little_is_kept(
    kept: int, more: list[AnyFact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "CLOSED_KEPT", kept)
    facts = [*OPENINGS, *MORE, *more]
    ledger, recount = Ledger(), Recount()
    for fact in facts:
        orders, legs = dict(ledger.orders), dict(ledger.legs)
        ledger.apply(fact)
        recount.look(ledger)
        for id in orders.keys() - ledger.orders.keys():  # forgotten by this fact: as they stood then
            recount.orders[id] = (orders[id].router, orders[id].state)
        for id in legs.keys() - ledger.legs.keys():
            recount.legs[id] = (legs[id].leg.venue, legs[id].state)
        assert routers(ledger) == recount.counted(recount.orders)
        assert venues(ledger) == recount.counted(recount.legs)
    taken = live(facts)
    assert (routers(taken), venues(taken)) == (routers(ledger), venues(ledger))
