"""An exchange that is not there: seeded prices served over a real socket, and the feed that reads them."""

import logging
from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any

import attrs

from ticktree.actors import Actor, Reason, Request
from ticktree.market import Instrument, MarketError, Quote, Side, Tick, Topic, Trade, wire
from ticktree.market.ticks import encode
from ticktree.net import Connection, Server

from .errors import UnknownMessage
from .feed import Source
from .wire import WireFeed

log = logging.getLogger("ticktree.feeds")

HEARTBEAT_S = 1.0
ASK_S = 1.0
BTC_USDT = Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.0001"))
ETH_USDT = Instrument("ETH-USDT", 2, Decimal("0.01"), Decimal("0.001"))


class Where(Request[str]):
    """Asks the simulated exchange for the address it listens at."""


@attrs.frozen
class Step:
    """Time for the prices to move."""


@attrs.frozen
class Beat:
    """Time to show that the connections live."""


@attrs.frozen
class Market:
    """What the simulated exchange trades: prices in increments at the start, and how often they move."""

    instruments: tuple[Instrument, ...] = (BTC_USDT, ETH_USDT)
    start_increments: tuple[int, ...] = (6_400_000, 320_000)
    interval_s: float = 0.02
    trade_probability: float = 0.3
    seed: int = 1

    def __attrs_post_init__(self) -> None:
        if len(self.instruments) != len(self.start_increments):
            raise ValueError("start_increments needs one price an instrument")


class RandomWalk:
    """One instrument's prices: the bid moves by a few increments a step, the ask stays one to three above it."""

    def __init__(self, name: str, instrument: Instrument, bid_increments: int, random: Random) -> None:
        self._name, self._instrument, self._random = name, instrument, random
        self._bid = bid_increments
        self._sequence = 0

    def step(self, now_ns: int, trade_probability: float) -> list[Tick]:
        """The quote of this step, and a trade by chance."""
        random, instrument = self._random, self._instrument
        self._bid = max(1, self._bid + random.choice((-50, -20, -5, 0, 5, 20, 50)))
        ask = self._bid + random.randint(1, 3)
        self._sequence += 1
        quote = Quote(
            self._name, instrument, self._price(self._bid), self._size(), self._price(ask), self._size(),
            self._sequence, now_ns, 0,
        )  # fmt: skip
        if random.random() >= trade_probability:
            return [quote]
        side = random.choice((Side.BUY, Side.SELL))
        price = quote.ask if side is Side.BUY else quote.bid
        return [quote, Trade(self._name, instrument, price, self._size(), side, self._sequence, now_ns, 0)]

    def _price(self, increments: int) -> float:
        return float(self._instrument.price(increments))

    def _size(self) -> float:
        return float(self._instrument.size(self._random.randint(1_000, 50_000)))


class SimulatedExchange(Actor[Step | Beat | Where]):
    """Listens on loopback and sends each client what it asked for. A client that does not keep up misses ticks."""

    def __init__(self, name: str, market: Market) -> None:
        self.name, self.market = name, market
        random = Random(market.seed)
        prices = zip(market.instruments, market.start_increments, strict=True)
        self._walks = [RandomWalk(name, instrument, start, random) for instrument, start in prices]
        self._clients: dict[Connection, Client] = {}
        self._sessions = 0
        self._server = Server(self._accept)
        self._url = ""
        self.withheld = 0  # ticks that clients missed because they did not keep up

    async def on_start(self) -> None:
        self._url = await self._server.listen("tcp://127.0.0.1:0")
        log.info("%s exchange: listens at %s", self.name, self._url)
        self.every(self.market.interval_s, Step())
        self.every(HEARTBEAT_S, Beat())

    def on_message(self, message: Step | Beat | Where) -> None:
        match message:
            case Step():
                self._step()
            case Beat():
                for client in self._clients.values():
                    client.say(wire.Heartbeat())
            case Where():
                message.reply(self._url)
            case _:  # refs found by path take anything
                raise UnknownMessage(self.path, message)

    async def on_stop(self, reason: Reason) -> None:
        for client in self._clients.values():
            client.say(wire.End("the exchange closes"))
        await self._server.close()

    def _step(self) -> None:
        now_ns, probability = self.clock.now_ns(), self.market.trade_probability
        ticks = [tick for walk in self._walks for tick in walk.step(now_ns, probability)]
        for client in self._clients.values():
            self.withheld += client.send(ticks)

    def _accept(self) -> Connection:
        self._sessions += 1
        client = Client(self._sessions, self.name, self.market.instruments, self._clients)
        return Connection(client, wire.Framing())


class Client:
    """The exchange's end of one connection."""

    def __init__(
        self, session: int, name: str, instruments: Sequence[Instrument], clients: "dict[Connection, Client]"
    ) -> None:
        self._session, self._name, self._instruments, self._clients = session, name, instruments, clients
        self._reader, self._writer = wire.Reader(), wire.Writer()
        self._connection: Connection | None = None
        self._topics: tuple[Topic, ...] = ()

    def say(self, message: wire.Message) -> None:
        """Send one message."""
        if self._connection is not None:
            self._connection.write(self._writer.write(message))

    def send(self, ticks: list[Tick]) -> int:
        """Send those of `ticks` that were asked for, unless the client is behind; how many it missed."""
        wanted = [tick for tick in ticks if self._wants(tick)]
        if not wanted or self._connection is None:
            return 0
        if self._connection.paused:
            return len(wanted)
        self.say(wire.TickRows(memoryview(encode(wanted))))
        return 0

    def _wants(self, tick: Tick) -> bool:
        kind = "quote" if isinstance(tick, Quote) else "trade"
        return any(topic.matches(self._name, tick.instrument.name, kind) for topic in self._topics)

    # --- the connection's calls --------------------------------------------------------------------------------

    def on_open(self, connection: Connection) -> None:
        self._connection = connection
        self._clients[connection] = self

    def on_frames(self, connection: Connection, frames: Sequence[memoryview]) -> None:
        try:
            for frame in frames:
                self._take(self._reader.read(frame))
        except MarketError as error:
            self.say(wire.End(str(error)))
            connection.abort(error)

    def _take(self, message: wire.Message) -> None:
        if isinstance(message, wire.Subscribe):
            self._topics = tuple(map(Topic.parse, message.topics))
            self.say(wire.Hello(session=self._session))
            self.say(wire.Instruments(tuple(self._instruments)))
            self.say(wire.Subscribed(message.topics))

    def on_lost(self, connection: Connection, error: Exception) -> None:
        self._clients.pop(connection, None)
        if isinstance(error, MarketError):
            log.warning("%s exchange: a client was cut off: %s", self._name, error)

    def on_fault(self, error: Exception) -> None:
        log.error("%s exchange: a client's connection failed", self._name, exc_info=error)


class SimulatedFeed(WireFeed):
    """Reads the simulated exchange, wherever that listens at the moment."""

    def __init__(self, source: Source, exchange_path: str) -> None:
        super().__init__(source, "")
        self._exchange_path = exchange_path

    async def locate(self) -> str:
        answer: Any = await self.find(self._exchange_path).ask(Where(), ASK_S)
        return str(answer)
