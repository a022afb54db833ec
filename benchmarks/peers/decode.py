"""Messages of Binance from bytes to a callback, over cryptofeed's handler of the same messages.

`trades`   aggregate trades of 100 symbols to `on_trade`
`quotes`   best prices of 100 symbols to `on_quote`

There are no sockets on either side, and both are given what their WebSocket would give them: ours bytes, 64 messages a
read, the peer a text each. Ours is the whole way that they go in a live system: decoded and checked, the sequence as
well, accounted for to the byte, and through hub and mailbox to the strategy, with prices as floats. The peer decodes
with msgspec into dicts, makes decimals of prices, and awaits its callback; sequence numbers it does not look at.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import msgspec

from ticktree.actors import ActorRef, ChildSpec, Supervisor, System
from ticktree.distribution import Hub
from ticktree.feeds import FeedAccount, Source
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.feeds.recording.connection import PlayedConnection
from ticktree.market import Batch, EventKind, Quote, Topic

from .. import rig
from ..measure import Figure, Inexact, Plan, per_second, with_extra
from ..senders import FIRST, SYMBOLS, json_message
from ..websocket import INSTRUMENTS
from .process import Answer, Peer, running

A_READ = 64
URL = "wss://nowhere/stream"


class Quotes(rig.Events):
    """Sums price x size of trades, and both prices of quotes."""

    def on_quote(self, quote: Quote) -> None:
        self.total.ticks += 1
        self.total.notional += quote.bid + quote.ask


@attrs.frozen
class Messages:
    """So many of one kind, and the sum that their handlers are to come to."""

    kind: EventKind
    texts: tuple[bytes, ...]
    total: float

    @property
    def topics(self) -> tuple[Topic, ...]:
        """What a feed is asked for."""
        return tuple(Topic(rig.FEED, instrument.name, self.kind) for instrument in INSTRUMENTS)


@attrs.frozen
class Sides:
    """Ours, and the peer's; `path` has the messages for it."""

    messages: Messages
    hub: Hub
    strategy: ActorRef[Batch]
    total: rig.Sum
    peer: Peer
    path: Path

    async def ours(self) -> float:
        """Seconds a message, to a feed that begins anew: it knows no numbers of former rounds."""
        texts, total, account = self.messages.texts, self.total, FeedAccount(live=True)
        feed = BinanceFeed(Source(rig.FEED, self.messages.topics, self.hub, self.hub.ids, account))
        feed.now_ns = time.time_ns
        for instrument in INSTRUMENTS:
            feed.adopt(instrument)
        connection = PlayedConnection(feed, URL)
        connection.stand()
        reads = [texts[at : at + A_READ] for at in range(0, len(texts), A_READ)]
        total.ticks, total.notional = 0, 0.0
        began_s = time.perf_counter()
        for read in reads:
            target = total.ticks + len(read)
            connection.deliver(read, False, sum(map(len, read)))
            while total.ticks < target:  # noqa: ASYNC110  # an event would be one more thing to measure
                await asyncio.sleep(0)
        elapsed_s = time.perf_counter() - began_s
        self._check(account)
        return elapsed_s / len(texts)

    async def theirs(self) -> float:
        """Seconds a message."""
        symbols = {instrument.name: symbol for instrument, symbol in zip(INSTRUMENTS, SYMBOLS, strict=True)}
        question = {"file": str(self.path), "kind": self.messages.kind, "symbols": symbols}
        answer = await self.peer.ask(question, Answer)
        answer.check(len(self.messages.texts), self.messages.total)
        return answer.run_s / answer.handled

    def _check(self, account: FeedAccount) -> None:
        box, texts, total = self.strategy.stats(), self.messages.texts, self.total
        Answer(0, total.ticks, total.notional).check(len(texts), self.messages.total)
        if box.unaccounted or box.dropped.total or account.errors or account.gaps or account.duplicates:
            raise Inexact(f"{box}, {account}")
        if account.decoded != account.bytes_in or account.decoded != sum(map(len, texts)):
            raise Inexact(f"bytes were lost: {account}")


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`peers_decode`."""
    count = plan.size(20_000, 200)
    async with running("cryptofeed_binance") as peer:
        for name, messages in (("trades", trades(count)), ("quotes", quotes(count))):
            hub, total = Hub(), rig.Sum()
            tree = Supervisor((ChildSpec("strategy", rig.made(Quotes, total), rig.WHOLE),))
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / name
                path.write_bytes(b"\n".join(messages.texts))
                async with System(tree) as system:
                    strategy = system.ref("strategy")
                    hub.subscribe(strategy, messages.topics, most_rows=rig.ROWS_AT_ONCE)
                    sides = Sides(messages, hub, strategy, total, peer, path)
                    names = "peers_decode", name
                    figure = await plan.compare(names, per_second("messages"), sides.ours, sides.theirs)
            yield with_extra(figure, peer=peer.told, a_read=A_READ)


def trades(count: int) -> Messages:
    """Those that websocket.py reads."""
    first, numbers = b"%d" % FIRST, range(count)
    texts = tuple(json_message(at).replace(first, b"%d" % (FIRST + at // len(SYMBOLS))) for at in numbers)
    return Messages(EventKind.TRADE, texts, sum((100.01 + at % 50) * (1.5 + at % 7) for at in numbers))


def quotes(count: int) -> Messages:
    """As many decimals as the exchange has."""
    texts = tuple(_quote(SYMBOLS[at % len(SYMBOLS)], FIRST + at, 100 + at % 50) for at in range(count))
    return Messages(EventKind.QUOTE, texts, sum(200.03 + at % 50 * 2 for at in range(count)))


def _quote(symbol: str, number: int, price: int) -> bytes:
    data = {"u": number, "s": symbol, "b": f"{price}.01000000", "B": "1.50000000", "a": f"{price}.02000000"}
    return msgspec.json.encode({"stream": f"{symbol.lower()}@bookTicker", "data": {**data, "A": "2.50000000"}})
