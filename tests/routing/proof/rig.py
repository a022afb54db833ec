"""A trading system in virtual time whose venues are models: it is cut off, crashes, begins again from its journal."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from random import Random
from typing import Any

from ticktree.actors import (
    ActorRef,
    Block,
    ChildSpec,
    DropOldest,
    Exit,
    Mailbox,
    NotRunning,
    Request,
    Supervisor,
    System,
    VirtualClock,
    VirtualLoop,
)
from ticktree.market import Instrument, Number, Quote, Side
from ticktree.routing.blotter import Blotter
from ticktree.routing.controls import Controls, Resolve
from ticktree.routing.desk import Desk
from ticktree.routing.errors import RoutingError
from ticktree.routing.gateway import VenueRules
from ticktree.routing.ledger import Ledger
from ticktree.routing.office import Office
from ticktree.routing.orders import Execution, OrderHandle, OrderState, Terms
from ticktree.routing.policies import Policy
from ticktree.routing.pursuit import Patience
from ticktree.routing.records import OrderRecord
from ticktree.routing.risk import Gate, Limits, SelfTrade
from ticktree.routing.router import Router
from ticktree.routing.venue import Venue

from ...market.samples import BTC
from .checks import Checks
from .model import NS, ModelVenue
from .parts import Ears, Look, Paper, Uncollected
from .way import GRACE_S, Link, ModelGateway

log = logging.getLogger("ticktree")

BOX = Mailbox(1_000, Block())
EARS = Mailbox(100_000, DropOldest())
RULES = VenueRules(not_found_grace_s=GRACE_S)
PATIENCE = Patience(ack_s=0.3, again_s=0.1, look_s=0.04, resets_after=3, explains_after=30, live_s=1.5)
QUIET_S = 60.0
NOON_NS = 1_700_000_000 * NS
HOUR_NS = 3_600 * NS
FREE = Limits(self_trade=SelfTrade.ALLOW)
PLAIN = Terms()


class Rig:
    """`run` runs a coroutine to its end; `pass_time` lets time pass; `restart` and `crash` begin anew from the journal.

    `deadlines`: of each router's policy, after which its caller goes on. `sequential`: routers that never have two legs
    of an order out.
    """

    def __init__(
        self,
        policies: dict[str, Policy],
        seed: int = 0,
        link: Link | None = None,
        limits: Limits = FREE,
        *,
        deadlines: dict[str, float] | None = None,
        sequential: frozenset[str] = frozenset(),
        most_position: int | None = None,
        patience: Patience = PATIENCE,
        rules: VenueRules = RULES,
        journal: Paper | None = None,
        venues: Iterable[ModelVenue] | None = None,
    ) -> None:
        self._log_level = log.level
        log.setLevel(logging.CRITICAL + 1)  # what venues do here is worth a line each
        self.loop = VirtualLoop(VirtualClock(NOON_NS))
        self.loop.set_exception_handler(self._unhandled)
        self.random = Random(seed)
        self.link = Link() if link is None else link
        self.policies, self.limits, self.patience, self.rules = policies, limits, patience, rules
        self.deadlines, self.sequential = deadlines or {}, sequential
        self.most_position = most_position
        self.journal = journal or Paper([])
        made = (ModelVenue(name, Random(seed + place)) for place, name in enumerate(("a", "b")))
        self.venues = {venue.name: venue for venue in venues or made}
        self.counts: Counter[str] = Counter()
        self.unhandled: list[dict[str, Any]] = []
        self.told: list[Any] = []
        self.handles: list[OrderHandle] = []
        self.waiting: list[tuple[int, OrderHandle]] = []  # and when it is to be answered
        self.finals: list[asyncio.Task[Execution]] = []
        self.draining = False
        self.forgot = False  # facts were lost with a journal that failed
        self.system: System | None = None
        self.checks = Checks(self)
        for name, venue in self.venues.items():
            venue.arrives = partial(self.checks.arrives, name)
        self.start()

    def _unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        left_over = isinstance(context.get("exception"), NotRunning) and self.counts["crashes"]  # a dead process' timer
        if self.system is not None and not left_over:
            self.unhandled.append(context)

    # --- life ------------------------------------------------------------------------------------------------------

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        result = self.loop.run_until_complete(coroutine)
        assert not self.unhandled, self.unhandled
        return result

    def pass_time(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @property
    def forgetful(self) -> bool:
        """Whether facts are missing in the journal."""
        return self.forgot or self.journal.full

    def start(self) -> None:
        self.run(self._start())

    async def _start(self) -> None:
        blotter = Blotter(self.journal, self.random)
        blotter.begin(self.loop.clock.now_ns())
        self.office = office = Office(blotter, Gate(self.limits, blotter.ledger, _price, self.loop.clock), _price)
        office.strategies.update({name: name for name in ("s", "t")})
        office.routers.update({name: f"routers/{name}" for name in self.policies})
        self.gateways = {name: self._gateway(venue) for name, venue in self.venues.items()}
        self.wanted_failures = Counter[str]()
        self.system = System(self._tree(), self.loop.clock)
        self.system.collector = Uncollected()
        await self.system.start()

    def _gateway(self, venue: ModelVenue) -> ModelGateway:
        gateway = ModelGateway(venue, self.link, Random(self.random.random()), self.rules)
        gateway.leaves = partial(self.checks.leaves, venue.name)
        return gateway

    def _tree(self) -> Supervisor:
        ears = [ChildSpec(name, partial(Ears, self.told), EARS) for name in ("s", "t")]
        desks = {name: self.desk(next(iter(self.policies)), name) for name in ("s", "t")}
        return Supervisor(
            (
                Supervisor(tuple(self._venue(name) for name in self.venues), id="venues", intensity=1_000),
                Supervisor(tuple(self._router(name) for name in self.policies), id="routers", intensity=1_000),
                ChildSpec("controls", partial(Controls, self.office, lambda: desks), BOX),
                *ears,
            )
        )

    def _venue(self, name: str) -> ChildSpec:
        office, gateway = self.office, self.gateways[name]
        return ChildSpec(name, lambda: Venue(name, gateway, office, self.patience, self.random), BOX)

    def _router(self, name: str) -> ChildSpec:
        office = self.office
        return ChildSpec(name, lambda: Router(name, self.policies[name], office, stop_wait_s=0.2), BOX)

    def stop(self) -> None:
        """In an orderly way: what is not over by then is journalled as unknown."""
        assert self.system is not None
        report = self.run(self.system.stop())
        ended = [step for step in report.steps if step.path != "routers/faulty"]  # which may fail at that moment, too
        assert all(step.reason.kind is Exit.SHUTDOWN for step in ended), report
        for leg in self.ledger.legs.values():
            assert leg.terminal or leg.state is OrderState.UNKNOWN, f"after the stop {leg.leg.id} is {leg.state}"
        for handle in self.handles:
            assert handle.done, f"after the stop nobody answered for {handle.order}"
        self._forget()

    def _forget(self) -> None:
        """What a former process knew is gone."""
        if self.journal.full:
            self.forgot = True
            self.checks.forget()
        self.system, self.draining = None, False
        for final in self.finals:
            final.cancel()
        self.handles, self.waiting, self.finals = [], [], []

    def restart(self, jump_ns: int = 0) -> None:
        """`jump_ns`: how much the machine's clock is another one then."""
        self.stop()
        self._jump(jump_ns)
        self.counts["restarts"] += 1
        self.journal = self.journal.again()
        self.start()

    def crash(self, jump_ns: int = 0) -> None:
        """The process is gone without a word: nothing of it is written or sent any more."""
        assert self.system is not None
        system = self.system
        for gateway in self.gateways.values():
            gateway.mute()
        self.checks.hear()
        self._forget()
        self.journal = self.journal.again()
        self.run(self._bury(system))
        self.told.clear()
        self._jump(jump_ns)
        self.counts["crashes"] += 1
        self.start()

    async def _bury(self, system: System) -> None:
        system.root.kill()
        own = asyncio.current_task()
        while tasks := [task for task in asyncio.all_tasks() if task is not own]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _jump(self, jump_ns: int) -> None:
        self.loop.clock._wall_minus_monotonic_ns += jump_ns  # pyright: ignore[reportPrivateUsage]  # no clock can jump

    def close(self) -> None:
        for gateway in self.gateways.values():
            gateway.mute()
        if self.system is not None:
            system = self.system
            self._forget()
            self.run(self._bury(system))
        self.loop.close()
        log.setLevel(self._log_level)

    # --- orders ----------------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        return self.office.ledger

    def ref(self, path: str) -> ActorRef[Any]:
        assert self.system is not None
        return self.system.ref(path)

    def desk(self, router: str, strategy: str = "s") -> Desk:
        return Desk(strategy, router, self.office, lambda: self.ref(f"routers/{router}"))

    def order(
        self, router: str, side: Side, quantity: int, limit: Number | None = "100", terms: Terms = PLAIN,
        strategy: str = "s",
    ) -> OrderHandle:  # fmt: skip
        """`quantity` in increments."""

        async def submit() -> OrderHandle:
            handle = self.desk(router, strategy).submit(self.loop.clock, side, BTC, f"{quantity}e-4", limit, terms)
            self.finals.append(asyncio.get_running_loop().create_task(handle.final()))
            return handle

        handle: OrderHandle = self.run(submit())
        self.handles.append(handle)
        if router in self.deadlines:
            due_ns = self.loop.clock.monotonic_ns() + round(self.deadlines[router] * NS)
            self.waiting.append((due_ns, handle))
        return handle

    def give_up_waiting(self, handle: OrderHandle) -> None:
        """The caller's cancellation."""

        async def wait() -> None:
            task = asyncio.get_running_loop().create_task(handle.execution())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        self.run(wait())

    def act(self, action: Callable[[], object]) -> None:
        """Do something on the loop. What cannot be done at this moment is not done."""

        async def act() -> None:
            with contextlib.suppress(RoutingError):
                action()

        self.run(act())

    def ask(self, request: Request[Any]) -> Any:
        """Of the controls."""

        async def ask() -> Any:
            try:
                return await self.ref("controls").ask(request, 30.0)
            except RoutingError as error:
                return error

        return self.run(ask())

    def cancel(self, record: OrderRecord) -> None:
        self.act(lambda: self.desk(record.router, record.order.strategy).cancel(record.order.id))

    def replace(self, record: OrderRecord, quantity: int, limit: Number) -> None:
        desk = self.desk(record.router, record.order.strategy)
        self.act(lambda: desk.replace(record.order.id, f"{quantity}e-4", limit))

    def crash_actor(self, path: str) -> None:
        """Tell it what it does not understand."""
        self.wanted_failures[path] += 1
        self.act(lambda: self.ref(path).tell(Look(), 0))

    def failures(self) -> Counter[str]:
        """Of lives, by place, that nobody asked for."""
        assert self.system is not None
        lives = {cell.path: cell.life.number for cell in self.system.cells() if cell.life is not None}
        return Counter({path: number - 1 for path, number in lives.items()}) - self.wanted_failures

    def heard(self) -> list[Any]:
        """By strategies, since the last time."""
        heard = list(self.told)
        self.told.clear()
        return heard

    # --- the end ---------------------------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """Everything is canceled; first on the way as bad as it is, then on a good one. Then all must be known."""
        for record in tuple(self.ledger.open_orders.values()):
            self.cancel(record)
        self.pass_time(0.3)
        self.checks.step()
        self.link.heal()
        for gateway in self.gateways.values():
            self.act(gateway.break_off)
        waited = 0.0
        self.pass_time(2 * self.patience.live_s)  # what was lost of orders that are over is noticed by the account
        while why := self._not_at_rest():
            assert waited < QUIET_S, why
            self._end_by_other_hands()
            self.pass_time(0.5)
            self.checks.step()
            waited += 0.5
            if not self._not_at_rest():  # what was resolved may not have been all
                self.pass_time(2 * self.patience.live_s)

    def _not_at_rest(self) -> list[str]:
        legs = [leg for record in self.ledger.open_orders.values() for leg in record.legs.values()]
        why = [f"{leg.leg.id} {leg.state} {leg.booked_increments}/{leg.cumulative_increments}" for leg in legs]
        why += [f"{record.order} ended={record.ended}" for record in self.ledger.open_orders.values()]
        why += [f"{name} is closed: {door.closed}" for name, door in self.office.doors.items() if door.closed]
        return why + [f"{item.venue}/{item.name}: {item.what}" for item in self.ledger.quarantine.values()]

    def _end_by_other_hands(self) -> None:
        """What the operator declared over is not canceled by us any more; what he must look at, he resolves."""
        for id in self.checks.resolved | {item.name for item in self.ledger.quarantine.values()}:
            for venue in self.venues.values():
                if id in venue.orders and not venue.orders[id].state.terminal:
                    self.act(partial(venue.end, id, OrderState.CANCELED))
        for name in tuple(self.ledger.quarantine):
            self.ask(Resolve(name))


def _price(instrument: Instrument) -> Quote | None:
    return None
