"""What an application is made of, as values: nothing runs, and what does not fit together is refused here."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import attrs
import msgspec

from ticktree.actors import Backoff, Mailbox, NoDelay, RestartStrategy, Supervisor
from ticktree.distribution.relay import BUFFER
from ticktree.feeds import Feed, Source
from ticktree.feeds.simulated import Market, SimulatedFeed
from ticktree.market import EventKind, Instrument, Topic
from ticktree.routing import (
    Durability,
    Gateway,
    Limits,
    Patience,
    Policy,
    Timeout,
    VenueRules,
)
from ticktree.routing.venues.simulated import Faults, Latency
from ticktree.routing.venues.tcp import TcpGateway
from ticktree.strategies import Strategy, fitting


class BadApp(ValueError):
    """Parts of an application that do not fit together."""


NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}", re.ASCII)
A_NAME: Final = "a name is 1 to 64 letters, digits and _ . : -, and begins with one of the first three"

# Values, and frozen.
USUAL, ANY_RULES, NO_LATENCY, NO_FAULTS, NO_LIMITS = Patience(), VenueRules(), Latency(), Faults(), Limits()
ANYWHERE = ("tcp://127.0.0.1:0",)
KINDS = (EventKind.QUOTE, EventKind.TRADE, EventKind.BOOK, EventKind.STATUS)


def class_name(make: Any) -> str:
    """`package.module:Class` of what makes its objects: a class, a `partial` or a `Maker` of one. Options, which may be
    secret, are not told."""
    kind: Any = getattr(make, "kind", None) or getattr(make, "func", None) or make
    return f"{getattr(kind, '__module__', '')}:{getattr(kind, '__qualname__', type(kind).__qualname__)}"


@attrs.frozen
class FeedPart:
    """`[feeds.NAME]`: `make` makes each life of it, a feed's class or a `functools.partial` of one.

    `record`: the folder that what arrives is recorded to. `type`: what its class is called in configurations. The
    others as in `feeds.Source`.
    """

    name: str
    make: Callable[[Source], Feed] = attrs.field(repr=class_name)
    instruments: tuple[str, ...]
    kinds: tuple[EventKind, ...] = KINDS
    record: Path | None = None
    stale_after_s: float | None = None
    on_bad: Literal["skip", "reconnect"] = "skip"
    backoff: Backoff = attrs.field(factory=Backoff)
    type: str = ""

    @property
    def topics(self) -> tuple[Topic, ...]:
        """All that it is to bring."""
        return tuple(Topic(self.name, instrument, kind) for instrument in self.instruments for kind in self.kinds)


@attrs.frozen
class SimulatedPart:
    """`[feeds.NAME]` of type "simulated": a feed, and the exchange that it reads over a socket, at one of `listen`."""

    name: str
    market: Market = attrs.field(factory=Market)
    kinds: tuple[EventKind, ...] = KINDS
    listen: tuple[str, ...] = ANYWHERE

    @property
    def instruments(self) -> tuple[str, ...]:
        """What the market has."""
        return tuple(instrument.name for instrument in self.market.instruments)

    @property
    def exchange(self) -> str:
        """The exchange's place beside the feed."""
        return f"{self.name}-exchange"

    def feed(self, exchange_path: str) -> FeedPart:
        """The feed alone, of the exchange that stands there in the tree."""
        make = partial(SimulatedFeed, exchange_path=exchange_path)
        return FeedPart(self.name, make, self.instruments, self.kinds)


@attrs.frozen
class VenuePart:
    """`[venues.NAME]` of type "simulated": matches against what the feed `prices` brings. `seed` draws its faults."""

    name: str
    prices: str
    latency: Latency = NO_LATENCY
    rules: VenueRules = ANY_RULES
    faults: Faults = NO_FAULTS
    seed: int | None = None
    patience: Patience = USUAL


@attrs.frozen
class GatewayPart:
    """`[venues.NAME]` of any other type: `make` makes the gateway of each life of its actor.

    `prices`: the feed that a simulated venue in its place matches against, when the application is rehearsed.
    """

    name: str
    make: Callable[[], Gateway] = attrs.field(repr=class_name)
    patience: Patience = USUAL
    prices: str = ""


@attrs.frozen
class TcpVenuePart:
    """`[venues.NAME]` of type "tcp": a venue that speaks the order-entry protocol (docs/order-entry-protocol.md)."""

    name: str
    url: str
    account: str
    token: str = attrs.field(default="", repr=False)
    patience: Patience = USUAL
    prices: str = ""

    @property
    def gateway(self) -> GatewayPart:
        """As any venue that is spoken to through a gateway."""
        make = partial(TcpGateway, self.url, self.account, self.token)
        return GatewayPart(self.name, make, self.patience, self.prices)


