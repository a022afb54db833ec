"""A feed of bare ticks: 64-byte records on a stream, with nothing around them."""

from collections.abc import Iterable

import numpy as np

from ticktree.market import TICK, Instrument, Ticks, Topic
from ticktree.market.ticks import RECORD, IdTable, copied
from ticktree.net import Records

from .feed import Decoded, Feed
from .source import Source
from .updates import Updates


class RecordFeed(Feed):
    """Bare 64-byte records, one after the other, of instruments that are defined beforehand; nothing is asked for.

    Nothing numbers the records of a connection, so that a loss cannot be noticed: use it where TCP alone is trusted.
    """

    framing = staticmethod(lambda: Records(RECORD.size))
    can_skip = False

    def __init__(self, source: Source, url: str, definitions: Iterable[Instrument]) -> None:
        super().__init__(source, url)
        self._listed = tuple(definitions)
        self.table = self._table = IdTable()
        self._updates = Updates(source.name)

    def opened(self) -> None:
        self.table = self._table = IdTable()
        self._updates = Updates(self.name)
        for instrument in self._listed:
            self._table.define(instrument.id, self.adopt(instrument).id)

    def subscribe_frames(self, topics: Iterable[Topic]) -> Iterable[bytes]:
        return ()

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        ticks: Ticks = np.frombuffer(frame, TICK)
        if not ticks.flags.writeable:
            ticks = copied(ticks)
        return self._updates.whole(ticks)
