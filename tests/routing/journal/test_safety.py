"""Nobody else writes to a journal: not by another path, not in another process, not after a fork."""

import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ticktree.routing.errors import JournalFailed, JournalOwned, JournalUnsafe
from ticktree.routing.journal import Journal, journal_path, safety

from .some import doubts, held, opened, story, written

ROOT = Path(__file__).parents[3]
FACTS = story(3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "main.journal"


# --- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "main", "0", "a-b_c9", "a" * 64])
def test_a_name_leads_into_its_folder(name: str, tmp_path: Path) -> None:
    assert journal_path(tmp_path, name) == tmp_path / f"{name}.journal"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/etc/x", "a/b", "A", "-a", "_a", "a.b", "a b", "a\n", "a\0", "é", "a" * 65]
)
def test_a_name_that_could_lead_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(JournalUnsafe, match="a journal is called by a-z, 0-9, _ and -") as refused:
        journal_path(tmp_path, name)
    assert isinstance(refused.value, ValueError)


# --- files -------------------------------------------------------------------------------------------------------


def test_links_folders_and_pipes_are_refused(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    written(elsewhere, FACTS)
    before = elsewhere.read_bytes()
    path.symlink_to(elsewhere)
    dangling, folder, pipe = tmp_path / "dangling", tmp_path / "folder", tmp_path / "pipe"
    dangling.symlink_to(tmp_path / "made")
    folder.mkdir()
    os.mkfifo(pipe)
    for unsafe in (path, dangling, folder, pipe):
        with pytest.raises(JournalUnsafe, match="it is a link, a folder, a pipe or a device"):
            Journal(unsafe).open(id)
    assert elsewhere.read_bytes() == before
    assert not (tmp_path / "made").exists()


def test_a_link_in_the_place_of_the_note_is_refused_and_not_followed(path: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"data")
    safety.beside(path, "owner").symlink_to(precious)
    with pytest.raises(JournalUnsafe):
        Journal(path).open(id)
    assert precious.read_bytes() == b"data"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_journal_that_others_may_write_to_is_refused(path: Path, mode: int) -> None:
    written(path, FACTS)
    path.chmod(mode)
    with pytest.raises(JournalUnsafe, match=f"others may write to it .mode {mode:o}.: chmod 600"):
        Journal(path).open(id)
    path.chmod(0o600)
    assert held(path) == FACTS


def test_a_journal_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(path, FACTS)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(JournalUnsafe, match="it belongs to user"):
        Journal(path).open(id)


def test_a_folder_where_everybody_may_put_files_is_refused(path: Path) -> None:
    path.parent.chmod(0o777)
    with pytest.raises(JournalUnsafe, match="everybody may put files here"):
        Journal(path).open(id)
    assert not path.exists()
    path.parent.chmod(0o1777)
    assert held(path) == []


def test_a_folder_that_cannot_be_made_is_an_error_of_the_journal(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JournalFailed, match="there can be no journal here: File exists"):
        Journal(tmp_path / "file" / "main.journal").open(id)


def test_no_descriptor_is_left_behind(path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("there is no /proc")
    before = sorted(os.listdir("/proc/self/fd"))
    path.write_bytes(b"something else")
    path.chmod(0o600)
    for _ in range(3):
        with pytest.raises(Exception, match="it is no journal"):
            Journal(path).open(id)
    path.chmod(0o666)
    for _ in range(3):
        with pytest.raises(JournalUnsafe):
            Journal(path).open(id)
    path.unlink()
    for _ in range(3):
        written(path, FACTS)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_the_descriptor_is_not_inherited_by_programs(path: Path) -> None:
    journal, _, _ = opened(path)
    (fd,) = [fd for fd in map(int, os.listdir("/dev/fd")) if file_of(fd) == path.stat().st_ino]
    assert not os.get_inheritable(fd)
    journal.close()


def file_of(fd: int) -> int | None:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_ino if stat.S_ISREG(status.st_mode) else None


# --- one owner ---------------------------------------------------------------------------------------------------

OWNER = """
import sys, time
from pathlib import Path
from ticktree.routing.journal import Journal

journal = Journal(Path(sys.argv[1]))
journal.open(id)
print("mine", flush=True)
sys.stdin.read()
if sys.argv[2] == "close":
    journal.close()
"""


def owner_of(path: Path, end: str = "close") -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", OWNER, str(path), end]
    owner = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "mine\n"
    return owner


def test_a_second_process_is_refused_with_the_owner_named(path: Path) -> None:
    written(path, FACTS)
    with owner_of(path) as owner:
        with pytest.raises(JournalOwned) as refused:
            Journal(path).open(id)
        host = re.escape(os.uname().nodename)
        assert re.fullmatch(
            rf"process {owner.pid} on {host} \(since 2\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\)", refused.value.owner
        )
        assert "two writers would send orders twice" in str(refused.value)
        assert safety.beside(path, "owner").stat().st_mode & 0o777 == 0o600
        owner.communicate()
    assert not safety.beside(path, "owner").exists()
    assert held(path) == FACTS


def test_the_journal_of_a_killed_owner_is_free(path: Path) -> None:
    with owner_of(path) as owner:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert str(owner.pid) in safety.beside(path, "owner").read_text()
        assert held(path) == []


def test_an_owner_that_left_no_note_is_another_process(path: Path) -> None:
    journal, _, _ = opened(path)
    safety.beside(path, "owner").unlink()
    with pytest.raises(JournalOwned, match="another process writes to it"):
        Journal(path).open(id)
    journal.close()


def test_the_same_process_is_refused_a_second_time(path: Path) -> None:
    journal, _, _ = opened(path)
    with pytest.raises(JournalOwned, match=f"process {os.getpid()} on"):
        Journal(path).open(id)
    journal.append(FACTS[0])
    journal.close()
    assert held(path) == FACTS[:1]


def test_a_journal_that_is_moved_away_while_it_is_opened_is_not_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(path, FACTS)
    flock = fcntl.flock

    def moved(fd: int, operation: int) -> None:
        path.rename(path.with_name("moved"))
        flock(fd, operation)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", moved)
        with pytest.raises(JournalFailed, match="it was moved away at this moment"):
            Journal(path).open(id)


FORKED = """
import os, sys
from pathlib import Path
from ticktree.routing.errors import JournalFailed
from ticktree.routing.journal import Durability, Journal
from tests.routing.journal.some import doubts

path = Path(sys.argv[1])
journal = Journal(path, Durability(sys.argv[2]))
journal.open(id)
facts = doubts(3)
journal.append(facts[0])
reader, writer = os.pipe()
child = os.fork()
if not child:
    try:
        journal.append(facts[1])
    except JournalFailed as error:
        print(str(error).partition(": ")[2], flush=True)
    journal.close()
    os.close(writer)
    os.read(reader, 1)  # until the parent has let go of its journal
    os._exit(0)
journal.append(facts[2])
journal.close()
Journal(path).open(id)  # the child, which lives, has no part in the lock
os.close(writer)
os.waitpid(child, 0)
"""


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_a_forked_child_does_not_write_and_keeps_no_lock(path: Path, durability: str) -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, str(path), durability]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=60)
    assert done.stdout == b"it belongs to the process that this one was forked from\n"
    first, _, third = doubts(3)
    assert held(path) == [first, third]
