"""What it watches, what it says, and what it ends."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ticktree.app import strategy_part
from ticktree.market import FeedState, FeedStatus, Quote
from ticktree.routing import OrderState, Resume
from ticktree.strategies import RiskMonitor, Strategy
from ticktree.strategies.risk_monitor import Params

from .street import Street, app, on_street


class Buyer(Strategy):
    """Wants a whole one, at any price; buys again whenever it has none, or when 1 more is asked for."""

    topics = ("*/BTC-USDT/quote",)

    def on_quote(self, quote: Quote) -> None:
        if not self.exposure(quote.instrument):
            self.buy(quote.instrument, 1)


class Doubler(Strategy):
    """Sends an order with every quote."""

    topics = ("*/BTC-USDT/quote",)

    def on_quote(self, quote: Quote) -> None:
        self.buy(quote.instrument, 1, limit=round(quote.bid) - 50)


def watched(trader: type[Strategy], **params: Any) -> Any:
    return app(strategy_part(trader), strategy_part(RiskMonitor, params=Params(**params)))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "ticktree.strategies.riskmonitor"]


async def minutes(street: Street, *bids: float) -> None:
    """The market stands at each for a second and a half."""
    for bid in bids:
        await street.at(bid)
        await street.rest(1.0)
        await street.at(bid)
        await street.rest(0.5)


@on_street(watched(Buyer, max_drawdown=Decimal(20)))
async def test_a_drawdown_from_the_highest_profit_halts_trading(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    await minutes(street, 1000, 1100, 1085)
    assert (street.position(), street.ledger.halted) == (10_000, "")
    await minutes(street, 1079)
    # Bought at 1001; the middle was 99.5 above that, and is 78.5.
    assert said(caplog) == ["drawdown of 21.00 USDT, where 20 is allowed"]
    assert street.ledger.halted == f"riskmonitor: {said(caplog)[0]}"
    await minutes(street, 900, 1079)
    assert len(said(caplog)) == 1
    orders = len(street.orders())
    await street.system.ref("controls").ask(Resume(), 1.0)
    await minutes(street, 1079)
    assert (street.ledger.halted, len(street.orders())) == ("", orders)  # the operator's word counts


@on_street(watched(Doubler, max_exposure=Decimal(3000)))
async def test_orders_that_are_out_count_as_exposure_and_the_halt_blocks_the_next(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(4):
        await street.at(1000)
    await street.rest(1.5)
    assert said(caplog) == ["exposure of 4002.00 USDT, where 3000 is allowed"]
    await street.at(1000)
    assert street.ended(OrderState.REJECTED) == 1
    assert len(street.resting()) == 4  # a halt cancels nothing


@on_street(watched(Buyer, max_age_s=5.0, halts=False))
async def test_what_is_held_without_a_fresh_price_is_told_once_and_without_halts_no_more_happens(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    await street.rest(20.0)
    assert said(caplog) == []  # nothing is held
    await minutes(street, 1000)
    await street.rest(10.0)
    assert len(said(caplog)) == 1
    assert said(caplog)[0].startswith("1.0000 BTC-USDT are held, and it has a price of 6.0 s ago")
    await minutes(street, 1000)
    await street.mark(FeedStatus("sim", FeedState.LOST, "cut", street.clock.now_ns()))
    await street.rest(2.0)
    assert said(caplog)[1:] == ["1.0000 BTC-USDT are held, and it has no price"]
    assert street.ledger.halted == ""


@on_street(watched(Buyer, max_drawdown=Decimal(20)))
async def test_a_restart_forgets_no_loss_and_a_halt_that_stands_is_not_said_anew(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    await minutes(street, 1000, 985)
    await street.restart("riskmonitor")
    await minutes(street, 975)  # 25.50 below the price it was bought for
    assert said(caplog) == ["drawdown of 25.50 USDT, where 20 is allowed"]
    halted = street.ledger.halted
    await street.restart("riskmonitor")
    await minutes(street, 970)
    assert street.ledger.halted == halted


@pytest.mark.parametrize(
    ("table", "words"),
    [({"max_drawdown": "0"}, "max_drawdown is a number above 0"), ({"period_s": -1}, "period_s is a number above 0")],
)
def test_bounds_that_mean_nothing_are_refused(table: Any, words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(table, Params)
