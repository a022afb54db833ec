"""Which instruments were not heard of in time."""

import pytest

from ticktree.feeds.deadlines import Deadlines
from ticktree.market import Batch, InstrumentIds
from ticktree.market.ticks import encoded

from .json_feed import BTC, ETH
from .test_wire_feed import trades

S = 1_000_000_000


@pytest.fixture(params=["events", "ticks"])
def batch(request: pytest.FixtureRequest) -> Batch:
    ids = InstrumentIds()
    assert ids.adopt(BTC) is BTC
    if request.param == "events":
        return Batch("test", ids, events=trades(3))
    return Batch("test", ids, ticks=encoded(trades(3)))


def test_who_is_silent_too_long_is_missed_once_until_heard_of_again(batch: Batch) -> None:
    deadlines = Deadlines(2.0)
    deadlines.restart([BTC, ETH], 0)
    assert deadlines.missed(2 * S) == []
    assert deadlines.heard(batch, 2 * S) == []
    assert deadlines.missed(3 * S) == [ETH]
    assert deadlines.missed(5 * S) == [BTC]
    assert deadlines.missed(9 * S) == []
    assert deadlines.heard(batch, 10 * S) == [BTC]
    assert deadlines.heard(batch, 10 * S) == []
    assert deadlines.missed(13 * S) == [BTC]


def test_a_restart_forgives_the_silence_so_far_but_not_what_was_said_of_it(batch: Batch) -> None:
    deadlines = Deadlines(2.0)
    deadlines.heard(batch, 0)
    deadlines.restart([], 10 * S)
    assert deadlines.missed(12 * S) == []
    assert deadlines.missed(13 * S) == [BTC]
    deadlines.restart([], 20 * S)
    assert deadlines.missed(30 * S) == []  # it is said already
    deadlines.forgive()
    assert deadlines.missed(40 * S) == [BTC]
