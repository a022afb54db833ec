"""Lets clients in: in order, and at a bounded rate, for what comes first of each are the snapshots that it asks for."""

import asyncio
import logging

from ticktree.actors import Actor, StartFailed, Timer
from ticktree.actors.errors import Closed

from ..errors import UnknownRequest
from .guest import Guest
from .lobby import ADMIT, Admit, Lobby

log = logging.getLogger("ticktree.distribution")

AT_ONCE = 8  # then others have their turn: a client takes a millisecond


class RelayPorter(Actor[Admit]):
    """Answers HELLOs. An actor of its own, because it waits for the supervisor while others are to be kept alive."""

    def __init__(self, lobby: Lobby) -> None:
        self._lobby = lobby
        self._timer: Timer | None = None  # to look at the line again

    def on_start(self) -> None:
        self._lobby.porter = self.ref
        self.ref.tell_control(ADMIT)  # who waits since the life before

    async def on_message(self, message: Admit) -> None:
        if not isinstance(message, Admit):  # pyright: ignore[reportUnnecessaryIsInstance]  # refs found by path
            raise UnknownRequest(self.path, message)
        if self._timer is not None:  # one is enough, however many come meanwhile
            self._timer.cancel()
        line = self._lobby.line
        while line:
            window = self._lobby.window
            now_ns = self.clock.monotonic_ns()
            if wait_s := window.wait_s(now_ns):
                self._timer = self.after(wait_s, ADMIT)
                return
            admitted: list[Guest] = []
            while line and len(admitted) < AT_ONCE and not window.wait_s(now_ns):
                guest = next(iter(line))
                del line[guest]
                window.note(now_ns)
                admitted.append(guest)
            await asyncio.gather(*map(self._let_in, admitted))

    async def _let_in(self, guest: Guest) -> None:
        clients = self.find_supervisor(f"{self.path.rpartition('/')[0]}/clients")
        try:
            await clients.start_child(guest)
            self._lobby.admitted += 1
        except (StartFailed, Closed) as error:
            log.error("%s: a client could not be let in: %s", self.path, error)
            guest.dismiss("the relay failed")
