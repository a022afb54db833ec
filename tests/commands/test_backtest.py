"""`ticktree backtest`: what it prints and writes, what it refuses, and how it ends."""

import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result

from ticktree.cli import main
from ticktree.commands import watching
from ticktree.commands.watching import meter

from ..backtesting.small import BEGAN_NS, config, data


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current one, with a configuration and data."""
    monkeypatch.chdir(tmp_path)
    config(tmp_path)
    data(tmp_path)
    return tmp_path


def backtest(*options: str) -> Result:
    return CliRunner().invoke(main, ["backtest", "app.toml", "market.ticks", *options])


def sha(text: str) -> str:
    found = re.search(r"[0-9a-f]{64}", text)
    assert found, text
    return found[0]


# --- what is printed -------------------------------------------------------------------------------------------------


def test_the_summary_is_the_same_each_time_whatever_the_seed_of_hashes(folder: Path) -> None:
    here = backtest()
    assert (here.exit_code, backtest().stdout) == (0, here.stdout)
    there = subprocess.run(
        [sys.executable, "-m", "ticktree", "backtest", "app.toml", "market.ticks"],
        capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "PYTHONHASHSEED": "4711"},
    )  # fmt: skip
    assert there.stdout == here.stdout
    assert here.stdout.startswith("back-test of app.toml\n")
    assert re.search(r"^  ticks +200\b", here.stdout, re.MULTILINE)
    assert re.fullmatch(r"200 ticks in [\d.]+ s: [\d,]+/s(, [\d,]+ x as fast as it happened)?\n", there.stderr)


def test_quiet_leaves_the_digest_alone() -> None:
    loud, quiet = backtest(), backtest("-q")
    assert quiet.stdout == f"digest {sha(loud.stdout)}\n"
    assert quiet.stderr == ""


def test_quiet_does_not_keep_to_itself_what_is_wrong() -> None:
    result = backtest("-q", "--set", "strategies.momentum.params.slow=10_000")
    assert result.stderr == "WARNING  no order was sent\n"


def test_a_value_that_is_set_is_run_with_and_told() -> None:
    result = backtest("--set", "strategies.momentum.params.fast=3", "--set", "venues.paper.latency=20ms")
    assert result.exit_code == 0
    title = "back-test of app.toml with strategies.momentum.params.fast=3, venues.paper.latency=20ms"
    assert result.stdout.splitlines()[0] == title
    assert "latency 20 ms" in result.stdout
    assert sha(result.stdout) != sha(backtest().stdout)


def test_what_is_taken_for_granted_is_as_the_options_say() -> None:
    result = backtest(
        "--latency", "5ms", "--handler-time", "2ms", "--batch-window", "1s", "--seed", "7", "--capital", "10000"
    )
    assert result.exit_code == 0
    for said in ("latency 5 ms", "batch window   1.0 s", "handler time   2.0 ms", "seed           7", "capital 10,000"):
        assert said in result.stdout
    assert "latency none" in backtest("--set", "venues.paper.latency=9ms", "--latency", "0s").stdout


# --- what is written -------------------------------------------------------------------------------------------------


def test_a_page_and_a_document_are_written(folder: Path) -> None:
    result = backtest("--html", "page.html", "--json", "all.json")
    assert (result.exit_code, result.stdout) == (0, backtest().stdout)
    assert (folder / "page.html").read_text().startswith("<!")
    assert json.loads((folder / "all.json").read_bytes())["outcome"]["digest"] == sha(result.stdout)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_on_a_full_disk_the_summary_is_printed_and_the_rest_is_one_line() -> None:
    result = backtest("--json", "/dev/full")
    assert result.exit_code == 1
    assert sha(result.stdout)
    assert result.stderr.splitlines()[-1] == "Error: the JSON is not written: /dev/full: No space left on device"


def test_a_capital_that_no_share_can_be_taken_of_is_said_to_be_left_out(folder: Path) -> None:
    other = '[instruments.BTC-EUR]\nprice_increment = "0.01"\nsize_increment = "0.0001"\n'
    text = (folder / "app.toml").read_text().replace('["BTC-USDT"]', '["BTC-USDT", "BTC-EUR"]')
    assert "capital" not in backtest("--capital", "10000").stderr
    both = text + other + other.replace("EUR", "USDT")
    both += both[both.index("[strategies") : both.index("[instruments")].replace("momentum]", "other]")
    (folder / "app.toml").write_text(both + 'topics = ["*/BTC-EUR/quote"]\n')
    rows = [f"{BEGAN_NS + row * 100_000_000},{name},{(bid := 100 + abs(row % 40 - 20) / 4)},2,{bid + 0.01},2"
            for row in range(80) for name in ("BTC-USDT", "BTC-EUR")]  # fmt: skip
    (folder / "both.csv").write_text("\n".join(["time,symbol,bid,bid_size,ask,ask_size", *rows]))
    result = CliRunner().invoke(main, ["backtest", "app.toml", "both.csv", "--capital", "10000"])
    said = "--capital is left out: there are prices in several currencies, and nothing is converted"
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (0, said)


@pytest.mark.parametrize("options", ["--html ./app.toml", "--json link", "--json link --sweep a.b=1"])
def test_what_is_read_is_not_written_over(folder: Path, options: str) -> None:
    (folder / "link").symlink_to("market.ticks")
    before = [(folder / name).read_bytes() for name in ("app.toml", "market.ticks")]
    result = backtest(*options.split())
    assert result.exit_code == 2
    assert result.stderr.endswith("is what the back-test reads, and would be written over: name another file\n")
    assert [(folder / name).read_bytes() for name in ("app.toml", "market.ticks")] == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_what_cannot_be_printed_is_written_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            main(["backtest", "app.toml", "market.ticks", "--json", "all.json", "-q"])
    assert ended.value.code == 1
    assert "No space left on device" in capsys.readouterr().err
    assert json.loads((folder / "all.json").read_bytes())["outcome"]["ticks"] == 200


def test_a_page_without_plotly_is_refused_before_anything_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    result = backtest("--html", "page.html")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == 'Error: --html needs plotly: pip install "ticktree[backtest]"\n'


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--set strategies.momentum.params.fasst=5",
         '--set strategies.momentum.params.fasst=5: there is no key "fasst"; did you mean "fast"?'),
        ("--set strategies.momentun.params.fast=5",
         '--set strategies.momentun.params.fast=5: strategies.momentun: there is no strategy "momentun"; '
         'did you mean "momentum"?'),
        ("--set fast", 'a key of the configuration and its value, as in strategies.momentum.params.fast=5; not "fast"'),
        ("--set risk.max_position=[1", "--set risk.max_position: no value as TOML writes it"),
        ("--set relay.listen=a --set relay.listen=b", "relay.listen is set twice; once is enough"),
        ("--sweep strategies.momentum.params.fast=", "--sweep strategies.momentum.params.fast: a value stands after"),
        ("--sweep strategies.momentum.params.fast=1..5", "FROM..TO..STEP"),
        ("--sweep strategies.momentum.params.fast=9,8",
         "(with --sweep strategies.momentum.params.fast=9)\napp.toml:8: strategies.momentum.params"),
        ("--sweep strategies.momentum.params.fasst=1,2",
         '--sweep strategies.momentum.params.fasst=1: there is no key "fasst"; did you mean "fast"?\n'),
        ("--sweep risk.a=1 --html page.html", "--html is of one run: sweep first"),
        ("--jobs 2", "nothing is swept"),
        ("--json a --html a", "--html and --json name the same file"),
        ("--json nowhere/a", "there is no folder"),
        ("--capital 0", "an amount above 0, as in 10000; not 0"),
        ("--capital much", "an amount of money, as in 10000"),
        ("--latency 5", "did you mean '5s'?"),
        ("--handler-time 9999h", "handler_time_s is a number of seconds"),
        ("nothing.csv", "nothing.csv is not there"),
        ("markt=market.ticks", "'markt', and the feeds are market"),
        ("app.toml", "app.toml"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_refused_with_what_to_write(options: str, said: str) -> None:
    result = backtest(*options.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_what_is_wrong_with_options_and_with_the_file_is_told_at_once(folder: Path) -> None:
    with (folder / "app.toml").open("a") as file:
        file.write("[system]\nbudget = 5\n")
    result = backtest("--set", "venues.papr.latency=5ms", "--set", "routers.default.deadlin=5ms", "-q")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        '--set venues.papr.latency=5ms: venues.papr: there is no venue "papr"; did you mean "paper"?',
        "--set routers.default.deadlin=5ms: policy 'timeout' has no option 'deadlin' (did you mean 'deadline'?); it "
        "has venue, deadline",
        'app.toml:10: system.budget: a duration, as in "10s"; not 5; did you mean "5s"?',
    ]


# --- how it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_interrupted_stops_in_order_and_tells_what_there_is(folder: Path, number: int) -> None:
    config(folder, "Signals", signals=[number])
    result = backtest()
    assert result.exit_code == 1
    assert result.stdout.startswith("WARNING  INCOMPLETE: it was interrupted\n")
    assert re.search(r"^  ticks +1\d\d\b", result.stdout, re.MULTILINE)
    assert result.stderr.splitlines()[-1] == "Error: incomplete: it was interrupted"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_second_interrupt_ends_it_at_once(folder: Path) -> None:
    config(folder, "Signals", signals=[signal.SIGINT, signal.SIGINT])
    result = backtest()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: it was interrupted, and nothing is told of what there was until then\n"


@pytest.mark.parametrize(
    ("end", "said"), [("raises", "Error: incomplete: the system ended by itself: "), ("starts-not", "did not start: ")]
)
def test_a_strategy_that_fails_is_no_clean_end(folder: Path, end: str, said: str) -> None:
    config(folder, "Ends", end=end)
    result = backtest("-q")
    assert result.exit_code == 1
    assert said in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


# --- how far it is ---------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with meter(shown=True) as tell:
        tell(0.5, "7 of 14 runs")
    assert re.search("50 %.*7 of 14 runs, 0 s left", terminal.getvalue())


def test_a_file_has_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(watching, "SELDOM_S", 3600.0)
    with meter(shown=True) as tell:
        tell(0.5, "too soon")
        monkeypatch.setattr(watching, "SELDOM_S", 0.0)
        tell(0.5, "7 of 14 runs")
        tell(1.0, "14 of 14 runs")
    with meter(shown=False) as tell:
        tell(0.5, "not shown")
    assert capsys.readouterr().err == "50%  7 of 14 runs, 0 s left\n100%  14 of 14 runs\n"


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("human", "2023-11-14 22:13:20.000 UTC  WARNING  routing      it waits"),
        (
            "json",
            '{"time": "2023-11-14T22:13:20.000000Z", "level": "WARNING", "room": "routing", "message": "it waits"}',
        ),
    ],
)
def test_the_log_has_the_time_of_the_data(kind: Any, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with watching.logged(kind, logging.WARNING) as in_its_time:
        in_its_time(cast(Any, SimpleNamespace(now_ns=BEGAN_NS)))
        logging.getLogger("ticktree.routing").warning("it waits")
    assert cast(io.StringIO, sys.stderr).getvalue() == f"{line}\n"
    assert logging.getLogger().handlers == []


# --- sweeps ----------------------------------------------------------------------------------------------------------


def test_a_sweep_is_a_table_of_what_each_run_alone_comes_to(folder: Path) -> None:
    fast = "strategies.momentum.params.fast"
    result = backtest("--sweep", f"{fast}=2..3..1", "--jobs", "1", "--json", "all.json")
    assert (result.exit_code, result.stderr) == (0, "")
    title, _, heads, *rows = result.stdout.splitlines()
    assert title == "sweep of app.toml: 2 runs"
    assert heads.split()[0] == "fast"
    alone = [sha(backtest("-q", "--set", f"{fast}={value}").stdout) for value in (2, 3)]
    assert [row.split()[-1] for row in rows] == [digest[:12] for digest in alone]
    runs = json.loads((folder / "all.json").read_bytes())["runs"]
    assert [(run["parameters"], run["ran"]["digest"]) for run in runs] == [({fast: 2}, alone[0]), ({fast: 3}, alone[1])]


def test_a_sweep_with_a_run_that_failed_is_a_failure_that_names_the_first(folder: Path) -> None:
    config(folder, "Ends")
    result = backtest("--sweep", "strategies.mine.params.end=raises", "--jobs", "1", "-q")
    assert result.exit_code == 1
    assert result.stdout.startswith("sweep of app.toml: 1 run, 1 of them failed\n")
    assert result.stderr.startswith(
        "Error: 1 of 1 runs did not come to their end; the first: the system ended by itself"
    )
