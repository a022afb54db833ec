"""Who meets whom: price, then time, and the queue that was there before."""

import pytest

from ticktree.market import Side

from .bench import BUY, SELL, Bench, book, quote, ticket, trade


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_better_prices_go_first_then_earlier_orders(bench: Bench) -> None:
    bench.rest("a", "1", SELL, 1, 101)
    bench.rest("b", "1", SELL, 1, 100)
    bench.rest("a", "2", SELL, 1, 100)
    bench.submit("c", ticket("1", BUY, 3, 101))
    assert bench.said() == [
        "c 1 accepted", "b 1 1@100", "c 1 1@100", "a 2 1@100", "c 1 1@100", "a 1 1@101", "c 1 1@101",
    ]  # fmt: skip


def test_at_one_price_the_market_was_there_first(bench: Bench) -> None:
    bench.engine.on_book(book(asks=((100, 2), (102, 2)), snapshot=True))
    bench.rest("a", "1", SELL, 1, 100)
    bench.rest("a", "2", SELL, 1, 101)
    bench.submit("b", ticket("1", BUY, 9, 102))
    taken = [line for line in bench.said() if line.startswith("b 1") and "@" in line]
    assert taken == ["b 1 2@100", "b 1 1@100", "b 1 1@101", "b 1 2@102"]


def test_an_account_never_trades_with_itself(bench: Bench) -> None:
    bench.rest("a", "1", SELL, 1, 100)
    bench.rest("b", "1", SELL, 1, 101)
    bench.submit("a", ticket("2", BUY, 2, 101))
    assert bench.said() == ["a 2 accepted", "b 1 1@101", "a 2 1@101"]
    bench.submit("c", ticket("1", SELL, 1, 100))
    assert bench.said() == ["c 1 accepted", "a 2 1@101", "c 1 1@101"]


def test_resting_orders_share_what_the_market_displays_by_price_and_time(bench: Bench) -> None:
    bench.rest("a", "1", BUY, 2, 99)
    bench.rest("b", "1", BUY, 2, 100)
    bench.rest("c", "1", BUY, 2, 100)
    bench.engine.on_quote(quote(ask=(99, 5)))
    assert bench.said() == ["b 1 2@100", "c 1 2@100", "a 1 1@99"]


def test_resting_sells_meet_the_bid(bench: Bench) -> None:
    bench.rest("a", "1", SELL, 2, 100)
    bench.engine.on_quote(quote(bid=(99, 5)))
    assert bench.said() == []
    bench.engine.on_book(book(bids=((101, 1), (100, 5)), snapshot=True))
    assert bench.said() == ["a 1 2@100"]


@pytest.mark.parametrize(("side", "through"), [(BUY, 99), (SELL, 101)])
@pytest.mark.parametrize("aggressor", [BUY, SELL, None])
def test_a_trade_through_the_price_fills_whoever_led_it(
    bench: Bench, side: Side, through: int, aggressor: Side | None
) -> None:
    bench.engine.on_quote(quote(bid=(100, 9)) if side is BUY else quote(ask=(100, 9)))
    bench.rest("a", "1", side, 5, 100)
    bench.engine.on_trade(trade(through, 2, aggressor))
    assert bench.said() == ["a 1 2@100"]
    bench.engine.on_trade(trade(100, 2))  # who was ahead is gone
    assert bench.said() == ["a 1 2@100"]


@pytest.mark.parametrize(("side", "other"), [(BUY, SELL), (SELL, BUY)])
def test_a_trade_at_the_price_fills_after_the_queue_ahead(bench: Bench, side: Side, other: Side) -> None:
    bench.engine.on_quote(quote(bid=(100, 5)) if side is BUY else quote(ask=(100, 5)))
    bench.rest("a", "1", side, 3, 100)
    bench.engine.on_trade(trade(100, 9, aggressor=side))  # that one took the other side
    bench.engine.on_trade(trade(100, 4, aggressor=other))
    assert bench.said() == []
    bench.engine.on_trade(trade(100, 2, aggressor=None))
    assert bench.said() == ["a 1 1@100"]
    bench.engine.on_trade(trade(100, 9, aggressor=other))
    assert bench.said() == ["a 1 2@100"]


@pytest.fixture
def queues(bench: Bench) -> Bench:
    """One order behind 10 of the market's, and behind that another 5 and another order."""
    bench.engine.on_book(book(bids=((100, 10),), snapshot=True))
    bench.rest("a", "1", BUY, 1, 100)
    bench.engine.on_book(book(bids=((100, 15),)))
    bench.rest("b", "1", BUY, 4, 100)
    return bench


def test_one_trade_goes_through_the_queues_of_all_orders_at_its_price(queues: Bench) -> None:
    queues.engine.on_trade(trade(100, 18, SELL))
    assert queues.said() == ["a 1 1@100", "b 1 2@100"]


def test_orders_of_one_price_wait_for_the_queues_before_each_of_them(queues: Bench) -> None:
    bench = queues
    bench.engine.on_trade(trade(100, 13, SELL))  # 10 outside, 1 for a, 2 outside
    assert bench.said() == ["a 1 1@100"]
    bench.engine.on_trade(trade(100, 5, SELL))  # 3 outside, 2 for b
    assert bench.said() == ["b 1 2@100"]


def test_one_trade_fills_no_more_than_its_size(bench: Bench) -> None:
    for client_id in "123":
        bench.rest("a", client_id, BUY, 2, 100)
    bench.engine.on_trade(trade(99, 3))
    assert bench.said() == ["a 1 2@100", "a 2 1@100"]


def test_a_price_that_was_not_displayed_has_no_queue(bench: Bench) -> None:
    bench.engine.on_quote(quote(bid=(101, 5)))
    bench.rest("a", "1", BUY, 3, 100)
    bench.engine.on_trade(trade(100, 1, SELL))
    assert bench.said() == ["a 1 1@100"]
