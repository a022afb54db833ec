"""The actor in front of one venue's gateway: it journals what the venue says before anybody acts upon it.

New orders are taken only while a session stands, once nothing was unknown any more, and the account was as our facts
say. What is in doubt is pursued by `pursuit.py`; the account is compared by `reconciliation.py`.
"""

import logging
from collections.abc import Callable
from functools import partial
from random import Random, SystemRandom
from typing import Any, Protocol, runtime_checkable

import attrs
from msgspec.structs import replace

from ticktree.actors import Actor, ActorRef, Delivery, Reason
from ticktree.market import MARKS, Bar, Batch, BookUpdate, Instrument, Quote, Trade

from .errors import JournalError, NotConnected, UnknownMessage
from .facts import NotReplaced, NotSent, Quarantined, ReplaceSent
from .gateway import Gateway
from .ledger import News
from .messages import (
    AskQuote as AskQuote,
    CancelLeg as CancelLeg,
    Heard as Heard,
    ReplaceLeg as ReplaceLeg,
    SubmitLeg as SubmitLeg,
)
from .office import Office, VenueDoor
from .orders import OrderState
from .pursuit import Patience as Patience, Pursuit
from .reconciliation import Reconciliation
from .records import LegRecord
from .reports import AccountReport, Report, ReportKind, VenueQuote

log = logging.getLogger("ticktree.routing")

USUAL = Patience()
STOPPED = "the venue actor stopped"


@attrs.frozen
class _Look:
    """It is time to look who waits for what."""


@runtime_checkable
class TakesMarketData(Protocol):
    """A gateway that needs to know the market: a simulated one."""

    def on_market(self, event: Quote | Trade | BookUpdate | Batch) -> None:
        """The market moved."""
        ...


