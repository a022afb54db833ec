"""A recording as a feed: in its own time, at any speed, with all that it may hold."""

import asyncio
import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ticktree.actors import StartFailed, VirtualClock, simulate
from ticktree.feeds import BadMessage, FeedError, Source
from ticktree.feeds.recording import BadReplay, EmptyRecording, Entry, EntryKind, Hole, NoRecording, RecordingError
from ticktree.feeds.recording.player import Located, located
from ticktree.feeds.rest import RestLimits
from ticktree.market import BookUpdate, FeedStatus, Gap, Instrument, Live, Stale, Trade
from ticktree.net import Connection

from ..json_feed import ACK, ALL, BTC, ETH, EVERY_RULE, Hand, JsonFeed, RuledFeed, book, trade
from .replaying import BEGAN_NS, NS, Rig, replayed, replaying, written

URL = "ws://exchange"


def make(source: Source, url: str) -> RuledFeed:
    return RuledFeed(source, url, Hand())


def connect(time_s: float, number: int = 1) -> Entry:
    return Entry(EntryKind.CONNECT, at(time_s), number, URL)


def said(time_s: float, *messages: dict[str, Any], number: int = 1) -> Iterable[Entry]:
    return [Entry(EntryKind.RECEIVED, at(time_s), number, "", json.dumps(each).encode()) for each in messages]


def closed(time_s: float, why: str = "it was closed", number: int = 1) -> Entry:
    return Entry(EntryKind.CLOSED, at(time_s), number, "", why.encode())


def at(time_s: float) -> int:
    return BEGAN_NS + round(time_s * NS)


def recording(folder: Path, *entries: Entry | Iterable[Entry]) -> str:
    flat = [one for each in entries for one in ([each] if isinstance(each, Entry) else each)]
    return written(folder / "a recording", *flat).as_uri()


def shortened(url: str, end: bytes) -> str:
    """The recording without its last byte, and with `end` in its place."""
    (path,) = located(url).paths
    path.write_bytes(path.read_bytes()[:-1] + end)
    return url


def numbers(rig: Rig) -> list[int]:
    return [event.sequence for event in rig.sink.of(Trade)]


# --- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "path", "speed"),
    [
        ("file:///a/b", "/a/b", None),
        ("file:///a/b?speed=max", "/a/b", None),
        ("file:///a%20b%3Fc?speed=10", "/a b?c", 10.0),
        ("file://localhost/a?speed=0.5", "/a", 0.5),
    ],
)
def test_an_address_names_the_file_and_the_speed(url: str, path: str, speed: float | None) -> None:
    assert located(url) == Located((Path(path),), speed)


def test_an_address_names_further_files_and_when_it_begins() -> None:
    assert located("file:///a?then=%2Fb%20c&then=%2Fd&begins=17") == Located(
        (Path("/a"), Path("/b c"), Path("/d")), None, 17
    )


@pytest.mark.parametrize(
    "url",
    [
        "file:a",
        "file://host/a",
        "file:///a?speed=0",
        "file:///a?speed=nan",
        "file:///a?sped=1",
        "file:///a#b",
        "file:///a?then=b",
        "file:///a?begins=-1",
    ],
)
def test_an_address_that_says_something_else_is_refused(url: str) -> None:
    with pytest.raises(BadReplay, match="file:///path"):
        located(url)


# --- one connection ------------------------------------------------------------------------------------------------


async def test_what_was_recorded_is_told_as_of_then_and_at_the_end_the_feed_is_lost(tmp_path: Path) -> None:
    url = recording(tmp_path, connect(0), said(1, ACK, trade(1)), said(2, trade(2)))
    rig = await replayed(make, url, *ALL)
    assert rig.sink.states() == ["live", "lost"]
    assert [(event.sequence, event.received_time_ns) for event in rig.sink.of(Trade)] == [(1, at(1)), (2, at(2))]
    live, lost = rig.sink.of(FeedStatus)
    assert (live.received_time_ns, lost.received_time_ns) == (at(1), at(2))
    assert lost.reason == "the recording has ended"
    assert rig.replay.ended
    assert rig.replay.error is None
    assert rig.replay.progress().bytes_done == rig.replay.progress().bytes_total


async def test_after_the_end_the_feed_stays_quiet(tmp_path: Path) -> None:
    async with replaying(make, recording(tmp_path, connect(0), said(1, trade(1))), *ALL) as rig:
        await rig.replay.over()
        told = len(rig.sink.told)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(rig.sink.told) == told
        assert len(rig.feeds) == 1
        assert rig.account.connections == 1


