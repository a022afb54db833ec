"""What the audience sees of the system at one moment: numbers and names, copied, and nothing that still moves."""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

import attrs

from ticktree.actors.cell import ActorCell
from ticktree.feeds import FeedAccount
from ticktree.market import plain
from ticktree.routing import Holding, LatencySummary, Stage

from ..assembly import Assembly
from .tally import Tally

RATE_OVER_S = 1.0
SLOW_S = 1.0  # between two looks at the histograms, which take 0.2 ms a venue
STAGES = Stage.DECISION_TO_WIRE, Stage.WIRE_TO_ACK


@attrs.frozen
class FeedLook:
    """One feed. `state`: live, lost, or what its actor does otherwise."""

    name: str
    state: str
    events_per_s: float
    events: int
    gaps: int
    reconnects: int
    restarts: int


@attrs.frozen
class StrategyLook:
    """One strategy: its mailbox, what it holds by instrument, and its profit after fees, by currency."""

    name: str
    router: str
    queued: int
    capacity: int
    oldest_age_ms: float
    delivered: int
    restarts: int
    fills: int
    held: dict[str, Decimal]
    profit: dict[str, Decimal]


@attrs.frozen
class VenueLook:
    """One venue. `closed`: why it takes no orders; empty when it does."""

    name: str
    closed: str
    stages: dict[Stage, LatencySummary]


@attrs.frozen
class Picture:
    """All of it. `restarts` has the actors that were restarted; `orders` is by router, as `Tally` has them."""

    elapsed_s: float
    feeds: tuple[FeedLook, ...]
    strategies: tuple[StrategyLook, ...]
    venues: tuple[VenueLook, ...]
    orders: dict[str, dict[str, int]]
    fills: int
    restarts: dict[str, int]
    actors: int
    halted: str

    @property
    def profit(self) -> dict[str, Decimal]:
        """Over all strategies."""
        return _sum(look.profit for look in self.strategies)


class Camera:
    """Takes pictures of one assembly under way. It reads the actors' cells: `System.snapshot` also looks up where each
    class is written, which takes most of its time."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._began_ns = assembly.clock.monotonic_ns()
        self._tally = Tally(assembly.office.ledger, assembly.office.routers)
        self._events = {name: deque([(0.0, 0)]) for name in assembly.accounts}
        self._stages: dict[str, dict[Stage, LatencySummary]] = {}
        self._staged_s = -SLOW_S

    def take(self) -> Picture:
        """How things are now."""
        app, office, place = self._assembly.app, self._assembly.office, self._assembly.app.supervision.place
        elapsed_s = (self._assembly.clock.monotonic_ns() - self._began_ns) / 1e9
        cells = {cell.path: cell for cell in self._assembly.system().cells()}
        holdings = office.ledger.snapshot(office.prices).holdings
        if elapsed_s - self._staged_s >= SLOW_S:
            self._staged_s, self._stages = elapsed_s, self._look_at_stages()
        return Picture(
            elapsed_s,
            tuple(self._feed(name, cells[place("feeds", name)], elapsed_s) for name in self._assembly.accounts),
            tuple(_strategy(part.name, part.router, cells[place("strategies", part.name)], holdings)
                  for part in app.strategies),
            tuple(VenueLook(name, door.closed, self._stages.get(name, {})) for name, door in office.doors.items()),
            self._tally.look(),
            office.ledger.fills,
            {path: cell.restarts for path, cell in cells.items() if cell.restarts},
            len(cells),
            office.ledger.halted,
        )  # fmt: skip

    def _look_at_stages(self) -> dict[str, dict[Stage, LatencySummary]]:
        latencies = self._assembly.office.latencies
        return {
            name: {stage: getattr(latencies.stages(name), stage.name.lower()).summary() for stage in STAGES}
            for name in self._assembly.office.doors
        }

    def _feed(self, name: str, cell: ActorCell, elapsed_s: float) -> FeedLook:
        account = self._assembly.accounts[name]
        state = "restarting" if cell.life is None else "live" if account.live else "lost"
        rate = self._rate(name, elapsed_s, account)
        reconnects = max(0, account.connections - 1)
        return FeedLook(name, state, rate, account.events, account.gaps, reconnects, cell.restarts)

    def _rate(self, name: str, elapsed_s: float, account: FeedAccount) -> float:
        """Over the last second, or what there was of it."""
        seen = self._events[name]
        seen.append((elapsed_s, account.events))
        while seen[1][0] <= elapsed_s - RATE_OVER_S:
            seen.popleft()
        since_s, before = seen[0]
        return (account.events - before) / (elapsed_s - since_s) if elapsed_s > since_s else 0.0


def _strategy(name: str, router: str, cell: ActorCell, holdings: tuple[Holding, ...]) -> StrategyLook:
    box, own = cell.stats(), [one for one in holdings if one.strategy == name]
    return StrategyLook(
        name, router, box.queued, box.capacity, box.oldest_age_ns / 1e6, box.delivered, cell.restarts,
        sum(one.fills for one in own),
        {one.instrument: one.quantity for one in own if one.quantity},
        _sum(_profit(one) for one in own),
    )  # fmt: skip


def _profit(holding: Holding) -> dict[str, Decimal]:
    """Of what is closed and what is open, as far as that has a price, less fees."""
    parts = {holding.currency: holding.realised + (holding.unrealised or 0)}
    return _sum([parts, {currency: -fee for currency, fee in holding.fees.items()}])


def _sum(parts: Iterable[dict[str, Decimal]]) -> dict[str, Decimal]:
    total = dict[str, Decimal]()
    for part in parts:
        for currency, value in part.items():
            total[currency] = total.get(currency, Decimal(0)) + value
    return total


def held(quantities: dict[str, Decimal]) -> str:
    """0.01 BTC, -0.2 ETH."""
    return ", ".join(f"{plain(size)} {name.partition('-')[0]}" for name, size in quantities.items()) or "flat"


def money(amounts: dict[str, Decimal]) -> str:
    """+1.25 USDT."""
    return ", ".join(f"{amount:+.2f} {currency}" for currency, amount in amounts.items()) or "0"


def took(summary: LatencySummary | None) -> str:
    """0.04 / 0.21 ms."""
    if summary is None or not summary.count:
        return "-"
    return f"{summary.p50_ns / 1e6:.2f} / {summary.p99_ns / 1e6:.2f} ms"
