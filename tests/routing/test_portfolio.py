"""What is held and what is out."""

from decimal import Decimal

import pytest

from ticktree.actors import Supervisor, System
from ticktree.market import Side
from ticktree.routing import ExecutionReport, Fill, Leg, Order, OrderState, Portfolio
from ticktree.routing.portfolio import OrderRecord

from ..market.samples import BTC
from ..probe import Probe


async def opened(portfolio: Portfolio, side: Side = Side.BUY, quantity: str = "1") -> OrderRecord:
    probe = Probe()
    async with System(Supervisor((probe.spec,))) as system:
        ref = system.ref("probe")
        order = Order.of(portfolio.next_id(), "s", BTC, side, quantity, None)
        record = portfolio.open(order, "router", ref)
        portfolio.sent(Leg(f"{order.id}.1", order, "paper", order.quantity_increments), ref)
    return record


def report(record: OrderRecord, state: OrderState, cumulative: int, filled: int = 0, id: str = "x") -> ExecutionReport:
    order, leg_id = record.order, f"{record.order.id}.1"
    fill = Fill(order.id, leg_id, id, "paper", "s", BTC, order.side, filled, 10_000, 0) if filled else None
    return ExecutionReport(order.id, leg_id, "paper", state, cumulative, 0, fill)


async def test_an_execution_is_booked_once() -> None:
    portfolio = Portfolio("e")
    record = await opened(portfolio)
    assert portfolio.apply(report(record, OrderState.LIVE, 4_000, 4_000)) is not None
    assert portfolio.apply(report(record, OrderState.LIVE, 4_000, 4_000)) is None
    assert portfolio.position("s", BTC) == Decimal("0.4")
    assert portfolio.exposure("s", BTC) == 1


@pytest.mark.parametrize("state", [OrderState.CANCELED, OrderState.FILLED])
async def test_a_fill_after_the_end_is_booked_and_late(state: OrderState) -> None:
    portfolio = Portfolio("e")
    record = await opened(portfolio)
    portfolio.apply(report(record, state, 0))
    news = portfolio.apply(report(record, OrderState.LIVE, 10_000, 10_000))
    assert news is not None
    assert news.fill is not None
    assert news.fill.late
    assert record.state is state
    assert portfolio.position("s", BTC) == 1


async def test_a_fill_of_an_order_nobody_knows_is_booked_all_the_same() -> None:
    record = await opened(Portfolio("other"), Side.SELL)
    portfolio = Portfolio("e")
    portfolio.apply(report(record, OrderState.FILLED, 10_000, 10_000))
    assert portfolio.positions() == {("s", "BTC-USDT"): Decimal(-1)}


async def test_exposure_is_the_worst_of_both_sides() -> None:
    portfolio = Portfolio("e")
    bought = await opened(portfolio)
    portfolio.apply(report(bought, OrderState.FILLED, 10_000, 10_000))
    await opened(portfolio, Side.SELL, "3")
    assert portfolio.exposure("s", BTC) == -2
    await opened(portfolio, Side.BUY, "2")
    assert portfolio.exposure("s", BTC) == 3
    assert portfolio.exposure("other", BTC) == 0


async def test_a_leg_in_doubt_counts_in_full() -> None:
    portfolio = Portfolio("e")
    record = await opened(portfolio)
    portfolio.doubt(next(iter(record.legs.values())).leg)
    assert record.state is OrderState.UNKNOWN
    assert portfolio.exposure("s", BTC) == 1


def test_ids_do_not_come_twice() -> None:
    portfolio = Portfolio("e")
    assert [portfolio.next_id() for _ in range(3)] == ["e-1", "e-2", "e-3"]
