"""`python -m tests.routing.proof.killed JOURNAL URL`: forks traders that are killed in the middle of orders.

This process has neither loop nor threads. For each line on its stdin, a number, it forks a trader that takes the
journal up, prints `known {"venue": position}` once everything is reconciled, waits for SIGUSR1, and then trades as fast
as it can with that seed until it is killed; each fill that its strategy is told of is printed as `told VENUE/ID`. When
the trader is gone, `gone` is printed. With the number 0 it cancels what is open instead, prints and ends.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from weakref import WeakKeyDictionary

from ticktree.actors import (
    Actor,
    Backoff,
    Block,
    ChildSpec,
    DropOldest,
    LiveClock,
    Mailbox,
    Supervisor,
    System,
    run_system,
)
from ticktree.market import Side
from ticktree.routing.blotter import Blotter
from ticktree.routing.desk import Desk
from ticktree.routing.errors import UnknownOrder
from ticktree.routing.gateway import Gateway, VenueRules
from ticktree.routing.journal import Journal
from ticktree.routing.keeper import JournalKeeper
from ticktree.routing.office import Office
from ticktree.routing.orders import Fill, OrderState, Terms, TimeInForce
from ticktree.routing.policies import AllOf, AnyOf, Policy, Timeout
from ticktree.routing.pursuit import Patience
from ticktree.routing.risk import Gate, Limits, SelfTrade
from ticktree.routing.router import Router
from ticktree.routing.venue import Venue
from ticktree.routing.venues.tcp import TcpGateway

from ...market.samples import BTC

VENUES = ("a", "b")
RULES = VenueRules(not_found_grace_s=0.02)
PATIENCE = Patience(ack_s=0.5, again_s=0.02, look_s=0.005, live_s=0.2)
POLICIES: dict[str, Policy] = {
    "timeout": Timeout("a", deadline_s=0.05),
    "any": AnyOf(VENUES, deadline_s=0.1),
    "all": AllOf(VENUES, deadline_s=0.1),
}
BOX, EARS = Mailbox(1_000, Block()), Mailbox(10_000, DropOldest())
OPEN_MOST = 40


def say(what: str) -> None:
    os.write(1, f"{what}\n".encode())


class Trader(Actor[Any]):
    """Trades in all ways, and says what it is told."""

    def __init__(self, office: Office, seed: int) -> None:
        self.office, self.random, self.trades = office, Random(seed), False
        self.wants_the_end = seed == 0

    def on_start(self) -> None:
        self.office.strategies["s"] = self.path
        self.every(0.001, "look")
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._begin)
        self.said = False

    def _begin(self) -> None:
        self.trades = True

    def on_message(self, message: Any) -> None:
        if isinstance(message, Fill):
            say(f"told {message.venue}/{message.execution_id}")
        elif message == "look":
            self._look()

    def _look(self) -> None:
        if not self.said and self._is_known():
            self.said = True
            held = {name: self.office.ledger.positions.at_venue(name, BTC.name) for name in VENUES}
            say(f"known {json.dumps(held)}")
        elif self.said and self.trades:
            for _ in range(self.random.randint(1, 4)):
                self._trade()
        elif self.wants_the_end:
            for record in tuple(self.office.ledger.open_orders.values()):
                self._desk(record.router).cancel(record.order.id)

    def _is_known(self) -> bool:
        doors, ledger = self.office.doors.values(), self.office.ledger
        legs = [leg for name in VENUES for leg in ledger.at(name).values()]
        rests = not any(leg.state is OrderState.UNKNOWN or not leg.agreed for leg in legs)
        over = not self.wants_the_end or not ledger.open_orders
        return len(doors) == len(VENUES) and not any(door.closed for door in doors) and rests and over

    def _trade(self) -> None:
        draw, ledger = self.random, self.office.ledger
        if len(ledger.open_orders) >= OPEN_MOST or (ledger.open_orders and draw.random() < 0.3):
            record = draw.choice(list(ledger.open_orders.values()))
            try:
                self._desk(record.router).cancel(record.order.id)
            except UnknownOrder:
                pass
            return
        side, router = draw.choice(list(Side)), draw.choice(list(POLICIES))
        limit = draw.choice(("99", "100.25", "101"))
        terms = Terms(draw.choice((TimeInForce.GTC, TimeInForce.IOC)))
        self._desk(router).submit(self.clock, side, BTC, f"{draw.randint(1, 20)}e-4", limit, terms)

    def _desk(self, router: str) -> Desk:
        return Desk("s", router, self.office, lambda: self.find(f"routers/{router}"))


OFFICES: "WeakKeyDictionary[System, Office]" = WeakKeyDictionary()


def system(
    path: str, url: str, seed: int, *, gateways: Mapping[str, Gateway] | None = None, trades: bool = True
) -> System:
    """A trader at two venues; `gateways`: others than its own. Without `trades` whoever has it trades."""
    blotter, clock = Blotter(Journal(Path(path))), LiveClock()
    gate = Gate(Limits(self_trade=SelfTrade.ALLOW), blotter.ledger, lambda _: None, clock)
    office = Office(blotter, gate, lambda _: None)
    office.routers.update({name: f"routers/{name}" for name in POLICIES})
    backoff = Backoff(base_s=0.001, ceiling_s=0.01)

    def venue(name: str) -> ChildSpec:
        gateway = TcpGateway(url, name, backoff=backoff) if gateways is None else gateways[name]
        return ChildSpec(name, lambda: Venue(name, gateway, office, PATIENCE), BOX)

    def router(name: str) -> ChildSpec:
        return ChildSpec(name, lambda: Router(name, POLICIES[name], office), BOX)

    trader = ChildSpec("s", lambda: Trader(office, seed), EARS)
    tree = Supervisor(
        (
            ChildSpec("journal", lambda: JournalKeeper(blotter), BOX),
            Supervisor(tuple(map(venue, VENUES)), id="venues"),
            Supervisor(tuple(map(router, POLICIES)), id="routers"),
            *((trader,) if trades else ()),
        )
    )
    made = System(tree, clock, watchdog_s=0.0)
    OFFICES[made] = office
    return made


def office_of(made: System) -> Office:
    """What its actors share."""
    return OFFICES[made]


def main(path: str, url: str) -> None:
    for seed in map(int, sys.stdin):
        child = os.fork()
        if not child:
            code = 1
            try:
                code = run_system(partial(system, path, url, seed)).exit_code
            finally:
                os._exit(code)
        say(f"born {child}")
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main(*sys.argv[1:])
