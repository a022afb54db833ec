"""What is found in a journal that was cut off, damaged, exchanged, or is being written to."""

import logging
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.routing.errors import JournalCorrupt, JournalFailed, JournalForeign, JournalUnsafe
from ticktree.routing.facts import AnyFact, Doubted
from ticktree.routing.journal import Journal, Recovery, format, reading
from ticktree.routing.journal.format import CHECK, FRAME, HEADER, Framing, Head, header_of
from ticktree.routing.journal.reading import read

from .some import doubts, held, opened, story, values, written

FACTS = [*story(3), *doubts(28)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "main.journal"


@pytest.fixture(autouse=True)
def _no_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of journals are opened, and no power is lost."""

    def nothing(fd: int) -> None: ...

    for name in ("fdatasync", "fsync"):
        monkeypatch.setattr(os, name, nothing, raising=False)


def ends(data: bytes) -> list[int]:
    """Where the header ends, and each frame."""
    found = [HEADER.size]
    while found[-1] < len(data):
        found.append(found[-1] + FRAME.size + Head.parse(data[found[-1] :]).length)
    return found


def reads(path: Path) -> list[AnyFact]:
    return list(read(path))


@settings(max_examples=100)
@given(facts=st.lists(values(AnyFact), max_size=20))
def test_what_is_appended_is_found_again(facts: list[AnyFact], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("journal") / "main.journal"
    written(path, facts)
    assert held(path) == facts
    assert reads(path) == facts


def test_a_journal_cut_at_any_byte_holds_the_whole_facts_before_and_goes_on(path: Path) -> None:
    data = written(path, FACTS)
    whole = ends(data)
    assert len(whole) == len(FACTS) + 1 == 42
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        count = max(sum(end <= size for end in whole) - 1, 0)
        assert reads(path) == FACTS[:count]
        assert path.stat().st_size == size  # reading cuts nothing
        journal, facts, recovery = opened(path)
        assert facts == FACTS[:count]
        torn = size - max((end for end in whole if end <= size), default=0)
        kept = path.with_name(f"main.journal.torn-{size - torn}") if torn else None
        assert recovery == Recovery(count, torn, size < HEADER.size, kept)
        if kept is not None:
            assert kept.read_bytes() == data[size - torn : size]
            assert kept.stat().st_mode & 0o777 == 0o600
            kept.unlink()
        journal.append(FACTS[-1])
        journal.close()
        assert reads(path) == [*FACTS[:count], FACTS[-1]]


def test_no_byte_can_change_unseen(path: Path) -> None:
    data = written(path, FACTS)
    last = ends(data)[-2]
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        if at >= last:  # as if its write had been cut off
            assert reads(path) == FACTS[:-1]
            continue
        with pytest.raises(JournalForeign if at < 16 else JournalCorrupt):
            reads(path)
        if at % 9:
            continue
        facts = list[AnyFact]()
        with pytest.raises(JournalForeign if at < 16 else JournalCorrupt):
            Journal(path).open(facts.append)
        assert facts == FACTS[: len(facts)]
        assert path.read_bytes() == changed  # nothing was touched
    assert sorted(os.listdir(path.parent)) == ["main.journal"]


@pytest.mark.parametrize("lie", [0, 1, 12, 14, 1 << 20, (1 << 20) + 1, (1 << 31), (1 << 32) - 1])
def test_a_lying_length_is_not_believed(path: Path, lie: int) -> None:
    data = bytearray(written(path, doubts(9)))
    fifth, last = ends(bytes(data))[4], ends(bytes(data))[-2]
    for begin in (fifth, last):
        changed = bytearray(data)
        changed[begin + 8 : begin + 12] = lie.to_bytes(4, "little")
        path.write_bytes(changed)
        if begin == last:
            assert reads(path) == doubts(8)
            continue
        with pytest.raises(JournalCorrupt, match="fact 5 is not what was written, and fact 6 follows") as refused:
            reads(path)
        assert refused.value.offset == fifth


def test_a_missing_fact_and_one_that_comes_twice_are_damage(path: Path) -> None:
    data = written(path, doubts(9))
    end = ends(data)
    for changed in (data[: end[3]] + data[end[4] :], data[: end[4]] + data[end[3] :]):
        path.write_bytes(changed)
        with pytest.raises(JournalCorrupt, match="Restore a copy, or move the file away"):
            Journal(path).open(id)
        assert path.read_bytes() == changed


def test_frames_of_another_journal_are_torn_off_not_taken(path: Path) -> None:
    other = written(path.with_name("other.journal"), doubts(9))
    data = written(path, doubts(4))
    path.write_bytes(data + other[ends(other)[4] :])
    assert held(path) == doubts(4)
    assert path.read_bytes() == data


def test_what_a_fact_quotes_is_not_taken_for_a_frame(path: Path) -> None:
    quoted = Framing(7).frame(Doubted(5, "a", "b"), 7).decode("latin-1")
    data = written(path, [Doubted(1, "", quoted * 3)])
    path.write_bytes(data[:-1])
    assert held(path) == []


@pytest.mark.parametrize("zeros", [1, 19, 20, 4_096, 3 << 20])
def test_zeros_behind_are_torn_off(path: Path, zeros: int) -> None:
    data = written(path, FACTS)
    path.write_bytes(data[:-5] + bytes(zeros))
    assert reads(path) == FACTS[:-1]
    journal, facts, recovery = opened(path)
    journal.close()
    assert facts == FACTS[:-1]
    assert recovery.torn_bytes == len(data) - 5 + zeros - ends(data)[-2]
    path.write_bytes(bytes(zeros))
    journal, facts, recovery = opened(path)
    journal.close()
    assert (facts, recovery.is_new, recovery.torn_bytes) == ([], True, zeros)


def test_damage_is_told_from_a_tear_megabytes_before_the_next_fact(path: Path) -> None:
    long: list[AnyFact] = [Doubted(0, "", "x" * 1_000_000)] * 8
    data = bytearray(written(path, long))
    for end in ends(bytes(data))[1:-2]:
        data[end + FRAME.size + 99] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalCorrupt, match="fact 2 is not what was written, and fact 8 follows at byte 7,000,"):
        reads(path)


def test_a_tear_is_logged_with_where_it_is_kept(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(written(path, FACTS)[:-3])
    with caplog.at_level(logging.WARNING):
        held(path)
    (line,) = caplog.messages
    assert "were cut off in a write, and lie in " in line
    assert line.endswith(f"{ends(written(path, []))[-1]} now")


def test_a_cut_is_told_until_something_is_appended(path: Path) -> None:
    path.write_bytes(written(path, doubts(2)) + b"torn")
    recoveries = list[Recovery]()
    for _ in range(2):  # the first life ends before it can act upon the cut
        journal, _, recovery = opened(path)
        recoveries.append(recovery)
        journal.close()
    assert recoveries[0] == recoveries[1]
    assert recoveries[0].torn_bytes == 4
    journal, _, _ = opened(path)
    journal.append(FACTS[0])
    journal.close()
    journal, _, recovery = opened(path)
    journal.close()
    assert recovery == Recovery(3, 0, is_new=False)


def test_two_tears_in_one_place_are_both_kept(path: Path) -> None:
    data = written(path, doubts(2))
    for tail in (b"one", b"two", b"three"):
        path.write_bytes(data + tail)
        assert held(path) == doubts(2)
    kept = sorted(path.parent.glob("*.torn-*"))
    assert [name.read_bytes() for name in kept] == [b"one", b"two", b"three"]


# --- what is no journal of ours ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"x", b"ticktree recording 1 {}\n", b"ticktree journaL" + bytes(90), bytes(90) + b"x"],
    ids=["short", "recording", "nearly", "zeros"],
)
def test_another_file_is_left_alone(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(JournalForeign, match="it is no journal"):
        Journal(path).open(id)
    with pytest.raises(JournalForeign, match="it is no journal"):
        reads(path)
    assert path.read_bytes() == data


def test_a_newer_version_is_refused_with_both_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "VERSION", 2)
    data = header_of(7) + b"whatever that version has"
    monkeypatch.undo()
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(JournalForeign, match="of version 2, and 1 is the latest known here: use a later ticktree"):
        Journal(path).open(id)
    assert path.read_bytes() == data


@pytest.mark.parametrize(
    "body", [b"\x92\xa6begun?\x01", b"\xc1", b"\x92\xa5began\x01", b"", b"\x91" * 5_000, b"\xa1\xff"]
)
def test_a_fact_of_no_known_kind_is_refused_not_skipped(path: Path, body: bytes) -> None:
    data = written(path, doubts(3))
    mark = format.mark_of(data[: HEADER.size])
    rest = FRAME.pack(0, mark, len(body), 4)[CHECK.size :] + body
    path.write_bytes(data + CHECK.pack(zlib.crc32(rest, format.CHECK_FROM_0)) + rest)
    facts = list[AnyFact]()
    with pytest.raises(JournalForeign, match=f"fact 4 at byte {len(data)} is whole and of no kind known here"):
        Journal(path).open(facts.append)
    assert facts == doubts(3)


def test_a_journal_that_is_not_there_or_no_file_cannot_be_read(path: Path) -> None:
    with pytest.raises(JournalFailed, match="No such file"):
        reads(path)
    with pytest.raises(JournalUnsafe):
        reads(path.parent)


# --- while it is written to --------------------------------------------------------------------------------------


def test_a_journal_can_be_read_while_it_is_written_to(path: Path) -> None:
    journal, _, _ = opened(path)
    for number, fact in enumerate(FACTS):
        journal.append(fact)
        assert reads(path) == FACTS[: number + 1]
    with path.open("ab") as file:
        file.write(b"a frame, half written")
    assert reads(path) == FACTS
    journal.close()


def test_facts_that_are_appended_while_one_reads_wait_for_the_next_reading(path: Path) -> None:
    journal, _, _ = opened(path)
    journal.append(FACTS[0])
    reader = read(path)
    assert next(reader) == FACTS[0]
    journal.append(FACTS[1])
    assert list(reader) == []
    assert reads(path) == FACTS[:2]
    journal.close()


def test_a_journal_that_ends_while_one_reads_ends_the_reading(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK_BYTES", 200)
    data = written(path, FACTS)
    reader = read(path)
    next(reader)
    os.truncate(path, ends(data)[20] + 7)
    assert list(reader) == FACTS[1:20]


def test_what_is_applied_may_fail_and_nothing_is_cut(path: Path) -> None:
    path.write_bytes(data := written(path, FACTS) + b"torn")

    def apply(fact: AnyFact) -> None:
        raise KeyError(fact)

    with pytest.raises(KeyError):
        Journal(path).open(apply)
    assert path.read_bytes() == data
    assert held(path) == FACTS  # and it is not locked any more
