"""Breakout: buys what trades above everything it lately traded at, sells what trades below."""

from collections import deque
from decimal import Decimal

import msgspec

from ticktree import Strategy, Trade


class Params(msgspec.Struct, frozen=True):
    """As `params` in the config. `length`: how many trades "lately" is; `size`: how much is held."""

    length: int = 50
    size: Decimal = Decimal("0.01")


class Breakout(Strategy[Params]):
    """Long above the channel of the last trades, flat below it."""

    topics = ("*/BTC-USDT/trade",)

    def on_start(self) -> None:
        self.prices = deque[float](maxlen=self.params.length)

    def on_trade(self, trade: Trade) -> None:
        lately, price, held = tuple(self.prices), trade.price, self.position(trade.instrument)
        self.prices.append(price)
        if len(lately) < self.params.length or self.working(trade.instrument):
            return
        if price > max(lately) and not held:
            self.buy(trade.instrument, self.params.size)
        elif price < min(lately) and held > 0:
            self.sell(trade.instrument, held)
