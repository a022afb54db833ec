"""A feed of the wire protocol over real sockets: ids, updates that span frames, marks, refusals, a slow consumer."""

import asyncio
from decimal import Decimal
from typing import Any

import attrs
import numpy as np
import pytest

from ticktree.feeds import Source, WireFeed
from ticktree.feeds.updates import MOST_HELD_ROWS
from ticktree.market import (
    Bar,
    BookUpdate,
    FeedState,
    FeedStatus,
    Gap,
    Instrument,
    InstrumentStatus,
    Live,
    Quote,
    Skipped,
    Stale,
    Ticks,
    Trade,
    TradingStatus,
    WireError,
    messages,
    wire,
)
from ticktree.market.ticks import copied, encoded
from ticktree.net import PeerLost

from .json_feed import BTC, ETH, Hand
from .rig import Client, Rig, running

EVERYTHING = ("test/*/*",)


def make(source: Source, url: str, hand: Hand) -> WireFeed:
    return WireFeed(source, url)


def trades(count: int, first: int = 1, instrument: Instrument = BTC) -> list[Trade]:
    return [Trade("test", instrument, 100.0 + n, 1.0, None, n, n, n) for n in range(first, first + count)]


def book_ticks(
    levels: int, *, snapshot: bool = False, instrument: Instrument = BTC, price: float = 100.0, sequence: int = 1
) -> Ticks:
    bids = tuple((price - n, 1.0) for n in range(levels))
    return encoded([BookUpdate("test", instrument, bids, (), snapshot, sequence, sequence, 0, 0)])


class Server:
    """The other side, by hand: says each thing once."""

    def __init__(self, client: Client) -> None:
        self.client, self.writer = client, wire.Writer()

    def say(self, *messages: Any) -> None:
        self.client.send(b"".join(map(self.encode, messages)))

    def encode(self, message: Any) -> bytes:
        return self.writer.write(wire.TickRows(message) if type(message) is np.ndarray else message)


async def greeted(rig: Rig, *instruments: Instrument) -> Server:
    server = Server(await rig.accept())
    server.say(wire.Hello(feed="test"), wire.Instruments(instruments or (BTC, ETH)), wire.Subscribed(EVERYTHING))
    await rig.until(lambda: rig.account.live)
    return server


# --- the conversation ----------------------------------------------------------------------------------------------


async def test_it_says_hello_and_subscribes_and_is_live_once_that_stands() -> None:
    async with running(lambda source, url, _: WireFeed(source, url, "open sesame"), *EVERYTHING) as rig:
        client = await rig.accept()
        heard = await client.hear(b"test/*/*")
        frames, _, _ = wire.Framing().cut(memoryview(heard), 0)
        reader = wire.Reader()
        hello, subscribe = (reader.read(frame) for frame in frames[:2])
        assert isinstance(hello, wire.Hello)
        assert hello.token == "open sesame"
        assert subscribe == wire.Subscribe(EVERYTHING)
        server = Server(client)
        server.say(wire.Hello(feed="test"), wire.Instruments((BTC,)))
        await rig.read(client)
        assert rig.sink.told == []
        server.say(wire.Subscribed(EVERYTHING))
        await rig.until(lambda: rig.sink.states() == ["live"])


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (wire.Refused(wire.Refusal.TOKEN, "a wrong token"), "a wrong token"),
        (wire.Refused(wire.Refusal.BUSY), "busy"),
        (wire.End("the exchange closes"), "the exchange closes"),
        (wire.Hello(version=2), "it speaks version 2"),
        (wire.Subscribe(("a/b/quote",)), "no server at that address"),
    ],
)
async def test_a_refusal_or_an_end_costs_the_connection_and_says_why(message: Any, reason: str) -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(message)
        await rig.until(lambda: not rig.account.live)
        assert reason in rig.sink.told[-1].reason
        assert (rig.account.errors, rig.account.broken) == ({"Refused": 1}, 0)
        await rig.accept()


async def test_it_says_that_it_is_alive_and_a_silent_server_is_lost() -> None:
    class Quick(WireFeed):
        heartbeat_s = 0.05

    async with running(lambda source, url, _: Quick(source, url), *EVERYTHING) as rig:
        server = await greeted(rig)
        for _ in range(3):
            server.say(wire.Heartbeat())
            await server.client.hear(b"heartbeat")
            server.client.heard = b""
        assert rig.account.connections == 1
        await rig.until(lambda: rig.account.errors["Silent"] == 1)


