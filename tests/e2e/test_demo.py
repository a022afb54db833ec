"""`ticktree demo`, as a reader sees it."""

import re
import subprocess
import sys

from .program import Program


def test_demo_trades_loses_its_feed_mends_itself_and_ends() -> None:
    with Program("-m", "ticktree", "demo", "--for", "3") as program:
        for text in (
            "started, in this order: journal, venues/paper, routers/default, portfolio, controls, hub, strategies/mom",
            "first quote: ",
            "routing   default: fill ",
            "now feeds/simulated is told a message that no feed understands",
            "feeds/simulated failed in life 1",
            "begins another",
            "data flows again, ",
            "stopping as Ctrl-C would",
            "unaccounted for: 0",
        ):
            program.until(text)
        code, printed = program.end()
    assert code == 0, printed
    assert re.search(r"\n  paper +\d+( +[\d.]+/[\d.]+/[\d.]+ (us|ms|s)){4}\n", printed), printed
    assert "restarts in the whole tree: feeds/simulated 1\n" in printed
    assert "Traceback" not in printed
    rows = [list(map(int, re.findall(r"(?<= )[\d]+(?= |$)", line.replace(",", "")))) for line in mailbox_rows(printed)]
    assert len(rows) == 10
    assert all(received == sum(rest) for received, *rest in rows)


def mailbox_rows(printed: str) -> list[str]:
    table = printed.split("ticks, by mailbox")[1].split("unaccounted", maxsplit=1)[0]
    return table.splitlines()[1:-1]


def test_demo_ends_on_ctrl_c_with_its_summary() -> None:
    with Program("-m", "ticktree", "demo", "--for", "60") as program:
        program.until("routing   default: fill ")
        program.interrupt()
        code, printed = program.end()
    assert code == 0, printed
    assert "SIGINT: stopping" in printed
    assert "unaccounted for: 0" in printed
    assert "Traceback" not in printed


def test_the_command_explains_itself() -> None:
    def said(*arguments: str) -> str:
        command = [sys.executable, "-m", "ticktree", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "demo" in said("--help")
    assert "SECONDS" in said("demo", "--help")
    assert said("--version").startswith("ticktree, version ")
