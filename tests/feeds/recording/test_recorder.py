"""The recorder beside a feed: what arrived is in the file, or in a hole of it; and no secret is."""

import asyncio
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.feeds import Feed, Source, WireFeed
from ticktree.feeds.dialect import DialectFeed
from ticktree.feeds.recording import Entry, EntryKind, Hole, Reading, Recorder, RecorderTaken, read
from ticktree.feeds.recording.blocks import Title
from ticktree.feeds.recording.recorder import Tape
from ticktree.market import wire

from ..json_feed import ACK, Hand, JsonFeed, trade
from ..rig import running
from ..test_wire_feed import EVERYTHING
from .replaying import BEGAN_NS, recorded_in

TITLE = Title("test", "tests:Feed", BEGAN_NS)
MESSAGES = [b"x" * 100] * 50


class Disk:
    """Writes as told: at once, only while `open` is set, and no more than `room` bytes."""

    def __init__(self, room: int = 1 << 40) -> None:
        self.room = room
        self.open = threading.Event()
        self.open.set()

    def write(self, fd: int, pieces: Sequence[bytes | bytearray | memoryview]) -> int:
        self.open.wait()
        if not self.room:
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        data = b"".join(pieces)[: self.room]
        self.room -= len(data)
        return os.write(fd, data)


async def begun(recorder: Recorder, failed: Callable[[], None] = lambda: None) -> Tape:
    tape = recorder.begin(TITLE, failed)
    assert tape is not None
    return tape


def sums(path: Path) -> tuple[Hole, Hole]:
    """What the file has, and what its holes say."""
    there = missing = Hole(0, 0)
    for entry in read(path):
        if entry.kind is EntryKind.HOLE:
            hole = Hole.parse(entry.data)
            missing = missing.plus(hole.messages, hole.size)
        else:
            there = there.plus(1, len(entry.url.encode()) + len(entry.data))
    return there, missing


def check(recorder: Recorder) -> None:
    """Recorded and in holes is what arrived, in messages and in bytes; the file says the same."""
    stats = recorder.stats()
    assert stats.path is not None
    there, missing = sums(stats.path)
    assert (there.messages, there.size) == (stats.recorded_messages, stats.recorded_bytes)
    assert (missing.messages, missing.size) == (stats.missed_messages, stats.missed_bytes)
    assert stats.recorded_messages + stats.missed_messages == stats.arrived_messages
    assert stats.recorded_bytes + stats.missed_bytes == stats.arrived_bytes
    assert stats.queued_bytes == 0


# --- the tape ------------------------------------------------------------------------------------------------------


async def test_all_that_is_told_is_in_the_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    tape = await begun(recorder)
    tape.answered("https://u:p@h/a?b=c&token=1", b"{}", 1)
    tape.connected("ws://h", 2)
    tape.sent(b"subscribe", 3)
    tape.sent(b'{"token":"open sesame"}', 4)
    tape.received([b"one", memoryview(b"two")], False, 5, 8)
    tape.closed("why", 6)
    await tape.close()
    assert list(read(tape.path)) == [
        Entry(EntryKind.HTTP, 1, 0, "https://h/a?b=c", b"{}"),
        Entry(EntryKind.CONNECT, 2, 1, "ws://h"),
        Entry(EntryKind.SENT, 3, 1, "", b"subscribe"),
        Entry(EntryKind.SENT, 4, 1, "", b""),
        Entry(EntryKind.RECEIVED, 5, 1, "", b"one"),
        Entry(EntryKind.RECEIVED, 5, 1, "", b"two"),
        Entry(EntryKind.CLOSED, 6, 1, "", b"why"),
    ]
    reading = Reading(tape.path)
    assert reading.title == TITLE
    reading.close()
    check(recorder)


async def test_what_is_written_into_a_frame_later_is_not_recorded(tmp_path: Path) -> None:
    tape, slot = await begun(Recorder(tmp_path)), bytearray(b"as it came")
    tape.received([memoryview(slot)], False, 1, 10)
    slot[:] = b"overwrites"
    await tape.close()
    assert [entry.data for entry in read(tape.path)] == [b"as it came"]


async def test_lives_that_begin_at_one_time_have_files_of_their_own_in_order(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "made" / "for it")
    paths = [tape.path for tape in [await begun(recorder) for _ in range(3)]]
    assert paths[0].name == "test-20231114T221320.000000000Z.recording"
    assert len(set(paths)) == 3
    assert recorder.stats().files == 3


