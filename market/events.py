"""What happens on a market, as handlers receive it: frozen, and of floats for looking at.

*Data* (`Quote`, `Trade`, `BookUpdate`, `Bar`) weigh as many ticks as they have rows, and a full mailbox may drop or
conflate them. *Marks* (everything else) stand at one place in the stream, weigh nothing and are never dropped.
Times are nanoseconds since 1970; `sequence` is the exchange's own numbering.
"""

from enum import IntEnum, StrEnum

import msgspec

from .instruments import Instrument, TradingStatus

Level = tuple[float, float]  # price, size; in an update size 0 takes the level away
TextLevel = tuple[str, str]  # the same, as the exchange wrote it


class Side(IntEnum):
    """Of an order, or of who took the liquidity in a trade (the aggressor)."""

    BUY = 1
    SELL = 2


class FeedState(StrEnum):
    """Whether a feed's data can be trusted to be all there is."""

    LIVE = "live"
    LOST = "lost"


# --- data ----------------------------------------------------------------------------------------------------------


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The top of a book; a side that is empty has price and size 0."""

    feed: str
    instrument: Instrument
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    sequence: int
    venue_time_ns: int
    received_time_ns: int

    @property
    def mid(self) -> float:
        """Half-way between bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def crossed(self) -> bool:
        """Whether the bid reaches the ask, which no healthy book shows. (A price of 0 is that of an empty side.)"""
        return 0 < self.ask <= self.bid


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One execution on the exchange; `aggressor` is None where the exchange does not say."""

    feed: str
    instrument: Instrument
    price: float
    size: float
    aggressor: Side | None
    sequence: int
    venue_time_ns: int
    received_time_ns: int


class BookUpdate(msgspec.Struct, frozen=True, gc=False):
    """Levels of a book that changed at once, or with `snapshot` all there are; whoever is told one gets at least one.

    `first_sequence` to `sequence` are the changes it sums up (the same where the exchange numbers updates). `crossed`:
    the book is crossed with this update in it. `text` holds (bids, asks) as the exchange wrote them, where its
    checksum `checksum` is taken over that.
    """

    feed: str
    instrument: Instrument
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    snapshot: bool
    first_sequence: int
    sequence: int
    venue_time_ns: int
    received_time_ns: int
    crossed: bool = False
    text: tuple[tuple[TextLevel, ...], tuple[TextLevel, ...]] | None = None
    checksum: int | None = None


class Bar(msgspec.Struct, frozen=True, gc=False):
    """Trades summed up: from `begin_time_ns` until before `end_time_ns` by the exchange's clock."""

    feed: str
    instrument: Instrument
    open: float
    high: float
    low: float
    close: float
    volume: float
    notional: float  # the sum of price x size, so that notional / volume is the average price
    trades: int
    begin_time_ns: int
    end_time_ns: int
    received_time_ns: int


# --- marks ---------------------------------------------------------------------------------------------------------


class InstrumentStatus(msgspec.Struct, frozen=True, gc=False):
    """The exchange says whether `instrument` can be traded."""

    feed: str
    instrument: Instrument
    status: TradingStatus
    venue_time_ns: int
    received_time_ns: int


class FeedStatus(msgspec.Struct, frozen=True, gc=False):
    """From this place in the stream on, `feed` is live or lost."""

    feed: str
    state: FeedState
    reason: str
    received_time_ns: int


class Gap(msgspec.Struct, frozen=True, gc=False):
    """Messages of one stream are missing: number `expected` should have come here, and `found` came."""

    feed: str
    instrument: Instrument
    kind: str
    expected: int
    found: int
    received_time_ns: int


class Stale(msgspec.Struct, frozen=True, gc=False):
    """From here on what is known of `instrument` may be wrong, until `Live` says otherwise."""

    feed: str
    instrument: Instrument
    reason: str
    received_time_ns: int


class Live(msgspec.Struct, frozen=True, gc=False):
    """From here on what is known of `instrument` is right again; a book's snapshot has just come."""

    feed: str
    instrument: Instrument
    received_time_ns: int


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """Here `rows` ticks were dropped by a full mailbox or buffer. `books`: (feed, instrument) whose book lost rows.

    `feed` is whose stream has the hole; empty where a mailbox dropped rows of whatever feeds.
    """

    rows: int
    books: frozenset[tuple[str, str]] = frozenset()
    feed: str = ""


Data = Quote | Trade | BookUpdate | Bar
Mark = InstrumentStatus | FeedStatus | Gap | Stale | Live | Skipped
Event = Data | Mark
Tick = Quote | Trade | BookUpdate  # what the 64-byte record can say
MARKS = (InstrumentStatus, FeedStatus, Gap, Stale, Live, Skipped)


def weight(event: Data) -> int:
    """How many ticks `event` stands for: a book update one a level."""
    return len(event.bids) + len(event.asks) if isinstance(event, BookUpdate) else 1
