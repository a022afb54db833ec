"""The feed passes the conformance kit; here we only say how the exchange speaks."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ticktree import load
from ticktree.feeds import Source
from ticktree.feeds.testing import BookFact, FeedConformance, QuoteFact, TradeFact

from newfeed import NewFeed

CONFIG = Path(__file__).with_name("newfeed.toml")


class TestNewFeed(FeedConformance):
    """The exchange's side. What is not given is skipped: `pytest -rs` says what that is."""

    def make(self, source: Source, url: str, rest_url: str) -> NewFeed:
        return NewFeed(source, url, rest_url)

    def heard(self, message: bytes, book: BookFact) -> Iterable[bytes]:
        assert json.loads(message)["op"] == "subscribe"
        yield said("subscribed")

    def rest(self, path: str, query: Mapping[str, str], book: BookFact) -> bytes | None:
        if path != "/instruments":
            return None
        listing = {"symbol": "BTC-USDT", "price_step": "0.01", "size_step": "0.0001"}
        return json.dumps([listing]).encode()

    def trade(self, trade: TradeFact) -> bytes:
        return said(
            "trade",
            symbol=trade.instrument.name,
            id=trade.number,
            time_ms=trade.time_ms,
            price=trade.price,
            size=trade.size,
            side=trade.aggressor.name.lower(),
        )

    def quote(self, quote: QuoteFact) -> bytes:
        return said(
            "quote",
            symbol=quote.instrument.name,
            id=quote.number,
            time_ms=quote.time_ms,
            bid=quote.bid,
            bid_size=quote.bid_size,
            ask=quote.ask,
            ask_size=quote.ask_size,
        )

    def refusal(self) -> bytes:
        return said("refused", why="there is no such instrument")


def said(what: str, **members: str | int) -> bytes:
    return json.dumps({"type": what, **members}).encode()


def test_its_configuration_can_be_run() -> None:
    (feed,) = load(CONFIG).feeds
    assert feed.instruments == ("BTC-USDT",)