async def test_a_feeds_name_leads_to_no_other_folder(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    tape = Recorder(tmp_path / "inner").begin(Title("../a:b/*", "", BEGAN_NS), lambda: None)
    assert tape is not None
    await tape.close()
    assert tape.path.name.startswith(".._a_b__-2023")
    assert [path.name for path in recorded_in(tmp_path / "inner")] == [tape.path.name]


async def test_two_feeds_cannot_share_a_recorder(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    tape = await begun(recorder)
    with pytest.raises(RecorderTaken, match="records test, and was given to other"):
        recorder.begin(Title("other"), lambda: None)
    await tape.close()


async def test_a_life_that_never_ended_is_ended_by_the_next(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    killed = await begun(recorder)
    killed.received(MESSAGES, False, 1, 5_000)
    following = await begun(recorder)
    await following.close()
    await killed.close()  # only to wait for its thread
    assert sums(killed.path)[0].messages == 50


async def test_definitions_that_were_asked_for_once_are_in_every_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    first = await begun(recorder)
    with first.defining():
        first.answered("https://h/too-early", b"refused later", 1)
    with first.defining():
        first.answered("https://h/instruments", b"[1]", 1)
    first.answered("https://h/snapshot", b"[2]", 2)
    await first.close()
    second = await begun(recorder)
    await second.close()
    assert list(read(second.path)) == [Entry(EntryKind.HTTP, BEGAN_NS, 0, "https://h/instruments", b"[1]")]


# --- a disk that is slow, or full ----------------------------------------------------------------------------------


async def test_what_a_slow_disk_leaves_no_room_for_becomes_a_hole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk()
    recorder = Recorder(tmp_path, queue_bytes=20_000, write=disk.write)
    tape = await begun(recorder)
    disk.open.clear()
    for time_ns in range(100):
        tape.received(MESSAGES, False, time_ns, 5_000)
    stats = recorder.stats()
    assert stats.arrived_messages == 5_000
    assert 0 < stats.queued_bytes <= 20_000
    assert stats.missed_messages > 4_000
    disk.open.set()
    await asyncio.to_thread(drained, recorder)
    tape.received([b"room again"], False, 200, 10)
    await tape.close()
    check(recorder)
    assert [entry.kind for entry in read(tape.path)][-2:] == [EntryKind.HOLE, EntryKind.RECEIVED]
    assert recorder.stats().holes == 1
    assert "are not recorded" in caplog.text


def drained(recorder: Recorder) -> None:
    while recorder.stats().queued_bytes:
        pass


async def test_a_hole_at_the_end_is_told_as_well(tmp_path: Path) -> None:
    disk = Disk()
    recorder = Recorder(tmp_path, queue_bytes=6_000, write=disk.write)
    tape = await begun(recorder)
    disk.open.clear()
    for time_ns in range(10):
        tape.received(MESSAGES, False, time_ns, 5_000)
    disk.open.set()
    await tape.close()
    check(recorder)
    assert [entry.kind for entry in read(tape.path)][-1] is EntryKind.HOLE


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 6_000), st.lists(st.lists(st.binary(max_size=60), min_size=1, max_size=5), max_size=40))
def test_wherever_the_disk_is_full_the_file_is_whole_and_says_how_much_is_missing(
    room: int, reads: list[list[bytes]]
) -> None:
    async def main(folder: Path) -> None:
        told = list[int]()
        disk = Disk(room)
        recorder = Recorder(folder, write=disk.write)
        tape = await begun(recorder, lambda: told.append(1))
        for time_ns, frames in enumerate(reads):
            tape.received(frames, False, time_ns, 0)
            if time_ns % 10 == 9:
                await asyncio.to_thread(drained, recorder)
        await asyncio.to_thread(drained, recorder)
        disk.room = 1 << 40  # the torn block was taken back
        await tape.close()
        await asyncio.sleep(0)
        check(recorder)
        stats = recorder.stats()
        assert len(told) == bool(stats.error) == bool(stats.missed_messages)
        reading = Reading(tape.path)
        assert len(list(reading.blocks())) == reading.progress().blocks
        assert reading.progress().torn_bytes == 0

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))


async def test_a_full_disk_is_said_once_and_the_live_path_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failed = asyncio.Event()
    recorder = Recorder(tmp_path, write=Disk(room=500).write)
    tape = await begun(recorder, failed.set)
    for time_ns in range(20):
        tape.received(MESSAGES, False, time_ns, 5_000)
    await failed.wait()
    tape.received(MESSAGES, False, 21, 5_000)
    await tape.close()
    assert caplog.text.count("No space left on device") == 1
    assert "No space left" in recorder.stats().error
    assert recorder.stats().missed_messages == recorder.stats().arrived_messages == 21 * 50