@attrs.frozen
class VenueServerPart:
    """A simulated venue for other processes, at the addresses of `listen`. `accounts`: name -> token, may be empty on
    this machine."""

    name: str
    prices: str
    listen: tuple[str, ...]
    accounts: Mapping[str, str] = attrs.field(repr=False)
    rules: VenueRules = ANY_RULES
    seed: int | None = None


@attrs.frozen
class RouterPart:
    """`[routers.NAME]`."""

    name: str
    policy: Policy


@attrs.frozen
class StrategyPart:
    """`[strategies.NAME]`. `params`: of its class' `params_type`; None: all defaults."""

    name: str
    make: Callable[[], Strategy]
    topics: tuple[Topic, ...]
    router: str
    mailbox: Mailbox
    columns: bool = False  # whether it takes whole batches
    pauses_feed: bool = False  # whether its `Block` mailbox may stop its feeds, for everyone
    hand_off: bool = False  # whether its plain handlers may run within the socket's read callback
    params: msgspec.Struct | None = None


@attrs.frozen
class RelayPart:
    """`[relay]`: other processes may have what the feeds bring, at the addresses of `listen`.

    `buffer`: of each client, how much may wait for it and what happens then. `token`: what they must say; needed beyond
    this machine. `pauses_feed`: whether `Block` buffers may stop the feeds, for everyone.
    """

    listen: tuple[str, ...]
    token: str = attrs.field(default="", repr=False)
    buffer: Mailbox = BUFFER
    pauses_feed: bool = False


@attrs.frozen
class JournalPart:
    """`[system] journal`: the file that orders are written to before they are sent."""

    path: Path
    durability: Durability = Durability.OS


@attrs.frozen
class GroupPart:
    """How one supervisor treats its children: at most `intensity` restarts within `period_s`, `delay` before each.

    `members`: the names of those children of a room that stand together under a supervisor of their own; the rooms
    themselves and the root have none.
    """

    strategy: RestartStrategy = RestartStrategy.ONE_FOR_ONE
    intensity: int = 5
    period_s: float = 30.0
    delay: NoDelay | Backoff = attrs.field(factory=NoDelay)
    members: tuple[str, ...] = ()


ROOMS = ("venues", "routers", "servers", "strategies", "feeds")


@attrs.frozen
class SupervisionPart:
    """`[supervision]`: the root's own rules, those of the rooms by their name, and groups within rooms.

    `groups` are by room and name. A member's place in the tree is `room/group/member` then.
    """

    root: GroupPart = attrs.field(factory=lambda: GroupPart(intensity=3))
    rooms: Mapping[str, GroupPart] = attrs.field(factory=dict[str, GroupPart])
    groups: Mapping[str, Mapping[str, GroupPart]] = attrs.field(factory=dict[str, Mapping[str, GroupPart]])

    def place(self, room: str, name: str) -> str:
        """Where the child `name` of `room` stands in the tree."""
        for group, part in self.groups.get(room, {}).items():
            if name in part.members:
                return f"{room}/{group}/{name}"
        return f"{room}/{name}"


@attrs.frozen
class OperationsPart:
    """`[operations]`: the Unix socket at which a running system is asked and told things (`ticktree status`...).

    `metrics`: also answer `/metrics` and `/health`, and nothing else, over TCP at this "host:port".
    """

    socket: Path
    metrics: str = ""


@attrs.frozen
class SystemPart:
    """`[system]`: of the process. `budget_s` bounds the stop; `watchdog_s` is how long the loop may be blocked before
    that is told; `opens_within_s` how long the start waits for venues that are not ready. `preload`: libraries that
    must be in the process; the commands begin it anew with them, `ticktree.run` only looks."""

    loop: Literal["uvloop", "asyncio"] = "uvloop"
    budget_s: float = 10.0
    watchdog_s: float = 0.25
    opens_within_s: float = 3.0
    cpus: tuple[int, ...] | None = None
    preload: tuple[Path, ...] = ()
    log: Literal["human", "json"] = "human"


AnyVenue = VenuePart | TcpVenuePart | GatewayPart


