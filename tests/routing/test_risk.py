"""What stands between a decision and a venue."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from ticktree.actors import VirtualClock
from ticktree.market import Instrument, Number, Quote, Side
from ticktree.routing.errors import BadLimit, Refusal
from ticktree.routing.facts import Doubted, Ended, ReplaceSent, Reported
from ticktree.routing.ledger import Ledger
from ticktree.routing.orders import Leg, Order, OrderState, Purpose, Terms, Ticket
from ticktree.routing.records import LegRecord
from ticktree.routing.reports import Report, ReportKind, VenueExecution
from ticktree.routing.risk import Gate, Limits, SelfTrade

from ..market.samples import BTC, ETH

BUY, SELL, WORK, HEDGE, UNWIND = Side.BUY, Side.SELL, Purpose.WORK, Purpose.HEDGE, Purpose.UNWIND
SECOND_NS = 1_000_000_000
EUR = Instrument("BTC-EUR", 9, Decimal("0.01"), Decimal("0.0001"))


class Desk:
    """A gate, the ledger it reads, and quotes and a clock that the test sets."""

    def __init__(self, **limits: Any) -> None:
        self.ledger, self.clock = Ledger(), VirtualClock()
        self.quotes: dict[str, Quote] = {}
        self.gate = Gate(Limits(**limits), self.ledger, lambda instrument: self.quotes.get(instrument.name), self.clock)
        self._made = 0

    def quote(self, bid: float, ask: float, instrument: Instrument = BTC, age_s: float = 0) -> None:
        received_ns = self.clock.now_ns() - round(age_s * SECOND_NS)
        self.quotes[instrument.name] = Quote("sim", instrument, bid, 1.0, ask, 1.0, 1, 1, received_ns)

    def order(
        self,
        side: Side,
        quantity: Number,
        limit: Number | None = 100,
        instrument: Instrument = BTC,
        strategy: str = "s",
        **terms: Any,
    ) -> Order:
        self._made += 1
        return Order.of(f"o{self._made}", strategy, instrument, side, str(quantity), limit, Terms(**terms))

    def opened(self, side: Side, quantity: Number, limit: Number | None = 100, **more: Any) -> Order:
        """An order that counts, whatever the gate would say."""
        order = self.order(side, quantity, limit, **more)
        self.ledger.instruments[order.instrument.name] = order.instrument
        self.ledger.take(order, "r", "p")
        return order

    def held(self, side: Side, quantity: Number, instrument: Instrument = BTC, strategy: str = "s") -> None:
        self._made += 1
        self.ledger.instruments[instrument.name] = instrument
        size = instrument.size_increments(quantity)
        self.ledger.positions.book(strategy, instrument, self._made, side, size, 1, Decimal(0), "", "v")

    def check(self, side: Side, quantity: Number, limit: Number | None = 100, **more: Any) -> Refusal | None:
        """What the gate says of such an order."""
        order = self.order(side, quantity, limit, **more)
        return self.gate.check_order(order, self.quotes.get(order.instrument.name))

    def check_leg(
        self,
        side: Side,
        quantity: Number,
        limit: Number | None = 100,
        purpose: Purpose = WORK,
        order: Order | None = None,
        venue: str = "v",
    ) -> Refusal | None:
        """What it says of a leg, of an order to buy unless told."""
        order = order or self.order(side, quantity, limit)
        at = None if limit is None else order.instrument.price_increments(limit)
        size = order.instrument.size_increments(quantity)
        return self.gate.check_leg(order, venue, side, size, at, purpose)

    def leg(
        self,
        order: Order,
        side: Side,
        quantity: int,
        limit: int | None,
        purpose: Purpose = WORK,
        venue: str = "v",
    ) -> LegRecord:
        """A leg that was sent."""
        self._made += 1
        ticket = Ticket(f"l{self._made}", order.instrument, side, quantity, limit)
        return self.ledger.add(Leg(ticket.client_id, order, 1, 1, venue, purpose, ticket))

    def resting(self, side: Side, quantity: Number, limit: Number | None, venue: str = "v", **more: Any) -> LegRecord:
        """An order of one leg that rests."""
        order = self.opened(side, quantity, limit, **more)
        return self.leg(order, side, order.quantity_increments, order.limit_increments, venue=venue)

    def filled(self, leg: LegRecord, quantity: int) -> None:
        """A venue's word that so much more was filled."""
        self._made += 1
        ticket = leg.leg.ticket
        execution = VenueExecution(f"e{self._made}", ticket.instrument.name, ticket.side, quantity, 100)
        report = Report(
            ReportKind.FILL, leg.leg.id, 0, cumulative_increments=leg.cumulative_increments + quantity,
            execution=execution,
        )  # fmt: skip
        self.ledger.apply(Reported(0, leg.leg.venue, "account", report))


