"""The composition root: what an application is made of, as a value; its tree; and running it."""

import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from typing import Any

import attrs

from ticktree.actors import (
    Actor,
    ActorNode,
    ActorRef,
    Block,
    ChildSpec,
    Conflate,
    DropOldest,
    Fail,
    Mailbox,
    StopReport,
    Supervisor,
    System,
    run_system,
)
from ticktree.distribution import Hub, Relay
from ticktree.distribution.relay import BUFFER
from ticktree.feeds import Feed, FeedAccount, Source
from ticktree.feeds.simulated import Market, SimulatedExchange, SimulatedFeed
from ticktree.market import EventKind, Topic, batch_rows, latest_quote
from ticktree.routing import Desk, Policy, Portfolio, Router, Timeout
from ticktree.routing.venues.simulated import SimulatedVenue
from ticktree.strategies import Strategy
from ticktree.strategies.strategy import ROWS_AT_ONCE

from . import console


class BadApp(ValueError):
    """Parts of an application that do not fit together."""


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
    """`[venues.NAME]` of type "simulated": it matches against the quotes of the feed `prices`."""

    name: str
    prices: str
    latency_s: float = 0.0


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
class App:
    """An application, as a value. `tree()` makes a new supervisor tree of it each time."""

    feeds: tuple[FeedPart | SimulatedPart, ...]
    venues: tuple[VenuePart, ...] = ()
    routers: tuple[RouterPart, ...] = ()
    strategies: tuple[StrategyPart, ...] = ()
    relay: RelayPart | None = None

    def __attrs_post_init__(self) -> None:
        for venue in self.venues:
            _known("feed", venue.prices, self.feeds, f"the prices of venue {venue.name}")
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


# --- assembly ------------------------------------------------------------------------------------------------------


class Subscriber(Actor[None]):
    """The hub's place in the tree: it subscribes everyone before the first feed starts.

    Subscriptions belong to places, so one that restarts keeps its own.
    """

    def __init__(self, hub: Hub, wanted: "dict[str, Wanted]") -> None:
        self._hub, self._wanted = hub, wanted

    def on_start(self) -> None:
        for path, wanted in self._wanted.items():
            self._hub.subscribe(self.find(path), wanted.topics, wanted.most_rows, wanted.pauses_feed)


@attrs.frozen
class Wanted:
    """What one subscriber is to get, and in pieces of how many rows."""

    topics: tuple[Topic, ...]
    most_rows: int | None = ROWS_AT_ONCE
    pauses_feed: bool = False


@attrs.frozen
class Assembly:
    """A tree, and the plain objects that its actors share."""

    tree: Supervisor
    hub: Hub
    portfolio: Portfolio
    accounts: dict[str, FeedAccount]


FEW = Mailbox(1_024, Fail())
ORDERS = Mailbox(4_096, Block())
PRICES = Mailbox(65_536, Conflate(latest_quote, otherwise=DropOldest()), batch_rows)


def assemble(app: App) -> Assembly:
    """Make what `app` describes. Nothing runs yet."""
    hub, portfolio = Hub(), Portfolio(_epoch())
    accounts = {feed.name: FeedAccount() for feed in app.feeds}
    wanted: dict[str, Wanted] = {}
    wanted |= {f"venues/{venue.name}": Wanted((Topic(venue.prices, "*", EventKind.QUOTE),)) for venue in app.venues}
    wanted |= {
        f"strategies/{strategy.name}": Wanted(
            strategy.topics, None if strategy.columns else ROWS_AT_ONCE, strategy.pauses_feed
        )
        for strategy in app.strategies
    }
    groups: tuple[ChildSpec | Supervisor, ...] = (
        _group("venues", [_venue(venue, portfolio) for venue in app.venues]),
        _group("routers", [_router(router, app, portfolio) for router in app.routers]),
        ChildSpec("hub", lambda: Subscriber(hub, wanted), FEW),
        _group("strategies", [_strategy(strategy, portfolio, hub) for strategy in app.strategies]),
        *([_relay(app.relay, hub)] if app.relay else []),
        _group("feeds", [spec for feed in app.feeds for spec in _feed(feed, hub, accounts[feed.name])]),
    )
    return Assembly(Supervisor(groups, intensity=3, period_s=30.0, id="ticktree"), hub, portfolio, accounts)


