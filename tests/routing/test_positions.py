"""What is held, what it cost and what it earned."""

import math
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from random import Random

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from ticktree.market import BadInstrument, BadNumber, Instrument, Quote, Side
from ticktree.routing.positions import Holding, Money, Open, Position, Positions

from ..market.samples import BTC, ETH, quote

BUY, SELL = Side.BUY, Side.SELL
ZERO = Decimal(0)
PERP = Instrument("BTC-USDT", 7, Decimal("0.5"), Decimal("0.001"), multiplier=Decimal("0.1"))


def booked(*executions: tuple[Side, int, int], instrument: Instrument = BTC, strategy: str = "s") -> Positions:
    """Executions of quantities at prices, without fees, under the keys 0, 1, 2..."""
    positions = Positions()
    for key, (side, quantity, price) in enumerate(executions):
        assert positions.book(strategy, instrument, key, side, quantity, price, ZERO, "", "v")
    return positions


def btc(*executions: tuple[Side, int, int]) -> Position:
    return booked(*executions).of("s", "BTC-USDT")


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_opening_averages_and_closing_realises() -> None:
    held = btc((BUY, 10_000, 10_000), (BUY, 10_000, 11_000), (SELL, 5_000, 12_000))
    assert (held.quantity, held.bought, held.sold, held.fills) == (15_000, 20_000, 5_000, 3)
    assert held.average_price() == 105
    assert held.realised() == Decimal("7.5")
    assert held.unrealised(Decimal(110)) == Decimal("7.5")
    assert held.unrealised(106.5) == Decimal("2.25")
    assert held.value(100) == 150


def test_a_short_position_earns_when_the_price_falls() -> None:
    held = btc((SELL, 10_000, 10_000), (SELL, 10_000, 11_000), (BUY, 5_000, 9_500))
    assert (held.quantity, held.average_price()) == (-15_000, Decimal(105))
    assert held.realised() == 5
    assert held.unrealised(100) == Decimal("7.5")


def test_a_fill_beyond_zero_closes_what_is_there_and_opens_the_rest_at_its_own_price() -> None:
    held = btc((BUY, 10_000, 10_000), (SELL, 15_000, 12_000))
    assert (held.quantity, held.average_price(), held.realised()) == (-5_000, Decimal(120), Decimal(20))
    held = btc((SELL, 10_000, 10_000), (BUY, 15_000, 12_000))
    assert (held.quantity, held.average_price(), held.realised()) == (5_000, Decimal(120), Decimal(-20))


def test_a_flat_position_has_no_average_price_and_nothing_unrealised() -> None:
    held = btc((BUY, 3, 10_000), (SELL, 1, 10_001), (SELL, 2, 10_002))
    assert (held.quantity, held.cost, held.average_price()) == (0, 0, None)
    assert held.realised() == Decimal("0.01") * Decimal("0.0001") * 5
    assert held.unrealised(1_000_000) == 0


def test_what_cannot_be_divided_is_rounded_at_the_millionth_and_the_total_stays_exact() -> None:
    held = btc((BUY, 1, 10_000), (BUY, 2, 10_001), (SELL, 1, 10_000))
    assert held.cost == 2 * (10_000 + 2 * 10_001) * 1_000_000 // 3
    assert held.realised() + held.unrealised(Decimal("100.02")) == Decimal("0.01") * Decimal("0.0001") * 2


def test_a_multiplier_multiplies_money() -> None:
    held = booked((BUY, 1_000, 200), (SELL, 500, 240), instrument=PERP).of("s", "BTC-USDT")
    assert (held.average_price(), held.realised()) == (Decimal(100), Decimal(1))
    assert (held.unrealised(110), held.value(110)) == (Decimal("0.5"), Decimal("5.5"))


def test_a_price_that_is_no_number_is_refused() -> None:
    with pytest.raises(BadNumber):
        btc((BUY, 1, 1)).unrealised(math.nan)


def test_where_nothing_was_traded_the_position_is_flat() -> None:
    positions = booked((BUY, 5, 100))
    for held in (positions.of("other", "BTC-USDT"), positions.of("s", "ETH-USDT"), positions.total("ETH-USDT")):
        assert (held.quantity, held.fills, held.average_price(), held.realised()) == (0, 0, None, ZERO)
        assert held.unrealised(5) == 0
    assert (positions.quantity("ETH-USDT"), positions.quantity_of("other", "BTC-USDT")) == (0, 0)
    assert (positions.quantity_of("s", "ETH-USDT"), positions.at_venue("elsewhere", "BTC-USDT")) == (0, 0)


