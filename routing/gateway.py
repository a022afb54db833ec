"""The seam to a venue: what it can do, how it is spoken to, and what it may say.

A *gateway* is one account at one venue. It turns our few wishes into the venue's messages and its messages into
`Report`s; it keeps its session (login, heartbeats, sequence numbers, reconnecting) to itself. It decides nothing:
what is known of an order, what is doubted, asked again or canceled again is the venue actor's (`venue.py`).
"""

import string
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Protocol

import attrs

from ticktree.actors import Clock
from ticktree.market import Instrument, plain

from .errors import BadOrder
from .orders import Ticket, TimeInForce
from .reports import AccountReport, Report, VenueQuote

ALL_TIMES = frozenset(TimeInForce)
READABLE = string.ascii_lowercase + string.digits + "-."


@attrs.frozen
class FeeTier:
    """The rates for who has traded a notional of `above` so far, in the quote currency."""

    above: Decimal
    maker: Decimal
    taker: Decimal

    def __str__(self) -> str:
        return f"from {plain(self.above)} on {_rates(self.maker, self.taker)}"


@attrs.frozen
class Fees:
    """What an execution costs. `maker` and `taker` are of the notional, in the quote currency: 0.001 is ten basis
    points; a negative one is a rebate.

    per_unit       besides, of each unit of size: a share, a contract
    per_execution  besides, of each execution
    tiers          other rates, for who traded so much since the venue began; ascending
    currency       what fees are paid in, in place of the quote currency; the amounts stay the same
    """

    maker: Decimal = Decimal(0)
    taker: Decimal = Decimal(0)
    per_unit: Decimal = Decimal(0)
    per_execution: Decimal = Decimal(0)
    tiers: tuple[FeeTier, ...] = ()
    currency: str = ""

    def __attrs_post_init__(self) -> None:
        begins = [Decimal(0), *(tier.above for tier in self.tiers)]
        if any(one >= other for one, other in pairwise(begins)):
            raise ValueError("tiers ascend, and begin above 0: below the first one are `maker` and `taker`")

    def __str__(self) -> str:
        rates = _rates(self.maker, self.taker) if self.maker or self.taker or self.tiers else ""
        unit = f"{plain(self.per_unit)} a unit" if self.per_unit else ""
        execution = f"{plain(self.per_execution)} an execution" if self.per_execution else ""
        told = ", ".join(filter(None, (rates, unit, execution)))
        paid = f", in {self.currency}" if self.currency and told else ""
        return "; ".join((told + paid or "none", *map(str, self.tiers)))


def _rates(maker: Decimal, taker: Decimal) -> str:
    return f"{plain(taker * 100)} % taker, {plain(maker * 100)} % maker"


@attrs.frozen
class VenueRules:
    """What a venue declares. What it lacks is refused before anything is sent.

    retransmits        a submit that is repeated, id and bytes the same, does nothing twice
    not_found_grace_s  after the end of a session, how long an order of it may yet turn up
    trading_days       execution ids are unique within a trading day only
    """

    times_in_force: frozenset[TimeInForce] = ALL_TIMES
    post_only: bool = True
    reduce_only: bool = True
    market_orders: bool = True
    replaces: bool = True
    quotes: bool = True
    client_id_length: int = 36
    client_id_alphabet: str = READABLE
    retransmits: bool = False
    not_found_grace_s: float = 1.0
    trading_days: bool = False
    fees: Fees = Fees()

    def check(self, venue: str, ticket: Ticket) -> None:
        """Raises `BadOrder` for what the venue lacks."""
        lacks = None
        if ticket.time_in_force not in self.times_in_force:
            lacks = f"time in force {ticket.time_in_force}"
        elif ticket.post_only and not self.post_only:
            lacks = "post-only orders"
        elif ticket.reduce_only and not self.reduce_only:
            lacks = "reduce-only orders"
        elif ticket.limit_increments is None and not self.market_orders:
            lacks = "market orders"
        if lacks is not None:
            raise BadOrder(f"{venue} has no {lacks}")


class Hears(Protocol):
    """Who hears a gateway: the venue actor. Called within the loop's callbacks or the actor's turn; never blocks."""

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    def on_up(self, former_closed: bool) -> None:
        """A session stands, and is ready. `former_closed`: the venue's word that no message of an earlier session is
        on its way any more."""
        ...

    def on_down(self, reason: str) -> None:
        """The session broke: what was not answered is in doubt."""
        ...

    def on_report(self, report: Report) -> None:
        """The venue's word about an order."""
        ...

    def on_account(self, account: AccountReport) -> None:
        """The answer to `query_account`."""
        ...

    def on_never_received(self, client_id: str, what: str) -> None:
        """The venue's evidence that a message never reached it, and it will not be sent again: `what` is "submit",
        "cancel" or "replace"."""
        ...

    def on_unreadable(self, error: Exception, client_id: str | None) -> None:
        """Something came that cannot be read; the gateway ends the session where it has one. `client_id` if told."""
        ...


class Gateway(Protocol):
    """One account at one venue. What says something raises `NotConnected` when no byte could leave."""

    @property
    def rules(self) -> VenueRules:
        """What the venue declares."""
        ...

    @property
    def account(self) -> str:
        """Whose orders these are, in the venue's words; part of an execution's identity."""
        ...

    def start(self, hears: Hears, random: Random) -> None:
        """Begin to connect; `hears.on_up` says when it stands."""
        ...

    async def stop(self) -> None:
        """End the session, for good; bounded in time."""
        ...

    def reset(self, reason: str) -> None:
        """End this session and begin another: only its end makes "not found" final."""
        ...

    def submit(self, ticket: Ticket) -> None:
        """Send a new order."""
        ...

    def cancel(self, ticket: Ticket) -> None:
        """Take an order back."""
        ...

    def replace(self, ticket: Ticket, quantity_increments: int, limit_increments: int | None) -> None:
        """Change an order to this whole quantity (what is filled included) and limit."""
        ...

    def query(self, ticket: Ticket) -> None:
        """Ask what became of an order: STATUS or NOT_FOUND."""
        ...

    def query_fills(self, ticket: Ticket) -> None:
        """Ask for all executions of an order: each as FILL (CORRECTED where it was), then STATUS."""
        ...

    def query_account(self) -> None:
        """Ask for open orders and positions."""
        ...

    def query_quote(self, instrument: Instrument, answer: Callable[[VenueQuote | None], None]) -> None:
        """Ask what is displayed; `answer` is called once, with None where nothing is known or the session ends."""
        ...
