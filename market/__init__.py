"""The vocabulary of markets: instruments, events, ticks, topics and the wire protocol; no I/O."""

from .conflation import LatestQuote as LatestQuote, latest_quote as latest_quote
from .errors import (
    BadInstrument as BadInstrument,
    BadLength as BadLength,
    BadNumber as BadNumber,
    BadPayload as BadPayload,
    BadTick as BadTick,
    BadTopic as BadTopic,
    ForeignFrame as ForeignFrame,
    FrameTooLong as FrameTooLong,
    MarketError as MarketError,
    OffIncrement as OffIncrement,
    SequenceGap as SequenceGap,
    WireError as WireError,
)
from .events import (
    Event as Event,
    FeedState as FeedState,
    FeedStatus as FeedStatus,
    Quote as Quote,
    Side as Side,
    Tick as Tick,
    Trade as Trade,
)
from .indicators import Ema as Ema
from .instruments import Instrument as Instrument, Number as Number, exact as exact, plain as plain
from .ticks import TICK as TICK, TickFlag as TickFlag, TickKind as TickKind, Ticks as Ticks
from .topics import EventKind as EventKind, Topic as Topic
