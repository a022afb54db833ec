"""The simulated market: one seed tells one story, and its books, quotes and trades agree."""

from decimal import Decimal
from itertools import pairwise
from statistics import correlation
from typing import Any

import attrs
import pytest

from ticktree.feeds.simulated import BTC_USDT, ETH_USDT, Halt, Market, Prices, Truth
from ticktree.market import Instrument, InstrumentStatus, OrderBook, Quote, Side, Trade, TradingStatus
from ticktree.market.events import BookUpdate

BOTH = ("BTC-USDT", "ETH-USDT")


def told(market: Market, steps: int, now_ns: int = 0) -> list[Any]:
    prices = Prices("sim", market)
    return [one for _ in range(steps) for one in prices.step(now_ns)]


def of(events: list[Any], kind: type[Any], name: str = "BTC-USDT") -> list[Any]:
    return [event for event in events if type(event) is kind and event.instrument.name == name]


def test_one_seed_tells_one_story() -> None:
    assert told(Market(), 200) == told(Market(), 200)
    assert told(Market(), 200) != told(Market(seed=2), 200)


def test_looking_at_a_book_changes_nothing() -> None:
    looked_at = Prices("sim", Market())
    events: list[Any] = []
    for _ in range(100):
        events += looked_at.step(0)
        looked_at.snapshot("BTC-USDT")
        looked_at.quote("ETH-USDT")
    assert events == told(Market(), 100)


def test_how_many_steps_make_a_turn_changes_nothing() -> None:
    assert told(Market(steps_a_turn=7, interval_s=9.0), 100) == told(Market(), 100)


def test_updates_of_a_book_are_numbered_without_a_gap() -> None:
    for name in BOTH:
        updates = of(told(Market(), 100), BookUpdate, name)
        assert [update.first_sequence for update in updates] == list(range(1, 101))
        assert all(update.first_sequence == update.sequence and not update.snapshot for update in updates)


def test_updates_applied_to_the_first_snapshot_give_the_book_at_each_number() -> None:
    prices = Prices("sim", Market(wide_probability=0.1))
    books = {name: OrderBook() for name in BOTH}
    for name, book in books.items():
        book.apply(prices.snapshot(name))
    for _ in range(500):
        for update in prices.step(0):
            if isinstance(update, BookUpdate):
                books[update.instrument.name].apply(update)
        for name, book in books.items():
            assert tuple(map(tuple, book.top(1_000))) == prices.book(name)
            assert not book.crossed


def test_a_quote_is_the_top_of_the_book_with_the_same_number() -> None:
    truth = Truth("sim", Market())
    quotes = [quote for name in BOTH for quote in of(told(Market(), 300), Quote, name)]
    assert len(quotes) == 600
    for quote in quotes:
        bids, asks = truth.book(quote.instrument.name, quote.sequence)
        assert (bids[0], asks[0]) == ((quote.bid, quote.bid_size), (quote.ask, quote.ask_size))


def test_trades_happen_at_the_touch_and_are_no_larger_than_it() -> None:
    events = told(Market(), 300)
    quotes = {quote.sequence: quote for quote in of(events, Quote)}
    trades = of(events, Trade)
    assert 50 < len(trades) < 130  # three in ten
    for trade in trades:
        quote = quotes[trade.sequence]
        bought = trade.aggressor is Side.BUY
        assert trade.price == (quote.ask if bought else quote.bid)
        assert 0 < trade.size <= (quote.ask_size if bought else quote.bid_size)


def test_prices_and_sizes_are_on_the_increments_exactly() -> None:
    crooked = Instrument("X-Y", 7, Decimal("0.025"), Decimal("0.3"), Decimal(10), Decimal("0.1"))
    market = Market(instruments=(crooked,), start_increments=(4_000,), volatility=1e-3)
    updates = of(told(market, 300), BookUpdate, "X-Y")
    assert len(updates) == 300
    for update in updates:
        for price, size in (*update.bids, *update.asks):
            assert crooked.price_increments(price) > 0
            assert crooked.size_increments(size) >= 0


