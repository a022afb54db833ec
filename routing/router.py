"""Orders out: takes orders from strategies, has a policy work each, and passes on what the venues say."""

import asyncio
import logging

import attrs

from ticktree.actors import Actor, ActorRef, Delivery, Exit, Reason
from ticktree.market import plain

from .errors import UnknownMessage, UnknownVenue
from .orders import Execution, ExecutionReport, Leg, OrderState
from .policies import Policy
from .portfolio import OrderRecord, Portfolio
from .venue import CancelLeg, QueryLeg, SubmitLeg, VenueMessage, Venues

log = logging.getLogger("ticktree.routing")

STOPPING = "the system is stopping"


@attrs.frozen
class Submit:
    """Work this order; it stands in the portfolio already."""

    record: OrderRecord


@attrs.frozen
class PolicyFailed:
    """A policy raised: a fault of ours, which ends the router's life."""

    error: BaseException


RouterMessage = Submit | ExecutionReport | PolicyFailed


class Router(Actor[RouterMessage]):
    """`stop_wait_s`: how long a stop waits for the venues' word about orders that are still out."""

    def __init__(
        self, name: str, policy: Policy, venues: Venues, portfolio: Portfolio, stop_wait_s: float = 2.0
    ) -> None:
        self.name, self.policy, self.portfolio = name, policy, portfolio
        self._venues, self._stop_wait_s = venues, stop_wait_s
        self._draining = False
        self._policies: dict[str, asyncio.Task[Execution]] = {}
        self._ended: dict[str, asyncio.Future[None]] = {}

    # --- the actor ---------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        for venue in self.policy.venues:
            if venue not in self._venues:
                raise UnknownVenue(self.name, venue, self._venues)
        for record in self._open_orders():  # a former life's: only the venue knows what became of them
            self._each_open_leg(record, QueryLeg)

    def on_message(self, message: RouterMessage) -> None:
        match message:
            case Submit(record):
                self._submit(record)
            case ExecutionReport():
                self._report(message)
            case PolicyFailed(error):
                raise error
            case _:  # refs found by path take anything
                raise UnknownMessage(self.path, message)

    def on_drain(self) -> None:
        self._draining = True
        for record in self._open_orders():
            if record.legs:
                self._each_open_leg(record, CancelLeg)
                continue
            if (task := self._policies.pop(record.order.id, None)) is not None:
                task.cancel()
            self.portfolio.refuse(record, STOPPING)

    async def on_stop(self, reason: Reason) -> None:
        if reason.kind is Exit.SHUTDOWN:
            await self._wait_for_venues()
        policies, self._policies = self._policies, {}
        for task in policies.values():
            task.cancel()
        if policies:
            await asyncio.wait(policies.values())
        for id in policies:
            self._let_go(id)

    def _let_go(self, order_id: str) -> None:
        """Nobody works this order any more: its strategy gets to know what is known."""
        record = self.portfolio.record(order_id)
        if record is None:
            return
        if record.legs:
            record.handle.answer(record.execution())
        else:
            self.portfolio.refuse(record, "its router ended before it was sent")

    async def _wait_for_venues(self) -> None:
        try:
            async with asyncio.timeout(self._stop_wait_s):
                await self.portfolio.quiet()
        except TimeoutError:
            for record in self._open_orders():
                log.error("%s: %s is still %s at the stop", self.name, record.order.id, record.state)

    # --- orders ------------------------------------------------------------------------------------------------

    def _submit(self, record: OrderRecord) -> None:
        if self._draining:
            self.portfolio.refuse(record, STOPPING)
            return
        task = asyncio.get_running_loop().create_task(
            self.policy.execute(record.order, RouterLegs(self, record)), name=record.order.id
        )
        self._policies[record.order.id] = task
        task.add_done_callback(lambda task: self._answered(record, task))

    def _answered(self, record: OrderRecord, task: "asyncio.Task[Execution]") -> None:
        self._policies.pop(record.order.id, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            record.handle.answer(task.result())
        else:
            self.ref.tell_control(PolicyFailed(error))

    def send(self, leg: Leg) -> None:
        """Have `leg` leave for its venue (the policies')."""
        path = self._venues.get(leg.venue)
        if path is None:
            raise UnknownVenue(self.name, leg.venue, self._venues)
        self.portfolio.sent(leg, self.ref)
        self._ended[leg.id] = asyncio.get_running_loop().create_future()
        log.info("%s: order %s: %s -> %s", self.name, leg.order.id, leg.order, leg.venue)
        self._tell(leg, SubmitLeg(leg, self.ref))

    async def ended(self, leg: Leg) -> None:
        """Wait until `leg` is over (the policies')."""
        future = self._ended.get(leg.id)
        if future is not None:
            await asyncio.shield(future)

    def _tell(self, leg: Leg, message: VenueMessage) -> None:
        venue: ActorRef[VenueMessage] = self.find(self._venues[leg.venue])
        if venue.tell_control(message) is Delivery.ACCEPTED:
            return
        if isinstance(message, SubmitLeg):  # nothing has left: a local refusal
            now_ns, reason = self.clock.now_ns(), f"{leg.venue} takes no orders"
            report = ExecutionReport(leg.order.id, leg.id, leg.venue, OrderState.REJECTED, 0, now_ns, reason=reason)
            self.portfolio.apply(report)
            self.ref.tell_control(report)
        else:
            self.portfolio.doubt(leg)
            log.error("%s: %s cannot be told about leg %s, its state is unknown", self.name, leg.venue, leg.id)

    def _open_orders(self) -> list[OrderRecord]:
        return [record for record in self.portfolio.open_orders() if record.router == self.name]

    def _each_open_leg(self, record: OrderRecord, message: type[CancelLeg] | type[QueryLeg]) -> None:
        for leg in record.legs.values():
            if not leg.state.terminal:
                if message is CancelLeg:
                    leg.state = OrderState.CANCEL_SENT
                self._tell(leg.leg, message(leg.leg, self.ref))

    # --- reports -----------------------------------------------------------------------------------------------

    def _report(self, report: ExecutionReport) -> None:
        record = self.portfolio.record(report.order_id)
        fill = report.fill
        if fill is not None:
            side = "bought" if fill.side.name == "BUY" else "sold"
            held = self.portfolio.position(fill.strategy, fill.instrument)
            log.info(
                "%s: fill %s: %s %s %s %s at %s%s, position %s",
                self.name, fill.order_id, fill.strategy, side, plain(fill.quantity), fill.instrument.name,
                plain(fill.price), " (late)" if fill.late else "", plain(held),
            )  # fmt: skip
            if record is not None:
                record.owner.tell_control(fill)
        elif report.state.terminal:
            level = logging.WARNING if report.state is OrderState.REJECTED else logging.INFO
            log.log(level, "%s: order %s %s: %s", self.name, report.order_id, report.state, report.reason)
        ended = self._ended.pop(report.leg_id, None) if report.state.terminal else None
        if ended is not None and not ended.done():
            ended.set_result(None)


class RouterLegs:
    """A policy's hands: one order, by one router."""

    def __init__(self, router: Router, record: OrderRecord) -> None:
        self._router, self._record = router, record

    def send(self, venue: str, quantity_increments: int) -> Leg:
        """Send a part of the order to `venue`."""
        order = self._record.order
        leg = Leg(f"{order.id}.{len(self._record.legs) + 1}", order, venue, quantity_increments)
        self._router.send(leg)
        return leg

    async def ended(self, leg: Leg) -> None:
        """Wait for the venue's word that a leg is over."""
        await self._router.ended(leg)

    def overdue(self, leg: Leg) -> None:
        """Where the venue has not said a word by now, what became of the leg is unknown."""
        if self._record.legs[leg.id].state is OrderState.SENT:
            self._record.legs[leg.id].state = OrderState.UNKNOWN

    def execution(self) -> Execution:
        """What is known at this moment."""
        return self._record.execution()
