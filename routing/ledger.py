"""The state of all orders and positions, as the sum of facts: no clock, no I/O, no asyncio.

A restart applies the journal's facts, a running process each new one: both come to the same state. What a venue may do
to an order follows from its words alone; words that repeat, come late or come in another order change nothing twice.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal

import attrs
import msgspec

from ticktree.market import Instrument, Quote, Side

from .errors import Refusal
from .facts import (
    Answered,
    AnyFact,
    Began,
    CancelSent,
    Defined,
    Doubted,
    Ended,
    Halted,
    NeverArrived,
    NotReplaced,
    NotSent,
    Opened,
    Quarantined,
    ReplaceSent,
    Reported,
    Resolved,
    Resumed,
    Sent,
    Turned,
)
from .holdings import Open, PortfolioSnapshot
from .orders import TERMINAL, Fill, Leg, Order, OrderState, Purpose, Ticket
from .positions import Positions
from .records import LegRecord, OrderRecord
from .reports import Report, ReportKind, VenueExecution
from .tallies import Tallies
from .words import count, keep_terms, says_nothing_new, turn

BUY, SELL, WORK = Side.BUY, Side.SELL, Purpose.WORK  # members of an enum cost 30 ns to look up on CPython 3.11
CLOSED_KEPT = 16_384  # orders kept whole after their end; of older ones only whose they were
UNEXPLAINED = "(unexplained)"  # the strategy of executions that belong to no order of ours

LegFact = CancelSent | ReplaceSent | NotReplaced | Doubted | NotSent | NeverArrived
ExecutionKey = tuple[str, str, str, str, str]  # venue, account, instrument, trading day, execution id


class News(msgspec.Struct, frozen=True):
    """What a venue's word changed. `record` None: it is about an order we do not know.

    `state` is the leg's after that word: whoever hears of it later may find the record further on.
    """

    record: LegRecord | None
    report: Report
    state: OrderState = OrderState.UNKNOWN
    fill: Fill | None = None  # booked now
    corrected: Fill | None = None  # an execution as it is now
    turned: bool = False  # the leg's state is another one
    wrong: str = ""  # what does not fit
    settled: bool = False  # it is accounted for now, and was not: words that did not fit together do again


@attrs.frozen
class Gone:
    """What is remembered of a leg for ever: whose late fills are."""

    order_id: str
    strategy: str
    router: str


@attrs.define
class Booked:
    """An execution, as far as it is corrected."""

    revision: int
    quantity_increments: int


class Ledger:
    """Orders, legs, executions, positions; what is halted and what cannot be explained."""

    def __init__(self) -> None:
        self.epoch = ""
        self.began_ns = 0
        self.halted = ""  # why nothing new is sent; empty when all is well
        self.instruments: dict[str, Instrument] = {}
        self.orders: dict[str, OrderRecord] = {}  # that are open, or ended not long ago
        self.open_orders: dict[str, OrderRecord] = {}
        self.legs: dict[str, LegRecord] = {}
        self.positions = Positions()
        self.quarantine: dict[str, Quarantined] = {}  # by venue/name
        self.adopted: defaultdict[tuple[str, str], int] = defaultdict(int)  # (venue, instrument): held, and not ours
        self.orders_made = 0  # in this epoch
        self.fills = 0
        self.overfilled = 0  # orders that were filled beyond their quantity
        self.overfilled_beyond = 0  # and beyond what was granted
        self.tallies = Tallies()
        self._at: defaultdict[str, dict[str, LegRecord]] = defaultdict(dict)
        self._resting: defaultdict[tuple[str, str, Side], dict[str, LegRecord]] = defaultdict(dict)
        self._closed: deque[str] = deque()
        self._gone: dict[str, Gone] = {}
        self._executions: dict[ExecutionKey, Booked] = {}
        self._open: defaultdict[tuple[str, Side], int] = defaultdict(int)
        self._open_of: defaultdict[tuple[str, str, Side], int] = defaultdict(int)

    # --- what others ask -------------------------------------------------------------------------------------------

    def position(self, instrument: str) -> int:
        """What is held, over all strategies, in size increments."""
        return self.positions.quantity(instrument)

    def long_and_short(self, instrument: str) -> tuple[int, int]:
        """How long all strategies together may become, and how short: with all open buys filled, or all open sells."""
        held = self.positions.quantity(instrument)
        return held + self._open[instrument, BUY], self._open[instrument, SELL] - held

    def position_of(self, strategy: str, instrument: str) -> int:
        """What `strategy` holds."""
        return self.positions.quantity_of(strategy, instrument)

    def open(self, instrument: str, side: Side) -> int:
        """What open orders may yet come to on that side, in the worst case, over all strategies."""
        return self._open[instrument, side]

    def open_of(self, strategy: str, instrument: str, side: Side) -> int:
        """The same of one strategy."""
        return self._open_of[strategy, instrument, side]

    def opens(self) -> Iterable[Open]:
        """The same by strategy and instrument, wherever that is not 0."""
        for strategy, name in dict.fromkeys((strategy, name) for strategy, name, _ in self._open_of):
            buys, sells = self._open_of[strategy, name, BUY], self._open_of[strategy, name, SELL]
            if buys or sells:
                yield Open(strategy, self.instruments[name], buys, sells)

    def at(self, venue: str) -> dict[str, LegRecord]:
        """Legs at `venue` that are not accounted for, by id."""
        return self._at[venue]

    def venues(self) -> tuple[str, ...]:
        """Where legs ever were."""
        return tuple(self._at)

    def resting(self, venue: str, instrument: str, side: Side) -> Collection[LegRecord]:
        """Legs that may rest there."""
        return self._resting[venue, instrument, side].values()

    def snapshot(self, prices: Callable[[Instrument], Quote | None]) -> PortfolioSnapshot:
        """Positions, profit, fees and exposure, at `prices`."""
        return self.positions.snapshot(prices, self.opens())

    def whose(self, leg_id: str) -> Gone | None:
        """Whose a leg is, however old."""
        record = self.legs.get(leg_id)
        if record is not None:
            return Gone(record.order.order.id, record.order.order.strategy, record.order.router)
        return self._gone.get(leg_id)

    def is_quarantined(self, venue: str, instrument: str) -> Quarantined | None:
        """What stands against new orders in `instrument` at `venue`."""
        return next(
            (item for item in self.quarantine.values() if (item.venue, item.instrument) == (venue, instrument)), None
        )

    def is_news(self, report: Report, venue: str, account: str) -> bool:
        """Whether a report can change anything; what cannot need not be journalled."""
        execution = report.execution
        if execution is not None:
            booked = self._executions.get(_key(venue, account, execution))
            if booked is None or execution.revision > booked.revision:
                return True
        record = self.legs.get(report.client_id)
        if record is None:
            return report.kind is not ReportKind.NOT_FOUND
        if report.sequence and report.sequence <= record.sequence and record.terminal:
            return False
        if report.kind is ReportKind.STATUS and says_nothing_new(record, report):
            return False
        return report.kind is not ReportKind.FILL or report.cumulative_increments != record.cumulative_increments

    # --- facts -----------------------------------------------------------------------------------------------------

    def apply(self, fact: AnyFact) -> News | None:
        """Take a fact in. Facts about orders and legs that are not known change nothing."""
        match fact:
            case Reported():
                return self._report(fact)
            case Opened():
                self._opened(fact)
            case Sent():
                self._sent(fact)
            case Ended() | Answered() | Turned():
                if (record := self.orders.get(fact.order_id)) is not None:
                    self._apply_to_order(record, fact)
            case CancelSent() | ReplaceSent() | NotReplaced() | Doubted() | NotSent() | NeverArrived():
                if (leg := self._going(fact.leg_id)) is not None:
                    self._apply_to_leg(leg, fact)
                    self._weigh(leg.order)
            case Resolved():
                self._resolved(fact)
            case Quarantined():
                self.quarantine[f"{fact.venue}/{fact.name}"] = fact
            case Halted(reason=reason):
                self.halted = reason
            case Resumed():
                self.halted = ""
            case Began():
                self.epoch, self.began_ns, self.orders_made = fact.epoch, fact.time_ns, 0
            case Defined():
                self._defined(fact)
        return None

    def _apply_to_order(self, record: OrderRecord, fact: Answered | Ended | Turned) -> None:
        match fact:
            case Answered():
                record.answered = True
            case Ended(reason=reason):
                record.ended = record.answered = True
                record.reason = record.reason or reason
                self._weigh(record)
            case Turned():
                record.refusal = Refusal(fact.limit, fact.allowed, fact.attempted, fact.because)
                record.ended = True
                self._weigh(record)

    def _apply_to_leg(self, leg: LegRecord, fact: LegFact) -> None:
        match fact:
            case CancelSent():
                leg.canceling = True
                if leg.state is not OrderState.UNKNOWN:
                    leg.state = OrderState.CANCEL_SENT
            case ReplaceSent():
                leg.pending, leg.replace_sequence = (fact.quantity, fact.limit), leg.heard_sequence
                if leg.state is OrderState.LIVE:
                    leg.state = OrderState.REPLACE_SENT
            case NotReplaced():
                keep_terms(leg)
            case Doubted():
                leg.state, leg.reason = OrderState.UNKNOWN, fact.reason
            case NotSent() | NeverArrived():
                if leg.booked_increments or leg.cumulative_increments:  # it did arrive: word stands against word
                    leg.contradicted = True
                else:
                    leg.state, leg.reason = OrderState.REJECTED, fact.reason

    def _defined(self, fact: Defined) -> None:
        self.instruments[fact.instrument] = Instrument(
            fact.instrument, len(self.instruments), Decimal(fact.price_increment), Decimal(fact.size_increment),
            Decimal(fact.min_notional), Decimal(fact.multiplier),
        )  # fmt: skip

    def define(self, instrument: Instrument) -> None:
        """Use this object, which equals the one that was journalled (its id is this process' own)."""
        self.instruments[instrument.name] = instrument

    # --- our own doing ---------------------------------------------------------------------------------------------

    def _opened(self, fact: Opened) -> None:
        order = Order(
            fact.order_id, fact.strategy, self.instruments[fact.instrument], fact.side, fact.quantity, fact.limit,
            fact.time_in_force, fact.expires_ns, fact.post_only, fact.reduce_only, fact.max_overfill,
            fact.opposite_limit,
        )  # fmt: skip
        self.take(order, fact.router, fact.policy)

    def take(self, order: Order, router: str, policy: str) -> OrderRecord:
        """An order counts from here on; who has the object needs no second one made from its fact."""
        record = OrderRecord(order, router, policy)
        self.orders_made += 1
        self.orders[order.id] = self.open_orders[order.id] = record
        worst = record.granted_increments  # all that there is to weigh, while it has no legs
        record.reserved = (worst, 0) if order.side is BUY else (0, worst)
        self._reserve(order, order.side, worst)
        return record

    def _sent(self, fact: Sent) -> None:
        record = self.orders[fact.order_id]
        ticket = Ticket(
            fact.leg_id, record.order.instrument, fact.side, fact.quantity, fact.limit, fact.time_in_force,
            fact.expires_ns, fact.post_only, fact.reduce_only,
        )  # fmt: skip
        self.add(Leg(fact.leg_id, record.order, fact.number, fact.attempt, fact.venue, fact.purpose, ticket))

    def add(self, leg: Leg) -> LegRecord:
        """A leg is about to leave; as `take`."""
        order = self.orders[leg.order.id]
        ticket, reserved = leg.ticket, order.reserved
        record = LegRecord(leg, order, ticket.quantity_increments, ticket.limit_increments)
        # The first leg, within what its order has reserved, changes no total: to weigh it is 5 % of an order's opcodes.
        weighs = order.legs or leg.purpose is not WORK or order.ended or ticket.quantity_increments > max(reserved)
        order.legs[leg.id] = self.legs[leg.id] = self._at[leg.venue][leg.id] = record
        self._shelf(record)[leg.id] = record
        if weighs:
            self._weigh(order)
        return record

    def _going(self, leg_id: str) -> LegRecord | None:
        record = self.legs.get(leg_id)
        return None if record is None or record.terminal else record

    def _resolved(self, fact: Resolved) -> None:
        quarantined = self.quarantine.pop(fact.leg_id, None)
        if quarantined is not None and quarantined.difference:
            self.adopted[quarantined.venue, quarantined.instrument] += quarantined.difference
        leg = self.legs.get(fact.leg_id)
        if leg is not None:
            leg.state, leg.reason, leg.contradicted = fact.state, fact.reason, False
            leg.cumulative_increments = leg.booked_increments
            self._weigh(leg.order)

    # --- the venue's word ------------------------------------------------------------------------------------------

    def _report(self, fact: Reported) -> News | None:
        report, record = fact.report, self.legs.get(fact.report.client_id)
        fill, corrected = self._execute(fact, record) if report.execution is not None else (None, None)
        if record is None:
            wrong = "" if report.client_id in self._gone else f"{report.kind} of an order that is not ours"
            return News(None, report, fill=fill, corrected=corrected, wrong=wrong)
        before, was_accounted = record.state, record.accounted
        wrong = count(record, report)
        turn(record, report)
        self._weigh(record.order)
        turned, settled = record.state is not before, record.accounted and not was_accounted
        if fill is None and corrected is None and not turned and not wrong and not settled:
            return News(record, report, record.state)
        return News(record, report, record.state, fill, corrected, turned, wrong, settled)

    def _execute(self, fact: Reported, record: LegRecord | None) -> tuple[Fill | None, Fill | None]:
        """Book what is new: (a fill, an execution as it is now)."""
        execution = fact.report.execution
        assert execution is not None
        key = _key(fact.venue, fact.account, execution)
        booked = self._executions.get(key)
        instrument = record.leg.ticket.instrument if record is not None else self.instruments.get(execution.instrument)
        if instrument is None or (booked is not None and execution.revision <= booked.revision):
            return None, None
        quantity = execution.quantity_increments
        if booked is None:
            booked = self._executions[key] = Booked(execution.revision, quantity)
            strategy, router = self._names(fact.report.client_id, record)
            self.tallies.filled(router, fact.venue)
            self.positions.book(
                strategy, instrument, key, execution.side, quantity, execution.price_increments, execution.fee,
                execution.fee_currency, fact.venue,
            )  # fmt: skip
            self.fills += 1
            change = quantity
        else:
            self.positions.correct(key, quantity, execution.price_increments, execution.fee, instrument)
            change = quantity - booked.quantity_increments
            booked.revision, booked.quantity_increments = execution.revision, quantity
        told = self._fill(fact, execution, instrument, record)
        if record is not None:
            self._booked(record, change, execution.revision > 0)
        return (told, None) if execution.revision == 0 else (None, told)

    def _booked(self, record: LegRecord, change: int, corrected: bool) -> None:
        order = record.order
        was = order.overfilled_increments
        record.booked_increments += change
        if corrected:
            record.corrected = True
        if order.answered and change > 0 and record.leg.purpose is WORK:
            order.late_increments += change
        over, granted = order.overfilled_increments, order.order.max_overfill_increments
        self.overfilled += over > 0 >= was
        self.overfilled_beyond += over > granted >= was
        self.tallies.booked(record, change, was, over)

    def _fill(
        self, fact: Reported, execution: VenueExecution, instrument: Instrument, record: LegRecord | None
    ) -> Fill:
        report, late = fact.report, record is None or record.order.answered
        if record is not None:
            order_id, strategy = record.order.order.id, record.order.order.strategy
        elif (gone := self._gone.get(report.client_id)) is not None:
            order_id, strategy = gone.order_id, gone.strategy
        else:
            order_id, strategy = "", UNEXPLAINED
        return Fill(
            order_id, report.client_id, execution.id, fact.venue, strategy, instrument, execution.side,
            execution.quantity_increments, execution.price_increments, report.time_ns, execution.fee,
            execution.fee_currency, execution.maker, late,
        )  # fmt: skip

    def _names(self, leg_id: str, record: LegRecord | None) -> tuple[str, str]:
        """Strategy and router."""
        if record is not None:
            return record.order.order.strategy, record.order.router
        gone = self._gone.get(leg_id)
        return (gone.strategy, gone.router) if gone is not None else (UNEXPLAINED, UNEXPLAINED)

    # --- totals ----------------------------------------------------------------------------------------------------

    def _weigh(self, record: OrderRecord) -> None:
        """Bring the totals of open quantity up to date after any change of an order."""
        opens, before, order = record.opens(), record.reserved, record.order
        if opens != before:
            record.reserved = opens
            self._reserve(order, BUY, opens[0] - before[0])
            self._reserve(order, SELL, opens[1] - before[1])
        settled = record.ended
        for id, leg in record.legs.items():
            if leg.accounted:
                self._settle(leg)
            else:
                settled = False
                if leg.state in TERMINAL:
                    self._shelf(leg).pop(id, None)
                    self._at[leg.leg.venue][id] = leg  # a late bust opens it again
                    self.tallies.legs.reopened(leg.leg.venue, id)
        if settled:
            self.tallies.orders.ended(record.router, order.id, record.state)
            self._close(record)
        elif order.id not in self.open_orders and order.id in self.orders:
            self.open_orders[order.id] = record
            self.tallies.orders.reopened(record.router, order.id)

    def _reserve(self, order: Order, side: Side, more: int) -> None:
        if more:
            self._open[order.instrument.name, side] += more
            self._open_of[order.strategy, order.instrument.name, side] += more

    def _settle(self, leg: LegRecord) -> None:
        id = leg.leg.id
        self.tallies.legs.ended(leg.leg.venue, id, leg.state)
        if self._at[leg.leg.venue].pop(id, None) is not None:
            self._shelf(leg).pop(id, None)

    def _shelf(self, leg: LegRecord) -> dict[str, LegRecord]:
        ticket = leg.leg.ticket
        return self._resting[leg.leg.venue, ticket.instrument.name, ticket.side]

    def _close(self, record: OrderRecord) -> None:
        if self.open_orders.pop(record.order.id, None) is None:
            return
        self._closed.append(record.order.id)
        while len(self._closed) > CLOSED_KEPT:
            oldest = self._closed.popleft()
            if oldest not in self.open_orders:
                self._forget(self.orders.pop(oldest, None))

    def _forget(self, record: OrderRecord | None) -> None:
        if record is None:
            return
        self.tallies.forget(record.order.id, record.legs)
        for leg_id in record.legs:
            self.legs.pop(leg_id, None)
            self._gone[leg_id] = Gone(record.order.id, record.order.strategy, record.router)

    def known(self) -> Iterable[Instrument]:
        """All instruments that there are orders in."""
        return self.instruments.values()


def _key(venue: str, account: str, execution: VenueExecution) -> ExecutionKey:
    return venue, account, execution.instrument, execution.trading_day, execution.id
