"""The one door between what happens and what is known: written first, or not done."""

import logging
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

from ticktree.actors import VirtualClock, simulate
from ticktree.market import Instrument, Side
from ticktree.routing.blotter import Blotter
from ticktree.routing.errors import JournalFailed, Refusal, Refused
from ticktree.routing.facts import (
    Answered,
    AnyFact,
    Began,
    CancelSent,
    Defined,
    Ended,
    Opened,
    Reported,
    Resumed,
    Sent,
    Turned,
)
from ticktree.routing.ids import readable_id
from ticktree.routing.journal import Journal
from ticktree.routing.orders import Leg, Order, OrderState, Purpose, Ticket
from ticktree.routing.records import OrderRecord
from ticktree.routing.reports import Report, ReportKind

from ..market.samples import BTC, ETH, quote
from .stories import execution, now, picture
from .trading import Paper

NOW_NS = 1_700_000_000_000_000_000
MS = 1_000_000


def begun(journal: Paper | Journal | None = None, now_ns: int = NOW_NS, seed: int = 7) -> Blotter:
    blotter = Blotter(journal, Random(seed))
    blotter.begin(now_ns)
    return blotter


def an_order(blotter: Blotter, instrument: Instrument = BTC, grant: int = 0) -> Order:
    return Order(blotter.next_order_id(), "s", instrument, Side.BUY, 10, 10_000, max_overfill_increments=grant)


def open_(blotter: Blotter, instrument: Instrument = BTC) -> OrderRecord:
    return blotter.open(an_order(blotter, instrument), "r", "timeout", NOW_NS, quote())


def leg_of(order: Order, number: int = 1, attempt: int = 1) -> Leg:
    id = readable_id(order.id, number, attempt)
    ticket = Ticket(id, order.instrument, order.side, order.quantity_increments, order.limit_increments)
    return Leg(id, order, number, attempt, "a", Purpose.WORK, ticket)


def kinds(journal: Paper) -> list[type[AnyFact]]:
    return [type(fact) for fact in journal.facts]


def without_epoch(blotter: Blotter) -> dict[str, Any]:
    """A process counts its orders anew."""
    known = picture(blotter.ledger)
    return {**known, "counts": known["counts"][2:]}


# --- the beginning -------------------------------------------------------------------------------------------------


def test_a_new_journal_begins_an_epoch() -> None:
    journal = Paper()
    blotter = Blotter(journal, Random(7))
    assert not now(blotter.begun)
    assert blotter.begin(NOW_NS).is_new
    assert blotter.begun
    assert kinds(journal) == [Began]
    assert blotter.ledger.epoch
    assert blotter.next_order_id() == f"{blotter.ledger.epoch}-1"


def test_each_process_has_an_epoch_of_its_own_for_a_journal_does_not_show_what_it_has_lost() -> None:
    journal = Paper()
    first = begun(journal)
    open_(first)
    again = begun(journal, NOW_NS + MS, seed=8)
    assert int(again.ledger.epoch, 36) > int(first.ledger.epoch, 36)
    assert again.next_order_id() == f"{again.ledger.epoch}-1"
    assert set(again.ledger.orders) == set(first.ledger.orders)


def test_two_new_journals_of_the_same_millisecond_have_different_epochs() -> None:
    assert begun(seed=1).ledger.epoch != begun(seed=2).ledger.epoch


