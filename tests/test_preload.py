"""Mirrors ticktree/preload.py; that libraries are really preloaded is shown in tests/e2e/test_preload.py."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from ticktree.preload import NotPreloaded, absent, check, preload, preloaded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux preloads libraries")


def mapped() -> Path:
    """A library that every process has."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return next(Path(line.split()[-1]) for line in lines if "/libc" in line and ".so" in line)


def test_what_is_in_the_process_is_not_absent_by_whatever_name_it_goes(tmp_path: Path) -> None:
    link = tmp_path / "link.so"
    link.symlink_to(mapped())
    assert absent([mapped(), link]) == []
    check([mapped(), link])
    preload([mapped(), link])  # returns


def test_what_is_not_is_named_with_what_to_do(tmp_path: Path) -> None:
    other = tmp_path / "other.so"
    assert absent([mapped(), other]) == [other]
    with pytest.raises(
        NotPreloaded, match=rf"^{other}: not preloaded: start it by .ticktree., or with LD_PRELOAD={other}$"
    ):
        check([mapped(), other])


def test_what_was_asked_for_and_did_not_come_is_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.so"
    monkeypatch.setenv("LD_PRELOAD", f"{other}:{mapped()}")
    with pytest.raises(NotPreloaded, match="the dynamic linker left it out") as raised:
        preload([other])
    assert raised.value.paths == (other,)


@pytest.mark.parametrize("separator", [":", " "])
def test_of_what_was_asked_for_only_what_came_is_told(
    separator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libc = mapped()
    monkeypatch.setenv("LD_PRELOAD", separator.join([str(libc), str(tmp_path / "other.so"), libc.name, "none.so"]))
    assert preloaded() == [str(libc), libc.name]


def test_nothing_is_told_where_nothing_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    assert preloaded() == []


def test_a_process_that_was_denied_io_uring_cannot_have_it_nor_can_what_it_starts() -> None:
    asks = (
        "import ctypes, os\nfrom ticktree.preload import IO_URING_SETUP, deny_io_uring\ndeny_io_uring()\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def ask(): return libc.syscall(IO_URING_SETUP, 1, None), ctypes.get_errno()\n"
        "print(ask(), flush=True)\n"
        "if not os.fork(): print(ask(), flush=True); os._exit(0)\nos.wait()"
    )
    printed = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True).stdout
    assert printed == f"(-1, {errno.ENOSYS})\n" * 2
