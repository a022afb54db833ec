"""Books over a real socket: how each follows its stream, how a gap is repaired, and what others may know of them."""

import asyncio
from typing import Any

import pytest

from ticktree.feeds import Feed, FeedError, SequenceRule, books
from ticktree.feeds.book import MOST_WAITING
from ticktree.market import BookUpdate, EventKind, FeedState, FeedStatus, Gap, Live, Stale, Trade
from ticktree.net import Unreachable

from ..probe import DEADLINE_S
from .json_feed import BTC, FetchingFeed, Hand, InBandFeed, JsonFeed, RuledFeed, book, trade
from .rig import Reader, Rig, running

BOOK = "test/BTC-USDT/book"
BOTH = (BOOK, "test/ETH-USDT/book")


def names(rig: Rig) -> list[str]:
    """What was told, in short: a number for a book's update, with * for a snapshot."""
    short: dict[Any, str] = {FeedStatus: "", Gap: "gap", Stale: "stale", Live: "live", Trade: "trade"}
    told = (
        f"{event.sequence}{'*' * event.snapshot}" if isinstance(event, BookUpdate) else short[type(event)]
        for event in rig.sink.told
    )
    return [name for name in told if name]


def levels(rig: Rig, name: str = "BTC-USDT") -> dict[float, float]:
    reader = Reader()
    for event in rig.sink.told:
        reader.take(event)
    return reader.levels(name)[0]


# --- in-band -------------------------------------------------------------------------------------------------------


async def test_a_book_begins_with_the_snapshot_that_its_subscription_brings() -> None:
    async with running(InBandFeed, BOOK) as rig:
        client = await rig.accept()
        client.say(book(9), book(10, snapshot=True), book(11))
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 2)
        assert names(rig) == ["10*", "live", "11"]
        assert b"again" not in await client.hear(b"subscribe")
        assert rig.account.gaps == 0


async def test_a_gap_is_told_in_place_and_mended_by_subscribing_anew() -> None:
    async with running(InBandFeed, BOOK) as rig:
        client = await rig.accept()
        client.say(book(1, snapshot=True, bids=[(10, 1)]), book(2, bids=[(11, 1)]), book(5, bids=[(12, 1)]))
        await client.hear(b"again BTC-USDT")
        client.say(book(6, bids=[(13, 1)]))
        await rig.read(client)
        assert names(rig) == ["1*", "live", "2", "gap", "stale"]
        assert rig.feed.book("BTC-USDT") is None
        client.say(book(5, snapshot=True, bids=[(10, 1), (11, 1), (12, 1)]), book(7, bids=[(14, 1)]))
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 5)
        assert names(rig)[5:] == ["5*", "6", "live", "7"]
        assert levels(rig) == dict.fromkeys([10.0, 11.0, 12.0, 13.0, 14.0], 1.0)
        assert client.heard.count(b"again") == 1
        (gap,) = rig.sink.of(Gap)
        assert (gap.kind, gap.expected, gap.found, gap.instrument) == ("book", 3, 5, BTC)
        assert (rig.account.gaps, rig.account.snapshots, rig.account.repairs) == (1, 1, 2)


async def test_a_snapshot_that_is_too_old_is_asked_for_again() -> None:
    async with running(InBandFeed, BOOK) as rig:
        client = await rig.accept()
        client.say(book(1, snapshot=True), book(5))
        await client.hear(b"again BTC-USDT")
        client.say(book(2, snapshot=True))
        await client.hear(b"again BTC-USDT\nagain BTC-USDT")
        client.say(book(4, snapshot=True))
        await rig.until(lambda: len(rig.sink.of(Live)) == 2)
        assert names(rig)[-3:] == ["4*", "5", "live"]


async def test_a_snapshot_that_does_not_come_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "MOST_WAITING_NS", 20_000_000)
    async with running(InBandFeed, BOOK) as rig:
        client = await rig.accept()
        client.say(book(1, snapshot=True), book(5))
        await client.hear(b"again BTC-USDT\nagain BTC-USDT\nagain BTC-USDT")
        client.say(book(9, snapshot=True))
        await rig.until(lambda: len(rig.sink.of(Live)) == 2)
        assert rig.account.errors["NoSnapshot"] >= 2
        assert rig.account.connections == 1


