"""Checksums over a real socket: an update whose checksum is not the book's is never told, and the book is repaired."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from ticktree.feeds import Decoded
from ticktree.market import BookUpdate, Live, OrderBook, Stale, Trade

from .json_feed import BTC, FetchingFeed, InBandFeed, book, trade
from .rig import Reader, running
from .test_books import levels, names
from .test_books_model import BOOK, change, truth

pytestmark = pytest.mark.usefixtures("many_systems")
Flavor = Literal["plain", "signed", "wrong", "corrupt"]


def total(bids: Iterable[tuple[float, float]], asks: Iterable[tuple[float, float]] = ()) -> int:
    """The made-up exchange's checksum."""
    return int(sum(price**3 * size for price, size in bids) + 7 * sum(price**3 * size for price, size in asks))


def with_checksum(decode: Any, frame: memoryview | bytes, received_ns: int) -> Decoded:
    fields = json.loads(bytes(frame))
    checksum = fields.pop("checksum", None)
    events = decode(json.dumps(fields).encode(), received_ns)
    return [event if checksum is None else msgspec.structs.replace(event, checksum=checksum) for event in events]


class SummedFeed(InBandFeed):
    """Some of the updates carry a `checksum`."""

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        return with_checksum(super().decode, frame, received_ns)

    def checksum(self, book: OrderBook) -> int:
        return total(*book.top(len(book)))


class SummedFetchingFeed(FetchingFeed):
    """The same, where snapshots are fetched."""

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        return with_checksum(super().decode, frame, received_ns)

    def checksum(self, book: OrderBook) -> int:
        return total(*book.top(len(book)))


class ForgetfulFeed(InBandFeed):
    """Updates carry a checksum, and nobody said over what."""

    def decode(self, frame: memoryview | bytes, received_ns: int) -> Decoded:
        return with_checksum(super().decode, frame, received_ns)


def signed(message: dict[str, Any], checksum: int) -> dict[str, Any]:
    return message | {"checksum": checksum}


# --- one at a time -------------------------------------------------------------------------------------------------


async def test_an_update_whose_checksum_is_wrong_is_not_told_and_the_book_is_subscribed_to_anew() -> None:
    async with running(SummedFeed, BOOK) as rig:
        client = await rig.accept()
        client.say(book(1, snapshot=True, bids=[(10, 1)]), signed(book(2, bids=[(11, 1)]), total([(10, 1), (11, 1)])))
        client.say(signed(book(3, bids=[(12, 1)]), 77), book(4, bids=[(13, 1)]))
        await client.hear(b"again BTC-USDT")
        await rig.read(client)
        assert names(rig) == ["1*", "live", "2", "stale"]
        found = total([(10, 1), (11, 1), (12, 1)])
        assert rig.sink.of(Stale)[0].reason == f"its checksum is {found} where 77 was expected"
        assert rig.feed.book("BTC-USDT") is None
        client.say(book(4, snapshot=True, bids=[(10, 1)]), book(5, bids=[(14, 1)]))
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 4)
        assert names(rig)[4:] == ["4*", "live", "5"]
        assert levels(rig) == {10.0: 1.0, 14.0: 1.0}
        assert client.heard.count(b"again") == 1
        account = rig.account
        assert (account.checksums_verified, account.checksums_failed, account.gaps, account.repairs) == (1, 1, 0, 2)
        assert (account.errors, account.connections) == ({"ChecksumFailed": 1}, 1)


async def test_a_snapshot_whose_checksum_is_wrong_is_not_told_and_asked_for_again() -> None:
    async with running(SummedFeed, BOOK) as rig:
        client = await rig.accept()
        for _ in range(2):
            client.say(signed(book(1, snapshot=True, bids=[(10, 1)]), 77))
            await client.hear(b"again BTC-USDT")
            client.heard = b""
        client.say(signed(book(2, snapshot=True, bids=[(10, 1)]), total([(10, 1)])))
        await rig.until(lambda: bool(rig.sink.of(Live)))
        assert names(rig) == ["2*", "live"]
        assert (rig.account.checksums_verified, rig.account.checksums_failed) == (1, 2)


async def test_an_update_without_levels_is_verified_too() -> None:
    async with running(SummedFeed, BOOK) as rig:
        client = await rig.accept()
        client.say(book(1, snapshot=True, bids=[(10, 1)]), signed(book(2, bids=()), 77))
        await client.hear(b"again BTC-USDT")
        assert names(rig) == ["1*", "live", "stale"]


