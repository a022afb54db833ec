"""JSON over a WebSocket to `on_trade`: ours, with everything a feed does, over bare clients that decode and call.

`over_picows`      picows, and msgspec into the fields that are used
`over_aiohttp`     aiohttp's client, and the same decoding
`over_websockets`  the websockets package, and json of the standard library

All read aggregate trades of Binance's combined stream from one sender on another CPU, and sum price x size. Ours builds
the events, checks numbers and sequence, counts, and passes through hub and mailbox.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from decimal import Decimal
from functools import partial
from typing import Any

import aiohttp
import attrs
import msgspec
import picows

from ticktree.feeds import Feed, Source
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.market import Instrument, Topic

from . import rig
from .limits import Missing, beside, free_port, sender
from .measure import Figure, Plan, per_second
from .senders import SYMBOLS

INSTRUMENTS = tuple(
    Instrument(f"{symbol.removesuffix('USDT')}-USDT", id, Decimal("0.01"), Decimal("0.1"))
    for id, symbol in enumerate(SYMBOLS)
)
TOPICS = tuple(Topic(rig.FEED, instrument.name, "trade") for instrument in INSTRUMENTS)


class Fields(msgspec.Struct, gc=False):
    """What of a trade is used."""

    s: str
    a: int
    p: float
    q: float
    T: int
    m: bool


class Combined(msgspec.Struct, gc=False):
    """What it is wrapped in."""

    stream: str
    data: Fields


decode = msgspec.json.Decoder(Combined, strict=False).decode


class Bare:
    """The handler of the bare clients."""

    def __init__(self) -> None:
        self.ticks, self.notional = 0, 0.0

    def on_trade(self, price: float, size: float) -> None:
        """The same work as ours."""
        self.ticks += 1
        self.notional += price * size


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`ws_json`."""
    seconds, port = plan.size(300, 20) / 1_000, free_port()
    async with beside(sender("json", str(port)), port):
        url = f"ws://127.0.0.1:{port}/stream"

        setup = attrs.evolve(rig.EVENTS, full=False, topics=TOPICS)

        async def ours() -> float:
            async with rig.running(partial(binance, url), setup) as path:
                return await path.seconds_a_tick(seconds)

        for name, client in (("over_picows", _picows), ("over_aiohttp", _aiohttp), ("over_websockets", _websockets())):
            theirs = partial(_measure, client, url, seconds)
            yield await plan.compare(("ws_json", name), per_second("messages"), ours, theirs)


def binance(url: str, source: Source) -> Feed:
    """The feed that is measured; its instruments are known beforehand."""
    known = {instrument.name: instrument for instrument in INSTRUMENTS}
    return BinanceFeed(attrs.evolve(source, defined=known), url)


Client = Callable[[str, Bare], Coroutine[Any, Any, None]]


async def _measure(client: Client, url: str, seconds: float) -> float:
    """Seconds a message, of a bare client."""
    bare = Bare()
    task = asyncio.get_running_loop().create_task(client(url, bare))
    try:
        async with asyncio.timeout(20):
            while not bare.ticks:  # noqa: ASYNC110  # an event would be one more thing to measure
                await asyncio.sleep(0.001)
        await asyncio.sleep(seconds / 5)
        before, began_s = bare.ticks, time.perf_counter()
        await asyncio.sleep(seconds)
        return (time.perf_counter() - began_s) / (bare.ticks - before)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _picows(url: str, bare: Bare) -> None:
    class Listener(picows.WSListener):
        def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
            if frame.msg_type == picows.WSMsgType.TEXT:
                trade = decode(frame.get_payload_as_memoryview()).data
                bare.on_trade(trade.p, trade.q)

    transport, _ = await picows.ws_connect(Listener, url)
    try:
        await transport.wait_disconnected()
    finally:
        transport.disconnect()


async def _aiohttp(url: str, bare: Bare) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(url, compress=0) as socket:
        async for message in socket:
            trade = decode(message.data).data
            bare.on_trade(trade.p, trade.q)


def _websockets() -> Client:
    try:
        from websockets.asyncio.client import connect  # noqa: PLC0415  # a peer, not a dependency
    except ImportError:
        raise Missing("the websockets package is not installed") from None

    async def client(url: str, bare: Bare) -> None:
        async with connect(url, compression=None, close_timeout=0.1) as socket:
            async for message in socket:
                trade: dict[str, Any] = json.loads(message)["data"]
                bare.on_trade(float(trade["p"]), float(trade["q"]))

    return client