async def test_patterns_select_books_too() -> None:
    async with running(FetchingWithout, "test/*/book", "test/ETH-*/trade") as rig:
        rig.feed.adopt(BTC)
        await rig.accept()
        question = await rig.hand.question("BTC-USDT")
        assert not question.done()
        assert rig.hand.questions.empty()


class FetchingWithout(FetchingFeed):
    """Knows its instruments otherwise than by asking for definitions."""

    definitions = Feed.definitions


async def test_where_nothing_repairs_a_book_the_connection_is_made_anew() -> None:
    async with running(RuledFeed, BOOK, "test/BTC-USDT/trade") as rig:
        client = await rig.accept()
        client.say(book(1, snapshot=True), book(5), trade(1))
        second = await rig.accept()
        assert rig.account.errors == {"NoSnapshot": 1}
        assert rig.account.broken == 0
        second.say(book(9, snapshot=True), book(10))
        await rig.until(lambda: len(rig.sink.of(Live)) == 2)
        assert names(rig) == ["1*", "live", "gap", "stale", "trade", "9*", "live", "10"]
        lost = rig.sink.of(FeedStatus)[1]
        assert (lost.state, lost.reason) == (FeedState.LOST, "test: a gap in the book of BTC-USDT; connecting anew for "
                                             "its snapshot")  # fmt: skip


async def test_books_without_numbers_follow_their_stream() -> None:
    async with running(JsonFeed, BOOK) as rig:
        client = await rig.accept()
        client.say(book(0, bids=[(99, 1)]), book(0, snapshot=True), book(0, bids=[(101, 2)]), book(0, bids=[(100, 0)]))
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 3)
        assert levels(rig) == {101.0: 2.0}  # what came before the snapshot is in it


@pytest.mark.parametrize("rule", [SequenceRule.PLUS_ONE, SequenceRule.MONOTONIC, SequenceRule.RANGE])
async def test_what_comes_twice_is_dropped(rule: SequenceRule) -> None:
    class Numbered(InBandFeed):
        rules = {EventKind.BOOK: rule}  # noqa: RUF012  # nobody changes it

    async with running(Numbered, BOOK) as rig:
        client = await rig.accept()
        client.say(book(5, snapshot=True), book(4), book(5), book(6), book(6), book(7))
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 3)
        assert names(rig) == ["5*", "live", "6", "7"]
        assert (rig.account.duplicates, rig.account.gaps) == (3, 0)


async def test_updates_without_levels_move_the_number_on_and_are_not_told() -> None:
    async with running(InBandFeed, BOOK) as rig:
        client = await rig.accept()
        client.say(book(1, snapshot=True), book(2, 9, bids=()), book(10))
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 2)
        assert names(rig) == ["1*", "live", "10"]
        assert rig.account.gaps == 0


async def test_a_snapshot_without_levels_takes_away_what_was_told_before() -> None:
    async with running(InBandFeed, BOOK) as rig:
        client = await rig.accept()
        client.say(book(1, snapshot=True, bids=[(10, 1), (9, 2)], asks=[(11, 1)]), book(7))
        await client.hear(b"again")
        client.say(book(7, snapshot=True, bids=()), book(8, bids=[(8, 8)]))
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 3)
        assert names(rig)[-3:] == ["7", "live", "8"]
        assert levels(rig) == {8.0: 8.0}


async def test_a_crossed_book_is_flagged_and_counted_and_not_repaired() -> None:
    async with running(InBandFeed, BOOK) as rig:
        client = await rig.accept()
        client.say(book(1, snapshot=True, asks=[(101, 1)]), book(2, bids=[(102, 1)]), book(3, bids=[(102, 0)]))
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 3)
        assert [update.crossed for update in rig.sink.of(BookUpdate)] == [False, True, False]
        assert rig.account.crossed == 1
        assert rig.sink.of(Stale) == []


