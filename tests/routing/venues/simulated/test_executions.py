"""What executions are called, and what they cost."""

from decimal import Decimal, localcontext
from random import Random

from hypothesis import given, settings, strategies as st

from ticktree.market import Instrument
from ticktree.routing.gateway import Fees
from ticktree.routing.venues.simulated.executions import Costs, ExecutionIds

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
    fee, currency = Costs(Fees(Decimal("-0.00012345"), Decimal("0.0005"))).of(instrument, quantity, price, True)
    with localcontext() as context:
        context.prec = 300
        assert fee == price * tick * quantity * lot * multiplier * Decimal("-0.00012345")
    assert currency == "USD"
