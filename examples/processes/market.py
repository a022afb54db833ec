"""One process of two: the market's data come in here once, and any number of other processes subscribe to them.

    python market.py          python strategy.py

Here the market is simulated; with `FeedPart("binance", BinanceFeed, ("BTC-USDT",))` it is Binance's, and nothing else
changes.
"""

import sys

from ticktree import App, run
from ticktree.app import RelayPart, SimulatedPart

URL = "tcp://127.0.0.1:7400"

if __name__ == "__main__":
    run(App(feeds=(SimulatedPart("market"),), relay=RelayPart(listen=tuple(sys.argv[1:]) or (URL,))))
