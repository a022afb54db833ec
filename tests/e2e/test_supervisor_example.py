"""`examples/supervisor.py`, as a reader runs it."""

import subprocess
import sys

from .program import ROOT, Program

EXAMPLE = "examples/supervisor.py"


def test_it_trades_and_ends_on_ctrl_c() -> None:
    with Program(EXAMPLE) as program:
        program.until("here: fill ")
        program.until("best: fill ")
        program.interrupt()
        code, printed = program.end()
    assert code == 0, printed
    assert "unaccounted for: 0" in printed
    assert "Traceback" not in printed


def test_its_tree_can_be_drawn() -> None:
    command = [sys.executable, EXAMPLE, "--tree"]
    drawn = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout
    assert "  strategies  running  life 1  restarts 0  one_for_one\n    pair  running  life 1" in drawn
    assert "restarts 0  one_for_all\n      trend  " in drawn


def test_it_is_short() -> None:
    assert len((ROOT / EXAMPLE).read_text().splitlines()) < 60
