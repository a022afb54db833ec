"""The invariants of execution as they can be seen from outside: each check is named after the one that it holds."""

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from ticktree.market import Side
from ticktree.routing.ledger import Ledger
from ticktree.routing.orders import Fill, OrderState, OrderUpdate, Purpose, Ticket
from ticktree.routing.records import LegRecord, OrderRecord

from ...market.samples import BTC
from .known import Known, picture, replayed
from .model import NS, Executed, ModelOrder, executed

if TYPE_CHECKING:
    from .rig import Rig

OPPOSITE = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}
SLACK_S = 0.005


class Checks:
    """`leaves` and `arrives` are called by the way, `step` at every instant, `end` when everything is at rest."""

    def __init__(self, rig: "Rig") -> None:
        self.rig = rig
        self.known = Known()
        self.partial = False  # the journal was cut: there are orders of ours that we do not know
        self.resolved: set[str] = set()  # legs that the operator spoke the last word about
        self.told: Counter[tuple[str, str]] = Counter()
        self.corrected: dict[tuple[str, str], Fill] = {}
        self._greatest: dict[str, tuple[int, int]] = {}

    # --- what is seen ----------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        return self.rig.ledger

    def truth(self, leg: LegRecord) -> ModelOrder | None:
        return self.rig.venues[leg.leg.venue].orders.get(leg.leg.id)

    def is_exempt(self, order: OrderRecord) -> bool:
        """Whether a venue broke its own word about it, or the operator gave his."""
        truths = [self.truth(leg) for leg in order.legs.values()]
        broken = any(truth is not None and truth.over_and_filled for truth in truths)
        return broken or not self.resolved.isdisjoint(order.legs)

    @property
    def is_strange(self) -> bool:
        """Whether positions cannot be known at every instant: venues corrected or misbehaved, or the operator spoke."""
        misled = self.partial or bool(self.resolved)
        return misled or any(venue.corrections or venue.misbehaved for venue in self.rig.venues.values())

    def hear(self) -> None:
        """What strategies were told since."""
        for message in self.rig.heard():
            if isinstance(message, Fill):
                self.told[message.venue, message.execution_id] += 1
                self.invariant_11_a_fill_after_the_answer_is_flagged_late(message)
            elif isinstance(message, OrderUpdate) and message.corrected is not None:
                self.corrected[message.corrected.venue, message.corrected.execution_id] = message.corrected

    def forget(self) -> None:
        """A new process, which knows less than the one before."""
        self._greatest.clear()

    # --- on the way ------------------------------------------------------------------------------------------------

    def leaves(self, venue: str, ticket: Ticket) -> None:
        self.known.take(self.rig.journal.facts)
        record = self.ledger.legs[ticket.client_id]
        self.invariant_01_journalled_before_the_first_byte(ticket)
        self.invariant_02_an_id_is_never_used_twice(venue, ticket)
        self.invariant_03_a_leg_waits_for_the_end_of_the_one_before(record)
        self.invariant_13_nothing_new_before_everything_is_asked(venue)

    def arrives(self, venue: str, ticket: Ticket) -> None:
        self.rig.counts["orders"] += 1
        record = self.ledger.legs.get(ticket.client_id)
        if record is not None:
            self.invariant_05_nothing_that_may_arrive_is_written_off(venue, record)
            self.invariant_08_never_more_than_granted(record.order)

    def invariant_01_journalled_before_the_first_byte(self, ticket: Ticket) -> None:
        sent = self.known.sent.get(ticket.client_id)
        assert sent is not None, f"{ticket.client_id} leaves and is not in the journal"
        assert (sent.quantity, sent.limit, sent.side) == (
            ticket.quantity_increments, ticket.limit_increments, ticket.side,
        )  # fmt: skip
        opened = self.known.opened[sent.order_id]
        assert sent.worst >= sent.quantity or sent.purpose is not Purpose.WORK, (sent, opened)

    def invariant_02_an_id_is_never_used_twice(self, venue: str, ticket: Ticket) -> None:
        count = self.rig.venues[venue].submissions[ticket.client_id]
        assert count == 1, f"{ticket.client_id} was submitted {count} times"
        rules = self.rig.gateways[venue].rules
        assert len(ticket.client_id) <= rules.client_id_length
        assert set(ticket.client_id) <= set(rules.client_id_alphabet)

    def invariant_03_a_leg_waits_for_the_end_of_the_one_before(self, leg: LegRecord) -> None:
        """A next attempt in any case; and with sequential policies every leg."""
        if leg.leg.purpose is Purpose.UNWIND or self.is_exempt(leg.order):
            return
        for other in leg.order.legs.values():
            former = other.leg.number == leg.leg.number and other.leg.attempt == leg.leg.attempt - 1
            if former or (other is not leg and leg.order.router in self.rig.sequential):
                truth = self.truth(other)
                over = other.terminal if truth is None else truth.state.terminal
                assert over, f"{leg.leg.id} leaves before {other.leg.id} is over"
                missing = (
                    truth is not None and not truth_corrected(truth) and truth.cumulative - other.booked_increments
                )
                assert not missing, f"{leg.leg.id} leaves before the fills of {other.leg.id} are known"

    def invariant_05_nothing_that_may_arrive_is_written_off(self, venue: str, leg: LegRecord) -> None:
        """Also invariant 4: silence ends nothing."""
        if leg.leg.id not in self.resolved:
            assert not leg.terminal, f"{leg.leg.id} arrives at {venue}, and is {leg.state} to us: {leg.reason}"
        assert leg.leg.id not in self.known.not_sent, f"{leg.leg.id} arrives, and was journalled as not sent"

    def invariant_13_nothing_new_before_everything_is_asked(self, venue: str) -> None:
        gateway = self.rig.gateways[venue]
        assert gateway.account_told, f"an order leaves before the account at {venue} is known"
        for id, leg in self.ledger.at(venue).items():
            earlier = self.rig.venues[venue].submissions[id] and gateway.sent_in.get(id) != gateway.session
            if earlier and not leg.terminal:
                assert id in gateway.heard_of, f"an order leaves before {id} was heard of in this session"

    # --- at every instant ------------------------------------------------------------------------------------------

    def step(self) -> None:
        self.known.take(self.rig.journal.facts)
        self.hear()
        self.invariant_04_what_is_not_known_is_unknown()
        self.invariant_06_an_execution_is_told_once()
        for leg in self.ledger.legs.values():
            self.invariant_04_a_terminal_state_is_the_venues(leg)
            self.invariant_07_what_is_counted_falls_by_corrections_only(leg)
        for order in self.ledger.orders.values():
            self.invariant_08_never_more_than_granted(order)
            self.invariant_11_an_order_is_open_until_all_its_legs_are_over(order)
        for side in Side:
            self.invariant_09_positions_count_all_that_is_open(side)
        self.invariant_14_a_halt_lets_nothing_new_out()
        failures = self.rig.failures()
        del failures["routers/faulty"]
        assert not failures, f"these failed: {failures}"
        self.the_caller_goes_on_at_its_deadline()

    def invariant_04_what_is_not_known_is_unknown(self) -> None:
        now_ns = self.rig.loop.clock.monotonic_ns()
        for name, gateway in self.rig.gateways.items():
            for id, leg in self.ledger.at(name).items():
                if leg.terminal or not self.rig.venues[name].submissions[id]:
                    continue
                if not gateway.up:
                    assert leg.state is OrderState.UNKNOWN, f"{id} is {leg.state}, and {name} is cut off"
                elif leg.state is OrderState.SENT:
                    waited_s = (now_ns - gateway.sent_ns[id]) / NS
                    assert waited_s <= self.rig.patience.ack_s + self.rig.patience.look_s + SLACK_S, (id, waited_s)

    def invariant_04_a_terminal_state_is_the_venues(self, leg: LegRecord) -> None:
        truth = self.truth(leg)
        if leg.terminal and truth is not None and leg.leg.id not in self.resolved:
            assert truth.state.terminal, f"{leg.leg.id} is {leg.state} to us, and {truth.state} at its venue"

    def invariant_06_an_execution_is_told_once(self) -> None:
        twice = [key for key, count in self.told.items() if count > 1]
        if not self.rig.forgetful:
            assert not twice, f"told twice: {twice}"

    def invariant_07_what_is_counted_falls_by_corrections_only(self, leg: LegRecord) -> None:
        """Of an order that is busted, the count may be heard of first."""
        counted, booked = self._greatest.get(leg.leg.id, (0, 0))
        truth = self.truth(leg)
        if leg.leg.id not in self.resolved and not (truth is not None and truth_corrected(truth)):
            assert leg.booked_increments >= booked, f"{leg.leg.id}: booked {booked}, then {leg.booked_increments}"
            assert leg.cumulative_increments >= counted, f"{leg.leg.id}: counted {counted}, then less"
        self._greatest[leg.leg.id] = leg.cumulative_increments, leg.booked_increments

    def invariant_08_never_more_than_granted(self, record: OrderRecord) -> None:
        """By the venues' own books: all that is filled and all that may yet be, of work, hedges and unwindings."""
        if self.is_exempt(record):
            return
        order, worst, filled = record.order, defaultdict[Purpose, int](int), 0
        pending = [leg.pending[0] for leg in record.legs.values() if leg.pending is not None]
        quantity = max(order.quantity_increments, *pending, 0)
        for leg in record.legs.values():
            truth = self.truth(leg)
            if truth is not None:
                worst[leg.leg.purpose] += truth.cumulative + truth.open
                filled += truth.cumulative if leg.leg.purpose is not Purpose.UNWIND else 0
        granted = quantity + order.max_overfill_increments
        assert worst[Purpose.WORK] <= granted, f"{order}: {worst[Purpose.WORK]} increments, {granted} are granted"
        assert worst[Purpose.HEDGE] <= quantity, f"{order}: {worst[Purpose.HEDGE]} increments of hedges"
        if not any(venue.corrections for venue in self.rig.venues.values()):
            assert worst[Purpose.UNWIND] <= filled, f"{order}: more is taken back than was filled"

    def invariant_09_positions_count_all_that_is_open(self, side: Side) -> None:
        """Position and open orders as we count them are never less than the venues', and within the limit."""
        if self.is_strange:
            return
        sign = 1 if side is Side.BUY else -1
        truth = sum(sign * venue.position(BTC.name) + venue.open(BTC.name, side) for venue in self.rig.venues.values())
        ours = sign * self.ledger.position(BTC.name) + self.ledger.open(BTC.name, side)
        assert ours >= truth, f"{side.name}: we count {ours}, at the venues it may come to {truth}"
        most = self.rig.most_position
        assert most is None or truth <= most, f"{side.name}: the position may come to {truth}, the limit is {most}"

    def invariant_11_an_order_is_open_until_all_its_legs_are_over(self, record: OrderRecord) -> None:
        if record.order.id in self.ledger.open_orders or self.is_exempt(record):
            return
        for leg in record.legs.values():
            truth = self.truth(leg)
            assert leg.accounted, f"{record.order.id} is closed, {leg.leg.id} is {leg.state}"
            assert truth is None or truth.state.terminal, f"{record.order.id} is closed, {leg.leg.id} is {truth.state}"

    def invariant_11_a_fill_after_the_answer_is_flagged_late(self, fill: Fill) -> None:
        late = self.known.late.get((fill.venue, fill.execution_id))
        assert late is None or fill.late is late, f"{fill} is late: {late}"

    def invariant_14_a_halt_lets_nothing_new_out(self) -> None:
        for sent in self.known.sent_in_a_halt:
            # The venue is not told of reduce-only where its own account holds less than the strategy does.
            reduces = self.ledger.orders[sent.order_id].order.reduce_only
            assert reduces or sent.purpose is Purpose.UNWIND, f"{sent} in a halt"
        self.known.sent_in_a_halt.clear()

    def the_caller_goes_on_at_its_deadline(self) -> None:
        now_ns = self.rig.loop.clock.monotonic_ns()
        for due_ns, handle in self.rig.waiting:
            assert handle.done or now_ns <= due_ns + SLACK_S * NS, f"{handle.order.id} was not answered in time"

    # --- in the end ------------------------------------------------------------------------------------------------

    def end(self) -> None:
        self.step()
        self.invariant_06_booked_is_what_was_executed()
        self.invariant_11_results_are_right()
        for handle in self.rig.handles:
            assert handle.done, f"nobody answered for {handle.order}"
        for side in Side:
            assert not self.ledger.open(BTC.name, side), f"{side.name}: something is still counted as open"
        if not self.rig.journal.full:
            again, live = picture(replayed(self.rig.journal.facts)), picture(self.ledger)
            assert again == live, {name: (again[name], live[name]) for name in live if again[name] != live[name]}
        self._count()

    def invariant_06_booked_is_what_was_executed(self) -> None:
        for name, venue in self.rig.venues.items():
            booked, adopted = self.ledger.positions.at_venue(name, BTC.name), self.ledger.adopted[name, BTC.name]
            assert booked + adopted == venue.position(BTC.name), (name, booked, adopted, venue.position(BTC.name))
            assert venue.strays or not self.ledger.adopted[name, BTC.name], f"{name}: something was adopted"
        truth, lost = executed(self.rig.venues), any(venue.lost for venue in self.rig.venues.values())
        strange = any(venue.corrections or venue.misbehaved for venue in self.rig.venues.values())
        if not (lost and strange):  # two that were lost, and come to nothing together, show nowhere
            self._check_strategies(truth)
        assert set(self.told) <= set(truth), "what was never executed was told"
        if not self.rig.counts["restarts"] and not self.rig.counts["crashes"]:
            self._check_told(truth, lost)

    def _check_strategies(self, truth: dict[tuple[str, str], tuple[str, Executed]]) -> None:
        """Position and money of each, worked out anew from what the venues executed."""
        held, cash = defaultdict[str, int](int), defaultdict[str, int](int)
        for leg_id, one in truth.values():
            sent = self.known.sent[leg_id]
            strategy, sign = self.known.opened[sent.order_id].strategy, 1 if sent.side is Side.BUY else -1
            held[strategy] += sign * one.quantity
            cash[strategy] -= sign * one.quantity * one.price
        for strategy, quantity in held.items():
            position = self.ledger.positions.of(strategy, BTC.name)
            assert (position.quantity, position.cash) == (quantity, cash[strategy]), (strategy, position)

    def _check_told(self, truth: dict[tuple[str, str], tuple[str, Executed]], lost: bool) -> None:
        """Each execution, and each correction that was not lost on the way; of one, the correction may come first."""
        heard = {*self.told, *self.corrected}
        for key, (_, one) in truth.items():
            if not one.revision:
                assert key in heard or (lost and self.is_strange), f"never told: {key}"
            elif not lost:
                assert self.corrected[key].quantity_increments == one.quantity, f"{key}: told {self.corrected[key]}"

    def invariant_11_results_are_right(self) -> None:
        """What the caller is told in the end is what happened; late is what came after its answer."""
        for final in self.rig.finals:
            if (
                not final.done()
                or final.cancelled()
                or any(v.corrections or v.misbehaved for v in self.rig.venues.values())
            ):
                continue
            execution, filled, late = final.result(), 0, 0
            if not self.resolved.isdisjoint(leg.leg.id for leg in execution.legs):
                continue
            for (venue, id), (leg_id, one) in executed(self.rig.venues).items():
                sent = self.known.sent[leg_id]
                if sent.order_id == execution.order.id and sent.purpose is not Purpose.HEDGE:
                    sign = 1 if sent.side is execution.order.side else -1
                    hedged = sent.purpose is Purpose.UNWIND and sign > 0
                    filled += 0 if hedged else sign * one.quantity
                    late += one.quantity if sent.purpose is Purpose.WORK and self.known.late.get((venue, id)) else 0
            assert execution.filled_increments == filled, (execution, filled)
            if not self.rig.forgetful:
                assert execution.late_increments == late, (execution, late)

    def _count(self) -> None:
        counts = self.rig.counts
        counts["fills"] += sum(venue.fills for venue in self.rig.venues.values())
        counts["busts and corrections"] += sum(venue.corrections for venue in self.rig.venues.values())
        counts["late fills"] += sum(self.known.late.values())
        counts["submitted twice"] += sum(
            n > 1 for venue in self.rig.venues.values() for n in venue.submissions.values()
        )
        for record in self.ledger.orders.values():
            over = record.overfilled_increments
            if not over:
                continue
            if over <= record.order.max_overfill_increments:
                counts["over-fills granted"] += 1
            elif self.is_exempt(record):
                counts["over-fills against the venue's own word"] += 1
            else:
                counts["over-fills beyond the grant"] += 1
        booked = sum(self.ledger.positions.at_venue(name, BTC.name) for name in self.rig.venues)
        adopted = sum(self.ledger.adopted.values())
        counts["lost"] += abs(booked + adopted - sum(venue.position(BTC.name) for venue in self.rig.venues.values()))


def truth_corrected(truth: ModelOrder) -> bool:
    return any(one.revision for one in truth.executions)
