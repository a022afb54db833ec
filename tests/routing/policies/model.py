"""A router and its venues as a script: legs are acknowledged, filled, doubted, canceled in any order."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, Concatenate, ParamSpec

import attrs

from ticktree.actors import VirtualClock, simulate
from ticktree.market import Instrument, Side
from ticktree.routing.errors import Refusal, Refused, UnknownVenue
from ticktree.routing.gateway import Fees, VenueRules
from ticktree.routing.legs import LegRequest, OrderScope
from ticktree.routing.orders import Execution, Leg, Order, OrderState, Purpose
from ticktree.routing.policies import Policy
from ticktree.routing.records import LegRecord, OrderRecord
from ticktree.routing.reports import VenueQuote

from ...market.samples import BTC

P = ParamSpec("P")
MS = 1_000_000
NOT_READY = Refusal("not ready", because="it is down")

Levels = tuple[tuple[int, int], ...]


def an_order(
    quantity: int = 10, limit: int | None = 10_000, side: Side = Side.BUY, grant: int = 0, **terms: Any
) -> Order:
    return Order("o-1", "s", BTC, side, quantity, limit, max_overfill_increments=grant, **terms)


class Model:
    """`Sends`, and all that venues may do. What it is asked for beyond its order fails the test at once."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.venues = {name: VenueRules() for name in "abcd"}
        self.record = OrderRecord(an_order(), "r")
        self.scope: OrderScope
        self.legs: list[LegRecord] = []
        self.sent_ns: list[int] = []
        self.canceled: list[LegRecord] = []
        self.answers: list[tuple[int, Execution]] = []
        self.faults: list[BaseException] = []
        self.refuses: dict[str, Refusal] = {}
        self.on_send: dict[str, Callable[[LegRecord], None]] = {}
        self.on_cancel: Callable[[LegRecord], None] | None = None
        self.shown: dict[str, VenueQuote] = {}
        self.quote_after_s: dict[str, float] = {}
        self.asked: list[str] = []

    def start(self, policy: Policy, order: Order | None = None) -> OrderScope:
        self.record = OrderRecord(order or self.record.order, "r")
        self.scope = OrderScope(self, self.record, policy)
        self.scope.start()
        return self.scope

    async def final(self) -> Execution:
        return await self.scope.done

    async def rest(self, seconds: float = 1e-6) -> None:
        """Let everything run that can, and `seconds` pass."""
        await self.clock.sleep(seconds)

    def now_ms(self) -> int:
        return round(self.clock.monotonic_ns() / MS)

    def fees(self, venue: str, taker: str) -> None:
        self.venues[venue] = VenueRules(fees=Fees(taker=Decimal(taker)))

    # --- Sends -----------------------------------------------------------------------------------------------------

    def send(self, record: OrderRecord, request: LegRequest) -> LegRecord:
        assert record is self.record
        if request.venue not in self.venues:
            raise UnknownVenue("r", request.venue, self.venues)
        if request.venue in self.refuses:
            raise Refused(self.refuses[request.venue])
        id = f"{record.order.id}.{request.number}.{request.attempt}"
        assert id not in record.legs
        leg = Leg(
            id, record.order, request.number, request.attempt, request.venue, request.purpose,
            request.ticket(id, record.order),
        )  # fmt: skip
        sent = LegRecord(leg, record, request.quantity_increments, request.limit_increments)
        record.legs[id] = sent
        self._check()
        self.legs.append(sent)
        self.sent_ns.append(self.clock.monotonic_ns())
        if (answer := self.on_send.get(request.venue)) is not None:
            answer(sent)
        return sent

    def _check(self) -> None:
        order = self.record.order
        for purpose, allowed in (
            (Purpose.WORK, order.quantity_increments + order.max_overfill_increments),
            (Purpose.HEDGE, order.quantity_increments),
        ):
            legs = [leg for leg in self.record.legs.values() if leg.leg.purpose is purpose]
            assert sum(leg.booked_increments + leg.open_increments for leg in legs) <= allowed, "over-fill"

    def cancel(self, leg: LegRecord) -> None:
        assert not leg.terminal
        self.canceled.append(leg)
        leg.canceling = True
        if leg.state is not OrderState.UNKNOWN:
            leg.state = OrderState.CANCEL_SENT
        if self.on_cancel is not None:
            self.on_cancel(leg)

    def quote(self, venue: str, instrument: Instrument) -> "asyncio.Future[VenueQuote | None]":
        assert instrument == self.record.order.instrument
        self.asked.append(venue)
        future: asyncio.Future[VenueQuote | None] = asyncio.get_running_loop().create_future()

        def answer() -> None:
            if not future.done():
                future.set_result(self.shown.get(venue))

        self.after(self.quote_after_s.get(venue, 0.0), answer)
        return future

    def answer(self, record: OrderRecord, execution: Execution) -> None:
        assert record is self.record
        record.answered = True
        self.answers.append((self.clock.monotonic_ns(), execution))

    def fault(self, error: BaseException) -> None:
        self.faults.append(error)

    # --- what venues do --------------------------------------------------------------------------------------------

    def after(self, seconds: float, what: Callable[..., object], *arguments: Any) -> None:
        def ring() -> None:
            what(*arguments)

        self.clock.call_at(self.clock.monotonic_ns() + round(seconds * 1e9), ring)

    def show(self, venue: str, bids: Levels = (), asks: Levels = (), age_s: float = 0.0) -> None:
        time_ns = self.clock.now_ns() - round(age_s * 1e9)
        self.shown[venue] = VenueQuote(venue, BTC.name, bids, asks, time_ns)

    def live(self, leg: LegRecord) -> None:
        self._turn(leg, OrderState.CANCEL_SENT if leg.canceling else OrderState.LIVE)

    def fill(self, leg: LegRecord, quantity: int | None = None) -> None:
        """All that is missing, if not told; also of a leg that is over."""
        quantity = leg.quantity_increments - leg.booked_increments if quantity is None else quantity
        leg.booked_increments += quantity
        leg.cumulative_increments = max(leg.cumulative_increments, leg.booked_increments)
        if self.record.answered and leg.leg.purpose is Purpose.WORK:
            self.record.late_increments += quantity
        if leg.terminal:
            self.scope.heard(leg)
        elif leg.booked_increments >= leg.quantity_increments:
            self._turn(leg, OrderState.FILLED)
        else:
            self.live(leg)

    def doubt(self, leg: LegRecord) -> None:
        self._turn(leg, OrderState.UNKNOWN)

    def end(self, leg: LegRecord, state: OrderState = OrderState.CANCELED, counted: int | None = None) -> None:
        """The venue's last word; `counted`: what it holds the leg to be filled for, which may be more than was told."""
        if counted is not None:
            leg.cumulative_increments = counted
        self._turn(leg, state)

    def _turn(self, leg: LegRecord, state: OrderState) -> None:
        leg.state = state
        if self.scope_knows():
            self.scope.heard(leg)

    def scope_knows(self) -> bool:
        return hasattr(self, "scope")

    # --- scripts ---------------------------------------------------------------------------------------------------

    def fills(self, venue: str, quantity: int | None = None, after_s: float = 0.01) -> None:
        """`venue` fills so much of each leg, at most what it asks for, then ends it as IOC does."""

        def work(leg: LegRecord) -> None:
            taken = leg.quantity_increments if quantity is None else min(quantity, leg.quantity_increments)
            if taken:
                self.fill(leg, taken)
            if not leg.terminal:
                self.end(leg)

        self.on_send[venue] = lambda leg: self.after(after_s, work, leg)

    def rests(self, venue: str) -> None:
        """`venue` takes legs, and fills nothing."""
        self.on_send[venue] = lambda leg: self.after(0.001, self.live, leg)

    def cancels(self, after_s: float = 0.01) -> None:
        """All venues cancel what they are asked to."""

        def gone(leg: LegRecord) -> None:
            if not leg.terminal:
                self.end(leg)

        self.on_cancel = lambda leg: self.after(after_s, gone, leg)


def scripted(test: Callable[Concatenate[Model, P], Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in virtual time, with a model of its own; nothing may go wrong behind its back."""

    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        unhandled = list[dict[str, Any]]()

        async def main(clock: VirtualClock) -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: unhandled.append(context))
            async with asyncio.timeout(100_000):
                await test(Model(clock), *args, **kwargs)

        simulate(main, wall_ns=1_700_000_000_000_000_000)
        assert not unhandled, unhandled

    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    signature = inspect.signature(test)
    run.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]  # what pytest reads
    return run


@attrs.frozen
class Works:
    """A policy of one's own, for a test: what `run` does."""

    run: Callable[..., Coroutine[Any, Any, Execution]]
    venues: tuple[str, ...] = ("a", "b", "c", "d")

    def execute(self, order: Order, legs: Any) -> Coroutine[Any, Any, Execution]:
        return self.run(order, legs)
