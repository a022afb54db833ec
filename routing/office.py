"""What the actors of one loop share in order to trade: facts, limits, prices, latencies, and which venues are ready."""

from collections.abc import Callable, Mapping

import attrs

from ticktree.market import Instrument, Quote

from .blotter import Blotter
from .gateway import VenueRules
from .latency import StageLatencies
from .ledger import Ledger, News
from .orders import OrderHandle
from .risk import Gate


@attrs.define(eq=False)
class VenueDoor:
    """What everybody may know of a venue: where it stands in the tree, its rules, whether it takes orders."""

    path: str
    account: str
    rules: VenueRules
    closed: str = "it has not started"  # why it takes no orders; empty when it does
    unheard: list[tuple[str, News]] = attrs.field(factory=list[tuple[str, News]])  # for routers that do not keep up


@attrs.define(eq=False)
class Office:
    """Plain objects, used from the loop's thread only."""

    blotter: Blotter
    gate: Gate
    prices: Callable[[Instrument], Quote | None]
    routers: dict[str, str] = attrs.field(factory=dict[str, str])  # name -> path in the tree
    strategies: dict[str, str] = attrs.field(factory=dict[str, str])  # likewise
    draining: dict[str, str] = attrs.field(factory=dict[str, str])  # router -> why it takes no orders
    doors: dict[str, VenueDoor] = attrs.field(factory=dict[str, VenueDoor])
    handles: dict[str, OrderHandle] = attrs.field(factory=dict[str, OrderHandle])
    latencies: StageLatencies = attrs.field(factory=StageLatencies)

    def home(self, router: str) -> str:
        """Which router looks after orders of `router`: itself, or the first, where it is not there any more."""
        return router if router in self.routers else next(iter(self.routers), router)

    @property
    def ledger(self) -> Ledger:
        """What is known."""
        return self.blotter.ledger

    @property
    def rules(self) -> Mapping[str, VenueRules]:
        """What each venue declares."""
        return {name: door.rules for name, door in self.doors.items()}
