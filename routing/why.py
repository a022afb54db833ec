"""The story of one order as the journal tells it: tick, decision, risk, route, legs, reports, answer, end."""

from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import assert_never

from ticktree.market import Instrument, plain

from .errors import Refusal, UnknownOrder
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
from .ledger import Ledger, News
from .orders import Leg, Order, Purpose, Side
from .records import OrderRecord
from .reports import Report, ReportKind, VenueExecution

NAMES_KEPT = 20_000  # to find what was meant by a name that there is not; the latest ones


def why(facts: Iterable[AnyFact], order_id: str) -> list[str]:
    """What became of an order and why, a line for each step: when, how long after the decision, who, what.

    `order_id` may also be the id of one of its legs, or `venue/leg` as a quarantine has it. Raises `UnknownOrder`.
    """
    search = Search(order_id.rpartition("/")[2])
    for fact in facts:
        search.look_at(fact)
    return Teller().tell(search.found())


class Search:
    """Keeps, of the facts that pass, those of one order. Whether an order is the one is known when it ends at the
    latest, so that only those that are open are kept meanwhile."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._order_id = ""  # once it is known
        self.stories: defaultdict[str, list[AnyFact]] = defaultdict(list)  # by order id
        self._orders: dict[str, str] = {}  # leg id -> order id, of those stories
        self._defined: dict[str, Defined] = {}
        self._names: deque[str] = deque(maxlen=NAMES_KEPT)

    def look_at(self, fact: AnyFact) -> None:
        """The next fact."""
        match fact:
            case Defined(instrument=instrument):
                self._defined[instrument] = fact
            case Opened(order_id=order_id):
                self._names.append(order_id)
                self._keep(order_id, self._defined[fact.instrument])
                self._keep(order_id, fact)
                self._meant(order_id, order_id)
            case Sent(order_id=order_id, leg_id=leg_id):
                self._names.append(leg_id)
                self._orders[leg_id] = order_id
                self._keep(order_id, fact)
                self._meant(leg_id, order_id)
            case Answered(order_id=order_id):
                self._keep(order_id, fact)
            case Turned(order_id=order_id) | Ended(order_id=order_id):
                self._keep(order_id, fact)
                self._forget_unless_meant(order_id)
            case Reported(report=report):
                self._keep(self._orders.get(report.client_id), fact)
            case Quarantined(name=name):
                self._keep(self._orders.get(name), fact)
            case Resolved(leg_id=name):
                self._keep(self._orders.get(name.rpartition("/")[2]), fact)
            case Began() | Halted() | Resumed():
                pass
            case _:
                self._keep(self._orders.get(fact.leg_id), fact)

    def _keep(self, order_id: str | None, fact: AnyFact) -> None:
        if order_id is not None and self._order_id in ("", order_id):
            self.stories[order_id].append(fact)

    def _meant(self, name: str, order_id: str) -> None:
        if name == self._name:
            self._order_id = order_id
            self.stories = defaultdict(list, {order_id: self.stories[order_id]})

    def _forget_unless_meant(self, order_id: str) -> None:
        if order_id != self._order_id:
            for fact in self.stories.pop(order_id, ()):
                if isinstance(fact, Sent):
                    del self._orders[fact.leg_id]

    def found(self) -> list[AnyFact]:
        """The facts of the order. Raises `UnknownOrder`."""
        if self._order_id:
            return self.stories[self._order_id]
        nearest = get_close_matches(self._name, self._names, 3)
        if nearest:
            hint = f"did you mean {' or '.join(map(repr, nearest))}?"
        elif self._names:
            hint = f"the latest is {self._names[-1]!r}"
        else:
            hint = "it holds no order at all"
        raise UnknownOrder(f"the journal knows no order or leg {self._name!r}; {hint}")


class Teller:
    """Says facts in words, in the order they were written."""

    def __init__(self) -> None:
        self._ledger = Ledger()
        self._lines: list[str] = []
        self._decided_ns = 0
        self._refused = False  # before any router heard of it

    def tell(self, facts: list[AnyFact]) -> list[str]:
        """The lines. The first two facts define the instrument, and open the order."""
        self._refused = _refused_at_once(facts[1:3])
        for fact in facts:
            self._tell(fact, self._ledger.apply(fact))
        self._line(facts[-1].time_ns, "over" if self._record.terminal else "still open", self._standing())
        return self._lines

    def _line(self, time_ns: int, who: str, what: str) -> None:
        when = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        micros = time_ns // 1_000 % 1_000_000
        since = span(time_ns - self._decided_ns)
        self._lines.append(f"{when}.{micros:06}Z {since:>12}  {who:<10} {what}")

    @property
    def _record(self) -> OrderRecord:
        return next(iter(self._ledger.orders.values()))

    @property
    def _instrument(self) -> Instrument:
        return self._record.order.instrument

    # --- our side --------------------------------------------------------------------------------------------------

    def _tell(self, fact: AnyFact, news: News | None) -> None:
        match fact:
            case Opened():
                self._opened(fact)
            case Turned():
                refusal = Refusal(fact.limit, fact.allowed, fact.attempted, fact.because)
                self._line(fact.time_ns, "risk" if _is_risk(fact.limit) else "route", f"refused: {refusal}")
            case Sent():
                self._sent(fact)
            case Reported():
                self._reported(fact, news)
            case Answered():
                self._line(fact.time_ns, "answer", f"its caller goes on: {self._standing()}")
            case Ended(reason=reason):
                self._line(fact.time_ns, "end", f"its policy sends no more{_because(reason)}")
            case Quarantined(venue=venue, name=name, what=what):
                self._line(fact.time_ns, venue, f"{self._leg(name)}is quarantined: {what}")
            case Resolved(leg_id=name, state=state, reason=reason):
                leg_id = name.rpartition("/")[2]
                self._line(fact.time_ns, "operator", f"{self._leg(leg_id)}counts as {state}{_because(reason)}")
            case CancelSent(leg_id=leg_id):
                self._to_venue(fact.time_ns, leg_id, "a cancel is sent")
            case ReplaceSent(leg_id=leg_id):
                terms = self._terms(fact.quantity, fact.limit)
                self._to_venue(fact.time_ns, leg_id, f"a replace is sent, to {terms}")
            case NotReplaced(leg_id=leg_id, reason=reason):
                self._to_venue(fact.time_ns, leg_id, f"is not replaced{_because(reason)}")
            case NotSent(leg_id=leg_id, reason=reason):
                self._to_venue(fact.time_ns, leg_id, f"was not sent{_because(reason)}")
            case Doubted(leg_id=leg_id, reason=reason):
                self._to_venue(fact.time_ns, leg_id, f"is in doubt{_because(reason)}")
            case NeverArrived(leg_id=leg_id, reason=reason):
                self._to_venue(fact.time_ns, leg_id, f"never arrived{_because(reason)}")
            case Defined() | Began() | Halted() | Resumed():
                pass
            case _:
                assert_never(fact)

    def _opened(self, fact: Opened) -> None:
        self._decided_ns = fact.time_ns
        order = self._record.order
        self._lines.append(f"order {order.id} of {order.strategy}: {order}")
        if fact.quote is None:
            self._line(fact.time_ns, "tick", f"no quote of {fact.instrument} was known")
        else:
            feed, sequence, bid, ask, received_ns = fact.quote
            prices = f"bid {_price(self._instrument, bid)}, ask {_price(self._instrument, ask)}"
            self._line(received_ns, "tick", f"{feed} #{sequence}: {prices}")
        self._line(fact.time_ns, "decision", f"{fact.strategy}: {order}{_terms(order)}")
        if not self._refused:
            self._line(fact.time_ns, "risk", "passed")
            self._line(fact.time_ns, "route", f"{fact.router}: {fact.policy or 'its policy'}")

    def _sent(self, fact: Sent) -> None:
        leg = self._ledger.legs[fact.leg_id].leg
        purpose = "" if leg.purpose is Purpose.WORK else f" to {leg.purpose}"
        side = "buy" if fact.side is Side.BUY else "sell"
        what = f"{side} {self._terms(fact.quantity, fact.limit)}, {fact.time_in_force}{_flags(fact)}"
        worst = f"worst case of the order {self._size(fact.worst)}"
        self._line(
            fact.time_ns, _label(leg), f"to {fact.venue} (account {fact.account}) as {leg.id}{purpose}: {what}; {worst}"
        )

    def _to_venue(self, time_ns: int, leg_id: str, what: str) -> None:
        self._line(time_ns, _label(self._ledger.legs[leg_id].leg), what)

    # --- the venue's -----------------------------------------------------------------------------------------------

    def _reported(self, fact: Reported, news: News | None) -> None:
        report = fact.report
        what = self._said(report, news)
        if news is not None and news.wrong:
            what += f"; it does not fit: {news.wrong}"
        self._line(fact.time_ns, fact.venue, f"{self._leg(report.client_id)}{what}")

    def _said(self, report: Report, news: News | None) -> str:
        in_all = f"{self._size(report.cumulative_increments)} filled in all"
        match report.kind:
            case ReportKind.ACCEPTED:
                return "accepted"
            case ReportKind.FILL | ReportKind.CORRECTED:
                assert report.execution is not None
                return f"{self._execution(report, report.execution, news)}; {in_all}"
            case ReportKind.CANCELED | ReportKind.EXPIRED | ReportKind.REJECTED:
                return f"{report.kind}{_because(report.reason)}; {in_all}"
            case ReportKind.REPLACED:
                return f"replaced, to {self._terms(report.quantity_increments, report.limit_increments)}; {in_all}"
            case ReportKind.CANCEL_REJECTED:
                return f"the cancel is rejected{_because(report.reason)}"
            case ReportKind.REPLACE_REJECTED:
                return f"the replace is rejected{_because(report.reason)}"
            case ReportKind.STATUS:
                return f"asked, and it says: {report.state}{_because(report.reason)}; {in_all}"
            case ReportKind.NOT_FOUND:
                return "asked, and does not know it"
            case _:
                assert_never(report.kind)

    def _execution(self, report: Report, execution: VenueExecution, news: News | None) -> str:
        size = self._size(execution.quantity_increments)
        what = f"{size} at {plain(self._instrument.price(execution.price_increments))}"
        fee = f", fee {plain(execution.fee)} {execution.fee_currency}".rstrip() if execution.fee else ""
        details = f"{', maker' if execution.maker else ', taker'}{fee}, execution {execution.id}"
        if news is None or (news.fill is None and news.corrected is None):
            return f"says execution {execution.id} again"
        if report.kind is ReportKind.CORRECTED:
            busted = not execution.quantity_increments
            return f"busted: execution {execution.id} never happened" if busted else f"corrected to {what}{details}"
        late = " late, after the caller went on:" if news.fill is not None and news.fill.late else ""
        return f"fill{late} {what}{details}"

    # --- words -----------------------------------------------------------------------------------------------------

    def _standing(self) -> str:
        record = self._record
        execution = record.execution()
        filled = f"{record.state}, {plain(execution.filled)} of {plain(record.order.quantity)} filled"
        unknown = f", {plain(execution.unknown)} may yet be" if execution.unknown_increments else ""
        late = f", {plain(execution.late)} of it late" if execution.late_increments else ""
        over = f", {self._size(record.overfilled_increments)} beyond" if record.overfilled_increments else ""
        return filled + unknown + late + over

    def _leg(self, leg_id: str) -> str:
        return f"{_label(self._ledger.legs[leg_id].leg)} "

    def _size(self, increments: int) -> str:
        return plain(self._instrument.size(increments))

    def _terms(self, quantity: int, limit: int | None) -> str:
        at = "at the market" if limit is None else f"at {plain(self._instrument.price(limit))}"
        return f"{self._size(quantity)} {at}"


def span(ns: int) -> str:
    """A duration that people read: +12.3 us, +1.234 ms, +1.234 s."""
    for unit, name in ((1_000_000_000, "s"), (1_000_000, "ms")):
        if abs(ns) >= unit:
            return f"{ns / unit:+,.3f} {name}"
    return f"{ns / 1_000:+.1f} us"


def _label(leg: Leg) -> str:
    return f"leg {leg.number}" if leg.attempt == 1 else f"leg {leg.number}.{leg.attempt}"


def _refused_at_once(facts: list[AnyFact]) -> bool:
    """Whether an order was turned down in the moment of its decision; what routers refuse, they refuse later."""
    opened, following = facts[0], facts[-1]
    return isinstance(following, Turned) and following.time_ns == opened.time_ns and _is_risk(following.limit)


def _is_risk(limit: str) -> bool:
    return limit.startswith("risk.") or limit in ("halted", "reduce_only", "max_overfill")


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _price(instrument: Instrument, price: float) -> str:
    return plain(instrument.price(instrument.nearest_price(price)))


def _terms(order: Order) -> str:
    overfill = order.instrument.size(order.max_overfill_increments)
    said = (
        f", {order.time_in_force}" if order.time_in_force is not None else "",
        ", post-only" if order.post_only else "",
        ", reduce-only" if order.reduce_only else "",
        f", may be over-filled by {plain(overfill)}" if order.max_overfill_increments else "",
    )
    return "".join(said)


def _flags(fact: Sent) -> str:
    return (", post-only" if fact.post_only else "") + (", reduce-only" if fact.reduce_only else "")
