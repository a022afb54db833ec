"""The feed of Gate's spot market passes the conformance kit; and what is Gate's own."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from gate_feed import GateFeed, Pair

from ticktree.feeds import Source
from ticktree.feeds.testing import BookFact, FeedConformance, TradeFact, UpdateFact


class TestGateFeed(FeedConformance):
    """How Gate speaks."""

    def make(self, source: Source, url: str, rest_url: str) -> GateFeed:
        return GateFeed(source, url, rest_url)

    def heard(self, message: bytes, book: BookFact) -> Iterable[bytes]:
        asked = json.loads(message)
        yield said(asked["channel"], "subscribe", {"status": "success"})

    def rest(self, path: str, query: Mapping[str, str], book: BookFact) -> bytes | None:
        if path == "/spot/order_book":
            return json.dumps({"id": book.number, "bids": book.bids, "asks": book.asks}).encode()
        pair = {"id": "BTC_USDT", "base": "BTC", "quote": "USDT", "precision": 2, "amount_precision": 4}
        return json.dumps([pair | {"trade_status": "tradable", "min_quote_amount": "3"}]).encode()

    def trade(self, trade: TradeFact) -> bytes:
        result = {
            "id": trade.number, "create_time_ms": f"{trade.time_ms}.5", "side": trade.aggressor.name.lower(),
            "currency_pair": trade.instrument.name.replace("-", "_"), "amount": trade.size, "price": trade.price,
        }  # fmt: skip
        return said("spot.trades", "update", result)

    def update(self, update: UpdateFact) -> bytes:
        result = {
            "t": update.time_ms, "s": update.instrument.name.replace("-", "_"), "U": update.number, "u": update.number,
            "b": update.bids, "a": update.asks,
        }  # fmt: skip
        return said("spot.order_book_update", "update", result)

    def refusal(self) -> bytes:
        return (
            b'{"channel":"spot.trades","event":"subscribe","error":{"code":2,"message":"unknown pair"},"result":null}'
        )


def said(channel: str, event: str, result: Any) -> bytes:
    return json.dumps({"time": 1, "time_ms": 1_000, "channel": channel, "event": event, "result": result}).encode()


def test_a_pair_defines_its_increments() -> None:
    text = b"""{"id":"GT_USDT","base":"GT","quote":"USDT","fee":"0.2","min_base_amount":"0.01","min_quote_amount":"3",
    "amount_precision":3,"precision":4,"trade_status":"tradable","sell_start":0,"buy_start":0}"""
    instrument = msgspec.json.decode(text, type=Pair).instrument()
    told = (instrument.name, instrument.price_increment, instrument.size_increment, instrument.min_notional)
    assert tuple(map(str, told)) == ("GT-USDT", "0.0001", "0.001", "3")
