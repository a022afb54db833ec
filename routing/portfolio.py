"""What is held and what is out: one object, which outlives every strategy, router and venue.

A plain synchronous object, as the hub is. An order counts from the moment its strategy speaks, before anybody else has
heard of it; a fill from the moment the venue reports it.
"""

import asyncio
from collections import defaultdict, deque
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from ticktree.actors import ActorRef
from ticktree.market import Instrument, Side

from .orders import Execution, ExecutionReport, Fill, Leg, Order, OrderHandle, OrderState

CLOSED_KEPT = 4_096  # orders remembered after their end, for late fills
EXECUTIONS_KEPT = 65_536  # executions remembered, so that each is booked once
ZERO = Decimal(0)


@attrs.define(eq=False)
class LegRecord:
    """A leg, and how far it is known to have come."""

    leg: Leg
    reports: ActorRef[Any]  # who is told of the venue's reports
    state: OrderState = OrderState.SENT
    filled_increments: int = 0


@attrs.define(eq=False)
class OrderRecord:
    """An order, its legs, who wants to hear of its fills, and who waits for its answer."""

    order: Order
    router: str
    owner: ActorRef[Any]
    handle: OrderHandle
    legs: dict[str, LegRecord] = attrs.field(factory=dict[str, LegRecord])
    refusal: str = ""  # why it was never sent, or why a venue ended it

    @property
    def state(self) -> OrderState:
        """That of its last leg; an order that was refused before it had one is rejected."""
        if not self.legs:
            return OrderState.REJECTED if self.refusal else OrderState.NEW
        return next(reversed(self.legs.values())).state

    @property
    def filled_increments(self) -> int:
        """Over all legs."""
        return sum(record.filled_increments for record in self.legs.values())

    @property
    def open_increments(self) -> int:
        """What may yet be filled: all that is not, as long as any leg is not terminal."""
        if self.terminal:
            return 0
        return max(0, self.order.quantity_increments - self.filled_increments)

    @property
    def terminal(self) -> bool:
        """Whether every leg is, or the order was refused."""
        if not self.legs:
            return bool(self.refusal)
        return all(record.state.terminal for record in self.legs.values())

    def execution(self) -> Execution:
        """What is known now."""
        return Execution(self.order, self.state, self.filled_increments, self.open_increments, self.refusal)


