"""The strategy does what it should, in virtual time: minutes of market in milliseconds, the same each time."""

from decimal import Decimal
from pathlib import Path

import pytest
from my_strategy import Breakout, Params

from ticktree import OrderState, load
from ticktree.testing import Trial

CONFIG = Path(__file__).with_name("config.toml")


def test_it_buys_what_breaks_out_and_sells_what_falls_out() -> None:
    with Trial(Breakout, Params(length=3, size=Decimal("0.005"))) as trial:
        trial.quote("BTC-USDT", 100, 101)
        for price in (100, 101, 100, 101):
            trial.trade("BTC-USDT", price)
        assert trial.ordered == []  # as high as before, and no higher
        trial.trade("BTC-USDT", 102)
        assert trial.ordered == ["buy 0.005 BTC-USDT at the market"]
        assert trial.orders[0].state is OrderState.FILLED
        trial.trade("BTC-USDT", 99)
        assert trial.position("BTC-USDT") == 0


@pytest.mark.parametrize("up", [1, 100])
def test_it_never_holds_more_than_its_size(up: int) -> None:
    with Trial(Breakout, Params(length=3)) as trial:
        trial.quote("BTC-USDT", 1_000, 1_001)
        for step in range(20):
            trial.trade("BTC-USDT", 1_000 + up * step)
            assert trial.position("BTC-USDT") <= Params().size
        assert len(trial.orders) == 1


def test_a_restart_finds_what_it_holds() -> None:
    with Trial(Breakout, Params(length=3)) as trial:
        trial.quote("BTC-USDT", 100, 101)
        for price in (100, 100, 100, 101):
            trial.trade("BTC-USDT", price)
        trial.restart()
        for price in (100, 100, 100, 101):
            trial.trade("BTC-USDT", price)
        assert trial.position("BTC-USDT") == Params().size


def test_the_config_runs_it_with_its_own_numbers() -> None:
    with Trial(load(CONFIG)) as trial:
        assert trial.strategy(Breakout).params == Params(length=20, size=Decimal("0.005"))
