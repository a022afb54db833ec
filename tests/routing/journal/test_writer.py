"""Appending, and what ends it."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from ticktree.routing.errors import JournalError, JournalFailed
from ticktree.routing.facts import AnyFact, Doubted
from ticktree.routing.journal import Journal, journal_path, read, writer
from ticktree.routing.journal.format import HEADER

from .some import doubts, held, opened, sent, story, written

ROOT = Path(__file__).parents[3]
FACTS = story(10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "main.journal"


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How long the file was each time it was synced."""
    sizes = list[int]()

    def sync(fd: int) -> None:
        sizes.append(os.fstat(fd).st_size)

    monkeypatch.setattr(writer, "sync", sync)
    return sizes


def test_a_new_journal_is_told_as_new_and_lies_in_a_folder_of_ours(tmp_path: Path) -> None:
    path = journal_path(tmp_path / "state" / "journals", "main")
    journal, facts, recovery = opened(path)
    assert (facts, recovery.is_new, recovery.records, recovery.torn_bytes) == ([], True, 0, 0)
    assert journal.size_bytes == path.stat().st_size == HEADER.size
    journal.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    _, _, recovery = opened(path)
    assert not recovery.is_new


def test_a_fact_is_in_the_file_when_append_returns(path: Path) -> None:
    journal, _, _ = opened(path)
    for number, fact in enumerate(FACTS):
        journal.append(fact)
        assert path.stat().st_size == journal.size_bytes
        assert (journal.records, list(read(path))) == (number + 1, FACTS[: number + 1])
    assert journal.committed() is None
    journal.close()


def test_numbers_go_on_over_several_lives(path: Path) -> None:
    for life in range(4):
        journal, facts, _ = opened(path)
        assert facts == FACTS[: 10 * life]
        for fact in FACTS[10 * life : 10 * life + 10]:
            journal.append(fact)
        assert journal.records == 10 * life + 10
        journal.close()


