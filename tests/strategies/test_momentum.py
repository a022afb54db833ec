"""The worked strategy of events."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ticktree.app import strategy_part
from ticktree.market import Live, OffIncrement, Stale
from ticktree.routing import Halt, Limits, Resume
from ticktree.strategies import Momentum
from ticktree.strategies.momentum import Params
from ticktree.testing import Trial

from ..market.samples import BTC
from .street import Street, app, on_street

PART = strategy_part(Momentum, params=Params(fast=2, slow=10, size=Decimal("0.02")))


async def calm(street: Street, quotes: int = 9) -> None:
    """So many quotes of the same: with ten of them both averages are known."""
    for _ in range(quotes):
        await street.at(100)


@on_street(app(PART))
async def test_it_buys_once_when_the_price_rises_and_sells_all_when_it_falls(street: Street) -> None:
    await calm(street)
    for price in (101, 102, 103, 104, 105):
        await street.at(price)
    assert street.position() == 200
    assert [str(one.order) for one in street.orders()] == ["buy 0.02 BTC-USDT at 102"]
    await street.rest(0.2)
    for price in (95, 90, 85):
        await street.at(price)
    assert street.position() == 0
    assert len(street.orders()) == 2


@on_street(app(PART))
async def test_what_is_not_filled_at_once_is_tried_anew_after_a_pause_and_never_doubled(street: Street) -> None:
    await calm(street)
    await street.at(110, size=0.015)  # less than it wants is there
    assert (street.position(), len(street.orders())) == (150, 1)
    for _ in range(5):
        await street.at(120)
    assert len(street.orders()) == 1  # something is held: it is content


@on_street(app(PART, limits=Limits(max_position={"*": "0.01"})))
async def test_what_a_limit_stands_against_is_not_asked_with_every_quote(street: Street) -> None:
    await calm(street)
    for step in range(50):
        await street.at(110 + step)
        await street.rest(0.009)
    assert street.position() == 0
    assert 4 <= len(street.orders()) <= 6  # of 50 quotes in half a second


@on_street(app(PART))
async def test_no_price_is_taken_from_a_book_that_is_crossed_or_has_one_side(street: Street) -> None:
    await calm(street, 20)
    for bid, ask in ((200, 100), (0, 300), (500, 0)):
        await street.at(bid, ask)
    assert street.orders() == []


@on_street(app(PART))
async def test_a_restart_finds_the_position_and_does_not_buy_again(street: Street) -> None:
    await calm(street)
    await street.at(105)
    assert street.position() == 200
    await street.restart("momentum")
    await calm(street)
    for price in (105, 110):
        await street.at(price)
    assert (street.position(), len(street.orders())) == (200, 1)
    assert BTC.size(street.position()) == Decimal("0.02")


@on_street(app(PART))
async def test_nothing_is_traded_before_the_slow_average_is_known_nor_after_a_restart(street: Street) -> None:
    for step in range(9):
        await street.at(100 + step)
    assert street.orders() == []
    await street.at(110)
    assert street.position() == 200
    await street.restart("momentum")
    for step in range(9):
        await street.at(110 - step)  # falls, and so soon nobody knows whether that is much
    assert street.position() == 200
    await street.at(100)
    assert street.position() == 0


@on_street(app(PART))
async def test_while_an_instrument_is_stale_nothing_is_traded(street: Street) -> None:
    await calm(street)
    await street.mark(Stale("sim", BTC, "a gap", street.clock.now_ns()))
    for price in (105, 110):
        await street.at(price)
    assert street.orders() == []
    await street.mark(Live("sim", BTC, street.clock.now_ns()))
    await street.at(111)
    assert street.position() == 200


@on_street(app(strategy_part(Momentum, params=Params(fast=2, slow=10, size=Decimal("0.02009")))))
async def test_a_size_beyond_the_increment_is_cut_to_it(street: Street) -> None:
    await calm(street)
    await street.at(105)
    assert street.position() == 200


@on_street(app(PART))
async def test_a_halt_is_asked_about_ten_times_a_second_and_ends_with_resume(street: Street) -> None:
    await calm(street)
    controls = street.system.ref("controls")
    await controls.ask(Halt("a test"), 1.0)
    for step in range(50):
        await street.at(110 + step)
        await street.rest(0.009)
    assert street.position() == 0
    assert len(street.orders()) <= 6
    await controls.ask(Resume(), 1.0)
    await street.rest(0.1)
    await street.at(200)
    assert street.position() == 200


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"fast": 10, "slow": 10}, "slow is more than fast; not 10.0 and 10.0"),
        ({"size": "0"}, "size is a number above 0; not 0"),
        ({"size": "NaN"}, "size is a number above 0; not NaN"),
        ({"pause_s": float("inf")}, "pause_s is a number above 0; not inf"),
        ({"fats": 1}, "contains unknown field `fats`"),
        ({"fast": "ten"}, "Expected `float`, got `str` - at `\\$.fast`"),
    ],
)
def test_parameters_that_cannot_be_meant_are_refused(table: dict[str, Any], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert(table, Params)


def test_a_size_below_the_increment_is_refused_with_the_nearest_ones() -> None:
    with Trial(Momentum, Params(fast=1, slow=2, size=Decimal("0.00001"))) as trial:
        trial.quote("BTC-USDT", 100, 101)
        with pytest.raises(OffIncrement, match="nearest valid"):
            trial.quote("BTC-USDT", 101, 102)