def refused(refusal: Refusal | None, limit: str, allowed: str, attempted: str) -> Refusal:
    assert refusal is not None
    assert (refusal.limit, refusal.allowed, refusal.attempted) == (limit, allowed, attempted)
    return refusal


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["max_order_size", "max_position", "max_order_notional", "max_open_exposure"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "many", True, None, Decimal("-0.1")])
def test_a_limit_that_is_no_number_above_zero_is_refused_by_name(name: str, value: Any) -> None:
    key = "BTC-USDT" if name in {"max_order_size", "max_position"} else "USDT"
    with pytest.raises(BadLimit, match=rf"risk\.{name}\.{key}"):
        Limits(**{name: {key: value}})


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("max_order_size", {"BTC": 1}),
        ("max_order_size", {"btc-usdt": 1}),
        ("max_position", {1: 1}),
        ("max_position", 5),
        ("max_order_notional", {"*": 1}),
        ("max_order_notional", {"usdt": 1}),
        ("max_open_exposure", [("USDT", 1)]),
    ],
)
def test_a_table_of_something_else_is_refused_with_an_example(name: str, table: Any) -> None:
    with pytest.raises(BadLimit, match=rf"risk\.{name} is a table, as in "):
        Limits(**{name: table})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in ("max_orders_per_s", "price_collar", "max_price_age_s") for value in
          (0, -1, float("nan"), float("inf"), True, "x")],
        ("max_orders_per_s", 1.5),
        ("price_collar", 1),
        ("price_collar", 5),
        ("self_trade", "maybe"),
        ("self_trade", None),
    ],
)  # fmt: skip
def test_other_limits_that_mean_nothing_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(BadLimit, match=rf"risk\.{name}"):
        Limits(**{name: value})


def test_limits_are_read_as_a_configuration_writes_them() -> None:
    limits = Limits({"*": "0.5"}, {"USDT": 1e4}, max_orders_per_s=5, price_collar=0.05, self_trade="cancel_resting")
    assert limits.max_order_size == {"*": Decimal("0.5")}
    assert limits.max_order_notional == {"USDT": Decimal(10_000)}
    assert (limits.max_orders_per_s, limits.price_collar) == (5, Decimal("0.05"))
    assert limits.self_trade is SelfTrade.CANCEL_RESTING


def test_nothing_is_limited_that_is_not_named_but_trading_with_oneself() -> None:
    desk = Desk()
    assert Limits() == Limits(self_trade=SelfTrade.REFUSE)
    assert desk.check(BUY, 10**6) is desk.check(SELL, 10**6, None) is None
    assert desk.check_leg(BUY, 10**6, None) is None
    desk.resting(SELL, 1, 100)
    refusal = desk.check_leg(BUY, 1, 100)
    assert refusal is not None
    assert refusal.limit == "risk.self_trade"


# --- size, notional --------------------------------------------------------------------------------------------------


def test_an_orders_size_is_limited_by_instrument_or_for_all_others() -> None:
    desk = Desk(max_order_size={"BTC-USDT": "0.5", "*": 2})
    assert desk.check(BUY, "0.5") is desk.check_leg(SELL, "0.5") is desk.check(BUY, 2, instrument=ETH) is None
    refused(desk.check(BUY, "0.5001"), "risk.max_order_size.BTC-USDT", "0.5", "0.5001")
    refused(desk.check_leg(SELL, "0.5001"), "risk.max_order_size.BTC-USDT", "0.5", "0.5001")
    refused(desk.check(SELL, "2.001", instrument=ETH), "risk.max_order_size.*", "2", "2.001")


def test_a_limit_between_two_increments_is_the_lower_one() -> None:
    desk = Desk(max_order_size={"*": "0.00019"})
    assert desk.check(BUY, "0.0001") is None
    refused(desk.check(BUY, "0.0002"), "risk.max_order_size.*", "0.00019", "0.0002")


def test_what_an_order_comes_to_is_limited_by_its_quote_currency() -> None:
    desk = Desk(max_order_notional={"USDT": 1000})
    assert desk.check(BUY, 10, 100) is desk.check_leg(SELL, 10, 100) is None
    refused(desk.check(BUY, "10.0001", 100), "risk.max_order_notional.USDT", "1000", "1000.01")
    refused(desk.check_leg(SELL, 10, "100.01"), "risk.max_order_notional.USDT", "1000", "1000.1")
    assert desk.check(BUY, 10**6, 100, instrument=EUR) is None


def test_a_multiplier_counts_in_what_an_order_comes_to() -> None:
    desk, big = Desk(max_order_notional={"USDT": 1000}), attrs.evolve(BTC, multiplier=Decimal(100))
    assert desk.check(BUY, "0.1", 100, instrument=big) is None
    refused(desk.check(BUY, "0.1001", 100, instrument=big), "risk.max_order_notional.USDT", "1000", "1001")


