"""Small markets on disk, said row by row, and applications that trade them: what back-tests are tested with."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import msgspec

from ticktree.backtesting.result import Outcome
from ticktree.backtesting.running import AS_IT_WAS, Manner, Running, prepared
from ticktree.feeds import BadMessage, Decoded, Feed, Source
from ticktree.feeds.files import write_ticks
from ticktree.feeds.recording import EntryKind
from ticktree.feeds.recording.blocks import Title, encoded, first_line
from ticktree.market import (
    MARKS,
    BookUpdate,
    EventKind,
    Instrument,
    Quote,
    Side,
    Topic,
    Trade,
    ticks,
)
from ticktree.parts import App, FeedPart, RouterPart, StrategyPart, VenuePart, strategy_part
from ticktree.routing import Fill, OrderUpdate, Policy, Terms, TimeInForce, Timeout
from ticktree.strategies import Strategy

NS = 1_000_000_000
IOC = Terms(time_in_force=TimeInForce.IOC)
MS = 1_000_000
BEGAN_NS = 1_700_000_000 * NS
BTC = Instrument("BTC-USDT", 0, Decimal("0.01"), Decimal("0.001"))
ETH = Instrument("ETH-USDT", 0, Decimal("0.01"), Decimal("0.001"))
EUR = Instrument("BTC-EUR", 0, Decimal("0.01"), Decimal("0.001"))
KNOWN = {one.name: one for one in (BTC, ETH, EUR)}
Levels = tuple[tuple[float, float], ...]


# --- an exchange's words ---------------------------------------------------------------------------------------------


class QuoteText(msgspec.Struct, tag="quote", forbid_unknown_fields=True):
    i: str
    bid: float
    bid_size: float
    ask: float
    ask_size: float


class TradeText(msgspec.Struct, tag="trade", forbid_unknown_fields=True):
    i: str
    price: float
    size: float
    buys: bool


class BookText(msgspec.Struct, tag="book", forbid_unknown_fields=True):
    i: str
    number: int
    bids: Levels
    asks: Levels
    snapshot: bool


class RaiseText(msgspec.Struct, tag="raise", forbid_unknown_fields=True):
    """Whoever decodes this has a fault of its own."""


Text = QuoteText | TradeText | BookText | RaiseText
_decode = msgspec.json.Decoder(Text).decode


class WordsFeed(Feed):
    """Takes such words over WebSockets; an instrument that nobody defined has the usual increments."""

    def __init__(self, source: Source, url: str = "ws://nowhere.invalid/") -> None:
        super().__init__(source, url)
        self._number = 0

    async def definitions(self) -> Iterable[Instrument]:
        return [KNOWN[name] for name in dict.fromkeys(topic.instrument for topic in self.topics)]

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        return (b"all",)

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        self._number += 1
        try:
            text: Text = _decode(frame)
        except msgspec.DecodeError as error:
            raise BadMessage(self.name, f"no word: {error}", frame) from None
        match text:
            case QuoteText():
                known, sizes = self.instruments[text.i], (text.bid, text.bid_size, text.ask, text.ask_size)
                return (Quote(self.name, known, *sizes, self._number, received_ns, received_ns),)
            case TradeText():
                aggressor = Side.BUY if text.buys else Side.SELL
                known = self.instruments[text.i]
                return (Trade(self.name, known, text.price, text.size, aggressor, self._number, 0, received_ns),)
            case BookText():
                number, known = text.number, self.instruments[text.i]
                sides = text.bids, text.asks
                return (BookUpdate(self.name, known, *sides, text.snapshot, number, number, 0, received_ns),)
            case _:
                raise RuntimeError("a fault of the feed's own")


class OtherFeed(WordsFeed):
    """The same words of somebody else."""


class ScarceWordsFeed(WordsFeed):
    """One whose definitions fail."""

    async def definitions(self) -> Iterable[Instrument]:
        raise RuntimeError("nobody defines anything")


# --- recordings ------------------------------------------------------------------------------------------------------


@attrs.define
class Tape:
    """What one exchange says, at nanoseconds since `BEGAN_NS`; each word is a read of its own but for `read`."""

    feed: str = "a"
    kind: type[Feed] = WordsFeed
    blocks: list[tuple[EntryKind, int, int, tuple[bytes, ...]]] = attrs.field(factory=list[Any])
    ends_ns: int = 0

    def connect(self, at_ns: int = 0, number: int = 1) -> "Tape":
        return self._add(EntryKind.CONNECT, at_ns, number, b"ws://nowhere.invalid/")

    def close(self, at_ns: int, number: int = 1) -> "Tape":
        return self._add(EntryKind.CLOSED, at_ns, number, b"it was cut")

    def read(self, at_ns: int, *texts: Text, number: int = 1) -> "Tape":
        """What one read brought."""
        return self._add(EntryKind.RECEIVED, at_ns, number, *map(msgspec.json.encode, texts))

    def raw(self, at_ns: int, data: bytes) -> "Tape":
        return self._add(EntryKind.RECEIVED, at_ns, 1, data)

    def quote(self, at_ns: int, bid: float, ask: float, size: float = 1.0, name: str = "BTC-USDT") -> "Tape":
        return self.read(at_ns, quoted(bid, ask, size, name))

    def trade(self, at_ns: int, price: float, size: float = 1.0, name: str = "BTC-USDT", buys: bool = True) -> "Tape":
        return self.read(at_ns, TradeText(name, price, size, buys))

    def book(self, at_ns: int, number: int, bids: Levels = (), asks: Levels = (), snapshot: bool = False) -> "Tape":
        return self.read(at_ns, BookText("BTC-USDT", number, bids, asks, snapshot))

    def _add(self, kind: EntryKind, at_ns: int, number: int, *parts: bytes) -> "Tape":
        self.ends_ns = max(self.ends_ns, at_ns)
        self.blocks.append((kind, BEGAN_NS + at_ns, number, parts))
        return self

    def encoded(self) -> bytes:
        """As a recording has it."""
        name = f"{self.kind.__module__}:{self.kind.__qualname__}"
        pieces = [first_line(Title(self.feed, name, BEGAN_NS))]
        for kind, time_ns, number, parts in self.blocks:
            data = b"".join(parts)
            stream = len(data) if kind is EntryKind.RECEIVED else 0
            pieces += map(bytes, encoded(kind, time_ns, number, tuple(map(len, parts)), data, (stream, 0)))
        return b"".join(pieces)

    def write(self, folder: Path, name: str = "") -> Path:
        path = folder / f"{name or self.feed}.recording"
        path.write_bytes(self.encoded())
        return path


def quoted(bid: float, ask: float, size: float = 1.0, name: str = "BTC-USDT") -> QuoteText:
    return QuoteText(name, bid, size if bid else 0.0, ask, size if ask else 0.0)


def steady(feed: str = "a", rows: int = 10, every_ns: int = 100 * MS, name: str = "BTC-USDT", **options: Any) -> Tape:
    """A quote each `every_ns`: 100 at 101 and one more each time."""
    tape = Tape(feed, **options).connect()
    for row in range(rows):
        tape.quote(row * every_ns, 100.0 + row, 101.0 + row, name=name)
    return tape


# --- tables ----------------------------------------------------------------------------------------------------------


def table(folder: Path, *rows: tuple[int, float, float], feed: str = "a", name: str = "BTC-USDT") -> Path:
    """A `.ticks` file of quotes: nanoseconds since `BEGAN_NS`, bid and ask."""
    path, known = folder / f"{feed}.ticks", attrs.evolve(KNOWN[name], id=1)
    quotes = [Quote(feed, known, bid, 1.0, ask, 1.0, 0, BEGAN_NS + at, BEGAN_NS + at) for at, bid, ask in rows]
    write_ticks(path, feed, [known], [ticks.encoded(quotes)])
    return path


def csv(folder: Path, *rows: tuple[int, float, float], feed: str = "a", name: str = "BTC-USDT") -> Path:
    """The same as CSV."""
    lines = ["received_time_ns,instrument,bid,bid_size,ask,ask_size"]
    lines += [f"{BEGAN_NS + at},{name},{bid},1,{ask},1" for at, bid, ask in rows]
    path = folder / f"{feed}.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


# --- applications ----------------------------------------------------------------------------------------------------


Act = Callable[["Watcher", Any], Awaitable[None] | None]


@attrs.define
class Seen:
    """What all lives of a strategy were told, and when by its clock."""

    told: list[tuple[int, Any]] = attrs.field(factory=list[tuple[int, Any]])

    def of(self, *kinds: type) -> list[Any]:
        return [message for _, message in self.told if isinstance(message, kinds)]

    def times(self, *kinds: type) -> list[int]:
        """Since `BEGAN_NS`."""
        return [at_ns - BEGAN_NS for at_ns, message in self.told if isinstance(message, kinds)]


class Watcher(Strategy):
    """Writes down all it is told, and then does what a test says."""

    topics: ClassVar[tuple[str, ...]] = ("*/*/*",)

    def __init__(self, seen: Seen, act: Act | None = None, start: "Callable[[Watcher], None] | None" = None) -> None:
        self.seen, self.act, self.start = seen, act, start

    def on_start(self) -> None:
        if self.start is not None:
            self.start(self)

    def on_message(self, message: Any) -> Awaitable[None] | None:
        if isinstance(message, MARKS):
            assert super().on_message(message) is None  # for its books
            return self._see(message)
        return super().on_message(message)

    def _see(self, message: Any) -> Awaitable[None] | None:
        self.seen.told.append((self.clock.now_ns(), message))
        return self.act(self, message) if self.act is not None else None

    def on_timer(self, name: str) -> Awaitable[None] | None:
        return self._see(name)

    def on_fill(self, fill: Fill) -> Awaitable[None] | None:
        return self._see(fill)

    def on_report(self, update: OrderUpdate) -> Awaitable[None] | None:
        return self._see(update)

    def on_quote(self, quote: Quote) -> Awaitable[None] | None:
        return self._see(quote)

    def on_trade(self, trade: Trade) -> Awaitable[None] | None:
        return self._see(trade)

    def on_book(self, update: BookUpdate) -> Awaitable[None] | None:
        return self._see(update)


def watching(
    seen: Seen, act: Act | None = None, start: Callable[[Watcher], None] | None = None, **changes: Any
) -> StrategyPart:
    """A `Watcher` of all there is."""
    return attrs.evolve(strategy_part(Watcher), make=partial(Watcher, seen, act, start), **changes)


def buys_once(row: int, limit: float | None = None, terms: Terms = IOC) -> Any:
    """What buys with the quote of that number."""
    count = Counter[str]()

    def act(strategy: Watcher, message: Any) -> None:
        if isinstance(message, Quote):
            if count["quotes"] == row:
                strategy.buy(message.instrument, "0.5", limit, terms)
            count["quotes"] += 1

    return act


def feed_part(name: str = "a", instruments: tuple[str, ...] = ("BTC-USDT",), **changes: Any) -> FeedPart:
    kinds = EventKind.QUOTE, EventKind.TRADE, EventKind.BOOK
    return attrs.evolve(FeedPart(name, WordsFeed, instruments, kinds), **changes)


def trading(
    *strategies: StrategyPart,
    feeds: tuple[FeedPart, ...] = (),
    venue: VenuePart | None = None,
    policy: Policy | None = None,
    **changes: Any,
) -> App:
    """An application of these, on the feed "a" and a paper venue unless told."""
    app = App(
        feeds=feeds or (feed_part(),), venues=(venue or VenuePart("paper", prices="a"),),
        routers=(RouterPart("default", policy or Timeout("paper", deadline_s=0.25)),), strategies=strategies,
    )  # fmt: skip
    return attrs.evolve(app, **changes)


def backtested(app: App, *data: Path | str, **manner: Any) -> Outcome:
    return running(app, *data, **manner).run()


def running(app: App, *data: Path | str, **manner: Any) -> Running:
    return prepared(app, data, Manner(**manner) if manner else AS_IT_WAS, "a test")


def same(one: Outcome, other: Outcome) -> bool:
    """But for how long it took."""
    return msgspec.structs.replace(one, wall_s=0.0) == msgspec.structs.replace(other, wall_s=0.0)
