"""Facts in few words, told to a ledger: what is known of orders without anybody at work."""

from decimal import Decimal
from typing import Any

from ticktree.market import Instrument, Side
from ticktree.routing.facts import AnyFact, Began, Defined, Opened, Reported, Sent
from ticktree.routing.ledger import Ledger, News
from ticktree.routing.orders import OrderState, Purpose, TimeInForce
from ticktree.routing.records import LegRecord, OrderRecord
from ticktree.routing.reports import Report, ReportKind, VenueExecution

from ..market.samples import BTC

ORDER, LEG = "e1-1", "e1-1.1"


def defined(instrument: Instrument = BTC) -> Defined:
    text = instrument.price_increment, instrument.size_increment, instrument.multiplier, instrument.min_notional
    return Defined(0, instrument.name, *map(str, text))


def opened(
    order_id: str = ORDER, quantity: int = 10, side: Side = Side.BUY, strategy: str = "s", grant: int = 0,
    limit: int | None = 10_000,
) -> Opened:  # fmt: skip
    return Opened(0, order_id, strategy, "r", "timeout", BTC.name, side, quantity, limit, max_overfill=grant)


def sent(  # noqa: PLR0917  # what a leg is made of
    leg_id: str = LEG, order_id: str = ORDER, quantity: int = 10, side: Side = Side.BUY, venue: str = "a",
    purpose: Purpose = Purpose.WORK, limit: int | None = 10_000,
) -> Sent:  # fmt: skip
    return Sent(
        0, leg_id, order_id, 1, 1, venue, "acc", purpose, side, quantity, limit, TimeInForce.GTC, 0, False, False, 0
    )


def execution(  # noqa: PLR0917  # what an execution is made of
    quantity: int, id: str = "x1", side: Side = Side.BUY, price: int = 10_000, revision: int = 0, day: str = "",
    fee: str = "0",
) -> VenueExecution:  # fmt: skip
    return VenueExecution(id, BTC.name, side, quantity, price, Decimal(fee), "USDT", trading_day=day, revision=revision)


def now(value: Any) -> Any:
    """`value`, as it is at this moment: type checkers believe that a property which was compared stays the same."""
    return value


class Story:
    """A ledger that starts with one order of ten increments and one leg of it at venue `a`, unless told otherwise."""

    def __init__(self, begun: bool = True) -> None:
        self.ledger = Ledger()
        self.facts: list[AnyFact] = []
        self.tell(Began(0, "e1"), defined())
        if begun:
            self.tell(opened(), sent())

    def tell(self, *facts: AnyFact) -> News | None:
        news = None
        for fact in facts:
            self.facts.append(fact)
            news = self.ledger.apply(fact)
        return news

    @property
    def leg(self) -> LegRecord:
        return self.ledger.legs[LEG]

    @property
    def order(self) -> OrderRecord:
        return self.ledger.orders[ORDER]

    def say(self, kind: ReportKind, cumulative: int = 0, leg_id: str = LEG, venue: str = "a", **fields: Any) -> News:
        report = Report(kind, leg_id, 0, cumulative, **fields)
        news = self.tell(Reported(0, venue, "acc", report))
        assert news is not None
        return news

    def fill(
        self, quantity: int, id: str = "x1", cumulative: int | None = None, leg_id: str = LEG, **more: Any
    ) -> News:
        """`more`: of the execution; `sequence` and `venue` of the word."""
        words = {name: more.pop(name) for name in ("sequence", "venue") if name in more}
        record = self.ledger.legs.get(leg_id)
        said = quantity + (record.booked_increments if record is not None else 0) if cumulative is None else cumulative
        return self.say(ReportKind.FILL, said, leg_id, execution=execution(quantity, id, **more), **words)

    def correct(
        self, quantity: int, cumulative: int, id: str = "x1", revision: int = 1, leg_id: str = LEG, **more: Any
    ) -> News:
        words = {name: more.pop(name) for name in ("sequence", "venue") if name in more}
        told = execution(quantity, id, revision=revision, **more)
        return self.say(ReportKind.CORRECTED, cumulative, leg_id, execution=told, **words)

    def status(self, state: OrderState, cumulative: int = 0, **fields: Any) -> News:
        return self.say(ReportKind.STATUS, cumulative, state=state, **fields)

    def opens(self) -> tuple[int, int]:
        return self.ledger.open(BTC.name, Side.BUY), self.ledger.open(BTC.name, Side.SELL)


def replayed(facts: list[AnyFact]) -> Ledger:
    """What a restart would know."""
    ledger = Ledger()
    for fact in facts:
        ledger.apply(fact)
    return ledger


def picture(ledger: Ledger) -> dict[str, Any]:
    """All that matters of a ledger, to be compared."""
    legs = {
        id: (
            leg.state, leg.reason, leg.booked_increments, leg.cumulative_increments, leg.quantity_increments,
            leg.limit_increments, leg.pending, leg.canceling, leg.contradicted, leg.sequence,
        )
        for id, leg in ledger.legs.items()
    }  # fmt: skip
    orders = {
        id: (record.order, record.ended, record.answered, record.state, record.late_increments, record.opens())
        for id, record in ledger.orders.items()
    }
    names = sorted(ledger.instruments)
    totals = {(name, side): ledger.open(name, side) for name in names for side in Side}
    held = {name: ledger.position(name) for name in names}
    return {
        "legs": legs, "orders": orders, "open orders": list(ledger.open_orders), "totals": totals, "held": held,
        "halted": ledger.halted, "quarantine": dict(ledger.quarantine), "adopted": dict(ledger.adopted),
        "counts": (ledger.epoch, ledger.orders_made, ledger.fills, ledger.overfilled),
        "positions": list(ledger.positions.all()),
    }  # fmt: skip
