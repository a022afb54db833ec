"""What happens on a market, as handlers receive it: frozen, and of floats for looking at."""

from enum import IntEnum, StrEnum

import msgspec

from .instruments import Instrument


class Side(IntEnum):
    """Of an order, or of who took the liquidity in a trade (the aggressor)."""

    BUY = 1
    SELL = 2


class FeedState(StrEnum):
    """Whether a feed's data can be trusted to be all there is."""

    LIVE = "live"
    LOST = "lost"


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The top of a book. `sequence` and `venue_time_ns` are the exchange's; times are nanoseconds since 1970."""

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


class FeedStatus(msgspec.Struct, frozen=True, gc=False):
    """From this place in the stream on, `feed` is live or lost. Never dropped, never conflated."""

    feed: str
    state: FeedState
    reason: str
    received_time_ns: int


Tick = Quote | Trade
Event = Quote | Trade | FeedStatus
