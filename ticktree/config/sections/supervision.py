"""`[supervision]`."""

from typing import Annotated, Literal

from msgspec import field

from ..values import Duration, duration
from .feeds import Backoff
from .section import Section, Whole, eg


class Supervisor(Section, frozen=True, kw_only=True):
    """How one supervisor treats its children.

    strategy   who else is restarted when a child is
    intensity  restarts within `period`; with one more it gives up, and its own supervisor decides
    period     see `intensity`
    delay      before each restart: none, or as a feed's `backoff`
    """

    strategy: Literal["one_for_one", "one_for_all", "rest_for_one"] = "one_for_one"
    intensity: Whole = 5
    period: Annotated[Duration, eg("30s")] = duration("30s")
    delay: Annotated[Literal["none"] | Backoff, eg({"base": "100ms", "ceiling": "10s"})] = "none"


class Group(Supervisor, frozen=True, kw_only=True):
    """Children of a room that stand together, under a supervisor of their own.

    members  which, by their names
    """

    members: Annotated[tuple[str, ...], eg(["binance"])]


class Room(Supervisor, frozen=True, kw_only=True):
    """All venues, routers, strategies or feeds.

    groups  groups of them, by name
    """

    groups: dict[str, Group] = field(default_factory=dict[str, Group])


class Supervision(Supervisor, frozen=True, kw_only=True):
    """The tree of supervisors. What is written here is of its root.

    intensity   restarts within `period`; with one more the process ends
    venues      of the venues
    routers     of the routers
    strategies  of the strategies
    feeds       of the feeds
    """

    intensity: Whole = 3
    venues: Room = Room()
    routers: Room = Room()
    strategies: Room = Room()
    feeds: Room = Room()