async def test_what_waits_is_bounded_and_a_snapshot_that_never_came_is_asked_for() -> None:
    async with running(InBandFeed, BOOK) as rig:
        client = await rig.accept()
        await client.hear(b"subscribe")
        held: Any = None
        for start in range(0, MOST_WAITING + 1, 500):
            client.say(*(book(n) for n in range(start, min(start + 500, MOST_WAITING + 1))))
            await rig.read(client)
            held = rig.feed._books._books["BTC-USDT"]
            assert len(held.waiting) <= MOST_WAITING
        await client.hear(b"again")
        assert len(held.waiting) == 1
        client.say(book(MOST_WAITING, snapshot=True))
        await rig.until(lambda: len(rig.sink.of(Live)) == 1)


# --- fetched -------------------------------------------------------------------------------------------------------


async def test_a_fetched_snapshot_is_bridged_with_what_came_meanwhile() -> None:
    async with running(FetchingFeed, BOOK) as rig:
        client = await rig.accept()
        question = await rig.hand.question("BTC-USDT")
        client.say(book(5, 7), book(8, 10, bids=[(50, 1)]), book(11, bids=[(51, 1)]))
        await rig.read(client)
        assert rig.sink.told == []
        question.set_result(rig.feed.answer(9))
        await rig.until(lambda: bool(rig.sink.of(Live)))
        assert names(rig) == ["9*", "10", "11", "live"]
        assert levels(rig) == {100.0: 5.0, 50.0: 1.0, 51.0: 1.0}


async def test_a_fetched_snapshot_that_is_too_old_is_fetched_again() -> None:
    async with running(FetchingFeed, BOOK) as rig:
        client = await rig.accept()
        question = await rig.hand.question()
        client.say(book(5), book(6))
        await rig.read(client)
        question.set_result(rig.feed.answer(3))
        (await rig.hand.question()).set_result(rig.feed.answer(4))
        await rig.until(lambda: bool(rig.sink.of(Live)))
        assert names(rig) == ["4*", "5", "6", "live"]
        assert rig.account.snapshots == 2


async def test_a_hole_in_what_waits_needs_a_snapshot_from_behind_it() -> None:
    async with running(FetchingFeed, BOOK) as rig:
        client = await rig.accept()
        question = await rig.hand.question()
        client.say(book(5), book(6), book(8), book(9))
        await rig.read(client)
        question.set_result(rig.feed.answer(4))
        (await rig.hand.question()).set_result(rig.feed.answer(7))
        await rig.until(lambda: bool(rig.sink.of(Live)))
        assert names(rig) == ["7*", "8", "9", "live"]


async def test_snapshots_that_fail_are_fetched_again_until_one_comes() -> None:
    async with running(FetchingFeed, BOOK) as rig:
        await rig.accept()
        for error in (Unreachable("http://x", "no"), FeedError("busy"), Unreachable("http://x", "no")):
            (await rig.hand.question()).set_exception(error)
        (await rig.hand.question()).set_result(rig.feed.answer(4))
        await rig.until(lambda: bool(rig.sink.of(Live)))
        assert rig.account.errors == {"Unreachable": 2, "FeedError": 1}
        assert (rig.account.snapshots, rig.account.repairs, rig.account.connections) == (4, 1, 1)


async def test_a_fault_of_ours_in_a_snapshot_ends_the_life() -> None:
    async with running(FetchingFeed, BOOK, lives=2) as rig:
        await rig.accept()
        (await rig.hand.question()).set_exception(ZeroDivisionError("ours"))
        await rig.accept()
        assert "ours" in rig.history()[0]


async def test_there_is_one_repair_an_instrument_and_others_go_on_meanwhile() -> None:
    async with running(FetchingFeed, *BOTH) as rig:
        client = await rig.accept()
        for _ in BOTH:
            name, question = await rig.hand.questions.get()
            question.set_result(rig.feed.answer(1, name))
        await rig.until(lambda: len(rig.sink.of(Live)) == 2)
        client.say(book(3), book(5), book(9), book(2, name="ETH-USDT"), book(3, name="ETH-USDT"))
        question = await rig.hand.question("BTC-USDT")
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 4)
        assert rig.hand.questions.empty()
        assert rig.account.gaps == 1
        assert [update.instrument.name for update in rig.feed.books()] == ["ETH-USDT"]
        question.set_result(rig.feed.answer(9))
        await rig.until(lambda: len(rig.sink.of(Live)) == 3)
        assert len(list(rig.feed.books())) == 2


