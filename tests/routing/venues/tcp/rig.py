"""What the tests of the protocol share: who hears a gateway, an engine with prices, a server of it, raw clients."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

from tests.net.ends import End, open_to
from ticktree.actors import Backoff, Clock, LiveClock
from ticktree.market import Instrument, Quote, Side
from ticktree.net import Connection
from ticktree.routing.gateway import VenueRules
from ticktree.routing.orders import Ticket
from ticktree.routing.reports import AccountReport, Report, ReportKind, VenueQuote
from ticktree.routing.venues.simulated.engine import Engine
from ticktree.routing.venues.tcp import Front, OrderEntryServer, TcpGateway
from ticktree.routing.venues.tcp.session import FRAMING, LoggedIn, Login, frame, number_of, read, said

BTC = Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.0001"))
ETH = Instrument("ETH-USDT", 2, Decimal("0.1"), Decimal("0.001"))
DEADLINE_S = 5.0
QUICK = Backoff(base_s=0.001, ceiling_s=0.002)
LIMIT = 6_400_000  # 64,000.00
K = ReportKind
_numbers = count(1)


class Hearer:
    """Who hears a gateway: writes down all it is told, in order."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or LiveClock()
        self.told: list[tuple[Any, ...]] = []

    def on_up(self, former_closed: bool) -> None:
        self.told.append(("up", former_closed))

    def on_down(self, reason: str) -> None:
        self.told.append(("down", reason))

    def on_report(self, report: Report) -> None:
        self.told.append(("report", report))

    def on_account(self, account: AccountReport) -> None:
        self.told.append(("account", account))

    def on_never_received(self, client_id: str, what: str) -> None:
        self.told.append(("never", client_id, what))

    def on_unreadable(self, error: Exception, client_id: str | None) -> None:
        self.told.append(("unreadable", error, client_id))

    def quoted(self, quote: VenueQuote | None) -> None:
        self.told.append(("quote", quote))

    def of(self, what: str) -> list[Any]:
        """What was told of that sort."""
        return [told[1] for told in self.told if told[0] == what]

    def kinds(self, client_id: str) -> list[ReportKind]:
        """The kinds of the reports about one order, in order."""
        return [report.kind for report in self.of("report") if report.client_id == client_id]

    @property
    def ups(self) -> int:
        """Sessions that stood."""
        return len(self.of("up"))


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop turns until `condition` holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # what is awaited tells nobody that it happened
            await asyncio.sleep(0)


def ticket(
    quantity: int = 5,
    limit: int | None = LIMIT + 100,
    side: Side = Side.BUY,
    instrument: Instrument = BTC,
    client_id: str = "",
    **more: Any,
) -> Ticket:
    """An order of its own id; by default one that the market fills at once."""
    return Ticket(client_id or f"e1-{next(_numbers):05}-1", instrument, side, quantity, limit, **more)


def resting(**more: Any) -> Ticket:
    """An order that rests."""
    return ticket(limit=LIMIT - 1_000, **more)


def engine_with_prices(rules: VenueRules = VenueRules()) -> Engine:  # noqa: B008  # frozen
    """An engine that displays 64,000.00 to 64,000.50."""
    engine = Engine("sim", rules, Random(1))
    engine.on_market(market())
    return engine


def market(instrument: Instrument = BTC) -> Quote:
    """What is displayed."""
    return Quote("sim", instrument, 64_000.00, 100.0, 64_000.50, 100.0, 1, 0, LiveClock().now_ns())


@asynccontextmanager
async def serving(
    *fronts: Front, url: str = "tcp://127.0.0.1:0", **settings: Any
) -> AsyncGenerator[tuple[OrderEntryServer, str]]:
    """A server and where it listens."""
    server = OrderEntryServer(fronts, LiveClock(), **settings)
    faults = list[Exception]()
    server.on_fault = faults.append
    bound = await server.listen(url)
    try:
        yield server, bound
    finally:
        await server.close()
    assert not faults, faults


def front(engine: Engine | None = None, **accounts: str) -> Front:
    """An engine with accounts and their tokens; by default alpha, without one."""
    return Front(engine or engine_with_prices(), accounts or {"alpha": ""}, [BTC])


@asynccontextmanager
async def trading(url: str, account: str = "alpha", **settings: Any) -> AsyncGenerator[tuple[TcpGateway, Hearer]]:
    """A gateway whose session is looked for."""
    hearer = Hearer()
    gateway = TcpGateway(url, account, backoff=QUICK, **settings)
    gateway.start(hearer, Random(next(_numbers)))
    try:
        yield gateway, hearer
    finally:
        await gateway.stop()


@asynccontextmanager
async def session(**settings: Any) -> AsyncGenerator[tuple[Engine, OrderEntryServer, TcpGateway, Hearer]]:
    """An engine, its server, a gateway that is logged in, and who hears it."""
    engine = engine_with_prices()
    serves: dict[str, Any] = {name: settings.pop(name) for name in ("faults", "most_clients") if name in settings}
    if "heartbeat_s" in settings:
        serves["heartbeat_s"] = settings["heartbeat_s"]
    async with serving(front(engine), **serves) as (server, url), trading(url, **settings) as (gateway, hearer):
        await until(lambda: hearer.ups > 0)
        yield engine, server, gateway, hearer


class Raw:
    """A client that says what a test wants, byte for byte."""

    def __init__(self, end: End, connection: Connection) -> None:
        self.end, self.connection = end, connection

    @classmethod
    async def to(cls, url: str) -> "Raw":
        """Connect."""
        end = End()
        return cls(end, await open_to(url, end, FRAMING))

    @classmethod
    async def logged_in(cls, url: str, account: str = "alpha", token: str = "", instance: str = "raw") -> "Raw":
        """Connect and log in; INSTRUMENTS was heard, too."""
        raw = await cls.to(url)
        raw.say(Login(1, account, token, instance))
        assert isinstance(await raw.hear(), LoggedIn)
        await raw.hear()
        return raw

    def say(self, message: Any, number: int = 0) -> None:
        """Say a message of a session, or a body with a number."""
        self.connection.write(frame(number, message) if number else said(message))

    async def hear(self) -> Any:
        """The next thing that is said: a message of a session, a frame with a number, or the end."""
        heard = await self.end.next()
        return read(heard) if isinstance(heard, bytes) and number_of(heard) == 0 else heard

    async def hear_end(self) -> list[Any]:
        """All that is said up to the end; the end is the last."""
        heard = [await self.hear()]
        while not isinstance(heard[-1], Exception):
            heard.append(await self.hear())
        return heard


def frames_of(data: bytes) -> Iterator[bytes]:
    """The whole frames in `data`, without their lengths."""
    found, _, error = FRAMING.cut(memoryview(data), 0)
    assert error is None
    yield from map(bytes, found)
