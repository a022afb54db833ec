"""Orders, exact from what people write."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from ticktree.market import BadNumber, OffIncrement, Side
from ticktree.routing import BadOrder, Execution, Fill, Order, OrderState, Terms, TimeInForce
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


# --- terms ---------------------------------------------------------------------------------------------------------


def with_terms(limit: str | None = "100", **terms: Any) -> Order:
    return Order.of("e-1", "s", BTC, Side.SELL, "0.01", limit, Terms(**terms))


def test_terms_are_integers_of_increments_too() -> None:
    made = with_terms(max_overfill="0.002", opposite_limit="99.5", reduce_only=True, time_in_force="ioc")
    assert (made.max_overfill_increments, made.opposite_limit_increments) == (20, 9_950)
    assert (made.reduce_only, made.post_only, made.time_in_force) == (True, False, TimeInForce.IOC)


def test_an_order_until_a_time_names_that_time() -> None:
    made = with_terms(time_in_force="gtd", expires_ns=5)
    assert (made.time_in_force, made.expires_ns) == (TimeInForce.GTD, 5)


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"max_overfill": "-0.001"}, "max_overfill is 0 or more; not -0.001"),
        ({"opposite_limit": 0}, "a limit is a price above 0; not 0"),
        ({"opposite_limit": "-1"}, "a limit is a price above 0; not -1"),
        ({"post_only": True, "limit": None}, "post-only needs a limit"),
        ({"post_only": True, "time_in_force": "ioc"}, "no IOC, no FOK"),
        ({"post_only": True, "time_in_force": "fok"}, "no IOC, no FOK"),
        ({"time_in_force": "gtd"}, "GTD and expires_ns"),
        ({"expires_ns": 5}, "GTD and expires_ns"),
        ({"time_in_force": "gtd", "expires_ns": -5}, "GTD and expires_ns"),
    ],
)
def test_terms_that_could_never_work_are_refused(terms: dict[str, Any], says: str) -> None:
    with pytest.raises(BadOrder, match=says):
        with_terms(**terms)


@pytest.mark.parametrize("limit", ["0", "-100"])
def test_a_limit_is_above_zero(limit: str) -> None:
    with pytest.raises(BadOrder, match="a limit is a price above 0"):
        order(limit=limit)


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(BadNumber):
        order(quantity="much")


def test_a_time_in_force_is_one_of_four() -> None:
    with pytest.raises(ValueError, match="day"):
        Terms(time_in_force="day")


def test_an_order_is_in_an_instrument() -> None:
    with pytest.raises(BadOrder, match=r"an order is in an Instrument, as in .*; not 'BTC-USDT'"):
        Order.of("e-1", "s", "BTC-USDT", Side.BUY, "0.01", "100")  # type: ignore[arg-type]  # wrong on purpose


# --- fills and executions ------------------------------------------------------------------------------------------


def test_a_fill_reads_as_decimals() -> None:
    fill = Fill("e-1", "e-1.1", "x", "a", "s", BTC, Side.BUY, 4, 10_050, 0)
    assert (fill.quantity, fill.price) == (Decimal("0.0004"), Decimal("100.5"))


def test_an_execution_reads_as_decimals() -> None:
    known = Execution(order(), OrderState.LIVE, 4, 6, late_increments=1)
    assert (known.filled, known.unknown, known.late) == (Decimal("0.0004"), Decimal("0.0006"), Decimal("0.0001"))


# --- handles -------------------------------------------------------------------------------------------------------


async def test_a_handle_is_answered_first_and_over_later() -> None:
    handle = OrderHandle(order())
    assert not handle.done
    both = asyncio.gather(handle.execution(), handle.final())
    await asyncio.sleep(0)
    answer = Execution(handle.order, OrderState.LIVE, 4, 6)
    final = Execution(handle.order, OrderState.FILLED, 10, 0)
    handle.answer(answer)
    handle.end(final)
    handle.end(answer)
    assert tuple(await both) == (answer, final)
    assert await handle.final() == final


async def test_an_end_is_an_answer_where_there_was_none() -> None:
    handle = OrderHandle(order())
    final = Execution(handle.order, OrderState.FILLED, 10, 0)
    handle.end(final)
    assert (handle.done, await handle.execution(), await handle.final()) == (True, final, final)


async def test_one_who_gives_up_takes_nothing_from_the_others() -> None:
    handle = OrderHandle(order())
    waiting = [asyncio.create_task(handle.final()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.sleep(0)
    final = Execution(handle.order, OrderState.FILLED, 10, 0)
    handle.end(final)
    await asyncio.wait(waiting)
    assert waiting[0].result() == waiting[2].result() == final
    assert waiting[1].cancelled()


def test_an_order_needs_no_loop_to_be_answered() -> None:
    handle = OrderHandle(order())
    handle.end(Execution(handle.order, OrderState.REJECTED, 0, 0))
    assert handle.done
