"""An exchange that is not there: one seeded market, served over real sockets to whoever asks, with faults on demand."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from itertools import count

import attrs

from ticktree.actors import Actor, Reason, Request
from ticktree.market import wire
from ticktree.net import Connection, Server

from ..errors import UnknownMessage
from .client import BEAT_S, Client
from .clients import DialectClient, WireClient
from .connections import BreakableStream, BreakableWebSocket
from .faults import Faults
from .market import Market, Prices
from .stats import Counters, ExchangeStats
from .turn import Turn

log = logging.getLogger("ticktree.feeds")

ANYWHERE = ("tcp://127.0.0.1:0",)


class Where(Request[dict[str, str]]):
    """Asks the simulated exchange where it listens: urls by their scheme."""


class Stats(Request[ExchangeStats]):
    """Asks it what it did."""


@attrs.frozen
class Step:
    """Time for the prices to move."""


@attrs.frozen
class Beat:
    """Time to show that the connections live."""


@attrs.frozen
class Later:
    """Time to do something that was put off."""

    call: Callable[[], None]


class SimulatedExchange(Actor[Step | Beat | Later | Where | Stats]):
    """Listens at `listen`: the wire protocol at tcp:// and unix://, the JSON dialect at ws://.

    Each client is sent what it asked for, whatever it calls the feed. One that does not keep up misses ticks, is told
    how many, and then how things stand. With a `token`, whoever does not say it is refused.
    """

    def __init__(
        self,
        name: str,
        market: Market,
        listen: Iterable[str] = ANYWHERE,
        faults: Faults = Faults(),  # noqa: B008  # frozen
        token: str = "",
    ) -> None:
        self.name, self.market, self.faults, self.token = name, market, faults, token
        self.prices, self.counters = Prices(name, market), Counters()  # the prices begin with the start
        self.session = ""
        self.urls: dict[str, str] = {}  # where it listens, by scheme
        self._listen = tuple(listen)
        self._servers: list[Server] = []
        self._clients: dict[Client, int] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def stats(self) -> ExchangeStats:
        """What it did so far."""
        done = self.counters
        return ExchangeStats(
            self.prices.steps, len(self._clients), done.sessions, done.refused, done.snapshots,
            done.sent, done.withheld, done.lost, dict(done.injected),
        )  # fmt: skip

    # --- the actor ---------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        began_ns = self.clock.now_ns()
        self.session, self.prices = f"{began_ns:016x}", Prices(self.name, self.market, began_ns)
        for url in self._listen:
            scheme = url.partition(":")[0]
            self._servers.append(server := Server(self._accept(scheme), token=self.token))
            self.urls[scheme] = await server.listen(url)
            log.info("%s exchange: listens at %s", self.name, self.urls[scheme])
        self.every(self.market.interval_s, Step())
        self.every(BEAT_S, Beat())

    def on_message(self, message: Step | Beat | Later | Where | Stats) -> None:
        match message:
            case Step():
                self._step()
            case Beat():
                for client in tuple(self._clients):
                    client.beat()
            case Later(call):
                call()
            case Where():
                message.reply(self.urls)
            case Stats():
                message.reply(self.stats())
            case _:  # refs found by path take anything
                raise UnknownMessage(self.path, message)

    async def on_stop(self, reason: Reason) -> None:
        for client in tuple(self._clients):
            client.end_with("the exchange closes")
        for server in self._servers:
            await server.close()
        if self._closing:
            await asyncio.wait(self._closing)

    def _step(self) -> None:
        clients, prices, now_ns = tuple(self._clients), self.prices, self.clock.now_ns()
        for client in clients:
            client.catch_up()
        begin = prices.steps + 1
        told = [one for _ in range(self.market.steps_a_turn) for one in prices.step(now_ns)]
        turn = Turn(told, range(begin, prices.steps + 1))
        for client in clients:
            client.turn(turn)

    # --- what its clients need ---------------------------------------------------------------------------------

    def enter(self, client: Client) -> int:
        """A client comes; its place."""
        self.counters.sessions += 1
        taken = set(self._clients.values())
        self._clients[client] = place = next(place for place in count() if place not in taken)
        return place

    def leave(self, client: Client) -> None:
        """It went."""
        self._clients.pop(client, None)

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call once, unless the exchange has ended by then."""
        self.after(delay_s, Later(call))

    def close(self, connection: Connection) -> None:
        """Close the connection, without waiting for it."""
        task = asyncio.get_running_loop().create_task(connection.close(), name=f"{self.name}: a client is sent away")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _accept(self, scheme: str) -> Callable[[], Connection]:
        if scheme in ("ws", "wss"):
            return lambda: BreakableWebSocket(DialectClient(self), text=True, heartbeat_s=wire.HEARTBEAT_S)
        return lambda: BreakableStream(WireClient(self), wire.Framing())
