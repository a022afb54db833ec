"""Two simulated exchanges with the same instruments: one leads, and the prices of the other follow it, never quite."""

from collections.abc import Callable, Iterable

import attrs

from ticktree.feeds.simulated import Market, Prices, SimulatedExchange
from ticktree.feeds.simulated.faults import Faults
from ticktree.feeds.simulated.market import WIDE, Told
from ticktree.market import TradingStatus

PULL = 0.05  # the part of what the two are apart that one step makes up for: half of it in 13 steps


class Following(Prices):
    """Prices that are drawn to those of `leader`, and have moves of their own besides.

    They are apart by 4.5 standard deviations of one step, in the long run: each step brings two, one of each market,
    and takes `PULL` of the distance away.
    """

    def __init__(self, feed: str, market: Market, leader: Callable[[], Prices], began_ns: int = 0) -> None:
        super().__init__(feed, market, began_ns)
        self._leader = leader

    def step(self, now_ns: int) -> list[Told]:
        """What happens next."""
        self.steps += 1
        wide, leader = self._random.random() < self.market.wide_probability, self._leader()
        told: list[Told] = []
        for name, listing in self._listings.items():
            if listing.instrument.status is TradingStatus.TRADING:
                mine = self.quote(name).mid
                apart = (leader.quote(name).mid - mine) / (self.market.volatility * mine)
                told += listing.step(PULL * apart + self._random.gauss(0, WIDE if wide else 1), wide, now_ns)
        return told


class FollowingExchange(SimulatedExchange):
    """A `SimulatedExchange` whose prices follow those of another one, which has started before."""

    def __init__(
        self, name: str, market: Market, listen: Iterable[str], faults: Faults, leader: Callable[[], Prices]
    ) -> None:
        super().__init__(name, market, listen, faults)
        self._leader = leader

    async def on_start(self) -> None:
        await super().on_start()
        self.prices = Following(self.name, self.market, self._leader, self.clock.now_ns())


def pair(seed: int) -> tuple[Market, Market]:
    """The markets of the two: lively, and yet still for long enough that most orders meet what they were sent for."""
    north = Market(seed=seed, volatility=5e-5, interval_s=0.05, steps_a_turn=3)
    return north, attrs.evolve(north, seed=seed + 1)
