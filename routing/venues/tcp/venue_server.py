"""A venue in a process of its own: an engine that the market feeds, behind the order-entry protocol."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from ticktree.actors import Actor, NotRunning, Reason, Request
from ticktree.actors.clock import Alarm
from ticktree.market import MARKS, Bar, Batch, BookUpdate, Instrument, Quote, Trade

from ...errors import UnknownMessage
from .desk import Engine, Front
from .faults import NO_FAULTS, LineFaults
from .server import HEARTBEAT_S, OrderEntryServer

ANYWHERE: Final = ("tcp://127.0.0.1:0",)


_OF_NO_USE: Final = (Bar, *MARKS)


class Where(Request[tuple[str, ...]]):
    """Asks a venue server where it listens."""


@attrs.frozen
class _Failed:
    """A connection's callback raised `error`, which is to end this life."""

    error: Exception


class VenueServer(Actor[Any]):
    """Tells `engine` what the market says, and serves `accounts` (names and their tokens; "" on loopback only).

    `instruments` are offered from the start, others once the market brings them; bars and marks mean nothing here.
    Each life begins the sessions of all clients anew, who then ask about their orders: an engine that outlives it
    still knows them.
    """

    def __init__(  # noqa: PLR0913  # policies, by name
        self,
        name: str,
        engine: Engine,
        accounts: Mapping[str, str],
        instruments: Iterable[Instrument] = (),
        *,
        listen: Iterable[str] = ANYWHERE,
        faults: LineFaults = NO_FAULTS,
        heartbeat_s: float = HEARTBEAT_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.name, self.engine, self.faults = name, engine, faults
        self.urls: tuple[str, ...] = ()
        instruments = tuple(instruments)
        self._front = Front(engine, dict(accounts), instruments)
        self._listen, self._heartbeat_s, self._tls = tuple(listen), heartbeat_s, tls
        self._known = {instrument.name: instrument for instrument in instruments}
        self._server: OrderEntryServer | None = None
        self._alarm: Alarm | None = None
        self._due_ns: int | None = None  # when the alarm rings, on the wall clock

    def __repr__(self) -> str:
        return f"<VenueServer {self.name}>"

    async def on_start(self) -> None:
        server = OrderEntryServer([self._front], self.clock, self._heartbeat_s, self.faults, tls=self._tls)
        self._server, server.on_fault, server.acted = server, self._failed, self._arm
        try:
            for url in self._listen:
                self.urls += (await server.listen(url),)
        except BaseException:
            await server.close()  # what it listens at already must be free for the next life
            raise

    def on_message(self, message: Any) -> None:
        match message:
            case Quote() | Trade() | BookUpdate():
                self._feed(message)
            case Batch():
                for event in message.events:
                    if not isinstance(event, Bar):
                        self._feed(event)
            case Where():
                message.reply(self.urls)
                return
            case _Failed(error):
                raise error
            case _ if isinstance(message, _OF_NO_USE):
                return
            case _:
                raise UnknownMessage(self.path, message)
        self._arm()

    async def on_stop(self, reason: Reason) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if self._server is not None:
            await self._server.close()

    def _feed(self, event: Quote | Trade | BookUpdate) -> None:
        instrument = event.instrument
        if self._known.get(instrument.name) is not instrument and self._server is not None:
            self._known[instrument.name] = instrument
            self._server.define(instrument)
        self.engine.on_market(event)

    def _arm(self) -> None:
        """See to it that orders end when their time has come."""
        due_ns = self.engine.next_expiry_ns
        if due_ns is None or (self._due_ns is not None and self._due_ns <= due_ns):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        clock = self.clock
        left_ns = max(0, due_ns - clock.now_ns())
        self._due_ns, self._alarm = due_ns, clock.call_at(clock.monotonic_ns() + left_ns, self._expire)

    def _expire(self) -> None:
        self._due_ns = self._alarm = None
        try:
            self.engine.expire(self.clock.now_ns())
            self._arm()
        except NotRunning:  # killed meanwhile
            return
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        try:
            self.ref.tell_control(_Failed(error))
        except NotRunning:
            asyncio.get_running_loop().call_exception_handler({"message": f"{self!r} failed", "exception": error})
