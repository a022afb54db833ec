"""From the value of an application to its supervisor tree, and the plain objects that its actors share."""

from functools import cache, partial
from random import Random
from typing import Any

import attrs

from ticktree.actors import (
    Actor,
    ActorRef,
    Block,
    ChildSpec,
    Clock,
    Conflate,
    DropOldest,
    Fail,
    LiveClock,
    Mailbox,
    Supervisor,
)
from ticktree.distribution import Hub, Relay
from ticktree.feeds import FeedAccount, Source
from ticktree.feeds.simulated import SimulatedExchange
from ticktree.market import EventKind, Topic, batch_rows, latest_quote
from ticktree.routing import (
    Blotter,
    Controls,
    Desk,
    Gate,
    Journal,
    JournalKeeper,
    Ledger,
    Office,
    Portfolio,
    Prices,
    Router,
    Venue,
)
from ticktree.routing.venues.simulated import Engine, SimulatedGateway
from ticktree.routing.venues.tcp import TcpGateway, VenueServer
from ticktree.strategies import Strategy
from ticktree.strategies.strategy import ROWS_AT_ONCE

from .parts import (
    App,
    FeedPart,
    RelayPart,
    RouterPart,
    SimulatedPart,
    StrategyPart,
    TcpVenuePart,
    VenuePart,
    VenueServerPart,
)


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
    office: Office
    accounts: dict[str, FeedAccount]
    clock: Clock


FEW = Mailbox(1_024, Fail())
ORDERS = Mailbox(4_096, Block())
PRICES = Mailbox(65_536, Conflate(latest_quote, otherwise=DropOldest()), batch_rows)
QUOTES = Topic("*", "*", EventKind.QUOTE)


def assemble(app: App, clock: Clock | None = None) -> Assembly:
    """Make what `app` describes, on `clock` (live by default). Nothing runs yet."""
    clock = clock or LiveClock()
    trades = bool(app.venues)
    hub = Hub(keep=(QUOTES,) if trades else ())  # the freshest quotes, for limits and profit
    office = _office(app, hub, clock)
    accounts = {feed.name: FeedAccount() for feed in app.feeds}
    wanted: dict[str, Wanted] = {}
    wanted |= {f"venues/{part.name}": _market(part) for part in app.venues if isinstance(part, VenuePart)}
    wanted |= {f"servers/{part.name}": _market(part) for part in app.servers}
    wanted |= {
        f"strategies/{strategy.name}": Wanted(
            strategy.topics, None if strategy.columns else ROWS_AT_ONCE, strategy.pauses_feed
        )
        for strategy in app.strategies
    }
    desks: dict[str, Desk] = {}
    groups: tuple[ChildSpec | Supervisor, ...] = (
        *([ChildSpec("journal", lambda: JournalKeeper(office.blotter), FEW)] if trades else []),
        _group("venues", [_venue(venue, office) for venue in app.venues]),
        _group("routers", [_router(router, office) for router in app.routers]),
        *([ChildSpec("portfolio", lambda: Portfolio(office), FEW)] if trades else []),
        *([ChildSpec("controls", lambda: Controls(office, lambda: desks), FEW)] if trades else []),
        *([_group("servers", [_server(server) for server in app.servers])] if app.servers else []),
        ChildSpec("hub", lambda: Subscriber(hub, wanted), FEW),
        _group("strategies", [_strategy(strategy, app, office, hub, desks) for strategy in app.strategies]),
        *([_relay(app.relay, hub)] if app.relay else []),
        _group("feeds", [spec for feed in app.feeds for spec in _feed(feed, hub, accounts[feed.name])]),
    )
    return Assembly(Supervisor(groups, intensity=3, period_s=30.0, id="ticktree"), hub, office, accounts, clock)


def _group(id: str, children: list[ChildSpec]) -> Supervisor:
    return Supervisor(tuple(children), intensity=5, period_s=30.0, id=id)


