"""A feed of the wire protocol's JSON dialect over a WebSocket: a relay's, or the simulated exchange's.

docs/wire-protocol.md.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import msgspec

from ticktree.market import Event, EventKind, Instrument, Topic, dialect, messages
from ticktree.market.messages import FeedMark, GapMark, InstrumentMark, LiveMark, StaleMark

from .errors import Refused
from .feed import Acknowledged, Decoded, Feed
from .sequence import SequenceRule
from .source import Source


class DialectFeed(Feed):
    """Says hello and subscribes, and takes what comes. Instruments are known by name, books checked by their numbers.

    A gap is mended in-band: who subscribes again to a book is told the whole of it first.
    """

    rules: ClassVar[Mapping[EventKind, SequenceRule]] = {EventKind.BOOK: SequenceRule.RANGE}
    heartbeat_s: ClassVar[float | None] = 1.0

    def __init__(self, source: Source, url: str, token: str = "") -> None:
        super().__init__(source, url)
        self._token = token

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        yield dialect.encode(messages.Hello(token=self._token))
        yield dialect.encode(messages.Subscribe(tuple(map(str, topics))))

    def resubscribe_frames(self, instrument: Instrument) -> Iterable[bytes]:
        yield dialect.encode(messages.Subscribe((str(Topic(self.name, instrument.name, EventKind.BOOK)),)))

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        message = dialect.decode(frame, self.source.account.offset)
        if not isinstance(message, dialect.DATA):
            return self._control(message)
        # One feed here, whatever it is called there. The message is ours alone, and half as quick to copy.
        msgspec.structs.force_setattr(message, "feed", self.name)
        return (dialect.heard(message, self.instruments, received_ns),)

    def _control(self, message: messages.Message) -> Iterable[Event | Acknowledged]:
        match message:
            case messages.Instruments():
                for instrument in message.instruments:
                    self.adopt(instrument)
            case messages.Refused():
                raise Refused(self.name, message.text or message.reason)
            case messages.End():
                raise Refused(self.name, message.reason)
            case messages.Subscribed():
                return (Acknowledged(),)
            case messages.Skipped():
                return (self._skipped(message),)
            case FeedMark() | InstrumentMark() | GapMark() | StaleMark() | LiveMark():
                mark = messages.heard(message, self.instruments)
                return (msgspec.structs.replace(mark, feed=self.name),)
            case messages.Hello() if message.version != messages.VERSION:
                raise Refused(self.name, f"it speaks version {message.version}, and we {messages.VERSION}")
            case messages.Subscribe() | messages.Unsubscribe():
                raise Refused(self.name, "it speaks as a client does: there is no server at that address")
            case _:
                pass  # hello, heartbeat
        return ()

    def _skipped(self, message: messages.Skipped) -> Event:
        books = frozenset((self.name, name) for _, name in message.books)
        for _, name in message.books:
            if name in self.instruments:
                self.distrust(self.instruments[name], "the other side left out rows of its book")
        return msgspec.structs.replace(messages.heard(message, self.instruments), books=books, feed=self.name)
