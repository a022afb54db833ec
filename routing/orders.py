"""Orders and what becomes of them. Quantities and prices are integers of the instrument's increments, so exact."""

import asyncio
from decimal import Decimal
from enum import StrEnum

import attrs
import msgspec

from ticktree.market import Instrument, Number, Side as Side, plain

from .errors import BadOrder


class OrderState(StrEnum):
    """NEW -> SENT -> LIVE -> CANCEL_SENT -> a terminal one; UNKNOWN until the venue's word."""

    NEW = "new"
    SENT = "sent"
    LIVE = "live"
    CANCEL_SENT = "cancel_sent"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """Whether nothing more can happen, except a late fill."""
        return self in _TERMINAL


_TERMINAL = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED})


@attrs.frozen
class Order:
    """What a strategy wants. `limit_increments` None: at the market."""

    id: str
    strategy: str
    instrument: Instrument
    side: Side
    quantity_increments: int
    limit_increments: int | None

    @classmethod
    def of(  # what an order is made of
        cls, id: str, strategy: str, instrument: Instrument, side: Side, quantity: Number, limit: Number | None
    ) -> "Order":
        """An order in increments from what people write. Raises `OffIncrement`, `BadNumber`, `BadOrder`."""
        increments = instrument.size_increments(quantity)
        if increments <= 0:
            raise BadOrder(f"{strategy}: a quantity is above 0; not {quantity} {instrument.name}")
        at = None if limit is None else instrument.price_increments(limit)
        return cls(id, strategy, instrument, side, increments, at)

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


@attrs.frozen
class Leg:
    """What is sent to one venue on behalf of an order; its `id` is the client order id there."""

    id: str
    order: Order
    venue: str
    quantity_increments: int


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
    time_ns: int
    late: bool = False

    @property
    def quantity(self) -> Decimal:
        """How much."""
        return self.instrument.size(self.quantity_increments)

    @property
    def price(self) -> Decimal:
        """At what price."""
        return self.instrument.price(self.price_increments)


class ExecutionReport(msgspec.Struct, frozen=True, gc=False):
    """A venue's word about a leg. `filled_increments` is cumulative; `fill` is what is new, if anything is."""

    order_id: str
    leg_id: str
    venue: str
    state: OrderState
    filled_increments: int
    time_ns: int
    fill: Fill | None = None
    reason: str = ""


@attrs.frozen
class Execution:
    """What is known of an order when its policy answers. `unknown_increments` may yet be filled, or not."""

    order: Order
    state: OrderState
    filled_increments: int
    unknown_increments: int
    reason: str = ""

    @property
    def filled(self) -> Decimal:
        """How much was filled."""
        return self.order.instrument.size(self.filled_increments)

    @property
    def unknown(self) -> Decimal:
        """How much is still out."""
        return self.order.instrument.size(self.unknown_increments)


class OrderHandle:
    """An order under way. Its execution may be awaited; who does not, or gives up waiting, changes nothing."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self._answer: asyncio.Future[Execution] = asyncio.get_running_loop().create_future()

    @property
    def done(self) -> bool:
        """Whether the policy has answered."""
        return self._answer.done()

    def answer(self, execution: Execution) -> None:
        """The router's: the first answer counts."""
        if not self._answer.done():
            self._answer.set_result(execution)

    async def execution(self) -> Execution:
        """What the policy answers. It does not pass the mailbox: a handler may wait for its own order."""
        return await asyncio.shield(self._answer)
