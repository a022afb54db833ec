"""Feeds in one process and strategies in another, run as a user would, and one of them lost on the way."""

import re
from pathlib import Path

import pytest

from .program import Program

MARKET, STRATEGY = "examples/processes/market.py", "examples/processes/strategy.py"


def address(market: Program) -> str:
    """Where the relay listens, as the program says."""
    found = re.search(r"listens at (\S+)$", market.until("relay/server: listens at ").strip())
    assert found
    return found[1]


@pytest.mark.parametrize("scheme", ["tcp", "unix", "ws"])
def test_a_strategy_trades_on_what_another_process_feeds(scheme: str, tmp_path: Path) -> None:
    urls = {"tcp": "tcp://127.0.0.1:0", "unix": f"unix://{tmp_path}/market", "ws": "ws://127.0.0.1:0/"}
    with Program(MARKET, urls[scheme]) as market:
        url = address(market)
        with Program(STRATEGY, url) as strategy:
            strategy.until("market: live")
            strategy.until("momentum bought 0.01 BTC-USDT at ")
            strategy.interrupt()
            code, printed = strategy.end()
        assert code == 0, printed
        assert "unaccounted for: 0" in printed
        market.interrupt()
        code, printed = market.end()
    assert code == 0, printed
    assert "unaccounted for: 0" in printed


def test_the_market_may_go_and_come_back() -> None:
    with Program(MARKET, "tcp://127.0.0.1:0") as market:
        url = address(market)
        with Program(STRATEGY, url) as strategy:
            strategy.until("market: live")
            market.interrupt()
            assert market.end()[0] == 0
            strategy.until("market: connection lost: ")
            with Program(MARKET, url) as again:
                strategy.until("market: live")
                strategy.interrupt()
                assert strategy.end()[0] == 0
                again.interrupt()
                assert again.end()[0] == 0