def test_a_book_has_its_depth_also_where_prices_come_close_to_nothing() -> None:
    prices = Prices("sim", Market(start_increments=(6_400_000, 5), depth=10))
    for _ in range(200):
        prices.step(0)
        bids, asks = prices.book("BTC-USDT")
        assert (len(bids), len(asks)) == (10, 10)
        low_bids, low_asks = prices.book("ETH-USDT")
        assert 1 <= len(low_bids) <= 5
        assert len(low_asks) == 10
        assert low_bids[-1][0] >= 0.01


def test_now_and_then_a_whole_book_changes_at_once() -> None:
    rows = [len(update.bids) + len(update.asks) for update in of(told(Market(), 1_000), BookUpdate)]
    assert sum(count >= 40 for count in rows) in range(3, 30)
    assert sorted(rows)[500] < 12


@pytest.mark.parametrize("wanted", [0.0, 0.7, 1.0])
def test_prices_move_together_as_far_as_they_are_told_to(wanted: float) -> None:
    market = Market(correlation=wanted, volatility=1e-4, wide_probability=0.0)
    prices = Prices("sim", market)
    mids: list[list[float]] = [[], []]
    for _ in range(3_000):
        prices.step(0)
        for series, name in zip(mids, BOTH, strict=True):
            series.append(prices.quote(name).mid)
    moves = [[after - before for before, after in pairwise(series)] for series in mids]
    assert correlation(*moves) == pytest.approx(wanted, abs=0.05)


def test_a_halt_is_told_and_nothing_else_comes_until_it_ends() -> None:
    market = Market(halts=(Halt("BTC-USDT", step=5, steps=10),))
    prices = Prices("sim", market)
    steps = {step: prices.step(0) for step in range(1, 21)}
    assert [one.status for one in of(steps[5], InstrumentStatus)] == [TradingStatus.HALTED]
    assert [one.status for one in of(steps[15], InstrumentStatus)] == [TradingStatus.TRADING]
    halted = [one for step in range(5, 15) for one in steps[step] if one.instrument.name == "BTC-USDT"]
    assert [type(one) for one in halted] == [InstrumentStatus]
    assert [update.sequence for update in of(steps[15], BookUpdate)] == [5]
    assert {instrument.name: instrument.status for instrument in prices.instruments} == dict.fromkeys(
        BOTH, TradingStatus.TRADING
    )


def test_the_truth_knows_every_step_and_every_book() -> None:
    market = Market(halts=(Halt("ETH-USDT", 3, 4),))
    truth, prices = Truth("sim", market), Prices("sim", market)
    late = truth.book("ETH-USDT", 10)
    for step in range(1, 31):
        assert prices.step(0) == truth.step(step)
        for name in BOTH:
            assert truth.book(name, prices.sequence(name)) == prices.book(name)
        if prices.sequence("ETH-USDT") == 10:
            assert prices.book("ETH-USDT") == late
    assert truth.book("BTC-USDT", 0) == Prices("sim", market).book("BTC-USDT")


def test_events_bear_the_time_of_their_step_and_the_name_of_their_feed() -> None:
    assert {(one.venue_time_ns, one.feed) for one in told(Market(), 10, now_ns=7)} == {(7, "sim")}


def test_the_market_that_is_there_unless_told_is_the_known_one() -> None:
    market = Market()
    assert market.instruments == (BTC_USDT, ETH_USDT)
    assert (market.interval_s, market.depth, market.steps_a_turn) == (0.02, 20, 1)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"start_increments": (1,)}, "one price an instrument"),
        ({"start_increments": (0, 5)}, "from 1 on"),
        ({"trade_probability": 1.1}, "from 0 to 1"),
        ({"correlation": -0.1}, "from 0 to 1"),
        ({"volatility": float("nan")}, "from 0 to 1"),
        ({"interval_s": 0.0}, "interval_s"),
        ({"depth": 0}, "depth"),
        ({"steps_a_turn": 0}, "steps_a_turn"),
        ({"halts": (Halt("DOGE-USDT", 1, 1),)}, "DOGE-USDT, which is not among BTC-USDT, ETH-USDT"),
    ],
)
def test_a_market_that_cannot_be_is_refused_where_it_is_written(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        attrs.evolve(Market(), **wrong)