# --- ticks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["tcp", "unix"])
async def test_ticks_come_as_columns_stamped_and_read_only(scheme: Any) -> None:
    async with running(make, *EVERYTHING, scheme=scheme) as rig:
        server = await greeted(rig)
        server.say(encoded(trades(10)), encoded(trades(10, 11)), encoded(trades(5, 21)))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 25)
        assert [trade.sequence for trade in rig.sink.of(Trade)] == list(range(1, 26))
        batch = rig.sink.batches[0]
        assert batch.columnar
        assert not batch.ticks.flags.writeable
        assert (batch.ticks["received_time_ns"] > 10**18).all()
        assert rig.account.kinds["trade"] == 25


async def test_the_senders_times_stay_where_nothing_is_stamped() -> None:
    async with running(make, *EVERYTHING, stamped=False, checked=False) as rig:
        server = await greeted(rig)
        server.say(encoded(trades(3)))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 3)
        assert [trade.received_time_ns for trade in rig.sink.of(Trade)] == [1, 2, 3]


async def test_ids_that_another_feed_has_taken_are_translated() -> None:
    async with running(make, *EVERYTHING) as rig:
        taken = rig.feed.source.ids.adopt(Instrument("DOGE-USDT", BTC.id, BTC.price_increment, BTC.size_increment))
        server = await greeted(rig)
        server.say(encoded(trades(2)), encoded(trades(2, 3, ETH)))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 4)
        assert [trade.instrument.name for trade in rig.sink.of(Trade)] == ["BTC-USDT"] * 2 + ["ETH-USDT"] * 2
        ours = {trade.instrument.id for trade in rig.sink.of(Trade)}
        assert taken.id == BTC.id
        assert BTC.id not in ours
        assert set(np.unique(np.concatenate([batch.ticks["instrument"] for batch in rig.sink.batches]))) == ours


async def test_a_definition_that_changes_holds_from_there_on() -> None:
    finer = attrs.evolve(BTC, price_increment=Decimal("0.001"))
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(book_ticks(2, snapshot=True), wire.Instruments((finer,)), encoded(trades(1)))
        server.say(book_ticks(3, snapshot=True))
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 2)
        assert [event.instrument.price_increment for event in rig.sink.of(Trade, BookUpdate)] == [
            Decimal("0.01"), Decimal("0.001"), Decimal("0.001")
        ]  # fmt: skip
        assert rig.feed.instruments["BTC-USDT"].price_increment == Decimal("0.001")
        assert rig.feed.book("BTC-USDT").instrument.price_increment == Decimal("0.001")


async def test_ids_are_forgotten_with_the_connection() -> None:
    async with running(make, *EVERYTHING) as rig:
        (await greeted(rig)).client.cut()
        await rig.until(lambda: not rig.account.live)
        server = Server(await rig.accept())
        server.say(encoded(trades(1)))
        await rig.until(lambda: rig.account.errors["BadTick"] == 1)
        assert rig.sink.of(Trade) == []


def changed(ticks: Ticks, **fields: Any) -> Ticks:
    ticks = copied(ticks)
    for name, value in fields.items():
        ticks[name][-1] = value
    return ticks


