"""What comes in wrong through the public door, strategies' orders and applications' parts, is named and stops there."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
from msgspec.structs import replace

from ticktree.actors import NotRunning, Reason, StartFailed, System
from ticktree.app import (
    App,
    Assembly,
    BadApp,
    JournalPart,
    RouterPart,
    TcpVenuePart,
    VenuePart,
    VenueServerPart,
    assemble,
)
from ticktree.market import BadNumber, Instrument, OffIncrement, Quote
from ticktree.routing import (
    BadOrder,
    BadPolicy,
    DrainOrders,
    Execution,
    Halt,
    Legs,
    Order,
    OrderHandle,
    OrderState,
    OrderUpdate,
    Resume,
    Share,
    Side,
    Terms,
    Ticket,
    TimeInForce,
    Timeout,
    UnknownOrder,
    policy_from,
)
from ticktree.routing.venues.simulated import Engine
from ticktree.strategies import Strategy

DEADLINE_S = 10.0
DOGE = Instrument("DOGE-USDT", 99, Decimal("0.00001"), Decimal(1))


class Door(Strategy):
    """Does nothing of its own: tests trade through it."""

    topics = ("*/BTC-USDT/quote",)
    here: ClassVar["Door"]
    quote: Quote | None = None

    def on_start(self) -> None:
        Door.here = self
        self.updates: list[OrderUpdate] = []

    def on_quote(self, quote: Quote) -> None:
        self.quote = quote

    def on_report(self, update: OrderUpdate) -> None:
        self.updates.append(update)


@asynccontextmanager
async def trading(app: App | None = None) -> AsyncGenerator[tuple[System, Assembly, Door, Instrument]]:
    assembly = assemble(app or App.simulated(Door))
    async with System(assembly.tree) as system:
        await until(lambda: Door.here.quote is not None)
        assert Door.here.quote is not None
        yield system, assembly, Door.here, Door.here.quote.instrument


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # what is awaited tells nobody that it happened
            await asyncio.sleep(0.005)


async def final(handle: OrderHandle) -> Execution:
    async with asyncio.timeout(DEADLINE_S):
        return await handle.final()


BAD_ORDERS: list[tuple[tuple[Any, ...], Terms, type[Exception], str]] = [
    (("0.00001",), Terms(), OffIncrement, "nearest valid: 0.0000 and 0.0001"),
    (("0.01", "64000.001"), Terms(), OffIncrement, "nearest valid: 64000.00 and 64000.01"),
    ((0,), Terms(), BadOrder, "a quantity is above 0; not 0 BTC-USDT"),
    (("-0.01",), Terms(), BadOrder, "a quantity is above 0; not -0.01 BTC-USDT"),
    ((float("nan"),), Terms(), BadNumber, "nan is not finite"),
    ((float("inf"),), Terms(), BadNumber, "inf is not finite"),
    ((Decimal("NaN"),), Terms(), BadNumber, "is not finite"),
    (("a lot",), Terms(), BadNumber, "is no decimal number"),
    ((None,), Terms(), BadNumber, "is no number"),
    ((True,), Terms(), BadNumber, "is no number"),
    (("0.01", 0), Terms(), BadOrder, "a limit is a price above 0; not 0 BTC-USDT"),
    (("0.01", -1), Terms(), BadOrder, "a limit is a price above 0; not -1"),
    (("0.01", float("nan")), Terms(), BadNumber, "nan is not finite"),
    (("0.01",), Terms(post_only=True), BadOrder, "post-only needs a limit"),
    (("0.01", 100), Terms(TimeInForce.FOK, post_only=True), BadOrder, "no IOC, no FOK"),
    (("0.01", 100), Terms(TimeInForce.GTD), BadOrder, "GTD and expires_ns .* go together"),
    (("0.01", 100), Terms(expires_ns=1), BadOrder, "GTD and expires_ns .* go together"),
    (("0.01",), Terms(max_overfill="-1"), BadOrder, "max_overfill is 0 or more; not -1"),
    (("0.01",), Terms(max_overfill="0.00001"), OffIncrement, "nearest valid"),
    (("0.01",), Terms(opposite_limit=-1), BadOrder, "a limit is a price above 0; not -1"),
]


async def test_what_could_never_be_an_order_is_refused_where_it_is_written_and_leaves_no_trace() -> None:
    async with trading() as (_, assembly, door, btc):
        office = assembly.office
        before = office.blotter.journal.records, office.blotter.next_order_id()
        for (quantity, *rest), terms, error, message in BAD_ORDERS:
            limit = rest[0] if rest else None
            for send in (door.buy, door.sell):
                with pytest.raises(error, match=message):
                    send(btc, quantity, limit, terms)
        assert (office.blotter.journal.records, office.blotter.next_order_id()) == before
        assert door.exposure(btc) == 0


def test_a_time_in_force_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'never' is not a valid TimeInForce"):
        Terms("never")


async def test_what_is_no_instrument_is_refused_by_name() -> None:
    async with trading() as (_, assembly, door, _):
        for wrong in ("BTC-USDT", None):
            with pytest.raises(BadOrder, match=f"an order is in an Instrument, as in quote.instrument; not {wrong!r}"):
                door.buy(wrong, "0.01")  # type: ignore[arg-type]  # on purpose
        assert not assembly.office.ledger.orders


async def test_orders_that_are_not_there_can_neither_be_canceled_nor_replaced() -> None:
    async with trading() as (_, assembly, door, btc):
        over = door.buy(btc, "0.01").order
        await until(lambda: not assembly.office.ledger.open_orders)
        another = replace(over, id="e-99")
        for order in (over, another):
            with pytest.raises(UnknownOrder, match=f"door has no open order '{order.id}'"):
                door.cancel(order)
            with pytest.raises(UnknownOrder, match="no open order"):
                door.replace(order, "0.02")


@pytest.mark.parametrize(
    ("quantity", "limit", "error"),
    [(0, None, BadOrder), ("-0.01", None, BadOrder), (None, 0, BadOrder), ("0.00001", None, OffIncrement),
     (None, "50000.001", OffIncrement), (float("nan"), None, BadNumber)],
)  # fmt: skip
async def test_a_replace_to_what_could_never_be_an_order_changes_nothing(
    quantity: Any, limit: Any, error: type[Exception]
) -> None:
    async with trading() as (_, _, door, btc):
        order = door.buy(btc, "0.01", 50_000).order
        await until(lambda: len(door.updates) == 1)
        with pytest.raises(error):
            door.replace(order, quantity, limit)
        assert [str(each) for each in door.working(btc)] == ["buy 0.01 BTC-USDT at 50000"]


async def test_an_instrument_that_a_venue_does_not_trade_is_refused_there_and_nothing_is_left_open(
    tmp_path: Path,
) -> None:
    url = f"unix://{tmp_path}/venue"
    app = attrs.evolve(
        App.simulated(Door),
        servers=(VenueServerPart("other", "simulated", (url,), {"me": ""}),),
        venues=(VenuePart("paper", prices="simulated"), TcpVenuePart("tcp", url, "me")),
        routers=(RouterPart("default", Timeout("tcp", 1.0)),),
        journal=JournalPart(tmp_path / "journal"),
    )
    async with trading(app) as (_, assembly, door, _):
        await until(lambda: not assembly.office.doors["tcp"].closed)
        execution = await final(door.buy(DOGE, 10, 1))
        assert execution.state is OrderState.REJECTED
        assert "DOGE-USDT" in execution.reason
        assert door.exposure(DOGE) == 0


async def test_an_order_at_the_market_where_a_venue_knows_no_price_is_rejected() -> None:
    async with trading() as (_, _, door, _):
        execution = await final(door.buy(DOGE, 10))
        assert (execution.state, execution.reason) == (OrderState.REJECTED, "no price: nobody is on the other side")
        assert door.exposure(DOGE) == 0


# --- venues and policies -------------------------------------------------------------------------------------------


def routed(policy: Any) -> App:
    return attrs.evolve(App.simulated(Door), routers=(RouterPart("default", policy),))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: routed(Timeout("papre", 1.0)), BadApp, "did you mean 'paper'"),
        (lambda: policy_from({"policy": "timout", "venue": "paper", "deadline": 1}), BadPolicy, "'timeout'"),
        (lambda: policy_from({"policy": "timeout", "venue": "paper"}), BadPolicy, "needs 'deadline'"),
        (lambda: policy_from({"policy": "timeout", "venue": "paper", "deadline": "soon"}), BadPolicy, "a duration"),
        (lambda: policy_from({"policy": "any", "venues": [], "deadline": 1}), BadPolicy, "any|AnyOf"),
        (lambda: policy_from({"policy": "all", "venues": ["a", "a"], "deadline": 1}), BadPolicy, "a"),
        (lambda: Timeout("paper", -1.0), BadPolicy, "deadline_s"),
        (lambda: Share("a", weight=0), BadPolicy, "weight"),
    ],
)
def test_policies_that_could_never_work_are_refused_before_anything_starts(
    make: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()


class Liar:
    """A policy that sends where it does not say."""

    def __init__(self, *venues: str) -> None:
        self.venues = venues

    async def execute(self, order: Order, legs: Legs) -> Execution:
        legs.send("elsewhere", order.quantity_increments)
        return legs.execution()


async def test_a_policy_that_sends_where_there_is_nothing_fails_by_name_and_its_order_is_over() -> None:
    async with trading(routed(Liar("paper"))) as (system, _, door, btc):
        execution = await final(door.buy(btc, "0.01"))
        assert execution.state is OrderState.REJECTED
        assert "router default has no venue 'elsewhere', only paper" in execution.reason
        await until(lambda: any(node.restarts for node in system.snapshot().actors()))
        assert {node.path for node in system.snapshot().actors() if node.restarts} == {"routers/default"}
        assert door.exposure(btc) == 0


async def test_a_router_whose_policy_names_a_venue_that_is_not_there_does_not_start() -> None:
    policy = Liar("paper")
    app = routed(policy)
    policy.venues = ("elsewhere",)  # after the application was looked at
    with pytest.raises(StartFailed, match="no venue 'elsewhere', only paper"):
        async with System(assemble(app).tree):
            pass


# --- halted, drained -----------------------------------------------------------------------------------------------


async def test_after_a_halt_orders_are_refused_at_once_until_trading_resumes() -> None:
    async with trading() as (system, _, door, btc):
        controls = system.ref("controls")
        await final(door.buy(btc, "0.02"))
        await controls.ask(Halt("lunch"), DEADLINE_S)
        refused = door.buy(btc, "0.01")
        assert refused.done
        assert str((await final(refused)).refusal) == "halted: lunch"
        reduces = await final(door.sell(btc, "0.01", terms=Terms(reduce_only=True)))
        assert reduces.state is OrderState.FILLED
        await controls.ask(Resume("back"), DEADLINE_S)
        assert (await final(door.buy(btc, "0.01"))).state is OrderState.FILLED


async def test_after_a_drain_orders_are_refused_until_trading_resumes() -> None:
    async with trading() as (system, assembly, door, btc):
        controls = system.ref("controls")
        resting = door.buy(btc, "0.01", 50_000)
        await until(lambda: len(door.updates) == 1)
        await controls.ask(DrainOrders(), DEADLINE_S)
        assert (await final(resting)).state is OrderState.CANCELED
        refusal = (await final(door.buy(btc, "0.01"))).refusal
        assert refusal is not None
        assert refusal.limit == "drain"
        await controls.ask(Resume("back"), DEADLINE_S)
        assert (await final(door.buy(btc, "0.01"))).state is OrderState.FILLED
        assert not assembly.office.ledger.open_orders


async def test_while_the_system_stops_orders_are_refused_and_later_there_is_nobody_to_send_them() -> None:
    class Parting(Door):
        async def on_stop(self, reason: Reason) -> None:
            assert self.quote is not None
            self.late = self.buy(self.quote.instrument, "0.01")
            self.execution = await self.late.final()

    async with trading(App.simulated(Parting)) as (_, assembly, door, btc):
        pass
    assert isinstance(door, Parting)
    assert door.execution.refusal is not None
    assert str(door.execution.refusal) == "drain: the system is stopping"
    assert not assembly.office.ledger.open_orders
    with pytest.raises(NotRunning, match="Parting does not run"):
        door.buy(btc, "0.01")


async def test_a_client_order_id_that_the_venue_knows_already_fills_nothing_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engines: list[Engine] = []

    def make(*arguments: Any) -> Engine:
        engines.append(Engine(*arguments))
        return engines[-1]

    monkeypatch.setattr("ticktree.assembly.Engine", make)
    async with trading() as (_, assembly, door, btc):
        engine, ledger = engines[0], assembly.office.ledger
        engine.submit("paper", Ticket(f"{ledger.epoch}-1.1", btc, Side.BUY, 300, 5_000_000), 0)
        order = door.buy(btc, "0.01", 60_000).order
        await until(lambda: len(door.updates) == 1)
        assert door.updates[0].reason == "duplicate client id"
        assert ledger.position("BTC-USDT") == ledger.fills == 0
        assert ledger.open("BTC-USDT", Side.BUY) == 300  # what stands there is what may be filled
        door.cancel(order)
        await until(lambda: not ledger.open_orders)
        assert engine.position("paper", btc) == ledger.position("BTC-USDT") == 0
