"""Running an application, or a strategy alone; what it is made of is in `parts.py`."""

import asyncio
import gc
import inspect
import signal
from collections.abc import Collection
from importlib import import_module
from typing import Any

import attrs

from ticktree.actors import (
    ActorNode,
    ChildSpec,
    Exit,
    Reason,
    StartFailed,
    StopReport,
    Supervisor,
    System,
    Tree,
    run_system,
)
from ticktree.feeds import FeedAccount
from ticktree.feeds.recording import RecorderStats
from ticktree.routing import LatencySummary, OrderCounts, PortfolioSnapshot, Stage
from ticktree.routing.latency import Stages
from ticktree.routing.portfolio import RouterCounts, VenueCounts
from ticktree.strategies import Strategy

from . import console, preload
from .assembly import Assembly as Assembly, Subscriber as Subscriber, Wanted as Wanted, assemble as assemble
from .parts import (
    App as App,
    BadApp as BadApp,
    FeedPart as FeedPart,
    GatewayPart as GatewayPart,
    GroupPart as GroupPart,
    JournalPart as JournalPart,
    OperationsPart as OperationsPart,
    RelayPart as RelayPart,
    RouterPart as RouterPart,
    SimulatedPart as SimulatedPart,
    StrategyPart as StrategyPart,
    SupervisionPart as SupervisionPart,
    SystemPart as SystemPart,
    TcpVenuePart as TcpVenuePart,
    VenuePart as VenuePart,
    VenueServerPart as VenueServerPart,
    strategy_part as strategy_part,
)


@attrs.frozen
class ExitReport:
    """How a run ended. `str()` is the summary; `report.as_json` has all of it."""

    stop: StopReport
    actors: tuple[ActorNode, ...]
    accounts: dict[str, FeedAccount]
    portfolio: PortfolioSnapshot
    orders: OrderCounts
    latencies: dict[str, dict[Stage, LatencySummary]]  # by venue
    recorders: dict[str, RecorderStats] = attrs.field(factory=dict[str, RecorderStats])
    routers: dict[str, RouterCounts] = attrs.field(factory=dict[str, RouterCounts])
    venues: dict[str, VenueCounts] = attrs.field(factory=dict[str, VenueCounts])
    stages: dict[str, Stages] = attrs.field(factory=dict[str, Stages])  # the histograms, by venue
    tree: Tree | None = None
    app: App | None = None
    began_ns: int = 0  # since 1970
    ended_ns: int = 0
    failed: StartFailed | None = None  # why nothing ran
    incomplete: str = ""  # why it did not do what it was for, though it stopped in order

    @property
    def exit_code(self) -> int:
        """0 when everything stopped in time and for the wanted reason."""
        return self.stop.exit_code or int(bool(self.incomplete))

    def __str__(self) -> str:
        return console.summary(self)


def run(what: App | type[Strategy], loop: str | None = None) -> ExitReport:
    """Run an application, or a strategy on a simulated exchange and a paper venue, until Ctrl-C; blocks.

    `loop` is "uvloop" or "asyncio"; None: as the application says.

    Prints what happens (unless logging is set up already) and a summary. A run that did not end cleanly exits the
    process with its code, 1. Raises `StartFailed` when something could not start.
    """
    app = what if isinstance(what, App) else App.simulated(what)
    console.log_to_stdout()
    report = run_assembly(assemble(app), loop=loop)
    print(f"\n{report}", flush=True)
    if report.exit_code:
        raise SystemExit(report.exit_code)
    return report


def run_assembly(assembly: Assembly, *audience: ChildSpec | Supervisor, loop: str | None = None) -> ExitReport:
    """Run what was assembled, and `audience` beside it, until it ends; blocks. Raises `StartFailed`."""
    report = attempt(assembly, *audience, loop=loop)
    if report.failed is not None:
        raise report.failed
    return report


def attempt(
    assembly: Assembly, *audience: ChildSpec | Supervisor, loop: str | None = None, deaf_at_end: bool = False
) -> ExitReport:
    """As `run_assembly`; where something could not start, that is `failed` in the report.

    `deaf_at_end`: this process ignores SIGINT and SIGTERM from the system's end on. Whoever asks twice for the end is
    not to lose what is still to be written of it.
    """
    system, began_ns, failed = assembly.system(*audience), assembly.clock.now_ns(), None

    def make() -> System:
        task = asyncio.current_task()
        if deaf_at_end and task is not None:
            task.add_done_callback(_turn_deaf)
        return system

    loop = loop or assembly.app.system.loop
    preload.check(assembly.app.system.preload)
    if loop == "uvloop" and preload.preloaded():
        preload.deny_io_uring()
    _import_all(assembly.app)
    gc.freeze()  # what was imported: else the collection at the end of the start blocks the loop for 50 to 300 ms
    try:
        stop = run_system(make, loop)
    except StartFailed as error:
        overran = tuple(cell.path for cell in system.cells() if cell.overran)
        stop, failed = StopReport(Reason(Exit.ERROR, error), 0.0, (), overran, system.leaks, 0), error
    finally:
        gc.unfreeze()
    return _report(assembly, system, stop, began_ns, failed)


def _import_all(app: App) -> None:
    """What parts of it import when they are first used: within the loop that would block it for 100 to 300 ms."""
    if app.operations is not None:
        import_module("ticktree.operations.server")
    if any(isinstance(feed, FeedPart) and "rest_url" in _options(feed.make) for feed in app.feeds):
        import_module("ticktree.feeds.rest_session")


def _options(make: Any) -> Collection[str]:
    """What a feed class can be made with, or what makes one."""
    try:
        return inspect.signature(getattr(make, "kind", make)).parameters.keys()
    except (TypeError, ValueError):  # it does not tell
        return ()


def _turn_deaf(_: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _report(
    assembly: Assembly, system: System, stop: StopReport, began_ns: int, failed: StartFailed | None
) -> ExitReport:
    app, office, tree = assembly.app, assembly.office, system.snapshot()
    ledger, latencies = office.ledger, office.latencies.summaries()
    return ExitReport(
        stop, tree.actors(), assembly.accounts, ledger.snapshot(office.prices), OrderCounts.of(ledger), latencies,
        {name: recorder.stats() for name, recorder in assembly.recorders.items()},
        RouterCounts.of(ledger, (part.name for part in app.routers)),
        VenueCounts.of(ledger, (part.name for part in app.venues)),
        {venue: office.latencies.stages(venue) for venue in latencies},
        tree, app, began_ns, assembly.clock.now_ns(), failed, str(office.blotter.journal.failed or ""),
    )  # fmt: skip
