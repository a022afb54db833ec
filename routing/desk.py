"""A strategy's door to its router: an order is checked, journalled and counted before anybody else hears of it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs

from ticktree.actors import ActorRef, Clock, Delivery
from ticktree.market import Instrument, Number, Quote, Side

from .errors import BadOrder, Refusal, Refused, UnknownOrder
from .holdings import PortfolioSnapshot
from .office import Office
from .orders import PLAIN_TERMS, Execution, Order, OrderHandle, OrderState, Terms
from .positions import Position
from .records import OrderRecord
from .router import CancelOrder, ReplaceOrder, Submit


@attrs.frozen
class Desk:
    """Trades for `strategy`; what it sees is that strategy's own. `policy` is its router's, for the journal."""

    strategy: str
    router: str
    office: Office
    find_router: Callable[[], ActorRef[Any]]
    policy: str = ""

    def submit(  # what an order is made of
        self,
        clock: Clock,
        side: Side,
        instrument: Instrument,
        quantity: Number,
        limit: Number | None,
        terms: Terms = PLAIN_TERMS,
    ) -> OrderHandle:
        """Have an order worked. A refused one is answered at once, with its `refusal`.

        Raises `OffIncrement`, `BadNumber`, `BadOrder` for what could never be an order.
        """
        office, now_ns = self.office, clock.now_ns()
        order = Order.of(office.blotter.next_order_id(), self.strategy, instrument, side, quantity, limit, terms)
        handle, quote = OrderHandle(order), office.prices(instrument)
        refusal = office.gate.check_order(order, quote)
        try:
            record = office.blotter.open(order, self.router, self.policy, now_ns, quote)
        except Refused as error:
            handle.end(Execution(order, OrderState.REJECTED, 0, 0, str(error), refusal=error.refusal))
            return handle
        record.decided_ns = now_ns
        office.handles[order.id] = handle
        if refusal is None:
            delivery = self.find_router().tell(Submit(record), 0)
            if delivery is Delivery.ACCEPTED:
                return handle
            refusal = Refusal("router", because=f"the router {self.router} took no order ({delivery.value})")
        self._refuse(record, refusal, now_ns)
        return handle

    def _refuse(self, record: OrderRecord, refusal: Refusal, now_ns: int) -> None:
        self.office.blotter.turn_down(record, refusal, now_ns)
        handle = self.office.handles.pop(record.order.id)
        handle.end(record.execution())

    def cancel(self, order_id: str) -> None:
        """Take an order back; the venue's word about that comes as a report. Raises `UnknownOrder`."""
        self.find_router().tell_control(CancelOrder(self._open(order_id)))

    def replace(self, order_id: str, quantity: Number | None, limit: Number | None) -> None:
        """Change an order to this whole quantity and limit; None leaves it as it is.

        Raises `UnknownOrder`, `OffIncrement`, `BadNumber`, `BadOrder`.
        """
        record = self._open(order_id)
        order, instrument = record.order, record.order.instrument
        size = order.quantity_increments if quantity is None else instrument.size_increments(quantity)
        at = order.limit_increments if limit is None else instrument.price_increments(limit)
        if size <= 0 or (at is not None and at <= 0):
            raise BadOrder(f"{self.strategy}: {order} is changed to a quantity and a limit above 0; or cancel it")
        self.find_router().tell_control(ReplaceOrder(record, size, at))

    def _open(self, order_id: str) -> OrderRecord:
        record = self.office.ledger.open_orders.get(order_id)
        if record is None or record.order.strategy != self.strategy:
            raise UnknownOrder(f"{self.strategy} has no open order {order_id!r}")
        return record

    def position(self, instrument: Instrument | str) -> Decimal:
        """What is held."""
        instrument = self._known(instrument)
        return instrument.size(self.office.ledger.position_of(self.strategy, instrument.name))

    def holding(self, instrument: Instrument) -> Position:
        """What is held, with average price, profit and fees."""
        return self.office.ledger.positions.of(self.strategy, instrument.name)

    def exposure(self, instrument: Instrument | str) -> Decimal:
        """The position at its worst: with all open buys filled or all open sells, whichever is further from 0.

        0 only when nothing is held and nothing is out.
        """
        instrument = self._known(instrument)
        ledger, name = self.office.ledger, instrument.name
        held = ledger.position_of(self.strategy, name)
        long = held + ledger.open_of(self.strategy, name, Side.BUY)
        short = held - ledger.open_of(self.strategy, name, Side.SELL)
        return instrument.size(max(long, short, key=abs))

    def working(self, instrument: Instrument | str) -> tuple[Order, ...]:
        """Orders that are out, oldest first."""
        name = instrument if isinstance(instrument, str) else instrument.name
        return tuple(
            record.order
            for record in self.office.ledger.open_orders.values()
            if record.order.strategy == self.strategy and record.order.instrument.name == name
        )

    def _known(self, instrument: Instrument | str) -> Instrument:
        """By its name, as orders in it were counted; 1 where there never was one, and so nothing to be counted."""
        if isinstance(instrument, Instrument):
            return instrument
        ledger = self.office.ledger
        return ledger.instruments.get(instrument) or ledger.positions.increments_of(instrument)

    # --- what all of them see and do ---------------------------------------------------------------------------

    def last(self, instrument: Instrument | str) -> Quote | None:
        """The freshest quote of it that can be judged by, whichever feed brought it; None without one."""
        if isinstance(instrument, str):  # prices go by names
            instrument = self.office.ledger.positions.increments_of(instrument)
        return self.office.prices(instrument)

    def portfolio(self) -> PortfolioSnapshot:
        """What everybody holds, at the freshest prices."""
        return self.office.ledger.snapshot(self.office.prices)

    def halt(self, clock: Clock, reason: str) -> None:
        """Send nothing new, for nobody, as the operator's `Halt`."""
        self.office.blotter.halt(f"{self.strategy}: {reason}", clock.now_ns())

    @property
    def halted(self) -> str:
        """Why nothing new is sent; empty while it is."""
        return self.office.ledger.halted
