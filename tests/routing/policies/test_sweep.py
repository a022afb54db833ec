"""What is displayed is taken over all venues, the best first."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.market import Side
from ticktree.routing.errors import BadPolicy, Refused
from ticktree.routing.orders import TimeInForce
from ticktree.routing.policies import Sweep

from ...market.samples import BTC
from .model import MS, NOT_READY, Model, an_order, scripted

ABC = Sweep(("a", "b", "c"), max_price_age_s=1, deadline_s=0.4)


def told(model: Model) -> list[tuple[str, int, int | None]]:
    return [(leg.leg.venue, leg.quantity_increments, leg.limit_increments) for leg in model.legs]


def test_what_cannot_work_is_refused_at_once() -> None:
    with pytest.raises(BadPolicy, match="quotes_within_s is below deadline_s"):
        Sweep(("a",), max_price_age_s=1, deadline_s=1, quotes_within_s=2)
    with pytest.raises(BadPolicy, match="names 'a' twice"):
        Sweep(("a", "a"), max_price_age_s=1, deadline_s=1)


@scripted
async def test_the_best_prices_are_taken_first_one_leg_a_venue(model: Model) -> None:
    model.show("a", asks=((9_000, 2), (9_003, 2), (9_009, 50)))
    model.show("b", asks=((9_001, 1), (9_002, 3)))
    model.show("c", asks=((9_009, 5),))
    for venue in "abc":
        model.fills(venue)
    model.start(ABC)
    final = await model.final()
    assert told(model) == [("a", 6, 9_009), ("b", 4, 9_002)]
    assert {leg.leg.ticket.time_in_force for leg in model.legs} == {TimeInForce.IOC}
    assert (final.filled_increments, final.reason) == (10, "")


@scripted
async def test_what_is_not_displayed_within_the_limit_stays_unfilled_and_is_told(model: Model) -> None:
    model.show("a", asks=((10_000, 2), (10_001, 50)))
    model.show("b", asks=((10_002, 50),))
    model.fills("a")
    model.start(ABC)
    final = await model.final()
    assert told(model) == [("a", 2, 10_000)]
    assert (final.filled_increments, final.reason) == (2, "0.0008 is displayed nowhere within the limit")


@scripted
async def test_a_market_order_takes_no_worse_than_what_it_saw(model: Model) -> None:
    model.show("a", bids=((9_000, 4),))
    model.show("b", bids=((9_100, 50),))
    model.fills("a")
    model.fills("b")
    model.start(ABC, an_order(60, limit=None, side=Side.SELL))
    final = await model.final()
    assert told(model) == [("b", 50, 9_100), ("a", 4, 9_000)]
    assert final.filled_increments == 54


@scripted
async def test_nothing_displayed_within_the_limit_is_refused(model: Model) -> None:
    model.show("a", asks=((10_001, 5),))
    model.start(ABC)
    with pytest.raises(Refused, match="nothing displayed within it"):
        await model.final()


@scripted
async def test_none_fresh_is_refused(model: Model) -> None:
    model.show("a", asks=((9_000, 5),), age_s=2)
    model.start(ABC)
    with pytest.raises(Refused, match=r"a: 2\.000 s old, b: no answer, c: no answer"):
        await model.final()


@scripted
async def test_a_venue_that_refuses_leaves_its_share_unfilled_and_is_told(model: Model) -> None:
    model.refuses["a"] = NOT_READY
    model.show("a", asks=((9_000, 5),))
    model.show("b", asks=((9_001, 50),))
    model.fills("b")
    model.start(ABC)
    final = await model.final()
    assert (final.filled_increments, final.reason) == (5, "a: not ready: it is down")


@scripted
async def test_when_all_refuse_the_order_is_refused(model: Model) -> None:
    model.refuses = {"a": NOT_READY}
    model.show("a", asks=((9_000, 5),))
    model.start(ABC)
    with pytest.raises(Refused, match="not ready"):
        await model.final()


@scripted
async def test_the_caller_goes_on_at_the_deadline_with_what_is_in_doubt(model: Model) -> None:
    model.show("a", asks=((9_000, 4),))
    model.show("b", asks=((9_001, 50),))
    model.fills("a")
    model.start(ABC)
    await model.rest(0.2)
    model.doubt(model.legs[1])
    await model.rest(10)
    assert [(at, known.filled_increments, known.unknown_increments) for at, known in model.answers] == [
        (400 * MS, 4, 6)
    ]
    assert (len(model.legs), model.canceled) == (2, [])
    model.fill(model.legs[1], 1)
    model.end(model.legs[1])
    final = await model.final()
    assert (final.filled_increments, final.late_increments) == (5, 1)


@scripted
async def test_an_order_that_is_to_rest_cannot_sweep(model: Model) -> None:
    model.start(ABC, an_order(post_only=True))
    with pytest.raises(Refused, match="post_only: a sweep takes what is displayed"):
        await model.final()


@scripted
async def test_an_order_that_has_a_time_in_force_keeps_it(model: Model) -> None:
    model.show("a", asks=((9_000, 50),))
    model.fills("a")
    model.start(ABC, an_order(time_in_force=TimeInForce.GTC))
    await model.final()
    assert model.legs[0].leg.ticket.time_in_force is TimeInForce.GTC


levels = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 5)), max_size=5).map(tuple)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.tuples(levels, st.sampled_from(["0", "0.1", "-0.05"])), min_size=1),
    st.sampled_from(Side),
    st.none() | st.integers(1, 30),
    st.integers(1, 40),
)
def test_it_takes_what_unit_by_unit_is_best(
    shown: dict[str, tuple[Any, str]], side: Side, limit: int | None, quantity: int
) -> None:
    """Every increment displayed is one unit; the best of all, by price after fees, then by venue, are to be taken."""
    sign = 1 if side is Side.BUY else -1
    units = list[tuple[Fraction, int, str, int]]()
    for place, (venue, (shown_there, fee)) in enumerate(shown.items()):
        for price, size in shown_there:
            if limit is None or sign * price <= sign * limit:
                rank = sign * Fraction(price) * (1 + sign * Fraction(fee)) * Fraction(BTC.price_increment)
                units += [(rank, place, venue, price)] * size
    best = sorted(units)[:quantity]
    wanted = dict[str, tuple[int, int]]()
    for _, _, venue, price in best:
        wanted[venue] = wanted.get(venue, (0, 0))[0] + 1, price

    @scripted
    async def sweep(model: Model) -> None:
        for venue, (shown_there, fee) in shown.items():
            model.fees(venue, fee)
            model.show(venue, **{"asks" if side is Side.BUY else "bids": shown_there})
            model.fills(venue)
        order = an_order(quantity, limit, side)
        model.start(Sweep(tuple(shown), max_price_age_s=1, deadline_s=1), order)
        if not wanted:
            with pytest.raises(Refused):
                await model.final()
            return
        assert (await model.final()).filled_increments == len(best)
        assert {leg.leg.venue: (leg.quantity_increments, leg.limit_increments) for leg in model.legs} == wanted
        assert len(model.legs) == len(wanted)

    sweep()
