"""The gateway to a simulated venue in this process: the way there and back, with latency and faults when wanted.

Without latency and faults everything happens within the call: `submit` is answered before it returns, `start` reports
the session up. While reports of the engine are going out, what is asked from within one is done after the last of them.

A session may be lost, by a fault or by `reset`. All that is on its way is lost with it, both ways, so that `on_up`
says `former_closed` whenever the next one stands. What the venue says while there is no session, nobody hears.

As in protocols that number their messages, a replace that comes twice, or after a later one of the same order, does
nothing. A gateway may be stopped and started again. Where several share an engine, one of them tells it the market.
"""

from collections.abc import Callable
from functools import partial
from random import Random

import attrs
import msgspec

from ticktree.actors.clock import Alarm
from ticktree.market import Batch, Data, Instrument

from ...errors import NotConnected
from ...gateway import Hears, VenueRules
from ...orders import Ticket
from ...reports import AccountReport, Report, ReportKind, VenueQuote
from .engine import Engine
from .faults import NONE, NS, Faults, FaultyLink, FaultyVenue, happens
from .latency import Latency

Answer = Callable[[VenueQuote | None], None]
Said = Report | AccountReport | tuple[int, VenueQuote | None]  # of a quote: which question it answers


class Unreadable(ValueError):
    """What a venue said could not be read."""


@attrs.define(eq=False)
class _Session:
    """What lives as long as the gateway is started."""

    hears: Hears
    random: Random
    out: FaultyLink[Callable[[], None]]
    back: FaultyLink[Said]
    venue: FaultyVenue
    up: bool = False
    connecting: Alarm | None = None
    expiring: Alarm | None = None
    expires_ns: int | None = None
    questions: dict[int, Answer] = attrs.field(factory=dict[int, Answer])
    asked: int = 0
    replaces: int = 0
    replaced: dict[str, int] = attrs.field(
        factory=dict[str, int]
    )  # client id -> number of the last replace that arrived


