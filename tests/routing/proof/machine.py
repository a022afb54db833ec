"""Any order of orders, fills, cancels, busts, lies, cuts, crashes and restarts: what may happen, step by step."""

from collections import Counter

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ticktree.market import Side
from ticktree.routing.controls import DrainOrders, Flatten, Halt, Resolve, Resume
from ticktree.routing.orders import Execution as Result, Order, OrderHandle, OrderState, Terms, TimeInForce
from ticktree.routing.policies import AllOf, AnyOf, BestOf, Retry, Share, Sweep, Timeout, Unwind
from ticktree.routing.policies.policy import Legs, Policy
from ticktree.routing.records import OrderRecord
from ticktree.routing.reports import ReportKind
from ticktree.routing.risk import Limits, SelfTrade

from ...market.samples import BTC
from .model import ModelVenue
from .rig import FREE, HOUR_NS, Rig
from .way import Link


@attrs.frozen
class Faulty:
    """Somebody's own policy: sends a leg and, at the first word about it, raises what it should not."""

    venues: tuple[str, ...] = ("a",)

    async def execute(self, order: Order, legs: Legs) -> Result:
        legs.send("a", order.quantity_increments)
        await legs.changed()
        raise ZeroDivisionError("somebody's own fault")


AGE_S = 1.0
POLICIES: dict[str, Policy] = {
    "timeout": Timeout("a", deadline_s=0.25),
    "any": AnyOf(("a", "b"), deadline_s=1.0),
    "impatient": AnyOf(("a", "b"), deadline_s=2.0, each_s=0.2),
    "racing": AnyOf(("a", "b"), deadline_s=1.0, racing=True),
    "hold": AllOf(("a", "b"), deadline_s=0.5),
    "unwind": AllOf(("a", Share("b", weight=2)), deadline_s=0.5, compensation=Unwind(within_s=0.5, attempts=2)),
    "retry": AllOf(("a", "b"), deadline_s=0.5, compensation=Retry(within_s=0.5, attempts=2)),
    "hedge": AllOf(("a", Share("b", opposite=True)), deadline_s=0.5, compensation=Unwind(within_s=0.5, attempts=2)),
    "best": BestOf(("a", "b"), max_price_age_s=AGE_S, deadline_s=0.5),
    "sweep": Sweep(("a", "b"), max_price_age_s=AGE_S, deadline_s=0.5),
    "nested": AnyOf(
        (Timeout("a", deadline_s=0.1), BestOf(("a", "b"), max_price_age_s=AGE_S, deadline_s=0.2)), deadline_s=1.0
    ),
    "faulty": Faulty(),
}
DEADLINES = {
    "timeout": 0.25, "any": 1.0, "impatient": 2.0, "racing": 1.0, "hold": 0.5, "unwind": 0.5, "retry": 0.5,
    "hedge": 0.5, "best": 0.5, "sweep": 0.5, "nested": 1.0,
}  # fmt: skip
SEQUENTIAL = frozenset({"any", "impatient", "nested"})
MOST_POSITION = 60
TIGHT = Limits(self_trade=SelfTrade.ALLOW, max_position={BTC.name: f"{MOST_POSITION}e-4"})
COUNTS: Counter[str] = Counter()

ENDS = st.sampled_from([OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED])
TIMES = st.sampled_from([None, TimeInForce.GTC, TimeInForce.IOC])
SIDES = st.sampled_from(Side)
PRICES = st.integers(9_900, 10_100)
VENUES = st.sampled_from(["a", "b"])
JUMPS_NS = st.sampled_from([0, HOUR_NS, -HOUR_NS])
ROUTERS = st.sampled_from(sorted(POLICIES))
WAITS_S = st.sampled_from([0.001, 0.01, 0.03, 0.1, 0.5, 2.0])


@attrs.frozen
class Conditions:
    """What a run goes on under, as `Link` and `ModelVenue` have it. `bad`: so often words are lost, or doubled."""

    seed: int
    bad: float
    evidence: bool
    vague: bool
    numbered: bool
    refuses: float
    takes: bool
    tight: bool


CONDITIONS = st.builds(
    Conditions, seed=st.integers(0, 1 << 30), bad=st.sampled_from([0.0, 0.0, 0.2, 0.4]), evidence=st.booleans(),
    vague=st.booleans(), numbered=st.booleans(), refuses=st.sampled_from([0.0, 0.0, 0.2]), takes=st.booleans(),
    tight=st.booleans(),
)  # fmt: skip


