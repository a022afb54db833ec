"""Cheap here, dear there: both legs or none."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec import structs

from ticktree.app import VenuePart, strategy_part
from ticktree.market import FeedState, FeedStatus, Instrument, Stale
from ticktree.routing import AllOf, Fees, Halt, Limits, OrderState, Resume, Share, Unwind, VenueRules
from ticktree.routing.venues.simulated import Faults, Latency
from ticktree.strategies import Arbitrage
from ticktree.strategies.arbitrage import Params

from ..market.samples import BTC
from .street import Street, app, on_street

PARAMS = Params("near", "far", fees=0.002, edge=0.001, size=Decimal("0.1"))
PART = strategy_part(Arbitrage, params=PARAMS)
POLICY = AllOf(("a", Share("b", opposite=True)), 1.0, Unwind(within_s=5.0))
RULES = VenueRules(fees=Fees(maker=Decimal(0), taker=Decimal("0.001")))


def two(far: Faults | None = None, **fields: Any) -> Any:
    b = VenuePart("b", "far", rules=RULES, faults=far or Faults(), seed=1)
    return app(PART, venues=(VenuePart("a", "near", rules=RULES), b), policy=POLICY, **fields)


async def cross(street: Street, near: float, far: float, **where: Any) -> None:
    await street.at(near, feed="near", **where)
    await street.at(far, feed="far", **where)
    await street.rest(2.0)


def at_venues(street: Street) -> tuple[int, int]:
    positions = street.ledger.positions
    return positions.at_venue("a", "BTC-USDT"), positions.at_venue("b", "BTC-USDT")


def profit(street: Street) -> Decimal:
    money = street.ledger.snapshot(street.assembly.office.prices).currencies["USDT"]
    return money.realised - money.fees


@on_street(two())
async def test_it_buys_where_it_is_cheap_and_sells_where_it_is_dear_and_earns_the_difference(street: Street) -> None:
    await cross(street, 1000, 1010)
    assert at_venues(street) == (1000, -1000)
    assert street.position() == 0
    assert profit(street) == Decimal("0.1") * (1010 - 1001) - Decimal("0.0001") * (1010 + 1001)
    await cross(street, 1010, 1000)
    assert at_venues(street) == (0, 0)
    assert len(street.orders()) == 2


@on_street(two())
async def test_what_fees_and_edge_eat_up_is_left_alone(street: Street) -> None:
    await cross(street, 1000, 1004)  # 0.3 % of 1001 are 3.003
    assert street.orders() == []
    await cross(street, 1000, 1004.01)
    assert len(street.orders()) == 1


@on_street(two())
async def test_it_takes_no_more_than_both_sides_display(street: Street) -> None:
    await street.at(1000, feed="near", size=0.03)
    await street.at(1010, feed="far", size=0.02)
    await street.rest(2.0)
    assert at_venues(street) == (200, -200)


@on_street(two())
async def test_one_order_is_out_at_a_time_and_the_next_is_judged_by_new_quotes(street: Street) -> None:
    await street.at(1000, feed="near")
    await street.at(1010, feed="far")
    for _ in range(3):
        await street.at(1010, feed="far")
    assert len(street.orders()) == 1
    await street.at(1000, feed="near")
    assert len(street.orders()) == 2


@pytest.mark.parametrize("turns", [(1000, 1010), (1010, 1000)], ids=str)
@on_street(two(far=Faults(reject=1.0)))
async def test_where_one_leg_fails_the_other_is_taken_back(street: Street, turns: tuple[float, float]) -> None:
    await cross(street, *turns)
    (record,) = street.orders()
    assert at_venues(street) == (0, 0)
    assert [leg.leg.purpose.value for leg in record.legs.values()] == ["work", "hedge", "unwind"]
    assert street.resting() == []
    # One up and down the spread of 1, and both fees.
    assert profit(street) == Decimal("-0.1") - Decimal("0.0001") * (2001 if turns[0] == 1000 else 2021)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_venues_refuse_no_half_stays(seed: int) -> None:
    venues = tuple(
        VenuePart(name, feed, latency=Latency(0.001, 0.02), rules=RULES, faults=Faults(reject=0.3), seed=seed + shift)
        for name, feed, shift in (("a", "near", 100), ("b", "far", 200))
    )

    @on_street(app(PART, venues=venues, policy=AllOf(POLICY.parts, 1.0, Unwind(within_s=60.0, attempts=50))))
    async def work(street: Street) -> None:
        for turn in range(20):
            await cross(street, *((1000, 1010) if turn % 2 else (1010, 1000)))
        await street.rest(60.0)
        assert street.position() == 0
        assert sum(at_venues(street)) == 0
        purposes = [leg.leg.purpose.value for one in street.orders() for leg in one.legs.values()]
        assert "unwind" in purposes
        assert len(street.orders()) > 10

    work()


SLOW = VenuePart("b", "far", latency=Latency(0.1), faults=Faults(reject=1.0), seed=1)
HURRIED = AllOf(POLICY.parts, 1.0, Unwind(within_s=0.5, attempts=1))


@on_street(app(PART, venues=(VenuePart("a", "near"), SLOW), policy=HURRIED))
async def test_a_half_that_nobody_takes_back_is_told_once_and_nothing_more_is_sent(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    await street.at(1000, feed="near")
    await street.at(1010, feed="far")
    await street.at(0, 1001, feed="near")  # nobody buys there any more when the hedge fails
    await street.rest(2.0)
    assert at_venues(street) == (1000, 0)
    for _ in range(3):
        await cross(street, 1000, 1010)
    assert len(street.orders()) == 1
    said = [record.getMessage() for record in caplog.records if record.name == "ticktree.strategies.arbitrage"]
    assert said == ["0.1000 of BTC-USDT is left over: nothing is sent before it is closed"]
    await street.restart("arbitrage")
    await cross(street, 1000, 1010)
    assert len(street.orders()) == 1


@on_street(two())
async def test_quotes_that_are_old_lost_or_stale_are_no_prices(street: Street) -> None:
    now_ns = street.clock.now_ns()
    for doubt in (Stale("near", BTC, "silent", now_ns), FeedStatus("near", FeedState.LOST, "cut", now_ns)):
        await street.at(1000, feed="far")
        await street.at(1000, feed="near")
        await street.mark(doubt)
        await street.at(1010, feed="far")
        await street.rest(1.5)
    await street.at(1000, feed="near")  # the other one is old
    await street.at(0, 900, feed="near")  # nobody bids: there is no knowing what 900 means
    await street.at(1010, feed="far")
    await street.at(1010, 900, feed="near")
    assert street.orders() == []


@on_street(two(limits=Limits(max_order_size={"*": "0.001"})))
async def test_a_limit_that_stands_against_it_leaves_no_half(street: Street) -> None:
    await cross(street, 1000, 1010)
    assert at_venues(street) == (0, 0)
    assert street.orders()[0].state is OrderState.REJECTED


def test_one_feed_is_no_arbitrage() -> None:
    with pytest.raises(msgspec.ValidationError, match="near and far are two feeds"):
        msgspec.convert({"near": "a", "far": "a"}, Params)


@on_street(two(limits=Limits(max_order_size={"*": "0.001"})))
async def test_what_stands_against_it_is_asked_once_a_second(street: Street) -> None:
    for _ in range(60):
        await street.at(1000, feed="near")
        await street.at(1010, feed="far")
        await street.rest(0.048)
    assert 3 <= len(street.orders()) <= 4  # of 60 chances in three seconds


@on_street(two())
async def test_a_halt_is_waited_out(street: Street) -> None:
    controls = street.system.ref("controls")
    await controls.ask(Halt("a test"), 1.0)
    for _ in range(10):
        await street.at(1000, feed="near")
        await street.at(1010, feed="far")
    assert len(street.orders()) == 1
    await controls.ask(Resume(), 1.0)
    await street.rest(1.0)
    await cross(street, 1000, 1010)
    assert at_venues(street) == (1000, -1000)


@on_street(two())
async def test_how_old_both_quotes_are_is_counted_from_now(street: Street) -> None:
    old = street.quote(1000, feed="near"), street.quote(1010, feed="far")
    await street.rest(1.5)  # they waited in a mailbox
    for quote in old:
        await street.publish(quote)
    assert street.orders() == []


@on_street(app(strategy_part(Arbitrage, params=structs.replace(PARAMS, size=Decimal("0.1009"))), venues=(
    VenuePart("a", "near"), VenuePart("b", "far")), policy=POLICY))  # fmt: skip
async def test_exchanges_that_define_an_instrument_differently_are_both_told_what_they_can_take(street: Street) -> None:
    coarse = Instrument("BTC-USDT", 7, Decimal("0.5"), Decimal("0.001"))
    street.hub.ids.adopt(coarse)
    await street.at(1000, 1001.01, feed="near")
    quote = street.quote(1010, 1011, feed="far")
    await street.publish(structs.replace(quote, instrument=coarse))
    (order,) = (record.order for record in street.orders())
    assert (order.quantity, order.limit) == (Decimal("0.100"), Decimal("1001.0"))