@pytest.mark.parametrize(
    ("ticks", "why"),
    [
        (changed(encoded(trades(3)), instrument=77), "instrument 77 was never defined"),
        (changed(encoded(trades(3)), instrument=2**32 - 1), "was never defined"),
        (changed(encoded(trades(40)), a=float("nan")), "not finite"),
        (changed(encoded(trades(3)), a=float("-inf")), "not finite"),
        (changed(encoded(trades(40)), b=-1.0), "negative"),
        (changed(encoded(trades(3)), kind=9), "no kind 9"),
        (changed(book_ticks(3), flags=4), "a bid or an ask"),
    ],
)
async def test_a_tick_that_cannot_be_costs_the_connection(ticks: Ticks, why: str) -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(ticks)
        await rig.until(lambda: rig.account.broken == 1)
        assert why in rig.sink.told[-1].reason
        assert rig.account.errors == {"BadTick": 1}
        assert rig.sink.of(Trade, BookUpdate) == []
        await rig.accept()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "FrameTooLong"),
        (bytes(64), "BadLength"),
        (b"\xff" * 64, "FrameTooLong"),
        (b"\x18\x00\x00\x00\x04\x02\x00\x00" + bytes(16), "ForeignFrame"),
        (b"\x18\x00\x00\x00\x63\x01\x00\x00" + bytes(16), "ForeignFrame"),
        (b"\x18\x00\x00\x00\x04\x01\x00\x00" + bytes(16), "BadPayload"),
        (b"\x18\x00\x00\x00\x04\x01\x00\x00" + b"\x07" + bytes(15), "SequenceGap"),
    ],
)
async def test_bytes_that_are_not_the_protocol_are_named_with_their_place(data: bytes, error: str) -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        place = server.client.sent
        server.client.send(data)
        await rig.until(lambda: rig.account.broken == 1)
        assert rig.account.errors == {error: 1}
        assert f"at byte {place}:" in rig.sink.told[-1].reason
        await greeted(rig)


async def test_missing_ticks_cost_the_connection() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(encoded(trades(1)))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 1)
        server.writer.ticks(encoded(trades(1)))  # lost
        server.say(encoded(trades(1)))
        await rig.until(lambda: rig.account.broken == 1)
        assert rig.account.errors == {"SequenceGap": 1}
        assert len(rig.sink.of(Trade)) == 1


@pytest.mark.parametrize("step", [1, 40, 200])
async def test_what_is_told_is_the_whole_frames_before_a_cut(step: int) -> None:
    writer = wire.Writer()
    head = writer.write(wire.Hello()) + writer.write(wire.Instruments((BTC,)))
    frames = [writer.ticks(encoded(trades(count))) for count in (1, 2, 2)]
    data = head + b"".join(frames)
    begin = len(head) if step == 1 else 0
    end = begin + 24 if step == 1 else len(data)  # every byte of the first frame's header and first fields
    async with running(make, *EVERYTHING) as rig:
        for cut in range(begin, end + 1, step):
            client = await rig.accept()
            before, losses = len(rig.sink.of(Trade)), sum(rig.account.errors.values())
            client.send(data[:cut])
            client.cut()
            await rig.until_failed(losses + 1)
            ends = [len(head) + sum(map(len, frames[: n + 1])) for n in range(3)]
            whole = sum(count for count, at in zip((1, 2, 2), ends, strict=True) if at <= cut)
            assert len(rig.sink.of(Trade)) - before == whole


# --- books ---------------------------------------------------------------------------------------------------------


async def test_an_update_that_spans_frames_is_told_once_it_is_whole() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        ticks = book_ticks(6, snapshot=True)
        server.say(encoded(trades(1)), ticks[:2])
        await rig.until(lambda: len(rig.sink.of(Trade)) == 1)
        server.say(ticks[2:4])
        await rig.read(server.client)
        assert rig.sink.of(BookUpdate) == []
        server.say(np.concatenate([ticks[4:], encoded(trades(1, 2))]))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 2)
        (update,) = rig.sink.of(BookUpdate)
        assert len(update.bids) == 6
        assert rig.feed.book("BTC-USDT").bids == update.bids
        assert [type(event) for event in rig.sink.told] == [FeedStatus, Trade, BookUpdate, Trade, Live]


async def test_half_an_update_is_forgotten_with_its_connection() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(book_ticks(6, snapshot=True)[:4])
        await rig.read(server.client)
        server.client.cut()
        await rig.until(lambda: not rig.account.live)
        (await greeted(rig)).say(book_ticks(2, snapshot=True))
        await rig.until_told(1, BookUpdate)
        assert len(rig.sink.of(BookUpdate)[0].bids) == 2


