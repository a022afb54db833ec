"""Real captures as feeds: what comes out is what the exchange said, by a book that shares no code with ours."""

from collections import Counter
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest

from ticktree.actors import VirtualClock, simulate
from ticktree.feeds import Source
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.feeds.exchanges.coinbase import CoinbaseFeed
from ticktree.feeds.exchanges.kraken import KrakenFeed
from ticktree.feeds.recording import Entry, EntryKind
from ticktree.market import BookUpdate, Quote, Trade

from ...recordings import FOLDER, entries
from ..exchanges import test_coinbase_recorded as coinbase, test_kraken_recorded as kraken
from .replaying import Rig, replayed

pytestmark = pytest.mark.usefixtures("many_systems")
SYMBOLS = {"NKN-USDT": "NKNUSDT", "BLZ-ETH": "BLZETH", "LRC-BTC": "LRCBTC", "RUNE-EUR": "RUNEEUR"}
TOPICS = tuple(f"binance/{name}/{kind}" for name in SYMBOLS for kind in ("trade", "quote", "book", "bar"))
URL = (FOLDER / "binance.jsonl.gz").as_uri()

Side = dict[Decimal, Decimal]


def final_book(told: tuple[Entry, ...], symbol: str) -> tuple[Side, Side]:
    """The book as the exchange's own rules make it, in decimals."""
    book: dict[str, Side] = {}
    last = 0
    held = list[Any]()
    for entry in told:
        if entry.kind is EntryKind.HTTP and f"depth?symbol={symbol}&" in entry.url:
            snapshot = msgspec.json.decode(entry.data)
            last = snapshot["lastUpdateId"]
            for side, key in (("b", "bids"), ("a", "asks")):
                book[side] = {Decimal(price): Decimal(size) for price, size in snapshot[key]}
        elif entry.kind is EntryKind.RECEIVED:
            message = msgspec.json.decode(entry.data)
            if message["stream"] == f"{symbol.lower()}@depth@100ms":
                held.append(message["data"])
        while book and held:
            update = held.pop(0)
            if update["u"] <= last:
                continue
            last = update["u"]
            for side in ("b", "a"):
                book[side].update({Decimal(price): Decimal(size) for price, size in update[side]})
    bids, asks = ({price: size for price, size in book[side].items() if size} for side in ("b", "a"))
    return bids, asks


def make(source: Source, url: str) -> BinanceFeed:
    return BinanceFeed(source, url)


@pytest.mark.parametrize("speed", ["max", "1", "10"])
def test_binance_ends_with_the_exchanges_books(speed: str) -> None:
    told = entries("binance")
    books: dict[str, Any] = {}

    class Kept(BinanceFeed):
        def on_lost(self, connection: Any, error: Exception) -> None:
            books.update({update.instrument.name: update for update in self.books()})
            super().on_lost(connection, error)

    async def main(clock: VirtualClock) -> Rig:
        return await replayed(Kept, f"{URL}?speed={speed}", *TOPICS, clock=clock)

    rig = simulate(main)
    assert books.keys() == SYMBOLS.keys()
    for name, symbol in SYMBOLS.items():
        bids, asks = final_book(told, symbol)
        assert dict(books[name].bids) == {float(price): float(size) for price, size in bids.items()}
        assert dict(books[name].asks) == {float(price): float(size) for price, size in asks.items()}
    assert (rig.account.gaps, rig.account.repairs) == (0, 4)
    assert rig.account.errors == {"RecordingEnded": 1}
    received = Counter(
        msgspec.json.decode(e.data)["stream"].split("@")[1] for e in told if e.kind is EntryKind.RECEIVED
    )
    assert (len(rig.sink.of(Quote)), len(rig.sink.of(Trade))) == (received["bookTicker"], received["aggTrade"])


async def test_binance_tells_the_same_on_a_live_loop_as_on_a_virtual_one() -> None:
    entries("binance")
    live = (await replayed(make, URL, *TOPICS)).sink.told
    assert live == (await replayed(make, URL, *TOPICS)).sink.told
    times = {entry.time_ns for entry in entries("binance")}
    assert {event.received_time_ns for event in live} <= times


def test_binance_tells_the_same_in_virtual_time_at_any_speed() -> None:
    entries("binance")

    async def main(clock: VirtualClock, speed: str) -> list[Any]:
        return (await replayed(make, f"{URL}?speed={speed}", *TOPICS, clock=clock)).sink.told

    one, ten, most = (simulate(partial(main, speed=speed)) for speed in ("1", "10", "max"))
    assert one == ten == most


async def test_kraken_with_its_three_connections_at_once_has_every_checksum_verified() -> None:
    entries("kraken")
    rig = await replayed(KrakenFeed, (FOLDER / "kraken.jsonl.gz").as_uri(), *kraken.TOPICS)
    assert (rig.account.checksums_verified, rig.account.checksums_failed) == (4_269, 0)
    assert (rig.account.connections, rig.account.gaps, rig.account.skipped) == (1, 0, 0)
    assert rig.account.errors == {"RecordingEnded": 1}
    assert len(rig.sink.of(BookUpdate)) == len(kraken.told_in(kraken.BOOKS))


async def test_coinbase_tells_every_message() -> None:
    entries("coinbase")
    rig = await replayed(CoinbaseFeed, (FOLDER / "coinbase.jsonl.gz").as_uri(), *coinbase.TOPICS)
    wanted = Counter(coinbase.TOLD[each["type"]] for each in coinbase.messages() if each["type"] in coinbase.TOLD)
    told = {kind: len(rig.sink.of(kind)) for kind in (BookUpdate, Quote, Trade)}
    assert told == wanted
    assert (rig.account.crossed, rig.account.gaps, rig.account.skipped) == (0, 0, 0)
    assert rig.account.errors == {"RecordingEnded": 1}