def test_a_sell_comes_to_what_the_bid_says_where_its_limit_is_lower() -> None:
    desk = Desk(max_order_notional={"USDT": 1000})
    desk.quote(200, 201)
    assert desk.check(SELL, 5, 1) is None
    refused(desk.check(SELL, "5.0001", 1), "risk.max_order_notional.USDT", "1000", "1000.02")
    refused(desk.check_leg(SELL, "5.0001", 1), "risk.max_order_notional.USDT", "1000", "1000.02")


def test_an_order_at_the_market_comes_to_the_far_side_and_needs_a_quote() -> None:
    desk = Desk(max_order_notional={"USDT": 1000})
    refused(desk.check(BUY, 1, None), "risk.max_order_notional.USDT", "1000", "no quote")
    refused(desk.check_leg(BUY, 1, None), "risk.max_order_notional.USDT", "1000", "no quote")
    desk.quote(99, 100)
    assert desk.check(BUY, 10, None) is desk.check_leg(BUY, 10, None) is None
    refused(desk.check(BUY, "10.0001", None), "risk.max_order_notional.USDT", "1000", "1000.01")
    refused(desk.check_leg(SELL, "10.1011", None), "risk.max_order_notional.USDT", "1000", "1000.0089")


# --- position --------------------------------------------------------------------------------------------------------


def test_a_position_is_limited_with_all_that_is_open_on_the_orders_side_over_all_strategies() -> None:
    desk = Desk(max_position={"BTC-USDT": 10})
    desk.held(BUY, 2, strategy="a")
    desk.held(BUY, 1, strategy="b")
    desk.opened(BUY, 3, strategy="a")
    desk.opened(SELL, 9, strategy="b")  # takes nothing off: it may never be filled
    assert desk.check(BUY, 4, strategy="c") is None
    refused(desk.check(BUY, "4.0001", strategy="c"), "risk.max_position.BTC-USDT", "10", "10.0001")
    assert desk.check(SELL, 4) is None
    refused(desk.check(SELL, "4.0001"), "risk.max_position.BTC-USDT", "10", "-10.0001")
    assert desk.check(BUY, 1000, instrument=ETH) is None


def test_what_is_unknown_counts_in_full() -> None:
    desk = Desk(max_position={"*": 10})
    leg = desk.resting(BUY, 6, 100)
    desk.filled(leg, 20_000)
    desk.ledger.apply(Doubted(0, leg.leg.id, "cut"))
    desk.ledger.apply(Ended(0, leg.order.order.id))
    assert leg.state is OrderState.UNKNOWN
    assert desk.check(BUY, 4) is None
    refused(desk.check(BUY, "4.0001"), "risk.max_position.*", "10", "10.0001")


def test_what_may_be_filled_beyond_the_quantity_counts() -> None:
    desk = Desk(max_position={"*": 10})
    assert desk.check(BUY, 5, max_overfill=5) is None
    refused(desk.check(BUY, 5, max_overfill="5.0001"), "risk.max_position.*", "10", "10.0001")


def test_an_order_that_only_takes_a_position_back_passes_however_large_that_is() -> None:
    desk = Desk(max_position={"*": 10})
    desk.held(BUY, 50)
    assert desk.check(SELL, 60) is None
    assert desk.check(BUY, "0.0001") is not None
    refused(desk.check(SELL, "60.0001"), "risk.max_position.*", "10", "-10.0001")


@pytest.mark.parametrize("purpose", [HEDGE, UNWIND])
def test_a_leg_on_the_other_side_than_its_order_reserves_anew(purpose: Purpose) -> None:
    desk = Desk(max_position={"*": 10}, self_trade="allow")
    order = desk.opened(BUY, 5)
    desk.opened(SELL, 6)
    assert desk.check_leg(BUY, 5, order=order) is None  # that is reserved
    assert desk.check_leg(SELL, 4, purpose=purpose, order=order) is None
    refused(desk.check_leg(SELL, "4.0001", purpose=purpose, order=order), "risk.max_position.*", "10", "-10.0001")


# --- open exposure ---------------------------------------------------------------------------------------------------


def test_exposure_is_the_worst_of_every_instrument_of_the_currency_at_the_middle() -> None:
    desk = Desk(max_open_exposure={"USDT": 1000})
    desk.quote(99, 101)
    desk.quote(9, 11, ETH)
    desk.quote(1, 2, EUR)
    desk.held(SELL, 30, ETH)
    desk.opened(SELL, 10, 10, instrument=ETH)
    desk.opened(BUY, 60, 10, instrument=ETH)  # 30 long at worst, 40 short: 400
    desk.held(BUY, 1000, EUR)
    desk.held(BUY, 1)
    assert desk.check(BUY, 5) is None
    refused(desk.check(BUY, "5.0001"), "risk.max_open_exposure.USDT", "1000", "1000.01")
    assert desk.check(SELL, 7) is None
    refused(desk.check(SELL, "7.0001"), "risk.max_open_exposure.USDT", "1000", "1000.01")
    assert desk.check(BUY, 10, 10, instrument=ETH) is None
    assert desk.check(BUY, 100, 10, instrument=ETH) is not None
    assert desk.check(BUY, 10**6, instrument=EUR) is None