async def test_an_update_without_an_end_is_given_up_at_its_bound() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        row = copied(book_ticks(2)[:1])
        piece = np.tile(row, 1_000)
        loop = asyncio.get_running_loop()
        for _ in range(MOST_HELD_ROWS // 1_000 + 1):
            await loop.sock_sendall(server.client.sock, server.encode(piece))
        await rig.until(lambda: rig.account.broken == 1)
        assert "does not end within 65536 rows" in rig.sink.told[-1].reason


async def test_rows_of_another_instrument_within_an_update_are_refused() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(np.concatenate([book_ticks(3)[:2], book_ticks(2, instrument=ETH)]))
        await rig.until(lambda: rig.account.broken == 1)
        assert "tick 2 of the batch: it stands within a book update" in rig.sink.told[-1].reason
        assert rig.sink.of(BookUpdate) == []


async def test_a_late_joiner_gets_the_book_that_its_rows_make() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(book_ticks(1))  # before the snapshot: passed on, and not trusted
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 1)
        assert rig.feed.book("BTC-USDT") is None
        server.say(book_ticks(2, snapshot=True, sequence=5), book_ticks(1, price=101.0, sequence=6))
        await rig.until(lambda: len(rig.sink.of(BookUpdate)) == 3)
        found = rig.feed.book("BTC-USDT")
        assert found.bids == ((101.0, 1.0), (100.0, 1.0), (99.0, 1.0))
        assert found.sequence == 6
        assert len(rig.sink.of(Live)) == 1


async def test_a_book_that_lost_rows_is_stale_until_its_snapshot_which_it_asks_for() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(book_ticks(2, snapshot=True), book_ticks(2, snapshot=True, instrument=ETH))
        await rig.until(lambda: len(rig.sink.of(Live)) == 2)
        server.say(wire.Skipped(7, (("test", "BTC-USDT"),)))
        await rig.until(lambda: bool(rig.sink.of(Skipped)))
        assert rig.sink.of(Skipped) == [Skipped(7, frozenset({("test", "BTC-USDT")}), "test")]
        assert [mark.instrument.name for mark in rig.sink.of(Stale)] == ["BTC-USDT"]
        assert rig.feed.book("BTC-USDT") is None
        assert rig.feed.book("ETH-USDT") is not None
        await server.client.hear(b"test/BTC-USDT/book")
        server.say(book_ticks(3, snapshot=True))
        await rig.until(lambda: len(rig.sink.of(Live)) == 3)
        assert len(rig.feed.book("BTC-USDT").bids) == 3
        assert rig.account.connections == 1


async def test_a_book_whose_first_snapshot_was_skipped_is_asked_for_too() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(wire.Skipped(7, (("test", "BTC-USDT"), ("test", "DOGE-USDT"))))
        await server.client.hear(b"test/BTC-USDT/book")
        assert rig.sink.of(Stale) == []
        server.say(book_ticks(3, snapshot=True))
        await rig.until(lambda: len(rig.sink.of(Live)) == 1)
        assert b"DOGE" not in server.client.heard


async def test_marks_of_the_other_side_pass_in_their_place_under_the_name_of_this_feed() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(
            encoded(trades(1)),
            wire.GapMark("there", "BTC-USDT", "book", 3, 5, 9),
            wire.StaleMark("there", "BTC-USDT", "gap", 9),
            encoded(trades(1, 2)),
            book_ticks(1, snapshot=True),
            wire.LiveMark("there", "BTC-USDT", 9),
            wire.InstrumentMark("there", "ETH-USDT", TradingStatus.HALTED, 8, 9),
        )
        await rig.until(lambda: bool(rig.sink.of(InstrumentStatus)))
        kinds = [FeedStatus, Trade, Gap, Stale, Trade, BookUpdate, Live, Live, InstrumentStatus]
        assert [type(event) for event in rig.sink.told] == kinds
        assert {event.feed for event in rig.sink.told} == {"test"}


async def test_a_book_that_the_other_side_calls_stale_is_not_given_to_late_joiners() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(book_ticks(2, snapshot=True), wire.StaleMark("there", "BTC-USDT", "silence", 9))
        await rig.until(lambda: bool(rig.sink.of(Stale)))
        assert rig.feed.book("BTC-USDT") is None
        server.say(wire.LiveMark("there", "BTC-USDT", 9))
        await rig.until(lambda: len(rig.sink.of(Live)) == 2)
        assert rig.feed.book("BTC-USDT") is not None
        server.say(wire.FeedMark("there", FeedState.LOST, "cut", 9))
        await rig.until(lambda: rig.sink.states() == ["live", "lost"])
        assert rig.feed.book("BTC-USDT") is None
        server.say(wire.FeedMark("there", FeedState.LIVE, "back", 9), book_ticks(1, snapshot=True))
        await rig.until(lambda: len(rig.sink.of(Live)) == 3)
        assert rig.sink.states() == ["live", "lost", "live"]
        assert rig.feed.book("BTC-USDT") is not None


