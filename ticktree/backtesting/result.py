"""What a back-test came to, as values: nothing here runs, reads or draws.

Times are nanoseconds since 1970 by the recorded clock. Prices and quantities of orders and fills are exact (`Decimal`);
what is sampled for curves are floats, for looking at.
"""

from decimal import Decimal

import msgspec

from ticktree.market import Side
from ticktree.routing import OrderState, TimeInForce

MATCHING = (  # how, at all venues: docs/backtest.md
    "what is displayed is there to take, once; an order that rests waits behind what was",
    "displayed at its price, which trades alone shorten; our orders move nobody else",
)
HORIZONS_S = (1.0, 10.0, 60.0)  # after a fill, at which the middle is looked at once more


class Value(msgspec.Struct, frozen=True, gc=False):
    """Base of what follows."""


class DataUsed(Value, frozen=True, gc=False):
    """One file that was read. `format`: recording, ticks, csv or parquet. `note`: what was wrong with it, if anything
    was."""

    path: str
    feed: str
    format: str
    size_bytes: int
    note: str = ""


class VenueAssumed(Value, frozen=True, gc=False):
    """How a simulated venue was assumed to be. `latency` and `fees` in words."""

    name: str
    prices: str  # the feed that it matched against
    latency: str
    fees: str


class Assumptions(Value, frozen=True, gc=False):
    """What the back-test takes for granted, all of which a live run may see otherwise."""

    venues: tuple[VenueAssumed, ...]
    batch_window_s: float
    handler_time_s: float
    seed: int


class OrderRow(Value, frozen=True, gc=False):
    """One order of a strategy, over all its legs. `ended_ns`: 0 where it had not ended when the back-test did."""

    id: str
    strategy: str
    router: str
    instrument: str
    side: Side
    quantity: Decimal
    limit: Decimal | None
    time_in_force: TimeInForce | None
    decided_ns: int
    ended_ns: int
    state: OrderState
    filled: Decimal
    average_price: Decimal | None
    legs: int
    reason: str
    bid: float | None  # the freshest when it was decided
    ask: float | None


class FillRow(Value, frozen=True, gc=False):
    """One execution. Middles are half-way between the freshest bid and ask; None where nothing useful was known.

    decided_mid  when its order was decided
    mid          when it was filled
    later_mids   so many seconds after it, as in `HORIZONS_S`; None also where the data ended before
    position     of its strategy in the instrument, after it
    realised     profit that it realised, before fees, in the instrument's quote currency
    """

    time_ns: int
    order_id: str
    leg_id: str
    strategy: str
    router: str
    venue: str
    instrument: str
    currency: str  # that the price is in
    side: Side
    quantity: Decimal
    price: Decimal
    multiplier: Decimal
    fee: Decimal
    fee_currency: str
    maker: bool
    decided_ns: int
    decided_mid: float | None
    mid: float | None
    later_mids: tuple[float | None, ...]
    position: Decimal
    realised: Decimal


class PriceSeries(Value, frozen=True, gc=False):
    """Bid and ask of an instrument at the times of `Samples`; None where nothing useful was known."""

    instrument: str
    bid: list[float | None]
    ask: list[float | None]


class PositionSeries(Value, frozen=True, gc=False):
    """What a strategy held of an instrument, likewise."""

    strategy: str
    instrument: str
    quantity: list[float]


class MoneySeries(Value, frozen=True, gc=False):
    """What one currency had seen by then, over all strategies (strategy "") or of one: profit before fees, and fees.

    `unrealised` is None where a position had no price. Net profit is realised + unrealised - fees.
    """

    strategy: str
    currency: str
    realised: list[float]
    unrealised: list[float | None]
    fees: list[float]


class Samples(Value, frozen=True, gc=False):
    """The course of it, looked at every `every_s` seconds of recorded time, and at the end."""

    every_s: float
    time_ns: list[int]
    prices: tuple[PriceSeries, ...]
    positions: tuple[PositionSeries, ...]
    money: tuple[MoneySeries, ...]


class FeedCount(Value, frozen=True, gc=False):
    """What a feed told: ticks by kind, and what went wrong in it."""

    feed: str
    ticks: dict[str, int]
    messages: int
    gaps: int
    errors: dict[str, int]


class Outcome(Value, frozen=True, gc=False):
    """All that a back-test came to. `digest`: SHA-256 over every fact about its orders, in order: two runs that did the
    same have the same. `incomplete`: why it did not come to the end of its data; empty when it did."""

    config: str
    data: tuple[DataUsed, ...]
    assumptions: Assumptions
    began_ns: int  # of the data
    ended_ns: int
    ticks: int
    wall_s: float  # how long it took
    digest: str
    feeds: tuple[FeedCount, ...]
    orders: tuple[OrderRow, ...]
    fills: tuple[FillRow, ...]
    samples: Samples
    incomplete: str = ""
    warnings: tuple[str, ...] = ()
