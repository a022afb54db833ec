"""Running an application, or a strategy alone; what it is made of is in `parts.py`."""

import attrs

from ticktree.actors import (
    ActorNode,
    StopReport,
    System,
    run_system,
)
from ticktree.feeds import FeedAccount
from ticktree.routing import (
    LatencySummary,
    OrderCounts,
    PortfolioSnapshot,
    Stage,
)
from ticktree.strategies import Strategy

from . import console
from .assembly import Assembly as Assembly, Subscriber as Subscriber, Wanted as Wanted, assemble as assemble
from .parts import (
    App as App,
    BadApp as BadApp,
    FeedPart as FeedPart,
    JournalPart as JournalPart,
    RelayPart as RelayPart,
    RouterPart as RouterPart,
    SimulatedPart as SimulatedPart,
    StrategyPart as StrategyPart,
    TcpVenuePart as TcpVenuePart,
    VenuePart as VenuePart,
    VenueServerPart as VenueServerPart,
    strategy_part as strategy_part,
)


@attrs.frozen
class ExitReport:
    """How a run ended. `str()` is the summary."""

    stop: StopReport
    actors: tuple[ActorNode, ...]
    accounts: dict[str, FeedAccount]
    portfolio: PortfolioSnapshot
    orders: OrderCounts
    latencies: dict[str, dict[Stage, LatencySummary]]  # by venue

    @property
    def exit_code(self) -> int:
        """0 when everything stopped in time and for the wanted reason."""
        return self.stop.exit_code

    def __str__(self) -> str:
        return console.summary(self)


def run(what: App | type[Strategy], loop: str = "uvloop") -> ExitReport:
    """Run an application, or a strategy on a simulated exchange and a paper venue, until Ctrl-C; blocks.

    `loop` is "uvloop" or "asyncio".

    Prints what happens (unless logging is set up already) and a summary. A run that did not end cleanly exits the
    process with its code, 1. Raises `StartFailed` when something could not start.
    """
    app = what if isinstance(what, App) else App.simulated(what)
    console.log_to_stdout()
    assembly = assemble(app)
    report = run_assembly(assembly, System(assembly.tree, assembly.clock), loop)
    print(f"\n{report}", flush=True)
    if report.exit_code:
        raise SystemExit(report.exit_code)
    return report


def run_assembly(assembly: Assembly, system: System, loop: str = "uvloop") -> ExitReport:
    """Run `system`, made of the tree of `assembly`, until it ends; blocks."""
    stop = run_system(lambda: system, loop)
    office = assembly.office
    held, orders = office.ledger.snapshot(office.prices), OrderCounts.of(office.ledger)
    latencies = office.latencies.summaries()
    return ExitReport(stop, system.snapshot().actors(), assembly.accounts, held, orders, latencies)
