"""The summary in a terminal."""

from decimal import Decimal

import msgspec
import pytest

from ticktree.backtesting.result import DataUsed, FeedCount, Outcome
from ticktree.backtesting.statistics import statistics
from ticktree.backtesting.text import WIDTH, text
from ticktree.market import Side

from .outcomes import BUY, SELL, Street, busy


def told(outcome: Outcome, capital: Decimal | None = None) -> str:
    return text(outcome, statistics(outcome, capital))


def line(shown: str, begin: str) -> str:
    (found,) = [one for one in shown.splitlines() if one.startswith(begin)]
    return found


def test_what_is_wrong_comes_first_and_the_worst_of_it_first_of_all() -> None:
    feeds = (FeedCount("binance", {"quote": 5}, 5, 2, {"BadFrame": 3, "NotAsked": 9}),)
    data = (DataUsed("day.rec", "binance", "recording", 12, "cut off in the middle"),)
    shown = told(busy().outcome(incomplete="the feed failed", warnings=("no trades",), feeds=feeds, data=data))
    assert shown.splitlines()[:5] == [
        "WARNING  INCOMPLETE: the feed failed",
        "WARNING  no trades",
        "WARNING  day.rec: cut off in the middle",
        "WARNING  feed binance: 2 gaps, 3 x BadFrame",
        "",
    ]
    assert "WARNING" not in told(busy().outcome())


def test_it_says_what_ran_on_what_how_fast_and_its_digest_in_short_and_in_full() -> None:
    shown = told(busy().outcome())
    assert shown.startswith("back-test of alpha.toml\n")
    assert line(shown, "  data").split(maxsplit=1)[1] == "day.rec  (binance, recording, 12.3 MB)"
    assert line(shown, "  span").endswith("2025-11-24 16:00:00 to 17:00:00 UTC, 1 h 0 m")
    assert line(shown, "  ticks").endswith("1,234,567 in 2.5 s: 493,826/s, 1,440 x as fast as it happened")
    assert line(shown, "  digest").split() == ["digest", "5f5f5f5f", "(sha256", f"{'5f' * 32})"]


def test_nobody_forgets_what_was_assumed() -> None:
    shown = told(busy().outcome())
    begin = shown.index("assumed, and live it may be otherwise:")
    assumed = shown[begin : shown.index("\n\n", begin)]
    for said in ("paper", "prices of binance", "latency 20 ms there, 20 ms back", "fees maker 1 bp, taker 5 bp",
                 "matching       what is displayed is there to take, once; ", "batch window   1.0 ms",
                 "handler time   200.0 us", "seed           7"):  # fmt: skip
        assert said in assumed
    assert begin < shown.index("profit in USDT")


def test_each_strategy_has_its_line_and_all_of_them_one_where_there_are_several() -> None:
    outcome = busy().outcome()
    shown, found = told(outcome), statistics(outcome)
    for row in (*found.strategies, *found.total):
        lines = [one for one in shown.splitlines() if one.startswith(f"  {row.strategy or 'all'} ")]
        assert len(lines) == 4
        assert f"{row.profit.net:.4f}" in lines[0]
        assert f" {row.activity.fills} " in lines[1]
        assert f"{row.quality.slippage_bp:+.2f}" in lines[3]
    assert "  all " not in told(busy(strategies=("alone",)).outcome())


def test_currencies_have_lines_of_their_own() -> None:
    shown = told(busy(names=("BTC-USDT", "ES-USD")).outcome())
    assert [f"  {name} {currency} " in shown for name in ("maker", "all") for currency in ("USD", "USDT")] == [True] * 4


def test_ratios_say_what_they_stand_on_or_why_there_are_none() -> None:
    assert "  ratios: of 60 periods of 60.0 s, for a year of 365 days" in told(busy().outcome())
    assert "  ratios: n/a (30 s of data)" in told(busy(span_s=30, every_s=1).outcome())


def test_a_drawdown_is_a_share_where_there_is_a_capital() -> None:
    outcome = busy().outcome()
    assert "  capital 1,000.00" in told(outcome, Decimal(1000))
    assert "1.3 %" in told(outcome, Decimal(1000)).partition("\nrisk")[2].partition("\n\n")[0]
    assert "1.3 %" not in told(outcome).partition("\nrisk")[2].partition("\n\n")[0]


def test_orders_are_told_by_state() -> None:
    assert told(busy().outcome()).endswith(
        "orders, by state\n  filled    26\n  canceled   1\n  1 x canceled: its time was over"
    )


def test_a_back_test_without_orders_says_so() -> None:
    shown = told(Street().outcome(wall_s=0.0, data=()))
    assert shown.endswith("nothing was ordered")
    assert line(shown, "  data") == "  data           none"


@pytest.mark.parametrize("scale", [1, 100_000])
def test_it_is_at_most_a_hundred_columns_wide_and_plain(scale: int) -> None:
    street = Street(middle=lambda at: 100.0 * scale + at)
    for turn in range(8):
        price = str(100 * scale + turn * 7)
        street.fill(side(turn), "700", price, 60 + turn * 400, strategy="long" * 20, fee="9")
    outcome = street.outcome()
    assert max(map(len, told(outcome).splitlines())) <= WIDTH
    assert "\x1b" not in told(msgspec.structs.replace(outcome, incomplete="it was stopped"))


def side(turn: int) -> Side:
    return BUY if turn % 2 == 0 else SELL
