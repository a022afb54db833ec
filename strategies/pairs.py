"""Two instruments that move together: sells the one that has become dear, buys the other, until they meet again.

It takes columns: what a read brings is looked at as a whole, a few array operations for hundreds of quotes.
"""

from decimal import Decimal
from math import nan

import msgspec
import numpy as np

from ticktree.market import Batch, FeedState, FeedStatus, Stale, TickKind, Ticks, ZScore
from ticktree.market.indicators import Floats
from ticktree.routing import Terms, TimeInForce

from .params import above_zero, whole
from .strategy import Strategy

AT_ONCE = Terms(time_in_force=TimeInForce.IOC)
QUOTE = int(TickKind.QUOTE)


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The spread is log(first) - ratio x log(second), of the middles between bid and ask.

    span          of its average, in quotes of either; nothing is traded before as many have come
    enter, leave  how many standard deviations away from it a position is opened, and closed
    *_size        what is held of each while one is open, in its own BASE; what is beyond its increment is left out
    pause_s       between two looks at what is to be traded
    """

    first: str = "BTC-USDT"
    second: str = "ETH-USDT"
    ratio: float = 1.0
    span: float = 500
    enter: float = 2.0
    leave: float = 0.5
    first_size: Decimal = Decimal("0.01")
    second_size: Decimal = Decimal("0.2")
    pause_s: float = 0.1

    def __post_init__(self) -> None:
        above_zero(self, "ratio", "first_size", "second_size", "pause_s")
        if self.first == self.second or not 0 <= self.leave < self.enter:
            raise ValueError("first and second are two instruments, and leave is from 0 to less than enter")


class Pairs(Strategy[Params]):
    """Long the spread, short of it, or flat; which of them, the position in the first instrument tells. Where several
    feeds bring one, let the topics name one of them: between two exchanges prices always differ."""

    topics = ("*/BTC-USDT/quote", "*/ETH-USDT/quote")

    def on_start(self) -> None:
        self.score, self.seen = ZScore(self.params.span), 0
        self.logs = {self.params.first: nan, self.params.second: nan}
        self.ready = True

    def on_batch(self, batch: Batch) -> None:
        spreads = self.spreads(batch)
        if len(spreads):
            scores = self.score.update_many(spreads)
            self.seen += len(spreads)
            if self.ready and self.seen >= self.params.span:
                self._trade(float(scores[-1]))

    def spreads(self, batch: Batch) -> Floats:
        """After each quote of either, once both are known."""
        ticks = batch.ticks
        ticks = ticks[(ticks["kind"] == QUOTE) & (ticks["a"] > 0) & (ticks["c"] > ticks["a"])]
        logs = np.log((ticks["a"] + ticks["c"]) / 2)
        first, second = (self._followed(name, batch, ticks, logs) for name in self.logs)
        spreads = first - self.params.ratio * second
        return spreads[~np.isnan(spreads)]

    def _followed(self, name: str, batch: Batch, ticks: Ticks, logs: Floats) -> Floats:
        """At each row the last value of instrument `name`, which is carried on from batch to batch."""
        own = np.isin(ticks["instrument"], [one.id for one in batch.instruments.named(name)])
        rows = np.maximum.accumulate(np.where(own, np.arange(1, len(ticks) + 1), 0))
        followed: Floats = np.concatenate(([self.logs[name]], logs))[rows]
        if len(followed):
            self.logs[name] = float(followed[-1])
        return followed

    def _trade(self, score: float) -> None:
        """Aim at a position, and send what is missing: whatever was filled of it, by whichever life."""
        params, quotes = self.params, [self.last(name) for name in self.logs]
        first, second = quotes
        if first is None or second is None:
            return  # there is no price for one of them at this moment
        held = self.position(first.instrument)
        side = (held > 0) - (held < 0)
        if abs(score) > params.enter:
            side = -1 if score > 0 else 1
        elif abs(score) < params.leave:
            side = 0
        for quote, target in ((first, side * params.first_size), (second, -side * params.second_size)):
            missing = whole(quote.instrument, target) - self.position(quote.instrument)
            if missing > 0 and not self.working(quote.instrument):
                self.buy(quote.instrument, missing, limit=quote.ask, terms=AT_ONCE)
            elif missing < 0 and not self.working(quote.instrument):
                self.sell(quote.instrument, -missing, limit=quote.bid, terms=AT_ONCE)
        self.ready = False
        self.after(params.pause_s, "ready")

    def on_timer(self, name: str) -> None:
        self.ready = True

    def on_stale(self, stale: Stale) -> None:
        if stale.instrument.name in self.logs:
            self.logs[stale.instrument.name] = nan  # no spread until it quotes again

    def on_status(self, status: FeedStatus) -> None:
        if status.state is FeedState.LOST:
            self.logs = dict.fromkeys(self.logs, nan)
