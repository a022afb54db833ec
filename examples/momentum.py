"""The strategy of the README, complete: it runs against a simulated exchange and a paper venue until Ctrl-C."""

from ticktree import Ema, Quote, Strategy, run


class Momentum(Strategy):
    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        self.fast, self.slow = Ema(10), Ema(100)

    def on_quote(self, quote: Quote) -> None:
        fast, slow = self.fast.update(quote.mid), self.slow.update(quote.mid)
        # Position and open orders: a bare position would buy twice.
        if fast > slow and not self.exposure(quote.instrument):
            self.buy(quote.instrument, "0.01", limit=quote.ask)


if __name__ == "__main__":
    run(Momentum)  # simulated exchange, paper venue
