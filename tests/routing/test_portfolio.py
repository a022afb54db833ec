"""What is held and what it is worth, asked of an actor that keeps nothing itself."""

from decimal import Decimal

import pytest

from ticktree.market import Side
from ticktree.routing.errors import UnknownMessage
from ticktree.routing.latency import Stage
from ticktree.routing.orders import OrderState
from ticktree.routing.portfolio import AskLatencies, AskOrders, AskPortfolio, OrderCounts

from ..market.samples import BTC, quote
from .trading import Trading, trading


async def bought(t: Trading, quantity: int, price: int) -> None:
    leg = await t.live(quantity, limit=str(BTC.price(price)))
    t.a.fill(leg, quantity, price)
    await t.rest()


@trading()
async def test_positions_are_told_at_the_freshest_price(t: Trading) -> None:
    await bought(t, 10_000, 9_000)
    t.quote = quote(100.0, 102.0)
    snapshot = await t.ask(AskPortfolio(), "portfolio")
    (holding,), (total,) = snapshot.holdings, snapshot.totals
    assert (holding.strategy, holding.instrument, holding.quantity) == ("s", BTC.name, 1)
    assert (holding.average_price, holding.price, holding.value, holding.unrealised) == (90, 101, 101, 11)
    assert (total.strategy, total.quantity) == ("", 1)
    assert snapshot.currencies["USDT"].unrealised == Decimal(11)


@trading()
async def test_without_a_price_a_position_has_no_worth_and_is_told_all_the_same(t: Trading) -> None:
    await bought(t, 10_000, 9_000)
    (holding,) = (await t.ask(AskPortfolio(), "portfolio")).holdings
    assert (holding.quantity, holding.price, holding.value, holding.unrealised) == (1, None, None, None)


@trading()
async def test_open_orders_count_in_what_a_position_may_become(t: Trading) -> None:
    await bought(t, 10_000, 9_000)
    await t.live(5_000)
    await t.live(20_000, side=Side.SELL)
    t.quote = quote(100.0, 102.0)
    (holding,) = (await t.ask(AskPortfolio(), "portfolio")).holdings
    assert (holding.long, holding.short, holding.exposure) == (Decimal("1.5"), -1, Decimal("151.5"))


@trading()
async def test_positions_outlive_the_actor_its_strategy_and_the_process(t: Trading) -> None:
    await bought(t, 10_000, 9_000)
    before = await t.ask(AskPortfolio(), "portfolio")
    t.system.ref("portfolio").tell("nonsense")
    await t.rest()
    assert await t.ask(AskPortfolio(), "portfolio") == before
    await t.restart()
    assert await t.ask(AskPortfolio(), "portfolio") == before
    assert t.desk().position(BTC) == 1


@trading()
async def test_orders_are_counted_by_how_they_stand(t: Trading) -> None:
    assert await t.ask(AskOrders(), "portfolio") == OrderCounts(0, 0, (), 0, 0, 0, "")
    leg = await t.live()
    await t.sent()
    t.a.fill(leg, 12)
    t.a.down()
    t.blotter.halt("enough", 0)
    await t.rest()
    assert leg.state is OrderState.FILLED
    assert await t.ask(AskOrders(), "portfolio") == OrderCounts(1, 1, (), 1, 1, 1, "enough")


@trading()
async def test_what_is_quarantined_is_named(t: Trading) -> None:
    leg = await t.live()
    t.a.end(leg, cumulative=5)
    await t.rest(20.0)
    assert (await t.ask(AskOrders(), "portfolio")).quarantined == (f"a/{leg.leg.id}",)


@trading()
async def test_latencies_are_told_by_venue_and_stage(t: Trading) -> None:
    await t.live()
    told = await t.ask(AskLatencies(), "portfolio")
    assert set(told) == {"a", "b"}
    assert told["a"][Stage.WIRE_TO_ACK].count == 1
    assert told["b"][Stage.WIRE_TO_ACK].count == 0


@trading()
async def test_an_over_fill_is_told_once_to_whoever_watches(t: Trading, caplog: pytest.LogCaptureFixture) -> None:
    leg = await t.live()
    t.a.fill(leg, 12)
    await t.rest(3.0)
    assert caplog.text.count("1 orders more were filled beyond what was granted") == 1


@trading()
async def test_it_understands_nothing_else(t: Trading) -> None:
    t.system.ref("portfolio").tell("nonsense")
    await t.rest()
    (cell,) = [cell for cell in t.system.cells() if cell.path == "portfolio"]
    assert cell.last_reason is not None
    assert isinstance(cell.last_reason.error, UnknownMessage)
