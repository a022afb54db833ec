"""How market data conflates."""

import pytest

from ticktree.market import Batch, Skipped, latest_quote

from .samples import BTC, ETH, IDS, quote, trade, update


def test_quotes_share_a_slot_by_feed_and_instrument() -> None:
    assert latest_quote.key(quote(bid=1.0)) == latest_quote.key(quote(bid=2.0))
    keys = {latest_quote.key(q) for q in (quote(), quote(instrument=ETH), quote(instrument=BTC, feed="other"))}
    assert len(keys) == 3


@pytest.mark.parametrize("message", [trade(), update((1.0, 2.0)), Batch("sim", IDS, events=[quote()]), Skipped(3)])
def test_nothing_else_conflates(message: object) -> None:
    assert latest_quote.key(message) is None


def test_the_newer_quote_stays_and_weighs_one_tick() -> None:
    newer = quote(bid=2.0)
    assert latest_quote.merge(quote(bid=1.0), newer) == (newer, 1)
