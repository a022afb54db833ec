"""An application as a value, and its tree."""

import asyncio
import signal
from errno import ENOSPC
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from ticktree import App, Strategy
from ticktree.actors import (
    Actor,
    ChildSpec,
    Exit,
    Fail,
    Mailbox,
    Reason,
    RestartStrategy,
    StartFailed,
    StopReport,
    Supervisor,
    System,
)
from ticktree.app import (
    BadApp,
    ExitReport,
    FeedPart,
    GroupPart,
    JournalPart,
    OperationsPart,
    RouterPart,
    SimulatedPart,
    SupervisionPart,
    TcpVenuePart,
    VenuePart,
    assemble,
    attempt,
    run_assembly,
    strategy_part,
)
from ticktree.curtain import curtain
from ticktree.feeds.exchanges.kraken import KrakenFeed
from ticktree.feeds.simulated import Market
from ticktree.market import BadTopic, Quote, Side
from ticktree.routing import (
    Fill,
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
        "journal", "venues/paper", "routers/default", "portfolio", "controls", "hub", "opening",
        "strategies/momentum", "feeds/simulated-exchange", "feeds/simulated",
    ]  # fmt: skip
    assert [step.path for step in report.steps if step.path in started] == started[::-1]
    assert report.exit_code == 0
    assert all(node.mailbox.unaccounted == 0 for node in system.snapshot().actors())


def test_each_tree_is_its_own() -> None:
    assert APP.tree() is not APP.tree()
    assert assemble(APP).office is not assemble(APP).office
    assert assemble(APP).office.ledger is not assemble(APP).office.ledger


def grouped(name: str, *members: str) -> dict[str, Any]:
    return {"supervision": SupervisionPart(groups={"feeds": {name: GroupPart(members=members)}})}


def test_a_simulated_feed_may_stand_in_a_group_with_its_exchange() -> None:
    app = attrs.evolve(APP, **grouped("together", "simulated", "simulated-exchange"))
    feeds = next(one for one in app.tree().children if one.id == "feeds")
    assert isinstance(feeds, Supervisor)
    (group,) = feeds.children
    assert isinstance(group, Supervisor)
    assert [one.id for one in group.children] == ["simulated-exchange", "simulated"]


class Fragile(Strategy):
    """Its first life fails; the next ones buy once."""

    topics = ("*/BTC-USDT/quote",)
    lives = 0
    fills = 0

    def on_start(self) -> None:
        type(self).lives += 1
        self.done = False

    def on_quote(self, quote: Quote) -> None:
        if self.lives == 1:
            raise ValueError("fragile")
        if not self.done:
            self.done = True
            self.buy(quote.instrument, "0.01")

    def on_fill(self, fill: Fill) -> None:
        type(self).fills += 1


@pytest.mark.parametrize("how", [how for how in RestartStrategy if how is not RestartStrategy.SIMPLE_ONE_FOR_ONE])
async def test_who_restarts_within_a_group_keeps_subscriptions_and_desk(how: RestartStrategy) -> None:
    Fragile.lives = Fragile.fills = 0
    members = {
        "venues": ("paper",), "routers": ("default",), "strategies": ("fragile", "momentum"),
        "feeds": ("simulated", "simulated-exchange"),
    }  # fmt: skip
    groups = {room: {"group": GroupPart(strategy=how, members=names)} for room, names in members.items()}
    parts = strategy_part(Fragile), *APP.strategies
    assembly = assemble(attrs.evolve(APP, strategies=parts, supervision=SupervisionPart(groups=groups)))
    system = assembly.system()
    await system.start()
    try:
        async with asyncio.timeout(10):
            for _ in iter(lambda: Fragile.fills > 0, True):
                await asyncio.sleep(0.01)
    finally:
        report = await system.stop()
    assert Fragile.lives == 2
    together = how is not RestartStrategy.ONE_FOR_ONE
    assert {node.path for node in system.snapshot().actors() if node.life > 1} == {"strategies/group/fragile"} | (
        {"strategies/group/momentum"} if together else set()
    )
    assert report.exit_code == 0
    assert assembly.office.ledger.position_of("fragile", "BTC-USDT") > 0


