"""Orders out: takes orders from strategies, has a policy work each, and passes on what the venues say."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import attrs
import msgspec
from msgspec.structs import replace

from ticktree.actors import Actor, ActorRef, Delivery, Exit, Reason
from ticktree.market import Instrument, Side, plain

from .errors import BadOrder, BadPolicy, Refusal, Refused, UnknownMessage, UnknownVenue
from .facts import Doubted, NotSent
from .gateway import VenueRules
from .ids import id_rule
from .ledger import News
from .legs import OrderScope
from .messages import AskQuote, CancelLeg, Heard, ReplaceLeg, SubmitLeg
from .office import Office, VenueDoor
from .orders import Execution, Fill, Leg, OrderState, OrderUpdate, Purpose, Ticket
from .policies import Policy
from .records import LegRecord, OrderRecord
from .reports import Report, VenueQuote
from .risk import SelfTrade
from .sends import CANCELED, LegRequest

log = logging.getLogger("ticktree.routing")

STOPPING = "the system is stopping"
DRAINING = "the router is draining"
WORD_S = 0.005  # between two looks whether the venues have said their last word
WORK, CANCEL_RESTING = Purpose.WORK, SelfTrade.CANCEL_RESTING  # members of an enum cost 30 ns to look up
AT_ONCE = 16  # orders that a drain cancels before others have their turn: 150 us each


class Submit(msgspec.Struct, frozen=True):
    """Work this order; it is journalled and counts already."""

    record: OrderRecord


class CancelOrder(msgspec.Struct, frozen=True):
    """Send no more for this order, and take back what is out."""

    record: OrderRecord


class ReplaceOrder(msgspec.Struct, frozen=True):
    """Change an order of one leg to that whole quantity and limit."""

    record: OrderRecord
    quantity_increments: int
    limit_increments: int | None


@attrs.frozen
class DrainRouter:
    """Take no more orders, and cancel those that are open; until `ResumeRouter`."""


@attrs.frozen
class ResumeRouter:
    """Take orders again."""


@attrs.frozen
class _GoOn:
    """Time to cancel the next ones."""


@attrs.frozen
class Fault:
    """A policy raised what it should not: a fault of ours, which ends the router's life."""

    error: BaseException


RouterMessage = Submit | CancelOrder | ReplaceOrder | DrainRouter | ResumeRouter | Heard | Fault | _GoOn


