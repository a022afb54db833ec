"""Many subscribers of one relay in one process, each of one instrument; as a program they say when all are there.

    python -m tests.distribution.relay.subscribers URL COUNT

prints the monotonic time when the last of them has come, and when all have come back; until it is killed.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from random import Random
from typing import Any

import uvloop

from ticktree.actors import LiveClock
from ticktree.market import messages, wire
from ticktree.net import Connection, Session, ShortReads, StreamConnection

from .rig import QUICK


class Subscriber:
    """One of a thousand in this process: it connects for ever, and hears of its own instrument only."""

    def __init__(self, name: str, url: str, woken: asyncio.Event) -> None:
        self.name, self._url, self._woken = name, url, woken
        self.clock = LiveClock()
        self.live = False
        self.outages = 0
        self.since_s = 0.0
        self.last = -1.0
        self.faults: list[Exception] = []
        self._reader, self._writer = wire.Reader(), wire.Writer()
        self._id = -1
        self.session = Session(self, self._connection, self._where, QUICK, Random(name))

    def _connection(self) -> Connection:
        return StreamConnection(self, wire.Framing(), buffers=ShortReads(wire.MOST_BYTES))

    async def _where(self) -> str:
        return self._url

    def beat(self) -> None:
        if self.session.connection is not None:
            self.session.connection.write(self._writer.write(messages.Heartbeat()))

    # --- the session's and the connection's calls --------------------------------------------------------------

    def on_unreachable(self, error: Exception) -> None:
        pass

    def on_fault(self, error: Exception) -> None:
        self.faults.append(error)

    def on_open(self, connection: Connection) -> None:
        self._reader, self._writer = wire.Reader(), wire.Writer()
        for message in (messages.Hello(), messages.Subscribe((f"sim/{self.name}/quote",))):
            connection.write(self._writer.write(message))

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        for frame in frames:
            match self._reader.read(frame):
                case messages.Instruments(instruments):
                    assert [one.name for one in instruments] == [self.name]
                    self._id = instruments[0].id
                case wire.TickRows(ticks):
                    assert set(ticks["instrument"].tolist()) == {self._id}
                    self.last = float(ticks["a"][-1])
                case messages.SnapshotEnd():
                    self.live, self.since_s = True, time.monotonic()
                case _:
                    pass
        self._woken.set()

    def on_lost(self, connection: Connection, error: Exception) -> None:
        self.live = False
        self.outages += 1
        self._woken.set()


async def until(woken: asyncio.Event, condition: Any) -> None:
    async with asyncio.timeout(60.0):
        while not condition():
            woken.clear()
            await woken.wait()


async def beating(subscribers: list[Subscriber]) -> None:
    while True:
        await asyncio.sleep(wire.HEARTBEAT_S / 2)
        for subscriber in subscribers:
            subscriber.beat()


async def main(url: str, count: int) -> None:
    woken = asyncio.Event()
    subscribers = [Subscriber(f"C{number}-USD", url, woken) for number in range(count)]
    beats = asyncio.ensure_future(beating(subscribers))
    for subscriber in subscribers:
        subscriber.session.start()
    for outages in range(2):
        await until(woken, lambda: all(one.live and one.outages >= outages for one in subscribers))  # noqa: B023  # now
        print(max(one.since_s for one in subscribers), flush=True)
    await beats


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