async def test_where_no_file_can_be_made_the_feed_goes_on_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    recorder, told = Recorder(tmp_path / "file" / "folder"), list[int]()
    assert recorder.begin(TITLE, lambda: told.append(1)) is None
    assert told == [1]
    assert "is not recorded" in caplog.text
    assert "Not a directory" in recorder.stats().error


async def test_with_sync_s_the_disk_is_made_to_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()

    def fsync(_: int) -> None:
        synced.set()

    monkeypatch.setattr("ticktree.feeds.recording.writer.os.fsync", fsync)
    tape = await begun(Recorder(tmp_path, sync_s=0.001))
    tape.received([b"x"], False, 1, 1)
    assert await asyncio.to_thread(synced.wait, 5)
    await tape.close()


# --- beside a feed -------------------------------------------------------------------------------------------------


def make(source: Source, url: str, hand: Hand) -> JsonFeed:
    return JsonFeed(source, url, hand)


async def test_a_life_is_recorded_with_what_is_asked_said_and_lost(tmp_path: Path) -> None:
    async with running(make, tap=Recorder(tmp_path)) as rig:
        client = await rig.accept()
        await client.hear(b"subscribe")
        client.say(ACK, trade(1))
        await rig.until(lambda: rig.account.messages == 2)
        client.cut()
        again = await rig.accept()
        again.say(trade(2))
        await rig.until(lambda: rig.account.messages == 3)
    (path,) = recorded_in(tmp_path)
    entries = list(read(path))
    assert [(str(entry.kind), entry.connection) for entry in entries if entry.kind is not EntryKind.RECEIVED] == [
        ("connect", 1), ("sent", 1), ("closed", 1), ("connect", 2), ("sent", 2),
    ]  # fmt: skip
    assert [b"trade" in entry.data for entry in entries if entry.kind is EntryKind.RECEIVED] == [False, True, True]
    assert entries[1].data.startswith(b"subscribe test/BTC-USDT/trade")
    assert entries[0].url == rig.exchange.url


async def test_each_life_has_a_file_of_its_own(tmp_path: Path) -> None:
    class Fragile(JsonFeed):
        def decode(self, frame: memoryview | bytes, received_ns: int) -> Any:
            if frame == b"fatal":
                raise RuntimeError("a fault of our own")
            return super().decode(frame, received_ns)

    async with running(Fragile, lives=2, tap=Recorder(tmp_path)) as rig:
        (await rig.accept()).say(trade(1), b"fatal")
        (await rig.accept()).say(trade(2))
        await rig.until(lambda: rig.account.messages == 2)
    first, second = recorded_in(tmp_path)
    assert [entry.data for entry in read(first)][-2:] == [b"fatal", b"a fault of our own"]
    assert b'"n": 2' in [entry.data for entry in read(second)][-1]


async def test_a_feed_goes_on_where_its_recording_fails(tmp_path: Path) -> None:
    async with running(make, tap=Recorder(tmp_path, write=Disk(room=0).write)) as rig:
        client = await rig.accept()
        client.say(trade(1))
        await rig.until(lambda: rig.account.messages == 1)
        async with asyncio.timeout(5):
            while not rig.account.unrecorded:  # noqa: ASYNC110  # the thread's word comes in some turn of the loop
                await asyncio.sleep(0)
        client.say(trade(2))
        await rig.until(lambda: rig.account.messages == 2)
    assert rig.account.unrecorded == 1


@pytest.mark.parametrize("kind", [WireFeed, DialectFeed])
async def test_a_token_never_reaches_the_file(kind: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    scheme: Any = "tcp" if kind is WireFeed else "ws"

    def made(source: Source, url: str, _: Hand) -> Feed:
        feed: Feed = kind(source, url, "open sesame")
        return feed

    async with running(made, *EVERYTHING, scheme=scheme, tap=Recorder(tmp_path)) as rig:
        client = await rig.accept()
        if kind is WireFeed:
            client.send(wire.Writer().write(wire.Hello(feed="test")))
            await rig.read(client)
    (path,) = recorded_in(tmp_path)
    assert b"open sesame" not in path.read_bytes()
    assert b"test/*/*" in path.read_bytes()
    assert "open sesame" not in caplog.text
    assert next(entry.data for entry in read(path) if entry.kind is EntryKind.SENT) == b""
