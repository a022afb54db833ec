"""Writes every fact down before it counts: the one door between what happens and what is known.

A plain object that all actors of one loop share. Facts of our own doing (an order, a leg) do not happen when they
cannot be written. Facts of others (a venue's word), and cancels, count in any case; then trading halts.
"""

import logging
import string
from collections.abc import Callable
from random import Random, SystemRandom

from ticktree.market import Instrument, Quote

from .errors import JournalError, JournalFailed, Refusal, Refused
from .facts import (
    Answered,
    AnyFact,
    Began,
    Defined,
    Ended,
    Halted,
    Opened,
    Reported,
    Resumed,
    Sent,
    Turned,
)
from .journal import Journal, Nowhere, Recovery
from .ledger import Ledger, News
from .orders import Leg, Order
from .records import LegRecord, OrderRecord
from .reports import Report

log = logging.getLogger("ticktree.routing")

_DIGITS = string.digits + string.ascii_lowercase
_RANDOM_DIGITS = 3  # two processes that begin new journals in the same millisecond still differ


class Blotter:
    """The journal and the ledger, as one; `begin` first. Without a journal facts count, and nothing keeps them."""

    def __init__(self, journal: Journal | Nowhere | None = None, random: Random | None = None) -> None:
        self.journal = Nowhere(keeps=False) if journal is None else journal
        self.ledger = Ledger()
        self._random = random or SystemRandom()
        self.begun = False

    # --- the beginning ---------------------------------------------------------------------------------------------

    def begin(self, now_ns: int) -> Recovery:
        """Take up what the journal holds, and write to it from here on. Raises `JournalError`."""
        recovery = self.journal.open(self.ledger.apply)
        # Always a new epoch: a file that was cut between two facts, or restored from a copy, does not show it.
        self.record(Began(now_ns, self._new_epoch(now_ns)))
        self.begun = True
        return recovery

    def _new_epoch(self, now_ns: int) -> str:
        """Milliseconds since 1970 in base 36, never less than the former one's, and random digits behind."""
        former = int(self.ledger.epoch[:-_RANDOM_DIGITS], 36) if self.ledger.epoch else 0
        tail = "".join(self._random.choice(_DIGITS) for _ in range(_RANDOM_DIGITS))
        return _base36(max(now_ns // 1_000_000, former + 1)) + tail

    def next_order_id(self) -> str:
        """An id that no order ever had: the epoch, and a count within it."""
        return f"{self.ledger.epoch}-{self.ledger.orders_made + 1}"

    # --- our own doing: not written, not done ----------------------------------------------------------------------

    def record(self, fact: AnyFact) -> None:
        """Write, then count. Raises `JournalFailed`, and nothing has happened."""
        self.journal.append(fact)
        self.ledger.apply(fact)

    def open(self, order: Order, router: str, policy: str, now_ns: int, quote: Quote | None = None) -> OrderRecord:
        """An order counts from here on. Raises `Refused` when it cannot be written."""
        if self.ledger.instruments.get(order.instrument.name) is not order.instrument:
            self._define(order.instrument, now_ns)
        seen = None
        if quote is not None:
            seen = quote.feed, quote.sequence, quote.bid, quote.ask, quote.received_time_ns
        fact = Opened(
            now_ns, order.id, order.strategy, router, policy, order.instrument.name, order.side,
            order.quantity_increments, order.limit_increments, order.time_in_force, order.expires_ns,
            order.post_only, order.reduce_only, order.max_overfill_increments, order.opposite_limit_increments, seen,
        )  # fmt: skip
        self._append(fact)
        return self.ledger.take(order, router, policy)

    def send(self, leg: Leg, account: str, now_ns: int) -> LegRecord:
        """A leg may leave after this. Raises `Refused` when it cannot be written."""
        ticket, order = leg.ticket, self.ledger.orders[leg.order.id]
        worst = order.filled_increments + order.open_increments if order.legs else order.granted_increments
        fact = Sent(
            now_ns, leg.id, leg.order.id, leg.number, leg.attempt, leg.venue, account, leg.purpose, ticket.side,
            ticket.quantity_increments, ticket.limit_increments, ticket.time_in_force, ticket.expires_ns,
            ticket.post_only, ticket.reduce_only, worst,
        )  # fmt: skip
        self._append(fact)
        return self.ledger.add(leg)

    def _define(self, instrument: Instrument, now_ns: int) -> None:
        if self.ledger.instruments.get(instrument.name) != instrument:
            text = instrument.price_increment, instrument.size_increment, instrument.multiplier, instrument.min_notional
            self._append(Defined(now_ns, instrument.name, *map(str, text)))
        self.ledger.define(instrument)

    def _append(self, fact: AnyFact) -> None:
        try:
            self.journal.append(fact)
        except JournalError as error:
            if isinstance(error, JournalFailed):
                self._halt_here(f"the journal failed: {error}")
            raise Refused(Refusal("journal", because=str(error))) from error

    # --- what others did, and what must go on without a journal ----------------------------------------------------

    def insist(self, fact: AnyFact) -> News | None:
        """Write if it can be written, and count in any case. Raises `JournalError` for what no journal can hold."""
        try:
            self.journal.append(fact)
        except JournalFailed as error:
            self._halt_here(f"the journal failed: {error}")
        return self.ledger.apply(fact)

    def report(self, venue: str, account: str, report: Report, now_ns: int) -> News | None:
        """A venue's word; None where it says nothing new. Raises `JournalError` for what no journal can hold."""
        if not self.ledger.is_news(report, venue, account):
            return None
        return self.insist(Reported(now_ns, venue, account, report))

    def turn_down(self, record: OrderRecord, refusal: Refusal, now_ns: int) -> None:
        """An order is refused; no byte of it left."""
        order_id = record.order.id
        self.insist(Turned(now_ns, order_id, refusal.limit, refusal.allowed, refusal.attempted, refusal.because))

    def answered(self, record: OrderRecord, now_ns: int) -> None:
        """The caller goes on."""
        if not record.answered:
            self.insist(Answered(now_ns, record.order.id))

    def ended(self, record: OrderRecord, now_ns: int, reason: str = "") -> None:
        """The policy sends no more."""
        if not record.ended:
            self.insist(Ended(now_ns, record.order.id, reason))

    # --- halts -----------------------------------------------------------------------------------------------------

    def halt(self, reason: str, now_ns: int) -> None:
        """Send nothing new from here on; cancels, queries, bookings and what reduces a position go on."""
        if not self.ledger.halted:
            log.error("trading halts: %s", reason)
        self.insist(Halted(now_ns, reason))

    def resume(self, reason: str, now_ns: int) -> None:
        """Take orders again. Raises `JournalFailed` while the journal cannot be written."""
        if self.journal.failed is not None:
            raise self.journal.failed
        self.record(Resumed(now_ns, reason))
        log.warning("trading resumes: %s", reason)

    def _halt_here(self, reason: str) -> None:
        """Without a journal."""
        if not self.ledger.halted:
            log.critical("trading halts: %s", reason)
            self.ledger.halted = reason

    def when_durable(self, then: Callable[[BaseException | None], None]) -> None:
        """Call `then` once everything written so far is as durable as was promised, at once where it is already; with
        an error where it never will be."""
        committed = self.journal.committed()
        if committed is None:
            then(None)
        else:
            committed.add_done_callback(lambda done: then(done.exception()))


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
