"""A user's own tests of strategies: what the market does goes in, what they send comes out."""

from decimal import Decimal

import pytest

from ticktree import Batch, BookUpdate, FeedState, FeedStatus, Instrument, OrderState, Quote, Stale, Strategy
from ticktree.app import App, BadApp, FeedPart, RouterPart, VenuePart, strategy_part
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.routing import Limits, Sweep, Timeout
from ticktree.strategies import Momentum, Twap, momentum, twap
from ticktree.testing import Trial

QUICK = momentum.Params(fast=2, slow=3, size=Decimal("0.02"))


class Leaning(Strategy):
    """Buys while three times as much is bid as is asked; takes what is left after a second back."""

    topics = ("*/BTC-USDT/book",)

    def on_book(self, update: BookUpdate) -> None:
        book = self.book(update.instrument)
        leans = book is not None and (book.imbalance() or 0) > 0.5
        if book is not None and book.bid is not None and leans and not self.exposure(update.instrument):
            self.buy(update.instrument, 1, limit=book.bid[0])
            self.after(1.0, update.instrument.name)

    def on_timer(self, name: str) -> None:
        for quote in filter(None, [self.last(name)]):
            for order in self.working(quote.instrument):
                self.cancel(order)


def test_what_it_sends_and_what_becomes_of_it_is_seen() -> None:
    with Trial(Momentum, QUICK) as trial:
        for price in (100, 100, 101):
            trial.quote("BTC-USDT", price, price + 1)
        assert trial.ordered == ["buy 0.02 BTC-USDT at 102"]
        (order,) = trial.orders
        assert (order.state, order.filled) == (OrderState.FILLED, Decimal("0.02"))
        assert trial.position("BTC-USDT") == Decimal("0.02")
        (holding,) = trial.portfolio.totals
        assert holding.average_price == 102
        assert trial.strategy(Momentum).seen["BTC-USDT"] == 3


def test_time_passes_in_none() -> None:
    with Trial(Leaning) as trial:
        trial.quote("BTC-USDT", 99, 101)
        trial.book("BTC-USDT", bids=[(99, 1)], asks=[(101, 1)])
        assert trial.ordered == []
        trial.book("BTC-USDT", bids=[(99, 9)], snapshot=False)
        began_ns = trial.now_ns
        assert list(map(str, trial.working)) == ["buy 1 BTC-USDT at 99"]
        trial.wait(1.01)
        assert trial.working == ()
        assert trial.orders[0].state is OrderState.CANCELED
        assert 1e9 < trial.now_ns - began_ns < 1.1e9


def test_a_trade_at_the_limit_of_a_resting_order_fills_it() -> None:
    with Trial(Leaning) as trial:
        trial.quote("BTC-USDT", 99, 101)
        trial.book("BTC-USDT", bids=[(99, 9)], asks=[(101, 1)])
        trial.book("BTC-USDT", bids=[(99, 8)], snapshot=False)
        trial.trade("BTC-USDT", 98.5, size=5)
        assert trial.position("BTC-USDT") == 1


def test_columns_are_told_as_columns() -> None:
    columnar = list[bool]()

    class Rows(Strategy):
        topics = ("*/*/quote",)

        def on_batch(self, batch: Batch) -> None:
            columnar.append(batch.columnar)

    with Trial(Rows) as trial:
        quote = trial.quote("BTC-USDT", 100, 101)
        trial.tell(quote, quote, columns=True)
    assert columnar == [False, True]


def test_marks_are_told_in_their_place() -> None:
    heard = list[str]()

    class Marked(Strategy):
        topics = ("*/*/quote",)

        def on_quote(self, quote: Quote) -> None:
            heard.append(str(quote.bid))

        def on_stale(self, stale: Stale) -> None:
            heard.append(stale.reason)

    with Trial(Marked) as trial:
        quote = trial.quote("BTC-USDT", 100, 101)
        trial.tell(quote, Stale("trial", trial.instrument("BTC-USDT"), "a gap", trial.now_ns), quote)
        trial.tell(FeedStatus("trial", FeedState.LOST, "cut", trial.now_ns))
    assert heard == ["100", "100", "a gap", "100"]


