"""Orders and what becomes of them. Quantities and prices are integers of the instrument's increments, so exact.

Order     what a strategy wants: the parent
Leg       what one venue is asked for on its behalf, under a client order id of its own
Ticket    a leg as the venue sees it
Fill      a fact: so much was exchanged at that price
"""

import asyncio
from decimal import Decimal
from enum import StrEnum

import attrs
import msgspec

from ticktree.market import Instrument, Number, Side as Side, plain

from .errors import BadOrder, Refusal


class OrderState(StrEnum):
    """NEW -> SENT -> LIVE -> CANCEL_SENT or REPLACE_SENT -> a terminal one; UNKNOWN until the venue's word."""

    NEW = "new"
    SENT = "sent"
    LIVE = "live"
    CANCEL_SENT = "cancel_sent"
    REPLACE_SENT = "replace_sent"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """Whether nothing more can happen, except a late fill."""
        return self in TERMINAL


TERMINAL = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED})


class TimeInForce(StrEnum):
    """How long an order stands, in FIX's words (tag 59)."""

    GTC = "gtc"  # until canceled
    IOC = "ioc"  # what can be filled at once, the rest is canceled
    FOK = "fok"  # all at once, or nothing
    GTD = "gtd"  # until a time


GTD, AT_ONCE = TimeInForce.GTD, frozenset({TimeInForce.IOC, TimeInForce.FOK})


class Purpose(StrEnum):
    """What a leg is for."""

    WORK = "work"  # the order itself
    HEDGE = "hedge"  # the other side of the same order, elsewhere
    UNWIND = "unwind"  # takes back what a leg of the order was filled for


@attrs.frozen
class Terms:
    """How an order may be executed. `max_overfill`: what its policy may fill beyond the quantity, in the worst case.

    `time_in_force` None leaves it to the policy: `any` and `sweep` send IOC, the others GTC. `expires_ns`: nanoseconds
    since 1970, with GTD. `opposite_limit`: the worst price of hedging legs, which trade on the other side.
    """

    time_in_force: TimeInForce | None = attrs.field(default=None, converter=attrs.converters.optional(TimeInForce))
    expires_ns: int = 0
    post_only: bool = False
    reduce_only: bool = False
    max_overfill: Number = 0
    opposite_limit: Number | None = None


PLAIN_TERMS = Terms()


class Order(msgspec.Struct, frozen=True):
    """What a strategy wants. `limit_increments` None: at the market."""

    id: str
    strategy: str
    instrument: Instrument
    side: Side
    quantity_increments: int
    limit_increments: int | None
    time_in_force: TimeInForce | None = None
    expires_ns: int = 0
    post_only: bool = False
    reduce_only: bool = False
    max_overfill_increments: int = 0
    opposite_limit_increments: int | None = None

    @classmethod
    def of(  # noqa: PLR0913, PLR0917  # what an order is made of
        cls,
        id: str,
        strategy: str,
        instrument: Instrument,
        side: Side,
        quantity: Number,
        limit: Number | None,
        terms: Terms = PLAIN_TERMS,
    ) -> "Order":
        """An order in increments from what people write. Raises `OffIncrement`, `BadNumber`, `BadOrder`."""
        if not isinstance(instrument, Instrument):  # pyright: ignore[reportUnnecessaryIsInstance]  # users check no types
            raise BadOrder(f"{strategy}: an order is in an Instrument, as in quote.instrument; not {instrument!r}")
        increments = instrument.size_increments(quantity)
        if increments <= 0:
            raise BadOrder(f"{strategy}: a quantity is above 0; not {quantity} {instrument.name}")
        at = _limit(strategy, instrument, limit)
        if terms is PLAIN_TERMS:
            return cls(id, strategy, instrument, side, increments, at)
        _check(strategy, limit, terms)
        overfill = instrument.size_increments(terms.max_overfill) if terms.max_overfill else 0
        if overfill < 0:
            raise BadOrder(f"{strategy}: max_overfill is 0 or more; not {terms.max_overfill}")
        return cls(
            id, strategy, instrument, side, increments, at, terms.time_in_force, terms.expires_ns, terms.post_only,
            terms.reduce_only, overfill, _limit(strategy, instrument, terms.opposite_limit),
        )  # fmt: skip

    @property
    def quantity(self) -> Decimal:
        """How much is wanted."""
        return self.instrument.size(self.quantity_increments)

    @property
    def limit(self) -> Decimal | None:
        """The worst price; None at the market."""
        return None if self.limit_increments is None else self.instrument.price(self.limit_increments)

    def __str__(self) -> str:
        at = "at the market" if self.limit is None else f"at {plain(self.limit)}"
        return f"{self.side.name.lower()} {plain(self.quantity)} {self.instrument.name} {at}"


def _limit(strategy: str, instrument: Instrument, limit: Number | None) -> int | None:
    if limit is None:
        return None
    increments = instrument.price_increments(limit)
    if increments <= 0:
        raise BadOrder(f"{strategy}: a limit is a price above 0; not {limit} {instrument.name}")
    return increments


