"""The operator's hands on a running system: halt, resume, drain, flatten, resolve. Each is asked of one actor."""

import logging
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import attrs

from ticktree.actors import Actor, Request
from ticktree.market import Side

from .desk import Desk
from .errors import UnknownMessage, UnknownOrder
from .facts import Resolved
from .ledger import News
from .messages import Heard
from .office import Office
from .orders import OrderState, Terms, TimeInForce
from .records import LegRecord
from .reports import Report, ReportKind
from .router import CancelOrder, DrainRouter, ResumeRouter

log = logging.getLogger("ticktree.routing")

LOOK_S = 0.01


@attrs.frozen
class Halt(Request[str]):
    """Send nothing new. Cancels, queries, bookings and what reduces a position go on."""

    reason: str = "the operator's word"


@attrs.frozen
class Resume(Request[str]):
    """Take orders again, also after a drain."""

    reason: str = "the operator's word"


@attrs.frozen
class DrainOrders(Request[str]):
    """Take no more orders and cancel all that are open, until `Resume`."""


@attrs.frozen
class Flatten(Request[tuple[str, ...]]):
    """Halt, cancel what is open, and close positions by reduce-only orders at the market; their order ids.

    `strategy` None: everybody's. `within_s` bounds the wait for the cancels.
    """

    strategy: str | None = None
    within_s: float = 5.0


@attrs.frozen
class Resolve(Request[str]):
    """The operator's word about what no venue explains: an order, one leg, or a quarantined `venue/name`.

    Of orders, what is not booked counts as `state` then; what a venue says later is booked all the same.
    """

    name: str
    state: OrderState = OrderState.CANCELED
    reason: str = "the operator's word"


@attrs.frozen
class _Flattening:
    """It is time to see whether the cancels are through."""

    request: Flatten
    names: tuple[str, ...]
    due_ns: int


class Controls(Actor[Any]):
    """`desks`: each strategy's, to flatten what it holds through its own router.

    No command waits for another, nor the system's stop for any: a flatten looks again and again.
    """

    def __init__(self, office: Office, desks: Callable[[], Mapping[str, Desk]]) -> None:
        self.office, self._desks = office, desks

    def on_message(self, message: Any) -> None:
        request = message.request if isinstance(message, _Flattening) else message
        try:
            self._obey(message)
        except UnknownMessage:
            raise
        except Exception as error:
            if not isinstance(request, Request):
                raise
            request.fail(error)  # the asker's to know; nothing here is broken by it

    def _obey(self, message: Any) -> None:
        match message:
            case Halt(reason):
                self.office.blotter.halt(reason, self.clock.now_ns())
                message.reply(f"halted: {reason}")
            case Resume(reason):
                self.office.blotter.resume(reason, self.clock.now_ns())
                self._tell_routers(ResumeRouter())
                message.reply(f"resumed: {reason}")
            case DrainOrders():
                self._tell_routers(DrainRouter())
                message.reply(f"draining: {len(self.office.ledger.open_orders)} orders are being canceled")
            case Flatten():
                self._flatten(message)
            case _Flattening():
                self._go_on(message)
            case Resolve():
                message.reply(self._resolve(message))
            case _:  # refs found by path take anything
                raise UnknownMessage(self.path, message)

    def _tell_routers(self, message: object) -> None:
        for path in self.office.routers.values():
            self.find(path).tell_control(message)

    # --- flatten ---------------------------------------------------------------------------------------------------

    def _flatten(self, request: Flatten) -> None:
        ledger, desks, strategy = self.office.ledger, self._desks(), request.strategy
        if strategy is not None and strategy not in desks:
            nearest = get_close_matches(strategy, desks, 1)
            raise UnknownOrder(
                f"there is no strategy {strategy!r}" + (f"; did you mean {nearest[0]!r}?" if nearest else "")
            )
        self.office.blotter.halt("positions are being flattened", self.clock.now_ns())
        names = tuple(desks) if strategy is None else (strategy,)
        due_ns = self.clock.monotonic_ns() + round(request.within_s * 1e9)
        for record in tuple(ledger.open_orders.values()):
            if record.order.strategy in names and record.router in self.office.routers:
                self.find(self.office.routers[record.router]).tell_control(CancelOrder(record))
        self._go_on(_Flattening(request, names, due_ns))

    def _go_on(self, flattening: _Flattening) -> None:
        names, desks = flattening.names, self._desks()
        if self._open(names) and self.clock.monotonic_ns() < flattening.due_ns:
            self.after(LOOK_S, flattening)
            return
        orders = tuple(order for name in names for order in self._close(name, desks[name]))
        flattening.request.reply(orders)

    def _open(self, names: tuple[str, ...]) -> bool:
        return any(record.order.strategy in names for record in self.office.ledger.open_orders.values())

    def _close(self, name: str, desk: Desk) -> list[str]:
        ledger, orders = self.office.ledger, list[str]()
        for instrument in tuple(ledger.known()):
            held = ledger.position_of(name, instrument.name)
            if held:
                side, quantity = (Side.SELL, held) if held > 0 else (Side.BUY, -held)
                terms = Terms(time_in_force=TimeInForce.IOC, reduce_only=True)
                handle = desk.submit(self.clock, side, instrument, instrument.size(quantity), None, terms)
                orders.append(handle.order.id)
                log.warning("flatten: order %s: %s", handle.order.id, handle.order)
        return orders

    # --- resolve ---------------------------------------------------------------------------------------------------

    def _resolve(self, message: Resolve) -> str:
        ledger, name, now_ns = self.office.ledger, message.name, self.clock.now_ns()
        if not message.state.terminal:
            raise UnknownOrder(f"{name} can be resolved as canceled, rejected, expired or filled; not {message.state}")
        if name in ledger.quarantine:
            self.office.blotter.insist(Resolved(now_ns, name, message.state, message.reason))
            leg = ledger.legs.get(name.partition("/")[2])
            if leg is None or leg.accounted:
                return f"{name} is released from quarantine"
            legs = [leg]
        else:
            legs = self._doubtful(name)
        for leg in legs:
            self.office.blotter.insist(Resolved(now_ns, leg.leg.id, message.state, message.reason))
            path = self.office.routers.get(leg.order.router)
            if path is not None:
                report = Report(ReportKind.STATUS, leg.leg.id, now_ns, reason=message.reason)
                self.find(path).tell_control(Heard(News(leg, report, leg.state, turned=True)))
        return f"{', '.join(leg.leg.id for leg in legs)} resolved as {message.state}: {message.reason}"

    def _doubtful(self, name: str) -> list[LegRecord]:
        ledger = self.office.ledger
        order, leg = ledger.orders.get(name), ledger.legs.get(name)
        legs = list(order.legs.values()) if order is not None else [leg] if leg is not None else []
        if not legs:
            known = [*ledger.open_orders, *ledger.quarantine]
            nearest = get_close_matches(name, known, 1)
            raise UnknownOrder(f"there is no order {name!r}" + (f"; did you mean {nearest[0]!r}?" if nearest else ""))
        doubtful = [leg for leg in legs if leg.state is OrderState.UNKNOWN or not leg.agreed]
        if not doubtful:
            said = ", ".join(f"{leg.leg.id} is {leg.state}" for leg in legs)
            raise UnknownOrder(f"nothing of {name} is in doubt: {said}; cancel it where it is to end")
        return doubtful
