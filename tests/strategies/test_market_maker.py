"""Quotes on both sides, which lean against the inventory."""

from decimal import Decimal

import msgspec
import pytest
from msgspec import structs

from ticktree.app import strategy_part
from ticktree.market import FeedState, FeedStatus, Live, Mark, Stale
from ticktree.routing import Flatten, Halt, Limits
from ticktree.strategies import MarketMaker
from ticktree.strategies.market_maker import Params

from ..market.samples import BTC, ETH
from .street import Street, app, on_street

# Two basis points at 10,000 are 2.00.
PARAMS = Params(size=Decimal("0.01"), half_spread=0.0002, skew=0.0004, max_inventory=Decimal("0.02"), tolerance=0.0001)
APP = app(strategy_part(MarketMaker, params=PARAMS))


async def settle(street: Street, bid: float) -> list[str]:
    """The market stands at `bid`, long enough for quotes to be where they should; what rests then."""
    for _ in range(4):
        await street.at(bid)
        await street.rest(0.11)
    return sorted(street.resting())


@on_street(APP)
async def test_it_quotes_both_sides_once_and_never_takes(street: Street) -> None:
    assert await settle(street, 10_000) == ["buy 0.01 BTC-USDT at 9998.49", "sell 0.01 BTC-USDT at 10002.51"]
    assert len(street.orders()) == 2
    assert all(one.order.post_only for one in street.orders())


@on_street(APP)
async def test_its_quotes_follow_the_market_by_replace_once_it_has_moved_far_enough(street: Street) -> None:
    before = await settle(street, 10_000)
    assert await settle(street, 10_000.5) == before  # within the tolerance of 1.00
    assert await settle(street, 10_001.5) == ["buy 0.01 BTC-USDT at 9999.99", "sell 0.01 BTC-USDT at 10004.01"]
    assert len(street.orders()) == 2  # replaced, not sent anew
    assert street.position() == 0


@on_street(APP)
async def test_what_it_holds_moves_both_quotes_down_until_there_is_no_room_for_more(street: Street) -> None:
    await settle(street, 10_000)
    await street.trade(9_990, size=1.0)  # somebody sells through its bid
    assert street.position() == 100
    assert await settle(street, 10_000) == ["buy 0.01 BTC-USDT at 9996.5", "sell 0.01 BTC-USDT at 10000.5"]
    await street.trade(9_990, size=1.0)
    assert street.position() == 200
    assert await settle(street, 9_999) == ["sell 0.01 BTC-USDT at 9999.01"]  # no lower: it would take the bid
    for _ in range(5):
        await street.trade(9_990, size=1.0)
    assert street.position() == 200


@on_street(APP)
async def test_short_it_moves_up_and_what_goes_up_comes_down(street: Street) -> None:
    await settle(street, 10_000)
    await street.trade(10_020, size=1.0)
    assert street.position() == -100
    assert await settle(street, 10_000) == ["buy 0.01 BTC-USDT at 10000.49", "sell 0.01 BTC-USDT at 10004.51"]
    await street.trade(9_990, size=1.0)
    assert street.position() == 0
    assert await settle(street, 10_000) == ["buy 0.01 BTC-USDT at 9998.49", "sell 0.01 BTC-USDT at 10002.51"]


@on_street(APP)
async def test_while_prices_may_be_wrong_it_quotes_nothing(street: Street) -> None:
    now_ns = street.clock.now_ns()
    pairs: list[tuple[Mark, Mark]] = [
        (Stale("sim", BTC, "silent", now_ns), Live("sim", BTC, now_ns)),
        (FeedStatus("sim", FeedState.LOST, "cut", now_ns), FeedStatus("sim", FeedState.LIVE, "", now_ns)),
    ]
    for doubt, end in pairs:
        assert len(await settle(street, 10_000)) == 2
        await street.mark(doubt)
        assert street.resting() == []
        assert await settle(street, 10_000) == []
        await street.mark(end)
    assert len(await settle(street, 10_000)) == 2
    await street.at(10_000, 9_000)  # crossed
    assert street.resting() == []


