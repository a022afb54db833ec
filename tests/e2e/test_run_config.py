"""`ticktree run` as a user has it: a configuration, its report, and strategies that do what they should not."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

from ticktree.routing import Journal

from .configured import CONFIG, command, config, here, told
from .program import DEADLINE_S, ROOT


def test_a_configuration_runs_for_as_long_as_it_is_told_and_its_report_accounts_for_everything(tmp_path: Path) -> None:
    path = config(tmp_path)
    with command("run", path, "--for", "1s") as program:
        code, printed = program.end()
    assert code == 0, printed
    assert printed.startswith("PAPER: every venue is simulated in this process: paper\nstarts, in this order:\n")
    assert "unaccounted for: 0" in printed
    report = told(path)
    orders = report["routers"]["default"]
    assert report["exit_code"] == orders["open"] == report["orders"]["unknown_legs"] == 0
    assert sum(orders["ended"].values()) > 0
    assert report["venues"]["paper"]["fills"] == orders["fills"] == report["orders"]["fills"] > 0
    assert report["shutdown"]["within_budget"]
    assert report["shutdown"]["overran"] == []


def test_a_reader_that_goes_away_ends_nothing(tmp_path: Path) -> None:
    path = config(tmp_path)
    arguments = ["-m", "ticktree", "run", str(path), "--for", "500ms", "--report", str(path.with_name("report.json"))]
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline().startswith(b"PAPER: ")
        run.stdout.close()
        errors = run.stderr.read()
        assert (errors.count(b"BrokenPipe"), errors.count(b"Logging error")) == (0, 0), errors
        assert run.wait(DEADLINE_S) == 0
    assert told(path)["routers"]["default"]["open"] == 0


def test_with_json_every_line_is_an_object_and_the_first_says_what_is_at_stake(tmp_path: Path) -> None:
    code, printed = here("run", config(tmp_path), "--for", "300ms", "--log", "json")
    events = [json.loads(line) for line in printed.splitlines()]
    assert (code, events[0]["message"]) == (0, "PAPER: every venue is simulated in this process: paper")
    assert {event["room"] for event in events} >= {"run", "feeds", "routing"}


def test_a_port_in_use_is_said_in_one_line_and_what_had_started_is_stopped(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        path = config(tmp_path, f'[relay]\nlisten = "{url}"')
        code, printed = here("run", path)
    last = printed.splitlines()[-1]
    assert (code, printed.count("Traceback")) == (1, 0), printed
    assert last.startswith(f"Error: relay/server did not start: CannotListen: cannot listen at {url}: ")
    assert last.endswith("; another program has that address: end it, or choose another one (port 0 takes a free one)")
    report = told(path)
    assert report["exit_code"] == 1
    assert report["failed"].startswith("relay/server did not start")


def test_a_journal_that_another_process_has_is_said_with_its_owner(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "orders.journal")
    journal.open(lambda fact: None)
    path = config(tmp_path, base=CONFIG.replace("[system]", '[system]\njournal = "orders.journal"'))
    try:
        with command("run", path) as program:
            code, printed = program.end()
    finally:
        journal.close()
    assert (code, printed.count("Traceback")) == (1, 0), printed
    assert re.search(r"\nError: journal did not start: JournalOwned: \S+: process \d+ .* Stop that one first$", printed)
    assert told(path)["exit_code"] == 1


def test_a_second_run_of_a_configuration_is_told_that_the_first_one_has_its_socket(tmp_path: Path) -> None:
    path = config(tmp_path)
    with command("run", path) as first:
        first.until("market: live")
        code, printed = here("run", path)
        first.interrupt()
        assert first.end()[0] == 0
    assert (code, printed.count("Traceback")) == (1, 0), printed
    assert printed.splitlines()[-1].startswith("Error: operations did not start: AlreadyRunning: already running: ")


def test_a_strategy_that_does_not_start_is_named_with_its_reason(tmp_path: Path) -> None:
    path = config(tmp_path, "Cannot")
    code, printed = here("run", path, "-q")
    assert (code, printed.splitlines()[1:]) == (
        1, ["Error: strategies/cannot did not start: RuntimeError: no licence"],
    )  # fmt: skip
    assert told(path)["exit_code"] == 1


def test_a_strategy_that_always_raises_ends_the_run_by_intensity_and_is_named(tmp_path: Path) -> None:
    path = config(tmp_path, "Raises")
    code, printed = here("run", path)
    last = printed.splitlines()[-1]
    assert code == 1, printed
    assert last.startswith("Error: this run did not end cleanly: ticktree gave up: more than 3 restarts within 30 s; ")
    assert "strategies/raises" in last
    assert last.endswith(r"ValueError: no\nidea")
    assert "Traceback" not in printed
    report = told(path)
    assert (report["exit_code"], report["restarts"]["strategies"], report["restarts"]["strategies/raises"]) == (
        1, 3, 23,
    )  # fmt: skip
    boxes = report["mailboxes"]
    assert boxes["strategies/raises"]["dropped"]["crash"] == 24
    # The others went on all the while.
    assert boxes["strategies/momentum"]["delivered"] >= 24 - 4
    assert set(report["restarts"]) == {"strategies", "strategies/raises", "strategies/momentum"}


def test_a_strategy_that_blocks_the_loop_is_named_by_the_watchdog(tmp_path: Path) -> None:
    path = config(tmp_path, "Blocks")
    with command("run", path, "--for", "700ms") as program:
        code, printed = program.end()
    assert code == 0, printed
    assert re.search(r"strategies/blocks blocked the event loop for 0\.[4-9]\d+ s \(bound 0\.25 s\)", printed), printed
    assert "in [strategies/blocks]" in printed  # of the dump, which came while it was blocked
    report = told(path)
    assert report["loop"]["blocked"] >= 1
    assert report["loop"]["blocked_longest_s"] >= 0.4


def test_a_strategy_that_floods_its_router_is_held_by_the_limits_and_every_order_ends(tmp_path: Path) -> None:
    path = config(tmp_path, "Floods", "[risk]\nmax_orders_per_s = 50", base=CONFIG.replace('"2s"', '"10s"'))
    with command("run", path) as program:
        program.until("flooded")
        program.interrupt()
        code, printed = program.end()
    assert code == 0, printed
    assert " more like this: " in printed  # the log is not flooded, too
    assert printed.count(" refused: ") < 1_000
    report = told(path)
    router = report["routers"]["default"]
    assert router["open"] == report["orders"]["unknown_legs"] == 0
    assert sum(router["ended"].values()) >= 5_000
    assert sum(report["venues"]["paper"]["ended"].values()) <= 51 * (1 + report["wall_s"])
    assert report["shutdown"]["within_budget"]


def test_a_strategy_that_subscribes_to_nothing_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    path = config(tmp_path, "Deaf")
    code, printed = here("run", path)
    assert code == 2, printed
    assert re.match(rf"{re.escape(str(path))}:\d+: strategies\.deaf\.topics: ", printed)
    assert "topics" in printed
    assert "Traceback" not in printed
