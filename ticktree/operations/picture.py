"""Takes the picture of a running system, all of it at one instant."""

import asyncio
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

import attrs
import msgspec

from ticktree.actors import System
from ticktree.routing import Ledger, OrderCounts, OrderState
from ticktree.routing.portfolio import RouterCounts, VenueCounts
from ticktree.routing.records import LegRecord, OrderRecord

from ..usage import peak_memory_bytes
from . import status

if TYPE_CHECKING:
    from ..assembly import Assembly

T = TypeVar("T")
MOST_ORDERS = 100
NOT_STARTED = "it has not started"
_PAGE = os.sysconf("SC_PAGE_SIZE")


@attrs.frozen
class Photographer:
    """`metrics`: where they are told over TCP. `began_ns`: when a system that trades nothing started."""

    assembly: "Assembly"
    system: System
    began_ns: int
    metrics: str = ""
    version: str = attrs.field(factory=lambda: version("ticktree"))

    def take(self) -> status.Status:
        """As of now. Nothing else runs meanwhile, so the parts agree."""
        assembly, system = self.assembly, self.system
        app, office, ledger = assembly.app, assembly.office, assembly.office.ledger
        tree, started_ns = system.snapshot(), ledger.began_ns or self.began_ns
        taken = status.Status(
            version=self.version,
            paper=app.paper,
            stopping=system.stopping,
            started_ns=started_ns,
            uptime_s=max(0, assembly.clock.now_ns() - started_ns) / 1e9,
            unwell=(),
            process=_process(),
            loop=status.Loop(
                type(asyncio.get_running_loop()).__module__.partition(".")[0], tree.runnable, tree.blocked_count,
                tree.blocked_longest_ns, tuple(f"{leak.path}: {leak.waits_on}" for leak in tree.leaks),
            ),
            gc=_same(tree.gc, status.Gc),
            feeds={name: _same(account, status.Feed) for name, account in assembly.accounts.items()},
            venues=self._venues(),
            routers=self._routers(),
            strategies={
                part.name: status.Strategy(office.strategies[part.name], part.router, tuple(map(str, part.topics)))
                for part in app.strategies
            },
            orders=_orders(ledger),
            portfolio=_same(ledger.snapshot(office.prices), status.Portfolio),
            latencies=_same(office.latencies.summaries(), dict[str, dict[str, status.Latency]]),
            tree=_same(tree.root, status.Node),
            metrics=self.metrics,
        )  # fmt: skip
        return msgspec.structs.replace(taken, unwell=tuple(_complaints(taken)))

    def _venues(self) -> dict[str, status.Venue]:
        office, found = self.assembly.office, dict[str, status.Venue]()
        names = [part.name for part in self.assembly.app.venues]
        for name, counts in VenueCounts.of(office.ledger, names).items():
            door = office.doors.get(name)
            account, closed = (door.account, door.closed) if door is not None else ("", NOT_STARTED)
            if name not in names:
                if not counts.open:
                    continue
                closed = "the journal has open orders there, and the application has no such venue"
            found[name] = status.Venue(
                account, closed, counts.open, counts.unknown, _by_name(counts.ended), counts.fills, counts.overfilled
            )
        return found

    def _routers(self) -> dict[str, status.Router]:
        office, found = self.assembly.office, dict[str, status.Router]()
        counted = RouterCounts.of(office.ledger, (part.name for part in self.assembly.app.routers))
        for part in self.assembly.app.routers:
            counts = counted[part.name]
            found[part.name] = status.Router(
                repr(part.policy), part.policy.venues, office.draining.get(part.name, ""), counts.open,
                _by_name(counts.ended), counts.fills, counts.overfilled, counts.overfilled_beyond,
            )  # fmt: skip
        return found


def _by_name(ended: Mapping[OrderState, int]) -> dict[str, int]:
    return {state.value: count for state, count in ended.items()}


def _same(value: object, kind: type[T]) -> T:
    """`value` with the fields that `kind` has."""
    return msgspec.convert(value, kind, from_attributes=True)


def _complaints(taken: status.Status) -> Iterator[str]:
    """What keeps it from being as it should be, in a few words each."""
    if taken.stopping:
        yield "it is stopping"
    if taken.orders.halted:
        yield f"trading is halted: {taken.orders.halted}"
    for name, feed in taken.feeds.items():
        if not feed.live:
            yield f"feed {name} is not live"
    for name, venue in taken.venues.items():
        if venue.closed:
            yield f"venue {name} takes no orders: {venue.closed}"
    for name, router in taken.routers.items():
        if router.draining:
            yield f"router {name} takes no orders: {router.draining}"
    for node in taken.tree.walk():
        if node.state in ("restarting", "starting"):
            yield f"{node.path} is {node.state}"


def _orders(ledger: Ledger) -> status.Orders:
    counts = OrderCounts.of(ledger)
    quarantined = {
        name: f"{held.instrument}: {held.what}" for name, held in tuple(ledger.quarantine.items())[:MOST_ORDERS]
    }
    first = nsmallest(MOST_ORDERS, ledger.open_orders.values(), key=lambda one: one.state is not OrderState.UNKNOWN)
    return status.Orders(
        ledger.orders_made, counts.open, counts.unknown_legs, quarantined, counts.fills, counts.overfilled,
        counts.overfilled_beyond, counts.halted, tuple(map(_order, first)),
    )  # fmt: skip


def _order(record: OrderRecord) -> status.Order:
    order = record.order
    return status.Order(
        order.id, order.strategy, record.router, order.instrument.name, order.side.name.lower(), order.quantity,
        order.limit, order.instrument.size(record.filled_increments), record.state.value,
        tuple(_legs(record.legs.values())),
    )  # fmt: skip


def _legs(records: Iterable[LegRecord]) -> Iterator[status.Leg]:
    for record in records:
        leg = record.leg
        filled = leg.ticket.instrument.size(record.booked_increments)
        yield status.Leg(leg.id, leg.venue, record.state.value, filled, record.reason)


def _process() -> status.Process:
    resident = _resident()
    peak = max(peak_memory_bytes(), resident)  # counted apart by the system
    return status.Process(os.getpid(), time.process_time(), resident, peak)


def _resident() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
