"""What is particular to one feed: the half of `Feed` that whoever writes a feed fills in."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

import attrs

from ticktree.market import BookUpdate, Event, EventKind, Instrument, OrderBook, Ticks, Topic
from ticktree.market.ticks import IdTable
from ticktree.net import Connection, Framing

from .sequence import SequenceRule


@attrs.frozen
class Acknowledged:
    """What `decode` gives for the exchange's word that the subscription stands."""


Decoded = Iterable[Event | Acknowledged] | Ticks


class Particular(ABC):
    """Override what the exchange needs; `feeds/exchanges/` shows how.

    framing        cuts a stream into messages, a new one a connection (a WebSocket needs none)
    text           whether a WebSocket speaks text or binary messages
    can_skip       whether the stream can be trusted after a message that was not understood; else the connection goes
    rules          what the exchange promises of its sequence numbers, by kind
    heartbeat_s    how often the other side says something at least; silence of twice as long is a loss. None: never
    pongs_suffice  whether a WebSocket that answers pings has said something: where messages are not promised
    """

    framing: ClassVar[Callable[[], Framing] | None] = None
    text: ClassVar[bool] = True
    can_skip: ClassVar[bool] = True
    rules: ClassVar[Mapping[EventKind, SequenceRule]] = {}
    heartbeat_s: ClassVar[float | None] = None
    pongs_suffice: ClassVar[bool] = False
    url: str
    table: IdTable | None = None  # what the ids in the ticks of this connection mean; None: they are ours

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "decode" in vars(cls) and "decode_read" not in vars(cls):
            # One that is inherited knows nothing of what this class does to each message.
            cls.decode_read = Particular.decode_read  # type: ignore[method-assign]  # as if nobody had overridden it

    async def definitions(self) -> Iterable[Instrument]:
        """All instruments the exchange lists (their ids are given here). Asked once, before the first connection."""
        return ()

    async def locate(self) -> str:
        """The address, asked for before each attempt to connect."""
        return self.url

    def opened(self) -> None:  # noqa: B027  # most need nothing
        """A new connection: forget what the last one told."""

    async def login(self, connection: Connection) -> None:  # noqa: B027  # most are let in
        """Say who we are, before anything is subscribed to. Raises `FeedError` where we are not let in."""

    def symbol(self, instrument: Instrument) -> str:
        """What the exchange calls `instrument`."""
        return instrument.name

    @abstractmethod
    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        """What to say on a new connection to get `topics`."""

    def resubscribe_frames(self, instrument: Instrument) -> Iterable[bytes]:
        """What to say to get a book's snapshot anew, where it comes in-band."""
        return ()

    @abstractmethod
    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        """The events, or the ticks, in one message. No I/O. Raises a `MarketError` or `FeedError`.

        Book updates carry their first and last sequence number; what follows on what is the base's business. Ticks are
        an array of the feed's own that may still be written to; their ids are translated by `table`.
        """

    def decode_read(self, frames: Sequence[memoryview | bytes], received_ns: int) -> Sequence[Event] | None:
        """What all messages of one read tell together; None where one of them is not as usual: `decode` gets each then.

        For messages that come by the thousand, of which the call and the account of each cost as much as its decoding.
        It changes nothing and raises nothing. A class that overrides `decode` alone is asked for each message.
        """
        return None

    def beat(self) -> bytes:
        """What to say each `heartbeat_s`; empty: nothing (WebSockets ping by themselves)."""
        return b""

    async def snapshot(self, instrument: Instrument) -> BookUpdate:
        """A book as it stands, to repair a gap; its `sequence` is the last update in it. Raises `Lost`, `FeedError`."""
        raise NotImplementedError

    def new_book(self, instrument: Instrument) -> OrderBook:
        """The book that deltas are checked with; one that keeps text, where a checksum is taken over that."""
        return OrderBook()

    def checksum(self, book: OrderBook) -> int:
        """The exchange's checksum over its book, were it as `book` is; override where updates carry a `checksum`.

        Asked after each such update, before anybody is told of it.
        """
        raise NotImplementedError(f"{type(self).__name__} brings updates with a checksum, and does not say of what")
