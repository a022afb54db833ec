"""The feeds that read the simulated exchange of their own tree, wherever that listens at the moment."""

from typing import Any

from ticktree.actors import Actor
from ticktree.net import Unreachable

from ..dialect import DialectFeed
from ..source import Source
from ..wire import WireFeed
from .exchange import Where

ASK_S = 1.0


class SimulatedFeed(WireFeed):
    """Reads it by the wire protocol, over TCP or a Unix socket."""

    def __init__(self, source: Source, exchange_path: str, token: str = "") -> None:
        super().__init__(source, "", token)
        self._exchange_path = exchange_path

    async def locate(self) -> str:
        return await _locate(self, self._exchange_path, ("tcp", "unix"))


class SimulatedDialectFeed(DialectFeed):
    """Reads it by the JSON dialect, over a WebSocket."""

    def __init__(self, source: Source, exchange_path: str, token: str = "") -> None:
        super().__init__(source, "", token)
        self._exchange_path = exchange_path

    async def locate(self) -> str:
        return await _locate(self, self._exchange_path, ("ws",))


async def _locate(actor: Actor[Any], path: str, schemes: tuple[str, ...]) -> str:
    urls = await actor.find(path).ask(Where(), ASK_S)
    for scheme in schemes:
        if scheme in urls:
            return str(urls[scheme])
    raise Unreachable(path, f"it listens at {', '.join(urls.values())}, and not at {' or '.join(schemes)}")