def test_fees_and_rebates_are_summed_by_currency_exactly_and_are_no_profit() -> None:
    positions = Positions()
    tiny = Decimal("0.000000000000000000000000000001")
    for key, (fee, currency) in enumerate([(Decimal(10**9), "BNB"), (tiny, "BNB"), (Decimal("-0.5"), "USDT")]):
        positions.book("s", BTC, key, BUY, 1, 100, fee, currency, "v")
    held = positions.of("s", "BTC-USDT")
    assert held.fees == {"BNB": Decimal("1000000000.000000000000000000000000000001"), "USDT": Decimal("-0.5")}
    assert held.realised() == 0


# --- once, and corrected ---------------------------------------------------------------------------------------------


def test_an_execution_is_booked_once() -> None:
    positions = booked((BUY, 5, 100))
    assert not positions.book("s", BTC, 0, BUY, 5, 100, ZERO, "", "v")
    assert positions.quantity("BTC-USDT") == 5


def test_a_bust_takes_an_execution_out_as_if_it_had_never_been() -> None:
    positions = booked((BUY, 10, 100), (BUY, 10, 300), (SELL, 10, 400))
    assert positions.correct(1, 0, 300, ZERO)
    assert positions.of("s", "BTC-USDT") == btc((BUY, 10, 100), (SELL, 10, 400))
    assert positions.quantity("BTC-USDT") == positions.at_venue("v", "BTC-USDT") == 0
    assert positions.correct(1, 5, 300, Decimal("0.1"))
    held = positions.of("s", "BTC-USDT")
    assert attrs.evolve(held, fees={}) == btc((BUY, 10, 100), (BUY, 5, 300), (SELL, 10, 400))


def test_a_correction_holds_at_the_place_of_the_execution_not_at_the_end() -> None:
    positions = booked((BUY, 10, 100), (SELL, 10, 200), (BUY, 10, 300))
    assert positions.correct(0, 20, 100, ZERO)
    assert positions.book("s", BTC, 3, BUY, 2, 50, ZERO, "", "v")  # while the cost is not worked out yet
    assert positions.of("s", "BTC-USDT") == btc((BUY, 20, 100), (SELL, 10, 200), (BUY, 10, 300), (BUY, 2, 50))


def test_a_correction_of_an_execution_that_is_not_known_says_so() -> None:
    assert not booked((BUY, 1, 1)).correct("other", 1, 1, ZERO)


# --- all of it, against a plain model --------------------------------------------------------------------------------


@attrs.frozen
class Execution:
    strategy: str
    instrument: Instrument
    side: Side
    quantity: int
    price: int
    fee: Decimal
    venue: str


@attrs.define
class Model:
    """One position by the rules as they are told, in fractions."""

    quantity: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    cash: Fraction = Fraction(0)

    def book(self, execution: Execution) -> None:
        rest = execution.quantity
        sign = 1 if execution.side is BUY else -1
        self.cash -= sign * rest * execution.price
        if self.quantity * sign < 0:
            closed = min(Fraction(rest), abs(self.quantity))
            taken = math.ceil(self.cost * closed / abs(self.quantity) * 10**6)
            self.cost -= Fraction(taken, 10**6)
            self.quantity += sign * closed
            rest -= int(closed)
            self.cost = self.cost if self.quantity else Fraction(0)
        self.quantity += sign * rest
        self.cost += sign * rest * execution.price


executions = st.builds(
    Execution, st.sampled_from("ab"), st.sampled_from([BTC, ETH]), st.sampled_from(Side), st.integers(1, 40),
    st.integers(1, 200), st.sampled_from([ZERO, Decimal("0.1"), Decimal("-0.03")]), st.sampled_from("vw"),
)  # fmt: skip
corrections = st.tuples(
    st.integers(0, 1 << 16), st.integers(0, 40), st.integers(1, 200), st.sampled_from([ZERO, Decimal("0.2")])
)


@settings(max_examples=max(100, settings().max_examples))
@given(st.lists(executions | corrections | st.just("look"), min_size=1, max_size=40), st.integers(1, 300))
def test_positions_are_what_a_replay_of_the_executions_as_they_are_now_comes_to(
    steps: list[Execution | tuple[int, int, int, Decimal] | str], at: int
) -> None:
    positions, facts = Positions(), list[Execution]()
    for step in steps:
        if isinstance(step, Execution):
            positions.book(
                step.strategy, step.instrument, len(facts), step.side, step.quantity, step.price, step.fee, "USDT",
                step.venue,
            )  # fmt: skip
            facts.append(step)
        elif isinstance(step, tuple) and facts:
            key, quantity, price, fee = step[0] % len(facts), *step[1:]
            facts[key] = attrs.evolve(facts[key], quantity=quantity, price=price, fee=fee)
            assert positions.correct(key, quantity, price, fee)
        else:
            check(positions, facts, at)  # works out costs in between
    check(positions, facts, at)