def test_epochs_grow_even_when_a_tail_was_cut_and_the_clock_went_back(tmp_path: Path) -> None:
    path = tmp_path / "orders.journal"
    epochs = list[str]()
    for now_ns in (NOW_NS, NOW_NS - 3_600_000 * MS, NOW_NS - 7_200_000 * MS):
        blotter = begun(Journal(path), now_ns)
        epochs.append(blotter.ledger.epoch)
        blotter.journal.close()
        with path.open("ab") as file:
            file.write(b"\x07\x00")  # as a write that was cut off
    counts = [int(epoch[:-3], 36) for epoch in epochs]
    assert counts == [NOW_NS // MS, NOW_NS // MS + 1, NOW_NS // MS + 2]


def test_no_client_order_id_repeats_over_restarts_whatever_was_lost(tmp_path: Path) -> None:
    path = tmp_path / "orders.journal"
    seen = set[str]()
    for life in range(4):
        blotter = begun(Journal(path), NOW_NS, seed=life)
        for _ in range(3):
            order = open_(blotter).order
            for attempt in (1, 2):
                leg = leg_of(order, attempt=attempt)
                assert leg.id not in seen
                seen.add(leg.id)
                blotter.send(leg, "acc", NOW_NS)
        blotter.journal.close()
        path.write_bytes(path.read_bytes()[:-40])  # the last leg was sent, and the disk does not know
    assert len(seen) == 24


def test_what_a_journal_holds_is_known_again(tmp_path: Path) -> None:
    path = tmp_path / "orders.journal"
    blotter = begun(Journal(path))
    leg = leg_of(open_(blotter).order)
    blotter.send(leg, "acc", NOW_NS)
    blotter.report("a", "acc", Report(ReportKind.FILL, leg.id, 0, 4, execution=execution(4)), NOW_NS)
    blotter.journal.close()
    again = begun(Journal(path))
    assert without_epoch(again) == without_epoch(blotter)
    again.journal.close()


def test_the_very_first_epoch_may_be_at_time_zero() -> None:
    assert begun(now_ns=0).ledger.epoch.startswith("1")


# --- orders and legs -----------------------------------------------------------------------------------------------


def test_an_order_is_written_with_the_quote_it_was_decided_on() -> None:
    journal = Paper()
    blotter = begun(journal)
    open_(blotter)
    fact = journal.facts[-1]
    assert isinstance(fact, Opened)
    assert fact.quote == ("sim", 7, 100.0, 100.5, 20)
    assert (fact.quantity, fact.limit, fact.policy) == (10, 10_000, "timeout")


def test_an_instrument_is_defined_once_before_its_first_order_and_again_when_it_changes() -> None:
    journal = Paper()
    blotter = begun(journal)
    for instrument in (BTC, BTC, ETH, attrs.evolve(BTC, id=99)):
        open_(blotter, instrument)
    assert kinds(journal) == [Began, Defined, Opened, Opened, Defined, Opened, Opened]
    finer = attrs.evolve(BTC, size_increment=BTC.size_increment / 10)
    open_(blotter, finer)
    assert kinds(journal)[-2:] == [Defined, Opened]
    assert blotter.ledger.instruments[BTC.name] is finer


def test_after_a_restart_a_definition_that_is_the_same_is_not_written_again() -> None:
    journal = Paper()
    open_(begun(journal))
    again = begun(journal)
    open_(again)
    assert kinds(journal).count(Defined) == 1
    assert again.ledger.instruments[BTC.name] is BTC


def test_a_leg_is_written_with_the_worst_that_its_order_may_come_to() -> None:
    journal = Paper()
    blotter = begun(journal)
    order = an_order(blotter, grant=5)
    blotter.open(order, "r", "any", NOW_NS)
    record = blotter.send(leg_of(order), "acc", NOW_NS)
    fact = journal.facts[-1]
    assert isinstance(fact, Sent)
    assert (fact.leg_id, fact.account, fact.worst) == (f"{order.id}.1", "acc", 15)
    assert record.state is OrderState.SENT


# --- a journal that cannot be written ------------------------------------------------------------------------------


def test_no_order_and_no_leg_happens_that_cannot_be_written_and_trading_halts(caplog: pytest.LogCaptureFixture) -> None:
    journal = Paper()
    blotter = begun(journal)
    order = open_(blotter).order
    before = picture(blotter.ledger)
    journal.break_down()
    for attempt in (lambda: open_(blotter), lambda: open_(blotter, ETH), lambda: blotter.send(leg_of(order), "acc", 0)):
        with pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.refusal.limit == "journal"
    halted = "the journal failed: paper: the disk is full"
    assert picture(blotter.ledger) == {**before, "halted": halted}
    assert blotter.ledger.halted == halted
    assert caplog.text.count("trading halts") == 1


def test_an_order_that_no_journal_can_hold_is_refused_and_harms_nothing_else() -> None:
    journal = Paper()
    blotter = begun(journal)
    journal.holds = lambda fact: not isinstance(fact, Opened)
    with pytest.raises(Refused, match="it cannot hold that"):
        open_(blotter)
    assert not blotter.ledger.halted
    journal.holds = lambda fact: True
    assert open_(blotter).order.id


def test_a_fact_of_ones_own_that_cannot_be_written_has_not_happened() -> None:
    journal = Paper()
    blotter = begun(journal)
    journal.break_down()
    with pytest.raises(JournalFailed):
        blotter.record(Began(0, "other"))
    assert blotter.ledger.epoch != "other"


def test_words_of_venues_and_cancels_count_without_a_journal() -> None:
    journal = Paper()
    blotter = begun(journal)
    leg = leg_of(open_(blotter).order)
    record = blotter.send(leg, "acc", NOW_NS)
    journal.break_down()
    news = blotter.report("a", "acc", Report(ReportKind.FILL, leg.id, 0, 4, execution=execution(4)), NOW_NS)
    assert news is not None
    assert news.fill is not None
    assert blotter.ledger.position(BTC.name) == 4
    assert blotter.ledger.halted
    blotter.insist(CancelSent(0, leg.id))
    assert record.state is OrderState.CANCEL_SENT


def test_what_is_no_news_is_not_written() -> None:
    journal = Paper()
    blotter = begun(journal)
    leg = leg_of(open_(blotter).order)
    blotter.send(leg, "acc", NOW_NS)
    fill = Report(ReportKind.FILL, leg.id, 0, 4, execution=execution(4))
    assert blotter.report("a", "acc", fill, NOW_NS) is not None
    assert blotter.report("a", "acc", fill, NOW_NS) is None
    assert kinds(journal).count(Reported) == 1


# --- what an order goes through ------------------------------------------------------------------------------------


def test_an_order_is_answered_and_ended_once() -> None:
    journal = Paper()
    blotter = begun(journal)
    record = open_(blotter)
    for _ in range(2):
        blotter.answered(record, NOW_NS)
        blotter.ended(record, NOW_NS, "done")
    assert kinds(journal)[-2:] == [Answered, Ended]
    assert kinds(journal).count(Answered) == kinds(journal).count(Ended) == 1
    assert (record.answered, record.ended, record.reason) == (True, True, "done")


def test_a_refusal_is_written_with_the_limit_its_value_and_the_attempts() -> None:
    journal = Paper()
    blotter = begun(journal)
    record = open_(blotter)
    refusal = Refusal("risk.max_position", "1", "2", "too much")
    blotter.turn_down(record, refusal, NOW_NS)
    assert journal.facts[-1] == Turned(NOW_NS, record.order.id, "risk.max_position", "1", "2", "too much")
    assert record.refusal == refusal


def test_a_halt_is_written_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    journal = Paper()
    blotter = begun(journal)
    blotter.halt("enough", NOW_NS)
    blotter.halt("more than enough", NOW_NS)
    assert blotter.ledger.halted == "more than enough"
    assert caplog.text.count("trading halts") == 1
    blotter.resume("go on", NOW_NS)
    assert journal.facts[-1] == Resumed(NOW_NS, "go on")
    assert not blotter.ledger.halted
    assert "trading resumes: go on" in caplog.text


def test_nothing_resumes_on_a_journal_that_cannot_be_written() -> None:
    journal = Paper()
    blotter = begun(journal)
    journal.break_down()
    blotter.halt("enough", NOW_NS)
    with pytest.raises(JournalFailed):
        blotter.resume("go on", NOW_NS)
    assert blotter.ledger.halted == "enough"


# --- durability ----------------------------------------------------------------------------------------------------


def noted(blotter: Blotter) -> list[BaseException | None]:
    heard = list[BaseException | None]()
    blotter.when_durable(heard.append)
    return heard


def test_what_is_durable_already_goes_on_at_once() -> None:
    assert noted(begun(Paper())) == [None]


def test_what_is_not_goes_on_in_order_when_it_is_or_with_the_error_that_it_never_will_be() -> None:
    async def main(clock: VirtualClock) -> None:
        journal = Paper()
        blotter = begun(journal)
        journal.slow = True
        order = list[int]()
        for place in range(3):
            then: Callable[[BaseException | None], None] = lambda _, place=place: order.append(place)  # type: ignore[misc]  # noqa: E731  # a lambda of the loop's value
            blotter.when_durable(then)
        lost = noted(blotter)
        assert order == []
        error = JournalFailed("paper", "the disk is full")
        journal.waiting.pop().set_exception(error)
        journal.commit()
        await clock.sleep(0.001)
        assert order == [0, 1, 2]
        assert lost == [error]

    simulate(main)
