"""One connection at a time to one place, made anew for ever, with pauses that grow while it does not last."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Protocol

from ticktree.actors import Backoff, Clock, Closed, Lost as AskLost, ReadTurns

from .errors import Lost, Unreachable
from .framing import Framing
from .tcp import Connection, Peer, connect

CONNECT_S = 5.0
LASTING_NS = 5_000_000_000  # a connection that held so long was a good one: the pauses begin anew


class Client(Peer, Protocol):
    """A peer that also hears of attempts that failed. An actor has the clock and the reads."""

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    @property
    def reads(self) -> ReadTurns:
        """What opens a hand-off window around each read."""
        ...

    def on_unreachable(self, error: Exception) -> None:
        """No connection could be made; another attempt follows."""
        ...


class Session:
    """Owns the one task that connects, waits for the loss, pauses, and connects again.

    `locate` tells the address, before each attempt: some exchanges hand out a new one each time.
    """

    def __init__(
        self,
        client: Client,
        framing: Callable[[], Framing],
        locate: Callable[[], Awaitable[str]],
        backoff: Backoff,
        random: Random,
    ) -> None:
        self._client, self._framing, self._locate = client, framing, locate
        self._backoff, self._random = backoff, random
        self._task: asyncio.Task[None] | None = None
        self.connection: Connection | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="session")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Connect no more, and close the connection there is."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if self.connection is not None:
            await self.connection.close()

    async def _run(self) -> None:
        attempt = 0
        while True:
            clock = self._client.clock  # asked anew: it raises, and so ends this, if the client was killed
            began_ns = clock.monotonic_ns()
            try:
                connection = await connect(await self._where(), self._new, CONNECT_S)
            except Lost as error:
                self._client.on_unreachable(error)
            else:
                await asyncio.shield(connection.gone)
            if clock.monotonic_ns() - began_ns > LASTING_NS:
                attempt = 0
            await clock.sleep(self._backoff.delay_s(attempt, self._random))
            attempt += 1

    async def _where(self) -> str:
        try:
            return await self._locate()
        except (AskLost, Closed) as error:
            raise Unreachable("an address still to be told", str(error)) from error

    def _new(self) -> Connection:
        # Kept from here on, so that a stop in the middle of connecting still finds it.
        self.connection = Connection(self._client, self._framing(), self._client.reads)
        return self.connection

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._client.on_fault(error)
