"""Two instruments, looked at as columns."""

import math
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from ticktree.app import strategy_part
from ticktree.market import FeedState, FeedStatus, Quote, Stale
from ticktree.routing import Limits
from ticktree.strategies import Pairs
from ticktree.strategies.pairs import Params

from ..distribution.support import batch
from ..market.samples import BTC, ETH, quote, trade
from .street import Street, app, on_street

PARAMS = Params(span=20, enter=3.0, leave=0.5, first_size=Decimal("0.01"), second_size=Decimal("0.2"))
APP = app(strategy_part(Pairs, params=PARAMS))
RANDOM = Random(5)


async def calm(street: Street, quotes: int = 60) -> None:
    """Both move a little, and not together: nothing to trade, but a spread to be known."""
    events: list[Quote] = []
    for step in range(quotes):
        events += [street.quote(10_000 + step % 2), street.quote(500 + step % 3 * 0.01, 500.5, instrument=ETH)]
    await street.publish(*events, columns=True)


def held(street: Street) -> tuple[int, int]:
    return street.position(BTC), street.position(ETH)


async def move(street: Street, bitcoin: float, ether: float, times: int = 1) -> None:
    for _ in range(times):
        await street.rest(0.11)
        await street.publish(street.quote(bitcoin), street.quote(ether, ether + 0.5, instrument=ETH), columns=True)


@on_street(APP)
async def test_it_sells_what_became_dear_buys_the_other_and_closes_both_when_they_meet_again(street: Street) -> None:
    await calm(street)
    assert held(street) == (0, 0)
    await move(street, 10_050, 500)
    assert held(street) == (-100, 200)
    await move(street, 10_050, 500, times=2)
    assert held(street) == (-100, 200)
    assert len(street.ledger.orders) == 2
    await move(street, 10_000.5, 500, times=40)
    assert held(street) == (0, 0)
    assert len(street.ledger.orders) == 4


@on_street(APP)
async def test_the_other_way_round_it_does_the_opposite(street: Street) -> None:
    await calm(street)
    await move(street, 9_950, 500)
    assert held(street) == (100, -200)


@on_street(APP)
async def test_nothing_is_traded_before_the_spread_is_known(street: Street) -> None:
    await calm(street, 5)
    await move(street, 10_500, 500)
    await street.publish(*(street.quote(10_000 + step) for step in range(30)), columns=True)
    assert street.ledger.orders == {}


@on_street(APP)
async def test_a_leg_that_was_filled_in_part_is_completed_by_what_is_missing(street: Street) -> None:
    await calm(street)
    await street.rest(0.11)
    await street.publish(street.quote(10_050, size=0.004), street.quote(500, 500.5, instrument=ETH), columns=True)
    assert held(street) == (-40, 200)
    await move(street, 10_050, 500)
    assert held(street) == (-100, 200)


@on_street(APP)
async def test_the_next_life_keeps_the_position_until_it_knows_the_spread_then_closes_it(street: Street) -> None:
    await calm(street)
    await move(street, 10_050, 500)
    await street.restart("pairs")
    await move(street, 10_050, 500, times=5)
    assert held(street) == (-100, 200)
    await calm(street)
    await move(street, 10_000.5, 500, times=3)
    assert held(street) == (0, 0)


@pytest.mark.parametrize(
    "mark", [Stale("sim", ETH, "silent", 0), FeedStatus("sim", FeedState.LOST, "cut", 0)], ids=repr
)
def test_while_one_of_them_is_not_known_there_is_no_spread(mark: Any) -> None:
    pairs = Pairs()
    pairs.on_start()
    pairs.on_batch(batch(quote(), quote(instrument=ETH)))
    assert pairs.seen == 1
    pairs.on_message(mark)
    pairs.on_batch(batch(quote(), quote()))
    assert pairs.seen == 1
    pairs.on_batch(batch(quote(instrument=ETH), quote()))
    assert pairs.seen == 3


def test_the_spread_of_a_batch_is_that_of_its_quotes_one_by_one_however_it_is_cut() -> None:
    events: Any = [trade(), quote(0.0, 9.0), quote(9.0, 8.0)]
    for _ in range(200):
        price = 100 + RANDOM.random()
        events.append(RANDOM.choice((quote(price, price + 1), quote(price, price + 1, instrument=ETH), trade(price))))
    whole, cut, expected = Pairs(), Pairs(), list[float]()
    logs = dict[str, float]()
    for event in events:
        if isinstance(event, Quote) and 0 < event.bid < event.ask:
            logs[event.instrument.name] = math.log(event.mid)
            if len(logs) == 2:
                expected.append(logs[BTC.name] - logs[ETH.name])
    for one in (whole, cut):
        one.on_start()
    pieces = list[float]()
    while events:
        n = RANDOM.randrange(1, 40)
        piece, events = events[:n], events[n:]
        pieces += cut.spreads(batch(*piece, columns=RANDOM.random() < 0.5)).tolist()
    np.testing.assert_allclose(pieces, expected, rtol=1e-12)


@on_street(app(strategy_part(Pairs, params=PARAMS), limits=Limits(max_position={"*": "0.001"})))
async def test_what_a_limit_stands_against_is_asked_ten_times_a_second(street: Street) -> None:
    await calm(street)
    for _ in range(100):
        await street.rest(0.009)
        await street.at(10_500)
    assert held(street) == (0, 0)
    assert len(street.ledger.orders) <= 24


@on_street(APP)
async def test_without_a_price_of_one_of_them_nothing_is_sent(street: Street) -> None:
    await calm(street)
    await street.mark(Stale("sim", ETH, "silent", 0))
    await street.at(10_050)
    assert street.ledger.orders == {}


SIZES = structs.replace(PARAMS, first_size=Decimal("0.01009"), second_size=Decimal("0.2009"))


@on_street(app(strategy_part(Pairs, params=SIZES)))
async def test_sizes_beyond_the_increments_are_cut_to_them_and_closed_to_nothing(street: Street) -> None:
    await calm(street)
    await move(street, 10_050, 500, times=3)
    assert held(street) == (-100, 200)
    await move(street, 10_000.5, 500, times=40)
    assert held(street) == (0, 0)
    assert len(street.ledger.orders) == 4
