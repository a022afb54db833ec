"""The best price after fees, among those that are fresh and within the limit."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.market import Side
from ticktree.routing.errors import BadPolicy, Refused
from ticktree.routing.policies import BestOf

from ...market.samples import BTC
from .model import MS, NOT_READY, Model, an_order, scripted

AB = BestOf(("a", "b"), max_price_age_s=1, deadline_s=0.4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"venues": ()}, "names one venue or more"),
        ({"venues": "a"}, "written in brackets"),
        ({"venues": (AB,)}, "are names of venues, no policies"),
        ({"max_price_age_s": 0}, "max_price_age_s is a number"),
        ({"deadline_s": -1}, "deadline_s is a number"),
        ({"quotes_within_s": 1}, "quotes_within_s is below deadline_s"),
    ],
)
def test_what_cannot_work_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    make: Any = BestOf
    with pytest.raises(BadPolicy, match=message):
        make(**{"venues": ("a",), "max_price_age_s": 1, "deadline_s": 1, **options})


@scripted
async def test_the_best_price_after_fees_is_taken(model: Model) -> None:
    model.fees("a", "0.001")
    model.show("a", asks=((9_995, 5),))
    model.show("b", asks=((10_000, 5),))
    model.fills("b")
    model.start(AB)
    final = await model.final()
    assert [(leg.leg.venue, leg.quantity_increments, leg.limit_increments) for leg in model.legs] == [("b", 10, 10_000)]
    assert final.filled_increments == 10
    assert model.asked == ["a", "b"]


@scripted
async def test_a_sale_goes_where_most_is_brought(model: Model) -> None:
    model.fees("a", "0.001")
    model.show("a", bids=((10_009, 5),))
    model.show("b", bids=((10_000, 5),))
    model.fills("b")
    model.start(AB, an_order(side=Side.SELL, limit=9_000))
    await model.final()
    assert model.legs[0].leg.venue == "b"


@scripted
async def test_of_equal_prices_the_venue_named_first_is_taken(model: Model) -> None:
    for venue in "ab":
        model.show(venue, asks=((9_000, 5),))
    model.fills("b")
    model.start(BestOf(("b", "a"), max_price_age_s=1, deadline_s=1))
    await model.final()
    assert model.legs[0].leg.venue == "b"


@scripted
async def test_stale_prices_and_silent_venues_do_not_count(model: Model) -> None:
    model.show("a", asks=((9_000, 5),), age_s=1.5)
    model.show("b", asks=((9_100, 5),), age_s=0.5)
    model.show("c", asks=((8_000, 5),))
    model.quote_after_s["c"] = 10
    model.fills("b")
    model.start(BestOf(("a", "b", "c"), max_price_age_s=1, deadline_s=0.4))
    await model.final()
    assert model.legs[0].leg.venue == "b"
    assert model.sent_ns == [100 * MS]  # a quarter of the deadline, for "c"


@scripted
async def test_none_fresh_is_refused_with_how_old_each_was(model: Model) -> None:
    model.show("a", asks=((9_000, 5),), age_s=1.5)
    model.start(AB)
    with pytest.raises(
        Refused, match=r"max_price_age: none as fresh, where 1 s is allowed: a: 1\.500 s old, b: no answer"
    ):
        await model.final()
    assert not model.legs


@scripted
async def test_none_within_the_limit_is_refused_with_what_each_asks(model: Model) -> None:
    model.show("a", asks=((10_001, 5),))
    model.show("b", bids=((9_000, 5),))
    model.start(AB)
    with pytest.raises(
        Refused, match=r"limit: nothing displayed within it, where 100 is allowed: a: 100\.01, b: nothing"
    ):
        await model.final()


@scripted
async def test_it_then_works_as_timeout_does(model: Model) -> None:
    model.show("a", asks=((9_000, 5),))
    model.rests("a")
    model.start(AB)
    await model.rest(1)
    assert [(at, known.unknown_increments) for at, known in model.answers] == [(400 * MS, 10)]
    assert not model.canceled
    model.doubt(model.legs[0])
    await model.rest(10)
    model.fill(model.legs[0])
    final = await model.final()
    assert (final.filled_increments, final.late_increments) == (10, 10)


@scripted
async def test_a_refusal_of_the_best_venue_refuses_the_order(model: Model) -> None:
    model.refuses["a"] = NOT_READY
    model.show("a", asks=((9_000, 5),))
    model.start(AB)
    with pytest.raises(Refused, match="not ready"):
        await model.final()


@scripted
async def test_a_cancel_while_quotes_are_asked_for_refuses_the_order(model: Model) -> None:
    model.quote_after_s = {"a": 10, "b": 10}
    model.start(AB)
    await model.rest(0.01)
    model.scope.cancel()
    with pytest.raises(Refused, match="canceled"):
        await model.final()
    assert model.now_ms() == 10


shown_levels = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), max_size=4).map(tuple)
fees = st.sampled_from(["0", "0.1", "-0.05", "0.0333333333333333333333333333333333333"])


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.tuples(shown_levels, fees), min_size=1),
    st.sampled_from(Side),
    st.none() | st.integers(1, 60),
)
def test_it_picks_what_a_search_of_all_picks(shown: dict[str, tuple[Any, str]], side: Side, limit: int | None) -> None:
    buys = side is Side.BUY
    venues, picked = tuple(shown), dict[str, Fraction]()
    for venue, (levels, fee) in shown.items():
        for price, size in levels:
            if size and (limit is None or (price <= limit if buys else price >= limit)):
                paid = price * Fraction(BTC.price_increment) * (1 + Fraction(fee) * (1 if buys else -1))
                picked[venue] = min(picked.get(venue, paid), paid) if buys else max(picked.get(venue, paid), paid)

    @scripted
    async def pick(model: Model) -> None:
        for venue, (levels, fee) in shown.items():
            model.fees(venue, fee)
            model.show(venue, **{"asks" if buys else "bids": levels})
            model.fills(venue)
        model.start(BestOf(venues, max_price_age_s=1, deadline_s=1), an_order(side=side, limit=limit))
        if not picked:
            with pytest.raises(Refused):
                await model.final()
            return
        await model.final()
        wanted = min(picked.values()) if buys else max(picked.values())
        assert model.legs[0].leg.venue == next(venue for venue in venues if picked.get(venue) == wanted)

    pick()


def test_fees_of_many_digits_are_not_rounded() -> None:
    a, b = Decimal("0.0333333333333333333333333333333333333"), Decimal("0.0333333333333333333333333333333333332")

    @scripted
    async def pick(model: Model) -> None:
        model.fees("a", str(a))
        model.fees("b", str(b))
        for venue in "ab":
            model.show(venue, asks=((9_000, 5),))
        model.fills("b")
        model.start(AB)
        await model.final()
        assert model.legs[0].leg.venue == "b"

    pick()