def test_what_makes_no_exposure_worse_passes_also_beyond_the_limit_and_without_prices() -> None:
    desk = Desk(max_open_exposure={"USDT": 1})
    desk.held(BUY, 50)
    assert desk.check(SELL, 100, None) is None
    refused(desk.check(SELL, "100.0001", None), "risk.max_open_exposure.USDT", "1", "no quote")


def test_an_instrument_without_a_price_is_counted_at_the_limit_if_it_is_the_orders_own_else_refused() -> None:
    desk = Desk(max_open_exposure={"USDT": 1000})
    assert desk.check(BUY, 10, 100) is None
    refused(desk.check(BUY, "10.0001", 100), "risk.max_open_exposure.USDT", "1000", "1000.01")
    refused(desk.check(BUY, 1, None), "risk.max_open_exposure.USDT", "1000", "no quote")
    desk.opened(BUY, 1, instrument=ETH)
    refusal = refused(desk.check(BUY, 1, 100), "risk.max_open_exposure.USDT", "1000", "no quote")
    assert "ETH-USDT" in refusal.because


def test_a_leg_on_the_other_side_adds_to_the_exposure() -> None:
    desk = Desk(max_open_exposure={"USDT": 1000})
    desk.quote(100, 100.5)
    order = desk.opened(BUY, 1)
    assert desk.check_leg(SELL, 9, 101, HEDGE, order) is None
    refusal = desk.check_leg(SELL, 10, 101, HEDGE, order)
    refused(refusal, "risk.max_open_exposure.USDT", "1000", "1002.5")


# --- prices ----------------------------------------------------------------------------------------------------------


def test_a_price_too_far_through_the_freshest_quote_is_refused() -> None:
    desk = Desk(price_collar=0.05)
    desk.quote(100, 200)
    assert desk.check_leg(BUY, 1, 210) is desk.check_leg(BUY, 1, 1) is None
    refused(desk.check_leg(BUY, 1, "210.01"), "risk.price_collar", "210", "210.01")
    assert desk.check_leg(SELL, 1, 95) is desk.check_leg(SELL, 1, 10**6) is None
    refused(desk.check_leg(SELL, 1, "94.99"), "risk.price_collar", "95", "94.99")


def test_a_collar_that_ends_between_two_increments_ends_before_it() -> None:
    desk = Desk(price_collar="0.0333")
    desk.quote(100.01, 100.03)
    assert desk.check_leg(BUY, 1, "103.36") is desk.check_leg(SELL, 1, "96.68") is None  # 103.360999, 96.679667
    refused(desk.check_leg(BUY, 1, "103.37"), "risk.price_collar", "103.36", "103.37")
    refused(desk.check_leg(SELL, 1, "96.67"), "risk.price_collar", "96.68", "96.67")


@pytest.mark.parametrize("limit", [None, 100])
def test_a_collar_needs_a_quote(limit: Number | None) -> None:
    desk = Desk(price_collar=0.05)
    refusal = refused(desk.check_leg(BUY, 1, limit), "risk.price_collar", "0.05", "no quote")
    assert "BTC-USDT" in refusal.because
    desk.quote(99, 100)
    assert desk.check_leg(BUY, 1, limit) is None


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        ({"price_collar": 0.5}, 100),
        ({"price_collar": 0.5}, None),
        ({"max_order_notional": {"USDT": 10**6}}, None),
        ({}, None),
    ],
)
def test_a_stale_price_is_none(limits: dict[str, Any], limit: Number | None) -> None:
    desk = Desk(**limits, max_price_age_s=0.5)
    refused(desk.check_leg(BUY, 1, limit), "risk.max_price_age_s", "0.5", "no quote")
    desk.quote(99, 100, age_s=0.5)
    assert desk.check_leg(BUY, 1, limit) is None
    desk.quote(99, 100, age_s=0.500000001)
    refused(desk.check_leg(BUY, 1, limit), "risk.max_price_age_s", "0.5", "0.500000001")


