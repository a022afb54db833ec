"""What is certain of the orders at one venue, what is not, and how that is found out.

An order is certain only by the venue's word. Silence, a broken session or words that cannot be read leave it UNKNOWN,
and then the venue is asked until it says. Cancels are repeated until there is evidence. "Not found" counts only once
the session that sent the order is known to be closed, and the venue's grace has passed.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice

import attrs
import msgspec

from ticktree.actors import Clock

from .blotter import Blotter
from .errors import NotConnected
from .facts import CancelSent, Doubted, NeverArrived, NotReplaced, Quarantined
from .gateway import Gateway
from .orders import OrderState
from .records import LegRecord
from .reports import Report, ReportKind

log = logging.getLogger("ticktree.routing")

NS = 1_000_000_000
ASKED_AT_ONCE = 64  # orders whose executions are asked for, where a position differs


@attrs.frozen
class Patience:
    """How long a venue may take, in seconds.

    ack_s          without a word about a new order, a replace: UNKNOWN, and it is asked
    again_s        between two questions, or two cancels, about the same order
    resets_after   questions that were answered "not found" within the order's own session, before that is ended
    explains_after questions about the account, or an order's missing fills, before the matter is quarantined
    live_s         without a word about a live order, or about the account: they are asked, for words can be lost
    look_s         how often all this is looked at
    """

    ack_s: float = 1.0
    again_s: float = 0.5
    resets_after: int = 4
    explains_after: int = 10
    live_s: float = 30.0
    look_s: float = 0.1


class Chase(msgspec.Struct):
    """How one leg is pursued. `session`: the one it was sent in, 0 for a former process'."""

    session: int
    sent_ns: int  # when it was sent; this and the others monotonic
    heard_ns: int = 0
    asked_ns: int = 0
    canceled_ns: int = 0
    misses: int = 0  # answers within this session that do not know of it
    early: int = 0  # questions within this session that may be answered before the order turns up
    questions: int = 0  # about fills that are missing


Say = Callable[[LegRecord, ReportKind, str], None]


