"""The vocabulary of markets: instruments, events, ticks, topics and the wire protocol; no I/O."""

from . import dialect as dialect, messages as messages, wire as wire
from .bars import (
    BarMaker as BarMaker,
    TickBars as TickBars,
    TimeBars as TimeBars,
    VolumeBars as VolumeBars,
)
from .batch import Batch as Batch, batch_rows as batch_rows
from .book import OrderBook as OrderBook
from .conflation import LatestQuote as LatestQuote, latest_quote as latest_quote
from .errors import (
    BadInstrument as BadInstrument,
    BadLength as BadLength,
    BadNumber as BadNumber,
    BadPayload as BadPayload,
    BadTick as BadTick,
    BadTopic as BadTopic,
    BadUnit as BadUnit,
    ForeignFrame as ForeignFrame,
    FrameTooLong as FrameTooLong,
    MarketError as MarketError,
    OffIncrement as OffIncrement,
    SequenceGap as SequenceGap,
    UnknownInstrument as UnknownInstrument,
    WireError as WireError,
)
from .events import (
    MARKS as MARKS,
    Bar as Bar,
    BookUpdate as BookUpdate,
    Data as Data,
    Event as Event,
    FeedState as FeedState,
    FeedStatus as FeedStatus,
    Gap as Gap,
    InstrumentStatus as InstrumentStatus,
    Level as Level,
    Live as Live,
    Mark as Mark,
    Quote as Quote,
    Side as Side,
    Skipped as Skipped,
    Stale as Stale,
    TextLevel as TextLevel,
    Tick as Tick,
    Trade as Trade,
    weight as weight,
)
from .flow import Port as Port, Sink as Sink
from .indicators import Ema as Ema, ZScore as ZScore
from .instruments import (
    Instrument as Instrument,
    InstrumentIds as InstrumentIds,
    Number as Number,
    TradingStatus as TradingStatus,
    exact as exact,
    plain as plain,
)
from .ticks import TICK as TICK, TickFlag as TickFlag, TickKind as TickKind, Ticks as Ticks
from .topics import EventKind as EventKind, Topic as Topic
from .units import seconds as seconds, size_bytes as size_bytes, written as written