def _check(strategy: str, limit: Number | None, terms: Terms) -> None:
    if terms.post_only and (limit is None or terms.time_in_force in AT_ONCE):
        raise BadOrder(f"{strategy}: post-only needs a limit, and time to rest: no market order, no IOC, no FOK")
    if (terms.time_in_force is GTD) != (terms.expires_ns > 0):
        raise BadOrder(f"{strategy}: GTD and expires_ns (nanoseconds since 1970, above 0) go together")


class Ticket(msgspec.Struct, frozen=True, gc=False):
    """A leg as its venue sees it."""

    client_id: str
    instrument: Instrument
    side: Side
    quantity_increments: int
    limit_increments: int | None  # None: at the market
    time_in_force: TimeInForce = TimeInForce.GTC
    expires_ns: int = 0
    post_only: bool = False
    reduce_only: bool = False


class Leg(msgspec.Struct, frozen=True):
    """What one venue is asked for on behalf of an order. `id` is the client order id there.

    `number` counts the legs of an order from 1; `attempt` counts how often that leg was tried, from 1, each after
    evidence that the former attempt is over.
    """

    id: str
    order: Order
    number: int
    attempt: int
    venue: str
    purpose: Purpose
    ticket: Ticket

    @property
    def quantity_increments(self) -> int:
        """How much it asks for."""
        return self.ticket.quantity_increments


class Fill(msgspec.Struct, frozen=True, gc=False):
    """A fact: `quantity` was exchanged at `price`. `late`: its order had been answered for before it came."""

    order_id: str
    leg_id: str
    execution_id: str  # unique at its venue
    venue: str
    strategy: str
    instrument: Instrument
    side: Side
    quantity_increments: int
    price_increments: int
    time_ns: int  # the venue's
    fee: Decimal = Decimal(0)  # negative: a rebate
    fee_currency: str = ""
    maker: bool = False
    late: bool = False

    @property
    def quantity(self) -> Decimal:
        """How much."""
        return self.instrument.size(self.quantity_increments)

    @property
    def price(self) -> Decimal:
        """At what price."""
        return self.instrument.price(self.price_increments)


class OrderUpdate(msgspec.Struct, frozen=True, gc=False):
    """What a strategy hears of its order besides fills: a leg's new state, a refusal, an execution that was corrected.

    `corrected`: a fill as it is now; with quantity 0 it was busted, and never happened. `leg_id` is empty where the
    whole order is meant.
    """

    order_id: str
    leg_id: str
    venue: str
    state: OrderState
    filled_increments: int  # of the whole order
    time_ns: int
    reason: str = ""
    corrected: Fill | None = None


class LegResult(msgspec.Struct, frozen=True):
    """How far a leg has come."""

    leg: Leg
    state: OrderState
    filled_increments: int
    open_increments: int  # what may yet be filled; all that is not, where its state is unknown
    reason: str = ""


class Execution(msgspec.Struct, frozen=True):
    """What is known of an order when its caller goes on. `unknown_increments` may yet be filled, or not.

    `filled_increments` is net of what was unwound; `late_increments` came after the caller was answered.
    """

    order: Order
    state: OrderState
    filled_increments: int
    unknown_increments: int
    reason: str = ""
    late_increments: int = 0
    legs: tuple[LegResult, ...] = ()
    refusal: Refusal | None = None

    @property
    def filled(self) -> Decimal:
        """How much was filled."""
        return self.order.instrument.size(self.filled_increments)

    @property
    def unknown(self) -> Decimal:
        """How much is still out."""
        return self.order.instrument.size(self.unknown_increments)

    @property
    def late(self) -> Decimal:
        """How much was filled after the caller was answered."""
        return self.order.instrument.size(self.late_increments)


class OrderHandle(msgspec.Struct, eq=False):
    """An order under way. Its execution may be awaited; who does not, or gives up waiting, changes nothing."""

    order: Order
    _answer: Execution | None = None
    _final: Execution | None = None
    _answers: "list[asyncio.Future[Execution]]" = []  # of those who wait: most orders have none
    _finals: "list[asyncio.Future[Execution]]" = []

    @property
    def done(self) -> bool:
        """Whether the policy has answered."""
        return self._answer is not None

    @property
    def refusal(self) -> Refusal | None:
        """Why nothing of it was sent, as soon as that is known: at once, where a limit or a halt stands against it."""
        return None if self._answer is None else self._answer.refusal

    def answer(self, execution: Execution) -> None:
        """The router's: the first answer counts."""
        if self._answer is None:
            self._answer = execution
            _resolve(self._answers, execution)

    def end(self, execution: Execution) -> None:
        """The router's: every leg is accounted for."""
        self.answer(execution)
        if self._final is None:
            self._final = execution
            _resolve(self._finals, execution)

    async def execution(self) -> Execution:
        """What the policy answers. It does not pass the mailbox: a handler may wait for its own order."""
        return await _wait(self._answers) if self._answer is None else self._answer

    async def final(self) -> Execution:
        """What became of the order once every leg of it is accounted for; that may be long after the deadline."""
        return await _wait(self._finals) if self._final is None else self._final


async def _wait(waiting: "list[asyncio.Future[Execution]]") -> Execution:
    """A future of its own for each who waits: giving up takes nothing from the others."""
    future: asyncio.Future[Execution] = asyncio.get_running_loop().create_future()
    waiting.append(future)
    return await future


def _resolve(waiting: "list[asyncio.Future[Execution]]", execution: Execution) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(execution)
    waiting.clear()
