"""Round trips, from flat to flat."""

from decimal import Decimal

import pytest

from ticktree.backtesting.trips import round_trips, summed

from .outcomes import BEGAN_NS, BUY, SELL, Street, ns


def test_a_round_trip_goes_from_flat_to_flat_however_many_fills_that_takes() -> None:
    street = Street()
    street.fill(BUY, "1", "100", 10, fee="0.1")
    street.fill(BUY, "1", "102", 20, fee="0.1")
    street.fill(SELL, "1.5", "105", 30, fee="0.1")
    street.fill(SELL, "0.5", "105", 40, fee="0.1")
    (trip,) = round_trips(street.fills)
    assert (trip.began_ns, trip.ended_ns, trip.profit) == (ns(10), ns(40), Decimal("7.6"))


def test_a_fill_beyond_zero_ends_one_trip_and_begins_the_next_and_its_fee_is_split() -> None:
    street = Street()
    street.fill(BUY, "1", "100", 10)
    street.fill(SELL, "4", "110", 20, fee="0.4")
    first, second = round_trips(street.fills)
    assert (first.ended_ns, first.profit) == (ns(20), Decimal("9.9"))
    assert (second.began_ns, second.ended_ns, second.profit) == (ns(20), None, Decimal("-0.3"))


def test_strategies_and_instruments_have_their_own() -> None:
    street = Street()
    for strategy, name in (("a", "BTC-USDT"), ("b", "BTC-USDT"), ("a", "ETH-USDT")):
        street.fill(BUY, "1", "100", 10, strategy=strategy, name=name)
        street.fill(SELL, "1", "101", 20, strategy=strategy, name=name)
    trips = round_trips(street.fills)
    assert {(trip.strategy, trip.instrument) for trip in trips} == {
        ("a", "BTC-USDT"),
        ("a", "ETH-USDT"),
        ("b", "BTC-USDT"),
    }
    assert [trip.profit for trip in trips] == [1, 1, 1]


def test_a_fee_in_another_currency_is_not_taken_from_the_profit() -> None:
    street = Street()
    street.fill(BUY, "1", "100", 10, fee="5", fee_currency="BNB")
    street.fill(SELL, "1", "101", 20)
    assert round_trips(street.fills)[0].profit == 1


def test_wins_and_losses_come_to_their_figures() -> None:
    street = Street()
    for index, price in enumerate(("103", "101", "96", "100")):
        street.fill(BUY, "1", "100", index * 100 + 10)
        street.fill(SELL, "1", price, index * 100 + 30)
    street.fill(BUY, "1", "100", 3000)
    trips = summed(round_trips(street.fills), BEGAN_NS, ns(3600))
    assert (trips.count, trips.open, trips.won, trips.lost) == (4, 1, 2, 1)
    assert [trips.gross_profit, trips.gross_loss, trips.expectancy] == [4, -4, 0]
    assert [trips.average_win, trips.average_loss, trips.largest_win, trips.largest_loss] == [2, -4, 3, -4]
    assert (trips.win_rate, trips.profit_factor, trips.holding_s) == (0.5, 1.0, 20.0)
    assert trips.in_market == pytest.approx((4 * 20 + 600) / 3600)


def test_time_in_market_counts_once_what_overlaps() -> None:
    street = Street()
    street.fill(BUY, "1", "100", 0, strategy="a")
    street.fill(BUY, "1", "100", 600, strategy="b")
    street.fill(SELL, "1", "100", 900, strategy="b")
    street.fill(SELL, "1", "100", 1800, strategy="a")
    assert summed(round_trips(street.fills), BEGAN_NS, ns(3600)).in_market == 0.5


def test_without_round_trips_nothing_is_said_of_them() -> None:
    trips = summed([], BEGAN_NS, ns(3600))
    assert (trips.count, trips.gross_profit, trips.in_market) == (0, Decimal(0), 0.0)
    assert {trips.win_rate, trips.profit_factor, trips.expectancy, trips.average_win, trips.holding_s} == {None}
    assert summed([], BEGAN_NS, BEGAN_NS).in_market is None
