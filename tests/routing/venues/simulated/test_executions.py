"""What executions are called, and what they cost."""

from decimal import Decimal, localcontext
from random import Random

import attrs
from hypothesis import given, settings, strategies as st

from ticktree.market import Instrument, Side
from ticktree.routing.gateway import Fees, FeeTier
from ticktree.routing.reports import VenueExecution
from ticktree.routing.venues.simulated.executions import Costs, ExecutionIds

from .bench import ONE

DAY_NS = 86_400 * 1_000_000_000
increments = st.sampled_from([Decimal("1E-12"), Decimal("0.01"), Decimal(1), Decimal("0.00025"), Decimal(10)])


def test_ids_are_unique_for_ever_and_begin_with_the_life_of_the_venue() -> None:
    ids, other = ExecutionIds(Random(1), False), ExecutionIds(Random(2), False)
    keys = [ids.next(now_ns) for now_ns in (5, 5, DAY_NS, 3 * DAY_NS)] + [other.next(5)]
    assert {day for day, _ in keys} == {""}
    assert len({id for _, id in keys}) == 5


def test_with_trading_days_ids_begin_anew_each_day() -> None:
    ids = ExecutionIds(Random(1), True)
    first, second, third = (ids.next(now_ns) for now_ns in (DAY_NS - 1, DAY_NS, DAY_NS + 1))
    assert [day for day, _ in (first, second, third)] == ["1970-01-01", "1970-01-02", "1970-01-02"]
    assert first[1] == second[1] != third[1]


@given(st.integers(1, 1 << 62), st.integers(1, 1 << 62), increments, increments, increments)
@settings(deadline=None)
def test_fees_are_exact(quantity: int, price: int, tick: Decimal, lot: Decimal, multiplier: Decimal) -> None:
    instrument = Instrument("ONE-USD", 1, tick, lot, multiplier=multiplier)
    costs = Costs(Fees(Decimal("-0.00012345"), Decimal("0.0005")))
    fee, currency = costs.of("a", ("", "1"), instrument, (quantity, price), True)
    with localcontext() as context:
        context.prec = 300
        assert fee == price * tick * quantity * lot * multiplier * Decimal("-0.00012345")
    assert currency == "USD"


TIERED = Fees(
    Decimal("0.001"), Decimal("0.002"),
    tiers=(FeeTier(Decimal(100), Decimal(0), Decimal("0.001")), FeeTier(Decimal(200), Decimal("-0.001"), Decimal(0))),
)  # fmt: skip


def charged(costs: Costs, number: int, terms: tuple[int, int], maker: bool = False, account: str = "a") -> Decimal:
    return costs.of(account, ("", str(number)), ONE, terms, maker)[0]


def execution(number: int, terms: tuple[int, int], maker: bool = False) -> VenueExecution:
    return VenueExecution(str(number), ONE.name, Side.BUY, *terms, Decimal(0), "USD", maker)


def test_units_and_executions_have_their_price_whatever_that_of_the_instrument() -> None:
    instrument = Instrument("ONE-USD", 1, Decimal("0.01"), Decimal("0.5"), multiplier=Decimal(100))
    costs = Costs(Fees(taker=Decimal("0.001"), per_unit=Decimal("0.02"), per_execution=Decimal("0.3"), currency="BNB"))
    fee, currency = costs.of("a", ("", "1"), instrument, (6, 700), False)
    assert fee == Decimal("0.001") * 3 * 7 * 100 + Decimal("0.02") * 3 + Decimal("0.3")
    assert currency == "BNB"
    assert costs.of("a", ("", "2"), instrument, (6, 700), True)[0] == Decimal("0.36")


def test_what_was_traded_before_decides_the_tier_of_an_account() -> None:
    costs = Costs(TIERED)
    assert charged(costs, 1, (10, 10)) == Decimal("0.2")
    assert charged(costs, 2, (9, 11)) == Decimal("0.099")
    assert charged(costs, 3, (1, 1), maker=True) == 0
    assert charged(costs, 4, (1, 1000), maker=True) == -1
    assert charged(costs, 5, (1, 1000)) == 0
    assert charged(costs, 6, (10, 10), account="b") == Decimal("0.2")


def test_notionals_of_different_quote_currencies_are_not_added() -> None:
    costs, other = Costs(TIERED), Instrument("ONE-EUR", 2, Decimal(1), Decimal(1))
    charged(costs, 1, (100, 100))
    assert costs.of("a", ("", "2"), other, (10, 10), False) == (Decimal("0.2"), "EUR")


def test_a_correction_is_charged_at_the_rate_of_its_execution_and_a_bust_takes_all_back() -> None:
    costs = Costs(attrs.evolve(TIERED, per_unit=Decimal("0.5"), per_execution=Decimal(2)))
    assert charged(costs, 1, (20, 10)) == Decimal("0.4") + 10 + 2
    assert charged(costs, 2, (1, 1000)) == Decimal("0.5") + 2
    less = costs.corrected("a", ("", "1"), ONE, execution(1, (20, 10)), (5, 10))
    assert less == Decimal("0.1") + Decimal("2.5") + 2
    assert costs.corrected("a", ("", "1"), ONE, execution(1, (5, 10)), (0, 10)) == 0
    assert costs.corrected("a", ("", "2"), ONE, execution(2, (1, 1000)), (0, 1000)) == 0
    assert charged(costs, 3, (1, 10)) == Decimal("0.02") + Decimal("0.5") + 2  # nothing of it was traded after all


deals = st.tuples(st.integers(1, 50), st.integers(1, 50), st.booleans(), st.integers(0, 60))


@given(st.lists(deals, max_size=30))
@settings(deadline=None)
def test_tiers_go_by_the_notional_as_it_stands_after_all_corrections(steps: list[tuple[int, int, bool, int]]) -> None:
    costs, traded = Costs(TIERED), 0
    for number, (quantity, price, maker, later) in enumerate(steps):
        maker_rate, taker_rate = (
            ("0.001", "0.002") if traded < 100 else ("0", "0.001") if traded < 200 else ("-0.001", "0")
        )
        rate = Decimal(maker_rate if maker else taker_rate)
        assert charged(costs, number, (quantity, price), maker) == quantity * price * rate
        traded += quantity * price
        if later <= quantity:
            former = execution(number, (quantity, price), maker)
            fee = costs.corrected("a", ("", str(number)), ONE, former, (later, price + 1))
            assert fee == later * (price + 1) * rate
            traded += later * (price + 1) - quantity * price
