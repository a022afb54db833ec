"""A feed of our own wire protocol: a relay's, or the simulated exchange's. docs/wire-protocol.md."""

from collections.abc import Iterable

from ticktree.market import Instrument, Topic, messages, wire
from ticktree.market.ticks import IdTable, copied

from .conversation import ConversingFeed
from .feed import Decoded
from .source import Source
from .updates import Updates


class WireFeed(ConversingFeed):
    """Says HELLO and SUBSCRIBE, and takes what comes. Instruments are known by the ids of the connection.

    Over tcp://, tls:// and unix://, and as binary messages over ws:// and wss://, where each message must be one frame
    (or one run of equal TICKS frames). The frames' sequence is checked, and no instrument's: that was done where the
    data came in. There is no resend: what is missing ends the connection, and the next one begins with snapshots.
    """

    framing = wire.Framing
    text = False
    can_skip = False
    heartbeat_s = wire.HEARTBEAT_S

    def __init__(self, source: Source, url: str, token: str = "", upstream: str = "") -> None:
        super().__init__(source, url, token, upstream)
        self._reader, self._writer = wire.Reader(), wire.Writer()
        self.table = self._table = IdTable()
        self._updates = Updates(source.name)

    def opened(self) -> None:
        self._reader, self._writer = wire.Reader(), wire.Writer()
        self.table = self._table = IdTable()
        self._updates = Updates(self.name)

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        yield self._writer.write(wire.Hello(token=self._token))
        yield self._writer.write(self.asked(topics))

    def resubscribe_frames(self, instrument: Instrument) -> Iterable[bytes]:
        yield self._writer.write(self.asked_again(instrument))

    def beat(self) -> bytes:
        return self._writer.write(wire.Heartbeat())

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        if self.speaks_messages:
            wire.whole(frame, self.source.account.offset)
        message = self._reader.read(frame)
        if isinstance(message, wire.TickRows):
            ticks = message.ticks
            return self._updates.whole(ticks if ticks.flags.writeable else copied(ticks))
        if isinstance(message, wire.BarMessage):
            return (messages.bar_heard(message, self.instruments, received_ns, self.name),)
        return self.hear(message)

    def define(self, instruments: Iterable[Instrument]) -> None:
        for instrument in instruments:
            self._table.define(instrument.id, self.adopt(instrument).id)
