"""`ticktree demo`, as a reader sees it."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Generator
from contextlib import contextmanager

from .program import DEADLINE_S, ROOT, Program, in_process

DEMO = "-m", "ticktree", "demo"
FIRST_LINE = "PAPER: every exchange and venue is simulated on this machine"


def street_of(program: Program) -> int:
    """The process id of the other process."""
    return int(program.until("the street: open, as process ").split()[-1])


def is_gone(pid: int) -> bool:
    """Whether that process has ended, be it that nobody has asked for its exit code yet."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return not state.strip() or state.startswith("Z")


def ends(pid: int, within_s: float = 10.0) -> bool:
    due_s = time.monotonic() + within_s
    while not is_gone(pid):
        if time.monotonic() > due_s:
            return False
        time.sleep(0.01)
    return True


def numbers(printed: str, row: str) -> list[int]:
    """Those of the summary's row of that name."""
    found = re.findall(rf"^  {row} +([\d, ]+)$", printed, re.MULTILINE)
    assert len(found) == 1, printed
    return [int(number) for number in found[0].replace(",", "").split()]


def test_demo_trades_loses_a_feed_and_a_line_mends_itself_and_ends() -> None:
    with Program(*DEMO, "--for", "3") as program:
        assert program.until("PAPER").rstrip() == FIRST_LINE
        street = street_of(program)
        program.until("first fill after ")
        program.until("now feeds/north is told a message that no feed understands")
        program.until("feeds/north: life 1 has ended (error); its supervisor begins another")
        program.until("north flows again, ")
        program.until("the street has cut south off")
        program.until("south flows again, ")
        program.until("3 s are over: stopping")
        code, printed = program.end()
    assert code == 0, printed
    assert is_gone(street)
    assert "Traceback" not in printed
    assert "wrong: " not in printed
    assert "; unaccounted for: 0\n" in printed
    assert re.search(
        r"\nfirst fill after \d+\.\d\d s\nnorth was lost, and flowed again after \d+ ms\nsouth was ", printed
    )
    assert numbers(printed, "north")[-3:] == [0, 1, 1]  # gaps, reconnects, restarts
    assert numbers(printed, "south")[-3:] == [0, 1, 0]
    for router in ("any", "timeout", "best", "all"):
        made, still_open, *ended = numbers(printed, router)
        assert (still_open, sum(ended)) == (0, made)
    for strategy in ("momentum", "market-maker", "pairs", "arbitrage", "risk-monitor"):
        assert re.search(rf"\n  {strategy} +\w+ +[\d,]+ +\d+ ", printed), printed


def test_demo_ends_on_ctrl_c_with_its_summary() -> None:
    with Program(*DEMO, "--for", "60s", "--seed", "3") as program:
        street = street_of(program)
        program.until("first fill after ")
        program.interrupt()
        program.until("SIGINT: stopping")
        program.interrupt()  # also by who is in a hurry
        code, printed = program.end()
    assert code == 0, printed
    assert is_gone(street)
    assert "; unaccounted for: 0\n" in printed
    assert "Traceback" not in printed


def test_demo_ends_on_ctrl_c_before_anything_runs() -> None:
    with Program(*DEMO) as program:
        program.until("PAPER")
        program.interrupt()
        code, printed = program.end()
    assert code == 0, printed
    assert printed.splitlines()[-1] == "stopped before it began"
    assert "Traceback" not in printed


def test_no_process_is_left_when_demo_is_killed() -> None:
    with Program(*DEMO) as program:
        street = street_of(program)
        program.kill()
        assert ends(street)


def test_demo_says_so_when_the_street_is_killed() -> None:
    with Program(*DEMO) as program:
        street = street_of(program)
        program.until("first fill after ")
        os.kill(street, signal.SIGKILL)
        program.until("the street has ended, with code -9")
        code, printed = program.end()
    assert code == 1, printed
    assert "wrong: the street ended before us" in printed
    assert "Traceback" not in printed


@contextmanager
def terminal(rows: int, columns: int) -> Generator[tuple[int, int]]:
    """(our end, the program's end)."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def shown(ours: int) -> str:
    """All that is written to it, until nobody has it open any more."""
    data = b""
    while True:
        try:
            read = os.read(ours, 65_536)
        except OSError:  # EIO: so says Linux
            read = b""
        if not read:
            return data.decode()
        data += read


def test_demo_draws_a_live_view_in_a_terminal_and_leaves_it_as_it_was() -> None:
    told = {"COLUMNS", "LINES"}  # by whoever runs the tests; the terminal knows better
    environment = {**{name: value for name, value in os.environ.items() if name not in told}, "TERM": "xterm-256color"}
    with terminal(44, 120) as (ours, theirs):
        program = subprocess.Popen(
            [sys.executable, *DEMO, "--for", "2"], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        os.close(theirs)
        printed = shown(ours)
        code = program.wait(DEADLINE_S)
    assert code == 0, printed
    before, _, after = printed.partition("\x1b[?1049h")  # the terminal's other screen
    screen, _, after = after.rpartition("\x1b[?1049l")
    assert before.strip() == FIRST_LINE
    pages = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", page) for page in screen.split("\x1b[H")]
    assert len(pages) > 4
    for words in ("s to go", "momentum", "wire to ack", "orders by router", "AllOf: alpha, beta"):
        assert any(words in page for page in pages), printed
    assert "Traceback" not in printed
    for words in ("first fill after ", "now feeds/north is told a message", "north flows again, "):
        assert words in after
    assert "; unaccounted for: 0" in after


def test_the_command_explains_itself() -> None:
    said = {words: in_process(*words)[1] for words in (("--help",), ("demo", "--help"), ("--version",))}
    assert "demo" in said["--help",]
    assert "--for TIME" in said["demo", "--help"]
    assert "Exit codes: 0" in " ".join(said["demo", "--help"].split())
    assert said["--version",].startswith("ticktree, version ")


def test_a_length_that_is_none_is_refused_with_one_that_is() -> None:
    code, printed = in_process("demo", "--for", "soon")
    assert code == 2
    assert 'a duration, as in "250ms", "1.5s", "2m" or "1h"' in " ".join(printed.split())
