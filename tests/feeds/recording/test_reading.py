"""Reading recordings: whole, cut at every byte, damaged, of somebody else, empty."""

import gzip
import logging
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.feeds.recording import (
    DamagedRecording,
    EmptyRecording,
    Entry,
    EntryKind,
    Hole,
    NewerRecording,
    NoRecording,
    Reading,
    RecordingError,
    read,
)
from ticktree.feeds.recording.blocks import HEADER, Title, encoded, first_line
from ticktree.feeds.recording.reading import Readings

from ...recordings import FOLDER, recording
from .replaying import BEGAN_NS, written

ENTRIES = (
    Entry(EntryKind.HTTP, BEGAN_NS, 0, "http://a/b?c=d", b"{}"),
    Entry(EntryKind.CONNECT, BEGAN_NS + 1, 1, "ws://a"),
    Entry(EntryKind.SENT, BEGAN_NS + 2, 1, "", b"hello"),
    Entry(EntryKind.RECEIVED, BEGAN_NS + 3, 1, "", b"one"),
    Entry(EntryKind.HOLE, BEGAN_NS + 4, 1, "", Hole(2, 3).encoded()),
    Entry(EntryKind.RECEIVED, BEGAN_NS + 5, 1, "", b""),
    Entry(EntryKind.CLOSED, BEGAN_NS + 6, 1, "", b"why"),
)
CAPTURE = b"".join(b'{"t":%d,"kind":"received","conn":1,"data":"%d"}\n' % (number, number) for number in range(1, 6))


def taken(path: Path) -> tuple[list[Entry], Reading | None, RecordingError | None]:
    """What can be read, and what stops it."""
    found = list[Entry]()
    reading = None
    try:
        reading = Reading(path)
        found.extend(reading.entries())
    except RecordingError as error:
        return found, reading, error
    return found, reading, None


def test_what_was_written_is_read_in_order(tmp_path: Path) -> None:
    assert tuple(read(written(tmp_path / "a", *ENTRIES))) == ENTRIES


def test_progress_tells_bytes_and_times(tmp_path: Path) -> None:
    path = written(tmp_path / "a", *ENTRIES)
    reading = Reading(path)
    before = reading.progress()
    assert (before.blocks, before.first_ns, before.bytes_total) == (0, 0, path.stat().st_size)
    entries = reading.entries()
    assert [next(entries), next(entries)] == list(ENTRIES[:2])
    middle = reading.progress()
    assert (middle.blocks, middle.first_ns, middle.time_ns) == (2, BEGAN_NS, BEGAN_NS + 1)
    assert before.bytes_done < middle.bytes_done < middle.bytes_total
    assert len(list(entries)) == 5
    assert reading.progress().bytes_done == path.stat().st_size
    assert reading.title == Title("test", "tests:Feed", BEGAN_NS)


# --- cut off -------------------------------------------------------------------------------------------------------


def test_cut_at_any_byte_a_prefix_is_read_and_the_rest_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data, path = written(tmp_path / "a", *ENTRIES).read_bytes(), tmp_path / "cut"
    title = data.index(b"\n") + 1
    sizes, found = {title}, list[Entry]()
    for end in range(len(data) + 1):
        path.write_bytes(data[:end])
        caplog.clear()
        found, reading, error = taken(path)
        assert tuple(found) == ENTRIES[: len(found)]
        if end < title:
            assert isinstance(error, EmptyRecording)
            continue
        assert error is None
        assert reading is not None
        progress = reading.progress()
        assert progress.bytes_done + progress.torn_bytes == end
        assert ("were cut off" in caplog.text) == bool(progress.torn_bytes)
        if not progress.torn_bytes:
            sizes.add(end)
    assert len(sizes) == len(ENTRIES) + 1
    assert len(found) == len(ENTRIES)