def check(positions: Positions, facts: list[Execution], at: int) -> None:
    for instrument in (BTC, ETH):
        unit = Fraction(instrument.price_increment) * Fraction(instrument.size_increment)
        mine = [fact for fact in facts if fact.instrument is instrument]
        parts = list[Position]()
        for strategy in "ab":
            model, own = Model(), [fact for fact in mine if fact.strategy == strategy]
            for fact in own:
                model.book(fact)
            held = positions.of(strategy, instrument.name)
            parts.append(held)
            assert (Fraction(held.quantity), Fraction(held.cash)) == (model.quantity, model.cash)
            assert held.quantity == positions.quantity_of(strategy, instrument.name)
            if not own:
                continue
            assert Fraction(held.cost, 10**6) == model.cost
            assert Fraction(held.realised()) == (model.cash + model.cost) * unit
            price = instrument.price(at)
            total = Fraction(held.realised()) + Fraction(held.unrealised(price))
            assert total == (model.cash + model.quantity * at) * unit
            assert held.fees.get("USDT", 0) == sum(fact.fee for fact in own)
            assert held.fills == sum(fact.quantity > 0 for fact in own)
            assert held.bought == sum(fact.quantity for fact in own if fact.side is BUY)
            assert held.sold == sum(fact.quantity for fact in own if fact.side is SELL)
        total_position = positions.total(instrument.name)
        for name in ("quantity", "cash", "cost", "fills", "bought", "sold"):
            assert getattr(total_position, name) == sum(getattr(part, name) for part in parts)
        assert sum(total_position.fees.values()) == sum(fact.fee for fact in mine)
        assert positions.quantity(instrument.name) == total_position.quantity
        at_venues = defaultdict[str, int](int)
        for fact in mine:
            at_venues[fact.venue] += fact.quantity if fact.side is BUY else -fact.quantity
        assert all(positions.at_venue(venue, instrument.name) == at_venues[venue] for venue in "vw")
    assert {(held.strategy, held.instrument.name) for held in positions.all()} == {
        (strategy, instrument.name)
        for strategy in "ab"
        for instrument in (BTC, ETH)
        if positions.quantity_of(strategy, instrument.name)
    }


@pytest.mark.parametrize("seed", range(3))
def test_the_order_in_which_fills_become_known_changes_no_total_profit(seed: int) -> None:
    random = Random(seed)
    fills = [(random.choice((BUY, SELL)), random.randrange(1, 50), random.randrange(90, 110)) for _ in range(200)]
    in_order = btc(*fills)
    random.shuffle(fills)
    late = btc(*fills)
    assert late.quantity == in_order.quantity
    for price in (Decimal(1), Decimal("0.97")):
        assert late.realised() + late.unrealised(price) == in_order.realised() + in_order.unrealised(price)


# --- definitions that change -----------------------------------------------------------------------------------------

FINE = Instrument("BTC-USDT", 3, Decimal("0.005"), Decimal("0.00001"))


def test_finer_increments_are_taken_over_and_coarser_ones_converted() -> None:
    positions = booked((BUY, 10, 100), (SELL, 4, 110))
    positions.book("s", FINE, "fine", BUY, 1, 201, ZERO, "", "v")
    assert positions.increments_of("BTC-USDT") == FINE
    assert positions.quantity("BTC-USDT") == positions.at_venue("v", "BTC-USDT") == 61
    positions.book("t", BTC, "coarse", SELL, 2, 120, ZERO, "", "v")
    assert (positions.quantity_of("t", "BTC-USDT"), positions.quantity("BTC-USDT")) == (-20, 41)
    assert positions.correct(0, 9, 100, ZERO, BTC)
    expected = booked((BUY, 90, 200), (SELL, 40, 220), (BUY, 1, 201), instrument=FINE).of("s", "BTC-USDT")
    assert positions.of("s", "BTC-USDT") == expected


def test_a_definition_of_the_same_increments_changes_nothing() -> None:
    positions = booked((BUY, 10, 100))
    positions.book("s", attrs.evolve(BTC, min_notional=Decimal(5)), "more", BUY, 1, 100, ZERO, "", "v")
    assert positions.increments_of("BTC-USDT") is BTC
    assert positions.quantity("BTC-USDT") == 11


@pytest.mark.parametrize("size", ["0.00015", "0.0003"])
def test_increments_that_do_not_divide_are_refused_by_name_and_leave_everything_as_it_was(size: str) -> None:
    positions = booked((BUY, 10, 100))
    with pytest.raises(BadInstrument, match=r"BTC-USDT: positions are counted in increments of 0\.0001"):
        positions.book("t", attrs.evolve(BTC, size_increment=Decimal(size) / 2), 9, BUY, 1, 100, ZERO, "", "v")
    assert positions.quantity("BTC-USDT") == 10
    assert [held.strategy for held in positions.all()] == ["s"]


