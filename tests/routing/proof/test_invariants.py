"""One short story for each invariant, told through the same rig and under the same checks as the proof."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from ticktree.market import Side
from ticktree.routing.controls import DrainOrders, Flatten, Halt, Resolve, Resume
from ticktree.routing.facts import CancelSent, Doubted, Sent
from ticktree.routing.gateway import VenueRules
from ticktree.routing.orders import OrderHandle, OrderState, Terms
from ticktree.routing.policies.policy import Policy
from ticktree.routing.records import LegRecord
from ticktree.routing.reports import Report, ReportKind

from ...market.samples import BTC
from .machine import DEADLINES, MOST_POSITION, POLICIES, SEQUENTIAL, TIGHT
from .model import ModelOrder
from .rig import PATIENCE, Rig
from .way import GRACE_S, Link

BUY, SELL = Side.BUY, Side.SELL
TIMEOUT: dict[str, Policy] = {"timeout": POLICIES["timeout"]}


@contextmanager
def trading(*routers: str, ends: bool = True, **more: Any) -> Generator[Rig]:
    """With these routers of the proof's (or `policies`). When the story is over all comes to rest, and is checked."""
    policies = more.pop("policies", None) or {name: POLICIES[name] for name in routers or ("timeout",)}
    more.setdefault("link", Link(longest_s=0.001))
    deadlines = {name: DEADLINES[name] for name in policies if name in DEADLINES}
    rig = Rig(policies, deadlines=deadlines, sequential=SEQUENTIAL, **more)
    try:
        rig.pass_time(0.1)
        yield rig
        if rig.system is not None:
            rig.checks.step()
        if ends:
            rig.come_to_rest()
            rig.checks.end()
    finally:
        rig.close()


def sent(rig: Rig, name: str = "a") -> list[tuple[str, ModelOrder]]:
    """The orders that arrived there, as they came."""
    return list(rig.venues[name].orders.items())


def leg(rig: Rig, place: int = -1) -> LegRecord:
    return list(rig.ledger.legs.values())[place]


def placed(rig: Rig, router: str = "timeout", side: Side = BUY, quantity: int = 10, **more: Any) -> OrderHandle:
    """An order that has arrived."""
    handle = rig.order(router, side, quantity, **more)
    rig.pass_time(0.01)
    return handle


def fill(rig: Rig, quantity: int, name: str = "a", place: int = -1) -> None:
    id, _ = sent(rig, name)[place]
    rig.act(lambda: rig.venues[name].fill(id, quantity, 10_000))
    rig.pass_time(0.01)


def end(rig: Rig, state: OrderState = OrderState.CANCELED, name: str = "a", place: int = -1) -> None:
    id, _ = sent(rig, name)[place]
    rig.act(lambda: rig.venues[name].end(id, state))
    rig.pass_time(0.01)


def deafen(rig: Rig) -> None:
    """Nothing arrives any more, in either direction."""
    rig.link.drop = 1.0


def hear_at_once(rig: Rig, act: Callable[[], None]) -> None:
    """What venue "a" says when `act` is called comes in one turn of the loop."""
    venue, said = rig.venues["a"], list[Report]()
    says, venue.say = venue.say, said.append
    act()
    venue.say = says

    def hear() -> None:
        for report in said:
            rig.gateways["a"].hear(report)

    rig.act(hear)


# --- 1, 2 ----------------------------------------------------------------------------------------------------------


def test_invariant_01_what_leaves_stands_in_the_journal_with_its_worst_case() -> None:
    with trading("racing") as rig:
        placed(rig, "racing", quantity=7, terms=Terms(max_overfill="7e-4"))
        facts = [fact for fact in rig.journal.facts if isinstance(fact, Sent)]
        assert [(fact.venue, fact.quantity, fact.worst) for fact in facts] == [("a", 7, 14), ("b", 7, 14)]
        assert len(sent(rig, "a")) == len(sent(rig, "b")) == 1


def test_invariant_01_what_cannot_be_written_is_not_sent() -> None:
    with trading() as rig:
        placed(rig)
        rig.journal.fill_up()
        handle = placed(rig)
        assert handle.done
        assert len(sent(rig)) == 1


