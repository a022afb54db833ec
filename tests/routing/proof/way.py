"""The way to a model venue and back: a gateway that loses, repeats, delays and reorders what is said."""

from collections.abc import Callable
from functools import partial
from random import Random

import attrs

from ticktree.market import Instrument
from ticktree.routing.errors import NotConnected
from ticktree.routing.gateway import Hears, VenueRules
from ticktree.routing.orders import Ticket
from ticktree.routing.reports import AccountReport, Report, VenueQuote

from .model import NS, ModelVenue

ACCOUNT = "acc"
GRACE_S = 0.2  # what still comes of a session that is over comes within this time: the venue's rules say so


@attrs.define
class Link:
    """How bad the way is; `heal` makes it good. Delays in seconds; each message may overtake others.

    `evidence`: the gateway gets to know which of its messages were lost for good.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    longest_s: float = 0.05
    evidence: bool = False
    vague: bool = False  # a session's start need not say that the former one is closed

    def heal(self) -> None:
        self.drop = self.duplicate = 0.0
        self.vague = False


class ModelGateway:
    """To `venue`, over `link`. A session's messages to us end with it; ours may still arrive within the grace."""

    def __init__(self, venue: ModelVenue, link: Link, random: Random, rules: VenueRules) -> None:
        self.venue, self.link, self.rules, self.account = venue, link, rules, ACCOUNT
        self.sent_ns: dict[str, int] = {}  # when each order left
        self.session = 0
        self.up = False
        self.account_told = False  # in this session
        self.heard_of: set[str] = set()  # in this session
        self.sent_in: dict[str, int] = {}  # which session each order left in
        self.leaves: Callable[[Ticket], None] = lambda ticket: None
        self._random = random
        self._hears: Hears | None = None
        self._garbled = 0
        self._last_s = [0.0, 0.0]  # without numbers both ways keep the order
        venue.say = self._say

    def start(self, hears: Hears, random: Random) -> None:
        self._hears = hears
        self.venue.clock = hears.clock
        self._later(0.01, self._connect)

    async def stop(self) -> None:
        self.mute()

    def mute(self) -> None:
        """Whoever heard is gone; what is on its way to the venue arrives."""
        self._hears, self.up = None, False
        self.session += 1

    def reset(self, reason: str) -> None:
        self.break_off(reason)

    def break_off(self, reason: str = "cut") -> None:
        if self._hears is None or not self.up:
            return
        self.up = False
        self.session += 1
        self._hears.on_down(reason)
        self._later(0.02, self._connect)

    def garble(self) -> None:
        """The next word of the venue cannot be read, and is lost."""
        self._garbled += 1

    def _connect(self) -> None:
        if self._hears is not None and not self.up:
            self.up, self.account_told = True, False
            self.session += 1
            self.heard_of.clear()
            self._hears.on_up(not self.link.vague or self._random.random() < 0.7)

    # --- the ways --------------------------------------------------------------------------------------------------

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        """Unless whoever hears is another one by then."""
        hears = self._hears
        self._at(seconds, lambda: call() if self._hears is hears else None)

    def _at(self, seconds: float, call: Callable[[], None]) -> None:
        clock = self.venue.clock
        assert clock is not None
        clock.call_at(clock.monotonic_ns() + round(seconds * NS), call)

    def _delays_s(self, way: int) -> list[float]:
        """One for each copy that arrives."""
        assert self.venue.clock is not None
        copies = (self._random.random() >= self.link.drop) + (self._random.random() < self.link.duplicate)
        delays, now_s = [self._random.uniform(0.0, self.link.longest_s) for _ in range(copies)], 0.0
        if not self.venue.numbered:
            now_s = self.venue.clock.monotonic_ns() / NS
            for place, delay_s in enumerate(delays):
                self._last_s[way] = max(self._last_s[way] + 1e-6, now_s + delay_s)  # timers of one time have no order
                delays[place] = self._last_s[way] - now_s
        return delays

    def _to_venue(self, call: Callable[[], None], what: str = "", client_id: str = "") -> None:
        if not self.up:
            raise NotConnected(f"{self.venue.name} is not connected")
        delays_s = self._delays_s(0)
        for delay_s in delays_s:
            self._at(delay_s, call)
        if not delays_s and self.link.evidence and what:
            self._later(0.05, partial(self._never, client_id, what))

    def _never(self, client_id: str, what: str) -> None:
        if self._hears is not None:
            self._hears.on_never_received(client_id, what)

    def _say(self, report: Report) -> None:
        delays_s = self._delays_s(1) if self.up else []
        self.venue.lost += not delays_s
        for delay_s in delays_s:
            self._at(delay_s, partial(self._hear, self.session, report))

    def hear(self, report: Report) -> None:
        """At once."""
        self._hear(self.session, report)

    def _hear(self, session: int, report: Report) -> None:
        if session != self.session or self._hears is None:
            self.venue.lost += 1
            return
        if self._garbled:
            self._garbled -= 1
            self.venue.lost += 1
            self._hears.on_unreadable(ValueError("{"), report.client_id)
            return
        self.heard_of.add(report.client_id)
        self._hears.on_report(report)

    # --- Gateway ---------------------------------------------------------------------------------------------------

    def submit(self, ticket: Ticket) -> None:
        assert self.venue.clock is not None
        self._to_venue(lambda: self.venue.submit(ticket), "submit", ticket.client_id)
        self.venue.submissions[ticket.client_id] += 1
        self.sent_ns[ticket.client_id] = self.venue.clock.monotonic_ns()
        self.sent_in[ticket.client_id] = self.session
        self.leaves(ticket)

    def cancel(self, ticket: Ticket) -> None:
        self._to_venue(lambda: self.venue.cancel(ticket.client_id), "cancel", ticket.client_id)

    def replace(self, ticket: Ticket, quantity_increments: int, limit_increments: int | None) -> None:
        change = partial(self.venue.replace, ticket.client_id, quantity_increments, limit_increments)
        self._to_venue(change, "replace", ticket.client_id)

    def query(self, ticket: Ticket) -> None:
        self._to_venue(lambda: self.venue.query(ticket.client_id))

    def query_fills(self, ticket: Ticket) -> None:
        self._to_venue(lambda: self.venue.query_fills(ticket.client_id))

    def query_account(self) -> None:
        session = self.session

        def tell(account: AccountReport) -> None:
            if session == self.session and self._hears is not None:
                self.account_told = True
                self._hears.on_account(account)

        def answer() -> None:
            account = self.venue.account()
            for delay_s in self._delays_s(1):
                self._later(delay_s, partial(tell, account))

        self._to_venue(answer)

    def query_quote(self, instrument: Instrument, answer: Callable[[VenueQuote | None], None]) -> None:
        assert self._hears is not None
        price, now_ns = 10_000 + self._random.randrange(-5, 5), self._hears.clock.now_ns()
        answer(VenueQuote(self.venue.name, instrument.name, ((price, 7),), ((price + 2, 7),), now_ns))
