"""Instruments and ticks that the tests share."""

from decimal import Decimal

from ticktree.market import Instrument, Quote, Side, Trade

BTC = Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.0001"))
ETH = Instrument("ETH-USDT", 2, Decimal("0.01"), Decimal("0.001"))


def quote(bid: float = 100.0, ask: float = 100.5, instrument: Instrument = BTC, feed: str = "sim") -> Quote:
    return Quote(feed, instrument, bid, 1.5, ask, 2.5, 7, 10, 20)


def trade(price: float = 100.25, aggressor: Side | None = Side.BUY, feed: str = "sim") -> Trade:
    return Trade(feed, BTC, price, 0.5, aggressor, 8, 11, 20)
