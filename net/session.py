"""One connection at a time to one place, made anew for ever, with pauses that grow while it does not last."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, Protocol

import attrs

from ticktree.actors import Backoff, Clock, Closed, Lost as AskLost

from .connect import connect
from .connection import CLOSE_S, Connection
from .errors import HandshakeFailed, Lost, NameUnknown, NetError, NoAnswer, Refused, TlsFailed, Unlocated

CONNECT_S: Final = 5.0
LOCATE_S: Final = 30.0  # to be told the address; an exchange is asked over HTTP
LASTING_NS: Final = 5_000_000_000  # a connection that held so long was a good one: the pauses begin anew


class Client(Protocol):
    """Whom a session serves: an actor has the clock."""

    @property
    def clock(self) -> Clock:
        """What time it is. May raise, which ends the session: whoever it serves is gone."""
        ...

    def on_unreachable(self, error: Exception) -> None:
        """No connection could be made; another attempt follows."""
        ...

    def on_fault(self, error: Exception) -> None:
        """The session itself failed, and ends."""
        ...


@attrs.define
class Attempts:
    """How a session's attempts ended, so far. `made`: they stood, for however long."""

    made: int = 0
    unlocated: int = 0  # nobody told the address
    name_unknown: int = 0
    refused: int = 0
    no_answer: int = 0
    tls_failed: int = 0
    handshake_failed: int = 0
    otherwise: int = 0

    @property
    def failed(self) -> int:
        """All that were not made."""
        told = self.name_unknown + self.refused + self.no_answer + self.tls_failed + self.handshake_failed
        return self.unlocated + told + self.otherwise

    def count(self, error: Exception) -> None:
        """Count a failure by its kind."""
        match error:
            case NameUnknown():
                self.name_unknown += 1
            case Refused():
                self.refused += 1
            case NoAnswer():
                self.no_answer += 1
            case TlsFailed():
                self.tls_failed += 1
            case HandshakeFailed():
                self.handshake_failed += 1
            case Unlocated():
                self.unlocated += 1
            case _:
                self.otherwise += 1


class Session:
    """Owns the one task that connects, waits for the loss, pauses, and connects again.

    `locate` tells the address, before each attempt: some exchanges hand out a new one each time. `make` makes the
    connection, with its peer, for each attempt. `tls`, if set before the start: whom to trust; see `connect`.
    """

    def __init__(
        self,
        client: Client,
        make: Callable[[], Connection],
        locate: Callable[[], Awaitable[str]],
        backoff: Backoff,
        random: Random,
    ) -> None:
        self._client, self._make, self._locate = client, make, locate
        self._backoff, self._random = backoff, random
        self._task: asyncio.Task[None] | None = None
        self.tls: ssl.SSLContext | None = None
        self.connection: Connection | None = None  # the one there is, or was last
        self.attempts = Attempts()

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="session")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Connect no more, and close the connection there is; each of the two takes a bounded time."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=CLOSE_S)
            if not task.done():
                self._client.on_fault(
                    NetError("a session goes on although it was cancelled: its `locate` swallowed it")
                )
        if self.connection is not None:
            await self.connection.close()

    async def _run(self) -> None:
        attempt = 0
        while True:
            clock = self._client.clock  # asked anew: it raises, and so ends this, if the client was killed
            lasted_ns = 0
            try:
                # Kept from before it is made, so that a stop in the middle of connecting still finds it.
                url = await self._where()
                if self._task is None:  # stopped, although the locating did not heed it
                    return
                self.connection = connection = self._make()
                await connect(url, connection, CONNECT_S, self.tls)
            except Lost as error:
                self.attempts.count(error)
                self._client.on_unreachable(error)
            else:
                self.attempts.made += 1
                began_ns = clock.monotonic_ns()
                await asyncio.wait([connection.gone])
                lasted_ns = clock.monotonic_ns() - began_ns
            if lasted_ns > LASTING_NS:
                attempt = 0
            await clock.sleep(self._backoff.delay_s(attempt, self._random))
            attempt += 1

    async def _where(self) -> str:
        try:
            async with asyncio.timeout(LOCATE_S):
                return await self._locate()
        except (AskLost, Closed, TimeoutError) as error:
            why = str(error) or f"nobody told it within {LOCATE_S:g} s"
            raise Unlocated(why) from error

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._client.on_fault(error)