def _office(app: App, hub: Hub, clock: Clock) -> Office:
    journal = Journal(app.journal.path, app.journal.durability) if app.journal is not None else None
    blotter, prices = Blotter(journal), Prices(hub.last_quote)
    return Office(
        blotter, Gate(app.limits, blotter.ledger, prices, clock), prices,
        routers={router.name: f"routers/{router.name}" for router in app.routers},
        strategies={strategy.name: f"strategies/{strategy.name}" for strategy in app.strategies},
    )  # fmt: skip


def _market(part: VenuePart | VenueServerPart) -> Wanted:
    """What a simulated venue matches against."""
    kinds = EventKind.QUOTE, EventKind.TRADE
    return Wanted(tuple(Topic(part.prices, "*", kind) for kind in kinds))


def _venue(part: VenuePart | TcpVenuePart, office: Office) -> ChildSpec:
    if isinstance(part, TcpVenuePart):
        make = partial(TcpGateway, part.url, part.account, part.token)
        return ChildSpec(part.name, lambda: Venue(part.name, make(), office, part.patience), ORDERS, hand_off=True)
    # The exchange outlives the actor in front of it, as real ones do.
    engine = Engine(part.name, part.rules, Random(part.seed))

    def start() -> Venue:
        gateway = SimulatedGateway(engine, latency=part.latency, faults=part.faults)
        _restore(engine, gateway.account, office.ledger)
        return Venue(part.name, gateway, office, part.patience, Random(part.seed))

    return ChildSpec(part.name, start, PRICES, hand_off=True)


def _restore(engine: Engine, account: str, ledger: Ledger) -> None:
    """A venue in this process ends with it; the next one holds what the journal says."""
    venue, legs = engine.name, ledger.at(engine.name).values()
    positions = {
        name: ledger.positions.at_venue(venue, name) + ledger.adopted[venue, name] for name in ledger.instruments
    }
    orders = {record.leg.ticket: record.booked_increments for record in legs}
    engine.restore(account, positions, orders, max((record.sequence for record in legs), default=0))


def _server(part: VenueServerPart) -> ChildSpec:
    engine = Engine(part.name, part.rules, Random(part.seed))
    return ChildSpec(part.name, lambda: VenueServer(part.name, engine, part.accounts, listen=part.listen), PRICES)


def _router(part: RouterPart, office: Office) -> ChildSpec:
    return ChildSpec(part.name, lambda: Router(part.name, part.policy, office), ORDERS, hand_off=True)


def _strategy(part: StrategyPart, app: App, office: Office, hub: Hub, desks: dict[str, Desk]) -> ChildSpec:
    policy = next((repr(router.policy) for router in app.routers if router.name == part.router), "")

    def start() -> Strategy:
        strategy = part.make()

        @cache
        def router() -> ActorRef[Any]:
            return strategy.find(f"routers/{part.router}")

        desks[part.name] = desk = Desk(part.name, part.router, office, router, policy)
        strategy.sit_at(desk)
        strategy.ask_for_books(lambda feed, instrument: hub.resend_book(strategy.ref, feed, instrument))
        return strategy

    return ChildSpec(part.name, start, part.mailbox, hand_off=part.hand_off)


def _relay(part: RelayPart, hub: Hub) -> Supervisor:
    relay = Relay(hub, listen=part.listen, token=part.token, buffer=part.buffer, pauses_feed=part.pauses_feed)
    return relay.tree()


def _feed(part: FeedPart | SimulatedPart, hub: Hub, account: FeedAccount) -> list[ChildSpec]:
    if isinstance(part, SimulatedPart):
        exchange = ChildSpec(part.exchange, lambda: SimulatedExchange(part.name, part.market), FEW)
        return [exchange, *_feed(part.feed, hub, account)]
    source = Source(part.name, part.topics, hub, hub.ids, account)
    return [ChildSpec(part.name, lambda: part.make(source), FEW)]
