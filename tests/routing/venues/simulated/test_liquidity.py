"""What the market shows, in increments."""

from decimal import Decimal

from hypothesis import given, settings, strategies as st

from ticktree.market import Instrument, Side
from ticktree.routing.venues.simulated.liquidity import Market

from .bench import ONE, book

increments = st.sampled_from([Decimal(text) for text in ("0.01", "0.0001", "1", "0.25", "0.00000001", "5", "0.3")])


@given(increments, st.integers(0, 1 << 40))
@settings(deadline=None)
def test_floats_become_the_increments_that_they_were_written_in(increment: Decimal, count: int) -> None:
    market = Market(Instrument("ONE-USD", 1, increment, increment))
    value = float(count * increment)
    assert market.price_of(value) == market.size_of(value) == count


@given(increments, st.decimals(0, 1_000_000, places=9))
@settings(deadline=None)
def test_what_is_off_the_increments_is_the_nearest_price_and_the_whole_sizes(increment: Decimal, at: Decimal) -> None:
    instrument = Instrument("ONE-USD", 1, increment, increment)
    market = Market(instrument)
    assert market.size_of(float(at)) == instrument.whole_sizes(float(at))
    assert abs(market.price_of(float(at)) * increment - at) <= increment / 2 + Decimal("1e-9")


def test_just_below_a_whole_number_of_increments_is_one_less() -> None:
    market = Market(Instrument("ONE-USD", 1, Decimal("0.01"), Decimal("0.01")))
    assert market.size_of(956765.849999999) == 95_676_584


def test_beyond_what_a_float_can_tell_fractions_are_exact() -> None:
    market = Market(Instrument("ONE-USD", 1, Decimal("1e-12"), Decimal("1e-12")))
    assert market.price_of(1e6) == market.size_of(1e6) == 10**18


def test_an_empty_side_shows_nothing() -> None:
    market = Market(ONE)
    assert (list(market.levels(Side.BUY)), market.displays(Side.BUY), market.known) == ([], False, False)
    market.on_top((0.0, 0.0, 100.0, 1.0))
    assert (list(market.levels(Side.BUY)), list(market.levels(Side.SELL)), market.known) == ([], [(100, 1)], True)


def test_what_is_taken_is_left_out_and_still_displayed() -> None:
    market = Market(ONE)
    market.on_book(book(bids=((100, 3), (99, 2)), snapshot=True))
    market.take(Side.BUY, 100, 2)
    assert list(market.levels(Side.BUY)) == [(100, 1), (99, 2)]
    market.take(Side.BUY, 100, 1)
    assert list(market.levels(Side.BUY)) == [(99, 2)]
    assert [market.size_at(Side.BUY, price) for price in (101, 100, 99, 98)] == [0, 0, 2, 0]
    assert market.displays(Side.BUY)
