"""A feed of the wire protocol's JSON dialect over a WebSocket: a relay's, or the simulated exchange's.

docs/wire-protocol.md.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, cast

from ticktree.market import EventKind, Instrument, Topic, dialect, messages

from .conversation import ConversingFeed, Said
from .feed import Decoded
from .sequence import SequenceRule


class DialectFeed(ConversingFeed):
    """Says hello and subscribes, and takes what comes. Instruments are known by name, books checked by their numbers.

    A gap is mended in-band: who subscribes again to a book is told the whole of it first.
    """

    rules: ClassVar[Mapping[EventKind, SequenceRule]] = {EventKind.BOOK: SequenceRule.RANGE}
    heartbeat_s: ClassVar[float | None] = 1.0

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        yield dialect.encode(messages.Hello(token=self._token))
        yield dialect.encode(self.asked(topics))

    def resubscribe_frames(self, instrument: Instrument) -> Iterable[bytes]:
        yield dialect.encode(self.asked_again(instrument))

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        message = dialect.decode(frame, self.source.account.offset)
        if isinstance(message, dialect.DATA):
            return (dialect.heard(message, self.instruments, received_ns, self.name),)
        return self.hear(cast(Said, message))  # nothing else comes out of `decode`
