"""Trades published on NautilusTrader's message bus to so many handlers, which it calls at once."""

# It is run by another Python, of whose packages ours has no types.
# mypy: ignore-errors
# pyright: basic, reportMissingImports=false

import time

from nautilus_trader.common.component import LiveClock, MessageBus
from nautilus_trader.model.data import TradeTick
from nautilus_trader.model.enums import AggressorSide
from nautilus_trader.model.identifiers import InstrumentId, TradeId, TraderId
from nautilus_trader.model.objects import Price, Quantity

PEER = "nautilus_trader"
TOPIC = "data.trades.BENCH.BTC-USDT"


class Handler:
    def __init__(self):
        self.trades = self.times_ns = 0

    def on_trade(self, trade):
        self.trades += 1
        self.times_ns += trade.ts_event


def answer(question):
    """Bursts of trades, of which each is told one nanosecond after the other."""
    bus, handlers = MessageBus(TraderId("PEER-001"), LiveClock()), [Handler() for _ in range(question["handlers"])]
    for handler in handlers:
        bus.subscribe(TOPIC, handler.on_trade)
    instrument, price, size = InstrumentId.from_str("BTC-USDT.BENCH"), Price(100.0, 2), Quantity(1.0, 2)
    trades = [
        TradeTick(instrument, price, size, AggressorSide.BUYER, TradeId(str(number)), number, number)
        for number in range(question["burst"])
    ]
    publish = bus.publish
    began_s = time.perf_counter()
    for _ in range(question["bursts"]):
        for trade in trades:
            publish(TOPIC, trade)
    run_s = time.perf_counter() - began_s
    handled, total = (sum(getattr(one, name) for one in handlers) for name in ("trades", "times_ns"))
    return {"run_s": run_s, "handled": handled, "total": total}
