"""One policy at work on an order, or a part of it: what it may send, and how it hears what became of it.

Scopes are a tree: the root works the whole order, a nested policy a part of it. The laws of over-fill hold in every
scope from the one that sends up to the root. A scope is over when its policy and its parts have ended and all its legs
are accounted for.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ticktree.actors import Clock
from ticktree.actors.clock import NS, Alarm
from ticktree.market import Side, plain

from .errors import BadPolicy, Refusal, Refused, RoutingError
from .gateway import VenueRules
from .orders import Execution, Order, Purpose, TimeInForce
from .policies.policy import Part, Policy
from .records import LegRecord, OrderRecord
from .reports import VenueQuote
from .sends import CANCELED, LegRequest

if TYPE_CHECKING:
    from .legs import OrderScope

log = logging.getLogger("ticktree.routing")

WORK = Purpose.WORK  # members of an enum cost 30 ns to look up on CPython 3.11


class Scope:
    """One policy at work: its `Legs`."""

    def __init__(self, whole: "OrderScope", above: "Scope | None", record: OrderRecord) -> None:
        self.record = record
        self.over = False
        self.answered = False
        self.refusal: Refusal | None = None  # what its policy ended with, if that was one
        self.reason = ""
        self.sent = False
        self._whole, self._above = whole, above
        self.lineage: tuple[Scope, ...] = (self,) if above is None else (self, *above.lineage)  # up to the root
        self._parts: list[Scope] = []
        self._closed: Refusal | None = None
        self._work: asyncio.Task[Execution] | None = None
        self._worked = False  # its policy has ended
        self._abandoned = False
        self._waiting: dict[asyncio.Future[None], None] = {}  # in the order they came
        self._deadline: Deadline | None = None

    # --- Legs: what a policy sees ----------------------------------------------------------------------------------

    @property
    def order(self) -> Order:
        return self.record.order

    @property
    def clock(self) -> Clock:
        return self._whole.sends.clock

    @property
    def venues(self) -> Mapping[str, VenueRules]:
        return self._whole.sends.venues

    @property
    def remaining_increments(self) -> int:
        return max(0, self.order.quantity_increments - self.record.worst(Purpose.WORK))

    def send(
        self,
        venue: str,
        quantity_increments: int,
        limit_increments: int | None = None,
        time_in_force: TimeInForce | None = None,
        purpose: Purpose = WORK,
    ) -> LegRecord:
        order = self.record.order
        if purpose is Purpose.UNWIND:
            raise BadPolicy("a leg is taken back by legs.unwind(leg, quantity_increments); send is for WORK and HEDGE")
        own = purpose is WORK
        if limit_increments is None:
            limit_increments = order.limit_increments if own else order.opposite_limit_increments
        request = LegRequest(
            venue, purpose, order.side if own else other(order.side), quantity_increments, limit_increments,
            time_in_force or order.time_in_force or TimeInForce.GTC, self._whole.next_number(), 1,
        )  # fmt: skip
        return self._send(request)

    def retry(self, leg: LegRecord, quantity_increments: int) -> LegRecord:
        last = self._whole.last_attempt(leg)
        if not last.accounted:
            because = f"attempt {last.leg.attempt} of leg {last.leg.number} is not accounted for: {last.state}"
            raise Refused(Refusal("attempt", because=because))
        ticket, former = last.leg.ticket, last.leg
        request = LegRequest(
            former.venue, former.purpose, ticket.side, quantity_increments, ticket.limit_increments,
            ticket.time_in_force, former.number, self._whole.next_attempt(former.number),
        )  # fmt: skip
        return self._send(request, self._whole.unwound_by(last))

    def unwind(self, leg: LegRecord, quantity_increments: int) -> LegRecord:
        if leg.leg.purpose is Purpose.UNWIND:
            raise BadPolicy(f"leg {leg.leg.id} is itself an unwinding; unwind the leg that it took back")
        request = LegRequest(
            leg.leg.venue, Purpose.UNWIND, other(leg.leg.ticket.side), quantity_increments, None, TimeInForce.IOC,
            self._whole.next_number(), 1,
        )  # fmt: skip
        return self._send(request, leg)

    def cancel(self, *legs: LegRecord) -> None:
        for leg in legs or tuple(self.record.legs.values()):
            if not leg.terminal:
                self._whole.sends.cancel(leg)

    def begin(self, policy: Policy, quantity_increments: int) -> Part:
        order = self.order
        if quantity_increments != order.quantity_increments:
            order = replace(order, quantity_increments=quantity_increments)
        part = Scope(self._whole, self, OrderRecord(order, self.record.router))
        self._parts.append(part)
        part.start(policy)
        return ScopePart(part)

    def answer_after(self, seconds: float) -> None:
        if self.over or self.answered:
            return
        if self._deadline is None:
            self._deadline = Deadline(self.clock, self._deadline_passed)
        self._deadline.at_the_latest(seconds)

    async def accounted(self, *legs: LegRecord) -> None:
        while not all(leg.accounted for leg in legs or self.record.legs.values()):
            await self.hear()

    async def changed(self) -> None:
        if self.record.accounted:
            self._check_open()
        await self.hear()

    async def sleep(self, seconds: float) -> None:
        due_ns = self.clock.monotonic_ns() + round(seconds * NS)
        while True:
            self._check_open()
            if self.clock.monotonic_ns() >= due_ns:
                return
            await self.hear(due_ns)

    async def quotes(self, venues: Iterable[str], within_s: float) -> dict[str, VenueQuote]:
        due_ns = self.clock.monotonic_ns() + round(within_s * NS)
        asked = {venue: self._whole.sends.quote(venue, self.order.instrument) for venue in venues}
        for future in asked.values():
            future.add_done_callback(self._wake)
        try:
            while not all(future.done() for future in asked.values()) and self.clock.monotonic_ns() < due_ns:
                self._check_open()
                await self.hear(due_ns)
            self._check_open()
            answers = {venue: _told(future) for venue, future in asked.items()}
        finally:
            for future in asked.values():
                future.remove_done_callback(self._wake)
                future.cancel()
        return {venue: quote for venue, quote in answers.items() if quote is not None}

    def execution(self, reason: str = "") -> Execution:
        return self.record.execution(reason or self.reason)

    # --- sending ---------------------------------------------------------------------------------------------------

    def _send(self, request: LegRequest, unwinds: LegRecord | None = None) -> LegRecord:
        if request.quantity_increments <= 0:
            raise BadPolicy(f"a leg asks for 1 increment or more; not {request.quantity_increments}")
        self._check_open()
        if unwinds is not None:
            self._check_unwinding(request, unwinds)
        else:
            for scope in self.lineage:
                scope._check_quantity(request)
        leg = self._whole.send(self, request, unwinds)
        for scope in self.lineage:
            scope.sent = True
            scope.record.legs[leg.leg.id] = leg
        return leg

    def _check_open(self) -> None:
        """Raises `Refused` when this part, or a greater one that it belongs to, was canceled."""
        for scope in self.lineage:
            if scope._closed is not None:
                raise Refused(scope._closed)

    def _check_quantity(self, request: LegRequest) -> None:
        order, own = self.record.order, request.purpose is WORK
        allowed = order.quantity_increments + (order.max_overfill_increments if own else 0)
        worst = self.record.worst(request.purpose) + request.quantity_increments
        if worst > allowed:
            limit = "quantity and max_overfill" if own else "quantity of hedges"
            raise Refused(self._beyond(limit, allowed, worst, "filled, what is out, and this leg"))

    def _check_unwinding(self, request: LegRequest, unwinds: LegRecord) -> None:
        allowed = unwinds.booked_increments
        taken = sum(leg.booked_increments + leg.open_increments for leg in self._whole.unwindings(unwinds))
        worst = taken + request.quantity_increments
        if worst > allowed:
            because = f"what leg {unwinds.leg.id} was filled for, and what is taken back of it, this leg included"
            raise Refused(self._beyond("unwinding", allowed, worst, because))

    def _beyond(self, limit: str, allowed: int, worst: int, because: str) -> Refusal:
        size = self.order.instrument.size
        return Refusal(limit, plain(size(allowed)), plain(size(worst)), because)

    # --- its policy ------------------------------------------------------------------------------------------------

    def start(self, policy: Policy) -> None:
        """Have `policy` work this scope's quantity; what it sends at once has left when this returns."""
        loop, task = asyncio.get_running_loop(), None
        try:
            work = policy.execute(self.record.order, self)
            if work is not None:
                task = loop.create_task(work, name=self.order.id)
        except Refused as refused:
            self._policy_over(str(refused), refused.refusal)
        except Exception as error:  # whatever a policy does
            self._whole.fault(error)
        else:
            if task is None:  # it has nothing more to do, and needs no task: those take 40 of 300 us an order
                self._sent_all(loop)
                return
            self._work = task
            task.add_done_callback(self._policy_ended)
            if self._abandoned or self._whole.stopped:  # a nested policy of it failed at once
                task.cancel()

    def _sent_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """Its policy is over. Where a venue has answered within the call, news of that wait already, and go first."""
        if self.record.legs and self.record.accounted:
            loop.call_soon(self._policy_over, "", None)
        else:
            self._policy_over("", None)

    def _policy_ended(self, task: "asyncio.Task[Execution]") -> None:
        error = None if task.cancelled() else task.exception()
        if self._abandoned or self._whole.stopped:
            if error is not None and not isinstance(error, Refused):
                log.error("order %s: its policy failed when it was ended", self.order.id, exc_info=error)
        elif task.cancelled():
            self._whole.fault(BadPolicy("a policy ended by a cancellation that nobody asked for"))
        elif isinstance(error, Refused):
            self._policy_over(str(error), error.refusal)
        elif error is not None:
            self._whole.fault(error)
        else:
            self._returned(task.result())

    def _returned(self, value: object) -> None:
        if isinstance(value, Execution):
            self._policy_over(value.reason, None)
        else:
            self._whole.fault(BadPolicy(f"a policy returns what legs.execution() says; not {value!r:.60}"))

    def _policy_over(self, reason: str, refusal: Refusal | None) -> None:
        if self._abandoned:
            return
        self._worked, self.reason, self.refusal = True, reason, refusal
        for scope in self.lineage:
            scope.settle()

    def settle(self) -> None:
        """Be over, if its policy and its parts are and everything is accounted for."""
        if self.over or not self._worked or self._whole.stopped or not self.record.accounted:
            return
        if self._parts and not all(part.over for part in self._parts):
            return
        self.over = True
        if self._deadline is not None:
            self._deadline.forget()
        if self._above is not None:
            self.record.ended = True
            self.record.refusal = None if self.sent else self.refusal
        for scope in self.lineage:
            scope.wake()
        if self._above is None:
            self._whole.end()

    def close(self, refusal: Refusal) -> None:
        """Nothing more leaves this scope; what is out is taken back."""
        if self._closed is None:
            self._closed = refusal
        self.cancel()
        for scope in self.tree():
            scope.wake()

    def abandon(self, reason: str, refusal: Refusal) -> None:
        """End the policies of this scope and below, without a word of theirs. Their legs stay."""
        for scope in self.tree():
            scope._abandoned, scope._worked = True, True
            scope.reason, scope.refusal = reason, refusal
            scope._stop_working()

    def stop(self) -> "list[asyncio.Task[Execution]]":
        """Cancel all policies and timers of this scope and below; the tasks that were not done."""
        tasks = list["asyncio.Task[Execution]"]()
        for scope in self.tree():
            if scope._deadline is not None:
                scope._deadline.forget()
            scope._stop_working()
            if scope._work is not None and not scope._work.done():
                tasks.append(scope._work)
        return tasks

    def _stop_working(self) -> None:
        # A policy that failed within its own task is ending already.
        if self._work is not None and self._work is not asyncio.current_task():
            self._work.cancel()

    # --- news ------------------------------------------------------------------------------------------------------

    def tree(self) -> "Iterator[Scope]":
        """The parts of this scope, innermost first, and this scope."""
        for part in self._parts:
            yield from part.tree()
        yield self

    async def hear(self, due_ns: int | None = None) -> None:
        """Wait until something is new, or `due_ns`."""
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[news] = None
        alarm = None if due_ns is None else self.clock.call_at(due_ns, partial(_settle, news))
        try:
            await news
        finally:
            self._waiting.pop(news, None)
            if alarm is not None:
                alarm.cancel()

    def wake(self) -> None:
        """Something is new."""
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            for news in waiting:
                _settle(news)

    def _wake(self, _: object) -> None:
        self.wake()

    def _deadline_passed(self) -> None:
        self.answered = True
        if self._above is None:
            self._whole.answer()
        self.wake()


