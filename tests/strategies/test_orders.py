"""What a strategy may do with its orders, and what it hears of them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

from ticktree.actors import System
from ticktree.app import App, Assembly, JournalPart, assemble
from ticktree.market import Quote
from ticktree.routing import Fill, OrderHandle, OrderState, OrderUpdate, Terms, TimeInForce, UnknownOrder
from ticktree.strategies import Strategy
from ticktree.testing import Trial

from ..market.samples import BTC

DEADLINE_S = 10.0
HUNDREDTH = Decimal("0.01")


class Once(Strategy):
    """Does something at its first quote, and tells what it hears. `lives`: what each life found when it began."""

    topics = ("*/BTC-USDT/quote",)
    told: ClassVar["asyncio.Queue[Any]"]
    lives: ClassVar["list[Any]"]

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.told, cls.lives = asyncio.Queue(), []

    def on_start(self) -> None:
        self.lives.append((self.position(BTC), self.exposure(BTC), [str(order) for order in self.working(BTC)]))
        self._waits = True

    def on_quote(self, quote: Quote) -> None:
        if self._waits:
            self._waits = False
            self.act(quote)

    def on_report(self, update: OrderUpdate) -> None:
        self.told.put_nowait(update)

    def on_fill(self, fill: Fill) -> None:
        self.told.put_nowait(fill)

    def act(self, quote: Quote) -> None:
        """At the first quote of a life."""

    def rest(self, quote: Quote, terms: Terms = Terms()) -> OrderHandle:  # noqa: B008  # frozen
        """An order far below the market."""
        return self.buy(quote.instrument, "0.01", limit=round(quote.bid * 0.9), terms=terms)


@asynccontextmanager
async def running(strategy: type[Strategy], journal: Path | None = None) -> AsyncGenerator[tuple[System, Assembly]]:
    app = App.simulated(strategy)
    if journal is not None:
        app = attrs.evolve(app, journal=JournalPart(journal))
    assembly = assemble(app)
    async with System(assembly.tree) as system:
        yield system, assembly


async def heard(strategy: type[Once], count: int) -> list[Any]:
    async with asyncio.timeout(DEADLINE_S):
        return [await strategy.told.get() for _ in range(count)]


def states(updates: list[OrderUpdate]) -> list[OrderState]:
    return [update.state for update in updates]


async def test_on_report_says_how_an_order_comes_on_until_it_is_canceled() -> None:
    class Cancels(Once):
        def act(self, quote: Quote) -> None:
            self.handle = self.rest(quote)

        def on_report(self, update: OrderUpdate) -> None:
            super().on_report(update)
            if update.state is OrderState.LIVE:
                assert self.exposure(BTC) == HUNDREDTH
                self.cancel(self.handle.order)

    async with running(Cancels) as (_, assembly):
        live, canceled = await heard(Cancels, 2)
        assert (live.state, live.venue, live.filled_increments) == (OrderState.LIVE, "paper", 0)
        assert (canceled.state, canceled.reason) == (OrderState.CANCELED, "as asked")
        assert live.leg_id == canceled.leg_id == f"{live.order_id}.1"
        await until(lambda: not assembly.office.ledger.open_orders)


async def test_a_replaced_order_is_the_one_that_works() -> None:
    class Replaces(Once):
        def act(self, quote: Quote) -> None:
            self.handle = self.rest(quote)
            self.limit = round(quote.bid * 0.8)

        def on_report(self, update: OrderUpdate) -> None:
            self.told.put_nowait((update.state, [str(order) for order in self.working(BTC)]))
            if update.state is OrderState.LIVE and self.told.qsize() == 1:
                self.replace(self.handle.order, "0.02", self.limit)
                self.lives.append(f"buy 0.02 BTC-USDT at {self.limit}")

    async with running(Replaces):
        (_, _), (state, working) = await heard(Replaces, 2)
        assert state is OrderState.LIVE
        assert working == [Replaces.lives[-1]]


async def test_what_is_over_can_neither_be_canceled_nor_replaced() -> None:
    class TooLate(Once):
        async def on_quote(self, quote: Quote) -> None:  # type: ignore[override]  # plain or async, as handlers are
            if self.told.empty() and not self.position(BTC):
                handle = self.buy(quote.instrument, "0.01")
                assert (await handle.final()).state is OrderState.FILLED
                for act in (self.cancel, self.replace):
                    with pytest.raises(UnknownOrder, match="toolate has no open order"):
                        act(handle.order)
                self.told.put_nowait("both refused")

        def on_fill(self, fill: Fill) -> None:
            pass

        def on_report(self, update: OrderUpdate) -> None:
            pass

    async with running(TooLate):
        assert await heard(TooLate, 1) == ["both refused"]


async def test_terms_reach_the_venue() -> None:
    class Picky(Once):
        def act(self, quote: Quote) -> None:
            self.rest(quote, Terms(TimeInForce.IOC))
            self.buy(quote.instrument, "0.01", limit=round(quote.ask * 1.01), terms=Terms(post_only=True))
            self.sell(quote.instrument, "0.01", terms=Terms(reduce_only=True))

    async with running(Picky):
        updates = {update.order_id[-1]: update for update in await heard(Picky, 3)}
        assert updates["1"].reason == "immediate or cancel"
        assert updates["2"].reason == "post-only: it would take"
        assert updates["2"].state is OrderState.REJECTED
        assert "3" not in updates  # refused before anybody heard of it: its handle knows


async def test_an_order_that_a_limit_stands_against_is_answered_at_once_with_its_refusal() -> None:
    refusals: asyncio.Queue[Any] = asyncio.Queue()

    class Careless(Once):
        async def on_quote(self, quote: Quote) -> None:  # type: ignore[override]  # plain or async, as handlers are
            if refusals.empty():
                handle = self.sell(quote.instrument, "0.01", terms=Terms(reduce_only=True))
                assert handle.done
                refusals.put_nowait((await handle.final()).refusal)

    async with running(Careless):
        async with asyncio.timeout(DEADLINE_S):
            refusal = await refusals.get()
        assert (refusal.limit, refusal.allowed, refusal.attempted) == ("reduce_only", "0", "0.01")


class Fragile(Once):
    """Fails once it holds something and something more rests."""

    def act(self, quote: Quote) -> None:
        if not self.working(BTC):
            self.buy(quote.instrument, "0.01")
            self.order = self.rest(quote).order
            self.told.put_nowait(str(self.order))

    def on_report(self, update: OrderUpdate) -> None:
        if update.state is OrderState.LIVE and update.order_id == self.order.id:
            raise RuntimeError("a bug, while an order rests")

    def on_fill(self, fill: Fill) -> None:
        pass


async def test_a_restarted_strategy_finds_its_position_and_its_open_orders_before_its_first_event() -> None:
    class Again(Fragile):
        pass

    async with running(Again) as (system, _):
        (resting,) = await heard(Again, 1)
        await until(lambda: len(Again.lives) == 2)
        assert {node.path for node in system.snapshot().actors() if node.restarts} == {"strategies/again"}
    position, exposure, working = Again.lives[1]
    assert (position, exposure, working[-1]) == (HUNDREDTH, 2 * HUNDREDTH, resting)


async def test_the_next_process_finds_the_position_and_its_simulated_venue_holds_it_too(tmp_path: Path) -> None:
    journal = tmp_path / "orders.journal"

    class Holder(Once):
        def act(self, quote: Quote) -> None:
            if not self.position(BTC):
                self.buy(quote.instrument, "0.03")
                self.rest(quote)
            else:
                self.sell(quote.instrument, "0.01", terms=Terms(reduce_only=True))

    async with running(Holder, journal) as (_, assembly):
        await until(lambda: assembly.office.ledger.fills == 1 and len(assembly.office.ledger.at("paper")) == 1)
    async with running(Holder, journal) as (_, assembly):
        await until(lambda: assembly.office.ledger.fills == 2)  # the venue let it reduce: it knows of the position
        assert Holder.lives[1] == (3 * HUNDREDTH, 3 * HUNDREDTH, [])  # what rested was canceled at the stop
        assert not assembly.office.ledger.quarantine
        assert assembly.office.ledger.position("BTC-USDT") == 200


async def until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # what is awaited tells nobody that it happened
            await asyncio.sleep(0.005)


class Named(Strategy):
    """Names its instrument, and takes back what it has by its handle."""

    topics = ("*/*/quote",)

    def on_start(self) -> None:
        self.seen = list[tuple[str, str, int]]()

    def on_quote(self, quote: Quote) -> None:
        self.look()
        handle = self.buy(quote.instrument, "0.5", limit=quote.bid)
        self.look()
        assert handle.refusal is None
        self.after(1.0, handle.order.id)
        self.handle = handle

    def look(self) -> None:
        figures = self.position("BTC-USDT"), self.exposure("BTC-USDT")
        self.seen.append((str(figures[0]), str(figures[1]), len(self.working("BTC-USDT"))))

    def on_timer(self, name: str) -> None:
        self.replace(self.handle, limit=98)
        self.cancel(self.handle)


def test_an_instrument_may_be_named_and_an_order_be_its_handle() -> None:
    with Trial(Named) as trial:
        trial.quote("BTC-USDT", 100, 101)
        named = trial.strategy(Named)
        assert named.seen == [("0", "0", 0), ("0.0000", "0.5000", 1)]
        trial.wait(1.5)
        assert trial.working == ()
        trial.quote("BTC-USDT", 100, 101)
        trial.trade("BTC-USDT", 99)
        named.look()
        assert named.seen[-1] == ("0.5000", "0.5000", 0)
        assert named.position("ETH-USDT") == 0


def test_what_stands_against_an_order_is_known_when_the_call_returns() -> None:
    class Asking(Named):
        def on_quote(self, quote: Quote) -> None:
            refusal = self.buy(quote.instrument, 1).refusal
            assert refusal is not None
            assert (refusal.limit, refusal.because) == ("halted", "lunch")
            self.seen.clear()

    with Trial(Asking) as trial:
        trial.halt("lunch")
        trial.quote("BTC-USDT", 100, 101)
        assert [order.state for order in trial.orders] == [OrderState.REJECTED]
