"""The street: what stands outside a trader's door, as a program. Two exchanges and three venues, all simulated.

    python -m ticktree.demo.street [SEED] [CUT_S]

`north` speaks the wire protocol over TCP, `south` its JSON dialect over WebSockets, and their prices follow each other.
The venues speak the order-entry protocol; each matches against one of the exchanges, with fees, liquidity and answers
of its own. `CUT_S`: when south breaks all its connections off, in the middle of a message, once.
"""

import logging
import os
import sys
from decimal import Decimal
from functools import partial
from random import Random

import attrs
from msgspec.structs import replace

from ticktree.actors import Actor, ChildSpec, Supervisor
from ticktree.app import App, Assembly, FeedPart, assemble, run_assembly
from ticktree.assembly import FEW, PRICES
from ticktree.distribution import Hub
from ticktree.feeds.simulated import BTC_USDT, ETH_USDT, Faults, Prices, SimulatedExchange, SimulatedFeed
from ticktree.feeds.simulated.exchange import Where as WhereIsExchange
from ticktree.market import EventKind, Quote, Topic
from ticktree.routing import Fees, VenueRules
from ticktree.routing.venues.simulated import Engine
from ticktree.routing.venues.tcp import LineFaults, VenueServer
from ticktree.routing.venues.tcp.venue_server import Where as WhereIsVenue

from .markets import FollowingExchange, pair
from .places import ACCOUNT, INSTRUMENTS, NORTH, SOUTH, VENUES

log = logging.getLogger("ticktree.demo")

KINDS = EventKind.QUOTE, EventKind.TRADE  # what venues match against
ASK_S = 5.0


@attrs.frozen
class Floor:
    """One venue: which exchange's prices it has, how much of the sizes, what it charges, and how slowly it answers."""

    name: str
    exchange: str
    liquidity: float
    fees: Fees
    delay_s: float
    jitter_s: float = 0.0


FLOORS = (
    Floor(VENUES[0], NORTH, 1.0, Fees(maker=Decimal("-0.00005"), taker=Decimal("0.0001")), 0.0003, 0.0003),
    Floor(VENUES[1], SOUTH, 0.5, Fees(maker=Decimal("-0.00002"), taker=Decimal("0.00005")), 0.0008, 0.0008),
    Floor(VENUES[2], NORTH, 0.2, Fees(maker=Decimal(0), taker=Decimal("0.00002")), 0.0015, 0.0015),
)


class ThinEngine(Engine):
    """A venue that displays only a part of what its exchange does."""

    def __init__(self, floor: Floor, seed: int) -> None:
        super().__init__(floor.name, VenueRules(fees=floor.fees), Random(seed))
        self._part = floor.liquidity

    def on_quote(self, quote: Quote) -> None:
        part = self._part
        super().on_quote(replace(quote, bid_size=quote.bid_size * part, ask_size=quote.ask_size * part))


class Venue(VenueServer):
    """A venue server that asks for its prices itself."""

    def __init__(self, floor: Floor, engine: Engine, hub: Hub) -> None:
        line = LineFaults(delay_s=floor.delay_s, jitter_s=floor.jitter_s)
        super().__init__(floor.name, engine, {ACCOUNT: ""}, (BTC_USDT, ETH_USDT), faults=line)
        self._hub, self._topics = hub, [Topic(floor.exchange, "*", kind) for kind in KINDS]

    async def on_start(self) -> None:
        await super().on_start()
        self._hub.subscribe(self.ref, self._topics)


class Crier(Actor[None]):
    """Says where everybody is: `URL  name`, a line each."""

    async def on_start(self) -> None:
        for name, scheme in ((NORTH, "tcp"), (SOUTH, "ws")):
            urls: dict[str, str] = await self.find(f"exchanges/{name}").ask(WhereIsExchange(), ASK_S)
            print(f"{urls[scheme]}  {name}", flush=True)
        for floor in FLOORS:
            (url,) = await self.find(floor.name).ask(WhereIsVenue(), ASK_S)
            print(f"{url}  {floor.name}", flush=True)
        log.info("open, as process %d", os.getpid())


def exchanges(seed: int, cut_s: float | None) -> Supervisor:
    """The two, in order. They are not restarted: clients would look for them at the addresses that were said."""
    leads, follows = pair(seed)
    cut_at = [] if cut_s is None else [round(cut_s / follows.interval_s) * follows.steps_a_turn]
    norths: list[SimulatedExchange] = []

    def north() -> SimulatedExchange:
        norths.append(made := SimulatedExchange(NORTH, leads))
        return made

    def leader() -> Prices:
        return norths[-1].prices

    listen = "ws://127.0.0.1:0/", "tcp://127.0.0.1:0"
    south = partial(FollowingExchange, SOUTH, follows, listen, Faults(disconnects=cut_at), leader)
    return Supervisor((ChildSpec(NORTH, north, FEW), ChildSpec(SOUTH, south, FEW)), intensity=0, id="exchanges")


def feed(name: str) -> FeedPart:
    """What the venues know of an exchange: as all others, what it says over a socket."""
    return FeedPart(name, partial(SimulatedFeed, exchange_path=f"exchanges/{name}"), INSTRUMENTS, KINDS)


def venue(floor: Floor, seed: int, hub: Hub) -> ChildSpec:
    """One venue; its engine outlives the lives of the server."""
    engine = ThinEngine(floor, seed)
    return ChildSpec(floor.name, lambda: Venue(floor, engine, hub), PRICES)


def street(seed: int, cut_s: float | None) -> tuple[Assembly, list[ChildSpec]]:
    """All of it, and who stands in it besides feeds."""
    assembly = assemble(App(feeds=(feed(NORTH), feed(SOUTH))))
    children = exchanges(seed, cut_s), *assembly.tree.children
    assembly.tree = attrs.evolve(assembly.tree, children=children)
    venues = [venue(floor, seed, assembly.hub) for floor in FLOORS]
    return assembly, [*venues, ChildSpec("crier", Crier, FEW)]


def main(arguments: list[str]) -> int:
    """Until SIGTERM."""
    logging.basicConfig(format="%(message)s", level=logging.ERROR)  # what goes wrong here is told by who feels it
    log.setLevel(logging.INFO)
    seed = int(arguments[0]) if arguments else 1
    cut_s = float(arguments[1]) if arguments[1:] else None
    assembly, audience = street(seed, cut_s)
    return run_assembly(assembly, *audience).exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