def _group(id: str, children: list[ChildSpec]) -> Supervisor:
    return Supervisor(tuple(children), intensity=5, period_s=30.0, id=id)


def _venue(part: VenuePart, portfolio: Portfolio) -> ChildSpec:
    return ChildSpec(part.name, lambda: SimulatedVenue(part.name, portfolio, part.latency_s), PRICES)


def _router(part: RouterPart, app: App, portfolio: Portfolio) -> ChildSpec:
    venues = {venue.name: f"venues/{venue.name}" for venue in app.venues}
    return ChildSpec(part.name, lambda: Router(part.name, part.policy, venues, portfolio), ORDERS)


def _strategy(part: StrategyPart, portfolio: Portfolio, hub: Hub) -> ChildSpec:
    def start() -> Strategy:
        strategy = part.make()

        def router() -> ActorRef[Any]:
            return strategy.find(f"routers/{part.router}")

        strategy.sit_at(Desk(part.name, part.router, portfolio, router))
        strategy.ask_for_books(lambda feed, instrument: hub.resend_book(strategy.ref, feed, instrument))
        return strategy

    return ChildSpec(part.name, start, part.mailbox)


def _relay(part: RelayPart, hub: Hub) -> Supervisor:
    relay = Relay(hub, listen=part.listen, token=part.token, buffer=part.buffer, pauses_feed=part.pauses_feed)
    return relay.tree()


def _feed(part: FeedPart | SimulatedPart, hub: Hub, account: FeedAccount) -> list[ChildSpec]:
    if isinstance(part, SimulatedPart):
        exchange = ChildSpec(part.exchange, lambda: SimulatedExchange(part.name, part.market), FEW)
        return [exchange, *_feed(part.feed, hub, account)]
    source = Source(part.name, part.topics, hub, hub.ids, account)
    return [ChildSpec(part.name, lambda: part.make(source), FEW)]


def _epoch() -> str:
    """Seconds since 1970 in base 32: short to read, and no two runs of one machine share it."""
    digits, seconds = "", int(time.time())
    while seconds:
        seconds, digit = divmod(seconds, 32)
        digits = "0123456789abcdefghijklmnopqrstuv"[digit] + digits
    return digits


# --- running -------------------------------------------------------------------------------------------------------


@attrs.frozen
class ExitReport:
    """How a run ended. `str()` is the summary."""

    stop: StopReport
    actors: tuple[ActorNode, ...]
    accounts: dict[str, FeedAccount]
    positions: dict[tuple[str, str], Decimal]  # (strategy, instrument) -> what it holds, where that is not 0
    fills: int

    @property
    def exit_code(self) -> int:
        """0 when everything stopped in time and for the wanted reason."""
        return self.stop.exit_code

    def __str__(self) -> str:
        return console.summary(self)


def run(what: App | type[Strategy], loop: str = "uvloop") -> ExitReport:
    """Run an application, or a strategy on a simulated exchange and a paper venue, until Ctrl-C; blocks.

    `loop` is "uvloop" or "asyncio".

    Prints what happens (unless logging is set up already) and a summary. A run that did not end cleanly exits the
    process with its code, 1. Raises `StartFailed` when something could not start.
    """
    app = what if isinstance(what, App) else App.simulated(what)
    console.log_to_stdout()
    assembly = assemble(app)
    report = run_assembly(assembly, System(assembly.tree), loop)
    print(f"\n{report}", flush=True)
    if report.exit_code:
        raise SystemExit(report.exit_code)
    return report


def run_assembly(assembly: Assembly, system: System, loop: str = "uvloop") -> ExitReport:
    """Run `system`, made of the tree of `assembly`, until it ends; blocks."""
    stop = run_system(lambda: system, loop)
    portfolio = assembly.portfolio
    return ExitReport(stop, system.snapshot().actors(), assembly.accounts, portfolio.positions(), portfolio.fills)
