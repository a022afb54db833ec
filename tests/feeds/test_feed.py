"""The base of all feeds, by a JSON feed of lines or messages over real sockets: its connections and conversations."""

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

import pytest

from ticktree.actors import Backoff
from ticktree.feeds import FeedAccount, FeedError, Refused, SequenceRule, Source
from ticktree.feeds.rest import RestClosed, RestLimits
from ticktree.market import (
    Bar,
    EventKind,
    FeedStatus,
    Gap,
    Instrument,
    Quote,
    Topic,
    Trade,
)
from ticktree.net import PeerLost, Unreachable

from ..probe import DEADLINE_S, turns_until
from .json_feed import ACK, BTC, Hand, JsonFeed, LoginFeed, ReadingFeed, RuledFeed, book, quote, trade
from .rig import Collector, running

NAMES = ("BTC-USDT", "ETH-USDT")
BOTH = pytest.mark.parametrize("kind", [RuledFeed, ReadingFeed])  # message by message, and read by read


# --- live and lost -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["tcp", "unix", "ws"])
async def test_it_is_live_once_data_arrive_and_lost_with_the_connection(scheme: Any) -> None:
    async with running(scheme=scheme) as rig:
        client = await rig.accept()
        assert rig.sink.told == []
        client.say(trade(1))
        await rig.until(lambda: bool(rig.sink.of(Trade)))
        assert [type(event) for event in rig.sink.told] == [FeedStatus, Trade]
        client.cut()
        await rig.until(lambda: rig.sink.states() == ["live", "lost"])
        assert rig.account.live is False


async def test_an_acknowledgement_makes_it_live_too_and_no_word_does_not() -> None:
    async with running() as rig:
        client = await rig.accept()
        await client.hear(b"subscribe")
        assert rig.sink.told == []
        client.say(ACK)
        await rig.until(lambda: rig.sink.states() == ["live"])
        client.say(ACK, ACK, trade(1))
        await rig.until(lambda: bool(rig.sink.of(Trade)))
        assert rig.sink.states() == ["live"]


async def test_a_connection_that_never_was_live_is_not_told_as_lost() -> None:
    async with running() as rig:
        (await rig.accept()).cut()
        await rig.accept()
        assert rig.sink.told == []
        assert rig.account.connections == 2


async def test_data_wait_for_a_snapshot_and_do_not_make_it_live() -> None:
    async with running() as rig:
        client = await rig.accept()
        client.say(book(1))
        await rig.read(client)
        assert rig.sink.told == []


async def test_its_end_is_told_as_a_loss() -> None:
    async with running() as rig:
        (await rig.accept()).say(ACK)
        await rig.until(lambda: rig.sink.states() == ["live"])
    assert rig.sink.states() == ["live", "lost"]


async def test_what_a_killed_life_still_reads_is_told_by_nobody() -> None:
    async with running(lives=2) as rig:
        client = await rig.accept()
        client.say(trade(1))
        await rig.until_told(1, Trade)
        rig.system.cells()[0].kill()
        again = await rig.accept()
        again.say(trade(7))
        await rig.until_told(2, Trade)
        client.say(trade(2))
        await client.gone()
        again.say(trade(8))
        await rig.until_told(3, Trade)
        assert [event.sequence for event in rig.sink.of(Trade)] == [1, 7, 8]


async def test_a_life_that_was_killed_is_told_as_lost_by_the_next() -> None:
    async with running(lives=2) as rig:
        (await rig.accept()).say(ACK)
        await rig.until(lambda: rig.sink.states() == ["live"])
        rig.system.cells()[0].kill()
        await rig.until(lambda: rig.sink.states() == ["live", "lost"])
        assert "killed" in rig.sink.of(FeedStatus)[-1].reason
        rig.feeds[0]._connection().abort(PeerLost("cut"))  # nobody else lets go of it
        second = await rig.accept()
        second.say(trade(1))
        await rig.until(lambda: rig.sink.states()[2:] == ["live"])


# --- subscriptions -------------------------------------------------------------------------------------------------


async def test_each_connection_is_asked_for_all_topics_again() -> None:
    async with running(JsonFeed, "test/BTC-USDT/trade", "test/ETH-USDT/quote") as rig:
        for _ in range(3):
            client = await rig.accept()
            heard = await client.hear(b"\n")
            assert heard == b"subscribe test/BTC-USDT/trade test/ETH-USDT/quote\n"
            client.cut()
        await rig.accept()
    assert rig.feed.opens == 4