def test_what_a_handler_raises_fails_the_test_where_it_was_led_to() -> None:
    class Wrong(Strategy):
        topics = ("*/*/quote",)

        def on_quote(self, quote: Quote) -> None:
            self.buy(quote.instrument, "0.00001")

    with Trial(Wrong) as trial, pytest.raises(ValueError, match="nearest valid"):
        trial.quote("BTC-USDT", 100, 101)

    with pytest.raises(KeyError, match="mine"), Trial(Wrong):
        raise KeyError("mine")


def test_halts_and_restarts_are_at_hand_and_positions_outlive_them() -> None:
    with Trial(Twap, twap.Params("buy", Decimal(1), slices=4, over_s=4.0)) as trial:
        trial.quote("BTC-USDT", 100, 101, size=10)
        trial.wait(1.1)
        trial.halt()
        assert trial.halted == "a trial"
        trial.wait(10)
        assert trial.position("BTC-USDT") == Decimal("0.25")
        trial.resume()
        first = trial.strategy(Twap)
        trial.restart()
        assert trial.strategy(Twap) is not first
        trial.wait(10)
        assert trial.position("BTC-USDT") == 1


def test_instruments_limits_and_policies_may_be_its_own() -> None:
    coarse = Instrument("AAA-EUR", 1, Decimal("0.5"), Decimal(1))
    params = twap.Params("buy", Decimal(3), instrument="AAA-EUR", slices=1, over_s=1.0, slippage=0.0)

    class Elsewhere(Twap):
        topics = ("*/AAA-EUR/quote",)

    with Trial(Elsewhere, params, instruments=[coarse], limits=Limits(max_order_size={"*": "2"})) as trial:
        trial.quote("AAA-EUR", 10, 10.5, size=10)
        trial.wait(1)
        assert trial.orders[0].refusal is not None
        assert trial.orders[0].refusal.limit == "risk.max_order_size.*"
    both = Sweep(("a", "b"), max_price_age_s=10.0, deadline_s=0.1)
    with Trial(Elsewhere, params, instruments=[coarse], policy=both) as trial:
        trial.quote("AAA-EUR", 10, 10.5, size=2)
        trial.wait(1)
        assert [leg.leg.venue for leg in trial.orders[0].legs] == ["a", "b"]


def test_an_application_runs_with_silent_feeds_and_simulated_venues() -> None:
    live = App(
        feeds=(FeedPart("east", BinanceFeed, ("BTC-USDT",)), FeedPart("west", BinanceFeed, ("BTC-USDT", "ETH-USDT"))),
        venues=(VenuePart("paper", "west"),),
        routers=(RouterPart("default", Timeout("paper", 0.25)),),
        strategies=(strategy_part(Momentum, params=QUICK), strategy_part(Momentum, name="other", params=QUICK)),
    )
    with Trial(live) as trial:
        for price in (100, 100, 101):
            trial.quote("BTC-USDT", price, price + 1, feed="west")
        assert trial.ordered == ["buy 0.02 BTC-USDT at 102"] * 2
        assert trial.strategy(Momentum, "other").position(trial.instrument("BTC-USDT")) == Decimal("0.02")


def test_what_is_not_there_is_named_with_what_is() -> None:
    with Trial(Momentum) as trial:
        with pytest.raises(BadApp, match=r"no instrument 'XRP-USDT' in this trial: BTC-USDT, ETH-USDT; Trial\("):
            trial.quote("XRP-USDT", 1, 2)
        with pytest.raises(BadApp, match="no feed 'west' in this trial: trial"):
            trial.quote("BTC-USDT", 1, 2, feed="west")
        with pytest.raises(BadApp, match="no strategy 'm' in this trial: momentum"):
            trial.restart("m")
        with pytest.raises(TypeError, match="the strategy is a Momentum, and no Twap"):
            trial.strategy(Twap)
    with pytest.raises(BadApp, match="says its params, policies and limits itself"):
        Trial(App.simulated(Momentum), QUICK)
