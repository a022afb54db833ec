"""A trading system in virtual time whose venues say only what a test has them say."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Concatenate, ParamSpec

from ticktree.actors import (
    Actor,
    ActorRef,
    Block,
    ChildSpec,
    DropOldest,
    Mailbox,
    Request,
    Supervisor,
    System,
    VirtualClock,
    simulate,
)
from ticktree.actors.collector import Collector
from ticktree.market import Instrument, Quote, Side
from ticktree.routing.blotter import Blotter
from ticktree.routing.controls import Controls
from ticktree.routing.desk import Desk
from ticktree.routing.errors import JournalError, JournalFailed, NotConnected
from ticktree.routing.facts import AnyFact
from ticktree.routing.gateway import Hears, VenueRules
from ticktree.routing.journal import Nowhere
from ticktree.routing.keeper import JournalKeeper
from ticktree.routing.ledger import Ledger
from ticktree.routing.office import Office
from ticktree.routing.orders import Execution, Fill, Order, OrderHandle, OrderState, OrderUpdate, Terms, Ticket
from ticktree.routing.policies import Legs, Policy, Timeout
from ticktree.routing.portfolio import Portfolio
from ticktree.routing.records import LegRecord, OrderRecord
from ticktree.routing.reports import AccountReport, Report, ReportKind, VenueExecution, VenueQuote
from ticktree.routing.risk import Gate, Limits, SelfTrade
from ticktree.routing.router import Router
from ticktree.routing.venue import Patience, Venue

from ..market.samples import BTC

P = ParamSpec("P")
BOX = Mailbox(1_000, Block())
EARS = Mailbox(1_000, DropOldest())
PATIENCE = Patience(ack_s=1.0, again_s=0.5, resets_after=3, explains_after=5, live_s=30.0, look_s=0.1)
RULES = VenueRules(not_found_grace_s=1.0)
TIMEOUT: dict[str, Policy] = {"r": Timeout("a", deadline_s=5.0)}


class Paper(Nowhere):
    """A journal that breaks, or takes its time, when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = False
        self.holds: Callable[[AnyFact], bool] = lambda fact: True
        self.waiting: list[asyncio.Future[None]] = []
        self.closed = 0

    def break_down(self) -> None:
        self.failed = JournalFailed("paper", "the disk is full")

    def append(self, fact: AnyFact) -> None:
        if self.failed is not None:
            raise self.failed
        if not self.holds(fact):
            raise JournalError("paper", "it cannot hold that")
        super().append(fact)

    def committed(self) -> "asyncio.Future[None] | None":
        if not self.slow:
            return None
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]

    def commit(self) -> None:
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            future.set_result(None)

    def close(self) -> None:
        self.closed += 1


class ScriptedGateway:
    """Says nothing by itself. `sent` is all that it was asked to send, as (what, client order id or other words)."""

    def __init__(self, name: str, rules: VenueRules) -> None:
        self.name, self.rules, self.account = name, rules, "acc"
        self.sent: list[tuple[Any, ...]] = []
        self.connected = False
        self.stopped = False
        self.on_submit: Callable[[Ticket], None] = lambda ticket: None
        self.on_stop: Callable[[], None] = lambda: None
        self._hears: Hears | None = None
        self._executions = 0

    # --- what a test says ------------------------------------------------------------------------------------------

    @property
    def hears(self) -> Hears:
        assert self._hears is not None
        return self._hears

    def up(self, former_closed: bool = True) -> None:
        self.connected = True
        self.hears.on_up(former_closed)

    def down(self, reason: str = "cut") -> None:
        self.connected = False
        self.hears.on_down(reason)

    def ready(self) -> None:
        """A session stands, and the account holds nothing."""
        self.up()
        self.account_is()

    def account_is(self, positions: dict[str, int] | None = None, *open_orders: Report) -> None:
        self.hears.on_account(AccountReport(open_orders, positions or {}, self.hears.clock.now_ns()))

    def say(self, kind: ReportKind, leg: LegRecord | str, cumulative: int = 0, **fields: Any) -> None:
        id = leg if isinstance(leg, str) else leg.leg.id
        self.hears.on_report(Report(kind, id, self.hears.clock.now_ns(), cumulative, **fields))

    def accept(self, leg: LegRecord) -> None:
        self.say(ReportKind.ACCEPTED, leg)

    def fill(
        self, leg: LegRecord, quantity: int, price: int = 10_000, id: str = "", cumulative: int | None = None
    ) -> None:
        self._executions += 1
        execution = VenueExecution(
            id or f"{self.name}{self._executions}", leg.leg.ticket.instrument.name, leg.leg.ticket.side, quantity, price
        )
        said = leg.booked_increments + quantity if cumulative is None else cumulative
        self.say(ReportKind.FILL, leg, said, execution=execution)

    def end(self, leg: LegRecord, kind: ReportKind = ReportKind.CANCELED, cumulative: int | None = None) -> None:
        self.say(kind, leg, leg.booked_increments if cumulative is None else cumulative, reason="by the venue")

    def status(self, leg: LegRecord, state: OrderState, cumulative: int | None = None, **fields: Any) -> None:
        said = leg.booked_increments if cumulative is None else cumulative
        self.say(ReportKind.STATUS, leg, said, state=state, **fields)

    # --- what a test sees ------------------------------------------------------------------------------------------

    def asked(self, what: str) -> list[Any]:
        """Whom it was about, in order."""
        return [message[1] if len(message) > 1 else "" for message in self.sent if message[0] == what]

    # --- Gateway ---------------------------------------------------------------------------------------------------

    def start(self, hears: Hears, random: Random) -> None:
        self._hears = hears

    async def stop(self) -> None:
        self.on_stop()
        self.stopped, self.connected = True, False

    def reset(self, reason: str) -> None:
        self.sent.append(("reset", reason))

    def submit(self, ticket: Ticket) -> None:
        self._send("submit", ticket.client_id)
        self.on_submit(ticket)

    def cancel(self, ticket: Ticket) -> None:
        self._send("cancel", ticket.client_id)

    def replace(self, ticket: Ticket, quantity_increments: int, limit_increments: int | None) -> None:
        self._send("replace", ticket.client_id, quantity_increments, limit_increments)

    def query(self, ticket: Ticket) -> None:
        self._send("query", ticket.client_id)

    def query_fills(self, ticket: Ticket) -> None:
        self._send("fills", ticket.client_id)

    def query_account(self) -> None:
        self._send("account")

    def query_quote(self, instrument: Instrument, answer: Callable[[VenueQuote | None], None]) -> None:
        self._send("quote", instrument.name, answer)

    def _send(self, *message: Any) -> None:
        if not self.connected:
            raise NotConnected(f"{self.name} is not connected")
        self.sent.append(message)


