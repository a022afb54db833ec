"""A feed of our own wire protocol: a relay's, or the simulated exchange's. docs/wire-protocol.md."""

from collections.abc import Iterable
from typing import assert_never

import msgspec

from ticktree.market import Event, Instrument, Ticks, Topic, messages, wire
from ticktree.market.ticks import IdTable, copied

from .errors import Refused
from .feed import Acknowledged, Decoded, Feed
from .source import Source
from .updates import Updates


class WireFeed(Feed):
    """Says HELLO and SUBSCRIBE, and takes what comes. Instruments are known by the ids of the connection.

    The frames' sequence is checked, and no instrument's: that was done where the data came in. There is no resend: what
    is missing ends the connection, and the next one begins with snapshots.
    """

    framing = wire.Framing
    text = False
    can_skip = False
    heartbeat_s = wire.HEARTBEAT_S

    def __init__(self, source: Source, url: str, token: str = "") -> None:
        super().__init__(source, url)
        self._token = token
        self._reader, self._writer = wire.Reader(), wire.Writer()
        self._table, self._updates = IdTable(), Updates(source.name)

    def opened(self) -> None:
        self._reader, self._writer = wire.Reader(), wire.Writer()
        self._table, self._updates = IdTable(), Updates(self.name)

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        yield self._writer.write(wire.Hello(token=self._token))
        yield self._writer.write(wire.Subscribe(tuple(map(str, topics))))

    def resubscribe_frames(self, instrument: Instrument) -> Iterable[bytes]:
        yield self._writer.write(wire.Subscribe((f"{self.name}/{instrument.name}/book",)))

    def beat(self) -> bytes:
        return self._writer.write(wire.Heartbeat())

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        message = self._reader.read(frame)
        if isinstance(message, wire.TickRows):
            return self._mine(message.ticks)
        return self._control(message)

    def _control(self, message: wire.Message) -> Iterable[Event | Acknowledged]:
        match message:
            case wire.Instruments():
                for instrument in message.instruments:
                    self._table.define(instrument.id, self.adopt(instrument).id)
            case wire.Refused():
                raise Refused(self.name, message.text or message.reason)
            case wire.End():
                raise Refused(self.name, message.reason)
            case wire.Subscribed():
                return (Acknowledged(),)
            case wire.Skipped():
                return (self._skipped(message),)
            case wire.FeedMark() | wire.InstrumentMark() | wire.GapMark() | wire.StaleMark() | wire.LiveMark():
                mark = messages.heard(message, self.instruments)
                return (msgspec.structs.replace(mark, feed=self.name),)
            case wire.Hello() if message.version != wire.VERSION:
                raise Refused(self.name, f"it speaks version {message.version}, and we {wire.VERSION}")
            case wire.Hello() | wire.Heartbeat() | wire.SnapshotBegin() | wire.SnapshotEnd():
                pass
            case wire.Subscribe() | wire.Unsubscribe():
                raise Refused(self.name, "it speaks as a client does: there is no server at that address")
            case wire.TickRows():
                pass
            case _:
                assert_never(message)
        return ()

    def _skipped(self, message: wire.Skipped) -> Event:
        books = frozenset((self.name, name) for _, name in message.books)
        for _, name in message.books:
            if name in self.instruments:
                self.distrust(self.instruments[name], "the other side left out rows of its book")
        return msgspec.structs.replace(messages.heard(message, self.instruments), books=books, feed=self.name)

    def _mine(self, ticks: Ticks) -> Ticks:
        if not ticks.flags.writeable:
            ticks = copied(ticks)
        self._table.translate(ticks, self.name)
        return self._updates.whole(ticks)
