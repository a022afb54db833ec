"""Data frames have what the outcome has, exactly where polars can."""

from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import pytest

from ticktree.backtesting.frames import equity_frame, fills_frame, orders_frame, positions_frame, prices_frame
from ticktree.backtesting.result import Outcome
from ticktree.backtesting.risk import below_peak, net
from ticktree.market import Side

from .outcomes import BUY, Street, busy

TIME = pl.Datetime("ns", "UTC")


def test_a_fill_is_a_row_with_exact_numbers_and_times_to_the_nanosecond() -> None:
    outcome = busy().outcome()
    frame = fills_frame(outcome)
    assert frame["time"].dtype == TIME
    assert frame["time"].dt.timestamp("ns").to_list() == [fill.time_ns for fill in outcome.fills]
    for name in ("quantity", "price", "fee", "position", "realised", "multiplier"):
        assert isinstance(frame[name].dtype, pl.Decimal)
        assert frame[name].to_list() == [getattr(fill, name) for fill in outcome.fills]
    for name in ("strategy", "instrument", "order_id", "currency", "fee_currency", "maker", "mid", "decided_mid"):
        assert frame[name].to_list() == [getattr(fill, name) for fill in outcome.fills]
    assert frame["side"].to_list() == ["buy" if fill.side is Side.BUY else "sell" for fill in outcome.fills]
    assert frame["mid_60s"].to_list() == [fill.later_mids[2] for fill in outcome.fills]


def test_an_order_is_a_row_and_what_it_does_not_have_is_null() -> None:
    street = Street()
    street.fill(BUY, "1", "100", 10)
    street.order(BUY, "2", 20, limit=None, time_in_force=None)
    first, second = orders_frame(street.outcome()).to_dicts()
    assert (first["limit"], first["average_price"], first["time_in_force"]) == (100, 100, "ioc")
    assert first["ended"] == datetime(2025, 11, 24, 16, 0, 10, tzinfo=UTC)
    assert (second["quantity"], second["limit"], second["time_in_force"], second["ended"]) == (2, None, None, None)


def test_a_sample_is_a_row_for_each_currency_of_all_or_of_one_strategy() -> None:
    outcome = busy(names=("BTC-USDT", "ES-USD")).outcome()
    frame = equity_frame(outcome)
    assert len(frame) == 2 * len(outcome.samples.time_ns)
    (dollars,) = [one for one in outcome.samples.money if (one.strategy, one.currency) == ("maker", "USD")]
    own = equity_frame(outcome, "maker").filter(pl.col("currency") == "USD")
    assert own["net"].to_list() == net(dollars)
    assert own["drawdown"].to_list() == below_peak(net(dollars))
    assert own["time"].dt.timestamp("ns").to_list() == outcome.samples.time_ns


def test_prices_and_positions_are_long_tables() -> None:
    outcome = busy(names=("BTC-USDT", "ETH-USDT")).outcome()
    count = len(outcome.samples.time_ns)
    prices, positions = prices_frame(outcome), positions_frame(outcome)
    assert prices["bid"].to_list() == outcome.samples.prices[0].bid + outcome.samples.prices[1].bid
    assert prices["instrument"].to_list() == ["BTC-USDT"] * count + ["ETH-USDT"] * count
    assert len(positions) == 4 * count
    own = positions.filter(strategy="momentum", instrument="ETH-USDT")
    assert own["quantity"].to_list() == outcome.samples.positions[3].quantity


@pytest.mark.parametrize("frame", [fills_frame, orders_frame, equity_frame, prices_frame, positions_frame])
def test_nothing_is_a_frame_without_rows_and_with_all_columns(frame: Callable[[Outcome], pl.DataFrame]) -> None:
    empty, full = frame(Street().outcome()), frame(busy().outcome())
    assert (len(empty), empty.columns) == (0, full.columns)


def test_numbers_beyond_what_polars_holds_are_floats() -> None:
    street = Street()
    street.fill(BUY, "1", "100", 10, fee="1e-20")
    assert fills_frame(street.outcome())["fee"].dtype == pl.Decimal(38, 20)
    street.fill(BUY, "1", "100", 20, fee=f"{10**20}")
    street.fill(BUY, "1", "100", 30)
    assert fills_frame(street.outcome())["fee"].to_list() == [1e-20, 1e20, 0.0]