async def test_a_life_that_was_killed_plays_no_more_and_the_next_begins_anew(tmp_path: Path) -> None:
    url = recording(tmp_path, connect(0), *(said(number, trade(number)) for number in range(1, 400)))
    async with replaying(make, url, *ALL, lives=2) as rig:
        await rig.sink.until(lambda: len(rig.sink.of(Trade)) >= 10)
        first = rig.replay
        heard = len(rig.sink.of(Trade))
        rig.system.cells()[0].kill()
        await first.over()
        assert not first.ended
        await rig.sink.until(lambda: len(rig.sink.of(Trade)) == heard + 399)
        await rig.replay.over()
    assert numbers(rig) == [*range(1, heard + 1), *range(1, 400)]


async def test_whoever_waits_for_the_end_hears_of_a_stop(tmp_path: Path) -> None:
    url = recording(tmp_path, connect(0), said(1_000_000, trade(1)))
    async with replaying(make, f"{url}?speed=1", *ALL) as rig:
        replay = rig.replay
    await replay.over()
    assert not replay.ended


async def test_a_bad_message_is_a_bad_message_again(tmp_path: Path) -> None:
    url = recording(tmp_path, connect(0), said(1, trade(1), {"type": "nonsense"}, trade(2)))
    rig = await replayed(make, url, *ALL)
    assert numbers(rig) == [1, 2]
    assert rig.account.errors["BadMessage"] == 1


async def test_gaps_are_found_as_they_were(tmp_path: Path) -> None:
    rig = await replayed(make, recording(tmp_path, connect(0), said(1, trade(1), trade(5))), *ALL)
    (gap,) = rig.sink.of(Gap)
    assert (gap.expected, gap.found, gap.received_time_ns) == (2, 5, at(1))


# --- several -------------------------------------------------------------------------------------------------------


async def test_connections_one_after_the_other_are_lost_and_opened_again(tmp_path: Path) -> None:
    url = recording(
        tmp_path,
        connect(0),
        said(1, trade(1)),
        closed(2, "the first one broke"),
        connect(3, 2),
        said(4, trade(9), number=2),
    )
    rig = await replayed(make, url, *ALL)
    assert rig.sink.states() == ["live", "lost", "live", "lost"]
    assert rig.sink.of(FeedStatus)[1].reason == "the first one broke"
    assert rig.account.connections == 2
    assert rig.account.gaps == 0  # a new connection is a new beginning


async def test_connections_at_the_same_time_are_played_as_one(tmp_path: Path) -> None:
    url = recording(
        tmp_path,
        connect(0, 1), connect(0.1, 2),
        said(1, trade(1), number=1), said(2, trade(1, "ETH-USDT"), number=2), said(3, trade(2), number=1),
        closed(4, number=1), said(5, trade(2, "ETH-USDT"), number=2), closed(6, "the last", number=2),
    )  # fmt: skip
    rig = await replayed(make, url, *ALL)
    assert rig.account.connections == 1
    assert [event.instrument.name[:3] for event in rig.sink.of(Trade)] == ["BTC", "ETH", "BTC", "ETH"]
    assert [status.reason for status in rig.sink.of(FeedStatus)][1:] == ["the last"]


async def test_a_connection_that_the_feed_gives_up_is_not_heard_again_before_the_next(tmp_path: Path) -> None:
    url = recording(
        tmp_path,
        connect(0),
        said(1, trade(1), {"type": "bad"}, trade(2), trade(3)),
        connect(2, 2),
        said(3, trade(9), number=2),
    )
    rig = await replayed(make, url, *ALL, on_bad="reconnect")
    assert numbers(rig) == [1, 9]
    assert rig.replay.skipped == 2
    assert rig.sink.states() == ["live", "lost", "live", "lost"]


async def test_a_hole_is_a_loss_and_what_follows_is_a_new_beginning(tmp_path: Path) -> None:
    snapshot = book(1, bids=[(1, 1)], snapshot=True)
    hole = Entry(EntryKind.HOLE, at(2), 1, "", Hole(3, 99).encoded())
    url = recording(tmp_path, connect(0), said(1, snapshot), hole, said(3, trade(7)))
    rig = await replayed(make, url, *ALL)
    assert "lacks 3 messages" in rig.sink.of(FeedStatus)[1].reason
    assert rig.replay.missing == Hole(3, 99)
    assert numbers(rig) == [7]
    assert list(rig.feeds[0].books()) == []


