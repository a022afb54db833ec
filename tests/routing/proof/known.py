"""What a journal says, read fact by fact as it grows, and what a restart would make of it."""

from typing import Any

from ticktree.market import Side
from ticktree.routing.facts import (
    Answered,
    AnyFact,
    Ended,
    Halted,
    NotSent,
    Opened,
    Reported,
    Resumed,
    Sent,
)
from ticktree.routing.ledger import Ledger


class Known:
    """What the journal says, read fact by fact as it grows."""

    def __init__(self) -> None:
        self.read = 0
        self.opened: dict[str, Opened] = {}
        self.sent: dict[str, Sent] = {}
        self.not_sent: set[str] = set()
        self.answered: set[str] = set()
        self.late: dict[tuple[str, str], bool] = {}  # (venue, execution id) -> booked after the answer
        self.halted = False
        self.sent_in_a_halt: list[Sent] = []

    def take(self, facts: list[AnyFact]) -> None:
        for fact in facts[self.read :]:
            self._take(fact)
        self.read = len(facts)

    def _take(self, fact: AnyFact) -> None:
        match fact:
            case Opened():
                assert fact.order_id not in self.opened, f"invariant 2: {fact.order_id} was opened twice"
                self.opened[fact.order_id] = fact
            case Sent():
                assert fact.leg_id not in self.sent, f"invariant 2: {fact.leg_id} was used twice"
                self.sent[fact.leg_id] = fact
                if self.halted:
                    self.sent_in_a_halt.append(fact)
            case NotSent(leg_id=leg_id):
                self.not_sent.add(leg_id)
            case Answered(order_id=order_id) | Ended(order_id=order_id):
                self.answered.add(order_id)
            case Halted():
                self.halted = True
            case Resumed():
                self.halted = False
            case Reported(venue=venue, report=report) if report.execution is not None:
                sent = self.sent.get(report.client_id)
                if sent is not None:
                    self.late.setdefault((venue, report.execution.id), sent.order_id in self.answered)
            case _:
                pass


def replayed(facts: list[AnyFact]) -> Ledger:
    """What a restart would know."""
    ledger = Ledger()
    for fact in facts:
        ledger.apply(fact)
    return ledger


def picture(ledger: Ledger) -> dict[str, Any]:
    """All that matters of a ledger, to be compared."""
    legs = {
        id: (leg.state, leg.booked_increments, leg.cumulative_increments, leg.quantity_increments, leg.pending)
        for id, leg in ledger.legs.items()
    }
    orders = {
        id: (
            record.ended, record.answered, record.terminal, record.filled_increments, record.open_increments,
            record.late_increments,
        )
        for id, record in ledger.orders.items()
    }  # fmt: skip
    names = sorted(ledger.instruments)
    held = {name: (ledger.position(name), *(ledger.open(name, side) for side in Side)) for name in names}
    positions = [
        (one.strategy, one.quantity, one.cash, one.cost, one.fills, one.bought) for one in ledger.positions.all()
    ]
    adopted = {place: quantity for place, quantity in ledger.adopted.items() if quantity}
    return {
        "legs": legs, "orders": orders, "held": held, "positions": sorted(positions), "halted": ledger.halted,
        "fills": ledger.fills, "quarantine": ledger.quarantine, "adopted": adopted, "made": ledger.orders_made,
        "epoch": ledger.epoch, "open": sorted(ledger.open_orders),
    }  # fmt: skip
