"""Listens for order-entry clients, and fronts the engines whose accounts they log in to."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable
from hmac import compare_digest
from typing import Final

from ticktree.actors import Clock
from ticktree.actors.clock import NS, Alarm
from ticktree.market import Instrument
from ticktree.net import Connection, Server, ShortReads, StreamConnection
from ticktree.net.pulse import LOOKS

from . import session as sessions
from .desk import Catalogue, Desk, Front
from .faults import NO_FAULTS, LineFaults
from .guest import Guest, LoginDenied

log = logging.getLogger("ticktree.routing")

HEARTBEAT_S: Final = 1.0
MOST_CLIENTS: Final = 256


class OrderEntryServer:
    """Serves the accounts of its fronts, one connection each: the newest login wins.

    It hears the engines from now until `close`; what the market says they are told by their owner, who also calls
    `listen` and `close`. `on_fault` is told what failed of ours; `acted` is called when an engine was asked something.
    """

    def __init__(
        self,
        fronts: Iterable[Front],
        clock: Clock,
        heartbeat_s: float = HEARTBEAT_S,
        faults: LineFaults = NO_FAULTS,
        most_clients: int = MOST_CLIENTS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Raises `ValueError` where two fronts have an account of one name."""
        self.clock, self.heartbeat_s, self.faults = clock, heartbeat_s, faults
        self.look_s = heartbeat_s / LOOKS
        self.on_fault: Callable[[Exception], None] = _log_fault
        self.acted: Callable[[], None] = _nothing
        self._most_clients, self._tls = most_clients, tls
        self._desks: dict[str, Desk] = {}
        self._catalogues: list[Catalogue] = []
        for front in fronts:
            self._open(front)
        self._servers: list[Server] = []
        self._guests: dict[Guest, None] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._alarm: Alarm | None = None
        self._came = self._sessions = self._refused = 0

    def _open(self, front: Front) -> None:
        catalogue = Catalogue()
        for instrument in front.instruments:
            catalogue.define(instrument)
        self._catalogues.append(catalogue)
        for account in front.accounts:
            if account in self._desks:
                raise ValueError(f"two engines have an account {account!r}: give each account a name of its own")
            self._desks[account] = desk = Desk(account, front, catalogue, self.clock)
            front.engine.listen(account, desk.report)

    # --- what its owner does -----------------------------------------------------------------------------------

    async def listen(self, url: str) -> str:
        """Listen at `url` (of several, call it again); the address that was bound. Raises what `Server.listen` does."""
        tokens = [desk.front.accounts[desk.account] for desk in self._desks.values()]
        asked = "asked by LOGIN" if tokens and all(tokens) else None  # beyond loopback every account has a token
        server = Server(self._accept, tls=self._tls, token=asked, most_connections=self._most_clients)
        bound = await server.listen(url)
        self._servers.append(server)
        if self._alarm is None:
            self._look()
        log.info("order entry: listens at %s", bound)
        return bound

    async def close(self) -> None:
        """Take no more clients, and send those there are away; bounded."""
        if self._alarm is not None:
            self._alarm.cancel()
        for guest in tuple(self._guests):
            guest.log_out(sessions.CLOSING, "the server closes")
        for server in self._servers:
            await server.close()
        for desk in self._desks.values():
            desk.front.engine.listen(desk.account, None)
        if self._closing:
            await asyncio.wait(self._closing)

    def define(self, instrument: Instrument) -> None:
        """Make the definition known, and tell the clients if it is news."""
        for catalogue in self._catalogues:
            if catalogue.define(instrument):
                for guest in self._guests:
                    if guest.desk is not None and guest.desk.catalogue is catalogue:
                        guest.tell_instruments(instrument.name)

    @property
    def clients(self) -> int:
        """How many connections there are."""
        return len(self._guests)

    # --- what its guests need ----------------------------------------------------------------------------------

    def enter(self, guest: Guest) -> int:
        """It comes; how many came before it."""
        self._guests[guest] = None
        self._came += 1
        return self._came - 1

    def leave(self, guest: Guest) -> None:
        """It went."""
        self._guests.pop(guest, None)

    def admit(self, login: sessions.Login) -> Desk:
        """The desk of who may log in so. Raises `LoginDenied`."""
        if self._refused < self.faults.refuse_logins:
            self._refused += 1
            raise LoginDenied("busy", "refused on purpose")
        if login.version != sessions.VERSION:
            raise LoginDenied("version", f"version {sessions.VERSION} is spoken here, not {login.version}")
        desk = self._desks.get(login.account)
        token = desk.front.accounts[desk.account] if desk is not None else "\0"
        # Compared also where there is no such account: neither the answer nor its time tells which of the two it was.
        right = compare_digest(login.token.encode(), token.encode()) or (desk is not None and not token)
        if desk is None or not right:
            raise LoginDenied("credentials", "there is no such account, or its token is another")
        return desk

    def fresh_id(self) -> str:
        """An id that no session had."""
        self._sessions += 1
        return f"{self.clock.now_ns():016x}-{self._sessions}"

    def close_soon(self, connection: Connection) -> None:
        """Close it, without waiting for that."""
        task = asyncio.get_running_loop().create_task(connection.close(lingers=True), name="order entry: a client ends")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _accept(self) -> Connection:
        return StreamConnection(Guest(self), sessions.FRAMING, buffers=ShortReads(sessions.MOST_BYTES))

    def _look(self) -> None:
        self._alarm = self.clock.call_at(self.clock.monotonic_ns() + round(self.look_s * NS), self._look)
        for guest in tuple(self._guests):
            guest.look()


def _log_fault(error: Exception) -> None:
    log.error("order entry: a client's connection failed", exc_info=error)


def _nothing() -> None:
    pass
