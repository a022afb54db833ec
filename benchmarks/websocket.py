"""JSON over a WebSocket to `on_trade`: ours, with everything a feed does, over bare clients that decode and call.

`over_picows`      picows, and msgspec into the fields that are used, straight from the read's buffer
`over_aiohttp`     aiohttp's client, and the same decoding of bytes
`over_websockets`  the websockets package, and json of the standard library, as its documentation has it

All read aggregate trades of Binance's combined stream from one sender on another CPU, and sum price x size. Ours builds
the events, checks numbers and sequence, counts, and passes through hub and mailbox. The clients run in processes of the
peers' environment (see peers/), on uvloop like ours, and none compresses.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from functools import partial

import attrs
import numpy as np

from ticktree.feeds import Feed, Source
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.market import Instrument, Topic

from . import rig
from .limits import Missing, beside, free_port, sender
from .measure import Figure, Plan, per_second, with_extra
from .peers.process import Answer, Peer, running
from .senders import JSON_MESSAGES, SYMBOLS

INSTRUMENTS = tuple(
    Instrument(f"{symbol.removesuffix('USDT')}-USDT", id, Decimal("0.01"), Decimal("0.1"))
    for id, symbol in enumerate(SYMBOLS)
)
TOPICS = tuple(Topic(rig.FEED, instrument.name, "trade") for instrument in INSTRUMENTS)


class Read(Answer):
    """What a bare client came to: `ticks` in the seconds that were measured, and `handled` in all."""

    ticks: int


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`ws_json`. Clients that are not there are told of at the end."""
    seconds, port, missing = plan.size(300, 20) / 1_000, free_port(), list[str]()
    async with beside(sender("json", str(port)), port):
        url = f"ws://127.0.0.1:{port}/stream"

        setup = attrs.evolve(rig.EVENTS, full=False, topics=TOPICS)

        async def ours() -> float:
            async with rig.running(partial(binance, url), setup) as path:
                return await path.seconds_a_tick(seconds)

        for name in ("picows", "aiohttp", "websockets"):
            try:
                async with running(f"{name}_client") as peer:
                    theirs = partial(_measured, peer, url, seconds)
                    figure = await plan.compare(("ws_json", f"over_{name}"), per_second("messages"), ours, theirs)
            except Missing as error:
                missing.append(str(error))
            else:
                yield with_extra(figure, peer=peer.told)
    if missing:
        raise Missing("; ".join(dict.fromkeys(missing)))


def binance(url: str, source: Source) -> Feed:
    """The feed that is measured; its instruments are known beforehand."""
    known = {instrument.name: instrument for instrument in INSTRUMENTS}
    return BinanceFeed(attrs.evolve(source, defined=known), url)


async def _measured(peer: Peer, url: str, seconds: float) -> float:
    """Seconds a message, of a bare client. Raises `Inexact` unless it handled all that was sent, from the first on."""
    read = await peer.ask({"url": url, "seconds": seconds}, Read)
    numbers = np.arange(read.handled) % JSON_MESSAGES  # as `json_message` numbers them
    read.check(read.handled, float((100.01 + numbers % 50) @ (1.5 + numbers % 7)))
    return read.run_s / read.ticks
