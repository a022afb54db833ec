"""What is known of orders and their legs at this moment. The ledger writes here; everybody else reads."""

import msgspec

from ticktree.market import Side

from .errors import Refusal
from .orders import TERMINAL, Execution, Leg, LegResult, Order, OrderState, Purpose

# Both are Structs because an order makes one of each: attrs takes twice as long, of code that is cold by then.
# Members of an enum cost 30 ns to look up on CPython 3.11. What follows is asked some thirty times an order, so it goes
# through legs in plain loops: for the one that there mostly is, a generator takes as long again.
BUY, WORK, UNWIND, UNKNOWN = Side.BUY, Purpose.WORK, Purpose.UNWIND, OrderState.UNKNOWN


class LegRecord(msgspec.Struct, eq=False):
    """A leg, and how far it is known to have come.

    `quantity_increments` and `limit_increments` are as the venue last agreed; `pending` is a replace on its way.
    `booked_increments` is what we have booked, `cumulative_increments` what the venue counts, both net of busts.
    """

    leg: Leg
    order: "OrderRecord"
    quantity_increments: int
    limit_increments: int | None
    state: OrderState = OrderState.SENT
    pending: tuple[int, int | None] | None = None
    booked_increments: int = 0
    cumulative_increments: int = 0
    canceling: bool = False  # a cancel was sent; it is repeated until there is evidence
    reason: str = ""
    sequence: int = 0  # of the venue's word that the cumulative quantity is from
    heard_sequence: int = 0  # the greatest of all its words, refusals included
    replace_sequence: int = 0  # the same when the last replace was sent: words up to it are not about that one
    corrected: bool = False  # an execution of it was busted or corrected
    contradicted: bool = False  # the venue's words do not fit together: it is to be asked
    decided_ns: int = 0  # when the strategy decided, when it was journalled, sent and answered; 0 after a restart
    journal_ns: int = 0
    wire_ns: int = 0
    ack_ns: int = 0
    filled_ns: int = 0

    @property
    def terminal(self) -> bool:
        """Whether the venue said that it is over."""
        return self.state in TERMINAL

    @property
    def open_increments(self) -> int:
        """What may yet be booked: all that is not, in the worst case, while it is not over."""
        booked = self.booked_increments
        missing = self.cumulative_increments - booked
        if self.state in TERMINAL:
            return missing if missing > 0 else 0
        worst = self.quantity_increments
        if self.pending is not None and self.pending[0] > worst:
            worst = self.pending[0]
        worst -= booked
        return max(worst, missing, 0)

    @property
    def agreed(self) -> bool:
        """Whether we have booked what the venue counts, and its words fit together."""
        return self.cumulative_increments == self.booked_increments and not self.contradicted

    @property
    def accounted(self) -> bool:
        """Whether it is over, and everything that the venue counts is booked."""
        agreed = self.cumulative_increments == self.booked_increments and not self.contradicted
        return agreed and self.state in TERMINAL

    def result(self) -> LegResult:
        """How far it has come, as a value."""
        return LegResult(self.leg, self.state, self.booked_increments, self.open_increments, self.reason)


class OrderRecord(msgspec.Struct, eq=False, weakref=True):
    """An order and its legs. `ended`: its policy sends no more; `answered`: its caller went on."""

    order: Order
    router: str
    policy: str = ""
    legs: dict[str, LegRecord] = {}  # a Struct makes a new one each time
    answered: bool = False
    ended: bool = False
    late_increments: int = 0
    refusal: Refusal | None = None
    reason: str = ""
    decided_ns: int = 0  # when its strategy decided; 0 after a restart
    reserved: tuple[int, int] = (0, 0)  # (buys, sells) that the ledger's totals hold for it

    @property
    def granted_increments(self) -> int:
        """What it may be filled for in the worst case: its quantity, and what its policy may fill beyond."""
        return self.order.quantity_increments + self.order.max_overfill_increments

    @property
    def filled_increments(self) -> int:
        """By the order's own legs, less what was unwound of them."""
        side = self.order.side
        filled = 0
        for record in self.legs.values():
            leg = record.leg
            if leg.purpose is WORK:
                filled += record.booked_increments
            elif leg.purpose is UNWIND and leg.ticket.side is not side:
                filled -= record.booked_increments
        return filled

    @property
    def open_increments(self) -> int:
        """What may yet be filled on the order's side, in the worst case: all that is granted while its policy works."""
        booked = out = 0
        for record in self.legs.values():
            if record.leg.purpose is WORK:
                booked += record.booked_increments
                out += record.open_increments
        if self.ended:
            return out
        left = self.granted_increments - booked
        return left if left > out else out

    @property
    def unknown_increments(self) -> int:
        """What its legs may yet be filled for."""
        out = 0
        for record in self.legs.values():
            if record.leg.purpose is WORK:
                out += record.open_increments
        return out

    def worst(self, purpose: Purpose) -> int:
        """What its legs for `purpose` were filled for, and may yet be."""
        worst = 0
        for record in self.legs.values():
            if record.leg.purpose is purpose:
                worst += record.booked_increments + record.open_increments
        return worst

    @property
    def overfilled_increments(self) -> int:
        """What its legs were filled for beyond its quantity."""
        over = -self.order.quantity_increments
        for record in self.legs.values():
            if record.leg.purpose is WORK:
                over += record.booked_increments
        return over if over > 0 else 0

    @property
    def accounted(self) -> bool:
        """Whether every leg is."""
        for record in self.legs.values():  # noqa: SIM110  # a generator takes 0.5 us longer
            if not record.accounted:
                return False
        return True

    @property
    def terminal(self) -> bool:
        """Whether it was refused, or its policy sends no more and every leg is accounted for."""
        if self.refusal is not None and not self.legs:
            return True
        return self.ended and self.accounted

    @property
    def state(self) -> OrderState:
        """Of the whole: as uncertain as its least certain leg."""
        if not self.legs:
            refused = self.refusal is not None or self.ended
            return OrderState.REJECTED if refused else OrderState.NEW
        last, going = UNKNOWN, None
        for record in self.legs.values():
            last = record.state
            if last is UNKNOWN:
                return UNKNOWN
            if last not in TERMINAL:
                going = last
        if going is not None:
            return going
        if self.filled_increments >= self.order.quantity_increments:
            return OrderState.FILLED
        return last if last is not OrderState.FILLED else OrderState.CANCELED

    def opens(self) -> tuple[int, int]:
        """(buys, sells) that it may yet come to, in increments: what limits count."""
        same, other, side = self.open_increments, 0, self.order.side
        for record in self.legs.values():
            leg = record.leg
            if leg.purpose is WORK:
                continue
            if leg.ticket.side is side:
                same += record.open_increments
            else:
                other += record.open_increments
        return (same, other) if side is BUY else (other, same)

    def execution(self, reason: str = "") -> Execution:
        """What is known now."""
        said = reason or self.reason or (str(self.refusal) if self.refusal is not None else "")
        legs: list[LegResult] = []  # to call `list[LegResult]` takes 0.4 us longer
        because = ""
        for record in self.legs.values():
            legs.append(record.result())
            because = record.reason or because
        return Execution(
            self.order, self.state, self.filled_increments, self.unknown_increments, said or because,
            self.late_increments, tuple(legs), self.refusal,
        )  # fmt: skip
