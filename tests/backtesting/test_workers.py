"""Runs over processes: what one comes to is its own, whatever becomes of the others."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ticktree.backtesting.sweeping import Parameter, Ran, Sweep, ran
from ticktree.backtesting.workers import (
    DIED,
    NOT_RUN,
    _uninterrupted,  # pyright: ignore[reportPrivateUsage]  # what a process inherits is nowhere else to be seen
    swept,
)

from .small import config, data

END = "strategies", "mine", "params", "end"


def ends(folder: Path, *how: str) -> Sweep:
    return Sweep(config(folder, "Ends", marks=str(folder)), (str(data(folder)),), (Parameter(END, how),))


def test_a_run_that_fails_or_is_killed_says_so_and_ends_no_other(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told = list[int]()
    made = ends(tmp_path, "killed", "starts-not", "raises", "well", "good")
    killed, starts_not, raises, well, good = swept(made, 2, told.append)
    assert killed == Ran(DIED)
    assert starts_not.error.startswith("strategies/mine did not start: ")
    assert raises.error.startswith("the system ended by itself: ")
    assert raises.statistics is not None
    assert [one.error for one in (well, good)] == ["", ""]
    assert well.digest == good.digest == ran(made, made.combinations()[3]).digest
    assert told == sorted(told)
    assert told[-1] == 5
    printed = capfd.readouterr()
    assert "what a strategy prints" in printed.err
    assert printed.out == "what a strategy prints\n"  # of the run in this process


def test_a_process_is_not_told_of_an_interrupt_while_it_begins() -> None:
    told = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    command = [sys.executable, "-I", "-S", "-c", told]
    with _uninterrupted():
        within = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert within == "True\n"
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_an_interrupt_ends_what_runs_and_tells_what_there_is(tmp_path: Path) -> None:
    found = swept(ends(tmp_path, "well", "waits", "good"), 1)
    assert [one.error for one in found] == ["", NOT_RUN, NOT_RUN]
    (process,) = (int(path.name) for path in tmp_path.iterdir() if path.name.isdigit())
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
