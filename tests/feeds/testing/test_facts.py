"""The made-up market: a book that is a function of its number agrees with its updates, one after the other."""

from decimal import Decimal

from hypothesis import given, strategies as st

from ticktree.feeds.testing.facts import Market, TextLevels, stranger
from ticktree.market import Instrument

BTC = Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.0001"))
COARSE = Instrument("SHIB-USD", 1, Decimal("0.00000001"), Decimal(1000))
MARKETS = st.sampled_from([Market(BTC), Market(COARSE)])
NUMBERS = st.integers(0, 60)


def changed(side: dict[str, str], levels: TextLevels) -> None:
    for price, size in levels:
        if size == "0":
            del side[price]  # what was never there is never taken away
        else:
            side[price] = size


@given(MARKETS, NUMBERS, NUMBERS)
def test_updates_lead_from_one_book_to_another(market: Market, one: int, other: int) -> None:
    first, last = sorted((one, other))
    bids, asks = dict(market.book(first).bids), dict(market.book(first).asks)
    for number in range(first + 1, last + 1):
        update = market.update(number)
        changed(bids, update.bids)
        changed(asks, update.asks)
        assert update.book == market.book(number)
    assert (bids, asks) == (dict(market.book(last).bids), dict(market.book(last).asks))


@given(MARKETS, NUMBERS)
def test_no_book_is_crossed_and_best_levels_come_first(market: Market, number: int) -> None:
    book = market.book(number)
    bids, asks = ([Decimal(price) for price, _ in side] for side in (book.bids, book.asks))
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]


@given(MARKETS, st.integers(1, 1_000))
def test_prices_and_sizes_are_multiples_of_the_increments(market: Market, number: int) -> None:
    trade, quote = market.trade(number), market.quote(number)
    for price in (trade.price, quote.bid, quote.ask):
        assert market.instrument.price_increments(price) > 0
    for size in (trade.size, quote.bid_size, quote.ask_size):
        assert market.instrument.size_increments(size) > 0
    assert Decimal(quote.bid) < Decimal(quote.ask)


@given(MARKETS, st.integers(1, 1_000))
def test_each_fact_differs_from_the_one_before(market: Market, number: int) -> None:
    assert market.trade(number).size != market.trade(number + 1).size
    assert market.quote(number).bid_size != market.quote(number + 1).bid_size
    assert market.book(number).levels != market.book(number + 1).levels


def test_a_stranger_differs_in_its_name_and_id() -> None:
    other = stranger(BTC)
    assert (other.name, other.id) != (BTC.name, BTC.id)
    assert other.price_increment == BTC.price_increment
