"""Feeds of the made-up JSON exchange for the kit: one that is sound, and others that are broken in one way each."""

import asyncio
import json
import os
import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import msgspec

from ticktree.feeds import BadMessage, Decoded, Feed, Refused, Source
from ticktree.feeds.testing import BookFact, FeedConformance, TradeFact, UpdateFact
from ticktree.feeds.testing.facts import TextLevels, stranger
from ticktree.market import BookUpdate, Topic, Trade
from ticktree.net import Framing

from .. import json_feed
from ..json_feed import ACK, BTC, Hand, InBandFeed


class SoundFeed(InBandFeed):
    heartbeat_s: ClassVar[float | None] = 60.0

    def __init__(self, source: Source, url: str) -> None:
        super().__init__(source, url, Hand(listing=(BTC,)))

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        if bytes(frame) == b"no":
            raise Refused(self.name, "too many streams")
        return super().decode(frame, received_ns)


class SoundTrades(FeedConformance):
    """A stream of lines that tells trades; `feed` makes what is tested."""

    instrument = BTC
    scheme: ClassVar[Any] = "tcp"
    feed: ClassVar[type[SoundFeed]] = SoundFeed

    def make(self, source: Source, url: str, rest_url: str) -> Feed:
        return self.feed(source, url)

    def heard(self, message: bytes, book: BookFact) -> Iterable[bytes]:
        if message.startswith(b"subscribe"):
            yield line(ACK)
        if self.has("snapshot"):
            yield self.snapshot(book)

    def trade(self, trade: TradeFact) -> bytes:
        said = json_feed.trade(trade.number, trade.instrument.name, float(trade.price))
        return line(said | {"size": float(trade.size)})

    def refusal(self) -> bytes:
        return b"no\n"


class SoundBooks(SoundTrades):
    """And books, whole to who subscribes."""

    def snapshot(self, book: BookFact) -> bytes:
        levels: Any = {"bids": floats(book.bids), "asks": floats(book.asks)}
        return line(json_feed.book(book.number, name=book.instrument.name, snapshot=True, **levels))

    def update(self, update: UpdateFact) -> bytes:
        levels: Any = {"bids": floats(update.bids), "asks": floats(update.asks)}
        return line(json_feed.book(update.number, name=update.instrument.name, **levels))


class SoundMessages(SoundBooks):
    """The same over a WebSocket."""

    scheme = "ws"

    def heard(self, message: bytes, book: BookFact) -> Iterable[bytes]:
        return [said.rstrip() for said in super().heard(message, book)]

    def trade(self, trade: TradeFact) -> bytes:
        return super().trade(trade).rstrip()

    def snapshot(self, book: BookFact) -> bytes:
        return super().snapshot(book).rstrip()

    def update(self, update: UpdateFact) -> bytes:
        return super().update(update).rstrip()

    def refusal(self) -> bytes:
        return b"no"


def line(message: dict[str, Any]) -> bytes:
    return msgspec.json.encode(message) + b"\n"


def floats(levels: TextLevels) -> list[tuple[float, float]]:
    return [(float(price), float(size)) for price, size in levels]


# --- broken ----------------------------------------------------------------------------------------------------------


class Unfinished:
    """Hands on what has come of a line, too."""

    most_bytes = read_bytes = 65_536

    def cut(self, data: memoryview, offset: int) -> tuple[list[memoryview], int, Exception | None]:
        parts, begin = list[memoryview](), 0
        for part in bytes(data).splitlines(keepends=True):
            stop = begin + len(part)
            parts.append(data[begin:stop])
            begin = stop
        return parts, len(data), None


class TellsHalves(SoundFeed):
    """Makes the best of what has come of a message."""

    framing: ClassVar[Callable[[], Framing] | None] = Unfinished

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        try:
            return super().decode(bytes(frame).rstrip(), received_ns)
        except BadMessage:
            found = re.search(rb'"n":(\d+),"price":([\d.]+)', bytes(frame))
            if found is None:
                raise
            return (Trade(self.name, self.instruments["BTC-USDT"], float(found[2]), 1.0, None, int(found[1]), 0, 0),)


class KeepsHalves(SoundFeed):
    """Puts messages together itself, and forgets that a connection ended."""

    framing: ClassVar[Callable[[], Framing] | None] = Unfinished
    _held = b""

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        self._held += bytes(frame)
        if not self._held.endswith(b"\n"):
            return ()
        whole, self._held = self._held, b""
        return super().decode(whole.rstrip(), received_ns)


class SubscribesOnce(SoundFeed):
    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        return super().subscribe_frames(topics) if self.opens < 2 else ()


class IgnoresGaps(SoundFeed):
    """Numbers what comes itself."""

    _number = 0

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        events: Any = super().decode(frame, received_ns)
        return [self._numbered(event) for event in events]

    def _numbered(self, event: Any) -> Any:
        if not isinstance(event, BookUpdate):
            return event
        self._number += 1
        return msgspec.structs.replace(event, first_sequence=self._number, sequence=self._number)


class TakesAnyNumber(SoundFeed):
    """Reads JSON as Python does: NaN, infinity, negative sizes."""

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        try:
            return super().decode(frame, received_ns)
        except BadMessage:
            try:
                said = json.loads(bytes(frame))
                price, size = float(said["price"]), float(said["size"])
                number = int(said["n"])
            except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
                raise BadMessage(self.name, "no", frame) from None
            instrument = self.by_symbol.get(str(said.get("i")))
            if instrument is None:
                raise BadMessage(self.name, "no", frame) from None
            return (Trade(self.name, instrument, price, size, None, number, 0, 0),)


class LeaksTasks(SoundFeed):
    tasks: ClassVar[set["asyncio.Task[None]"]] = set()

    def opened(self) -> None:
        super().opened()
        self.tasks.add(asyncio.get_running_loop().create_task(asyncio.sleep(3_600)))


class LeaksDescriptors(SoundFeed):
    opened_by_all: ClassVar[list[int]] = []

    def opened(self) -> None:
        super().opened()
        self.opened_by_all.append(os.open(os.devnull, os.O_RDONLY))


class RaisesItsOwn(SoundFeed):
    """An instrument that it does not know is a KeyError of its own."""

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        found = re.search(rb'"i":"([^"]+)"', bytes(frame))
        if found is not None:
            _ = self.by_symbol[found[1].decode()]
        return super().decode(frame, received_ns)


class NeverLooks(SoundFeed):
    def _look(self) -> None:
        pass


class HearsNoRefusal(SoundFeed):
    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        return () if bytes(frame) == b"no" else super().decode(frame, received_ns)


class TakesGarbage(SoundFeed):
    """What it does not understand is nothing to it."""

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        try:
            return super().decode(frame, received_ns)
        except BadMessage:
            return ()


class TellsStrangers(SoundFeed):
    """Knows every instrument that somebody names."""

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        if b"NOBODY-KNOWS" in bytes(frame):
            (event,) = super().decode(bytes(frame).replace(b"NOBODY-KNOWS", b"BTC-USDT"), received_ns)
            told: Any = event
            return (msgspec.structs.replace(told, instrument=self.adopt(stranger(BTC))),)
        return super().decode(frame, received_ns)
