"""Orders through everything that stands between a tick and a venue: limits, journal, router, session, socket.

`tick_to_order`  `p50`  a tick's bytes leave an exchange -> feed -> hub -> strategy -> limits -> journal -> router ->
                        the order's bytes arrive at a venue, over a bare uvloop program that answers ticks with the
                        same bytes. The exchange and the venue are one process on another CPU, whose clock it is; a
                        tick at a time, two milliseconds after the former order was answered
                 `p99`  the same under 10,000 ticks a second, each tenth of which makes an order
`route`          `one`  an order, decided -> limits -> journal -> venue -> accepted and canceled, heard by who waits
                        for it, one at a time, over bare uvloop with the same bytes both ways
                 `pipelined`  the same, 200 at a time

All limits are set; the journal is a file (`durability = "os"`); the venue reads and answers in the order-entry
protocol, to both sides alike.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from array import array
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from pathlib import Path
from typing import ClassVar, cast

import attrs
import numpy as np

from ticktree.actors import DropOldest, Mailbox, System
from ticktree.app import App, Assembly, FeedPart, JournalPart, RouterPart, StrategyPart, TcpVenuePart, assemble
from ticktree.feeds import RecordFeed, Source
from ticktree.market import Batch, EventKind, Quote, Side, Topic, batch_rows
from ticktree.market.ticks import RECORD
from ticktree.net import Connection
from ticktree.routing import Desk, Limits, Terms, Ticket, TimeInForce, Timeout
from ticktree.routing.venues.tcp import messages, session as sessions
from ticktree.strategies import Strategy

from .latency import MICROSECONDS
from .limits import beside, free_port
from .measure import Figure, Inexact, Plan, figure_of, per_second, say, with_extra
from .venue import ACCOUNT, BTC, ORDERS

BOX = Mailbox(1 << 16, DropOldest(), batch_rows)
IOC = Terms(time_in_force=TimeInForce.IOC)
LIMITS = Limits(
    max_order_size={"*": 10}, max_order_notional={"USDT": 100_000}, max_position={"*": 1_000},
    max_open_exposure={"USDT": 10_000_000}, max_orders_per_s=10_000_000, price_collar="0.5", max_price_age_s=3_600,
)  # fmt: skip
RATE, EVERY = 10_000, 10
AT_ONCE = 200
FEED = "bench"


class Buys(Strategy):
    """An order for each so-many-th quote."""

    each: ClassVar[int] = 1
    seen = 0

    def on_quote(self, quote: Quote) -> None:
        self.seen += 1
        if self.seen % self.each == 0:
            self.buy(BTC, "0.01", limit=quote.ask, terms=IOC)


class SaysWhen(RecordFeed):
    """Says a byte to the exchange when everything is ready."""

    ready: ClassVar[asyncio.Event]

    async def login(self, connection: Connection) -> None:
        await self.ready.wait()
        connection.write(b"x")


@attrs.frozen
class Ports:
    """Where the exchange and venue listens."""

    venue: int
    feed: int


async def tick_to_order(plan: Plan) -> AsyncIterator[Figure]:
    """`tick_to_order`."""
    _frames()  # made before anything is timed
    async with _venue() as ports:
        for name, percentile, rate, every in (("p50", 50.0, 0, 1), ("p99", 99.0, RATE, EVERY)):
            count = plan.size(20_000 if rate else 500, 50)
            sides = partial(_ours, ports, count, rate, every), partial(_theirs, ports, count, rate, every)
            ours, theirs = list[float](), list[float]()
            for number in range(plan.rounds):
                for side in sides if number % 2 == 0 else reversed(sides):
                    took_ns = await side()
                    cost = float(np.percentile(took_ns, percentile)) / 1e9
                    (ours if side is sides[0] else theirs).append(cost)
                say(f"tick_to_order: {name}: round {number + 1} of {plan.rounds}, ratio {theirs[-1] / ours[-1]:.2f}")
            figure = figure_of(("tick_to_order", name), MICROSECONDS, ours, theirs, {})
            yield with_extra(figure, over_yardstick=1 / figure.ratio, rate=rate, every=every)


async def route(plan: Plan) -> AsyncIterator[Figure]:
    """`route`."""
    _frames()
    async with _venue() as ports:
        for name, at_once, full in (("one", 1, 1_000), ("pipelined", AT_ONCE, 4_000)):
            count = plan.size(full, AT_ONCE)
            unit = MICROSECONDS if at_once == 1 else per_second("orders")
            ours, bare = (partial(side, ports, count, at_once) for side in (_our_route, _bare_route))
            yield await plan.compare(("route", name), unit, ours, bare)


# --- the venue -----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _venue() -> AsyncGenerator[Ports]:
    ports = Ports(free_port(), free_port())
    command = [sys.executable, "-m", "benchmarks.venue", str(ports.venue), str(ports.feed)]
    async with beside(command, ports.venue):
        yield ports


@contextlib.asynccontextmanager
async def _run(ports: Ports, *asked: int) -> AsyncGenerator[asyncio.StreamReader]:
    """A run at the venue; what it noted can be read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ports.venue)
    writer.write(ORDERS.pack(*asked))
    await writer.drain()
    try:
        yield reader
    finally:
        writer.close()


async def _noted(reader: asyncio.StreamReader, count: int) -> "array[int]":
    async with asyncio.timeout(120):
        took_ns = array("q")
        took_ns.frombytes(await reader.readexactly(8 * count))
        return took_ns


# --- ours ----------------------------------------------------------------------------------------------------------


