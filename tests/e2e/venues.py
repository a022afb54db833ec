"""A program for tests: a market, and three venues where things go wrong, in a process of their own, until Ctrl-C.

    python -m tests.e2e.venues '{"relay": URL, "listen": {"a": URL, ...}, "seed": 1, "venue": {...}, "line": {...}}'

`venue` and `line` are the fields of `Faults` and `LineFaults`; venues are called as `listen` says. Those named in
`deaf` hear no cancels until SIGUSR2; then no execution is busted any more, either. At that moment, and at the end, it
prints what truly happened at each venue, as a line of JSON.
"""

import json
import signal
import sys
from collections import Counter
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any, cast

import attrs

from ticktree.actors import ChildSpec, Clock, LiveClock, Supervisor
from ticktree.app import App, RelayPart, SimulatedPart, Subscriber, Wanted, assemble, run_assembly
from ticktree.assembly import PRICES
from ticktree.console import log_to_stdout
from ticktree.distribution import Hub
from ticktree.feeds.simulated import Market
from ticktree.market import EventKind, Side, Topic
from ticktree.routing import Fees, Report, Ticket, VenueRules
from ticktree.routing.venues.simulated import Engine, Faults, FaultyVenue
from ticktree.routing.venues.tcp import LineFaults, VenueServer

ACCOUNT = "me"
RULES = VenueRules(fees=Fees(maker=Decimal("-0.0001"), taker=Decimal("0.0004")), not_found_grace_s=0.1)


class MischievousEngine:
    """An engine that turns orders down for no reason, fills what is being canceled, and busts executions."""

    def __init__(self, name: str, seed: int, clock: Clock, faults: Faults) -> None:
        self.engine = Engine(name, RULES, Random(seed), self._said)
        self._venue = FaultyVenue(self.engine, clock, Random(seed), faults)
        self.submits: Counter[str] = Counter()
        self.deaf = False

    def _said(self, account: str, report: Report) -> None:
        self._venue.on_report(account, report)

    def submit(self, account: str, ticket: Ticket, now_ns: int) -> None:
        self.submits[ticket.client_id] += 1
        self._venue.submit(account, ticket)

    def cancel(self, account: str, client_id: str, now_ns: int) -> None:
        if not self.deaf:
            self._venue.cancel(account, client_id)

    def behave(self) -> None:
        self.deaf = False
        self._venue.stop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def truth(self) -> dict[str, Any]:
        """All orders, executions and positions there ever were."""
        orders = self.engine.orders(ACCOUNT)
        executions = {
            one.id: [order, one.instrument, one.side is Side.BUY, one.quantity_increments, one.price_increments]
            for order, entry in orders.items()
            for one in entry.executions.values()
        }
        return {
            "venue": self.engine.name,
            "orders": {name: [order.state, order.filled_increments] for name, order in orders.items()},
            "executions": executions,
            "positions": {name: self.engine.position(ACCOUNT, name) for name in ("BTC-USDT", "ETH-USDT")},
            "submitted_twice": [name for name, count in self.submits.items() if count > 1],
        }


def servers(engines: list[MischievousEngine], listen: dict[str, str], line: LineFaults, hub: Hub) -> Supervisor:
    specs = [ChildSpec("prices", lambda: Subscriber(hub, {f"servers/{name}": wanted for name in listen}), PRICES)]
    wanted = Wanted((Topic("market", "*", EventKind.QUOTE), Topic("market", "*", EventKind.TRADE)))
    for place, engine in enumerate(engines):
        name = engine.engine.name
        faults = attrs.evolve(line, seed=line.seed + place)
        make = partial(
            VenueServer, name, cast(Any, engine), {ACCOUNT: ""}, listen=(listen[name],), faults=faults, heartbeat_s=0.5
        )
        specs.insert(-1, ChildSpec(name, make, PRICES))
    return Supervisor(tuple(specs), id="servers")


def behave(engines: list[MischievousEngine]) -> None:
    """Nothing goes wrong any more. Tells how things stand."""
    for engine in engines:
        engine.behave()
        print(json.dumps(engine.truth()), flush=True)


def main(config: str) -> None:
    told = json.loads(config)
    log_to_stdout()
    seed, listen, clock = told["seed"], told["listen"], LiveClock()
    market = Market(seed=seed, interval_s=0.01, depth=5)
    app = App((SimulatedPart("market", market),), relay=RelayPart((told["relay"],)))
    assembly = assemble(app, clock)
    faults, line = Faults(**told.get("venue", {})), LineFaults(**{"seed": seed, **told.get("line", {})})
    engines = [MischievousEngine(name, seed + place, clock, faults) for place, name in enumerate(listen)]
    for engine in engines:
        engine.deaf = engine.engine.name in told.get("deaf", ())
    signal.signal(signal.SIGUSR2, lambda number, frame: behave(engines))
    report = run_assembly(assembly, servers(engines, listen, line, assembly.hub))
    for engine in engines:
        print(json.dumps(engine.truth()), flush=True)
    unaccounted = sum(abs(node.mailbox.unaccounted) for node in report.actors)
    print(json.dumps({"unaccounted": unaccounted, "exit_code": report.exit_code}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
