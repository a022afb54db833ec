"""An application as a value, and its tree."""

import asyncio
from pathlib import Path
from typing import Any

import attrs
import pytest

from ticktree import App, Strategy
from ticktree.actors import Exit, Reason, StopReport, System
from ticktree.app import BadApp, ExitReport, JournalPart, RouterPart, VenuePart, assemble
from ticktree.feeds.simulated import Market
from ticktree.market import BadTopic, Side
from ticktree.routing import (
    Journal,
    LatencySummary,
    OrderCounts,
    OrderState,
    PortfolioSnapshot,
    Purpose,
    Report,
    ReportKind,
    Stage,
    TimeInForce,
    Timeout,
    VenueExecution,
)
from ticktree.routing.facts import AnyFact, Began, Defined, Opened, Reported, Sent
from ticktree.strategies import Momentum

APP = App.simulated(Momentum)
EPOCH, ORDER, LEG = "mwsl0000abc", "mwsl0000abc-1", "mwsl0000abc-1.1"


async def test_the_tree_starts_in_the_order_of_the_data_reversed_and_stops_in_its_reverse() -> None:
    assembly = assemble(APP)
    async with System(assembly.tree) as system:
        started = [node.path for node in system.snapshot().actors()]
    report = await system.wait()
    assert started == [
        "journal", "venues/paper", "routers/default", "portfolio", "controls", "hub", "strategies/momentum",
        "feeds/simulated-exchange", "feeds/simulated",
    ]  # fmt: skip
    assert [step.path for step in report.steps if step.path in started] == started[::-1]
    assert report.exit_code == 0
    assert all(node.mailbox.unaccounted == 0 for node in system.snapshot().actors())


def test_each_tree_is_its_own() -> None:
    assert APP.tree() is not APP.tree()
    assert assemble(APP).office is not assemble(APP).office
    assert assemble(APP).office.ledger is not assemble(APP).office.ledger


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"venues": (VenuePart("paper", prices="simulatd"),)}, "prices of venue paper .* did you mean 'simulated'"),
        ({"routers": (RouterPart("default", Timeout("papre", 1.0)),)}, "router default .* did you mean 'paper'"),
        ({"routers": (RouterPart("other", Timeout("paper", 1.0)),)}, "'default', which is not there; there is other"),
        ({"feeds": ()}, "there is none"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(BadApp, match=why):
        attrs.evolve(APP, **changed)


async def test_after_a_crash_the_next_simulated_venue_is_as_the_journal_says(tmp_path: Path) -> None:
    path = tmp_path / "orders.journal"
    journal = Journal(path)
    journal.open(lambda fact: None)
    for fact in killed_in_the_middle():
        journal.append(fact)
    journal.close()
    assembly = assemble(attrs.evolve(APP, journal=JournalPart(path)))
    ledger = assembly.office.ledger
    async with System(assembly.tree):
        async with asyncio.timeout(5.0):
            while assembly.office.doors["paper"].closed:  # noqa: ASYNC110  # nobody is told of it
                await asyncio.sleep(0.005)
        assert ledger.legs[LEG].state is OrderState.CANCELED
        assert ledger.orders[ORDER].filled_increments == 30
        assert not ledger.quarantine
        assert ORDER not in ledger.open_orders


def killed_in_the_middle() -> list[AnyFact]:
    """Of 100 increments 30 were filled, and the rest rested."""
    btc = Market().instruments[0]
    terms = map(str, (btc.price_increment, btc.size_increment, btc.multiplier, btc.min_notional))
    execution = VenueExecution("x", btc.name, Side.BUY, 30, 6_400_000)
    return [
        Began(1, EPOCH), Defined(1, btc.name, *terms),
        Opened(2, ORDER, "momentum", "default", "", btc.name, Side.BUY, 100, 6_400_000),
        Sent(3, LEG, ORDER, 1, 1, "paper", "paper", Purpose.WORK, Side.BUY, 100, 6_400_000, TimeInForce.GTC, 0,
             False, False, 100),
        Reported(4, "paper", "paper", Report(ReportKind.ACCEPTED, LEG, 4, sequence=7)),
        Reported(5, "paper", "paper", Report(ReportKind.FILL, LEG, 5, 30, execution=execution, sequence=8)),
    ]  # fmt: skip


def test_the_summary_has_a_line_for_each_venue_that_took_orders() -> None:
    stages = dict.fromkeys(Stage, LatencySummary(3, 12_345, 2_500_000, 2_500_000, 2_500_000))
    never = dict.fromkeys(Stage, LatencySummary(0, 0, 0, 0, 0))
    orders = OrderCounts(2, 1, ("a/BTC-USDT",), 1_234, 2, 1, "lunch")
    stop = StopReport(Reason(Exit.SHUTDOWN), 0.1, (), (), (), 0)
    said = str(ExitReport(stop, (), {}, PortfolioSnapshot((), (), {}), orders, {"alpha": stages, "beta": never}))
    lines = [line.split() for line in said.splitlines()]
    assert ["alpha", "3", *["0.0/2.5/2.5", "ms"] * 4] in lines
    assert not any(line[:1] == ["beta"] for line in lines)
    assert said.endswith(
        "fills: 1,234, orders filled beyond what was granted: 1\n"
        "  nothing is held\n"
        "orders still open: 2, legs of them in doubt (unknown): 1\n"
        "quarantined, until it is resolved: a/BTC-USDT\n"
        "trading was halted: lunch"
    )


def test_a_strategy_without_topics_is_refused() -> None:
    with pytest.raises(BadApp, match="no topics"):
        App.simulated(type("Deaf", (Strategy,), {}))


def test_a_topic_that_is_none_is_refused_before_anything_starts() -> None:
    with pytest.raises(BadTopic):
        App.simulated(type("Wrong", (Strategy,), {"topics": ("BTC-USDT",)}))


@pytest.mark.parametrize("what", [Momentum(), object, "momentum"])
def test_run_wants_a_class_and_says_so(what: Any) -> None:
    with pytest.raises(BadApp, match="subclass of Strategy"):
        App.simulated(what)
