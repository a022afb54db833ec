"""What venues say, in one shape whatever their protocols: about orders, executions, accounts and prices."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from ticktree.market import Side

from .orders import OrderState


class ReportKind(StrEnum):
    """What a report is about, in the manner of FIX's ExecType (tag 150)."""

    ACCEPTED = "accepted"
    FILL = "fill"
    CORRECTED = "corrected"  # an execution is not what was said; with quantity 0 it was busted
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REPLACED = "replaced"
    CANCEL_REJECTED = "cancel_rejected"
    REPLACE_REJECTED = "replace_rejected"
    STATUS = "status"  # the answer to a query
    NOT_FOUND = "not_found"  # the venue does not know the order (at that moment)


class VenueExecution(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One execution as its venue tells it. A correction repeats `id`, with what holds now and a higher `revision`.

    `trading_day` is part of its identity where the venue declares that ids repeat; else it is empty.
    """

    id: str
    instrument: str
    side: Side
    quantity_increments: int
    price_increments: int
    fee: Decimal = Decimal(0)  # negative: a rebate
    fee_currency: str = ""
    maker: bool = False
    trading_day: str = ""
    revision: int = 0


class Report(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A venue's word about one order.

    `cumulative_increments` is what the venue holds the order to be filled for at that moment, over all executions;
    it is said in every kind but CANCEL_REJECTED, REPLACE_REJECTED and NOT_FOUND. `quantity_increments` and
    `limit_increments` are the order's own, said in STATUS and REPLACED (0 otherwise). `state` is said in STATUS.
    """

    kind: ReportKind
    client_id: str
    time_ns: int  # the venue's clock
    cumulative_increments: int = 0
    quantity_increments: int = 0
    limit_increments: int | None = None
    state: OrderState | None = None
    execution: VenueExecution | None = None  # FILL, CORRECTED
    reason: str = ""
    received_ns: int = 0  # ours, taken where it was read
    sequence: int = 0  # by which later words about an account are greater; 0: they come in order
    instrument: str = ""  # said in an account's open orders


class AccountReport(msgspec.Struct, frozen=True, gc=False):
    """What an account holds at one moment: its open orders, as STATUS reports, and its positions by instrument."""

    open_orders: tuple[Report, ...]
    positions: dict[str, int]  # instrument -> size increments, negative when short; where that is not 0
    time_ns: int


class VenueQuote(msgspec.Struct, frozen=True, gc=False):
    """What a venue displays of one instrument: (price increments, size increments) a level, best first."""

    venue: str
    instrument: str
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    time_ns: int  # when that was so, on our clock

    def against(self, side: Side) -> tuple[tuple[int, int], ...]:
        """The levels that an order of `side` would take."""
        return self.asks if side is Side.BUY else self.bids