class Portfolio:
    """Positions and orders of all strategies. `epoch` begins every order's id and must never come twice."""

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch
        self._orders_made = 0
        self._records: dict[str, OrderRecord] = {}
        self._open: dict[str, OrderRecord] = {}
        self._closed: deque[str] = deque()
        self._positions: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._executions: dict[tuple[str, str], None] = {}
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.fills = 0

    # --- orders ------------------------------------------------------------------------------------------------

    def next_id(self) -> str:
        """An id that no order ever had."""
        self._orders_made += 1
        return f"{self._epoch}-{self._orders_made}"

    def open(self, order: Order, router: str, owner: ActorRef[Any]) -> OrderRecord:
        """Reserve for an order, before it goes anywhere."""
        record = OrderRecord(order, router, owner, OrderHandle(order))
        self._records[order.id] = self._open[order.id] = record
        self._quiet.clear()
        return record

    def refuse(self, record: OrderRecord, reason: str) -> None:
        """An order will not be sent: no byte of it has left. The only end that is ours to declare."""
        record.refusal = reason
        self._close(record)
        record.handle.answer(record.execution())

    def sent(self, leg: Leg, reports: ActorRef[Any]) -> None:
        """A leg is about to leave."""
        self._records[leg.order.id].legs[leg.id] = LegRecord(leg, reports)

    def doubt(self, leg: Leg) -> None:
        """The venue cannot be heard: what becomes of `leg` is unknown until it can."""
        record = self.leg(leg)
        if record is not None and not record.state.terminal:
            record.state = OrderState.UNKNOWN

    def leg(self, leg: Leg) -> LegRecord | None:
        """What is known of a leg."""
        record = self._records.get(leg.order.id)
        return record.legs.get(leg.id) if record else None

    def open_legs(self, venue: str) -> tuple[LegRecord, ...]:
        """Legs at `venue` that are not over."""
        legs = (leg for record in self._open.values() for leg in record.legs.values())
        return tuple(leg for leg in legs if leg.leg.venue == venue and not leg.state.terminal)

    def record(self, order_id: str) -> OrderRecord | None:
        """An order that is open, or ended not long ago."""
        return self._records.get(order_id)

    def open_orders(self) -> tuple[OrderRecord, ...]:
        """Orders that are not terminal, oldest first."""
        return tuple(self._open.values())

    async def quiet(self) -> None:
        """Wait until no order is open."""
        await self._quiet.wait()

    # --- facts -------------------------------------------------------------------------------------------------

    def apply(self, report: ExecutionReport) -> ExecutionReport | None:
        """Book a venue's report; the report to pass on, its fill marked late if it is. None: known already."""
        record = self._records.get(report.order_id)
        fill = report.fill
        if fill is not None:
            if not self._is_new(fill):
                return None
            late = record is None or record.terminal or record.handle.done
            fill = msgspec.structs.replace(fill, late=late)
            self._book(fill)
            report = msgspec.structs.replace(report, fill=fill)
        if record is not None and (leg := record.legs.get(report.leg_id)) is not None:
            self._advance(record, leg, report)
        return report

    def _is_new(self, fill: Fill) -> bool:
        key = (fill.venue, fill.execution_id)
        if key in self._executions:
            return False
        self._executions[key] = None
        if len(self._executions) > EXECUTIONS_KEPT:
            del self._executions[next(iter(self._executions))]
        return True

    def _book(self, fill: Fill) -> None:
        signed = fill.quantity if fill.side is Side.BUY else -fill.quantity
        self._positions[fill.strategy, fill.instrument.name] += signed
        self.fills += 1

    def _advance(self, record: OrderRecord, leg: LegRecord, report: ExecutionReport) -> None:
        leg.filled_increments = max(leg.filled_increments, report.filled_increments)
        if leg.state.terminal:
            return
        keeps_cancel = leg.state is OrderState.CANCEL_SENT and report.state is OrderState.LIVE
        if not keeps_cancel:
            leg.state = report.state
        if record.terminal:
            record.refusal = record.refusal or report.reason
            self._close(record)

    def _close(self, record: OrderRecord) -> None:
        if self._open.pop(record.order.id, None) is None:
            return
        self._closed.append(record.order.id)
        if len(self._closed) > CLOSED_KEPT:
            self._records.pop(self._closed.popleft(), None)
        if not self._open:
            self._quiet.set()

    # --- what strategies ask -----------------------------------------------------------------------------------

    def position(self, strategy: str, instrument: Instrument) -> Decimal:
        """What `strategy` holds of `instrument`; negative when it is short."""
        return self._positions.get((strategy, instrument.name), ZERO)

    def exposure(self, strategy: str, instrument: Instrument) -> Decimal:
        """The position at its worst: with all open buys filled or all open sells, whichever is further from 0.

        0 only when nothing is held and nothing is out.
        """
        position = self.position(strategy, instrument)
        long, short = position, position
        for record in self._working(strategy, instrument):
            out = record.order.instrument.size(record.open_increments)
            if record.order.side is Side.BUY:
                long += out
            else:
                short -= out
        return max(long, short, key=abs)

    def working(self, strategy: str, instrument: Instrument) -> tuple[Order, ...]:
        """Orders that are not terminal, oldest first."""
        return tuple(record.order for record in self._working(strategy, instrument))

    def _working(self, strategy: str, instrument: Instrument) -> list[OrderRecord]:
        return [
            record
            for record in self._open.values()
            if record.order.strategy == strategy and record.order.instrument.name == instrument.name
        ]

    def positions(self) -> dict[tuple[str, str], Decimal]:
        """(strategy, instrument) -> what is held, where it is not 0."""
        return {key: held for key, held in self._positions.items() if held}