async def test_a_new_connection_begins_its_numbers_anew() -> None:
    async with running(RuledFeed, "test/BTC-USDT/trade") as rig:
        first = await rig.accept()
        first.say(trade(100), trade(101))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 2)
        first.cut()
        second = await rig.accept()
        second.say(trade(7), trade(8))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 4)
        assert (rig.account.gaps, rig.account.duplicates) == (0, 0)


async def test_who_cannot_be_reached_is_tried_again_and_counted() -> None:
    async with running() as rig:
        where = rig.feed.url
        rig.feed.url = "tcp://127.0.0.1:1"
        (await rig.accept()).cut()
        await rig.until(lambda: rig.account.errors["Refused"] > 2)
        rig.feed.url = where
        await rig.accept()


# --- login ---------------------------------------------------------------------------------------------------------


async def test_it_logs_in_before_it_subscribes() -> None:
    async with running(LoginFeed) as rig:
        client = await rig.accept()
        assert await client.hear(b"login\n") == b"login\n"
        login = await rig.hand.logins.get()
        client.say(trade(1))  # what comes meanwhile is read
        await rig.until(lambda: bool(rig.sink.of(Trade)))
        assert client.heard == b"login\n"
        login.set_result(None)
        await client.hear(b"login\nsubscribe")


async def test_a_login_that_is_refused_costs_the_connection() -> None:
    async with running(LoginFeed) as rig:
        client = await rig.accept()
        (await rig.hand.logins.get()).set_exception(Refused("test", "a wrong key"))
        await client.gone()
        assert b"subscribe" not in client.heard
        second = await rig.accept()
        (await rig.hand.logins.get()).set_result(None)
        await second.hear(b"subscribe")
        assert rig.account.errors == {"Refused": 1}
        assert rig.account.broken == 0


async def test_a_login_under_way_ends_with_its_connection() -> None:
    async with running(LoginFeed) as rig:
        client = await rig.accept()
        login = await rig.hand.logins.get()
        client.cut()
        second = await rig.accept()
        assert login.cancelled()
        again = await rig.hand.logins.get()
        assert not again.done()
        assert await second.hear(b"login\n") == b"login\n"


async def test_a_login_that_fails_by_our_fault_ends_the_life() -> None:
    async with running(LoginFeed, lives=2) as rig:
        await rig.accept()
        (await rig.hand.logins.get()).set_exception(ZeroDivisionError("ours"))
        await rig.accept()
        assert "ours" in rig.history()[0]


# --- definitions ---------------------------------------------------------------------------------------------------


async def test_definitions_are_asked_for_once_over_connections_and_lives() -> None:
    async with running(lives=2) as rig:
        (await rig.accept()).cut()
        await rig.accept()
        rig.system.ref("feed").tell("nonsense")
        await rig.accept()
        assert len(rig.feeds) == 2
        assert rig.hand.asked == 1
        assert rig.feed.instruments.keys() == set(NAMES)
        assert rig.feed.instruments["BTC-USDT"] == BTC


async def test_definitions_that_cannot_be_had_are_asked_for_again() -> None:
    hand = Hand(refusals=[Unreachable("http://x", "no"), FeedError("maintenance"), Refused("test", "later")])
    async with running(hand=hand) as rig:
        await rig.accept()
        assert rig.hand.asked == 4
        assert rig.account.errors == {"Unreachable": 1, "Unlocated": 2}


async def test_an_instrument_that_is_not_listed_ends_it_and_names_what_is_near() -> None:
    async with running(RuledFeed, "test/BTC-USDC/trade", lives=2, intensity=1) as rig:
        async with asyncio.timeout(DEADLINE_S):
            report = await rig.system.wait()
        assert report.exit_code == 1
        assert "UnknownInstruments" in str(report.reason)
        assert "BTC-USDC (near it: BTC-USDT" in str(report.reason)
        assert rig.hand.asked == 2