def test_a_stale_price_is_none_for_what_an_order_comes_to_and_for_exposure() -> None:
    desk = Desk(max_order_notional={"USDT": 1000}, max_price_age_s=1)
    desk.quote(99, 100, age_s=1.5)
    refused(desk.check(BUY, 1, None), "risk.max_price_age_s", "1", "1.5")
    desk = Desk(max_open_exposure={"USDT": 1000}, max_price_age_s=1)
    desk.held(BUY, 1, ETH)
    desk.quote(99, 100, ETH, age_s=1.5)
    refusal = refused(desk.check(BUY, 1, 100), "risk.max_price_age_s", "1", "1.5")
    assert "ETH-USDT" in refusal.because


def test_an_order_with_a_limit_needs_no_fresh_price_where_nothing_is_judged_by_it() -> None:
    desk = Desk(max_order_notional={"USDT": 1000}, max_price_age_s=1)
    desk.quote(99, 100, age_s=1.5)
    assert desk.check(BUY, 1, 100) is desk.check_leg(BUY, 1, 100) is desk.check_leg(SELL, 1, 100) is None


# --- rate ------------------------------------------------------------------------------------------------------------


def test_so_many_legs_are_sent_within_any_second() -> None:
    desk = Desk(max_orders_per_s=3)
    sent = list[int]()
    for _ in range(60):
        if desk.check_leg(BUY, 1) is None:
            sent.append(desk.clock.monotonic_ns())
        desk.clock.advance(0.1)
    assert all(later - earlier >= SECOND_NS for earlier, later in zip(sent, sent[3:], strict=False))
    assert len(sent) == 18


def test_one_order_more_than_is_allowed_a_second_is_refused_until_the_second_is_over() -> None:
    desk = Desk(max_orders_per_s=2)
    assert desk.check_leg(BUY, 1) is desk.check_leg(SELL, 1) is None
    refused(desk.check_leg(BUY, 1), "risk.max_orders_per_s", "2", "3")
    desk.clock.advance(0.999_999_999)
    refused(desk.check_leg(BUY, 1), "risk.max_orders_per_s", "2", "3")
    desk.clock.advance(1e-9)
    assert desk.check_leg(BUY, 1) is None


def test_what_is_refused_for_another_reason_counts_for_nothing_and_neither_does_opening_an_order() -> None:
    desk = Desk(max_orders_per_s=1, max_order_size={"*": 1})
    for _ in range(5):
        assert desk.check_leg(BUY, 2) is not None
        assert desk.check(BUY, 1) is None
    assert desk.check_leg(BUY, 1) is None
    assert desk.check_leg(BUY, 1) is not None


# --- trading with oneself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "resting", "limit", "meets"),
    [
        (BUY, 100, 100, True),
        (BUY, 100, "99.99", False),
        (BUY, 100, None, True),
        (BUY, None, 1, True),
        (SELL, 100, 100, True),
        (SELL, 100, "100.01", False),
        (SELL, 100, None, True),
        (SELL, None, 1000, True),
    ],
)
def test_an_order_that_would_meet_one_of_our_own_is_refused_with_its_name(
    side: Side, resting: Number | None, limit: Number | None, meets: bool
) -> None:
    desk = Desk()
    own = desk.resting(SELL if side is BUY else BUY, 1, resting, strategy="other")
    refusal = desk.check_leg(side, 1, limit)
    assert (refusal is not None) is meets
    if refusal is not None:
        assert (refusal.limit, refusal.allowed) == ("risk.self_trade", "refuse")
        assert own.leg.id in refusal.because
        assert "other" in refusal.because


def test_orders_that_cannot_meet_pass() -> None:
    desk = Desk()
    desk.resting(SELL, 1, 100, venue="w")
    desk.resting(SELL, 1, 100, instrument=ETH)
    desk.resting(BUY, 1, 100)
    over = desk.resting(SELL, 1, 100)
    desk.filled(over, 10_000)
    assert over.terminal
    assert desk.check_leg(BUY, 1, None) is None


def test_a_leg_whose_cancel_is_on_its_way_or_whose_state_is_unknown_may_still_be_met() -> None:
    desk = Desk()
    leg = desk.resting(SELL, 1, 100)
    for state in (OrderState.CANCEL_SENT, OrderState.UNKNOWN, OrderState.REPLACE_SENT):
        leg.state = state
        assert desk.check_leg(BUY, 1, 100) is not None


def test_a_leg_that_is_being_replaced_may_be_met_at_either_price() -> None:
    desk = Desk()
    leg = desk.resting(SELL, 1, 100)
    for limit, meets in ((90, True), (110, True), (None, True)):
        at = None if limit is None else BTC.price_increments(limit)
        desk.ledger.apply(ReplaceSent(0, leg.leg.id, 10_000, at))
        assert (desk.check_leg(BUY, 1, 100) is not None) is meets
    desk.ledger.apply(ReplaceSent(0, leg.leg.id, 10_000, 9_000))
    assert desk.check_leg(BUY, 1, 90) is not None
    assert desk.check_leg(BUY, 1, "89.99") is None