def test_a_multiplier_that_changes_is_refused() -> None:
    with pytest.raises(BadInstrument, match="multiplier"):
        booked((BUY, 10, 100)).book("s", attrs.evolve(BTC, multiplier=Decimal(2)), 9, BUY, 1, 100, ZERO, "", "v")


# --- a picture of it -------------------------------------------------------------------------------------------------


def prices(**mids: float) -> dict[str, Quote]:
    return {f"{name}-USDT": quote(mid - 0.5, mid + 0.5) for name, mid in mids.items()}


def holding(strategy: str, **more: object) -> Holding:
    """One of 0.0005 BTC bought at 100, priced at 110."""
    told: dict[str, object] = {
        "strategy": strategy, "instrument": "BTC-USDT", "currency": "USDT", "quantity": Decimal("0.0005"),
        "average_price": Decimal(100), "price": Decimal(110), "value": Decimal("0.055"), "realised": Decimal(0),
        "unrealised": Decimal("0.005"), "fees": {}, "fills": 1, "long": Decimal("0.0005"), "short": Decimal("0.0005"),
        "exposure": Decimal("0.055"),
    }  # fmt: skip
    return Holding(**{**told, **more})  # type: ignore[arg-type]  # as named


def test_a_snapshot_prices_positions_half_way_between_bid_and_ask() -> None:
    positions = booked((BUY, 5, 10_000))
    known = prices(BTC=110.0)
    shot = positions.snapshot(lambda instrument: known.get(instrument.name))
    assert shot.holdings == (holding("s"),)
    assert shot.totals == (holding(""),)
    assert shot.currencies == {"USDT": Money(Decimal(0), Decimal("0.005"), Decimal("0.055"), Decimal(0))}


def test_without_a_price_profit_is_unknown_but_of_what_is_flat() -> None:
    positions = booked((BUY, 5, 10_000), (SELL, 5, 12_000))
    assert positions.snapshot(lambda _: None).currencies["USDT"].unrealised == 0
    positions.book("s", ETH, "e", BUY, 5, 10_000, Decimal("0.1"), "BNB", "v")
    shot = positions.snapshot(lambda _: None)
    assert [each.unrealised for each in shot.totals] == [0, None]
    assert [each.exposure for each in shot.totals] == [0, None]
    assert shot.currencies["USDT"] == Money(Decimal("0.01"), None, None, Decimal(0))
    assert shot.currencies["BNB"] == Money(Decimal(0), Decimal(0), Decimal(0), Decimal("0.1"))


def test_of_strategies_on_opposite_sides_there_is_no_average_but_profit_and_fees_are_their_sum() -> None:
    positions = booked((BUY, 10_000, 10_000))
    positions.book("t", BTC, "t", SELL, 10_000, 11_000, Decimal("0.2"), "USDT", "v")
    total = positions.total("BTC-USDT")
    assert (total.quantity, total.average_price(), total.realised()) == (0, None, ZERO)
    assert total.unrealised(5) == total.unrealised(500) == 10
    known = prices(BTC=120.0)
    shot = positions.snapshot(lambda instrument: known[instrument.name])
    assert [each.unrealised for each in (*shot.holdings, *shot.totals)] == [20, -10, 10]
    assert shot.currencies["USDT"] == Money(Decimal(0), Decimal(10), Decimal(0), Decimal("0.2"))


def test_a_snapshot_tells_the_worst_that_open_orders_may_come_to_by_strategy_and_in_all() -> None:
    positions, known = booked((BUY, 10_000, 10_000)), prices(BTC=100.0, ETH=10.0)
    opens = [Open("s", BTC, 5_000, 30_000), Open("t", BTC, 20_000, 0), Open("t", ETH, 0, 1_000)]
    shot = positions.snapshot(lambda instrument: known[instrument.name], opens)
    assert [(each.strategy, each.instrument) for each in shot.holdings] == [
        ("s", "BTC-USDT"), ("t", "BTC-USDT"), ("t", "ETH-USDT"),
    ]  # fmt: skip
    assert [each.long for each in (*shot.holdings, *shot.totals)] == [1.5, 2, 0, 3.5, 0]
    assert [each.short for each in (*shot.holdings, *shot.totals)] == [-2, 0, -1, -2, -1]
    assert [each.exposure for each in (*shot.holdings, *shot.totals)] == [200, 200, 10, 350, 10]
    assert shot.currencies["USDT"].exposure == 360