class ScopePart:
    """A scope as the policy sees it that began it: its `Part`."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    @property
    def over(self) -> bool:
        return self._scope.over

    @property
    def legs(self) -> tuple[LegRecord, ...]:
        return tuple(self._scope.record.legs.values())

    def cancel(self) -> None:
        if not self._scope.over:
            self._scope.close(Refusal(CANCELED))

    async def answered(self) -> Execution:
        while not self._scope.answered and not self._scope.over:
            await self._scope.hear()
        return self._outcome()

    async def ended(self) -> Execution:
        while not self._scope.over:
            await self._scope.hear()
        return self._outcome()

    def _outcome(self) -> Execution:
        scope = self._scope
        if scope.over and scope.refusal is not None and not scope.sent:
            raise Refused(scope.refusal)
        return scope.execution()


class Deadline:
    """Calls back at the earliest of the times that it is asked for."""

    def __init__(self, clock: Clock, passed: Callable[[], None]) -> None:
        self._clock, self._passed = clock, passed
        self._due_ns: int | None = None
        self._alarm: Alarm | None = None

    def at_the_latest(self, seconds: float) -> None:
        """Call back within `seconds`."""
        due_ns = self._clock.monotonic_ns() + round(seconds * NS)
        if self._due_ns is None or due_ns < self._due_ns:
            self.forget()
            self._due_ns, self._alarm = due_ns, self._clock.call_at(due_ns, self._passed)

    def forget(self) -> None:
        """Do not call back any more."""
        if self._alarm is not None:
            self._alarm.cancel()


def other(side: Side) -> Side:
    """The other side."""
    return Side.SELL if side is Side.BUY else Side.BUY


def _told(future: "asyncio.Future[VenueQuote | None]") -> VenueQuote | None:
    """What a venue answered; what it could not answer counts as nothing."""
    if not future.done() or future.cancelled():
        return None
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, RoutingError):
        return None
    raise error


def _settle(news: "asyncio.Future[None]") -> None:
    if not news.done():
        news.set_result(None)