async def test_at_most_four_snapshots_are_fetched_at_once() -> None:
    many = [f"test/X{n}-USDT/book" for n in range(20)]
    listing = tuple(type(BTC)(f"X{n}-USDT", n, BTC.price_increment, BTC.size_increment) for n in range(20))
    async with running(FetchingFeed, *many, hand=Hand(listing=listing)) as rig:
        await rig.accept()
        for _ in many:
            async with asyncio.timeout(DEADLINE_S):
                name, question = await rig.hand.questions.get()
            question.set_result(rig.feed.answer(1, name))
        await rig.until(lambda: len(rig.sink.of(Live)) == 20)
        assert rig.hand.most_open == 4


async def test_an_answer_for_an_earlier_connection_is_nobodys() -> None:
    async with running(FetchingFeed, BOOK) as rig:
        first = await rig.accept()
        old = await rig.hand.question()
        first.cut()
        await rig.accept()
        assert old.cancelled()
        assert rig.hand.open == 1
        (await rig.hand.question()).set_result(rig.feed.answer(7))
        await rig.until(lambda: bool(rig.sink.of(Live)))
        assert names(rig) == ["7*", "live"]


async def test_an_answer_that_cannot_be_cancelled_is_ignored_too() -> None:
    class Stubborn(FetchingFeed):
        async def snapshot(self, instrument: Any) -> BookUpdate:
            try:
                return await super().snapshot(instrument)
            except asyncio.CancelledError:
                return self.answer(3)

    async with running(Stubborn, BOOK) as rig:
        first = await rig.accept()
        old = await rig.hand.question()
        first.cut()
        await rig.accept()
        question = await rig.hand.question()
        assert old.cancelled()
        assert rig.feed.book("BTC-USDT") is None
        question.set_result(rig.feed.answer(7))
        await rig.until(lambda: bool(rig.sink.of(Live)))
        assert names(rig) == ["7*", "live"]


async def test_a_book_that_was_distrusted_is_told_stale_and_repaired_at_once() -> None:
    async with running(FetchingFeed, BOOK) as rig:
        await rig.accept()
        (await rig.hand.question()).set_result(rig.feed.answer(1))
        await rig.until(lambda: len(rig.sink.of(Live)) == 1)
        rig.feed.distrust(BTC, "the checksum is wrong")
        rig.feed.distrust(BTC, "again")
        assert names(rig) == ["1*", "live", "stale"]
        assert rig.sink.of(Stale)[0].reason == "the checksum is wrong"
        (await rig.hand.question()).set_result(rig.feed.answer(2))
        await rig.until(lambda: len(rig.sink.of(Live)) == 2)


# --- for late joiners ----------------------------------------------------------------------------------------------


async def test_a_late_joiner_gets_verified_books_only_and_of_one_instant() -> None:
    async with running(InBandFeed, *BOTH) as rig:
        client = await rig.accept()
        assert list(rig.feed.books()) == []
        client.say(book(1, snapshot=True), book(2, bids=[(99, 3)]), book(1, name="ETH-USDT"))
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 2)
        (found,) = rig.feed.books()
        assert found == rig.feed.book("BTC-USDT")
        assert (found.snapshot, found.sequence, found.first_sequence) == (True, 2, 2)
        assert found.bids == ((100.0, 1.0), (99.0, 3.0))
        assert found.received_time_ns == rig.sink.of(BookUpdate)[-1].received_time_ns
        assert rig.feed.book("ETH-USDT") is None
        client.cut()
        await rig.until(lambda: rig.sink.states() == ["live", "lost"])
        assert rig.feed.book("BTC-USDT") is None


async def test_who_joins_while_a_batch_is_published_finds_the_book_with_that_batch_in_it() -> None:
    async with running(InBandFeed, BOOK) as rig:
        client = await rig.accept()
        found: list[Any] = []
        publish = rig.sink.publish

        def joined(batch: Any) -> None:
            found.append(rig.feed.book("BTC-USDT"))
            publish(batch)

        rig.sink.publish = joined  # type: ignore[method-assign]  # on this object alone
        client.say(book(1, snapshot=True), book(2), book(3))
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 3)
        assert [update.sequence for update in found] == [1, 3]
