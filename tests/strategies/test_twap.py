"""One large order, in slices over time."""

from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from msgspec import structs

from ticktree.app import VenuePart, strategy_part
from ticktree.market import FeedState, FeedStatus
from ticktree.routing import Halt, Resume, Sweep
from ticktree.strategies import Twap
from ticktree.strategies.twap import Params

from .street import Street, app, on_street

VENUES = (VenuePart("a", "sim"), VenuePart("b", "other"))
SWEEP = Sweep(("a", "b"), max_price_age_s=60.0, deadline_s=0.25)
PARAMS = Params("buy", Decimal("1.0001"), slices=4, over_s=8.0)


def twap(**fields: Any) -> Any:
    params = structs.replace(PARAMS, **fields)
    return app(strategy_part(Twap, params=params), venues=VENUES, policy=SWEEP)


async def pass_by(street: Street, seconds: float, size: float = 5.0, bid: float = 100.0) -> list[int]:
    """So many seconds pass, in each of which both venues display `size`; the position after each."""
    positions = list[int]()
    for _ in range(round(seconds)):
        for feed in ("sim", "other"):
            await street.at(bid, feed=feed, size=size)
        await street.rest(1.0 - 0.002)
        positions.append(street.position())
    return positions


@on_street(twap())
async def test_it_buys_a_slice_a_period_and_the_whole_exactly(street: Street) -> None:
    positions = await pass_by(street, 9.0)
    assert sorted(set(positions) - {0}) == [2500, 5000, 7500, 10_001]
    assert [one.order.quantity_increments for one in street.orders()] == [2500, 2500, 2500, 2501]
    await pass_by(street, 20.0)
    assert (street.position(), len(street.orders())) == (10_001, 4)


@on_street(twap(side="sell"))
async def test_it_sells_likewise(street: Street) -> None:
    await pass_by(street, 12.0)
    assert street.position() == -10_001


@on_street(twap())
async def test_a_slice_takes_what_both_venues_display_and_what_is_missing_goes_to_the_next(street: Street) -> None:
    await pass_by(street, 3.0, size=0.1)  # 0.25 are wanted at a time, and twice 0.1 is there
    assert street.position() == 2000
    await pass_by(street, 2.0, size=5.0)
    assert street.position() in (5000, 7500)
    positions = await pass_by(street, 20.0, size=5.0)
    assert positions[-1] == 10_001
    assert max(positions) == 10_001


@on_street(twap(slippage=0.01))
async def test_it_pays_no_more_than_its_slippage_above_the_best_price(street: Street) -> None:
    await pass_by(street, 4.0)
    assert {one.order.limit for one in street.orders()} == {Decimal("102.01")}  # of an ask of 101


@on_street(twap())
async def test_without_a_price_a_slice_waits_and_nothing_is_lost(street: Street) -> None:
    await street.rest(5.0)
    assert street.orders() == []
    await pass_by(street, 3.0)
    for feed in ("sim", "other"):
        await street.mark(FeedStatus(feed, FeedState.LOST, "cut", street.clock.now_ns()))
    before = street.position()
    await street.rest(6.0)
    assert 0 < before == street.position()
    for feed in ("sim", "other"):
        await street.mark(FeedStatus(feed, FeedState.LIVE, "", street.clock.now_ns()))
    await pass_by(street, 12.0)
    assert street.position() == 10_001


@pytest.mark.parametrize("after_s", [1, 3, 5, 7, 9])
@on_street(twap())
async def test_whenever_it_is_restarted_it_goes_on_from_what_is_done(street: Street, after_s: int) -> None:
    await pass_by(street, after_s)
    before = street.position()
    await street.restart("twap")
    positions = await pass_by(street, 12.0)
    assert positions[0] >= before
    assert positions[-1] == max(positions) == 10_001
    assert sum(one.order.quantity_increments for one in street.orders()) == 10_001


@on_street(twap())
async def test_a_halt_holds_it_up_and_it_ends_at_its_quantity_all_the_same(street: Street) -> None:
    await pass_by(street, 3.0)
    controls = street.system.ref("controls")
    await controls.ask(Halt(), 1.0)
    before = street.position()
    await pass_by(street, 6.0)
    assert street.position() == before
    await controls.ask(Resume(), 1.0)
    await pass_by(street, 12.0)
    assert street.position() == 10_001


@on_street(attrs.evolve(twap(), routers=app(policy=SWEEP, venues=VENUES).routers))
async def test_it_tells_what_is_done_with_each_fill(street: Street, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ticktree.strategies.twap")
    await pass_by(street, 12.0)
    said = [record.getMessage() for record in caplog.records if record.name == "ticktree.strategies.twap"]
    assert "there is no price of BTC-USDT: this slice waits for the next" not in said[1:]
    assert said[-1].startswith("1.0001 of 1.0001 are done: 0.2501 at 101.00")


@on_street(twap())
async def test_what_a_halt_or_an_outage_held_up_keeps_its_pace_and_does_not_come_at_once(street: Street) -> None:
    await pass_by(street, 1.0)
    controls = street.system.ref("controls")
    await controls.ask(Halt("lunch"), 1.0)
    await pass_by(street, 20.0)
    await controls.ask(Resume(), 1.0)
    positions = await pass_by(street, 8.0)
    assert sorted(set(positions) - {2500}) == [5000, 7500, 10_001]


@on_street(twap(quantity=Decimal("1.00019")))
async def test_a_quantity_beyond_the_increment_is_cut_to_it_and_comes_to_its_end(street: Street) -> None:
    await pass_by(street, 20.0)
    assert (street.position(), len(street.orders())) == (10_001, 4)


@pytest.mark.parametrize("wrong", [{"slippage": 1.0}, {"slippage": -0.1}, {"quantity": "NaN"}, {"slices": 0}])
def test_parameters_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match=next(iter(wrong))):
        msgspec.convert({"side": "buy", "quantity": 1, **wrong}, Params)
