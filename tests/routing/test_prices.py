"""By what prices are judged."""

import pytest

from ticktree.distribution import Hub
from ticktree.market import FeedState, FeedStatus, Quote
from ticktree.routing.prices import Prices

from ..distribution.support import batch, topics
from ..market.samples import BTC, ETH, IDS, quote


def test_the_freshest_quote_of_an_instrument_is_asked_for_by_its_name() -> None:
    known = {"BTC-USDT": quote()}
    prices = Prices(known.get)
    assert prices(BTC) is known["BTC-USDT"]
    assert prices(ETH) is None


@pytest.mark.parametrize(
    ("bid", "ask"),
    [(0.0, 100.0), (100.0, 0.0), (0.0, 0.0), (101.0, 100.0), (100.0, 100.0), (-2.0, 1.0), (-2.0, -1.0)],
    ids=["no bid", "no ask", "empty", "crossed", "locked", "negative bid", "negative"],
)
def test_a_quote_that_has_no_middle_is_none(bid: float, ask: float) -> None:
    assert Prices(lambda _: quote(bid, ask))(BTC) is None


def test_a_crossed_quote_of_one_feed_hides_no_good_one_of_another_and_a_lost_feed_is_absent() -> None:
    hub = Hub(IDS, topics("*/*/quote"))
    prices = Prices(hub.last_quote)
    good = Quote("a", BTC, 1.0, 1.0, 2.0, 1.0, 1, 1, 10)
    hub.publish(batch(good))
    hub.publish(batch(Quote("b", BTC, 5.0, 1.0, 4.0, 1.0, 1, 1, 20)))
    assert prices(BTC) == good
    hub.mark(FeedStatus("a", FeedState.LOST, "cut", 30))
    assert prices(BTC) is None