@pytest.mark.parametrize("packed", [False, True])
def test_a_capture_cut_at_any_byte_is_read_as_far_as_it_goes(packed: bool, tmp_path: Path) -> None:
    data, path = gzip.compress(CAPTURE) if packed else CAPTURE, tmp_path / "cut"
    counts = set[int]()
    for end in range(len(data) + 1):
        path.write_bytes(data[:end])
        found, reading, error = taken(path)
        assert [entry.data for entry in found] == [b"%d" % number for number in range(1, len(found) + 1)]
        counts.add(len(found))
        if found:
            assert error is None
            assert reading is not None
            whole = end == len(data) or (not packed and data[:end].endswith((b"\n", b"}")))
            assert (reading.progress().torn_bytes > 0) == (not whole)
        else:
            assert isinstance(error, EmptyRecording | NoRecording)
    assert 5 in counts
    assert packed or counts == set(range(6))


# --- damaged -------------------------------------------------------------------------------------------------------


@settings(max_examples=max(100, settings().max_examples), deadline=None)
@given(st.data())
def test_a_changed_byte_is_found_and_what_comes_before_it_is_read(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / "a", *ENTRIES)
        good = path.read_bytes()
        title = good.index(b"\n") + 1
        place = data.draw(st.integers(title, len(good) - 1))
        path.write_bytes(good[:place] + bytes([good[place] ^ data.draw(st.integers(1, 255))]) + good[place + 1 :])
        found, _, error = taken(path)
        assert isinstance(error, DamagedRecording)
        assert tuple(found) == ENTRIES[: len(found)]
        assert len(found) < len(ENTRIES)
        assert error.path == path
        assert title <= error.offset <= place
        assert str(error.offset) in str(error)