@attrs.frozen
class App:
    """An application, as a value. `tree()` makes a new supervisor tree of it each time.

    Without `journal` nothing is remembered after the process: for simulated venues alone. `instruments`: what tables of
    data, which say nothing of increments, are read with in back-tests.
    """

    feeds: tuple[FeedPart | SimulatedPart, ...]
    venues: tuple[AnyVenue, ...] = ()
    routers: tuple[RouterPart, ...] = ()
    strategies: tuple[StrategyPart, ...] = ()
    relay: RelayPart | None = None
    servers: tuple[VenueServerPart, ...] = ()
    limits: Limits = NO_LIMITS
    journal: JournalPart | None = None
    supervision: SupervisionPart = attrs.field(factory=SupervisionPart)
    operations: OperationsPart | None = None
    system: SystemPart = attrs.field(factory=SystemPart)
    instruments: tuple[Instrument, ...] = ()

    def __attrs_post_init__(self) -> None:
        self._check_names()
        for venue in (*self.venues, *self.servers):
            if isinstance(venue, VenuePart | VenueServerPart):
                _known("feed", venue.prices, self.feeds, f"the prices of venue {venue.name}")
            elif self.journal is None:
                raise BadApp(
                    f"venue {venue.name} may be a real one, and nothing would be remembered of its orders after a "
                    "crash; App(journal=JournalPart(Path('orders.journal')))"
                )
        for router in self.routers:
            for name in router.policy.venues:
                _known("venue", name, self.venues, f"router {router.name}")
        self._check_groups()
        for strategy in self.strategies:
            _known("router", strategy.router, self.routers, f"strategy {strategy.name}")
            if not strategy.topics:
                raise BadApp(f'strategy {strategy.name} has no topics; it gets nothing: topics = ("*/BTC-USDT/quote",)')

    def children(self, room: str) -> tuple[str, ...]:
        """The names of all that stands in a room: the parts there, and exchanges of simulated feeds before them."""
        parts: Iterable[Any] = getattr(self, room)
        return tuple(
            name
            for part in parts
            for name in ((part.exchange, part.name) if isinstance(part, SimulatedPart) else (part.name,))
        )

    def _check_names(self) -> None:
        for room in ROOMS:
            for part in getattr(self, room):
                if not NAME.fullmatch(part.name):
                    raise BadApp(f"{part.name!r} of {room}: {A_NAME}")
            for name, count in Counter(self.children(room)).items():
                if count > 1:
                    raise BadApp(f"{count} of {room} are called {name}; each has a name of its own")

    def _check_groups(self) -> None:
        named = {room: self.children(room) for room in ROOMS}
        for room in (*self.supervision.groups, *self.supervision.rooms):
            if room not in named:
                raise BadApp(f"supervision is of the rooms {', '.join(ROOMS)}; not of {room!r}")
        if any(part.members for part in (self.supervision.root, *self.supervision.rooms.values())):
            raise BadApp("only groups have members: SupervisionPart(groups={room: {name: GroupPart(members=...)}})")
        for room, groups in self.supervision.groups.items():
            placed = dict[str, str]()
            for group, part in groups.items():
                if not NAME.fullmatch(group):
                    raise BadApp(f"the group {group!r} of {room}: {A_NAME}")
                if not part.members or group in named[room]:
                    raise BadApp(f"the group {group} of {room} needs members, and a name that none of {room} has")
                for member in part.members:
                    if member not in named[room]:
                        raise BadApp(f"the group {group} names {member!r}, and {room} are {', '.join(named[room])}")
                    if member in placed:
                        raise BadApp(f"{member} stands in one group of {room}, not in {placed[member]} and {group}")
                    placed[member] = group

    @classmethod
    def simulated(cls, strategy: type[Strategy]) -> "App":
        """`strategy` on a simulated exchange and a paper venue. Raises `BadApp`, `BadTopic`."""
        _check_class(strategy)
        return cls(
            feeds=(SimulatedPart("simulated"),),
            venues=(VenuePart("paper", prices="simulated"),),
            routers=(RouterPart("default", Timeout("paper", deadline_s=0.25)),),
            strategies=(strategy_part(strategy),),
        )

    @property
    def paper(self) -> bool:
        """Whether nothing is ever sent to a real venue: all there are are simulated in this process."""
        return all(isinstance(venue, VenuePart) for venue in self.venues)

    def tree(self) -> Supervisor:
        """The supervisor tree: started in this order, stopped in reverse."""
        from .assembly import assemble

        return assemble(self).tree


def strategy_part(
    strategy: type[Strategy], router: str = "default", name: str | None = None, params: msgspec.Struct | None = None
) -> StrategyPart:
    """What a strategy's class declares; its `name` is the class' in lower case unless told, and its `params` all
    defaults. Raises `BadTopic`, `BadParams`."""
    topics = tuple(map(Topic.parse, strategy.topics))
    mailbox = strategy.fitted(strategy.mailbox)
    return StrategyPart(
        name or strategy.__name__.lower(), strategy, topics, router, mailbox, strategy.takes_columns(),
        params=fitting(strategy, params),
    )  # fmt: skip


def _check_class(given: object) -> None:
    if not (isinstance(given, type) and issubclass(given, Strategy)):
        raise BadApp(f"run takes an App or a subclass of Strategy (the class, not an object); not {given!r}")


def _known(kind: str, name: str, parts: Iterable[Any], who: str) -> None:
    names = [part.name for part in parts]
    if name not in names:
        nearest = get_close_matches(name, names, 1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"there is {', '.join(names) or 'none'}"
        raise BadApp(f"{who} names the {kind} {name!r}, which is not there; {hint}")