class SimulatedGateway:
    """One account at an engine in this process. `pause_s`: how long it takes until a lost session is up again."""

    def __init__(
        self,
        engine: Engine,
        account: str = "paper",
        latency: Latency = Latency(),  # noqa: B008  # frozen
        faults: Faults = NONE,
        pause_s: float = 0.1,
    ) -> None:
        self.engine = engine
        self._account, self._latency, self._faults, self._pause_s = account, latency, faults, pause_s
        self._started: _Session | None = None

    @property
    def rules(self) -> VenueRules:
        """What the engine declares."""
        return self.engine.rules

    @property
    def account(self) -> str:
        """Whose orders these are."""
        return self._account

    # --- the session -----------------------------------------------------------------------------------------------

    def start(self, hears: Hears, random: Random) -> None:
        """Connect: at once without latency, else after the way there and back."""
        self._end()
        clock, faults = hears.clock, self._faults
        random = faults.random(random)
        broken = partial(self._lose, "the connection broke")
        self._started = _Session(
            hears, random,
            FaultyLink(clock, random, faults, self._latency, self._arrive, broken),
            FaultyLink(clock, random, faults, self._latency.returning, self._hear, broken),
            FaultyVenue(self.engine, clock, random, faults),
        )  # fmt: skip
        self.engine.listen(self._account, self._said)
        self._connect(self._latency.draw(random) + self._latency.returning.draw(random))

    async def stop(self) -> None:
        """End the session, for good. Nothing is waited for."""
        self._end()

    def reset(self, reason: str) -> None:
        """End this session; the next one follows after the pause. While there is none, one is on its way anyway."""
        self._lose(reason)

    def _connect(self, after_s: float) -> None:
        session = self._started
        assert session is not None
        if after_s > 0:
            clock = session.hears.clock
            session.connecting = clock.call_at(clock.monotonic_ns() + round(after_s * NS), self._stand)
        else:
            self._stand()

    def _stand(self) -> None:
        session = self._started
        if session is not None:
            session.up, session.connecting = True, None
            self._watch()
            session.hears.on_up(former_closed=True)

    def _lose(self, reason: str) -> None:
        session = self._started
        if session is not None and session.up:
            self._drop(session)
            self._connect(max(self._pause_s, 1e-9))
            session.hears.on_down(reason)

    def _drop(self, session: _Session) -> None:
        """Nothing that is on its way arrives, and no question is answered."""
        session.up = False
        session.out.clear()
        session.back.clear()
        questions, session.questions = session.questions, {}
        for answer in questions.values():
            answer(None)

    def _end(self) -> None:
        session, self._started = self._started, None
        if session is not None:
            session.venue.stop()
            for alarm in (session.connecting, session.expiring):
                if alarm is not None:
                    alarm.cancel()
            self._drop(session)

    # --- what is asked ---------------------------------------------------------------------------------------------

    def submit(self, ticket: Ticket) -> None:
        """Send a new order."""
        session = self._ready()
        session.out.send(partial(session.venue.submit, self._account, ticket))

    def cancel(self, ticket: Ticket) -> None:
        """Take an order back."""
        session = self._ready()
        session.out.send(partial(session.venue.cancel, self._account, ticket.client_id))

    def replace(self, ticket: Ticket, quantity_increments: int, limit_increments: int | None) -> None:
        """Change an order to this whole quantity (what is filled included) and limit."""
        session = self._ready()
        session.replaces += 1
        terms = ticket.client_id, quantity_increments, limit_increments
        session.out.send(partial(self._replace, session, session.replaces, terms))

    def query(self, ticket: Ticket) -> None:
        """Ask what became of an order."""
        session = self._ready()
        session.out.send(lambda: self.engine.query(self._account, ticket.client_id, session.hears.clock.now_ns()))

    def query_fills(self, ticket: Ticket) -> None:
        """Ask for all executions of an order."""
        session = self._ready()
        session.out.send(lambda: self.engine.query_fills(self._account, ticket.client_id, session.hears.clock.now_ns()))

    def query_account(self) -> None:
        """Ask for open orders and positions."""
        session = self._ready()
        session.out.send(
            lambda: self._answer(session, self.engine.account_report(self._account, session.hears.clock.now_ns()))
        )

    def query_quote(self, instrument: Instrument, answer: Answer) -> None:
        """Ask what is displayed."""
        session = self._ready()
        session.asked += 1
        number = session.asked
        session.questions[number] = answer
        session.out.send(
            lambda: self._answer(session, (number, self.engine.quote(instrument, session.hears.clock.now_ns())))
        )

    def _ready(self) -> _Session:
        session = self._started
        if session is None or not session.up:
            raise NotConnected(f"{self.engine.name}: there is no session at the moment")
        return session

    # --- at the venue ----------------------------------------------------------------------------------------------

    def _arrive(self, do: Callable[[], None]) -> None:
        self.engine.in_turn(partial(self._do, do))

    def _do(self, do: Callable[[], None]) -> None:
        do()
        self._watch()

    def _replace(self, session: _Session, number: int, terms: tuple[str, int, int | None]) -> None:
        client_id, quantity, limit = terms
        if number > session.replaced.get(client_id, 0):
            session.replaced[client_id] = number
            self.engine.replace(self._account, client_id, quantity, limit, session.hears.clock.now_ns())

    def on_market(self, event: Data | Batch) -> None:
        """Market data for the engine, from whoever has it; whether or not there is a session."""
        self.engine.on_market(event)

    def _watch(self) -> None:
        """Ring when the next order is due to expire."""
        session, due_ns = self._started, self.engine.next_expiry_ns
        if session is None or due_ns == session.expires_ns:
            return
        if session.expiring is not None:
            session.expiring.cancel()
            session.expiring = None
        session.expires_ns = due_ns
        if due_ns is not None:
            clock = session.hears.clock
            left_ns = max(0, due_ns - clock.now_ns())
            session.expiring = clock.call_at(clock.monotonic_ns() + left_ns, partial(self._expire, session))

    def _expire(self, session: _Session) -> None:
        session.expiring = session.expires_ns = None
        self.engine.expire(session.hears.clock.now_ns())
        self._watch()

    # --- what is said ----------------------------------------------------------------------------------------------

    def _said(self, report: Report) -> None:
        """By the engine, about our account."""
        session = self._started
        if session is None:
            return
        session.venue.on_report(self._account, report)
        self._answer(session, report)

    def _answer(self, session: _Session, said: Said) -> None:
        """On its way, if there is a session."""
        if session.up:
            fill = isinstance(said, Report) and said.kind is ReportKind.FILL
            session.back.send(said, late=fill and happens(self._faults.late_fill, session.random))

    def _hear(self, said: Said) -> None:
        session = self._started
        if session is None or not session.up:
            return
        if happens(self._faults.unreadable, session.random):
            self._garbled(session, said)
        elif isinstance(said, Report):
            session.hears.on_report(msgspec.structs.replace(said, received_ns=session.hears.clock.now_ns()))
        elif isinstance(said, AccountReport):
            session.hears.on_account(said)
        else:
            answer = session.questions.pop(said[0], None)
            if answer is not None:
                answer(said[1])

    def _garbled(self, session: _Session, said: Said) -> None:
        """Sometimes it can still be told which order it was about."""
        client_id = said.client_id if isinstance(said, Report) and session.random.random() < 0.5 else None
        session.hears.on_unreadable(Unreadable(f"{self.engine.name} said something that cannot be read"), client_id)
        self._lose("what came could not be read")
