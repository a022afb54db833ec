"""Messages of Binance through cryptofeed's handler of them to a callback, on the loop that cryptofeed runs on."""

# It is run by another Python, of whose packages ours has no types.
# mypy: ignore-errors
# pyright: basic, reportMissingImports=false

import time
from decimal import Decimal
from pathlib import Path

import uvloop
from cryptofeed.defines import TICKER, TRADES
from cryptofeed.exchanges import Binance
from cryptofeed.symbols import Symbols

PEER = "cryptofeed"


class Sum:
    """Callbacks must be coroutines, and prices are decimals."""

    def __init__(self):
        self.handled, self.total = 0, Decimal(0)

    async def on_trade(self, trade, received_s):
        self.handled += 1
        self.total += trade.price * trade.amount

    async def on_ticker(self, ticker, received_s):
        self.handled += 1
        self.total += ticker.bid + ticker.ask


def answer(question):
    """All messages of a file, of one kind. They are texts, as its WebSocket brings them."""
    sum, kind = Sum(), TRADES if question["kind"] == "trade" else TICKER
    Symbols.set(Binance.id, question["symbols"], {})  # which it would ask the exchange for
    callbacks = {TRADES: sum.on_trade, TICKER: sum.on_ticker}
    feed = Binance(symbols=list(question["symbols"]), channels=[kind], callbacks=callbacks)
    messages = Path(question["file"]).read_text("ascii").splitlines()
    run_s = uvloop.run(_handle(feed.message_handler, messages))
    return {"run_s": run_s, "handled": sum.handled, "total": float(sum.total)}


async def _handle(handler, messages):
    received_s = time.time()
    began_s = time.perf_counter()
    for message in messages:
        await handler(message, None, received_s)
    return time.perf_counter() - began_s