def test_with_cancel_resting_the_gate_lets_pass_and_names_what_is_to_be_canceled() -> None:
    desk = Desk(self_trade="cancel_resting")
    one, other = desk.resting(SELL, 1, 100), desk.resting(SELL, 1, 99, strategy="t")
    desk.resting(SELL, 1, 101)
    assert desk.check_leg(BUY, 1, 100) is None
    assert set(desk.gate.crossing("v", BTC, BUY, 10_000)) == {one, other}
    assert desk.gate.crossing("v", BTC, BUY, 9_000) == desk.gate.crossing("w", BTC, BUY, None) == ()


def test_trading_with_oneself_may_be_allowed() -> None:
    desk = Desk(self_trade="allow")
    desk.resting(SELL, 1, 100)
    assert desk.check_leg(BUY, 1, 100) is None


# --- halted, reduce-only ---------------------------------------------------------------------------------------------


def test_when_halted_only_what_reduces_and_what_unwinds_passes() -> None:
    desk = Desk()
    desk.held(BUY, 5)
    order = desk.opened(BUY, 1)
    desk.ledger.halted = "the operator said so"
    for refusal in (
        desk.check(BUY, 1),
        desk.check(SELL, 1),
        desk.check_leg(BUY, 1),
        desk.check_leg(SELL, 1, 1, HEDGE, order),
    ):
        assert refusal == Refusal("halted", because="the operator said so")
    assert desk.check_leg(SELL, 1, None, UNWIND, order) is None
    assert desk.check(SELL, 5, reduce_only=True) is None
    reducing = desk.opened(SELL, 5, reduce_only=True)
    assert desk.check_leg(SELL, 5, order=reducing) is None
    assert desk.check_leg(BUY, 1, 1, HEDGE, reducing) == Refusal("halted", because="the operator said so")


@pytest.mark.parametrize(("held", "side"), [(BUY, SELL), (SELL, BUY)])
@pytest.mark.parametrize("halted", ["", "halted"])
def test_a_reduce_only_order_takes_at_most_what_is_held_and_others_leave(held: Side, side: Side, halted: str) -> None:
    desk = Desk()
    desk.ledger.halted = halted
    refused(desk.check(side, 1, reduce_only=True), "reduce_only", "0", "1")
    desk.held(held, 5)
    assert desk.check(side, 5, reduce_only=True) is None
    refused(desk.check(side, "5.0001", reduce_only=True), "reduce_only", "5", "5.0001")
    refused(desk.check(side, 4, reduce_only=True, max_overfill="1.0001"), "reduce_only", "5", "5.0001")
    refused(desk.check(held, 1, reduce_only=True), "reduce_only", "0", "1")
    desk.opened(side, 2, reduce_only=True)
    desk.opened(side, 4)  # that may pass beyond zero; it is not what reduces
    desk.held(side, 9, strategy="other")  # each reduces its own
    desk.opened(side, 2, reduce_only=True, strategy="other")
    assert desk.check(side, 3, reduce_only=True) is None
    refused(desk.check(side, "3.0001", reduce_only=True), "reduce_only", "3", "3.0001")


def test_a_leg_of_a_reduce_only_order_must_still_reduce_when_it_is_sent() -> None:
    desk = Desk()
    desk.held(BUY, 5)
    order = desk.opened(SELL, 5, reduce_only=True)
    assert desk.check_leg(SELL, 5, order=order) is None
    desk.leg(order, SELL, 20_000, None)
    assert desk.check_leg(SELL, 3, order=order) is None
    refused(desk.check_leg(SELL, "3.0001", order=order), "reduce_only", "3", "3.0001")
    desk.held(SELL, 9, strategy="other")  # which is that one's
    assert desk.check_leg(SELL, 3, order=order) is None
    desk.held(SELL, 2)  # meanwhile
    refused(desk.check_leg(SELL, 3, order=order), "reduce_only", "1", "3")


# --- replace ---------------------------------------------------------------------------------------------------------


def replacing(**limits: Any) -> tuple[Desk, LegRecord, Callable[[Number, Number], Refusal | None]]:
    """A desk, a leg to buy 5 at 100, and what the gate says to another (quantity, limit) of it."""
    desk = Desk(**limits)
    leg = desk.resting(BUY, 5, 100)

    def ask(quantity: Number, limit: Number) -> Refusal | None:
        return desk.gate.check_replace(leg, BTC.size_increments(quantity), BTC.price_increments(limit))

    return desk, leg, ask


