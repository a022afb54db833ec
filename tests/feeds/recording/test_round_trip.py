"""What a feed tells live over real sockets, its replay tells again: data, receive times, gaps, marks, errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ticktree.actors import VirtualClock, simulate
from ticktree.feeds import Feed, RecordFeed, Source, WireFeed
from ticktree.feeds.dialect import DialectFeed
from ticktree.feeds.playback import Cuts
from ticktree.feeds.recording import Entry, EntryKind, Recorder, read
from ticktree.market import BookUpdate, FeedStatus, Gap, Mark, Quote, Skipped, Stale, Trade, dialect, messages, wire
from ticktree.market.ticks import encoded

from ..exchanges import test_binance_recorded, test_coinbase_recorded, test_kraken_recorded
from ..exchanges.playing import Wanted, playing
from ..json_feed import ACK, ALL, BTC, ETH, Hand, InBandFeed, book, quote, trade
from ..rig import Rig as LiveRig, running
from ..test_wire_feed import EVERYTHING, Server, book_ticks, trades
from .replaying import BEGAN_NS, NS, Rig, recorded_in, replayed, timeless, undated, written

pytestmark = pytest.mark.usefixtures("many_systems")
COUNTERS = (
    "decoded", "skipped", "messages", "connections", "broken", "gaps", "duplicates", "crossed", "repairs",
)  # fmt: skip
TOPICS = ("test/BTC-USDT/*", "test/ETH-USDT/*")


def lines(source: Source, url: str, hand: Hand | None = None) -> Feed:
    return InBandFeed(source, url, Hand())


def talk(source: Source, url: str, hand: Hand | None = None) -> Feed:
    return DialectFeed(source, url)


def frames(source: Source, url: str, hand: Hand | None = None) -> Feed:
    return WireFeed(source, url)


def records(source: Source, url: str, hand: Hand | None = None) -> Feed:
    return RecordFeed(source, url, (BTC, ETH))


def counted(rig: LiveRig | Rig) -> dict[str, Any]:
    """What the account says, but for how it ended and what belongs to sockets."""
    account = rig.account
    found = {name: getattr(account, name) for name in COUNTERS}
    return {**found, "kinds": {kind: n for kind, n in account.kinds.items() if kind != "FeedStatus"}}


async def check_replay(
    make: Callable[[Source, str], Feed], live: LiveRig, folder: Path, *topics: str, **source: Any
) -> Rig:
    (path,) = recorded_in(folder)
    again = await replayed(make, path.as_uri(), *topics, **source)
    assert timeless(again.sink.told) == timeless(live.sink.told)
    assert counted(again) == counted(live)
    # Each mark is as of something that was recorded, and no later than it was live.
    times = {entry.time_ns for entry in read(path)}
    for mark, then in zip(again.sink.of(*Mark.__args__), live.sink.of(*Mark.__args__), strict=True):
        assert mark.received_time_ns in times
        assert mark.received_time_ns <= then.received_time_ns
    return again


async def test_lines_over_tcp_with_gaps_bad_messages_and_a_loss(tmp_path: Path) -> None:
    async with running(lines, *ALL, tap=Recorder(tmp_path)) as live:
        client = await live.accept()
        client.say(ACK, book(5, snapshot=True), trade(1), quote(1))
        await live.until(lambda: live.account.messages == 4)
        client.say(book(6), {"type": "bad"}, trade(5), book(9), trade(5))
        client.send(json.dumps(trade(6)).encode()[:10])
        await live.until(lambda: live.account.duplicates == 1)
        client.say(b"")  # the rest of that line makes no message
        client.say(book(11, snapshot=True), book(12))
        await live.until(lambda: live.account.repairs == 2)
        client.reset()
        again = await live.accept()
        again.say(book(1, snapshot=True), trade(7), quote(2, bid=102.0))
        await live.until(lambda: live.account.crossed == 1)
    replay = await check_replay(lines, live, tmp_path, *ALL)
    assert live.sink.of(Gap)
    assert live.sink.of(Stale)
    assert replay.account.errors["BadMessage"] == live.account.errors["BadMessage"] == 2
    assert [status.reason for status in replay.sink.of(FeedStatus)][1].startswith("the connection broke")


async def test_a_connection_that_the_feed_gave_up_is_given_up_again_with_the_same_words(tmp_path: Path) -> None:
    async with running(lines, *ALL, on_bad="reconnect", tap=Recorder(tmp_path)) as live:
        client = await live.accept()
        client.say(ACK, trade(1), {"type": "bad"}, trade(2))
        await live.until_broken(1)
        (await live.accept()).say(trade(3))
        await live.until(lambda: len(live.sink.of(Trade)) == 2)
    replay = await check_replay(lines, live, tmp_path, *ALL, on_bad="reconnect")
    (lost,) = [status for status in replay.sink.of(FeedStatus) if "bad" in status.reason]
    assert "at byte" in lost.reason


async def test_the_dialect_over_a_websocket(tmp_path: Path) -> None:

    def update(sequence: int, snapshot: bool = False) -> bytes:
        return dialect.encode(BookUpdate("x", BTC, ((100.0, 1.0),), (), snapshot, sequence, sequence, 1, 2))

    async with running(talk, *TOPICS, scheme="ws", tap=Recorder(tmp_path)) as live:
        client = await live.accept()
        client.say(*map(dialect.encode, (messages.Hello(feed="x"), messages.Instruments((BTC, ETH)))))
        client.say(dialect.encode(messages.Subscribed(TOPICS)), update(1, snapshot=True), update(2))
        client.say(dialect.encode(Quote("x", ETH, 1.0, 2.0, 3.0, 4.0, 5, 6, 7)), b"[]", update(5))
        await live.until(lambda: len(live.sink.of(Gap)) == 1)
        client.say(update(5, snapshot=True), update(6))
        await live.until(lambda: len(live.sink.of(BookUpdate)) == 4)
    replay = await check_replay(talk, live, tmp_path, *TOPICS)
    assert sum(replay.account.errors.values()) == 2  # a bad message, and the end


async def test_the_wire_protocol_over_tcp(tmp_path: Path) -> None:
    async with running(frames, *EVERYTHING, tap=Recorder(tmp_path)) as live:
        server = Server(await live.accept())
        server.say(wire.Hello(feed="test"), wire.Instruments((BTC, ETH)), wire.Subscribed(EVERYTHING))
        server.say(book_ticks(4, snapshot=True), encoded(trades(50)))
        await live.until(lambda: len(live.sink.of(Trade)) == 50)
        server.say(wire.Skipped(3, (("test", "BTC-USDT"),)), book_ticks(2, snapshot=True), encoded(trades(5, 60)))
        await live.until(lambda: len(live.sink.of(Trade)) == 55)
        server.client.send(b"garbage " * 4)
        await live.until_broken(1)
        again = Server(await live.accept())
        again.say(wire.Hello(feed="test"), wire.Instruments((ETH, BTC)), encoded(trades(5, 70)))
        await live.until(lambda: len(live.sink.of(Trade)) == 60)
    assert live.sink.of(Skipped)
    (path,) = recorded_in(tmp_path)
    replay = await replayed(frames, path.as_uri(), *EVERYTHING)
    assert timeless(replay.sink.told) == timeless(live.sink.told)
    assert {event.received_time_ns for event in replay.sink.of(Trade)} <= {entry.time_ns for entry in read(path)}


@pytest.mark.parametrize("cut", [64, 100, 1_000])
async def test_bare_records_over_tcp(cut: int, tmp_path: Path) -> None:
    async with running(records, *EVERYTHING, tap=Recorder(tmp_path)) as live:
        client = await live.accept()
        data = encoded(trades(40)).tobytes() + book_ticks(3, snapshot=True).tobytes()
        for begin in range(0, len(data), cut):
            client.send(data[begin : begin + cut])
            await live.read(client)
        await live.until(lambda: bool(live.sink.of(BookUpdate)))
    replay = await check_replay(records, live, tmp_path, *EVERYTHING)
    assert len(replay.sink.of(Trade)) == 40
    (path,) = recorded_in(tmp_path)
    # The feed stamps its ticks in place: what is recorded is what came.
    assert b"".join(entry.data for entry in read(path) if entry.kind is EntryKind.RECEIVED) == data


async def test_a_recorded_replay_replays_the_same(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    async with running(records, *EVERYTHING, tap=Recorder(tmp_path / "one")) as live:
        (await live.accept()).send(encoded(trades(40)).tobytes())
        await live.until(lambda: len(live.sink.of(Trade)) == 40)
    (path,) = recorded_in(tmp_path / "one")
    first = await replayed(records, path.as_uri(), *EVERYTHING, tap=Recorder(tmp_path / "two"))
    (copy,) = recorded_in(tmp_path / "two")
    assert [(e.time_ns, e.data) for e in read(copy) if e.kind is EntryKind.RECEIVED] == [
        (e.time_ns, e.data) for e in read(path) if e.kind is EntryKind.RECEIVED
    ]
    second = await replayed(records, copy.as_uri(), *EVERYTHING)
    assert second.sink.told[:-1] == first.sink.told[:-1]


def test_a_replay_in_virtual_time_is_recorded_as_well(tmp_path: Path) -> None:
    ticks = encoded(trades(3)).tobytes()
    path = written(
        tmp_path / "a",
        Entry(EntryKind.CONNECT, BEGAN_NS, 1, "tcp://a:1"),
        *(Entry(EntryKind.RECEIVED, BEGAN_NS + number * NS, 1, "", ticks) for number in range(3)),
    )

    async def main(clock: VirtualClock) -> None:
        await replayed(records, f"{path.as_uri()}?speed=1", *EVERYTHING, clock=clock, tap=Recorder(tmp_path / "copy"))

    simulate(main)
    (copy,) = recorded_in(tmp_path / "copy")
    assert list(read(copy))[:4] == list(read(path))


def unstamped(told: list[Any]) -> list[Any]:
    """Snapshots without their time as well: answers over HTTP are stamped once they are decoded, some us later."""
    return [undated(event) if isinstance(event, BookUpdate) and event.snapshot else event for event in timeless(told)]


EXCHANGES = [test_binance_recorded.WANTED, test_coinbase_recorded.WANTED, test_kraken_recorded.WANTED]


@pytest.mark.parametrize("cuts", [Cuts(), Cuts(3, seed=2, missed=20)], ids=["whole", "with cuts"])
@pytest.mark.parametrize("wanted", EXCHANGES, ids=lambda wanted: wanted.name)
async def test_exchanges_with_their_questions_over_http(wanted: Wanted, cuts: Cuts, tmp_path: Path) -> None:
    async with playing(wanted, cuts, tap=Recorder(tmp_path)) as live:
        await live.ended()
    (path,) = recorded_in(tmp_path)
    again = await replayed(
        lambda source, url: wanted.feed(source, url, "http://nowhere"), path.as_uri(), *wanted.topics
    )
    assert unstamped(again.sink.told) == unstamped(live.sink.told)
    assert again.account.checksums_verified == live.account.checksums_verified
    assert (again.account.gaps, again.account.repairs) == (live.account.gaps, live.account.repairs)