class Trading(RuleBasedStateMachine):
    """Twelve policies, two venues, two strategies."""

    rig: Rig | None = None

    @initialize(how=CONDITIONS, orders=st.lists(st.tuples(ROUTERS, SIDES, st.integers(1, 40)), min_size=1, max_size=3))
    def begin(self, how: Conditions, orders: list[tuple[str, Side, int]]) -> None:
        link = Link(drop=how.bad, duplicate=how.bad, evidence=how.evidence, vague=how.vague)
        self.rig = rig = Rig(
            POLICIES, how.seed, link, TIGHT if how.tight else FREE, deadlines=DEADLINES, sequential=SEQUENTIAL,
            most_position=MOST_POSITION if how.tight else None,
        )  # fmt: skip
        for venue in rig.venues.values():
            venue.numbered, venue.refuses, venue.takes = how.numbered, how.refuses, how.takes
        rig.pass_time(0.2)
        for router, side, quantity in orders:
            self._order(router, side, quantity)
            rig.pass_time(0.02)

    @property
    def _rig(self) -> Rig:
        assert self.rig is not None
        return self.rig

    # --- strategies ------------------------------------------------------------------------------------------------

    @rule(
        router=ROUTERS, side=SIDES, quantity=st.integers(1, 40), in_force=TIMES,
        limit=st.sampled_from(["100", "99.9", None]), strategy=st.sampled_from(["s", "t"]),
    )  # fmt: skip
    def order(
        self, router: str, side: Side, quantity: int, in_force: TimeInForce | None, limit: str | None, strategy: str
    ) -> None:
        draining = self._rig.draining
        handle = self._order(router, side, quantity, in_force, limit, strategy)
        if draining:
            self._rig.pass_time(0.001)
            assert self._refused(handle), "an order was taken while routers drain"

    def _order(
        self, router: str, side: Side, quantity: int, in_force: TimeInForce | None = None, limit: str | None = "100",
        strategy: str = "s",
    ) -> OrderHandle:  # fmt: skip
        granted = f"{quantity}e-4" if router == "racing" else 0
        terms = Terms(in_force, max_overfill=granted, opposite_limit="100" if router == "hedge" else None)
        return self._rig.order(router, side, quantity, limit, terms, strategy)

    def _open_order(self, data: st.DataObject) -> OrderRecord | None:
        orders = self._rig.ledger.open_orders
        return orders[data.draw(st.sampled_from(list(orders)))] if orders else None

    def _refused(self, handle: OrderHandle) -> bool:
        record = self._rig.ledger.orders.get(handle.order.id)
        return handle.done and (record is None or not record.legs)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        record = self._open_order(data)
        if record is not None:
            self._rig.cancel(record)

    @rule(data=st.data(), quantity=st.integers(1, 60))
    def replace(self, data: st.DataObject, quantity: int) -> None:
        record = self._open_order(data)
        if record is not None:
            self._rig.replace(record, quantity, "99.8")

    @rule(data=st.data())
    def give_up_waiting(self, data: st.DataObject) -> None:
        """Invariant 12: whoever gives up waiting changes nothing."""
        if self._rig.handles:
            handle = self._rig.handles[data.draw(st.integers(0, len(self._rig.handles) - 1))]
            was_done = handle.done
            self._rig.give_up_waiting(handle)
            assert handle.done >= was_done

    # --- venues ----------------------------------------------------------------------------------------------------

    def _live(self) -> list[tuple[str, str]]:
        return [(v.name, id) for v in self._rig.venues.values() for id, o in v.orders.items() if not o.state.terminal]

    @precondition(lambda self: self._live())
    @rule(data=st.data(), share=st.integers(1, 100), price=PRICES)
    def fill(self, data: st.DataObject, share: int, price: int) -> None:
        name, id = data.draw(st.sampled_from(self._live()))
        venue = self._rig.venues[name]
        self._rig.act(lambda: venue.fill(id, max(1, venue.orders[id].open * share // 100), price))

    @precondition(lambda self: self._live())
    @rule(data=st.data(), state=ENDS)
    def end(self, data: st.DataObject, state: OrderState) -> None:
        name, id = data.draw(st.sampled_from(self._live()))
        self._rig.act(lambda: self._rig.venues[name].end(id, state))

    @precondition(lambda self: self._live())
    @rule(data=st.data(), price=PRICES)
    def cancel_as_it_fills(self, data: st.DataObject, price: int) -> None:
        """The cancel crosses the fill."""
        name, id = data.draw(st.sampled_from(self._live()))
        venue = self._rig.venues[name]
        record = self._rig.ledger.legs[id].order
        self._rig.cancel(record)
        self._rig.act(lambda: venue.fill(id, venue.orders[id].open, price) if venue.orders[id].open else None)

    @rule(data=st.data(), quantity=st.integers(0, 5), price=PRICES)
    def correct(self, data: st.DataObject, quantity: int, price: int) -> None:
        """Of orders that are open, and of those that are over."""
        executed = [
            (venue.name, id, place)
            for venue in self._rig.venues.values()
            for id, order in venue.orders.items()
            for place in range(len(order.executions))
        ]
        if executed:
            name, id, place = data.draw(st.sampled_from(executed))
            self._rig.act(lambda: self._rig.venues[name].correct(id, place, quantity, price))

    @rule(data=st.data(), what=st.sampled_from(["fill_after_the_end", "lie", "nobodys_order", "nobodys_fill", "clock"]))
    def misbehave(self, data: st.DataObject, what: str) -> None:
        """A venue does what none should."""
        getattr(self, f"_{what}")(data, self._rig.venues[data.draw(VENUES)])

    def _fill_after_the_end(self, data: st.DataObject, venue: ModelVenue) -> None:
        over = [id for id, order in venue.orders.items() if order.state.terminal and order.cumulative < order.quantity]
        if over:
            id, price = data.draw(st.sampled_from(over)), data.draw(PRICES)
            self._rig.act(lambda: venue.fill(id, 1, price))

    def _lie(self, data: st.DataObject, venue: ModelVenue) -> None:
        """Invariant 7: it counts less than it did."""
        live = [id for id, order in venue.orders.items() if not order.state.terminal]
        if live:
            id = data.draw(st.sampled_from(live))
            self._rig.act(lambda: venue.lie(id))

    def _nobodys_order(self, data: st.DataObject, venue: ModelVenue) -> None:
        kind = data.draw(st.sampled_from([ReportKind.ACCEPTED, ReportKind.CANCELED, ReportKind.STATUS]))
        self._rig.act(lambda: venue.unknown(kind))

    def _nobodys_fill(self, data: st.DataObject, venue: ModelVenue) -> None:
        side, quantity = data.draw(SIDES), data.draw(st.integers(1, 5))
        if BTC.name in self._rig.ledger.instruments:
            self._rig.act(lambda: venue.stray(BTC, side, quantity))

    def _clock(self, data: st.DataObject, venue: ModelVenue) -> None:
        """Its wall clock jumps."""
        venue.skew_ns = data.draw(JUMPS_NS)

    # --- the way ---------------------------------------------------------------------------------------------------

    @rule(name=VENUES)
    def cut(self, name: str) -> None:
        self._rig.counts["cuts"] += 1
        self._rig.act(self._rig.gateways[name].break_off)

    @rule(name=VENUES, ends=st.booleans())
    def garble(self, name: str, ends: bool) -> None:
        """Words that cannot be read; with or without the end of the session."""
        gateway = self._rig.gateways[name]
        self._rig.act(gateway.garble)
        if ends:
            self._rig.pass_time(0.05)
            self._rig.act(gateway.break_off)

    @rule(seconds=WAITS_S)
    def wait(self, seconds: float) -> None:
        self._rig.pass_time(seconds)

    # --- the operator ----------------------------------------------------------------------------------------------

    @rule(data=st.data(), what=st.sampled_from(["halt", "resume", "drain", "flatten", "resolve"]))
    def operate(self, data: st.DataObject, what: str) -> None:
        getattr(self, f"_{what}")(data)

    def _halt(self, _: st.DataObject) -> None:
        self._rig.ask(Halt())

    def _resume(self, _: st.DataObject) -> None:
        self._rig.draining = self._rig.draining and isinstance(self._rig.ask(Resume()), Exception)

    def _drain(self, _: st.DataObject) -> None:
        self._rig.ask(DrainOrders())
        self._rig.draining = True

    def _flatten(self, data: st.DataObject) -> None:
        self._rig.ask(Flatten(data.draw(st.sampled_from([None, "s"])), within_s=1.0))

    def _resolve(self, data: st.DataObject) -> None:
        """The last word about what is unknown is the operator's, right or wrong."""
        ledger = self._rig.ledger
        unknown = [id for id, leg in ledger.legs.items() if leg.state is OrderState.UNKNOWN]
        names = [*unknown, *ledger.quarantine]
        if names:
            name = data.draw(st.sampled_from(names))
            self._rig.checks.resolved |= {name, name.partition("/")[2]} & set(ledger.legs)
            self._rig.ask(Resolve(name))

    # --- failures --------------------------------------------------------------------------------------------------

    @rule(jump_ns=JUMPS_NS, crashes=st.booleans())
    def restart(self, jump_ns: int, crashes: bool) -> None:
        """In an orderly way, or not."""
        if crashes:
            self._rig.crash(jump_ns)
        else:
            self._rig.restart(jump_ns)

    @rule(path=st.sampled_from(["venues/a", "venues/b", *(f"routers/{name}" for name in POLICIES)]))
    def crash_actor(self, path: str) -> None:
        self._rig.counts["lives lost"] += 1
        self._rig.crash_actor(path)

    @rule(chance=st.integers(0, 5))
    def fill_the_disk(self, chance: int) -> None:
        if not chance:
            self._rig.journal.fill_up()

    # --- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        if self.rig is not None:
            self.rig.counts["steps"] += 1
            self.rig.checks.step()

    def teardown(self) -> None:
        rig, self.rig = self.rig, None
        if rig is None:
            return
        try:
            rig.come_to_rest()
            rig.checks.end()
        finally:
            rig.close()
        COUNTS["runs"] += 1
        COUNTS.update(rig.counts)
