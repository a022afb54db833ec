"""Clients by what they speak: the wire protocol over streams, its JSON dialect over WebSockets."""

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from ticktree.market import Instrument, Tick, dialect, messages, wire
from ticktree.market.events import BookUpdate, weight
from ticktree.market.ticks import encoded
from ticktree.net import Pulse, Silent

from .client import BEAT_S, Client, Floor
from .faults import FaultKind
from .garbage import dialect_garbage, wire_garbage
from .turn import Selection, Turn


class WireClient(Client):
    """Speaks the wire protocol. All data of a turn are one message."""

    speaks: ClassVar[str] = "wire"

    def __init__(self, floor: Floor) -> None:
        super().__init__(floor)
        self._reader, self._writer = wire.Reader(), wire.Writer()
        self._pulse = Pulse(wire.HEARTBEAT_S, BEAT_S)

    def beat(self) -> None:
        super().beat()
        if self._connection is not None:  # a WebSocket looks after its pulse itself, with pings
            silent_s = self._pulse.look(self._connection, self._reads)
            if silent_s is not None:
                self._connection.abort(Silent(silent_s))

    def encode(self, message: messages.Message) -> bytes:
        return self._writer.write(message)  # type: ignore[arg-type]  # the dialect's own are never said here

    def heard(self, frame: memoryview | bytes) -> object:
        return self._reader.read(frame)

    def tell(self, data: Sequence[Tick]) -> None:
        if data:
            self.send(self._writer.ticks(encoded(data)))

    def tell_whole(self, topics: tuple[str, ...], data: Sequence[Tick]) -> None:
        self.say(messages.SnapshotBegin(topics))
        self.tell(data)
        self.say(messages.SnapshotEnd(topics))

    def news(self, turn: Turn, wanted: Selection) -> list[bytes]:
        rows = turn.rows(wanted)
        self._floor.counters.sent += len(rows)
        return [self._writer.ticks(rows)] if len(rows) else []

    def faulty(self, turn: Turn, wanted: Selection, news: list[bytes]) -> list[bytes]:
        if news and self.struck(FaultKind.GAPS, turn):
            self.did(FaultKind.GAPS)
            self._floor.counters.lost += len(turn.rows(wanted))
            return []
        if news and self.struck(FaultKind.DUPLICATES, turn):
            self.did(FaultKind.DUPLICATES)
            return [*news, *news]
        return news

    def garbage(self, random: Random, instrument: Instrument) -> bytes:
        return wire_garbage(random, self._writer, instrument)


class DialectClient(Client):
    """Speaks the JSON dialect. Each event is a message; gaps and duplicates strike book updates."""

    speaks: ClassVar[str] = "dialect"

    def encode(self, message: messages.Message) -> bytes:
        return dialect.encode(message)

    def heard(self, frame: memoryview | bytes) -> object:
        return dialect.decode(frame)

    def tell(self, data: Sequence[Tick]) -> None:
        for one in data:
            self.send(dialect.encode(one))

    def tell_whole(self, topics: tuple[str, ...], data: Sequence[Tick]) -> None:
        self.tell(data)

    def news(self, turn: Turn, wanted: Selection) -> list[bytes]:
        self._floor.counters.sent += len(turn.rows(wanted))
        return [turn.text(one, dialect.encode) for one in turn.data(wanted)]

    def faulty(self, turn: Turn, wanted: Selection, news: list[bytes]) -> list[bytes]:
        data = turn.data(wanted)
        books = [index for index, one in enumerate(data) if isinstance(one, BookUpdate)]
        if books and (random := self.struck(FaultKind.GAPS, turn)):
            self.did(FaultKind.GAPS)
            index = random.choice(books)
            self._floor.counters.lost += weight(data[index])
            return news[:index] + news[index + 1 :]
        if books and (random := self.struck(FaultKind.DUPLICATES, turn)):
            self.did(FaultKind.DUPLICATES)
            index = random.choice(books)
            return news[: index + 1] + news[index:]
        return news

    def garbage(self, random: Random, instrument: Instrument) -> bytes:
        return dialect_garbage(random, self._floor.name, instrument)