class Pursuit:
    """Of the legs at one venue. `say` tells routers what was found out otherwise than by the venue's word.

    Legs that have not left yet (they wait in a mailbox, or for the disk) are no business of the venue's, nor of this.
    """

    def __init__(self, name: str, gateway: Gateway, blotter: Blotter, patience: Patience, say: Say) -> None:
        self.name, self.gateway, self.patience = name, gateway, patience
        self._blotter, self._ledger, self._say = blotter, blotter.ledger, say
        self._clock: Clock | None = None
        self.session = 0  # counts from 1
        self.up = False
        self._former_closed = False
        self._up_ns = 0
        self._chases: dict[str, Chase] = {}

    def begin(self, clock: Clock) -> None:
        """Take up what a former life, or process, has sent: all of that is in doubt."""
        self._clock = clock
        for id in self._ledger.at(self.name):
            self._chases[id] = Chase(0, clock.monotonic_ns())
        self.doubt_all("the venue actor started anew")

    @property
    def clock(self) -> Clock:
        """The actor's."""
        assert self._clock is not None
        return self._clock

    @property
    def clear(self) -> bool:
        """Whether nothing is unknown."""
        return not any(record.state is OrderState.UNKNOWN for record in self._ledger.at(self.name).values())

    # --- sessions --------------------------------------------------------------------------------------------------

    def session_up(self, former_closed: bool) -> None:
        """Ask about everything."""
        self.session += 1
        self.up, self._former_closed = True, former_closed
        self._up_ns = self.clock.monotonic_ns()
        self.doubt_all("a new session began")
        for record, chase in self._left():
            chase.misses = chase.early = 0
            self._ask(record, chase)
            if record.canceling and not record.terminal:
                self._cancel(record, chase)

    def session_down(self, reason: str) -> None:
        """Nothing can be known."""
        self.up = False
        self.doubt_all(reason)

    # --- legs ------------------------------------------------------------------------------------------------------

    def leaves(self, record: LegRecord) -> None:
        """It is being sent, or changed: a word is due."""
        now_ns, chase = self.clock.monotonic_ns(), self._chases.get(record.leg.id)
        if chase is None:
            self._chases[record.leg.id] = Chase(self.session, now_ns)
        else:
            chase.session, chase.sent_ns = self.session, now_ns

    def left_not(self, record: LegRecord) -> None:
        """It never left, or is known never to have arrived; unless the venue's other words are against that."""
        if record.terminal:
            self._chases.pop(record.leg.id, None)

    def cancel(self, record: LegRecord) -> None:
        """Take it back, and repeat that until there is evidence."""
        if not record.canceling:
            self._blotter.insist(CancelSent(self.clock.now_ns(), record.leg.id))
        chase = self._chases.get(record.leg.id)
        if chase is not None:
            self._cancel(record, chase)

    def heard(self, record: LegRecord, report: Report) -> None:
        """The venue spoke of it, which is booked already; where that does not explain everything, ask."""
        if record.accounted:
            self._chases.pop(record.leg.id, None)
            return
        now_ns = self.clock.monotonic_ns()
        chase = self._chases.get(record.leg.id)
        if chase is None:  # it was over, and an execution of it was busted or found
            chase = self._chases[record.leg.id] = Chase(self.session, now_ns)
        chase.heard_ns = now_ns
        if report.kind is ReportKind.STATUS and record.pending is not None and self._is_final(record, chase):
            reason = f"{self.name} does not know of it"
            self._blotter.insist(NotReplaced(self.clock.now_ns(), record.leg.id, reason))
            self._say(record, ReportKind.REPLACE_REJECTED, reason)
        doubtful = not record.agreed or report.kind is ReportKind.CANCEL_REJECTED
        if doubtful and now_ns - chase.asked_ns >= self.patience.look_s * NS:  # at once, but not again and again
            self._ask(record, chase)

    def not_found(self, record: LegRecord) -> None:
        """The venue does not know it: for good, or for now."""
        chase = self._chases.get(record.leg.id)
        if record.terminal or record.contradicted or chase is None:
            return
        if not self._is_final(record, chase):
            return  # it will be asked again
        reason = f"{self.name} does not know it"
        self._blotter.insist(NeverArrived(self.clock.now_ns(), record.leg.id, reason))
        self.left_not(record)
        self._say(record, ReportKind.NOT_FOUND, reason)

    def _is_final(self, record: LegRecord, chase: Chase) -> bool:
        """Whether what the venue has not got by now, it never will. In its own session a message may still be on its
        way; asked too often, that session is ended. An answer tells not which question it is to: as many as were asked
        within the grace count for nothing."""
        chase.misses += 1
        if chase.session == self.session:
            if chase.misses >= self.patience.resets_after:
                self.gateway.reset(f"order {record.leg.id} was not answered")
            return False
        return self._former_closed and not self._in_grace and chase.misses > chase.early

    @property
    def _in_grace(self) -> bool:
        """Whether what was sent in a former session may still turn up."""
        return self.clock.monotonic_ns() < self._up_ns + self.gateway.rules.not_found_grace_s * NS

    def unreadable(self, record: LegRecord) -> None:
        """What the venue said of it could not be read."""
        chase = self._chases.get(record.leg.id)
        if chase is not None and not record.terminal:
            self._doubt(record, f"{self.name} said what cannot be read")
            self._ask(record, chase)

    def ask_for_fills(self, instrument: str) -> None:
        """A position differs: something about orders that are over was not heard."""
        legs = (record for record in reversed(self._ledger.legs.values()) if record.leg.venue == self.name)
        over = (record for record in legs if record.terminal and record.leg.ticket.instrument.name == instrument)
        for record in islice(over, ASKED_AT_ONCE):
            self._try(partial(self.gateway.query_fills, record.leg.ticket))

    def doubt_all(self, reason: str) -> None:
        """What is not over may have become anything."""
        for record, _ in self._left():
            if not record.terminal:
                self._doubt(record, reason)

    # --- now and then ----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look who waits for what, and for how long."""
        now_ns, patience = self.clock.monotonic_ns(), self.patience
        ack_ns, again_ns, live_ns = patience.ack_s * NS, patience.again_s * NS, patience.live_s * NS
        for record, chase in self._left():
            waits = record.state is OrderState.SENT or record.pending is not None
            if waits and now_ns - chase.sent_ns >= ack_ns:
                self._doubt(record, f"{self.name} did not answer within {patience.ack_s:g} s")
            if record.canceling and not record.terminal and now_ns - chase.canceled_ns >= again_ns:
                self._cancel(record, chase)
            unclear = record.state is OrderState.UNKNOWN or not record.agreed
            quiet_ns = now_ns - max(chase.heard_ns, chase.asked_ns, chase.sent_ns)
            if (unclear and now_ns - chase.asked_ns >= again_ns) or quiet_ns >= live_ns:
                self._ask(record, chase)

    def _give_up(self, record: LegRecord, chase: Chase) -> None:
        """Asked often enough about fills that never come: somebody has to look at it."""
        if chase.questions == self.patience.explains_after:
            what = f"it counts {record.cumulative_increments} increments filled, and told {record.booked_increments}"
            name, instrument = record.leg.id, record.leg.ticket.instrument.name
            self.quarantine(Quarantined(self.clock.now_ns(), self.name, name, instrument, what))

    def quarantine(self, item: Quarantined) -> None:
        """Nothing new is sent here in that instrument, until the operator's word."""
        if f"{self.name}/{item.name}" not in self._ledger.quarantine:
            log.error("%s/%s is quarantined: %s", self.name, item.name, item.what)
            self._blotter.insist(item)

    # --- the parts of it -------------------------------------------------------------------------------------------

    def _left(self) -> Iterable[tuple[LegRecord, Chase]]:
        chases = self._chases
        return [(record, chases[id]) for id, record in self._ledger.at(self.name).items() if id in chases]

    def _doubt(self, record: LegRecord, reason: str) -> None:
        if record.state is not OrderState.UNKNOWN:
            self._blotter.insist(Doubted(self.clock.now_ns(), record.leg.id, reason))
            self._say(record, ReportKind.STATUS, reason)

    def _ask(self, record: LegRecord, chase: Chase) -> None:
        if not self.up:
            return
        chase.asked_ns = self.clock.monotonic_ns()
        chase.early += self._in_grace
        if record.agreed:
            self._try(partial(self.gateway.query, record.leg.ticket))
        else:
            chase.questions += 1
            self._give_up(record, chase)
            self._try(partial(self.gateway.query_fills, record.leg.ticket))

    def _cancel(self, record: LegRecord, chase: Chase) -> None:
        if self.up:
            chase.canceled_ns = self.clock.monotonic_ns()
            self._try(partial(self.gateway.cancel, record.leg.ticket))

    def _try(self, say: Callable[[], None]) -> None:
        try:
            say()
        except NotConnected as error:  # it will be said again
            log.debug("%s: %s", self.name, error)