def test_a_replace_is_held_to_the_limits_of_a_leg() -> None:
    desk, leg, ask = replacing(max_order_size={"*": 8}, max_order_notional={"USDT": 700}, price_collar=0.05)
    desk.quote(99, 100)
    assert ask(7, 100) is None
    refused(ask("7.0001", 100), "risk.max_order_notional.USDT", "700", "700.01")
    refused(ask("8.0001", 1), "risk.max_order_size.*", "8", "8.0001")
    refused(ask(1, "105.01"), "risk.price_collar", "105", "105.01")
    desk.resting(SELL, 1, 101)
    assert ask(1, "100.99") is None
    refused(ask(1, 101), "risk.self_trade", "refuse", "101")
    desk.ledger.halted = "halted"
    assert desk.gate.check_replace(leg, 1, 1) == Refusal("halted", because="halted")


def test_a_replace_reserves_what_is_more_than_its_order_holds() -> None:
    desk, leg, ask = replacing(max_position={"*": 10})
    desk.opened(BUY, 2)
    assert ask(8, 100) is None
    refused(ask("8.0001", 100), "risk.max_position.*", "10", "10.0001")
    desk.filled(leg, 30_000)
    assert ask(8, 100) is None
    refused(ask("8.0001", 100), "risk.max_position.*", "10", "10.0001")
    desk.ledger.apply(ReplaceSent(0, leg.leg.id, 80_000, 10_000))
    assert ask(8, 100) is None
    desk.opened(BUY, "0.5")
    assert ask(8, 100) is None  # no more than what counts already
    refused(ask("8.0001", 100), "risk.max_position.*", "10", "10.5001")


def test_a_leg_of_several_grows_within_what_its_order_reserves() -> None:
    desk = Desk(max_position={"*": 10})
    order = desk.opened(BUY, 10)
    leg = desk.leg(order, BUY, 30_000, 10_000)
    assert desk.gate.check_replace(leg, 100_000, 10_000) is None
    desk.leg(order, BUY, 40_000, 10_000)
    assert desk.gate.check_replace(leg, 60_000, 10_000) is None
    refused(desk.gate.check_replace(leg, 60_001, 10_000), "risk.max_position.*", "10", "10.0001")


def test_a_replace_of_a_reduce_only_order_must_still_reduce_and_passes_when_halted() -> None:
    desk = Desk()
    desk.held(BUY, 5)
    leg = desk.resting(SELL, 3, 100, reduce_only=True)
    desk.ledger.halted = "halted"
    assert desk.gate.check_replace(leg, 50_000, 10_000) is None
    refused(desk.gate.check_replace(leg, 50_001, 10_000), "reduce_only", "2", "2.0001")


def test_a_replace_counts_as_an_order_a_second() -> None:
    _, _, ask = replacing(max_orders_per_s=1)
    assert ask(1, 100) is None
    refused(ask(1, 100), "risk.max_orders_per_s", "1", "2")


# --- definitions -----------------------------------------------------------------------------------------------------


def test_limits_follow_a_definition_that_changes() -> None:
    desk = Desk(max_order_size={"*": 1})
    assert desk.check(BUY, 1) is None
    fine = attrs.evolve(BTC, size_increment=Decimal("0.00001"))
    assert desk.check(BUY, 1, instrument=fine) is None
    refused(desk.check(BUY, "1.00001", instrument=fine), "risk.max_order_size.*", "1", "1.00001")


# --- all of it, against a plain model --------------------------------------------------------------------------------

MOST = 20
steps = st.one_of(
    st.tuples(
        st.just("order"), st.just(0), st.sampled_from("abc"), st.sampled_from(Side), st.integers(1, 12),
        st.sampled_from([0, 0, 3]), st.booleans(),
    ),
    st.tuples(st.just("leg"), st.integers(0, 99), st.integers(1, 12), st.sampled_from([WORK, HEDGE, UNWIND])),
    st.tuples(st.just("fill"), st.integers(0, 99), st.integers(1, 12)),
    st.tuples(st.just("doubt"), st.integers(0, 99)),
    st.tuples(st.just("cancel"), st.integers(0, 99)),
    st.tuples(st.just("end"), st.integers(0, 99)),
    st.tuples(st.just("replace"), st.integers(0, 99), st.integers(1, 15)),
)  # fmt: skip


@attrs.define(eq=False)
class ModelLeg:
    record: LegRecord
    side: Side
    works: bool
    left: int  # what may yet be filled
    filled: int = 0
    over: bool = False


@attrs.define(eq=False)
class ModelOrder:
    """An order as the rules have it: what it may come to on either side, leg by leg."""

    order: Order
    granted: int
    ended: bool = False
    legs: list[ModelLeg] = attrs.field(factory=list[ModelLeg])

    def worst(self, side: Side) -> int:
        out = sum(leg.left for leg in self.legs if leg.side is side and not leg.over)
        if side is not self.order.side or self.ended:
            return out
        works = [leg for leg in self.legs if leg.works]
        booked, sent = sum(leg.filled for leg in works), sum(leg.left for leg in works if not leg.over)
        return out + max(0, self.granted - booked - sent)


