"""A deadline that nobody puts off is dumped, safely, whatever the code at work does."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from time import monotonic

import pytest

from ticktree.actors.dumper import Dumper

DEADLINE_S = 10.0

# Frames come and go as fast as they can while they are dumped.
BUSY = """
import sys, time
from ticktree.actors.dumper import Dumper

def deep(n):
    return [deep(n - 1) for _ in range(2)] if n else len([0] * 10)

dumper = Dumper(open(sys.argv[1], "w"))
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    dumper.set(0.001)
    began = time.monotonic()
    while time.monotonic() < began + 0.004:
        deep(6)
dumper.cancel()
"""


@pytest.fixture
def dumped(tmp_path: Path) -> Iterator[tuple[Dumper, Callable[[], str]]]:
    path = tmp_path / "dump"
    with path.open("w") as file:
        dumper = Dumper(file)
        yield dumper, path.read_text
        dumper.cancel()


def _wait(condition: Callable[[], bool]) -> None:
    until = monotonic() + DEADLINE_S
    while not condition():
        assert monotonic() < until


def test_a_deadline_that_passes_is_dumped_once(dumped: tuple[Dumper, Callable[[], str]]) -> None:
    dumper, text = dumped
    dumper.set(0.01)
    _wait(lambda: "test_a_deadline_that_passes_is_dumped_once" in text())
    dumper.cancel()
    assert text().count("Timeout (0:00:00.01") == 1


def test_a_deadline_that_is_put_off_or_taken_back_is_not(dumped: tuple[Dumper, Callable[[], str]]) -> None:
    dumper, text = dumped
    for _ in range(20):
        dumper.set(30.0)
    dumper.cancel()
    dumper.cancel()
    assert text() == ""
    assert "watchdog" not in [thread.name for thread in threading.enumerate()]


def test_a_deadline_may_be_brought_forward(dumped: tuple[Dumper, Callable[[], str]]) -> None:
    dumper, text = dumped
    dumper.set(30.0)
    dumper.set(0.01)
    _wait(lambda: "Timeout" in text())


def test_its_thread_takes_no_signal(dumped: tuple[Dumper, Callable[[], str]]) -> None:
    dumper, _ = dumped
    dumper.set(30.0)
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "watchdog")
    status = Path(f"/proc/self/task/{thread.native_id}/status")
    if not status.exists():
        pytest.skip("the mask of another thread can be read on Linux only")
    blocked = re.search(r"^SigBlk:\s*([0-9a-f]+)", status.read_text(), re.MULTILINE)
    assert blocked is not None
    mask = int(blocked[1], 16)
    assert all(mask >> (number - 1) & 1 for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1))
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_without_anywhere_to_write_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", written := StringIO())
    monkeypatch.setattr(sys, "__stderr__", None)

    def never(*_: object, **__: object) -> None: ...

    monkeypatch.setattr("faulthandler.dump_traceback_later", never)
    dumper = Dumper(None)
    dumper.set(0.001)
    _wait(lambda: "Timeout" in written.getvalue())
    dumper.cancel()


def _busy(path: Path, for_s: float) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([sys.executable, "-c", BUSY, path, str(for_s)], timeout=for_s + 60, check=False)


def test_frames_that_change_all_the_time_are_dumped_without_harm(tmp_path: Path) -> None:
    assert _busy(tmp_path / "dump", 1.0).returncode == 0
    assert (tmp_path / "dump").read_text().count("Timeout") > 10


@pytest.mark.soak
def test_frames_that_change_all_the_time_are_dumped_without_harm_for_long(tmp_path: Path) -> None:
    assert _busy(tmp_path / "dump", 120.0).returncode == 0


def test_a_nudge_comes_after_a_dump_and_never_once_it_is_taken_back(dumped: tuple[Dumper, Callable[[], str]]) -> None:
    dumper, told = dumped
    heard = list[int]()
    before = signal.signal(signal.SIGUSR2, lambda number, _: heard.append(number))
    try:
        dumper.nudge_with(signal.SIGUSR2)
        dumper.set(0.01)
        _wait(lambda: bool(heard))
        dumper.nudge_with(None)
        dumper.set(0.01)
        _wait(lambda: told().count("Timeout") == 2)
        dumper.cancel()  # and its thread has ended
        assert heard == [signal.SIGUSR2]
    finally:
        signal.signal(signal.SIGUSR2, before)