async def test_what_the_other_side_called_lost_is_not_told_as_lost_again() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(wire.FeedMark("there", FeedState.LOST, "cut", 9))
        await rig.until(lambda: rig.sink.states() == ["live", "lost"])
        server.client.cut()
        await greeted(rig)
        assert rig.sink.states() == ["live", "lost", "live"]


async def test_a_mark_of_an_instrument_that_was_never_defined_costs_the_connection() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        server.say(wire.StaleMark("there", "DOGE-USDT", "gap", 9))
        await rig.until(lambda: rig.account.broken == 1)
        assert rig.account.errors == {"UnknownInstrument": 1}


async def test_its_bytes_are_accounted_for_over_reconnects() -> None:
    async with running(make, *EVERYTHING) as rig:
        for _ in range(3):
            server = await greeted(rig)
            server.say(encoded(trades(3)))
            server.client.send(b"\x50\x00\x00")
            await rig.read(server.client)
            rig.feed._connection().abort(PeerLost("cut"))
            await rig.until(lambda: not rig.account.live)
        assert rig.account.skipped == 9
        assert rig.audits > 9
        assert len(rig.sink.of(Trade, Quote)) == 9


# --- over a WebSocket: a message is a frame --------------------------------------------------------------------------

TWO = wire.Writer()
LIES: dict[str, bytes] = {
    "nothing": b"",
    "shorter than a header": b"\x10\x00\x00\x00",
    "a length that is too long": wire.HEADER.pack(24, 4, 1, 0, 0),
    "a length that is too short": wire.HEADER.pack(16, 4, 1, 0, 0) + b"left over",
    "two frames": TWO.write(wire.Heartbeat()) + TWO.write(wire.Heartbeat()),
    "half of a second one": TWO.write(wire.Heartbeat()) + b"\x10\x00",
    "an oversize length": wire.HEADER.pack(1 << 31, 19, 1, 0, 0),
    "a foreign version": wire.HEADER.pack(16, 1, 9, 0, 0),
}


class OverWebSocket(WireFeed):
    """With a peer whose messages the rig frames as text."""

    text = True


@pytest.mark.parametrize("name", LIES)
def test_a_message_that_is_not_one_frame_is_an_error(name: str) -> None:
    with pytest.raises(WireError):
        wire.whole(LIES[name], 7)


def test_one_frame_or_one_run_of_ticks_is_a_message() -> None:
    writer = wire.Writer()
    run = writer.ticks(encoded(trades(3))) + writer.ticks(encoded(trades(3, 4)))
    for message in (run, run[: len(run) // 2], wire.Writer().write(wire.Heartbeat())):
        assert wire.whole(message, 0) is message
    with pytest.raises(WireError):
        wire.whole(run + writer.ticks(encoded(trades(2, 7))), 0)  # of another length


@pytest.mark.parametrize("name", [name for name in LIES if LIES[name].isascii()])
async def test_a_relay_whose_messages_lie_costs_its_connection(name: str) -> None:
    async with running(lambda source, url, _: OverWebSocket(source, url), *EVERYTHING, scheme="ws") as rig:
        client = await rig.accept()
        client.say(LIES[name])
        await rig.until_broken(1)
        await rig.accept()


async def test_a_bar_comes_in_its_place() -> None:
    async with running(make, *EVERYTHING) as rig:
        server = await greeted(rig)
        bar = Bar("other", BTC, 1.0, 2.0, 0.5, 1.5, 10.0, 12.0, 3, 0, 60, 99)
        server.say(encoded(trades(1)), messages.bar_said(bar), encoded(trades(1, 2)))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 2)
        told: list[type] = [type(one) for one in rig.sink.of(Trade, Bar)]
        assert told == [Trade, Bar, Trade]
        assert (rig.sink.of(Bar)[0].feed, rig.sink.of(Bar)[0].close) == ("test", 1.5)


async def test_what_the_other_side_calls_the_feed_is_asked_for() -> None:
    async with running(lambda source, url, _: WireFeed(source, url, upstream="theirs"), *EVERYTHING) as rig:
        client = await rig.accept()
        assert b"theirs/*/*" in await client.hear(b"]}")
