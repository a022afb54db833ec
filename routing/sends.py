"""The seam between orders at work and their router: a leg as a policy wants it, and who has it leave."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import msgspec

from ticktree.actors import Clock
from ticktree.market import Instrument, Side

from .gateway import VenueRules
from .orders import Execution, Order, Purpose, Ticket, TimeInForce
from .records import LegRecord, OrderRecord
from .reports import VenueQuote

CANCELED = "canceled"  # the limit that a `Refusal` names when an order, or a part of it, was taken back


class LegRequest(msgspec.Struct, frozen=True):
    """A leg as a policy wants it; `number` and `attempt` as in `Leg`."""

    venue: str
    purpose: Purpose
    side: Side
    quantity_increments: int
    limit_increments: int | None
    time_in_force: TimeInForce
    number: int
    attempt: int

    def ticket(self, client_id: str, order: Order) -> Ticket:
        """As its venue sees it. What an order says beyond price and time holds for its own legs alone: a hedge or an
        unwinding must trade now, and may well add to what the account holds there."""
        own = self.purpose is Purpose.WORK
        expires_ns = order.expires_ns if self.time_in_force is TimeInForce.GTD else 0
        return Ticket(
            client_id, order.instrument, self.side, self.quantity_increments, self.limit_increments,
            self.time_in_force, expires_ns, own and order.post_only, own and order.reduce_only,
        )  # fmt: skip


class Sends(Protocol):
    """Who has legs leave: the router."""

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    @property
    def venues(self) -> Mapping[str, VenueRules]:
        """Where it may send to, and what is declared there."""
        ...

    def send(self, record: OrderRecord, request: LegRequest) -> LegRecord:
        """Have a leg leave. Raises `Refused` when no byte of it left, `UnknownVenue`."""
        ...

    def cancel(self, leg: LegRecord) -> None:
        """Take a leg back, until there is evidence."""
        ...

    def quote(self, venue: str, instrument: Instrument) -> "asyncio.Future[VenueQuote | None]":
        """Ask what a venue displays; None when it says nothing."""
        ...

    def answer(self, record: OrderRecord, execution: Execution) -> None:
        """The deadline passed: the caller goes on."""
        ...

    def fault(self, error: BaseException) -> None:
        """A policy raised what it must not. Its order is over once its legs are accounted for."""
        ...