async def test_a_recording_that_begins_in_the_middle_is_played(tmp_path: Path) -> None:
    assert numbers(await replayed(make, recording(tmp_path, said(1, trade(1))), *ALL)) == [1]


# --- files that are not as they should be --------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "error"), [(b"", EmptyRecording), (b"what", NoRecording), (None, NoRecording)])
async def test_what_is_no_recording_fails_the_start(data: bytes | None, error: type[Exception], tmp_path: Path) -> None:
    path = tmp_path / "a"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(StartFailed) as failed:
        async with replaying(make, path.as_uri(), *ALL):
            pass
    assert error.__name__ in str(failed.value) or str(path) in str(failed.value)


async def test_a_damaged_recording_is_played_up_to_there_and_says_so(tmp_path: Path) -> None:
    url = shortened(recording(tmp_path, connect(0), said(1, trade(1)), said(2, trade(2))), b"?")
    rig = await replayed(make, url, *ALL)
    assert numbers(rig) == [1]
    assert isinstance(rig.replay.error, RecordingError)
    assert "wrong check" in rig.sink.of(FeedStatus)[-1].reason
    assert len(rig.feeds) == 1


async def test_a_torn_recording_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    url = shortened(recording(tmp_path, connect(0), said(1, trade(1)), said(2, trade(2))), b"")
    rig = await replayed(make, url, *ALL)
    assert numbers(rig) == [1]
    assert rig.replay.progress().torn_bytes > 0


# --- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("speed", "takes_s"), [("1", 100), ("10", 10)])
def test_the_pace_is_the_recordings(speed: str, takes_s: int, tmp_path: Path) -> None:
    url = recording(tmp_path, connect(0), said(50, trade(1)), said(100, trade(2)))

    async def main(clock: VirtualClock) -> tuple[float, list[int]]:
        rig = await replayed(make, f"{url}?speed={speed}", *ALL, clock=clock)
        return clock.now_ns() / NS, [event.received_time_ns for event in rig.sink.of(Trade)]

    passed_s, times = simulate(main)
    assert passed_s == pytest.approx(takes_s, abs=0.01)
    assert times == [at(50), at(100)]


def test_others_have_their_turn_while_it_is_played_as_fast_as_it_can(tmp_path: Path) -> None:
    url = recording(tmp_path, connect(0), *(said(number, trade(number)) for number in range(1, 2_000)))

    async def main(clock: VirtualClock) -> int:
        async with replaying(make, url, *ALL, clock=clock) as rig:
            turns = 0
            while not rig.replay.ended:
                await asyncio.sleep(0)
                turns += 1
            return turns

    assert simulate(main) >= 2_000 // 256


async def test_a_paused_feed_is_played_no_further(tmp_path: Path) -> None:
    url = recording(tmp_path, connect(0), *(said(number, trade(number)) for number in range(1, 100)))

    class Pausing(RuledFeed):
        def decode(self, frame: memoryview | bytes, received_ns: int) -> Any:
            if frame == json.dumps(trade(5)).encode():
                self.pause("the test")
            return super().decode(frame, received_ns)

    async with replaying(lambda source, url: Pausing(source, url, Hand()), url, *ALL) as rig:
        await rig.sink.until(lambda: len(rig.sink.of(Trade)) == 5)
        for _ in range(100):
            await asyncio.sleep(0)
        assert numbers(rig) == [1, 2, 3, 4, 5]
        rig.feeds[0].resume("the test")
        await rig.replay.over()
    assert numbers(rig) == list(range(1, 100))


async def test_an_instrument_is_stale_when_it_was_silent_in_the_recording(tmp_path: Path) -> None:
    url = recording(
        tmp_path,
        connect(0),
        said(1, trade(1), trade(1, "ETH-USDT")),
        said(20, trade(2)),
        said(21, trade(2, "ETH-USDT")),
    )
    rig = await replayed(make, url, "test/BTC-USDT/trade", "test/ETH-USDT/trade", stale_after_s=8.0)
    stale, live = rig.sink.of(Stale), rig.sink.of(Live)
    assert {mark.instrument.name for mark in stale} == {"BTC-USDT", "ETH-USDT"}
    assert all(at(9) < mark.received_time_ns <= at(10.1) for mark in stale)
    assert [(mark.instrument.name, mark.received_time_ns) for mark in live] == [
        ("BTC-USDT", at(20)),
        ("ETH-USDT", at(21)),
    ]


