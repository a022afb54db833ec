"""A feed of our own wire protocol: a relay's, or the simulated exchange's."""

from collections.abc import Iterable
from typing import assert_never

from ticktree.market import Event, Instrument, Topic, wire
from ticktree.market.ticks import decode

from .errors import Refused
from .feed import Feed, Source


class WireFeed(Feed):
    """Says HELLO and SUBSCRIBE, and takes what comes. Instruments are known by the ids of the connection."""

    framing = wire.Framing
    silence_s = 5.0  # the other side sends a HEARTBEAT each second when it has nothing to say

    def __init__(self, source: Source, url: str) -> None:
        super().__init__(source, url)
        self._reader = wire.Reader()
        self._instruments: dict[int, Instrument] = {}

    def opened(self) -> None:
        self._reader = wire.Reader()
        self._instruments = {}

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        writer = wire.Writer()
        yield writer.write(wire.Hello(session=0))
        yield writer.write(wire.Subscribe(tuple(map(str, topics))))

    def decode(self, frame: memoryview, received_ns: int) -> Iterable[Event]:
        message = self._reader.read(frame)
        match message:
            case wire.TickRows():
                return decode(message.records, self._instruments, self.source.name, received_ns)
            case wire.Instruments():
                self._instruments |= {instrument.id: instrument for instrument in message.instruments}
            case wire.End():
                raise Refused(self.source.name, message.reason)
            case wire.Hello() | wire.Subscribed() | wire.Subscribe() | wire.Heartbeat():
                pass
            case _:
                assert_never(message)
        return ()
