"""Orders, exact from what people write."""

import asyncio
from decimal import Decimal

import pytest

from ticktree.market import OffIncrement, Side
from ticktree.routing import BadOrder, Execution, Order, OrderState
from ticktree.routing.orders import OrderHandle

from ..market.samples import BTC


def order(quantity: str = "0.01", limit: str | None = "100") -> Order:
    return Order.of("e-1", "s", BTC, Side.BUY, quantity, limit)


def test_an_order_is_integers_of_increments_and_reads_as_decimals() -> None:
    made = order(limit="100.5")
    assert (made.quantity_increments, made.limit_increments) == (100, 10_050)
    assert (made.quantity, made.limit) == (Decimal("0.01"), Decimal("100.5"))
    assert str(made) == "buy 0.01 BTC-USDT at 100.5"
    assert str(order(limit=None)) == "buy 0.01 BTC-USDT at the market"


@pytest.mark.parametrize("quantity", ["0", "-1"])
def test_a_quantity_is_above_zero(quantity: str) -> None:
    with pytest.raises(BadOrder, match="above 0"):
        order(quantity)


def test_off_increment_is_refused() -> None:
    with pytest.raises(OffIncrement, match=r"nearest valid: 0\.0001 and 0\.0002"):
        order("0.00015")


def test_terminal_states_are_four() -> None:
    assert sum(state.terminal for state in OrderState) == 4


async def test_who_gives_up_waiting_discards_no_outcome() -> None:
    handle = OrderHandle(order())
    waiting = asyncio.create_task(handle.execution())
    await asyncio.sleep(0)
    waiting.cancel()
    first = Execution(handle.order, OrderState.FILLED, 100, 0)
    handle.answer(first)
    handle.answer(Execution(handle.order, OrderState.UNKNOWN, 0, 100))
    assert handle.done
    assert await handle.execution() == first
    assert (first.filled, first.unknown) == (Decimal("0.01"), Decimal(0))