def test_what_makes_a_part_is_told_without_its_options() -> None:
    feed = FeedPart("k", partial(KrakenFeed, url="wss://hidden"), ("BTC-USD",))
    gateway = TcpVenuePart("v", "tcp://127.0.0.1:1", "me", "hidden").gateway
    assert "KrakenFeed" in repr(feed)
    assert "TcpGateway" in repr(gateway)
    assert "hidden" not in f"{feed!r}{gateway!r}"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"venues": (VenuePart("paper", prices="simulatd"),)}, "prices of venue paper .* did you mean 'simulated'"),
        ({"routers": (RouterPart("default", Timeout("papre", 1.0)),)}, "router default .* did you mean 'paper'"),
        ({"routers": (RouterPart("other", Timeout("paper", 1.0)),)}, "'default', which is not there; there is other"),
        ({"feeds": ()}, "there is none"),
        ({"feeds": (SimulatedPart("a/b"),)}, "'a/b' of feeds: a name is 1 to 64 letters"),
        ({"feeds": (SimulatedPart(""),)}, "'' of feeds: a name is"),
        ({"strategies": APP.strategies * 2}, "2 of strategies are called .*; each has a name of its own"),
        (
            {"feeds": (*APP.feeds, FeedPart("simulated-exchange", KrakenFeed, ("BTC-USD",)))},
            "2 of feeds are called simulated-exchange",
        ),
        ({"supervision": SupervisionPart(GroupPart(members=("paper",)))}, "only groups have members"),
        ({"supervision": SupervisionPart(rooms={"kitchen": GroupPart()})}, "supervision is of the rooms .*'kitchen'"),
        (
            grouped("simulated-exchange", "simulated"),
            "simulated-exchange of feeds needs .* a name that none of feeds has",
        ),
        (grouped("a/b", "simulated"), "the group 'a/b' of feeds: a name is"),
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


class Cannot(Strategy):
    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        raise RuntimeError("no licence")


def test_what_cannot_start_is_raised_or_told_in_the_report_and_everything_else_is_stopped() -> None:
    with pytest.raises(StartFailed, match="strategies/cannot did not start: RuntimeError: no licence"):
        run_assembly(assemble(App.simulated(Cannot)))
    report = attempt(assemble(App.simulated(Cannot)))
    assert report.failed is not None
    assert (report.failed.path, report.exit_code) == ("strategies/cannot", 1)
    assert {node.state for node in report.actors} == {"vacant"}


@pytest.mark.parametrize("deaf", [False, True])
def test_a_program_may_be_deaf_to_signals_from_the_end_on(deaf: bool) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    assembly = assemble(APP)
    try:
        report = attempt(assembly, curtain(assembly.system, 0.05), deaf_at_end=deaf)
        ignored = [signal.getsignal(number) is signal.SIG_IGN for number in before]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert (report.exit_code, ignored) == (0, [deaf, deaf])


@pytest.mark.parametrize("what", [Momentum(), object, "momentum"])
def test_run_wants_a_class_and_says_so(what: Any) -> None:
    with pytest.raises(BadApp, match="subclass of Strategy"):
        App.simulated(what)


class Enough(Exception):
    """What was to be seen was seen."""


def test_what_would_block_the_loop_to_import_is_imported_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = list[str]()

    def imported(name: str) -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        names.append(name)
        if len(names) == 2:
            raise Enough

    monkeypatch.setattr("ticktree.app.import_module", imported)
    kraken = FeedPart("kraken", partial(KrakenFeed, depth=10), ("BTC-USD",))
    asking = attrs.evolve(APP, feeds=(*APP.feeds, kraken), operations=OperationsPart(tmp_path / "s.sock"))
    with pytest.raises(Enough):
        attempt(assemble(asking))
    assert names == ["ticktree.operations.server", "ticktree.feeds.rest_session"]


def test_a_run_whose_journal_failed_is_no_clean_end_and_says_why(tmp_path: Path) -> None:
    assembly = assemble(attrs.evolve(APP, journal=JournalPart(tmp_path / "orders.journal")))
    journal = assembly.office.blotter.journal

    class Breaks(Actor[None]):
        def on_start(self) -> None:
            assert isinstance(journal, Journal)
            journal.broke(OSError(ENOSPC, "No space left on device"))

    breaks = ChildSpec("breaks", Breaks, Mailbox(1, Fail()))
    report = attempt(assembly, breaks, curtain(assembly.system, 0.05))
    assert report.stop.exit_code == 0
    assert report.exit_code == 1
    assert "No space left on device" in report.incomplete
