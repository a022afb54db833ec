"""SIGINT and SIGTERM at any time, once and twice: the program ends, in time, and says how."""

import os
import signal
import time
from pathlib import Path

import pytest

from .configured import CONFIG, command, config, told

INT, TERM = signal.SIGINT, signal.SIGTERM
WAITS_LONG = CONFIG.replace("[system]", '[system]\njournal = "orders.journal"\nopens_within = "20s"')
FEED = '[feeds.slow]\ntype = "tests.e2e.plugs:WaitingFeed"\nurl = "tcp://127.0.0.1:1"\ninstruments = ["BTC-USDT"]'
VENUE = '[venues.slow]\ntype = "tests.e2e.plugs:WaitingGateway"\nurl = "tcp://127.0.0.1:1"\naccount = "me"'
IMPORTED = 'import time\nprint("importing", flush=True)\ntime.sleep(20.0)\n'


@pytest.mark.parametrize("number", [INT, TERM])
def test_a_signal_ends_a_run_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    path = config(tmp_path)
    with command("run", path) as program:
        program.until("momentum bought")
        program.tell(number)
        code, printed = program.end()
    assert code == 0, printed
    assert f"{number.name}: stopping" in printed
    report = told(path)
    assert (report["exit_code"], report["routers"]["default"]["open"], report["failed"]) == (0, 0, "")


@pytest.mark.parametrize(
    ("number", "what", "more", "base"),
    [
        (INT, "strategy", "WaitingStrategy", CONFIG),
        (TERM, "feed", FEED, CONFIG),
        (INT, "venue", VENUE, WAITS_LONG),
    ],
    ids=["strategy", "feed", "venue"],
)
def test_a_signal_while_somebody_starts_stops_what_had_started(
    number: signal.Signals, what: str, more: str, base: str, tmp_path: Path
) -> None:
    path = config(tmp_path, more, base=base)
    with command("run", path) as program:
        program.until(f"the {what} waits")
        began = time.monotonic()
        program.tell(number)
        code, printed = program.end()
    assert code == 0, printed
    assert time.monotonic() - began < 5.0  # the budget is 2 s
    assert "Traceback" not in printed
    report = told(path)
    assert (report["exit_code"], report["failed"], report["shutdown"]["overran"]) == (0, "", [])
    if what != "feed":  # it starts last
        assert report["feeds"]["market"]["bytes_in"] == 0


def test_a_second_signal_cuts_short_what_is_still_queued(tmp_path: Path) -> None:
    path = config(tmp_path, "Lingers", base=CONFIG.replace('"2s"', '"20s"'))
    with command("run", path) as program:
        program.until("took its time")
        program.interrupt()
        program.until("SIGINT: stopping")
        program.terminate()
        program.until("SIGTERM: cutting the drain short")
        code, printed = program.end()
    assert code == 0, printed
    report = told(path)
    assert report["shutdown"]["duration_s"] < 3.0
    assert report["mailboxes"]["strategies/lingers"]["dropped"]["stop"] == report["shutdown"]["dropped"] > 10


def test_signals_after_the_end_take_nothing_from_the_report(tmp_path: Path) -> None:
    path = config(tmp_path)
    with command("run", path) as program:
        program.until("momentum bought")
        for _ in range(20):
            program.interrupt()
            program.terminate()
        code, printed = program.end()
    assert code == 0, printed
    assert "stopped in" in printed
    assert told(path)["exit_code"] == 0


@pytest.mark.parametrize(("number", "expected"), [(INT, 1), (TERM, -TERM)])
def test_a_signal_before_anything_has_started_ends_the_process_at_once(
    number: signal.Signals, expected: int, tmp_path: Path
) -> None:
    (tmp_path / "slow_import.py").write_text(IMPORTED)
    path = config(tmp_path, '[strategies.slow]\ntype = "slow_import:Slow"')
    with command("run", path) as program:
        program.until("importing")
        program.tell(number)
        code, printed = program.end()
    assert (code, printed.count("Traceback")) == (expected, 0), printed
    assert not os.path.exists(path.with_name("report.json"))