async def test_only_what_is_wanted_is_adopted() -> None:
    hand = Hand(listing=tuple(Instrument(f"X{n}-USDT", n, BTC.price_increment, BTC.size_increment) for n in range(50)))
    async with running(RuledFeed, "test/X7-USDT/trade", hand=hand) as rig:
        await rig.accept()
        assert list(rig.feed.instruments) == ["X7-USDT"]


# --- numbers -------------------------------------------------------------------------------------------------------


@BOTH
async def test_what_comes_twice_is_dropped_and_counted_and_gaps_are_told_in_place(kind: type[RuledFeed]) -> None:
    async with running(kind, "test/BTC-USDT/trade", "test/ETH-USDT/trade") as rig:
        client = await rig.accept()
        client.say(trade(1), trade(2), trade(2), trade(1), trade(5), trade(9, "ETH-USDT"), trade(6))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 5)
        told: list[Any] = [event.sequence if isinstance(event, Trade) else type(event) for event in rig.sink.told]
        assert told == [FeedStatus, 1, 2, Gap, 5, 9, 6]
        (gap,) = rig.sink.of(Gap)
        assert (gap.instrument, gap.kind, gap.expected, gap.found) == (BTC, "trade", 3, 5)
        assert (rig.account.duplicates, rig.account.gaps) == (2, 1)


@BOTH
async def test_where_numbers_only_grow_what_is_left_out_is_no_gap(kind: type[RuledFeed]) -> None:
    async with running(kind, "test/BTC-USDT/quote") as rig:
        client = await rig.accept()
        client.say(quote(1), quote(7), quote(7), quote(5), quote(8))
        await rig.until(lambda: len(rig.sink.of(Quote)) == 3)
        assert (rig.account.duplicates, rig.account.gaps) == (2, 0)


async def test_without_a_rule_everything_passes() -> None:
    async with running(JsonFeed, "test/BTC-USDT/trade") as rig:
        client = await rig.accept()
        client.say(trade(3), trade(3), trade(1), trade(90))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 4)
        assert (rig.account.duplicates, rig.account.gaps) == (0, 0)


async def test_numbers_of_each_kind_have_a_rule_of_their_own() -> None:
    class Ranged(JsonFeed):
        rules = {EventKind.QUOTE: SequenceRule.PLUS_ONE, EventKind.TRADE: SequenceRule.RANGE}  # noqa: RUF012  # nobody changes it

    async with running(Ranged) as rig:
        client = await rig.accept()
        client.say(trade(1), quote(50), quote(52), trade(2), trade(4))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 3)
        assert [(gap.kind, gap.expected, gap.found) for gap in rig.sink.of(Gap)] == [("quote", 51, 52), ("trade", 3, 4)]


@BOTH
async def test_crossed_quotes_are_counted_and_an_empty_side_is_not_crossed(kind: type[RuledFeed]) -> None:
    async with running(kind, "test/BTC-USDT/quote") as rig:
        client = await rig.accept()
        client.say(quote(1, bid=101, ask=100), quote(2, bid=100, ask=0), quote(3))
        await rig.until(lambda: len(rig.sink.of(Quote)) == 3)
        assert rig.account.crossed == 1


# --- batches and accounts ------------------------------------------------------------------------------------------


@BOTH
async def test_what_one_read_brings_is_one_batch_but_for_the_marks_in_it(kind: type[RuledFeed]) -> None:
    async with running(kind, "test/BTC-USDT/trade") as rig:
        client = await rig.accept()
        client.say(*map(trade, range(1, 11)))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 10)
        assert [len(batch) for batch in rig.sink.batches] == [10]
        client.say(trade(11), trade(13))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 12)
        assert [len(batch) for batch in rig.sink.batches] == [10, 1, 1]
        assert rig.account.kinds == {"trade": 12, "Gap": 1, "FeedStatus": 1}
        assert rig.account.messages == 12
        assert rig.account.events == 12


async def test_a_read_that_is_understood_at_once_is_told_and_counted_as_its_messages_would_be() -> None:
    async with running(ReadingFeed) as rig:
        client = await rig.accept()
        client.say(trade(1), quote(1), trade(2), ACK, trade(3, "ETH-USDT"))
        await rig.until_told(4, Trade, Quote)
        assert rig.feed.at_once == 1
        assert [event.sequence for event in rig.sink.of(Trade, Quote)] == [1, 1, 2, 3]
        assert rig.account.kinds == {"trade": 3, "quote": 1, "FeedStatus": 1}
        assert (rig.account.messages, rig.account.decoded) == (5, client.sent)


