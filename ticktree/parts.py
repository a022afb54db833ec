"""What an application is made of, as values: nothing runs, and what does not fit together is refused here."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from ticktree.actors import (
    Mailbox,
    Supervisor,
)
from ticktree.distribution.relay import BUFFER
from ticktree.feeds import Feed, Source
from ticktree.feeds.simulated import Market, SimulatedFeed
from ticktree.market import EventKind, Topic
from ticktree.routing import (
    Durability,
    Limits,
    Patience,
    Policy,
    Timeout,
    VenueRules,
)
from ticktree.routing.venues.simulated import Faults, Latency
from ticktree.strategies import Strategy


class BadApp(ValueError):
    """Parts of an application that do not fit together."""


# Values, and frozen.
USUAL, ANY_RULES, NO_LATENCY, NO_FAULTS, NO_LIMITS = Patience(), VenueRules(), Latency(), Faults(), Limits()
KINDS = (EventKind.QUOTE, EventKind.TRADE, EventKind.BOOK, EventKind.STATUS)


@attrs.frozen
class FeedPart:
    """`[feeds.NAME]`: `make` makes each life of it, a feed's class or a `functools.partial` of one."""

    name: str
    make: Callable[[Source], Feed]
    instruments: tuple[str, ...]
    kinds: tuple[EventKind, ...] = KINDS

    @property
    def topics(self) -> tuple[Topic, ...]:
        """All that it is to bring."""
        return tuple(Topic(self.name, instrument, kind) for instrument in self.instruments for kind in self.kinds)


@attrs.frozen
class SimulatedPart:
    """`[feeds.NAME]` of type "simulated": a feed, and the exchange that it reads over a socket."""

    name: str
    market: Market = attrs.field(factory=Market)
    kinds: tuple[EventKind, ...] = KINDS

    @property
    def instruments(self) -> tuple[str, ...]:
        """What the market has."""
        return tuple(instrument.name for instrument in self.market.instruments)

    @property
    def exchange(self) -> str:
        """The exchange's place beside the feed."""
        return f"{self.name}-exchange"

    @property
    def feed(self) -> FeedPart:
        """The feed alone."""
        make = partial(SimulatedFeed, exchange_path=f"feeds/{self.exchange}")
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
class TcpVenuePart:
    """`[venues.NAME]` of type "tcp": a venue that speaks the order-entry protocol (docs/order-entry-protocol.md)."""

    name: str
    url: str
    account: str
    token: str = attrs.field(default="", repr=False)
    patience: Patience = USUAL


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
    """`[strategies.NAME]`. `mailbox` None: the one its class declares."""

    name: str
    make: Callable[[], Strategy]
    topics: tuple[Topic, ...]
    router: str
    mailbox: Mailbox
    columns: bool = False  # whether it takes whole batches
    pauses_feed: bool = False  # whether its `Block` mailbox may stop its feeds, for everyone
    hand_off: bool = False  # whether its plain handlers may run within the socket's read callback


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
    """`[journal]`: the file that orders are written to before they are sent."""

    path: Path
    durability: Durability = Durability.OS


@attrs.frozen
class App:
    """An application, as a value. `tree()` makes a new supervisor tree of it each time.

    Without `journal` nothing is remembered after the process: for simulated venues alone.
    """

    feeds: tuple[FeedPart | SimulatedPart, ...]
    venues: tuple[VenuePart | TcpVenuePart, ...] = ()
    routers: tuple[RouterPart, ...] = ()
    strategies: tuple[StrategyPart, ...] = ()
    relay: RelayPart | None = None
    servers: tuple[VenueServerPart, ...] = ()
    limits: Limits = NO_LIMITS
    journal: JournalPart | None = None

    def __attrs_post_init__(self) -> None:
        for venue in (*self.venues, *self.servers):
            if not isinstance(venue, TcpVenuePart):
                _known("feed", venue.prices, self.feeds, f"the prices of venue {venue.name}")
            elif self.journal is None:
                raise BadApp(
                    f"venue {venue.name} may be a real one, and nothing would be remembered of its orders after a "
                    "crash; App(journal=JournalPart(Path('orders.journal')))"
                )
        for router in self.routers:
            for name in router.policy.venues:
                _known("venue", name, self.venues, f"router {router.name}")
        for strategy in self.strategies:
            _known("router", strategy.router, self.routers, f"strategy {strategy.name}")
            if not strategy.topics:
                raise BadApp(f'strategy {strategy.name} has no topics; it gets nothing: topics = ("*/BTC-USDT/quote",)')

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

    def tree(self) -> Supervisor:
        """The supervisor tree: started in this order, stopped in reverse."""
        from .assembly import assemble

        return assemble(self).tree


def strategy_part(strategy: type[Strategy], router: str = "default") -> StrategyPart:
    """What a strategy's class declares. Raises `BadTopic`."""
    topics = tuple(map(Topic.parse, strategy.topics))
    mailbox = strategy.fitted(strategy.mailbox)
    return StrategyPart(strategy.__name__.lower(), strategy, topics, router, mailbox, strategy.takes_columns())


def _check_class(given: object) -> None:
    if not (isinstance(given, type) and issubclass(given, Strategy)):
        raise BadApp(f"run takes an App or a subclass of Strategy (the class, not an object); not {given!r}")


def _known(kind: str, name: str, parts: Iterable[Any], who: str) -> None:
    names = [part.name for part in parts]
    if name not in names:
        nearest = get_close_matches(name, names, 1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"there is {', '.join(names) or 'none'}"
        raise BadApp(f"{who} names the {kind} {name!r}, which is not there; {hint}")
