"""A venue that is nothing but its own books.

It shares no code with the simulated venue: what an order may come to is written down here a second time.
"""

from collections import Counter
from collections.abc import Callable
from random import Random

import attrs
import msgspec

from ticktree.actors import Clock
from ticktree.market import Instrument, Side
from ticktree.routing.orders import OrderState, Ticket, TimeInForce
from ticktree.routing.reports import AccountReport, Report, ReportKind, VenueExecution

NS = 1_000_000_000


@attrs.define
class Executed:
    id: str
    quantity: int
    price: int
    revision: int = 0


@attrs.define
class ModelOrder:
    """The truth about one order. `over_and_filled`: the venue filled it after its end, against its own word."""

    ticket: Ticket
    quantity: int
    limit: int | None
    state: OrderState = OrderState.LIVE
    executions: list[Executed] = attrs.field(factory=list[Executed])
    over_and_filled: bool = False

    @property
    def cumulative(self) -> int:
        return sum(execution.quantity for execution in self.executions)

    @property
    def open(self) -> int:
        return 0 if self.state.terminal else max(0, self.quantity - self.cumulative)


class ModelVenue:
    """`say` is called with every report; `arrives` with every new order that arrives, once it counts here."""

    def __init__(self, name: str, random: Random) -> None:
        self.name = name
        self.orders: dict[str, ModelOrder] = {}
        self.strays: list[VenueExecution] = []  # executions of an order that nobody ever sent
        self.submissions: Counter[str] = Counter()  # by our side; the way may repeat them
        self.say: Callable[[Report], None] = lambda report: None
        self.arrives: Callable[[Ticket], None] = lambda ticket: None
        self.clock: Clock | None = None
        self.skew_ns = 0  # its wall clock is not ours
        self.numbered = True  # its words about an account have a sequence
        self.refuses = 0.0  # so often a new order is rejected
        self.takes = False  # orders that are not to rest are filled, in part, and end at once
        self.corrections = self.fills = 0
        self.lost = 0  # words that never reached us
        self._random = random
        self._sequence = 0

    def now_ns(self) -> int:
        return (self.clock.now_ns() if self.clock is not None else 0) + self.skew_ns

    # --- what arrives ----------------------------------------------------------------------------------------------

    def submit(self, ticket: Ticket) -> None:
        id = ticket.client_id
        if id in self.orders:
            self.query(id)
            return
        order = self.orders[id] = ModelOrder(ticket, ticket.quantity_increments, ticket.limit_increments)
        self.arrives(ticket)
        if self._random.random() < self.refuses:
            self.end(id, OrderState.REJECTED, "not today")
            return
        self._tell(ReportKind.ACCEPTED, id)
        if self.takes and ends_at_once(ticket):
            taken = self._random.choice((0, order.open // 2, order.open))
            if taken:
                self.fill(id, taken, 10_000)
            if order.open:
                self.end(id, OrderState.CANCELED)

    def cancel(self, client_id: str) -> None:
        order = self.orders.get(client_id)
        if order is None or order.state.terminal:
            self._tell(ReportKind.CANCEL_REJECTED, client_id, "too late")
        else:
            self.end(client_id, OrderState.CANCELED)

    def replace(self, client_id: str, quantity: int, limit: int | None) -> None:
        order = self.orders.get(client_id)
        if order is None or order.state.terminal or quantity <= order.cumulative:
            self._tell(ReportKind.REPLACE_REJECTED, client_id, "too late")
            return
        order.quantity, order.limit = quantity, limit
        self._tell(ReportKind.REPLACED, client_id)

    def query(self, client_id: str) -> None:
        self._tell(ReportKind.NOT_FOUND if client_id not in self.orders else ReportKind.STATUS, client_id)

    def query_fills(self, client_id: str) -> None:
        order = self.orders.get(client_id)
        for execution in order.executions if order is not None else ():
            self._tell(ReportKind.CORRECTED if execution.revision else ReportKind.FILL, client_id, execution=execution)
        self.query(client_id)

    # --- what happens there ----------------------------------------------------------------------------------------

    def fill(self, client_id: str, quantity: int, price: int) -> None:
        order = self.orders[client_id]
        if order.state.terminal:
            order.over_and_filled = True
        assert 0 < quantity <= order.quantity - order.cumulative
        self.fills += 1
        order.executions.append(Executed(f"{self.name}-{self.fills}", quantity, price))
        if not order.state.terminal and order.open == 0:
            order.state = OrderState.FILLED
        self._tell(ReportKind.FILL, client_id, execution=order.executions[-1])

    def end(self, client_id: str, state: OrderState, reason: str = "") -> None:
        self.orders[client_id].state = state
        self._tell(ReportKind(state.value), client_id, reason)

    def correct(self, client_id: str, place: int, quantity: int, price: int) -> None:
        """Quantity 0: a bust. An order that is over never comes back to life by it; of another, it is open again."""
        execution = self.orders[client_id].executions[place]
        execution.quantity, execution.price = min(quantity, execution.quantity), price
        execution.revision += 1
        self.corrections += 1
        self._tell(ReportKind.CORRECTED, client_id, execution=execution)

    def lie(self, client_id: str) -> None:
        """Count less than was said before, without any bust."""
        told = self._report(ReportKind.ACCEPTED, client_id)
        self.say(msgspec.structs.replace(told, cumulative_increments=max(0, told.cumulative_increments - 1)))

    def stray(self, instrument: Instrument, side: Side, quantity: int) -> None:
        """Execute an order that is nobody's."""
        execution = VenueExecution(f"{self.name}-stray-{len(self.strays)}", instrument.name, side, quantity, 10_000)
        self.strays.append(execution)
        id = f"nobody-{len(self.strays)}"
        self.say(Report(ReportKind.FILL, id, self.now_ns(), quantity, execution=execution, sequence=self._next()))

    def unknown(self, kind: ReportKind) -> None:
        """Speak of an order that is nobody's."""
        self.say(Report(kind, "nobody", self.now_ns(), state=OrderState.LIVE, sequence=self._next()))

    # --- the truth -------------------------------------------------------------------------------------------------

    @property
    def misbehaved(self) -> bool:
        return bool(self.strays) or any(order.over_and_filled for order in self.orders.values())

    def position(self, instrument: str) -> int:
        held = sum(_signed(one.side, one.quantity_increments) for one in self.strays if one.instrument == instrument)
        for order in self.orders.values():
            if order.ticket.instrument.name == instrument:
                held += _signed(order.ticket.side, order.cumulative)
        return held

    def open(self, instrument: str, side: Side) -> int:
        return sum(
            order.open
            for order in self.orders.values()
            if order.ticket.instrument.name == instrument and order.ticket.side is side
        )

    def account(self) -> AccountReport:
        names = {order.ticket.instrument.name for order in self.orders.values()} | {s.instrument for s in self.strays}
        positions = {name: self.position(name) for name in names}
        reports = tuple(
            msgspec.structs.replace(self._report(ReportKind.STATUS, id), instrument=order.ticket.instrument.name)
            for id, order in self.orders.items()
            if not order.state.terminal
        )
        return AccountReport(reports, {name: held for name, held in positions.items() if held}, self.now_ns())

    def copy(self) -> "ModelVenue":
        """Another one that knows the same, and whom nobody hears yet."""
        other = ModelVenue(self.name, Random(0))
        for id, order in self.orders.items():
            other.orders[id] = attrs.evolve(order, executions=[attrs.evolve(one) for one in order.executions])
        other.submissions, other.fills, other._sequence = Counter(self.submissions), self.fills, self._sequence
        other.strays, other.corrections, other.numbered = list(self.strays), self.corrections, self.numbered
        return other

    # --- saying ----------------------------------------------------------------------------------------------------

    def _next(self) -> int:
        self._sequence += self.numbered
        return self._sequence

    def _tell(self, kind: ReportKind, client_id: str, reason: str = "", execution: Executed | None = None) -> None:
        self.say(self._report(kind, client_id, reason, execution))

    def _report(self, kind: ReportKind, client_id: str, reason: str = "", execution: Executed | None = None) -> Report:
        order, sequence = self.orders.get(client_id), self._next()
        if order is None:
            return Report(kind, client_id, self.now_ns(), reason=reason, sequence=sequence)
        told = None
        if execution is not None:
            told = VenueExecution(
                execution.id, order.ticket.instrument.name, order.ticket.side, execution.quantity, execution.price,
                revision=execution.revision,
            )  # fmt: skip
        return Report(
            kind, client_id, self.now_ns(), order.cumulative, order.quantity, order.limit, order.state, told, reason,
            sequence=sequence,
        )  # fmt: skip


def ends_at_once(ticket: Ticket) -> bool:
    """Whether an order does not rest."""
    return ticket.limit_increments is None or ticket.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)


def _signed(side: Side, quantity: int) -> int:
    return quantity if side is Side.BUY else -quantity


def executed(venues: dict[str, ModelVenue]) -> dict[tuple[str, str], tuple[str, Executed]]:
    """All executions of orders: (venue, execution id) -> (client order id, execution)."""
    found: dict[tuple[str, str], tuple[str, Executed]] = {}
    for venue in venues.values():
        for id, order in venue.orders.items():
            found.update({(venue.name, one.id): (id, one) for one in order.executions})
    return found