async def test_a_read_with_a_bad_message_in_it_is_decoded_one_by_one() -> None:
    async with running(ReadingFeed) as rig:
        client = await rig.accept()
        client.say(trade(1), b"bad", trade(2))
        await rig.until_told(2, Trade)
        assert rig.feed.at_once == 0
        assert rig.account.errors == {"BadMessage": 1}
        assert (rig.account.messages, rig.account.skipped) == (2, len(b"bad\n"))


async def test_a_class_that_overrides_decode_alone_is_asked_for_each_message() -> None:
    class Later(ReadingFeed):
        def decode(self, frame: memoryview | bytes, received_ns: int) -> Any:
            self.hand.asked += 1
            return super().decode(frame, received_ns)

    async with running(Later) as rig:
        client = await rig.accept()
        asked = rig.hand.asked
        client.say(trade(1), trade(2))
        await rig.until_told(2, Trade)
        assert rig.hand.asked - asked == 2
        assert rig.feed.at_once == 0


async def test_bars_pass_through() -> None:
    class Bars(JsonFeed):
        def decode(self, frame: memoryview | bytes, received_ns: int) -> Iterable[Bar]:
            return [Bar(self.name, BTC, 1, 1, 1, 1, 1, 1, 1, 0, 1, received_ns)]

    async with running(Bars, "test/BTC-USDT/bar") as rig:
        (await rig.accept()).say(b"x")
        await rig.until(lambda: bool(rig.sink.of(Bar)))
        assert rig.account.events == 1


def broken(frame: memoryview | bytes, received_ns: int) -> Iterable[Trade]:
    raise ZeroDivisionError("ours")


async def test_a_fault_of_ours_ends_the_life_and_its_bytes_are_accounted_for() -> None:
    async with running(lives=2) as rig:
        client = await rig.accept()
        rig.feed.decode = broken
        client.say(trade(1))
        await rig.accept()
        assert "ours" in rig.history()[0]
        assert rig.account.skipped == client.sent


async def test_what_came_before_a_fault_of_ours_is_told() -> None:
    class Second(JsonFeed):
        def decode(self, frame: memoryview | bytes, received_ns: int) -> Any:
            return broken(frame, received_ns) if frame == b"fault" else super().decode(frame, received_ns)

    async with running(Second, lives=2) as rig:
        (await rig.accept()).say(trade(1), b"fault", trade(2))
        await rig.accept()
        assert [type(event) for event in rig.sink.told] == [FeedStatus, Trade, FeedStatus]


async def test_it_answers_nothing_that_it_does_not_understand() -> None:
    async with running(lives=2) as rig:
        rig.system.ref("feed").tell("nonsense")
        await turns_until(lambda: len(rig.feeds) == 2)
        assert "UnknownMessage" in rig.history()[0]


async def test_a_feed_without_a_framing_speaks_over_websockets_only() -> None:
    class Framed(RuledFeed):
        framing: ClassVar = None

    async with running(Framed, lives=2, intensity=1) as rig:
        async with asyncio.timeout(DEADLINE_S):
            await rig.system.wait()
    assert "speaks over WebSockets only" in rig.history()[0]


async def test_questions_to_two_hosts_are_two_clients_and_both_end_with_the_life() -> None:
    limits, one, other = RestLimits(weight_a_minute=60), "http://127.0.0.1:1", "http://127.0.0.1:2"
    async with running() as rig:
        rests = [rig.feed.rest(url, limits) for url in (one, other, one)]
        assert rests[0] is rests[2] is not rests[1]
        for rest in rests:
            with pytest.raises(Unreachable, match=rest._url):
                await rest.get("/", {}, 1, int)
    for rest in rests:
        with pytest.raises(RestClosed):
            await rest.get("/", {}, 1, int)


def test_its_parts_are_made_of_the_source() -> None:
    source = Source("test", (Topic("test", "*", "book"),), Collector(), account=FeedAccount(), backoff=Backoff())
    feed = RuledFeed(source, "tcp://127.0.0.1:1", Hand())
    assert (feed.name, feed.topics) == ("test", source.topics)
    assert feed.book("BTC-USDT") is None
    assert list(feed.books()) == []