def test_before_open_and_after_close_nothing_is_appended(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(JournalFailed, match="it is not open"):
        journal.append(FACTS[0])
    journal.open(id)
    journal.append(FACTS[0])
    with pytest.raises(JournalFailed, match="it is open already"):
        journal.open(id)
    journal.close()
    journal.close()
    with pytest.raises(JournalFailed, match="it is closed"):
        journal.append(FACTS[1])
    assert journal.failed is None
    assert held(path) == FACTS[:1]


def test_a_journal_that_was_closed_can_be_opened_again(path: Path) -> None:
    journal = Journal(path)
    for number in range(3):
        facts = list[AnyFact]()
        assert journal.open(facts.append).records == len(facts) == number
        journal.append(FACTS[number])
        journal.close()


def test_a_fact_that_no_journal_can_hold_is_refused_and_harms_nothing(path: Path) -> None:
    journal, _, _ = opened(path)
    journal.append(FACTS[0])
    for fact in (Doubted(1 << 70, "", ""), Doubted(0, "\ud800", ""), Doubted(0, "", "x" * (1 << 20))):
        with pytest.raises(JournalError, match="it cannot hold Doubted") as refused:
            journal.append(fact)
        assert not isinstance(refused.value, JournalFailed)
        assert len(str(refused.value)) < 500
    journal.append(FACTS[1])
    journal.close()
    assert journal.failed is None
    assert held(path) == FACTS[:2]


def test_closing_has_the_disk_take_everything(path: Path, synced: list[int]) -> None:
    journal, _, _ = opened(path)
    journal.append(FACTS[0])
    journal.close()
    assert synced == [HEADER.size, journal.size_bytes]


def test_what_a_killed_process_left_is_on_the_disk_before_anybody_acts_upon_it(path: Path, synced: list[int]) -> None:
    written(path, FACTS)
    synced.clear()
    journal, _, _ = opened(path)
    assert synced == [path.stat().st_size]
    journal.close()


# --- failing -----------------------------------------------------------------------------------------------------


def test_after_an_error_nothing_is_appended_any_more(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = list[JournalFailed]()
    journal, _, _ = opened(path, on_failure=heard.append)
    for fact in FACTS[:3]:
        journal.append(fact)
    size = journal.size_bytes

    def fails(fd: int, data: bytes) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fails)
        with pytest.raises(JournalFailed, match="it cannot be written any more: Input/output error"):
            journal.append(FACTS[3])
    for _ in range(2):  # the disk would take it again
        with pytest.raises(JournalFailed, match=r"Input/output error\. Nothing was appended since"):
            journal.append(FACTS[3])
    assert heard == [journal.failed]
    assert (journal.records, journal.size_bytes) == (3, size)
    journal.close()
    assert held(path) == FACTS[:3]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_write_in_part_is_cut_back(path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, _, _ = opened(path)
    journal.append(FACTS[0])
    write, calls = os.write, list[int]()

    def in_part(fd: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise error
        return write(fd, data[:10])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", in_part)
        with pytest.raises(JournalFailed if isinstance(error, OSError) else KeyboardInterrupt):
            journal.append(FACTS[1])
    assert calls[1] == calls[0] - 10
    assert path.stat().st_size == journal.size_bytes
    assert journal.failed is not None
    journal.close()
    assert held(path) == FACTS[:1]


def test_a_write_that_takes_several_goes_is_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, _, _ = opened(path)
    write = os.write

    def some_bytes(fd: int, data: bytes) -> int:
        return write(fd, data[:7])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", some_bytes)
        for fact in FACTS:
            journal.append(fact)
    assert path.stat().st_size == journal.size_bytes
    journal.close()
    assert held(path) == FACTS


def test_a_tear_that_cannot_be_cut_back_is_cut_by_the_next_life(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, _, _ = opened(path)
    journal.append(FACTS[0])
    write = os.write

    def in_part(fd: int, data: bytes) -> int:
        if len(data) < 50:
            raise OSError(errno.EIO, "Input/output error")
        return write(fd, data[: len(data) - 20])

    def fails(fd: int, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", in_part)
        patch.setattr(os, "ftruncate", fails)
        with pytest.raises(JournalFailed):
            journal.append(sent(1))
    assert path.stat().st_size > journal.size_bytes
    journal.close()
    _, facts, recovery = opened(path)
    assert facts == FACTS[:1]
    assert recovery.torn_bytes > 0


def test_an_error_at_the_end_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = list[JournalFailed]()
    journal, _, _ = opened(path, on_failure=heard.append)

    def fails(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "sync", fails)
        journal.close()
    assert heard == [journal.failed]
    assert held(path) == []  # others may have it


FULL_DISK = """
import os, resource, sys
from pathlib import Path
import msgspec
from ticktree.routing.errors import JournalFailed
from tests.routing.journal.some import opened, doubts

heard = []
journal, _, _ = opened(Path(sys.argv[1]), on_failure=heard.append)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
appended, errors = 0, []
for round in range(2):
    for fact in doubts(1_000):
        try:
            journal.append(fact)
        except JournalFailed as error:
            errors.append(str(error))
            break
        appended += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))  # there is room again
told = {"appended": appended, "errors": errors, "heard": len(heard), "records": journal.records}
sys.stdout.buffer.write(msgspec.json.encode(told))
"""


@pytest.mark.parametrize("most", [1_000, 4_096, 4_097, 4_111])
def test_a_full_disk_ends_the_journal_with_a_whole_fact(path: Path, most: int) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(path), str(most)]
    told = msgspec.json.decode(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=60).stdout)
    assert 0 < told["appended"] == told["records"] < 200
    assert [error.partition(": ")[2] for error in told["errors"]] == [
        "it cannot be written any more: File too large. Nothing was appended since"
    ] * 2
    assert told["heard"] == 1
    size = path.stat().st_size
    assert most - 40 < size <= most
    journal, facts, recovery = opened(path)
    assert facts == doubts(told["appended"])
    assert recovery.torn_bytes == 0
    journal.append(FACTS[0])
    journal.close()
    assert held(path) == [*facts, FACTS[0]]
