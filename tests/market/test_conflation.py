"""How market data conflates."""

from ticktree.market import latest_quote

from .samples import BTC, ETH, quote, trade


def test_quotes_share_a_slot_by_feed_and_instrument() -> None:
    assert latest_quote.key(quote(bid=1.0)) == latest_quote.key(quote(bid=2.0))
    keys = {latest_quote.key(q) for q in (quote(), quote(instrument=ETH), quote(instrument=BTC, feed="other"))}
    assert len(keys) == 3


def test_nothing_else_conflates() -> None:
    assert latest_quote.key(trade()) is None


def test_the_newer_quote_stays_and_weighs_one_tick() -> None:
    newer = quote(bid=2.0)
    assert latest_quote.merge(quote(bid=1.0), newer) == (newer, 1)
