"""All worked strategies, on markets that do what markets should not: none of them raises, loops, or goes too far."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import attrs
import pytest

from ticktree import App, FeedState, FeedStatus, Instrument, InstrumentStatus, Live, Stale, Strategy, strategy_part
from ticktree.app import FeedPart, RouterPart, VenuePart
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.market import TradingStatus
from ticktree.routing import AllOf, Policy, Share, Sweep, Timeout, Unwind, VenueRules
from ticktree.strategies import (
    Arbitrage,
    MarketMaker,
    Momentum,
    Pairs,
    RiskMonitor,
    Twap,
    arbitrage,
    market_maker,
    momentum,
    pairs,
    risk_monitor,
    twap,
)
from ticktree.testing import Trial

STEPS = 150
SIZE, OFF = Decimal("0.02"), Decimal("0.020009")  # of which whole increments are the first
BOTH = AllOf(("a", Share("b", opposite=True)), 1.0, Unwind(within_s=5.0))
ONE, SPLIT = Timeout("a", deadline_s=0.25), Sweep(("a", "b"), max_price_age_s=60.0, deadline_s=0.25)
NAMES = ("BTC-USDT", "ETH-USDT")

# Strategy, parameters, how its orders are worked, and how far it may ever be out in BTC-USDT.
WORKED: dict[str, tuple[type[Strategy], Any, Policy, Decimal]] = {
    "momentum": (Momentum, momentum.Params(fast=1, slow=3, size=OFF), ONE, SIZE),
    "maker": (MarketMaker, market_maker.Params(size=OFF, max_inventory=3 * SIZE), ONE, 3 * SIZE),
    "pairs": (Pairs, pairs.Params(span=5, enter=0.5, leave=0.2, first_size=OFF), ONE, SIZE),
    "twap": (Twap, twap.Params("sell", OFF, slices=8, over_s=8.0), SPLIT, SIZE),
    "arbitrage": (Arbitrage, arbitrage.Params("east", "west", fees=0.001, size=OFF), BOTH, SIZE),
    "monitor": (RiskMonitor, risk_monitor.Params(max_drawdown=Decimal(1), max_age_s=2.0), ONE, Decimal(0)),
}


def application(strategy: type[Strategy], params: Any, policy: Policy) -> App:
    part = strategy_part(strategy, params=params)
    return App(
        feeds=tuple(FeedPart(name, BinanceFeed, NAMES) for name in ("east", "west")),
        venues=(VenuePart("a", "east", rules=VenueRules()), VenuePart("b", "west")),
        routers=(RouterPart("default", policy),),
        strategies=(part, attrs.evolve(part, name=f"{part.name}-2")),
    )


class Rough:
    """A market that goes up and down, and wrong in all the ways there are."""

    def __init__(self, trial: Trial, seed: int) -> None:
        self.trial, self.random = trial, Random(seed)
        self.middle: dict[str, float] = {"BTC-USDT": 1_000.0, "ETH-USDT": 50.0}
        self.acts: list[tuple[int, Callable[[str, str], object]]] = [
            (30, self.quote), (4, self.trade), (2, self.one_sided), (2, self.crossed), (2, self.stale),
            (2, self.live), (1, self.lose), (2, self.come_back), (1, self.close), (1, self.open), (1, self.halt),
            (2, self.resume), (1, self.restart), (3, self.pass_by),
        ]  # fmt: skip

    def step(self) -> None:
        weights = [weight for weight, _ in self.acts]
        (_, act), *_ = self.random.choices(self.acts, weights)
        act(self.random.choice(NAMES), self.random.choice(("east", "west")))

    def quote(self, name: str, feed: str) -> None:
        self.middle[name] *= 1 + self.random.gauss(0, 0.002)
        bid = round(self.middle[name] * (1 + self.random.gauss(0, 0.001)), 2)
        ask = round(bid + self.random.choice((0.01, 0.1)), 2)
        self.trial.quote(name, bid, ask, size=self.random.choice((0.001, 0.01, 5.0)), feed=feed)

    def trade(self, name: str, feed: str) -> None:
        self.trial.trade(name, round(self.middle[name], 2), 1.0, feed=feed)

    def one_sided(self, name: str, feed: str) -> None:
        self.trial.quote(name, *self.random.choice(((0.0, 90.0), (90.0, 0.0), (0.0, 0.0))), feed=feed)

    def crossed(self, name: str, feed: str) -> None:
        self.trial.quote(name, 100.0, self.random.choice((100.0, 99.0)), feed=feed)

    def stale(self, name: str, feed: str) -> None:
        self.trial.tell(Stale(feed, self.instrument(name), "a gap", self.trial.now_ns))

    def live(self, name: str, feed: str) -> None:
        self.trial.tell(Live(feed, self.instrument(name), self.trial.now_ns))

    def lose(self, name: str, feed: str) -> None:
        self.trial.tell(FeedStatus(feed, FeedState.LOST, "cut", self.trial.now_ns))

    def come_back(self, name: str, feed: str) -> None:
        self.trial.tell(FeedStatus(feed, FeedState.LIVE, "", self.trial.now_ns))

    def close(self, name: str, feed: str) -> None:
        self.status(name, feed, TradingStatus.HALTED)

    def open(self, name: str, feed: str) -> None:
        self.status(name, feed, TradingStatus.TRADING)

    def status(self, name: str, feed: str, status: TradingStatus) -> None:
        now_ns = self.trial.now_ns
        self.trial.tell(InstrumentStatus(feed, self.instrument(name), status, now_ns, now_ns))

    def halt(self, name: str, feed: str) -> None:
        self.trial.halt()

    def resume(self, name: str, feed: str) -> None:
        self.trial.resume()

    def restart(self, name: str, feed: str) -> None:
        self.trial.restart()

    def pass_by(self, name: str, feed: str) -> None:
        self.trial.wait(self.random.choice((0.01, 0.3, 3.0)))

    def instrument(self, name: str) -> Instrument:
        return self.trial.instrument(name)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", WORKED)
def test_on_a_rough_market_nobody_raises_or_loops_or_goes_too_far(name: str, seed: int) -> None:
    strategy, params, policy, most = WORKED[name]
    with Trial(application(strategy, params, policy)) as trial:
        market, began_ns, where = Rough(trial, seed), trial.now_ns, trial.instrument("BTC-USDT")
        places = (strategy.__name__.lower(), f"{strategy.__name__.lower()}-2")
        for _ in range(STEPS):
            market.step()
            assert all(abs(trial.strategy(strategy, place).exposure(where)) <= most for place in places)
        passed_s = (trial.now_ns - began_ns) / 1e9
        assert len(trial.orders) <= 2 * 2 * (10 * passed_s + 2)  # two of them, two sides or instruments, ten a second
        assert bool(trial.orders) is (name != "monitor")