class Router(Actor[RouterMessage]):
    """Works orders by `policy`. `stop_wait_s`: how long a stop waits for the venues' word about what is still out."""

    def __init__(self, name: str, policy: Policy, office: Office, stop_wait_s: float = 2.0) -> None:
        self.name, self.policy, self.office = name, policy, office
        self._blotter, self._ledger = office.blotter, office.ledger
        self._stop_wait_s = stop_wait_s
        self._stopped = False
        self._scopes: dict[str, OrderScope] = {}
        self._leaving: dict[str, OrderRecord] = {}  # that a drain has yet to cancel, also when it ends meanwhile
        self._refs: dict[str, ActorRef[Any]] = {}
        self._ids: dict[str, tuple[VenueRules, Callable[[str, int, int], str]]] = {}

    @property
    def venues(self) -> Mapping[str, VenueRules]:
        """What may be sent to, and what is declared there (the policies')."""
        return self.office.rules

    @property
    def _draining(self) -> str:
        """Why no orders are taken; also by the next life."""
        return self.office.draining.get(self.name, "")

    # --- the actor -------------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        for venue in self.policy.venues:
            self._door(venue)
        self.office.routers.setdefault(self.name, self.path)
        for record in self._orders():  # a former life's, or process': what is out is adopted, nothing more is sent
            self._blotter.ended(record, self.clock.now_ns(), "its router started anew")
            self._answer_now(record)
            self._settle(record)
        if self._draining:  # the former life may not have come to all of them
            self._drain(self._draining)

    def on_message(self, message: RouterMessage) -> None:
        match message:
            case Submit():
                self._submit(message.record)
            case Heard():
                self._heard(message.news)
            case CancelOrder(record):
                self._cancel_order(record)
            case ReplaceOrder():
                self._replace(message)
            case DrainRouter():
                self._drain(DRAINING)
            case ResumeRouter():
                self.office.draining.pop(self.name, None)
            case _GoOn():
                self._go_on()
            case Fault(error):
                raise error
            case _:  # refs found by path take anything
                raise UnknownMessage(self.path, message)

    def on_drain(self) -> None:
        self._drain(STOPPING)

    async def on_stop(self, reason: Reason) -> None:
        if reason.kind is Exit.SHUTDOWN:
            for _ in iter(self._cancel_some, False):
                await asyncio.sleep(0)
            await self._wait_for_venues()
        self._stopped = True
        ending = [task for scope in tuple(self._scopes.values()) for task in scope.stop()]
        if ending:
            await asyncio.wait(ending, timeout=1.0)
        for record in self._orders():
            self._answer_now(record)

    def _drain(self, why: str) -> None:
        """Nothing new from now on. What is open is canceled a few at a time: of tens of thousands each costs its entry
        in the journal, and nobody else would have a turn meanwhile."""
        self.office.draining[self.name] = why
        goes_on = bool(self._leaving)
        self._leaving |= {record.order.id: record for record in self._orders()}
        if not goes_on:
            self._go_on()

    def _go_on(self) -> None:
        if self._cancel_some():
            self.after(0.0, _GoOn())  # a timer, behind which messages that wait have their turn

    def _cancel_some(self) -> bool:
        """Cancel the next few; whether any are left."""
        for order_id in tuple(islice(self._leaving, AT_ONCE)):
            self._cancel_order(self._leaving.pop(order_id))
        return bool(self._leaving)

    async def _wait_for_venues(self) -> None:
        """The venue actors write their venues' words down while this one stops: watch the ledger, not the mailbox."""
        out = self._orders()
        try:
            async with asyncio.timeout(self._stop_wait_s):
                while any(record.legs and not self._is_over(record) for record in out):
                    await self.clock.sleep(WORD_S)
        except TimeoutError:
            self._leave_unknown()
        for record in out:
            if self._is_over(record):
                self._blotter.ended(record, self.clock.now_ns(), STOPPING)
                self._settle(record)

    def _is_over(self, record: OrderRecord) -> bool:
        return all(leg.accounted for leg in record.legs.values())

    def _leave_unknown(self) -> None:
        for record in self._orders():
            for leg in record.legs.values():
                if not leg.terminal and leg.state is not OrderState.UNKNOWN:
                    self._blotter.insist(Doubted(self.clock.now_ns(), leg.leg.id, "the system stopped"))
            log.error("%s: %s is still %s at the stop", self.name, record.order.id, record.state)

    # --- orders ----------------------------------------------------------------------------------------------------

    def _orders(self) -> list[OrderRecord]:
        return [record for record in self._ledger.open_orders.values() if self.office.home(record.router) == self.name]

    def _submit(self, record: OrderRecord) -> None:
        if record.ended:  # it was canceled, or the router's former life failed, while it waited: its caller knows
            return
        if self._leaving.pop(record.order.id, None) is not None:
            self._cancel_order(record)
            return
        if self.office.draining and self._draining and not record.order.reduce_only:
            self.refuse(record, Refusal("drain", because=self._draining))
            return
        scope = self._scopes[record.order.id] = OrderScope(self, record, self.policy)
        scope.start()
        if scope.done.done():
            self._ended(scope, record)
        else:
            scope.done.add_done_callback(lambda _: self._ended(scope, record))

    def _ended(self, scope: OrderScope, record: OrderRecord) -> None:
        self._scopes.pop(record.order.id, None)
        if self._stopped or scope.done.cancelled():  # the next life adopts what is out
            return
        error = scope.done.exception()
        if isinstance(error, Refused) and not record.legs:
            self.refuse(record, error.refusal)
            return
        if error is not None and not isinstance(error, Refused):
            self.fault(error)
        reason = str(error) if error is not None else scope.done.result().reason
        self._blotter.ended(record, self.clock.now_ns(), reason)
        if not record.terminal:  # something came in between
            self._answer_now(record)
        self._settle(record)

    def _answer_now(self, record: OrderRecord) -> None:
        self.answer(record, record.execution())

    def _settle(self, record: OrderRecord) -> None:
        """Everything is accounted for: whoever waits for the end hears of it."""
        if not record.terminal:
            return
        handle = self.office.handles.pop(record.order.id, None)
        if handle is not None:
            handle.end(record.execution())

    def refuse(self, record: OrderRecord, refusal: Refusal) -> None:
        """Turn an order down of which no byte has left."""
        now_ns, order = self.clock.now_ns(), record.order
        self._blotter.turn_down(record, refusal, now_ns)
        log.log(_weight(refusal), "%s: order %s refused: %s", self.name, order.id, refusal)
        self._tell(record, OrderUpdate(order.id, "", "", OrderState.REJECTED, 0, now_ns, str(refusal)))
        self._settle(record)

    def _cancel_order(self, record: OrderRecord) -> None:
        scope = self._scopes.get(record.order.id)
        if scope is not None:
            scope.cancel()
        elif not record.legs and not record.ended:  # it still waits in the mailbox, which a cancel passes by
            self.refuse(record, Refusal(CANCELED))
        else:
            for leg in record.legs.values():
                self.cancel(leg)

    def _replace(self, message: ReplaceOrder) -> None:
        record = message.record
        legs = list(record.legs.values())
        refusal: Refusal | None
        if len(legs) != 1 or legs[0].state is not OrderState.LIVE:
            state = str(legs[0].state) if len(legs) == 1 else f"of {len(legs)} legs"
            refusal = Refusal(
                "replace", because=f"only an order of one leg that is live can be replaced; it is {state}"
            )
        elif not self.office.rules[legs[0].leg.venue].replaces:
            refusal = Refusal("replace", because=f"{legs[0].leg.venue} replaces no orders")
        else:
            refusal = self.office.gate.check_replace(legs[0], message.quantity_increments, message.limit_increments)
        if refusal is not None:
            now_ns, order = self.clock.now_ns(), record.order
            log.log(_weight(refusal), "%s: order %s is not replaced: %s", self.name, order.id, refusal)
            update = OrderUpdate(order.id, "", "", record.state, record.filled_increments, now_ns, str(refusal))
            self._tell(record, update)
            return
        wanted = ReplaceLeg(legs[0], message.quantity_increments, message.limit_increments)
        self._venue(legs[0].leg.venue).tell_control(wanted)

    # --- what scopes want (legs.Sends) -----------------------------------------------------------------------------

    def send(self, record: OrderRecord, request: LegRequest) -> LegRecord:
        """Check, journal and send a leg. Raises `Refused`, `UnknownVenue`."""
        door, order = self._door(request.venue), record.order
        if self._leaving or self.office.draining:
            leaves = order.id in self._leaving or (self._draining and not order.reduce_only)
            if leaves and request.purpose is WORK:
                raise Refused(Refusal("drain", because=self._draining or DRAINING))
        if door.closed:
            raise Refused(Refusal("venue", because=f"{request.venue} takes no orders: {door.closed}"))
        if self._ledger.quarantine and (held := self._ledger.is_quarantined(request.venue, order.instrument.name)):
            raise Refused(Refusal("quarantine", because=f"{request.venue}/{held.name}: {held.what}; resolve it first"))
        leg = self._leg(record, request, door)
        self._check(leg, record)
        clock = self.clock
        now_ns = clock.now_ns()
        sent = self._blotter.send(leg, door.account, now_ns)
        sent.decided_ns, sent.journal_ns = record.decided_ns, clock.now_ns()
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: order %s: %s -> %s", self.name, order.id, order, leg.venue)
        delivery = self._ref(door.path).tell(SubmitLeg(sent), 0)
        if delivery is not Delivery.ACCEPTED:
            reason = f"{leg.venue} takes no orders ({delivery.value})"
            self._blotter.insist(NotSent(now_ns, leg.id, reason))
            raise Refused(Refusal("venue", because=reason))
        return sent

    def _leg(self, record: OrderRecord, request: LegRequest, door: VenueDoor) -> Leg:
        order = record.order
        rules, rule = self._ids.get(request.venue, (None, None))
        if rule is None or rules is not door.rules:  # a venue may declare others with each login
            try:
                rule = id_rule(request.venue, door.rules)
            except BadPolicy as error:
                raise Refused(Refusal("venue", because=str(error))) from error
            self._ids[request.venue] = door.rules, rule
        ticket = request.ticket(rule(order.id, request.number, request.attempt), order)
        if ticket.reduce_only and not self._covers(request.venue, ticket):
            ticket = replace(ticket, reduce_only=False)
        leg = Leg(ticket.client_id, order, request.number, request.attempt, request.venue, request.purpose, ticket)
        if leg.id in self._ledger.legs:
            raise Refused(Refusal("client order id", because=f"{leg.id} was sent already, and none is used twice"))
        try:
            door.rules.check(request.venue, ticket)
        except BadOrder as error:
            raise Refused(Refusal("venue", because=str(error))) from error
        return leg

    def _covers(self, venue: str, ticket: Ticket) -> bool:
        """Whether the account's position there is such that the venue would agree that an order reduces it. What one
        strategy holds may stand at another venue, or against what another one holds."""
        ledger, name = self._ledger, ticket.instrument.name
        held = ledger.positions.at_venue(venue, name) + ledger.adopted[venue, name]
        return (held if ticket.side is Side.SELL else -held) >= ticket.quantity_increments

    def _check(self, leg: Leg, record: OrderRecord) -> None:
        """Invariant 8, then the gate; legs that would trade with ours are taken back first, where that is asked for."""
        order, ticket = leg.order, leg.ticket
        if leg.purpose is WORK:
            worst, granted = ticket.quantity_increments, record.granted_increments
            if record.legs:
                worst += record.filled_increments + record.unknown_increments
            if worst > granted:
                size = order.instrument.size
                raise Refused(Refusal("max_overfill", plain(size(granted)), plain(size(worst))))
        gate = self.office.gate
        refusal = gate.check_leg(
            order, leg.venue, ticket.side, ticket.quantity_increments, ticket.limit_increments, leg.purpose
        )
        if refusal is not None:
            raise Refused(refusal)
        if gate.limits.self_trade is CANCEL_RESTING:
            for resting in gate.crossing(leg.venue, order.instrument, ticket.side, ticket.limit_increments):
                self.cancel(resting)

    def cancel(self, leg: LegRecord) -> None:
        """Take a leg back, again and again until there is evidence."""
        if leg.terminal:
            return
        if leg.leg.venue not in self.office.doors:  # of a former process, whose application had it
            log.error("%s: order %s stays where it is: there is no venue %s", self.name, leg.leg.id, leg.leg.venue)
            return
        self._venue(leg.leg.venue).tell_control(CancelLeg(leg))

    def quote(self, venue: str, instrument: Instrument) -> "asyncio.Future[VenueQuote | None]":
        """What `venue` displays."""
        answer: asyncio.Future[VenueQuote | None] = asyncio.get_running_loop().create_future()

        def settle(quote: VenueQuote | None) -> None:
            if not answer.done():
                answer.set_result(quote)

        if self._venue(venue).tell_control(AskQuote(instrument, settle)) is not Delivery.ACCEPTED:
            settle(None)
        return answer

    def answer(self, record: OrderRecord, execution: Execution) -> None:
        """The caller goes on; fills from here on are late."""
        self._blotter.answered(record, self.clock.now_ns())
        handle = self.office.handles.get(record.order.id)
        if handle is not None:
            handle.answer(execution)

    def fault(self, error: BaseException) -> None:
        """A policy failed."""
        self.ref.tell_control(Fault(error))

    # --- what is heard ---------------------------------------------------------------------------------------------

    def _heard(self, news: News) -> None:
        record = news.record
        if news.fill is not None:
            self._filled(news, record)
        if record is None:
            if news.corrected is not None:
                self._corrected_long_ago(news.corrected, news.report)
            return
        if news.turned or news.corrected is not None:
            self._turned(news, record)
        scope = self._scopes.get(record.order.order.id)
        if scope is not None:
            scope.heard(record)
        else:
            self._settle(record.order)

    def _filled(self, news: News, record: LegRecord | None) -> None:
        fill = news.fill
        assert fill is not None
        if log.isEnabledFor(logging.INFO):  # to write the numbers out takes 8 us
            side = "bought" if fill.side.name == "BUY" else "sold"
            held = fill.instrument.size(self._ledger.position_of(fill.strategy, fill.instrument.name))
            log.info(
                "%s: fill %s: %s %s %s %s at %s, %s%s, position %s",
                self.name, fill.order_id, fill.strategy, side, plain(fill.quantity), fill.instrument.name,
                plain(fill.price), fill.venue, " (late)" if fill.late else "", plain(held),
            )  # fmt: skip
        if record is not None and record.order.overfilled_increments:
            self._say_overfilled(record.order)
        self._tell_strategy(fill.strategy, fill)

    def _say_overfilled(self, record: OrderRecord) -> None:
        order, size = record.order, record.order.instrument.size
        beyond = record.overfilled_increments > order.max_overfill_increments
        over, granted = size(record.overfilled_increments), size(order.max_overfill_increments)
        level = logging.ERROR if beyond else logging.INFO
        log.log(level, "%s: %s is over-filled by %s, granted: %s", self.name, order.id, plain(over), plain(granted))

    def _corrected_long_ago(self, corrected: Fill, report: Report) -> None:
        """Of an order that is over for so long that it is forgotten."""
        update = OrderUpdate(
            corrected.order_id, corrected.leg_id, corrected.venue, OrderState.CANCELED, 0, self.clock.now_ns(),
            report.reason, corrected,
        )  # fmt: skip
        self._tell_strategy(corrected.strategy, update)

    def _turned(self, news: News, record: LegRecord) -> None:
        leg, order = record.leg, record.order
        if news.state.terminal and news.fill is None:
            level = logging.WARNING if news.state is OrderState.REJECTED else logging.INFO
            log.log(level, "%s: order %s %s: %s", self.name, leg.id, news.state, record.reason or "no reason given")
        update = OrderUpdate(
            order.order.id, leg.id, leg.venue, news.state, order.filled_increments, self.clock.now_ns(),
            news.report.reason or record.reason, news.corrected,
        )  # fmt: skip
        self._tell(order, update)

    def _tell(self, record: OrderRecord, update: OrderUpdate) -> None:
        self._tell_strategy(record.order.strategy, update)

    def _tell_strategy(self, strategy: str, message: Any) -> None:
        path = self.office.strategies.get(strategy)
        if path is not None and self._ref(path).tell_control(message) is not Delivery.ACCEPTED:
            log.warning("%s: %s could not be told of %s", self.name, strategy, message)

    # --- venues ----------------------------------------------------------------------------------------------------

    def _door(self, venue: str) -> VenueDoor:
        door = self.office.doors.get(venue)
        if door is None:
            raise UnknownVenue(self.name, venue, self.office.doors)
        return door

    def _venue(self, venue: str) -> ActorRef[Any]:
        return self._ref(self._door(venue).path)

    def _ref(self, path: str) -> ActorRef[Any]:
        """Found once: a ref names a place."""
        ref = self._refs.get(path)
        if ref is None:
            ref = self._refs[path] = self.find(path)
        return ref


def _weight(refusal: Refusal) -> int:
    """What a limit stopped deserves a look; that a price has gone, or a fill was quicker, is a market's usual day."""
    return logging.WARNING if refusal.limit.startswith("risk.") else logging.INFO
