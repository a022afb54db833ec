"""The actor that answers for a running system: a Unix socket for the operator, TCP on this machine for metrics.

It only speaks: what it tells is a picture of the whole at one instant, and what it is told to do it asks of the actor
`controls`. Requests are answered by aiohttp's own tasks, so that a long one keeps nobody else waiting.
"""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ticktree.actors import Actor, ActorsError, Lost, Reason, Request
from ticktree.net import Address, BadAddress
from ticktree.routing import OrderState
from ticktree.routing.controls import DrainOrders, Flatten, Halt, Resolve, Resume
from ticktree.routing.errors import RoutingError, UnknownOrder

from . import words
from .entrance import Entrance, open_entrance
from .errors import BadSite, Refused
from .picture import Photographer
from .routes import local_programs_only, operator_pages, public_pages
from .site import Site
from .status import Said, Status

if TYPE_CHECKING:
    from ..assembly import Assembly

log = logging.getLogger("ticktree.operations")

ANSWER_S = 5.0  # what `controls` is given, beside the time that a command takes by itself


class Operations(Actor[Any]):
    """Serves the system of `assembly`, which has an `OperationsPart`."""

    def __init__(self, assembly: "Assembly") -> None:
        self._assembly = assembly
        self._entrance: Entrance | None = None
        self._sites: list[Site] = []

    async def on_start(self) -> None:
        """Raises `AlreadyRunning`, `BadPlace`, `BadSite`, `OSError`: the start of the system fails then."""
        part = self._assembly.app.operations
        assert part is not None
        self._photographer = Photographer(self._assembly, self._assembly.system(), self.clock.now_ns())
        try:
            await self._open_metrics(part.metrics)
            await self._open_socket(part.socket)
        except BaseException:
            await self._close()  # of a start that failed `on_stop` hears nothing
            raise

    async def on_stop(self, reason: Reason) -> None:
        await self._close()

    # --- sockets ---------------------------------------------------------------------------------------------------

    async def _open_socket(self, path: Path) -> None:
        self._entrance = entrance = await open_entrance(path)
        site = Site(operator_pages(self.take, self.obey))
        self._sites.append(site)
        await site.open_unix(entrance.sock)
        log.info("the operator's socket: %s", entrance.path)

    async def _open_metrics(self, where: str) -> None:
        if not where:
            return
        address = _loopback(where)
        site = Site(public_pages(self.take, [local_programs_only]))
        self._sites.append(site)
        try:
            port = await site.open_tcp(address.host, address.port)
        except OSError as error:
            raise BadSite(where, os.strerror(error.errno) if error.errno else str(error)) from error
        host = f"[{address.host}]" if ":" in address.host else address.host
        url = f"http://{host}:{port}/metrics"
        self._photographer = attrs.evolve(self._photographer, metrics=url)
        log.info("metrics: %s", url)

    async def _close(self) -> None:
        """First the file, so that who looks for a running system finds none that is about to end."""
        if self._entrance is not None:
            self._entrance.close()
        for site in self._sites:
            await site.close()

    # --- what is asked ---------------------------------------------------------------------------------------------

    def take(self) -> Status:
        """The system as it is now."""
        return self._photographer.take()

    async def obey(self, command: words.Command) -> Said:
        """Ask it of `controls`, and wait. Raises `Refused`."""
        if not self._assembly.app.venues:
            raise Refused(409, "this system has no venues: nothing is traded, so there is nothing to control")
        try:
            match command:
                case words.Halt(reason):
                    return Said(await self._ask(Halt(reason)))
                case words.Resume(reason):
                    return Said(await self._ask(Resume(reason)))
                case words.Drain():
                    return Said(await self._ask(DrainOrders()))
                case words.Flatten(strategy, within_s):
                    return _flattened(await self._ask(Flatten(strategy, within_s), within_s))
                case words.Resolve(name, state, reason):
                    return Said(await self._ask(Resolve(name, OrderState(state), reason)))
                case _:
                    raise Refused(404, f"{type(command).__name__} is no command")
        except Lost as error:
            raise Refused(504, f"{error}; it may still be done: look at the status") from error
        except UnknownOrder as error:
            raise Refused(404, str(error)) from error
        except RoutingError as error:
            raise Refused(500, str(error)) from error
        except ActorsError as error:  # closed: the system stops
            raise Refused(503, str(error)) from error

    async def _ask(self, request: Request[Any], takes_s: float = 0.0) -> Any:
        return await self.find("controls").ask(request, takes_s + ANSWER_S)


def _flattened(orders: tuple[str, ...]) -> Said:
    if not orders:
        return Said("halted; nothing is held")
    how_many = f"{len(orders)} orders close" if len(orders) > 1 else "1 order closes"
    return Said(f"halted; {how_many} what is held: {', '.join(orders)}", orders)


def _loopback(where: str) -> Address:
    try:
        address = Address.parse(f"tcp://{where}")
    except BadAddress as error:
        raise BadSite(where, 'it is a host and a port, as in "127.0.0.1:9464"') from error
    if not address.is_loopback:
        raise BadSite(
            where, 'nobody is asked for a token there, so it is told on this machine only: "127.0.0.1:9464", and an '
            "agent or a proxy on this machine for those beyond",
        )  # fmt: skip
    return address