class Walk:
    """A desk, and what the rules make of each step. `quantity` and the like are whole units of BTC."""

    def __init__(self) -> None:
        self.desk = Desk(max_position={"*": MOST}, self_trade="allow")
        self.unit, self.held_by, self.orders = BTC.size_increments(1), Counter[str](), list[ModelOrder]()

    @property
    def held(self) -> int:
        return self.held_by.total()

    def worst(self, side: Side) -> int:
        return self.held * (1 if side is BUY else -1) + sum(order.worst(side) for order in self.orders)

    def step(self, name: str, number: int, *what: Any) -> None:
        if name == "order":
            self.order(*what)
        elif name == "leg":
            if going := [order for order in self.orders if not order.ended]:
                self.leg(going[number % len(going)], *what)
        elif legs := [leg for order in self.orders for leg in order.legs if not leg.over]:
            getattr(self, name)(legs[number % len(legs)], *what)

    def order(self, strategy: str, side: Side, quantity: int, overfill: int, reduce_only: bool) -> None:
        order = self.desk.order(side, quantity, strategy=strategy, reduce_only=reduce_only, max_overfill=overfill)
        own = [other for other in self.orders if other.order.strategy == strategy]
        reducing = [other for other in own if other.order.reduce_only and other.order.side is side]
        room = self.held_by[strategy] * (1 if side is SELL else -1) - sum(other.worst(side) for other in reducing)
        passes = self.worst(side) + quantity + overfill <= MOST and (not reduce_only or quantity + overfill <= room)
        assert (self.desk.gate.check_order(order, None) is None) is passes
        if passes:
            self.desk.ledger.instruments["BTC-USDT"] = BTC
            self.desk.ledger.take(order, "r", "p")
            self.orders.append(ModelOrder(order, quantity + overfill))

    def leg(self, owner: ModelOrder, quantity: int, purpose: Purpose) -> None:
        works = purpose is WORK
        side = owner.order.side if works else SELL if owner.order.side is BUY else BUY
        if works:  # the router's part: no more than what is granted
            quantity = min(quantity, owner.granted - sum(leg.filled + leg.left for leg in owner.legs if leg.works))
        if quantity <= 0 or (works and owner.order.reduce_only):
            return
        size = quantity * self.unit
        passed = self.desk.gate.check_leg(owner.order, "v", side, size, 10_000, purpose) is None
        assert passed is (works or self.worst(side) + quantity <= MOST)
        if passed:
            owner.legs.append(ModelLeg(self.desk.leg(owner.order, side, size, 10_000, purpose), side, works, quantity))

    def fill(self, leg: ModelLeg, quantity: int) -> None:
        quantity = min(quantity, leg.left)
        self.desk.filled(leg.record, quantity * self.unit)
        leg.left, leg.filled = leg.left - quantity, leg.filled + quantity
        leg.over = leg.left == 0
        owner = next(order for order in self.orders if leg in order.legs)
        self.held_by[owner.order.strategy] += quantity * (1 if leg.side is BUY else -1)

    def doubt(self, leg: ModelLeg) -> None:
        self.desk.ledger.apply(Doubted(0, leg.record.leg.id, "cut"))

    def cancel(self, leg: ModelLeg) -> None:
        record = leg.record
        report = Report(ReportKind.CANCELED, record.leg.id, 0, cumulative_increments=record.cumulative_increments)
        self.desk.ledger.apply(Reported(0, "v", "account", report))
        leg.left, leg.over = 0, True

    def end(self, leg: ModelLeg) -> None:
        owner = next(order for order in self.orders if leg in order.legs)
        self.desk.ledger.apply(Ended(0, owner.order.id))
        owner.ended = True

    def replace(self, leg: ModelLeg, quantity: int) -> None:
        owner = next(order for order in self.orders if leg in order.legs)
        if owner.order.reduce_only or quantity < leg.filled + leg.left:
            return
        before, kept = self.worst(leg.side), leg.left
        leg.left = quantity - leg.filled
        passes = self.worst(leg.side) <= MOST or self.worst(leg.side) == before
        assert (self.desk.gate.check_replace(leg.record, quantity * self.unit, 10_000) is None) is passes
        if passes:
            self.desk.ledger.apply(ReplaceSent(0, leg.record.leg.id, quantity * self.unit, 10_000))
        else:
            leg.left = kept


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=40))
def test_no_sequence_of_passes_exceeds_the_position_even_if_all_that_is_open_on_a_side_is_filled(
    sequence: list[tuple[Any, ...]],
) -> None:
    walk = Walk()
    for step in sequence:
        walk.step(*step)
        assert walk.worst(BUY) <= MOST
        assert walk.worst(SELL) <= MOST
        assert walk.desk.ledger.position("BTC-USDT") == walk.held * walk.unit