def test_a_length_that_lies_costs_no_memory(tmp_path: Path) -> None:
    data = bytearray(written(tmp_path / "a", *ENTRIES).read_bytes())
    title = data.index(b"\n") + 1
    data[title + 8 : title + 12] = b"\xff\xff\xff\x7f"
    path = tmp_path / "lies"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        assert isinstance(taken(path)[2], DamagedRecording)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_body_that_the_file_does_not_hold_is_not_made_room_for(tmp_path: Path) -> None:
    path = tmp_path / "torn"
    head, _ = encoded(EntryKind.RECEIVED, 1, 1, (1 << 30,), bytes(1), (0, 0))
    header = bytearray(head[: HEADER.size])
    header[8:12] = (1 << 30).to_bytes(4, "little")
    header[:4] = zlib.crc32(header[4:]).to_bytes(4, "little")
    path.write_bytes(first_line(Title()) + bytes(header) + b"a little")
    tracemalloc.start()
    try:
        found, reading, error = taken(path)
        assert (found, error) == ([], None)
        assert reading is not None
        assert reading.progress().torn_bytes == HEADER.size + 8
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("damage", [b"not json\n", b'{"t":1,"kind":"shouted"}\n', b"[" * 5_000 + b"\n", b"\xff\xfe\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_line_of_a_capture_is_named_with_its_place(packed: bool, damage: bytes, tmp_path: Path) -> None:
    path, data = tmp_path / "a.jsonl", CAPTURE + damage + CAPTURE
    path.write_bytes(gzip.compress(data) if packed else data)
    found, _, error = taken(path)
    assert len(found) == 5
    assert isinstance(error, DamagedRecording)
    assert error.offset == len(CAPTURE)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    data = bytearray(gzip.compress(CAPTURE * 10_000))
    data[-6] ^= 1  # of the check
    path.write_bytes(data)
    found, _, error = taken(path)
    assert len(found) > 40_000
    assert isinstance(error, DamagedRecording)


# --- of somebody else, or of nobody --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n" + bytes(100), b"ticktree journal 1\n", b"{}\n", b'{"a":1}', b"[1]\n", bytes(64)]
)
def test_another_file_is_named_as_such(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(data)
    found, _, error = taken(path)
    assert found == []
    assert isinstance(error, NoRecording)
    assert "capture" in str(error)


@pytest.mark.parametrize("data", [b"", gzip.compress(b"", mtime=0), b"ticktree rec", b'ticktree recording 1 {"feed"'])
def test_an_empty_file_is_named_as_such(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(data)
    assert isinstance(taken(path)[2], EmptyRecording)


def test_a_file_that_is_not_there_or_a_folder_is_no_recording(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        assert isinstance(taken(path)[2], NoRecording)


def test_a_later_version_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "newer"
    path.write_bytes(b"ticktree recording 7 {}\n")
    error = taken(path)[2]
    assert isinstance(error, NewerRecording)
    assert error.version == 7
    assert "use a later ticktree" in str(error)


@pytest.mark.parametrize(
    "line", [b"ticktree recording x\n", b"ticktree recording 1 [\n", b"ticktree recording 1" + b" " * 9_000]
)
def test_a_first_line_that_cannot_be_read_is_damage(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(line)
    error = taken(path)[2]
    assert isinstance(error, DamagedRecording)
    assert error.offset == 0


# --- real ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["binance", "coinbase", "kraken"])
def test_real_captures_are_read_as_they_are(name: str, caplog: pytest.LogCaptureFixture) -> None:
    lines = list(recording(name))
    with caplog.at_level(logging.WARNING):
        reading = Reading(FOLDER / f"{name}.jsonl.gz")
        found = list(reading.entries())
    assert [(entry.kind, entry.connection) for entry in found] == [(line.kind, line.conn) for line in lines]
    assert all(
        entry.data.decode() == line.data for entry, line in zip(found, lines, strict=True) if line.kind != "connect"
    )
    assert reading.progress().torn_bytes == 0
    assert caplog.text == ""


# --- several, one after the other ------------------------------------------------------------------------------------


def later(seconds: int, *, number: int = 1) -> tuple[Entry, ...]:
    """What was said on a connection of its own, so much later."""
    at_ns = BEGAN_NS + seconds * 1_000_000_000
    return (
        Entry(EntryKind.CONNECT, at_ns, number, "ws://a"),
        Entry(EntryKind.RECEIVED, at_ns + 1, number, "", b"%d" % seconds),
    )


def test_several_are_read_as_one_and_none_stands_between_two(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{at}", *later(at)) for at in (0, 5, 9)]
    readings = Readings(paths)
    blocks = list(readings.blocks())
    assert [None if block is None else (block.kind, block.time_ns - BEGAN_NS) for block in blocks] == [
        (EntryKind.CONNECT, 0), (EntryKind.RECEIVED, 1), None,
        (EntryKind.CONNECT, 5_000_000_000), (EntryKind.RECEIVED, 5_000_000_001), None,
        (EntryKind.CONNECT, 9_000_000_000), (EntryKind.RECEIVED, 9_000_000_001),
    ]  # fmt: skip


def test_progress_is_over_all_of_them_from_the_start(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{at}", *later(at)) for at in (0, 5)]
    readings, total = Readings(paths), sum(path.stat().st_size for path in paths)
    before = readings.progress()
    assert (before.bytes_total, before.blocks) == (total, 0)
    seen = [(readings.progress().bytes_done, readings.progress().bytes_total) for _ in readings.blocks()]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {whole for _, whole in seen} == {total}
    after = readings.progress()
    assert (after.bytes_done, after.blocks) == (total, 4)
    assert (after.first_ns, after.time_ns) == (BEGAN_NS, BEGAN_NS + 5_000_000_001)
    assert readings.title == Title("test", "tests:Feed", BEGAN_NS)


def test_one_that_begins_before_the_last_one_ends_is_damage_that_names_it(tmp_path: Path) -> None:
    paths = [written(tmp_path / "a", *later(0), *later(5)), written(tmp_path / "b", *later(3))]
    found = list[object]()
    with pytest.raises(DamagedRecording, match="it begins before the one that was given before it ends") as error:
        found.extend(Readings(paths).blocks())
    assert error.value.path == paths[1]


def test_one_that_was_cut_off_is_read_up_to_there_and_the_next_follows(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{at}", *later(at)) for at in (0, 5)]
    paths[0].write_bytes(paths[0].read_bytes()[:-1])
    readings = Readings(paths)
    kinds = [None if block is None else block.kind for block in readings.blocks()]
    assert kinds == [EntryKind.CONNECT, None, EntryKind.CONNECT, EntryKind.RECEIVED]
    assert readings.progress().torn_bytes > 0


def test_one_that_cannot_be_opened_in_its_turn_is_named_then(tmp_path: Path) -> None:
    paths = [written(tmp_path / "a", *later(0)), tmp_path / "b"]
    paths[1].touch()
    readings = Readings(paths)
    with pytest.raises(EmptyRecording):
        list(readings.blocks())
    assert readings.progress().blocks == 2