@on_street(APP)
async def test_a_halt_takes_its_quotes_back_and_asks_for_nothing_more(street: Street) -> None:
    await settle(street, 10_000)
    await street.system.ref("controls").ask(Halt("a test"), 1.0)
    assert await settle(street, 10_000) == []
    orders = len(street.orders())
    assert await settle(street, 10_020) == []
    assert len(street.orders()) == orders


@on_street(APP)
async def test_the_next_life_takes_back_what_the_former_one_left_and_quotes_anew(street: Street) -> None:
    before = await settle(street, 10_000)
    await street.trade(9_990, size=1.0)
    await street.restart("marketmaker")
    after = await settle(street, 10_000)
    assert len(before) == len(after) == 2
    assert after == ["buy 0.01 BTC-USDT at 9996.5", "sell 0.01 BTC-USDT at 10000.5"]  # the position is known
    assert street.position() == 100


@on_street(app(strategy_part(MarketMaker, params=PARAMS), limits=Limits(max_position={"*": "0.001"})))
async def test_a_limit_that_stands_against_its_quotes_is_asked_ten_times_a_second(street: Street) -> None:
    for _ in range(100):
        await street.at(10_000)
        await street.rest(0.009)
    assert street.resting() == []
    assert 18 <= len(street.orders()) <= 22  # of 100 quotes in a second, two sides


@on_street(APP)
async def test_flatten_leaves_nothing(street: Street) -> None:
    await settle(street, 10_000)
    await street.trade(9_990, size=1.0)
    await street.system.ref("controls").ask(Flatten(), 10.0)
    assert await settle(street, 10_000) == []
    assert street.position() == 0


@on_street(app(strategy_part(MarketMaker, params=structs.replace(PARAMS, size=Decimal("0.01009")))))
async def test_a_size_beyond_the_increment_is_cut_to_it(street: Street) -> None:
    assert await settle(street, 10_000) == ["buy 0.01 BTC-USDT at 9998.49", "sell 0.01 BTC-USDT at 10002.51"]


@on_street(APP)
async def test_a_life_that_begins_while_the_instrument_is_stale_quotes_nothing_before_it_is_live(
    street: Street,
) -> None:
    await settle(street, 10_000)
    await street.mark(Stale("sim", BTC, "a gap", street.clock.now_ns()))
    await street.restart("marketmaker")
    assert await settle(street, 10_000) == []
    await street.mark(Live("sim", BTC, street.clock.now_ns()))
    assert len(await settle(street, 10_000)) == 2


@on_street(APP)
async def test_a_first_quote_that_is_crossed_or_has_one_side_is_waited_out(street: Street) -> None:
    await street.at(10_000, 9_000)
    await street.at(0, 9_000)
    assert street.orders() == []
    assert len(await settle(street, 10_000)) == 2


@on_street(APP)
async def test_what_becomes_of_another_instrument_is_none_of_its_business(street: Street) -> None:
    before = await settle(street, 10_000)
    await street.mark(Stale("sim", ETH, "a gap", street.clock.now_ns()))
    assert await settle(street, 10_000) == before
    assert len(street.orders()) == 2


@on_street(APP)
async def test_quotes_follow_a_market_that_runs_ten_times_a_second_at_most(street: Street) -> None:
    await settle(street, 10_000)
    moved = list[str]()
    for step in range(100):
        await street.at(10_000 + 2 * step)
        moved += (order for order in street.resting() if order.startswith("buy"))
        await street.rest(0.009)
    assert 9 <= len(set(moved)) <= 11  # in a second


@on_street(APP)
async def test_prices_of_a_few_increments_stay_above_zero(street: Street) -> None:
    for _ in range(4):
        await street.at(0.01, 0.02)
        await street.rest(0.11)
    assert sorted(street.resting()) == ["buy 0.01 BTC-USDT at 0.01", "sell 0.01 BTC-USDT at 0.02"]


def test_a_size_above_the_maximum_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="size is at most max_inventory; not 2 and 1"):
        msgspec.convert({"size": 2, "max_inventory": 1}, Params)
