"""The sections of a configuration: every key with its type and default, and in its section's docstring what it means.

This is the one place where that is said: the reader, `ticktree schema` and docs/configuration.md go by it.
"""

from typing import Final

from .feeds import (
    USUAL_KINDS as USUAL_KINDS,
    Backoff as Backoff,
    Feed as Feed,
    Halt as Halt,
    SimulatedFeed as SimulatedFeed,
)
from .instruments import Instrument as Instrument
from .process import Operations as Operations, Relay as Relay, System as System
from .section import Section as Section, meanings as meanings, purpose as purpose
from .supervision import Group as Group, Room as Room, Supervision as Supervision, Supervisor as Supervisor
from .trading import Mailbox as Mailbox, Risk as Risk, Router as Router, Strategy as Strategy
from .venues import (
    Faults as Faults,
    Fees as Fees,
    Latency as Latency,
    Patience as Patience,
    SimulatedVenue as SimulatedVenue,
    TcpVenue as TcpVenue,
    Tier as Tier,
    Venue as Venue,
    Way as Way,
)

# Every section and its type: what has a name of its own stands once for each. Of two types the `type` decides.
TOP: Final[dict[str, type[Section]]] = {
    "system": System, "risk": Risk, "supervision": Supervision, "relay": Relay, "operations": Operations,
}  # fmt: skip
NAMED: Final[dict[str, tuple[type[Section], ...]]] = {
    "feeds": (Feed, SimulatedFeed),
    "instruments": (Instrument,),
    "venues": (SimulatedVenue, TcpVenue, Venue),
    "routers": (Router,),
    "strategies": (Strategy,),
}
ORDER: Final = (
    "system", "feeds", "instruments", "venues", "routers", "strategies", "risk", "supervision", "relay", "operations",
)  # fmt: skip
