"""The paper venue fills against the sizes that quotes show."""

from decimal import Decimal

import attrs
import msgspec

from ticktree.market import Quote

from ...market.samples import BTC, quote
from ..desk import trading


def shown(ask_size: float, ask: float = 100.5) -> Quote:
    return msgspec.structs.replace(quote(ask=ask), ask_size=ask_size)


async def test_no_more_is_filled_than_a_quote_shows_and_the_rest_waits_for_the_next() -> None:
    async with trading() as rig:
        rig.show(shown(0.4))
        rig.buy("1")
        assert (await rig.fill()).quantity == Decimal("0.4")
        rig.show(shown(0.5, ask=100.6))
        second = await rig.fill()
        assert (second.quantity, second.price) == (Decimal("0.5"), Decimal("100.6"))
        rig.show(shown(0.5))
        assert (await rig.fill()).quantity == Decimal("0.1")
        assert rig.desk.position(BTC) == 1
        assert rig.portfolio.open_orders() == ()


async def test_two_orders_share_what_one_quote_shows() -> None:
    async with trading() as rig:
        rig.show(shown(0.4))
        rig.buy("0.3")
        rig.buy("0.3")
        assert [(await rig.fill()).quantity for _ in range(2)] == [Decimal("0.3"), Decimal("0.1")]


async def test_an_order_before_the_first_quote_waits_for_it() -> None:
    async with trading() as rig:
        handle = rig.buy("0.1")
        await rig.system.ref("router").drain(1.0)
        rig.show(shown(5.0))
        assert (await handle.execution()).filled == Decimal("0.1")


async def test_a_limit_is_kept_on_both_sides() -> None:
    async with trading(deadline_s=0.02) as rig:
        rig.show(quote(bid=100.0, ask=100.5))
        assert (await rig.buy(limit="100.49").execution()).filled == 0
        assert (await rig.sell(limit="100.01").execution()).filled == 0
        assert (await rig.sell(limit="100").execution()).filled == Decimal("0.01")
        assert attrs.asdict(rig.portfolio.open_orders()[0].order)["limit_increments"] == 10_049
