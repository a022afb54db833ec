"""An engine on a bench: prices of 100 increments and sizes of 1, so that tests count in whole numbers."""

from decimal import Decimal
from random import Random

from ticktree.market import BookUpdate, Instrument, Quote, Side, Trade
from ticktree.routing.gateway import VenueRules
from ticktree.routing.orders import OrderState, Ticket, TimeInForce
from ticktree.routing.reports import Report, ReportKind
from ticktree.routing.venues.simulated import Engine

ONE = Instrument("ONE-USD", 1, Decimal(1), Decimal(1))
BUY, SELL = Side.BUY, Side.SELL
Level = tuple[int, int]


def quote(bid: Level = (0, 0), ask: Level = (0, 0), time_ns: int = 0, instrument: Instrument = ONE) -> Quote:
    bid_price, bid_size, ask_price, ask_size = (float(number) for number in (*bid, *ask))
    return Quote("sim", instrument, bid_price, bid_size, ask_price, ask_size, 1, time_ns, time_ns)


def trade(price: int, size: int, aggressor: Side | None = None, time_ns: int = 0) -> Trade:
    return Trade("sim", ONE, float(price), float(size), aggressor, 1, time_ns, time_ns)


def book(bids: tuple[Level, ...] = (), asks: tuple[Level, ...] = (), snapshot: bool = False) -> BookUpdate:
    return BookUpdate("sim", ONE, _levels(bids), _levels(asks), snapshot, 1, 1, 0, 0)


def _levels(levels: tuple[Level, ...]) -> tuple[tuple[float, float], ...]:
    return tuple((float(price), float(size)) for price, size in levels)


def ticket(
    client_id: str,
    side: Side,
    quantity: int,
    limit: int | None,
    time_in_force: TimeInForce = TimeInForce.GTC,
    *,
    expires_ns: int = 0,
    post_only: bool = False,
    reduce_only: bool = False,
    instrument: Instrument = ONE,
) -> Ticket:
    return Ticket(client_id, instrument, side, quantity, limit, time_in_force, expires_ns, post_only, reduce_only)


class Bench:
    """Orders go in, and what is said is kept until somebody asks."""

    def __init__(self, rules: VenueRules | None = None, seed: int = 1) -> None:
        self.engine = Engine("sim", rules or VenueRules(), Random(seed), self._hear)
        self.heard: list[tuple[str, Report]] = []
        self._asked = 0

    def _hear(self, account: str, report: Report) -> None:
        self.heard.append((account, report))

    def submit(self, account: str, order: Ticket, now_ns: int = 0) -> None:
        self.engine.submit(account, order, now_ns)

    def rest(self, account: str, client_id: str, side: Side, quantity: int, limit: int) -> None:
        """A plain order that finds nobody; what is said until then is forgotten."""
        self.submit(account, ticket(client_id, side, quantity, limit))
        assert self.engine.orders(account)[client_id].resting
        self.said()

    def reports(self) -> list[tuple[str, Report]]:
        """What was said since somebody asked last."""
        new, self._asked = self.heard[self._asked :], len(self.heard)
        return new

    def said(self) -> list[str]:
        """The same, in words: who, which order, what."""
        return [f"{account} {report.client_id} {_words(report)}" for account, report in self.reports()]

    def last(self) -> Report:
        """The last of it."""
        return self.reports()[-1][1]

    def state(self, account: str, client_id: str) -> OrderState:
        return self.engine.orders(account)[client_id].state

    def due_ns(self) -> int | None:
        """When the next order expires."""
        return self.engine.next_expiry_ns


def _words(report: Report) -> str:
    execution = report.execution
    if execution is None:
        return report.kind
    what = "" if report.kind is ReportKind.FILL else f" {report.kind}"
    return f"{execution.quantity_increments}@{execution.price_increments}{what}"