def test_invariant_01_a_disk_that_is_full_between_an_order_and_its_leg_stops_the_leg() -> None:
    with trading() as rig:
        placed(rig)
        rig.journal.fill_up(room=1)
        handle = placed(rig)
        assert handle.done
        assert len(sent(rig)) == 1


def test_invariant_02_ids_go_on_after_a_restart_and_keep_to_the_venues_letters() -> None:
    rules = VenueRules(
        not_found_grace_s=GRACE_S, client_id_length=24, client_id_alphabet="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    )
    with trading("retry", rules=rules) as rig:
        for restart in (rig.restart, rig.crash):
            placed(rig, "retry")
            end(rig, name="b")
            rig.pass_time(1.0)
            restart()
            rig.pass_time(1.0)
        placed(rig, "retry")
        assert len(sent(rig)) >= 3


def test_invariant_02_a_journal_that_lost_its_end_begins_another_epoch() -> None:
    with trading(ends=False) as rig:
        placed(rig)
        del rig.journal.facts[2:]
        rig.checks.partial = True
        rig.crash()
        rig.checks.known.__init__()  # type: ignore[misc]  # begun anew
        rig.pass_time(0.5)
        assert all(leg_id not in rig.ledger.legs for leg_id, _ in sent(rig))
        assert not sent(rig)[0][0].startswith(rig.office.blotter.next_order_id())


# --- 3, 4, 5 -------------------------------------------------------------------------------------------------------


def test_invariant_03_a_leg_in_doubt_blocks_the_next() -> None:
    with trading("any") as rig:
        placed(rig, "any")
        rig.act(rig.gateways["a"].break_off)
        rig.gateways["a"].link.drop = 1.0
        rig.pass_time(0.9)
        assert leg(rig).state is OrderState.UNKNOWN
        assert not sent(rig, "b")


def test_invariant_03_the_remainder_goes_on_once_the_former_is_over() -> None:
    with trading("any") as rig:
        placed(rig, "any", quantity=10)
        fill(rig, 4)
        assert not sent(rig, "b")
        end(rig)
        assert [order.quantity for _, order in sent(rig, "b")] == [6]


def test_invariant_04_silence_leaves_an_order_unknown_and_it_is_asked_about() -> None:
    with trading(link=Link(longest_s=0.001)) as rig:
        rig.link.drop = 1.0
        placed(rig)
        rig.pass_time(PATIENCE.ack_s + 2 * PATIENCE.look_s)
        assert leg(rig).state is OrderState.UNKNOWN
        rig.link.drop = 0.0
        rig.pass_time(5.0)
        assert leg(rig).state is OrderState.REJECTED  # it never arrived, and the session that sent it is closed
        assert not sent(rig)


def test_invariant_04_not_found_is_nothing_while_the_order_may_still_arrive() -> None:
    with trading(link=Link(longest_s=0.15)) as rig:
        for _ in range(20):
            rig.order("timeout", BUY, 1)
            rig.act(rig.gateways["a"].break_off)
            rig.pass_time(0.03)
            rig.act(rig.gateways["a"].break_off)
            rig.pass_time(1.0)
            rig.checks.step()


def test_invariant_04_without_the_former_sessions_end_not_found_is_never_final() -> None:
    with trading(link=Link(longest_s=0.001)) as rig:
        rig.link.drop = 1.0
        placed(rig)
        rig.link.drop = 0.0
        rig.gateways["a"]._random.random = lambda: 0.99  # type: ignore[method-assign]  # in its place, for this test
        rig.link.vague = True
        rig.act(rig.gateways["a"].break_off)
        rig.pass_time(3.0)
        assert leg(rig).state is OrderState.UNKNOWN


def test_invariant_04_words_that_cannot_be_read_leave_their_order_unknown() -> None:
    with trading() as rig:
        placed(rig)
        rig.gateways["a"].garble()
        rig.act(lambda: rig.venues["a"].query(sent(rig)[0][0]))
        rig.pass_time(0.0011)
        assert any(isinstance(fact, Doubted) for fact in rig.journal.facts)
        rig.pass_time(0.1)
        assert leg(rig).state is OrderState.LIVE


def test_invariant_05_the_venues_evidence_that_nothing_arrived_ends_an_order() -> None:
    with trading(link=Link(longest_s=0.001, evidence=True)) as rig:
        rig.link.drop = 1.0
        placed(rig)
        rig.pass_time(0.1)
        assert leg(rig).state is OrderState.REJECTED
        rig.link.drop = 0.0


def test_invariant_05_what_a_closed_venue_refuses_never_left() -> None:
    with trading() as rig:
        rig.act(rig.gateways["a"].break_off)
        handle = placed(rig)
        assert handle.done
        assert not rig.venues["a"].submissions


# --- 6, 7 ----------------------------------------------------------------------------------------------------------


def test_invariant_06_an_execution_that_comes_twice_is_booked_once() -> None:
    with trading(link=Link(duplicate=1.0, longest_s=0.01)) as rig:
        placed(rig, quantity=10)
        for _ in range(3):
            fill(rig, 2)
        rig.pass_time(0.1)
        assert rig.ledger.position(BTC.name) == 6
        assert rig.ledger.fills == 3


def test_invariant_06_a_fill_after_the_end_a_bust_and_a_correction_are_booked() -> None:
    with trading() as rig:
        placed(rig, quantity=10)
        fill(rig, 4)
        end(rig)
        fill(rig, 3)
        assert (rig.ledger.position(BTC.name), rig.ledger.fills) == (7, 2)
        id = sent(rig)[0][0]
        rig.act(lambda: rig.venues["a"].correct(id, 0, 0, 10_000))
        rig.pass_time(0.01)
        assert rig.ledger.position(BTC.name) == 3
        rig.act(lambda: rig.venues["a"].correct(id, 1, 2, 10_050))
        rig.pass_time(0.01)
        assert (rig.ledger.position(BTC.name), rig.ledger.positions.of("s", BTC.name).cash) == (2, -20_100)
        rig.checks.hear()
        assert [told.quantity_increments for told in rig.checks.corrected.values()] == [0, 2]


def test_invariant_06_an_old_revision_changes_nothing() -> None:
    with trading(link=Link(duplicate=0.5, longest_s=0.2)) as rig:
        rig.pass_time(1.0)
        placed(rig, quantity=10)
        rig.pass_time(0.4)
        fill(rig, 9)
        id = sent(rig)[0][0]
        for quantity in (8, 6, 5, 3):
            rig.act(partial(rig.venues["a"].correct, id, 0, quantity, 10_000))
        rig.pass_time(1.0)
        assert rig.ledger.position(BTC.name) == 3


def test_invariant_06_strangers_executions_are_booked_and_quarantined() -> None:
    with trading() as rig:
        placed(rig)
        rig.act(lambda: rig.venues["a"].stray(BTC, SELL, 2))
        rig.pass_time(0.1)
        assert rig.ledger.position(BTC.name) == -2
        assert list(rig.ledger.quarantine) == ["a/nobody-1"]
        handle = placed(rig)
        assert handle.done
        assert len(sent(rig)) == 1


def test_invariant_07_fills_that_were_counted_and_not_told_are_asked_for() -> None:
    with trading() as rig:
        placed(rig, quantity=10)
        rig.link.drop = 1.0
        fill(rig, 4)
        rig.link.drop = 0.0
        fill(rig, 1)
        rig.pass_time(0.1)
        assert leg(rig).booked_increments == 5


def test_invariant_07_a_fill_that_nobody_speaks_of_any_more_shows_in_the_account() -> None:
    with trading() as rig:
        placed(rig, quantity=10)
        rig.link.drop = 1.0
        fill(rig, 10)
        rig.link.drop = 0.0
        rig.pass_time(2 * PATIENCE.live_s)
        assert leg(rig).booked_increments == 10


@pytest.mark.parametrize("numbered", [True, False])
def test_invariant_07_a_count_that_falls_without_a_bust_is_not_believed(numbered: bool) -> None:
    with trading() as rig:
        rig.venues["a"].numbered = numbered
        placed(rig, quantity=10)
        fill(rig, 4)
        hear_at_once(rig, lambda: rig.venues["a"].lie(sent(rig)[0][0]))
        assert leg(rig).cumulative_increments == 4
        assert not leg(rig).agreed
        rig.pass_time(0.3)
        assert leg(rig).agreed


@pytest.mark.parametrize("numbered", [True, False])
def test_invariant_07_an_order_ends_when_words_that_did_not_fit_do_again(numbered: bool) -> None:
    """Its state is what it was, so nothing but that is the news."""
    with trading() as rig:
        a = rig.venues["a"]
        a.numbered = numbered
        handle = placed(rig, quantity=10)
        id = sent(rig)[0][0]

        def contradict() -> None:
            a.fill(id, 10, 10_000)
            a.lie(id)

        rig.pass_time(0.5)  # its deadline, which looks anew
        hear_at_once(rig, contradict)
        assert not leg(rig).accounted
        rig.pass_time(1.0)
        assert handle.done
        assert rig.finals[0].done()


# --- 8, 9 ----------------------------------------------------------------------------------------------------------


def test_invariant_08_a_race_needs_a_grant_and_overfills_no_more_than_that() -> None:
    with trading("racing") as rig:
        refused = placed(rig, "racing", quantity=10)
        assert refused.done
        assert not sent(rig)
        placed(rig, "racing", quantity=10, terms=Terms(max_overfill="10e-4"))
        fill(rig, 10, "a")
        rig.act(lambda: None)
        record = rig.ledger.orders[rig.handles[-1].order.id]
        assert record.filled_increments >= 10
        assert rig.ledger.overfilled == (record.overfilled_increments > 0)


def test_invariant_08_both_legs_of_a_race_may_fill() -> None:
    with trading("racing", link=Link(longest_s=0.02)) as rig:
        placed(rig, "racing", quantity=10, terms=Terms(max_overfill="10e-4"))
        rig.pass_time(0.1)
        ids = [sent(rig, name)[0][0] for name in ("a", "b")]

        def both() -> None:
            for name, id in zip(("a", "b"), ids, strict=True):
                rig.venues[name].fill(id, 10, 10_000)

        rig.act(both)
        rig.pass_time(0.3)
        assert rig.ledger.position(BTC.name) == 20
        assert rig.ledger.overfilled == 1


def test_invariant_08_a_replace_counts_as_the_larger_of_both() -> None:
    with trading(limits=TIGHT, most_position=MOST_POSITION) as rig:
        placed(rig, quantity=10)
        rig.pass_time(0.3)
        record = next(iter(rig.ledger.open_orders.values()))
        deafen(rig)
        rig.replace(record, 50, "99.8")
        rig.pass_time(0.05)
        assert rig.ledger.open(BTC.name, BUY) == 50
        assert placed(rig, quantity=11).done  # 50 + 11 > 60
        rig.link.drop = 0.0


def test_invariant_09_what_is_unknown_counts_in_full_for_all_strategies() -> None:
    with trading(limits=TIGHT, most_position=MOST_POSITION) as rig:
        placed(rig, quantity=40)
        fill(rig, 15)
        rig.act(rig.gateways["a"].break_off)
        assert leg(rig).state is OrderState.UNKNOWN
        rig.pass_time(0.5)
        refused = rig.order("timeout", BUY, 21, strategy="t")
        assert refused.done
        assert len(sent(rig)) == 1
        allowed = placed(rig, quantity=20, strategy="t")
        assert len(sent(rig)) == 2
        assert allowed.order.strategy == "t"


def test_invariant_09_two_orders_in_one_turn_see_each_other() -> None:
    with trading(limits=TIGHT, most_position=MOST_POSITION) as rig:
        handles, desk = list[OrderHandle](), rig.desk("timeout")

        def both() -> None:
            for _ in range(2):
                handles.append(desk.submit(rig.loop.clock, SELL, BTC, "40e-4", "100"))

        rig.act(both)
        assert [handle.done for handle in handles] == [False, True]
        assert handles[1].order.id not in rig.ledger.open_orders


# --- 10, 11, 12 ----------------------------------------------------------------------------------------------------


def test_invariant_10_a_cancel_is_repeated_until_there_is_evidence() -> None:
    with trading() as rig:
        placed(rig)
        deafen(rig)
        rig.cancel(next(iter(rig.ledger.open_orders.values())))
        rig.pass_time(1.0)
        assert not sent(rig)[0][1].state.terminal
        rig.link.drop = 0.0
        rig.pass_time(0.3)
        assert sent(rig)[0][1].state is OrderState.CANCELED
        assert leg(rig).state is OrderState.CANCELED
        assert sum(isinstance(fact, CancelSent) for fact in rig.journal.facts) == 1


def test_invariant_10_a_cancel_goes_out_again_after_a_crash() -> None:
    with trading() as rig:
        placed(rig)
        deafen(rig)
        rig.cancel(next(iter(rig.ledger.open_orders.values())))
        rig.pass_time(0.01)
        rig.crash()
        rig.link.drop = 0.0
        rig.pass_time(1.0)
        assert sent(rig)[0][1].state is OrderState.CANCELED


def test_invariant_10_a_rejected_cancel_is_no_evidence_of_anything() -> None:
    with trading() as rig:
        placed(rig)
        id = sent(rig)[0][0]
        word = Report(ReportKind.CANCEL_REJECTED, id, 0, reason="unknown", sequence=10_000)
        rig.act(lambda: rig.venues["a"].say(word))
        rig.pass_time(0.0015)
        assert not leg(rig).terminal
        rig.pass_time(0.2)
        assert leg(rig).state is OrderState.LIVE


def test_invariant_11_a_fill_after_the_deadline_is_late_and_the_order_lives_until_its_legs_do() -> None:
    with trading() as rig:
        handle = placed(rig, quantity=10)
        fill(rig, 3)
        rig.pass_time(0.3)
        assert handle.done
        fill(rig, 4)
        assert not rig.finals[0].done()
        assert rig.ledger.open_orders
        end(rig)
        final = rig.finals[0].result()
        assert (final.filled_increments, final.late_increments, final.unknown_increments) == (7, 4, 0)


def test_invariant_11_the_caller_is_told_what_is_unknown() -> None:
    with trading() as rig:
        handle = placed(rig, quantity=10)
        fill(rig, 3)
        rig.act(rig.gateways["a"].break_off)
        deafen(rig)
        rig.pass_time(0.3)
        execution = rig.run(handle.execution())
        assert (execution.filled_increments, execution.unknown_increments) == (3, 7)
        rig.link.drop = 0.0


def test_invariant_11_an_order_that_was_answered_by_a_restart_is_open_while_it_rests_at_its_venue() -> None:
    with trading() as rig:
        placed(rig, quantity=10)
        rig.crash()
        rig.pass_time(0.5)
        record = next(iter(rig.ledger.orders.values()))
        assert record.answered
        assert not record.terminal
        assert rig.ledger.open_orders
        fill(rig, 10)
        assert record.terminal


def test_invariant_12_whoever_gives_up_waiting_changes_nothing() -> None:
    with trading() as rig:
        handle = placed(rig, quantity=10)
        rig.give_up_waiting(handle)
        fill(rig, 10)
        assert rig.run(handle.execution()).filled_increments == 10
        assert rig.ledger.position(BTC.name) == 10


# --- 13, 14 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orderly", [True, False])
def test_invariant_13_a_restart_asks_before_it_takes_orders(orderly: bool) -> None:
    with trading("timeout", "hold") as rig:
        placed(rig, quantity=10)
        fill(rig, 3)
        (rig.restart if orderly else rig.crash)()
        truth = sent(rig)[0]
        if not truth[1].state.terminal:  # meanwhile, somebody takes some more
            rig.act(lambda: rig.venues["a"].fill(truth[0], 4, 10_000))
        early = rig.order("hold", BUY, 2)
        rig.pass_time(0.005)
        assert early.done
        rig.pass_time(0.5)
        assert rig.ledger.position(BTC.name) == truth[1].cumulative
        assert rig.ledger.legs[truth[0]].booked_increments == truth[1].cumulative
        assert not placed(rig, "hold").done


def test_invariant_13_an_order_that_nobody_speaks_of_keeps_the_venue_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with trading() as rig:
        placed(rig, quantity=10)
        with monkeypatch.context() as patch:
            patch.setattr(rig.gateways["a"], "query", print)  # asked on paper only
            rig.act(rig.gateways["a"].break_off)
            rig.pass_time(1.0)
            assert rig.gateways["a"].account_told
            assert placed(rig).done
            assert len(sent(rig)) == 1
        rig.pass_time(1.0)
        assert not placed(rig).done


def test_invariant_13_what_an_account_holds_and_we_do_not_know_is_quarantined_until_resolved() -> None:
    with trading() as rig:
        placed(rig)
        end(rig)
        rig.link.drop = 1.0
        rig.act(lambda: rig.venues["a"].stray(BTC, BUY, 5))
        rig.link.drop = 0.0
        rig.pass_time(10.0)
        assert list(rig.ledger.quarantine) == [f"a/{BTC.name}"]
        assert placed(rig).done
        rig.ask(Resolve(f"a/{BTC.name}"))
        rig.pass_time(2.0)
        assert not rig.ledger.quarantine
        assert not placed(rig).done


def test_invariant_13_a_venue_actor_that_crashed_asks_about_everything_again() -> None:
    with trading() as rig:
        placed(rig)
        rig.crash_actor("venues/a")
        rig.pass_time(0.001)
        fill(rig, 4)
        rig.pass_time(0.5)
        assert leg(rig).booked_increments == 4
        assert not placed(rig).done


def test_invariant_14_a_halt_lets_cancels_out_and_what_reduces() -> None:
    with trading("timeout", "any") as rig:
        placed(rig, quantity=10)
        fill(rig, 4)
        rig.ask(Halt())
        assert placed(rig).done
        assert len(sent(rig)) == 1
        rig.ask(Flatten(None, within_s=0.5))
        rig.pass_time(0.1)
        assert sent(rig)[0][1].state is OrderState.CANCELED
        assert [(order.ticket.side, order.quantity, order.ticket.reduce_only) for _, order in sent(rig)[1:]] == [
            (SELL, 4, True)
        ]
        rig.ask(Resume())
        assert not placed(rig).done


def test_invariant_14_an_order_under_way_sends_no_next_leg_in_a_halt() -> None:
    with trading("any") as rig:
        placed(rig, "any")
        rig.ask(Halt())
        end(rig)
        rig.pass_time(0.1)
        assert not sent(rig, "b")


def test_invariant_14_cancels_go_out_without_a_journal() -> None:
    with trading() as rig:
        placed(rig)
        rig.journal.fill_up()
        rig.cancel(next(iter(rig.ledger.open_orders.values())))
        rig.pass_time(0.1)
        assert sent(rig)[0][1].state is OrderState.CANCELED
        assert leg(rig).state is OrderState.CANCELED
        assert rig.ledger.halted


def test_a_router_that_drains_goes_on_draining_in_its_next_life() -> None:
    with trading("timeout") as rig:
        rig.ask(DrainOrders())
        rig.crash_actor("routers/timeout")
        rig.pass_time(0.1)
        assert placed(rig).done
        assert not sent(rig)
        rig.ask(Resume())
        rig.pass_time(0.01)
        assert not placed(rig).done


def test_a_policy_that_fails_ends_its_routers_life_and_no_order_is_lost() -> None:
    with trading("faulty") as rig:
        handle = placed(rig, "faulty")
        rig.pass_time(0.1)
        assert handle.done
        id, order = sent(rig)[0]
        assert rig.ledger.legs[id].order.ended
        assert order.state.terminal or id in rig.ledger.at("a")