def test_two_replays_tell_the_same_at_any_speed(tmp_path: Path) -> None:
    url = recording(
        tmp_path,
        Entry(EntryKind.HTTP, at(0), 0, "http://h/instruments", b"[]"),
        connect(0), said(1, book(5)), said(2, book(6)),
        Entry(EntryKind.HTTP, at(3), 0, "http://h/BTC-USDT", b"5"),
        said(4, book(7)), said(5, book(9)), said(6, book(10)),
        Entry(EntryKind.HTTP, at(7), 0, "http://h/BTC-USDT", b"10"),
        said(8, book(11)),
    )  # fmt: skip

    async def main(clock: VirtualClock, speed: str) -> list[Any]:
        return (await replayed(AskingFeed, f"{url}?speed={speed}", "test/BTC-USDT/book", clock=clock)).sink.told

    told = [simulate(partial(main, speed=speed)) for speed in ("max", "max", "1", "10", "1000")]
    assert told[1:] == told[:-1]
    lives = [mark.received_time_ns for mark in told[0] if isinstance(mark, Live)]
    assert lives == [at(3), at(7)]  # as of when the snapshots came
    assert [event.sequence for event in told[0] if isinstance(event, BookUpdate)] == [5, 6, 7, 10, 11]


async def test_on_a_live_loop_it_tells_the_same_again(tmp_path: Path) -> None:
    url = recording(
        tmp_path,
        connect(0), said(1, book(5)), said(2, book(6)),
        Entry(EntryKind.HTTP, at(3), 0, "http://h/BTC-USDT", b"5"), said(4, book(7)),
    )  # fmt: skip
    told = [(await replayed(AskingFeed, url, "test/BTC-USDT/book")).sink.told for _ in range(2)]
    assert told[0] == told[1]
    assert [event.sequence for event in told[0] if isinstance(event, BookUpdate)] == [5, 6, 7]


class AskingFeed(JsonFeed):
    """Asks for snapshots over HTTP: the answer is the last number in it."""

    rules = EVERY_RULE

    def __init__(self, source: Source, url: str) -> None:
        super().__init__(source, url, Hand())

    async def definitions(self) -> Iterable[Instrument]:
        return (BTC, ETH)

    async def snapshot(self, instrument: Instrument) -> BookUpdate:
        rest = self.rest("https://elsewhere", RestLimits(weight_a_minute=60))
        last = await rest.get(f"/{instrument.name}", {}, 1, int)
        return BookUpdate(self.name, instrument, ((100.0, 1.0),), (), True, last, last, 0, self.clock.now_ns())


async def test_a_question_that_the_recording_has_no_answer_to_is_counted_and_the_replay_ends(tmp_path: Path) -> None:
    rig = await replayed(AskingFeed, recording(tmp_path, connect(0), said(1, book(5))), "test/BTC-USDT/book")
    assert rig.account.errors["NotRecorded"] >= 1
    assert rig.sink.of(BookUpdate) == []


async def test_definitions_that_are_not_recorded_end_the_life_by_name(tmp_path: Path) -> None:
    class Undefined(AskingFeed):
        async def definitions(self) -> Iterable[Instrument]:
            rest = self.rest("https://elsewhere", RestLimits(weight_a_minute=60))
            return await rest.get("/instruments", {}, 1, list[Instrument])

    async with replaying(Undefined, recording(tmp_path, connect(0)), *ALL) as rig:
        async with asyncio.timeout(5):
            while not (history := rig.system.snapshot().actors()[0].history):  # noqa: ASYNC110  # a life that ends tells nobody
                await asyncio.sleep(0)
        assert "https://elsewhere/instruments" in history[0]


async def test_who_logs_in_does_so_again_and_nobody_hears_it(tmp_path: Path) -> None:
    class LoggedIn(RuledFeed):
        async def login(self, connection: Connection) -> None:
            connection.write(b"who we are")
            self.welcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            await self.welcome

        def decode(self, frame: memoryview | bytes, received_ns: int) -> Any:
            if frame == b"welcome":
                self.welcome.set_result(None)
                return ()
            if not self.welcome.done():
                raise BadMessage(self.name, "we are not let in yet", frame)
            return super().decode(frame, received_ns)

    url = recording(tmp_path, connect(0), Entry(EntryKind.RECEIVED, at(1), 1, "", b"welcome"), said(2, trade(1)))
    rig = await replayed(lambda source, url: LoggedIn(source, url, Hand()), url, *ALL)
    assert numbers(rig) == [1]
    assert set(rig.account.errors) == {"RecordingEnded"}


def test_errors_of_replays_are_a_feeds_errors() -> None:
    assert issubclass(BadReplay, FeedError)
    assert issubclass(BadReplay, ValueError)