async def test_where_snapshots_are_fetched_what_waited_is_verified_before_anything_is_told() -> None:
    async with running(SummedFetchingFeed, BOOK) as rig:
        client = await rig.accept()
        question = await rig.hand.question()
        client.say(book(5, bids=[(50, 1)]), signed(book(6, bids=[(60, 1)]), 77))
        await rig.read(client)
        question.set_result(rig.feed.answer(4))
        question = await rig.hand.question()
        assert rig.sink.told == []
        client.say(signed(book(7, bids=[(70, 1)]), total([(100, 5), (70, 1)])))
        await rig.read(client)
        question.set_result(rig.feed.answer(6))
        await rig.until(lambda: bool(rig.sink.of(Live)))
        assert names(rig) == ["6*", "7", "live"]
        assert (rig.account.checksums_verified, rig.account.checksums_failed) == (1, 1)


async def test_a_feed_that_does_not_say_what_its_checksums_are_over_is_at_fault() -> None:
    async with running(ForgetfulFeed, BOOK, lives=2) as rig:
        client = await rig.accept()
        client.say(signed(book(1, snapshot=True), 77))
        await rig.accept()
        assert "ForgetfulFeed brings updates with a checksum" in rig.history()[0]


# --- any sequence --------------------------------------------------------------------------------------------------


class Exchange:
    """Updates and snapshots in any order and of any flavor, and what a reader must make of them.

    wrong     right levels, and a checksum that is not theirs
    corrupt   wrong levels, and the checksum of what would have been right
    """

    def __init__(self) -> None:
        self.number = 0
        self.messages: list[dict[str, Any]] = []
        self.live = False
        self.verified = self.failed = self.stale = self.repairs = 0

    def say(self, snapshot: bool, flavor: Flavor) -> None:
        self.number += not snapshot
        right = truth(self.number)
        bids = list(right.items()) if snapshot else [change(self.number)]
        if flavor == "corrupt":
            bids = [*bids, (500.0, 1.0)]
        message = book(self.number, bids=bids, snapshot=snapshot)
        if flavor != "plain":
            message = signed(message, total(right.items()) + (flavor == "wrong"))
        self.messages.append(message)
        self._judge(snapshot, flavor)

    def _judge(self, snapshot: bool, flavor: Flavor) -> None:
        if not (snapshot or self.live):
            return  # it waits, and is in the snapshot that comes
        if flavor in ("wrong", "corrupt"):
            self.failed += 1
            self.stale += self.live
            self.live = False
            return
        self.verified += flavor == "signed"
        if snapshot:
            self.repairs += 1
            self.live = True


FLAVORS: list[Flavor] = ["plain", "signed", "signed", "signed", "wrong", "corrupt"]
SCRIPTS = st.lists(st.tuples(st.sampled_from([False] * 4 + [True]), st.sampled_from(FLAVORS)), max_size=50)


@settings(max_examples=12, deadline=None)
@given(SCRIPTS)
def test_wherever_a_checksum_is_wrong_nobody_is_misled_and_all_is_repaired(script: list[tuple[bool, Flavor]]) -> None:
    asyncio.run(follow(script))


@pytest.mark.soak
@settings(max_examples=300, deadline=None)
@given(SCRIPTS)
def test_the_same_for_hundreds_of_scripts(script: list[tuple[bool, Flavor]]) -> None:
    asyncio.run(follow(script))


async def follow(script: list[tuple[bool, Flavor]]) -> None:
    exchange = Exchange()
    for snapshot, flavor in script:
        exchange.say(snapshot, flavor)
    async with running(SummedFeed, BOOK) as rig:
        client = await rig.accept()
        if exchange.messages:
            client.say(*exchange.messages)
        if exchange.failed and not exchange.live:
            await client.hear(b"again BTC-USDT")
        await rig.read(client)
        spoken = len(exchange.messages)
        exchange.say(True, "signed")
        exchange.say(False, "signed")
        client.say(*exchange.messages[spoken:], trade(1))
        await rig.until_told(1, Trade)
        check(rig.sink.told)
        found, account = rig.feed.book(BTC.name), rig.account
        assert (dict(found.bids) if found else {}) == truth(exchange.number)
        assert (account.checksums_verified, account.checksums_failed) == (exchange.verified, exchange.failed)
        assert (len(rig.sink.of(Stale)), account.repairs) == (exchange.stale, exchange.repairs)
        assert account.errors == ({"ChecksumFailed": exchange.failed} if exchange.failed else {})
        assert account.connections == 1


def check(told: Iterable[Any]) -> None:
    """At every event a reader who was told that the book is live has the truth."""
    reader, last = Reader(), 0
    for event in told:
        reader.take(event)
        if isinstance(event, BookUpdate):
            last = event.sequence
        if BTC.name in reader.live:
            assert reader.levels(BTC.name)[0] == truth(last), event
    assert reader.live
