"""A test says what the market does, and sees what is ordered, in virtual time."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ticktree import load
from ticktree.testing import Trial

from newstrategy import NewStrategy, Params

HERE = Path(__file__).parent
BTC = "BTC-USDT"


def calm(trial: Trial, quotes: int) -> None:
    """A market that moves by one up and down, around a middle of 1001."""
    for number in range(quotes):
        trial.quote(BTC, bid=1000 + number % 2, ask=1001 + number % 2)


def test_it_buys_what_fell_far_and_sells_what_came_back() -> None:
    with Trial(NewStrategy, Params(span=20)) as trial:
        calm(trial, quotes=40)
        assert trial.ordered == []
        trial.quote(BTC, bid=990, ask=991)
        assert trial.ordered == ["buy 0.01 BTC-USDT at 991"]
        assert trial.position(BTC) == Decimal("0.01")
        trial.wait(1.0)
        trial.quote(BTC, bid=1000, ask=1001)
        assert trial.ordered[1:] == ["sell 0.01 BTC-USDT at 1000"]
        assert trial.position(BTC) == 0


def test_it_holds_no_more_than_its_size_however_far_the_price_falls() -> None:
    with Trial(NewStrategy, Params(span=20)) as trial:
        calm(trial, quotes=40)
        for step in range(20):
            trial.quote(BTC, bid=990 - 10 * step, ask=991 - 10 * step)
            trial.wait(1.0)
        assert trial.position(BTC) == Params().size
        assert len(trial.orders) == 1


def test_it_knows_what_it_holds_after_a_restart() -> None:
    with Trial(NewStrategy, Params(span=20)) as trial:
        calm(trial, quotes=40)
        trial.quote(BTC, bid=990, ask=991)
        trial.restart()
        calm(trial, quotes=40)
        assert trial.position(BTC) == 0


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"span": 1}, "span is 2 or more"),
        ({"size": Decimal(0)}, "size and pause_s are above 0"),
        ({"enter": 1.0, "leave": 1.5}, "leave, 1.5, is less than enter, 1.0"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Params(**wrong)


@pytest.mark.parametrize("name", ["newstrategy.toml", "recorded.toml"])
def test_each_configuration_runs_it(name: str) -> None:
    with Trial(load(HERE / name)) as trial:
        assert trial.strategy(NewStrategy).params.span > 1
