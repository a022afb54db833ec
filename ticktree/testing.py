"""Try strategies in virtual time: a test says what the market does, and sees what they send.

    def test_it_buys_when_the_price_rises() -> None:
        with Trial(Momentum) as trial:
            for price in (100, 101, 102):
                trial.quote("BTC-USDT", price, price + 1)
            assert trial.ordered == ["buy 0.01 BTC-USDT at 102"]
            assert trial.position("BTC-USDT") == Decimal("0.01")

Routers, limits, venues and the strategies are those that run live; feeds bring what the test says, and nothing else: no
sockets, no files, no waiting. The same test does the same each time.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, TypeVar

import attrs
import msgspec

from .actors import Actor, Exit, System, VirtualClock, VirtualLoop
from .assembly import assemble
from .feeds import Source
from .market import (
    MARKS,
    Batch,
    BookUpdate,
    Data,
    Event,
    EventKind,
    Instrument,
    InstrumentIds,
    Level,
    OrderBook,
    Quote,
    Side,
    Topic,
    Trade,
)
from .parts import App, BadApp, FeedPart, RouterPart, SystemPart, VenuePart, strategy_part
from .routing import Execution, Halt, Limits, Order, Policy, PortfolioSnapshot, Resume, Timeout
from .strategies import Strategy

S = TypeVar("S", bound=Strategy)
T = TypeVar("T")

BEGAN_NS = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC
KINDS = tuple(EventKind)
PRICE, SIZE = Decimal("0.01"), Decimal("0.0001")  # increments of what is named by text
AT_REST_S = 0.001


class Trial:
    """One strategy, or an application, in virtual time. Use it in a `with`, in a plain function.

    what         a class, which gets a paper venue; or an `App`, as of `ticktree.load`: its feeds are silent, its venues
                 simulated, its orders forgotten
    params       of that class; all defaults, unless told
    instruments  what its feed "trial" brings: `Instrument`s, or names, which have a price increment of 0.01 and a size
                 increment of 0.0001. Of an App, those that differ from that
    policy       of that class' router: one paper venue and a deadline of 250 ms, unless told
    limits       of what is risked; none, unless told

    A handler that raises fails the call that led to it, with its own traceback.
    """

    def __init__(
        self,
        what: type[Strategy] | App,
        params: msgspec.Struct | None = None,
        *,
        instruments: Iterable[Instrument | str] = ("BTC-USDT", "ETH-USDT"),
        policy: Policy | None = None,
        limits: Limits | None = None,
    ) -> None:
        told = [one if isinstance(one, Instrument) else _named(one) for one in instruments]
        if isinstance(what, App):
            if params is not None or policy is not None or limits is not None:
                raise BadApp("an App says its params, policies and limits itself; Trial(app, instruments=...)")
            app = _silenced(what)
        else:
            app = _alone(what, params, told, policy or Timeout("paper", deadline_s=0.25), limits or Limits())
        self._clock = VirtualClock(BEGAN_NS)
        self._runner = asyncio.Runner(loop_factory=lambda: VirtualLoop(self._clock))
        self._assembly = assemble(app, self._clock)
        self._system = System(self._assembly.tree, self._clock)
        self._hub, self._ledger = self._assembly.hub, self._assembly.office.ledger
        self._instruments = _adopted(app, told, self._hub.ids)
        self._ports = {feed.name: _Feed(feed.name, feed.topics) for feed in app.feeds if isinstance(feed, FeedPart)}
        self._sequence = 0

    def __enter__(self) -> "Trial":
        for port in self._ports.values():
            self._hub.attach(port)
        self._runner.__enter__()
        self._run(self._system.start())
        self.wait(AT_REST_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._run(self._system.stop())
            if error is None:
                self._complain()
        finally:
            self._runner.__exit__(kind, error, at)

    # --- what the market does --------------------------------------------------------------------------------------

    def quote(self, instrument: str, bid: float, ask: float, *, size: float = 1.0, feed: str = "") -> Quote:
        """So much is bid and asked for now, `size` of each. `feed`: which tells it; the first one, unless told."""
        now_ns = self.now_ns
        quote = Quote(
            self._feed(feed), self.instrument(instrument), bid, size if bid else 0.0, ask, size if ask else 0.0,
            self._next(), now_ns, now_ns,
        )  # fmt: skip
        self.tell(quote)
        return quote

    def trade(
        self, instrument: str, price: float, size: float = 1.0, *, aggressor: Side | None = None, feed: str = ""
    ) -> Trade:
        """Somebody trades now."""
        now_ns, known = self.now_ns, self.instrument(instrument)
        trade = Trade(self._feed(feed), known, price, size, aggressor, self._next(), now_ns, now_ns)
        self.tell(trade)
        return trade

    def book(
        self,
        instrument: str,
        bids: Sequence[Level] = (),
        asks: Sequence[Level] = (),
        *,
        snapshot: bool = True,
        feed: str = "",
    ) -> BookUpdate:
        """These (price, size) are the whole book; without `snapshot`, those that changed, size 0 for gone."""
        now_ns, number, known = self.now_ns, self._next(), self.instrument(instrument)
        update = BookUpdate(
            self._feed(feed), known, tuple(bids), tuple(asks), snapshot, number, number, now_ns, now_ns
        )  # fmt: skip
        self.tell(update)
        return update

    def tell(self, *events: Event, columns: bool = False) -> None:
        """Any events of one feed, in this order: data that follow one another as one batch, with `columns` as rows;
        marks, as `Stale`, in their place. Then everybody comes to rest."""
        self._run(self._told(events, columns))
        self.wait(AT_REST_S)

    def wait(self, seconds: float) -> None:
        """So much time passes, in none; timers and deadlines within it are due."""
        self._run(self._clock.sleep(seconds))
        self._complain()

    def halt(self, reason: str = "a trial") -> None:
        """The operator halts trading."""
        self._run(self._system.ref("controls").ask(Halt(reason), 1.0))
        self.wait(AT_REST_S)

    def resume(self) -> None:
        """The operator lets it go on."""
        self._run(self._system.ref("controls").ask(Resume(), 1.0))
        self.wait(AT_REST_S)

    def restart(self, name: str = "") -> None:
        """The life of the strategy of that name ends, and the next one begins; the first one, unless told."""
        self._run(self._killed(self._cell(name)))
        self.wait(0.1)

    # --- what came of it -------------------------------------------------------------------------------------------

    @property
    def orders(self) -> tuple[Execution, ...]:
        """All orders there ever were, in the order they came, as they stand now."""
        return tuple(record.execution() for record in self._ledger.orders.values())

    @property
    def ordered(self) -> list[str]:
        """The same in words, as in "buy 0.01 BTC-USDT at 101"."""
        return [str(record.order) for record in self._ledger.orders.values()]

    @property
    def working(self) -> tuple[Order, ...]:
        """Orders that are out, oldest first."""
        return tuple(record.order for record in self._ledger.open_orders.values())

    def position(self, instrument: str) -> Decimal:
        """Over all strategies."""
        known = self.instrument(instrument)
        return known.size(self._ledger.position(known.name))

    @property
    def portfolio(self) -> PortfolioSnapshot:
        """What is held and earned, at the freshest prices."""
        return self._ledger.snapshot(self._assembly.office.prices)

    @property
    def halted(self) -> str:
        """Why nothing new is sent; empty while it is."""
        return self._ledger.halted

    def strategy(self, kind: type[S], name: str = "") -> S:
        """The object that lives now, to look at; of the first strategy, unless a name is told."""
        life = self._cell(name).life
        actor = None if life is None else life.actor
        if not isinstance(actor, kind):
            raise TypeError(f"the strategy is a {type(actor).__name__}, and no {kind.__name__}")
        return actor

    # --- what an event of one's own needs ----------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """What o'clock it is, in nanoseconds since 1970."""
        return self._clock.now_ns()

    def instrument(self, name: str) -> Instrument:
        """As feeds define it here."""
        if name not in self._instruments:
            known = ", ".join(self._instruments)
            raise BadApp(f"there is no instrument {name!r} in this trial: {known}; Trial(..., instruments=[{name!r}])")
        return self._instruments[name]

    # -----------------------------------------------------------------------------------------------------------------

    async def _told(self, events: Iterable[Event], columns: bool) -> None:
        data = list[Data]()
        for event in events:
            if isinstance(event, MARKS):
                self._publish(data, columns)
                self._hub.mark(event)
                data = []
            else:
                if isinstance(event, BookUpdate):
                    self._ports[self._feed(event.feed)].take(event)
                data.append(event)
        self._publish(data, columns)

    async def _killed(self, cell: Any) -> None:
        cell.kill()

    def _publish(self, data: list[Data], columns: bool) -> None:
        if data:
            batch = Batch(self._feed(data[0].feed), self._hub.ids, events=data)
            self._hub.publish(Batch(batch.feed, self._hub.ids, ticks=batch.ticks) if columns else batch)

    def _feed(self, name: str) -> str:
        """`name`, or the first one's."""
        if name and name not in self._ports:
            raise BadApp(f"there is no feed {name!r} in this trial: {', '.join(self._ports)}")
        return name or next(iter(self._ports))

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _cell(self, name: str) -> Any:
        places = self._assembly.office.strategies
        if name and name not in places:
            raise BadApp(f"there is no strategy {name!r} in this trial: {', '.join(places)}")
        path = places[name or next(iter(places))]
        return next(cell for cell in self._system.cells() if cell.path == path)

    def _run(self, what: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(what)

    def _complain(self) -> None:
        """Whoever failed since the last look fails the test."""
        for cell in self._system.cells():
            reason = cell.last_reason
            if reason is not None and reason.kind is Exit.ERROR and reason.error is not None:
                cell.last_reason = None
                raise reason.error


class _Feed:
    """A feed that a test speaks for: it answers who wants a book anew."""

    def __init__(self, name: str, topics: tuple[Topic, ...]) -> None:
        self.name, self.topics = name, topics
        self._books = dict[str, tuple[Instrument, OrderBook]]()

    def take(self, update: BookUpdate) -> None:
        """A book changed, before anybody hears of it."""
        _, book = self._books.setdefault(update.instrument.name, (update.instrument, OrderBook()))
        book.apply(update)

    def books(self) -> Iterable[BookUpdate]:
        """A snapshot of each."""
        return [update for name in self._books if (update := self.book(name)) is not None]

    def book(self, instrument: str) -> BookUpdate | None:
        """A snapshot of that one."""
        if instrument not in self._books:
            return None
        known, book = self._books[instrument]
        return book.snapshot(self.name, known, BEGAN_NS)

    def pause(self, holder: object) -> None:
        """What a test says is said."""

    def resume(self, holder: object) -> None:
        """Likewise."""


class _Silent(Actor[Any]):
    """Stands where a feed would."""


def _silent(source: Source) -> Any:
    return _Silent()


def _named(name: str) -> Instrument:
    return Instrument(name, 0, PRICE, SIZE)


def _adopted(app: App, told: Iterable[Instrument], ids: InstrumentIds) -> dict[str, Instrument]:
    """All that its feeds bring, each known by an id, as `told` or with the usual increments."""
    known = {one.name: one for one in told}
    names = dict.fromkeys(name for feed in app.feeds for name in feed.instruments)
    return {name: ids.adopt(known.get(name) or _named(name)) for name in names}


def _alone(
    strategy: type[Strategy], params: msgspec.Struct | None, told: Sequence[Instrument], policy: Policy, limits: Limits
) -> App:
    names = tuple(one.name for one in told)
    return App(
        feeds=(FeedPart("trial", _silent, names, KINDS),),
        venues=tuple(VenuePart(name, "trial") for name in policy.venues),
        routers=(RouterPart("default", policy),),
        strategies=(strategy_part(strategy, params=params),),
        limits=limits,
    )


def _silenced(app: App) -> App:
    """It, without all that would leave this process."""
    return attrs.evolve(
        app,
        feeds=tuple(FeedPart(feed.name, _silent, feed.instruments, feed.kinds) for feed in app.feeds),
        venues=tuple(map(_simulated, app.venues)),
        relay=None, servers=(), journal=None, operations=None, system=SystemPart(),
    )  # fmt: skip


def _simulated(venue: Any) -> VenuePart:
    if isinstance(venue, VenuePart):
        return venue
    if not venue.prices:
        raise BadApp(
            f'venue {venue.name} is not simulated; say what it would match against: prices="the name of a feed"'
        )
    return VenuePart(venue.name, venue.prices, patience=venue.patience)