class Venue(Actor[Any]):
    """One venue, one account. `gateway` speaks; this decides what to say and what is known."""

    def __init__(
        self, name: str, gateway: Gateway, office: Office, patience: Patience = USUAL, random: Random | None = None
    ) -> None:
        self.name, self.gateway, self.office = name, gateway, office
        self._blotter, self._ledger, self._patience = office.blotter, office.ledger, patience
        self._random = random or SystemRandom()
        self._pursuit = Pursuit(name, gateway, office.blotter, patience, self._say_ourselves)
        self._account = Reconciliation(self._pursuit, office.ledger, gateway, patience)
        self._routers: dict[str, ActorRef[Any]] = {}
        self._stages = office.latencies.stages(name)
        self._market = gateway if isinstance(gateway, TakesMarketData) else None

    # --- the actor -------------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        door = self.office.doors.get(self.name)
        if door is None:
            self.office.doors[self.name] = door = VenueDoor(self.path, self.gateway.account, self.gateway.rules)
        self.door = door
        door.path, door.closed = self.path, "it is not connected yet"
        self._pursuit.begin(self.clock)
        self.every(self._patience.look_s, _Look())
        self.gateway.start(self, self._random)

    def on_message(self, message: Any) -> None:
        match message:
            case Batch():  # first: there is one for each tick
                if self._market is not None:
                    self._market.on_market(message)
            case SubmitLeg():
                self._submit(message.record)
            case Quote() | Trade() | BookUpdate():
                if self._market is not None:
                    self._market.on_market(message)
            case CancelLeg(record):
                if not record.terminal:
                    self._pursuit.cancel(record)
            case ReplaceLeg():
                self._replace(message)
            case AskQuote(instrument, answer):
                self._ask_quote(instrument, answer)
            case _Look():
                self._look()
            case Bar():
                pass
            case _ if isinstance(message, MARKS):
                pass
            case _:  # refs found by path take anything
                raise UnknownMessage(self.path, message)

    async def on_stop(self, reason: Reason) -> None:
        self._pursuit.session_down(STOPPED)
        self.door.closed = "it stopped"
        try:
            await self.gateway.stop()
        finally:
            self._pursuit.doubt_all(STOPPED)  # a last answer may have come meanwhile: that it is live still, say

    def _look(self) -> None:
        self._catch_up()
        if self._pursuit.up:
            self._pursuit.look()
            self._account.look(self.clock)
            self._open_door()

    # --- what routers want -----------------------------------------------------------------------------------------

    def _submit(self, record: LegRecord) -> None:
        if record.terminal:
            return
        if self.door.closed:
            self._not_sent(record, f"{self.name} takes no orders: {self.door.closed}")
        else:
            self._blotter.when_durable(partial(self._send, record, self._pursuit.session))

    def _send(self, record: LegRecord, session: int, error: BaseException | None) -> None:
        """It is written down; meanwhile the session may be another one, or the leg canceled."""
        pursuit = self._pursuit
        if error is not None:
            self._not_sent(record, str(error))
        elif session != pursuit.session or not pursuit.up:
            self._not_sent(record, f"{self.name} was lost")
        elif record.state is not OrderState.SENT:
            self._not_sent(record, "it was canceled before it was sent")
        else:
            pursuit.leaves(record)
            record.wire_ns = self.clock.now_ns()
            try:
                self.gateway.submit(record.leg.ticket)
            except NotConnected as lost:
                self._not_sent(record, str(lost))
                return
            if not record.ack_ns:  # a venue in this process has answered by now
                record.wire_ns = self.clock.now_ns()

    def _not_sent(self, record: LegRecord, reason: str) -> None:
        """No byte left: the only end that is ours to declare."""
        self._blotter.insist(NotSent(self.clock.now_ns(), record.leg.id, reason))
        self._pursuit.left_not(record)
        self._say_ourselves(record, ReportKind.REJECTED, reason)

    def _replace(self, message: ReplaceLeg) -> None:
        record, quantity, limit = message.record, message.quantity_increments, message.limit_increments
        if record.state is not OrderState.LIVE or not self._pursuit.up:
            why = f"it is {record.state}" if self._pursuit.up else f"{self.name} is not connected"
            self._say_ourselves(record, ReportKind.REPLACE_REJECTED, why)  # one that is out already stays so
            return
        self._blotter.insist(ReplaceSent(self.clock.now_ns(), record.leg.id, quantity, limit))
        self._pursuit.leaves(record)
        try:
            self.gateway.replace(record.leg.ticket, quantity, limit)
        except NotConnected as error:
            self._not_replaced(record, str(error))

    def _not_replaced(self, record: LegRecord, reason: str) -> None:
        self._blotter.insist(NotReplaced(self.clock.now_ns(), record.leg.id, reason))
        self._say_ourselves(record, ReportKind.REPLACE_REJECTED, reason)

    def _ask_quote(self, instrument: Instrument, answer: Callable[[VenueQuote | None], None]) -> None:
        def named(quote: VenueQuote | None) -> None:
            """A venue may call itself otherwise than we do."""
            answer(quote if quote is None else replace(quote, venue=self.name))

        try:
            self.gateway.query_quote(instrument, named)
        except NotConnected:
            answer(None)

    # --- what the gateway hears (gateway.Hears) --------------------------------------------------------------------

    def on_up(self, former_closed: bool) -> None:
        """A session stands: find out what became of everything."""
        self.door.rules = self.gateway.rules
        self.door.closed = "it is being reconciled"
        self._pursuit.session_up(former_closed)
        self._account.begin(self.clock)

    def on_down(self, reason: str) -> None:
        """The session broke."""
        if not self._pursuit.up:  # this life stops
            return
        log.warning("%s: connection lost: %s", self.name, reason)
        self.door.closed = f"it is not connected: {reason}"
        self._pursuit.session_down(f"the connection to {self.name} was lost")

    def on_report(self, report: Report) -> None:
        """The venue's word: written down, counted, passed on; and asked about where it does not explain everything."""
        record = self._ledger.legs.get(report.client_id)
        if report.kind is ReportKind.NOT_FOUND:
            if record is not None:
                self._pursuit.not_found(record)
                self._open_door()
            return
        try:
            news = self._blotter.report(self.name, self.door.account, report, self.clock.now_ns())
        except JournalError as error:  # numbers beyond 64 bits, or the like
            self.on_unreadable(error, report.client_id)
            return
        if record is None:
            if news is not None:
                self._not_ours(report, news)
            return
        if record.decided_ns:
            self._time(record, report)
        if news is not None:
            self._pass_on_news(record, news)
        self._pursuit.heard(record, report)
        self._open_door()

    def _pass_on_news(self, record: LegRecord, news: News) -> None:
        if news.wrong:
            log.error("%s: order %s: %s", self.name, record.leg.id, news.wrong)
        if news.turned or news.settled or news.fill is not None or news.corrected is not None:
            self._tell(record.order.router, news)

    def _not_ours(self, report: Report, news: News) -> None:
        """Of an order that is long over, or not ours: what it executed is booked."""
        whose = self._ledger.whose(report.client_id)
        if whose is not None:
            self._tell(whose.router, news)
        elif report.execution is not None:
            what = f"executed {report.execution.id}, of no order of ours"
            now_ns, instrument = self.clock.now_ns(), report.execution.instrument
            self._pursuit.quarantine(Quarantined(now_ns, self.name, report.client_id, instrument, what))
        else:
            log.warning("%s said %s of order %s, which is not ours", self.name, report.kind, report.client_id)

    def _time(self, record: LegRecord, report: Report) -> None:
        """Take the stages' times; an order of a former process has none."""
        stages, heard_ns = self._stages, report.received_ns or self.clock.now_ns()
        if not record.ack_ns:
            record.ack_ns = heard_ns
            stages.decision_to_journal.record(record.journal_ns - record.decided_ns)
            stages.journal_to_wire.record(record.wire_ns - record.journal_ns)
            stages.decision_to_wire.record(record.wire_ns - record.decided_ns)
            stages.wire_to_ack.record(heard_ns - record.wire_ns)
        if report.kind is ReportKind.FILL and not record.filled_ns:
            record.filled_ns = heard_ns
            stages.ack_to_fill.record(heard_ns - record.ack_ns)

    def on_account(self, account: AccountReport) -> None:
        """Compare it with our facts."""
        self._account.compare(account, self.clock.now_ns())
        self._open_door()

    def on_never_received(self, client_id: str, what: str) -> None:
        """Evidence that a message of ours was lost on its way."""
        record = self._ledger.legs.get(client_id)
        if record is None or record.terminal:
            return
        reason = f"it never reached {self.name}"
        if what == "submit":
            self._not_sent(record, reason)
            self._open_door()
        elif what == "replace":
            self._not_replaced(record, reason)

    def on_unreadable(self, error: Exception, client_id: str | None) -> None:
        """Words that cannot be read: whatever they were about is in doubt."""
        log.error("%s said what cannot be read: %s", self.name, error)
        record = self._ledger.legs.get(client_id) if client_id is not None else None
        if record is not None:
            self._pursuit.unreadable(record)

    def _open_door(self) -> None:
        """Take orders, once nothing is unknown any more."""
        if self.door.closed and self._pursuit.up and self._account.agrees and self._pursuit.clear:
            self.door.closed = ""
            log.info("%s: ready", self.name)

    # --- telling ---------------------------------------------------------------------------------------------------

    def _say_ourselves(self, record: LegRecord, kind: ReportKind, reason: str) -> None:
        """What was not the venue's word, in the shape of one."""
        report = Report(kind, record.leg.id, self.clock.now_ns(), reason=reason)
        self._tell(record.order.router, News(record, report, record.state, turned=True))

    def _tell(self, router: str, news: News) -> None:
        if self.door.unheard or self._deliver(router, news) is Delivery.FULL:
            if not self.door.unheard:
                self._blotter.halt(f"router {router} does not keep up", self.clock.now_ns())
            self.door.unheard.append((router, news))

    def _deliver(self, router: str, news: News) -> Delivery:
        ref = self._routers.get(router)
        if ref is None:
            path = self.office.routers.get(self.office.home(router))
            if path is None:
                return Delivery.CLOSED
            ref = self._routers[router] = self.find(path)
        return ref.tell_control(Heard(news))

    def _catch_up(self) -> None:
        while self.door.unheard:
            router, news = self.door.unheard[0]
            if self._deliver(router, news) is Delivery.FULL:
                return
            self.door.unheard.pop(0)