def _app(ports: Ports, folder: str, every: int) -> App:
    def feed(source: Source) -> RecordFeed:
        return SaysWhen(source, f"tcp://127.0.0.1:{ports.feed}", (BTC,))

    strategy = cast(type[Buys], type("Buys", (Buys,), {"each": every}))
    topics = (Topic(FEED, "*", "quote"),)
    return App(
        feeds=(FeedPart(FEED, feed, (BTC.name,), (EventKind.QUOTE,)),) if every else (),
        venues=(TcpVenuePart("venue", f"tcp://127.0.0.1:{ports.venue}", ACCOUNT),),
        routers=(RouterPart("router", Timeout("venue", deadline_s=0.25)),),
        strategies=(StrategyPart("buys", strategy, topics, "router", BOX, hand_off=True),) if every else (),
        limits=LIMITS,
        journal=JournalPart(Path(folder) / "orders.journal"),
    )


@contextlib.asynccontextmanager
async def _trading(ports: Ports, every: int) -> AsyncGenerator[tuple[Assembly, System]]:
    """The application, once its venue takes orders."""
    SaysWhen.ready = asyncio.Event()
    with tempfile.TemporaryDirectory() as folder:
        assembly = assemble(_app(ports, folder, every))
        async with System(assembly.tree, assembly.clock) as system:
            async with asyncio.timeout(20):
                while (door := assembly.office.doors.get("venue")) is None or door.closed:  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(0.001)
            yield assembly, system


async def _ours(ports: Ports, count: int, rate: int, every: int) -> "array[int]":
    async with _run(ports, count, rate, every) as reader, _trading(ports, every) as (assembly, _):
        SaysWhen.ready.set()
        took_ns = await _noted(reader, count // every)
        orders = assembly.office.ledger.orders_made
        if orders != count // every:
            raise Inexact(f"{orders} orders, of {count // every}")
    return took_ns


async def _our_route(ports: Ports, count: int, at_once: int) -> float:
    async with _run(ports, 0, 0, 1), _trading(ports, every=0) as (assembly, system):
        quote = Quote(FEED, BTC, 100.0, 1.0, 100.01, 1.0, 1, 0, assembly.clock.now_ns())
        assembly.hub.publish(Batch(FEED, assembly.hub.ids, events=[quote]))
        desk = Desk("bench", "router", assembly.office, lambda: system.ref("routers/router"))

        async def round_trip() -> None:
            handles = [desk.submit(assembly.clock, Side.BUY, BTC, "0.01", "100.01", IOC) for _ in range(at_once)]
            for handle in handles:
                execution = await handle.final()
                if execution.refusal is not None:
                    raise Inexact(str(execution.refusal))

        for _ in range(max(1, 50 // at_once)):
            await round_trip()
        began_s = time.perf_counter()
        for _ in range(count // at_once):
            await round_trip()
        return (time.perf_counter() - began_s) / count


# --- bare uvloop ---------------------------------------------------------------------------------------------------


def _orders() -> list[bytes]:
    """New orders as ours are, numbered; their ids are as long."""
    frames = list[bytes]()
    for number in range(1, 10_001):
        ticket = Ticket(f"mwsli31jabc-{number}.1", BTC, Side.BUY, 100, 10_001, TimeInForce.IOC)
        frames.append(sessions.frame(number, messages.new_order(ticket, 1)))
    return frames


class Answers(asyncio.Protocol):
    """The venue's connection: counts what is answered, which has a length that the first answers tell."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._rest = b""
        self.reports = 0
        self.waits_for = 0
        self.came: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at = 0
        while at + 4 <= len(data) and (end := at + 4 + int.from_bytes(data[at : at + 4], "little")) <= len(data):
            at = end
            self.reports += 1
        self._rest = data[at:]
        if self.came is not None and self.reports >= self.waits_for and not self.came.done():
            self.came.set_result(None)


class Ticks(asyncio.Protocol):
    """The feed's connection: answers each so-many-th tick with an order."""

    def __init__(self, answers: Answers, orders: list[bytes], every: int) -> None:
        self._answers, self._orders, self._every = answers, iter(orders), every
        self._rest, self._seen = b"", 0

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        whole = len(data) - len(data) % RECORD.size
        for _ in RECORD.iter_unpack(data[:whole]):
            self._seen += 1
            if self._seen % self._every == 0:
                self._answers.transport.write(next(self._orders))
        self._rest = data[whole:]


FRAMES = list[bytes]()


def _frames() -> list[bytes]:
    if not FRAMES:
        FRAMES.extend(_orders())
    return FRAMES


async def _theirs(ports: Ports, count: int, rate: int, every: int) -> "array[int]":
    loop = asyncio.get_running_loop()
    orders = _frames()
    async with _run(ports, count, rate, every) as reader:
        _, answers = await loop.create_connection(Answers, "127.0.0.1", ports.venue)
        feed, _ = await loop.create_connection(lambda: Ticks(answers, orders, every), "127.0.0.1", ports.feed)
        feed.write(b"x")
        took_ns = await _noted(reader, count // every)
        feed.close()
        answers.transport.close()
    return took_ns


async def _bare_route(ports: Ports, count: int, at_once: int) -> float:
    loop, orders = asyncio.get_running_loop(), iter(_frames())
    async with _run(ports, 0, 0, 1):
        _, answers = await loop.create_connection(Answers, "127.0.0.1", ports.venue)

        async def round_trip() -> None:
            answers.came = loop.create_future()
            answers.waits_for = answers.reports + 2 * at_once
            for _ in range(at_once):
                answers.transport.write(next(orders))
            await answers.came

        for _ in range(max(1, 50 // at_once)):
            await round_trip()
        began_s = time.perf_counter()
        for _ in range(count // at_once):
            await round_trip()
        took_s = time.perf_counter() - began_s
        answers.transport.close()
        return took_s / count
