"""From the value of an application to its supervisor tree, and the plain objects that its actors share."""

from collections.abc import Callable, Iterable, Mapping
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
    DropOldest,
    Fail,
    LiveClock,
    Mailbox,
    Restart,
    Supervisor,
    System,
)
from ticktree.distribution import Hub, NoSuchFeed, Relay
from ticktree.feeds import FeedAccount, Source
from ticktree.feeds.recording import Recorder
from ticktree.feeds.simulated import SimulatedExchange
from ticktree.market import EventKind, Topic, batch_rows
from ticktree.routing import (
    Blotter,
    Controls,
    Desk,
    Gate,
    Journal,
    JournalKeeper,
    Ledger,
    Nowhere,
    Office,
    Portfolio,
    Prices,
    Router,
    Venue,
)
from ticktree.routing.reports import Report
from ticktree.routing.venues.simulated import Engine, SimulatedGateway
from ticktree.routing.venues.tcp import VenueServer
from ticktree.strategies import Strategy
from ticktree.strategies.strategy import ROWS_AT_ONCE

from .opening import Opening
from .parts import (
    AnyVenue,
    App,
    FeedPart,
    GroupPart,
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
            self._hub.subscribe(
                self.find(path), wanted.topics, wanted.most_rows, wanted.pauses_feed, only_while=wanted.only_while
            )


@attrs.frozen
class Wanted:
    """What one subscriber is to get, in pieces of how many rows, and while what says so; None: always."""

    topics: tuple[Topic, ...]
    most_rows: int | None = ROWS_AT_ONCE
    pauses_feed: bool = False
    only_while: Callable[[], bool] | None = None


@attrs.frozen
class Simulation:
    """What a back-test has where a live run has chance and a file: all that is drawn comes from `seed`, all facts about
    orders go to `journal`."""

    seed: int
    journal: Nowhere
    heard: Callable[[str, Report], None]  # what each simulated venue says, when it says it

    def random(self, *names: str) -> Random:
        """What one part of the application draws from, whatever others draw."""
        return Random("/".join((str(self.seed), *names)))


@attrs.define(eq=False)
class Assembly:
    """A tree, and the plain objects that its actors share."""

    app: App
    tree: Supervisor
    hub: Hub
    office: Office
    accounts: dict[str, FeedAccount]
    recorders: dict[str, Recorder]
    clock: Clock
    simulation: Simulation | None = None
    _system: System | None = None

    def system(self, *audience: ChildSpec | Supervisor) -> System:
        """The system of this tree, the same each time; `audience` starts last, stops first, and belongs to nobody."""
        if self._system is None:
            tree = attrs.evolve(self.tree, children=(*self.tree.children, *audience))
            part = self.app.system
            self._system = System(tree, self.clock, budget_s=part.budget_s, watchdog_s=part.watchdog_s, cpus=part.cpus)
            if self.simulation is not None:
                self._system.random = self.simulation.random("restarts")
        return self._system


FEW = Mailbox(1_024, Fail())
ORDERS = Mailbox(4_096, Block())
PRICES = Mailbox(65_536, DropOldest(), batch_rows)  # whole batches: a simulated venue looks at columns
QUOTES = Topic("*", "*", EventKind.QUOTE)


def assemble(app: App, clock: Clock | None = None, simulation: Simulation | None = None) -> Assembly:
    """Make what `app` describes, on `clock` (live by default). Nothing runs yet."""
    clock = clock or LiveClock()
    trades = bool(app.venues)
    hub = Hub(keep=(QUOTES,) if trades or app.strategies else ())  # the freshest: for limits, profit, `Strategy.last`
    office = _office(app, hub, clock, simulation)
    accounts = {feed.name: FeedAccount() for feed in app.feeds}
    recorders = {
        feed.name: Recorder(feed.record) for feed in app.feeds if isinstance(feed, FeedPart) and feed.record is not None
    }
    desks: dict[str, Desk] = {}
    engines = {part.name: _engine(part, simulation) for part in app.venues if isinstance(part, VenuePart)}
    wanted = _wanted(app, hub, engines)
    ranks = {feed.name: rank for rank, feed in enumerate(app.feeds)}

    def source(feed: FeedPart) -> Source:
        random = simulation.random("feed", feed.name) if simulation is not None else Random()
        return Source(
            feed.name, feed.topics, hub, hub.ids, accounts[feed.name], feed.backoff, random, on_bad=feed.on_bad,
            stale_after_s=feed.stale_after_s, tap=recorders.get(feed.name), rank=ranks[feed.name],
        )  # fmt: skip

    # Another life of a feed of files would begin them anew.
    restart = Restart.PERMANENT if simulation is None else Restart.TEMPORARY

    rooms = {
        "venues": [_venue(venue, office, simulation, engines) for venue in app.venues],
        "routers": [_router(router, office) for router in app.routers],
        "servers": [_server(server) for server in app.servers],
        "strategies": [_strategy(strategy, app, office, hub, desks) for strategy in app.strategies],
        "feeds": [spec for feed in app.feeds for spec in _feed(feed, app, source, restart)],
    }

    def room(name: str) -> Supervisor:
        return _room(app, name, rooms[name])

    groups: tuple[ChildSpec | Supervisor, ...] = (
        *([ChildSpec("journal", lambda: JournalKeeper(office.blotter), FEW)] if trades else []),
        room("venues"),
        room("routers"),
        *([ChildSpec("portfolio", lambda: Portfolio(office), FEW)] if trades else []),
        *([ChildSpec("controls", lambda: Controls(office, lambda: desks), FEW)] if trades else []),
        *([ChildSpec("operations", lambda: _operations(assembly), FEW)] if app.operations else []),
        *([room("servers")] if app.servers else []),
        ChildSpec("hub", lambda: Subscriber(hub, wanted), FEW),
        *([ChildSpec("opening", lambda: Opening(office, app.system.opens_within_s), FEW)] if trades else []),
        room("strategies"),
        *([_relay(app.relay, hub)] if app.relay else []),
        room("feeds"),
    )
    assembly = Assembly(
        app, _supervisor("ticktree", app.supervision.root, groups), hub, office, accounts, recorders, clock, simulation
    )
    return assembly


def _operations(assembly: Assembly) -> Actor[Any]:
    from .operations import Operations  # an HTTP server and its metrics, for who wants them

    return Operations(assembly)


def _wanted(app: App, hub: Hub, engines: Mapping[str, Engine]) -> dict[str, Wanted]:
    place, wanted = app.supervision.place, dict[str, Wanted]()
    for part in app.venues:
        if isinstance(part, VenuePart):
            listens = engines[part.name].look_up(partial(hub.last_of, part.prices))
            wanted[place("venues", part.name)] = attrs.evolve(_market(part), only_while=listens)
    wanted |= {place("servers", part.name): _market(part) for part in app.servers}
    wanted |= {
        place("strategies", part.name): Wanted(part.topics, None if part.columns else ROWS_AT_ONCE, part.pauses_feed)
        for part in app.strategies
    }
    return wanted


def _room(app: App, room: str, specs: list[ChildSpec]) -> Supervisor:
    """The supervisor of one room: its groups stand where the first of their members would."""
    children = dict[str, ChildSpec | Supervisor]()
    groups = app.supervision.groups.get(room, {})
    for spec in specs:
        group = next((name for name, part in groups.items() if spec.id in part.members), None)
        if group is None:
            children[spec.id] = spec
        elif group not in children:
            members = [each for each in specs if each.id in groups[group].members]
            children[group] = _supervisor(group, groups[group], members)
    return _supervisor(room, app.supervision.rooms.get(room, GroupPart()), children.values())


def _supervisor(id: str, part: GroupPart, children: Iterable[ChildSpec | Supervisor]) -> Supervisor:
    return Supervisor(tuple(children), part.strategy, part.intensity, part.period_s, id=id, delay=part.delay)


def _office(app: App, hub: Hub, clock: Clock, simulation: Simulation | None) -> Office:
    if simulation is not None:
        blotter = Blotter(simulation.journal, simulation.random("orders"))
    else:
        blotter = Blotter(Journal(app.journal.path, app.journal.durability) if app.journal is not None else None)
    prices = Prices(hub.last_quote)
    return Office(
        blotter, Gate(app.limits, blotter.ledger, prices, clock), prices,
        routers={router.name: app.supervision.place("routers", router.name) for router in app.routers},
        strategies={part.name: app.supervision.place("strategies", part.name) for part in app.strategies},
    )  # fmt: skip


def _market(part: VenuePart | VenueServerPart) -> Wanted:
    """What a simulated venue matches against."""
    kinds = EventKind.QUOTE, EventKind.TRADE
    return Wanted(tuple(Topic(part.prices, "*", kind) for kind in kinds), None)


def _engine(part: VenuePart, simulation: Simulation | None) -> Engine:
    """The exchange outlives the actor in front of it, as real ones do."""

    def heard(account: str, report: Report) -> None:
        if simulation is not None:
            simulation.heard(part.name, report)

    return Engine(part.name, part.rules, _drawn(part, simulation, "engine"), heard)


def _venue(part: AnyVenue, office: Office, simulation: Simulation | None, engines: Mapping[str, Engine]) -> ChildSpec:
    if not isinstance(part, VenuePart):
        made = part.gateway if isinstance(part, TcpVenuePart) else part
        return ChildSpec(made.name, lambda: Venue(made.name, made.make(), office, made.patience), ORDERS, hand_off=True)
    engine = engines[part.name]

    def start() -> Venue:
        gateway = SimulatedGateway(engine, latency=part.latency, faults=part.faults)
        _restore(engine, gateway.account, office.ledger)
        return Venue(part.name, gateway, office, part.patience, _drawn(part, simulation, "venue"))

    return ChildSpec(part.name, start, PRICES, hand_off=True)


def _drawn(part: VenuePart, simulation: Simulation | None, who: str) -> Random:
    return Random(part.seed) if simulation is None or part.seed is not None else simulation.random(who, part.name)


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

    def feeds(instrument: str) -> tuple[str, ...]:
        """Those that tell it that book."""
        return tuple(feed.name for feed in app.feeds if _tells_book(feed, instrument, part.topics))

    def start() -> Strategy:
        strategy = part.make()
        if part.params is not None:
            strategy.take_params(part.params)

        @cache
        def router() -> ActorRef[Any]:
            return strategy.find(office.routers[part.router])

        desks[part.name] = desk = Desk(part.name, part.router, office, router, policy)
        strategy.sit_at(desk)
        strategy.ask_for_books(partial(_resend_book, hub, strategy), feeds)
        return strategy

    return ChildSpec(part.name, start, part.mailbox, hand_off=part.hand_off)


def _tells_book(feed: FeedPart | SimulatedPart, instrument: str, topics: Iterable[Topic]) -> bool:
    """Whether `feed` brings the book of `instrument`, and it is among `topics`."""
    offered = (Topic(feed.name, each, EventKind.BOOK) for each in feed.instruments if EventKind.BOOK in feed.kinds)
    stream = feed.name, instrument, EventKind.BOOK
    return any(each.matches(*stream) for each in offered) and any(topic.matches(*stream) for topic in topics)


def _resend_book(hub: Hub, strategy: Strategy, feed: str, instrument: str) -> bool:
    try:
        return hub.resend_book(strategy.ref, feed, instrument)
    except NoSuchFeed:  # it has not started yet, and tells its books when it does
        return False


def _relay(part: RelayPart, hub: Hub) -> Supervisor:
    relay = Relay(hub, listen=part.listen, token=part.token, buffer=part.buffer, pauses_feed=part.pauses_feed)
    return relay.tree()


def _feed(
    part: FeedPart | SimulatedPart, app: App, make: Callable[[FeedPart], Source], restart: Restart
) -> list[ChildSpec]:
    if isinstance(part, SimulatedPart):
        exchange = ChildSpec(part.exchange, lambda: SimulatedExchange(part.name, part.market, part.listen), FEW)
        return [exchange, *_feed(part.feed(app.supervision.place("feeds", part.exchange)), app, make, restart)]
    source = make(part)
    return [ChildSpec(part.name, lambda: part.make(source), FEW, restart)]
