"""What `ticktree run` refuses before anything starts, and what it says first."""

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import click
import pytest
from click.testing import CliRunner, Result

from ticktree import App
from ticktree.cli import main
from ticktree.commands.running import Run
from ticktree.strategies import Momentum

CONFIG = """
[feeds.market]
type = "simulated"

[venues.paper]
type = "simulated"
prices = "market"

[routers.default]
policy = "timeout"
venues = ["paper"]
deadline = "250ms"

[strategies.momentum]
type = "momentum"
"""


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """As they were: a command that has ended hears none any more."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def run(folder: Path, *options: str, text: str = CONFIG) -> Result:
    path = folder / "run.toml"
    path.write_text(f"{text}\n[operations]\nenabled = false\n")
    return CliRunner().invoke(main, ["run", str(path), *options])


def test_the_exit_codes_stand_in_the_help() -> None:
    said = CliRunner().invoke(main, ["run", "--help"]).output
    assert "Exit codes: 0 ended cleanly" in said
    for option in ("--for TIME", "--report FILE", "--log [human|json]", "--loop [uvloop|asyncio]", "--tracebacks"):
        assert option in said


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--for", "300"], '\'300\' is not a duration, as in "250ms", "1.5s", "2m" or "1h"; did you mean \'300s\'?'),
        (["--for", "0s"], "a time above 0, as in 30s"),
        (["--report", "/nowhere/at/all/x.json"], "there is no folder /nowhere/at/all; make it first"),
        (["--report", "."], ". is a folder; name a file in it"),
    ],
)
def test_what_could_not_be_done_at_the_end_is_refused_at_the_start(
    options: list[str], why: str, tmp_path: Path
) -> None:
    result = run(tmp_path, *options)
    assert (result.exit_code, "PAPER" in result.output) == (2, False)
    assert why in result.output.replace("\n", " ")


def test_what_is_wrong_with_a_configuration_is_a_line_each_and_nothing_starts(tmp_path: Path) -> None:
    result = run(tmp_path, text=CONFIG.replace("deadline", "deadlime").replace('"momentum"', '"momentun"'))
    lines = result.output.splitlines()
    assert (result.exit_code, len(lines) >= 2) == (2, True), result.output
    assert all(line.startswith(f"{tmp_path / 'run.toml'}:") for line in lines)
    assert ": routers.default.deadlime: " in result.output
    assert "did you mean 'momentum'" in result.output


def test_a_file_that_is_not_there_is_wrong_usage() -> None:
    result = CliRunner().invoke(main, ["run", "nowhere.toml"])
    assert (result.exit_code, "'nowhere.toml' does not exist" in result.output) == (2, True)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_it_ends_by_itself_with_a_summary(loop: str, tmp_path: Path) -> None:
    result = run(tmp_path, "--for", "100ms", "--loop", loop)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[:2] == ["PAPER: every venue is simulated in this process: paper", "starts, in this order:"]
    assert "  strategies  momentum" in lines
    assert "  unaccounted for: 0" in lines


def test_quiet_leaves_the_first_line(tmp_path: Path) -> None:
    result = run(tmp_path, "--for", "100ms", "--quiet")
    assert result.output == "PAPER: every venue is simulated in this process: paper\n"


def test_a_report_that_cannot_be_written_is_no_clean_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ticktree.report.write", full)
    result = run(tmp_path, "--for", "100ms", "--report", str(tmp_path / "x.json"))
    assert result.exit_code == 1
    assert "unaccounted for: 0" in result.output
    assert f"Error: the report is not written: {tmp_path / 'x.json'}: No space left on device" in result.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_below_what_is_printed_ends_no_run_and_is_no_clean_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, report = tmp_path / "run.toml", tmp_path / "report.json"
    path.write_text(f"{CONFIG}\n[operations]\nenabled = false\n")
    with Path("/dev/full").open("w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            main(["run", str(path), "--for", "100ms", "--report", str(report)])
    said = capsys.readouterr().err
    assert (ended.value.code, json.loads(report.read_text())["exit_code"]) == (1, 0)
    assert said.count("what is printed is not written: No space left on device") == 1
    assert "Traceback" not in said


def test_what_did_not_do_what_it_was_for_says_so_in_its_report_and_its_last_line(tmp_path: Path) -> None:
    app = attrs.evolve(App.simulated(Momentum), operations=None)
    report = tmp_path / "report.json"

    @click.command()
    def command() -> None:
        Run(tmp_path, for_s=0.1, report=report).perform(app, "FIRST", incomplete=lambda _: "feed x did not subscribe")

    result = CliRunner().invoke(command)
    told = json.loads(report.read_text())
    assert (result.exit_code, told["exit_code"], told["reason"]) == (1, 1, "feed x did not subscribe")
    assert result.output.splitlines()[-1] == "Error: feed x did not subscribe"
