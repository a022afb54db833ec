"""Buys while the fast average is above the slow one, and sells when it no longer is."""

from ticktree.market import Ema, Quote

from .strategy import Strategy


class Momentum(Strategy):
    """The worked strategy: one position of 0.01, long or flat."""

    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        self.fast, self.slow = Ema(10), Ema(100)

    def on_quote(self, quote: Quote) -> None:
        fast, slow = self.fast.update(quote.mid), self.slow.update(quote.mid)
        held = self.position(quote.instrument)
        if fast > slow and not self.exposure(quote.instrument):  # also open orders: a bare position would buy twice
            self.buy(quote.instrument, "0.01", limit=quote.ask)
        elif fast < slow and held > 0 and not self.working(quote.instrument):
            self.sell(quote.instrument, held)
