"""What a strategy's author can rely on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from ticktree.actors import ChildSpec, System
from ticktree.app import App, Assembly, assemble
from ticktree.market import FeedStatus, OffIncrement, Quote, Trade
from ticktree.routing import Fill
from ticktree.strategies import Momentum, NotAtDesk, Strategy
from ticktree.strategies.momentum import Params

from ..market.samples import BTC

DEADLINE_S = 5.0


@asynccontextmanager
async def running(strategy: type[Strategy]) -> AsyncGenerator[tuple[System, Assembly]]:
    assembly = assemble(App.simulated(strategy))
    async with System(assembly.tree) as system:
        yield system, assembly


async def seen(queue: "asyncio.Queue[Any]") -> Any:
    async with asyncio.timeout(DEADLINE_S):
        return await queue.get()


async def test_handlers_get_what_their_topics_select() -> None:
    kinds: asyncio.Queue[Any] = asyncio.Queue()

    class Watcher(Strategy):
        topics = ("simulated/BTC-USDT/quote", "*/BTC-*/trade")

        def on_quote(self, quote: Quote) -> None:
            kinds.put_nowait(quote)

        async def on_trade(self, trade: Trade) -> None:
            kinds.put_nowait(trade)

        def on_status(self, status: FeedStatus) -> None:
            kinds.put_nowait(status)

    async with running(Watcher):
        assert isinstance(await seen(kinds), FeedStatus)
        wanted = {"Quote", "Trade"}
        while wanted:
            event = await seen(kinds)
            assert event.instrument.name == BTC.name
            wanted.discard(type(event).__name__)


async def test_a_handler_may_wait_for_its_own_order() -> None:
    done: asyncio.Queue[Any] = asyncio.Queue()

    class Waiting(Strategy):
        topics = ("*/BTC-USDT/quote",)

        async def on_quote(self, quote: Quote) -> None:
            if not self.position(quote.instrument):
                execution = await self.buy(quote.instrument, "0.01").execution()
                done.put_nowait((execution.filled, self.position(quote.instrument)))

    async with running(Waiting):
        assert await seen(done) == (Decimal("0.01"), Decimal("0.01"))


async def test_a_restarted_strategy_has_its_position_before_its_first_event() -> None:
    lives: asyncio.Queue[Any] = asyncio.Queue()

    class Fragile(Strategy):
        topics = ("*/BTC-USDT/quote",)

        def on_start(self) -> None:
            lives.put_nowait(self.position(BTC))

        def on_quote(self, quote: Quote) -> None:
            if not self.exposure(quote.instrument):
                self.buy(quote.instrument, "0.01")

        def on_fill(self, fill: Fill) -> None:
            raise RuntimeError("a bug, after the fill")

    async with running(Fragile) as (system, assembly):
        assert await seen(lives) == 0
        assert await seen(lives) == Decimal("0.01")
        assert assembly.office.ledger.fills == 1
        assert {node.path for node in system.snapshot().actors() if node.restarts} == {"strategies/fragile"}


async def test_off_increment_is_refused_where_it_is_written() -> None:
    refused: asyncio.Queue[Any] = asyncio.Queue()

    class Careless(Strategy):
        topics = ("*/BTC-USDT/quote",)

        def on_quote(self, quote: Quote) -> None:
            try:
                self.sell(quote.instrument, 0.01, limit=quote.bid + 0.001)
            except OffIncrement as error:
                refused.put_nowait((error, self.exposure(quote.instrument)))

    async with running(Careless):
        error, exposure = await seen(refused)
        assert "nearest valid" in str(error)
        assert exposure == 0


async def test_momentum_trades_and_is_never_further_out_than_its_size() -> None:
    held: asyncio.Queue[Any] = asyncio.Queue()

    class Watched(Momentum):
        def on_start(self) -> None:
            self.take_params(Params(fast=5, slow=20))
            super().on_start()

        def on_fill(self, fill: Fill) -> None:
            held.put_nowait((self.position(fill.instrument), self.exposure(fill.instrument)))

    async with running(Watched):
        hundredth = Decimal("0.01")
        assert [await seen(held) for _ in range(3)] == [(hundredth, hundredth), (0, 0), (hundredth, hundredth)]


def test_a_strategy_made_by_hand_cannot_trade_and_says_why() -> None:
    with pytest.raises(NotAtDesk, match="Momentum cannot trade yet"):
        Momentum().buy(BTC, 1)


def test_the_default_mailbox_is_visible_on_the_class() -> None:
    assert Strategy.mailbox.capacity == 65_536
    assert ChildSpec("s", Momentum, Momentum.mailbox).mailbox is Strategy.mailbox