class Own:
    """The policy of router `own`: whatever `Trading.work` is at the moment."""

    venues = ("a",)

    def __init__(self, trading: "Trading") -> None:
        self._trading = trading

    def execute(self, order: Order, legs: Legs) -> Coroutine[Any, Any, Execution]:
        return self._trading.work(order, legs)


async def _one_leg(order: Order, legs: Legs) -> Execution:
    legs.send("a", order.quantity_increments)
    await legs.accounted()
    return legs.execution()


class Ears(Actor[Any]):
    """A strategy that only listens."""

    def __init__(self, heard: list[Any]) -> None:
        self._heard = heard

    def on_message(self, message: Any) -> None:
        self._heard.append(message)


class Idle(Collector):
    """Collects no garbage at the start, which takes longer than most tests."""

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


class Trading:
    """The system at work. Strategies `s` and `z` trade through routers named as in `policies`."""

    def __init__(
        self,
        clock: VirtualClock,
        policies: dict[str, Policy] | None = None,
        venues: tuple[str, ...] = ("a", "b"),
        limits: Limits | None = None,
        rules: VenueRules = RULES,
        patience: Patience = PATIENCE,
    ) -> None:
        self.clock, self.venues = clock, venues
        self.policies: dict[str, Policy] = {**(policies or TIMEOUT), "own": Own(self)}
        self.work: Callable[[Order, Legs], Coroutine[Any, Any, Execution]] = _one_leg
        self.limits, self.rules, self.patience = limits or Limits(self_trade=SelfTrade.ALLOW), rules, patience
        self.journal = Paper()
        self.heard: list[Any] = []
        self.quote: Quote | None = None

    # --- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        blotter = Blotter(self.journal, Random(7))
        self.blotter = blotter
        gate = Gate(self.limits, blotter.ledger, self._price, self.clock)
        self.office = Office(blotter, gate, self._price, strategies={"s": "s", "z": "z"})
        self.office.routers.update({name: f"routers/{name}" for name in self.policies})
        self.gateways = {name: ScriptedGateway(name, self.rules) for name in self.venues}
        self.system = System(self._tree(), self.clock)
        self.system.collector = Idle()
        await self.system.start()

    def _price(self, instrument: Instrument) -> Quote | None:
        return self.quote

    def _tree(self) -> Supervisor:
        office = self.office
        desks = {name: self.desk(strategy=name) for name in ("s", "z")}
        return Supervisor(
            (
                ChildSpec("journal", lambda: JournalKeeper(self.blotter), BOX),
                Supervisor(tuple(self._venue(name) for name in self.venues), id="venues"),
                Supervisor(tuple(self._router(name) for name in self.policies), id="routers"),
                ChildSpec("portfolio", lambda: Portfolio(office), BOX),
                ChildSpec("controls", lambda: Controls(office, lambda: desks), BOX),
                ChildSpec("s", lambda: Ears(self.heard), EARS),
                ChildSpec("z", lambda: Ears([]), EARS),
            )
        )

    def _venue(self, name: str) -> ChildSpec:
        return ChildSpec(name, lambda: Venue(name, self.gateways[name], self.office, self.patience, Random(7)), BOX)

    def _router(self, name: str) -> ChildSpec:
        return ChildSpec(name, lambda: Router(name, self.policies[name], self.office, stop_wait_s=0.2), BOX)

    async def stop(self) -> None:
        report = await self.system.stop()
        assert report.exit_code == 0, report

    async def restart(self) -> None:
        """A second process on the same journal. No venue is connected."""
        await self.stop()
        await self.start()

    async def rest(self, seconds: float = 1e-6) -> None:
        """Let everything run that can, and `seconds` pass."""
        await self.clock.sleep(seconds)

    # --- orders ----------------------------------------------------------------------------------------------------

    def desk(self, router: str | None = None, strategy: str = "s") -> Desk:
        name = router or next(iter(self.policies))
        return Desk(strategy, name, self.office, lambda: self.router(name), "timeout")

    def order(
        self, quantity: int = 10, side: Side = Side.BUY, limit: str | None = "100", router: str | None = None,
        **terms: Any,
    ) -> OrderHandle:  # fmt: skip
        """`quantity` in increments of 0.0001."""
        desk = self.desk(router)
        return desk.submit(self.clock, side, BTC, BTC.size(quantity), limit, Terms(**terms))

    async def sent(self, quantity: int = 10, **more: Any) -> LegRecord:
        """An order of one leg that has left."""
        handle = self.order(quantity, **more)
        await self.rest()
        return self.leg(handle)

    async def live(self, quantity: int = 10, **more: Any) -> LegRecord:
        """An order of one leg that its venue has accepted."""
        leg = await self.sent(quantity, **more)
        self.a.accept(leg)
        await self.rest()
        return leg

    def leg(self, handle: OrderHandle) -> LegRecord:
        return self.leg_of(handle.order.id)

    def leg_of(self, order_id: str) -> LegRecord:
        (leg,) = self.ledger.orders[order_id].legs.values()
        return leg

    def record(self, handle: OrderHandle) -> OrderRecord:
        return self.ledger.orders[handle.order.id]

    def handle(self, leg: LegRecord) -> OrderHandle:
        return self.office.handles[leg.order.order.id]

    # --- what there is to see --------------------------------------------------------------------------------------

    @property
    def a(self) -> ScriptedGateway:
        return self.gateways["a"]

    @property
    def b(self) -> ScriptedGateway:
        return self.gateways["b"]

    @property
    def ledger(self) -> Ledger:
        return self.office.ledger

    @property
    def closed(self) -> str:
        """Why venue a takes no orders."""
        return self.office.doors["a"].closed

    def router(self, name: str = "r") -> ActorRef[Any]:
        return self.system.ref(f"routers/{name}")

    def venue(self, name: str = "a") -> ActorRef[Any]:
        return self.system.ref(f"venues/{name}")

    async def ask(self, request: Request[Any], whom: str = "controls") -> Any:
        return await self.system.ref(whom).ask(request, 60.0)

    def facts(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.journal.facts if isinstance(fact, kind)]

    def updates(self) -> list[OrderUpdate]:
        return [message for message in self.heard if isinstance(message, OrderUpdate)]

    def fills(self) -> list[Fill]:
        return [message for message in self.heard if isinstance(message, Fill)]


def trading(
    **options: Any,
) -> Callable[[Callable[Concatenate[Trading, P], Coroutine[Any, Any, None]]], Callable[P, None]]:
    """Run a test in virtual time, with a system of its own whose venues are ready; `ready=False`: not connected."""
    ready = options.pop("ready", True)

    def decorate(test: Callable[Concatenate[Trading, P], Coroutine[Any, Any, None]]) -> Callable[P, None]:
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            unhandled = list[dict[str, Any]]()

            async def main(clock: VirtualClock) -> None:
                asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
                await clock.sleep(1.0)  # at 0, everything would seem to have been asked a moment ago
                t = Trading(clock, **options)
                await t.start()
                if ready:
                    for gateway in t.gateways.values():
                        gateway.ready()
                async with asyncio.timeout(1_000):
                    await test(t, *args, **kwargs)
                t.journal.failed = None
                await t.system.stop()

            simulate(main, wall_ns=1_700_000_000_000_000_000)
            assert not unhandled, unhandled

        run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
        signature = inspect.signature(test)
        run.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]  # what pytest reads
        return run

    return decorate
