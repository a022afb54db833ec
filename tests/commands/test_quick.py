"""Help comes at once, because nothing heavy is imported for it; and every command has one that is worth reading."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ticktree.cli import BRIEF, COMMANDS, main

HEAVY = {"aiohttp", "msgspec", "numpy", "picows", "prometheus_client", "rich", "uvloop"}


def imported(program: str) -> set[str]:
    """The modules at the top that `program` has imported at its end."""
    told = f"{program}\nimport sys; print('imported', *{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=60)
    return set(run.stdout.splitlines()[-1].split()[1:])


def test_the_package_imports_nothing_heavy() -> None:
    assert imported("import ticktree").isdisjoint(HEAVY)


def test_nor_does_help_of_it_all_or_of_any_command() -> None:
    program = (
        "from click.testing import CliRunner\n"
        "from ticktree.cli import COMMANDS, main\n"
        "for arguments in ([], *([name] for name in COMMANDS)):\n"
        "    assert CliRunner().invoke(main, [*arguments, '--help']).exit_code == 0, arguments\n"
    )
    assert imported(program).isdisjoint(HEAVY)


def test_nor_does_the_version() -> None:
    program = "from ticktree.cli import main\ntry:\n    main(['--version'])\nexcept SystemExit:\n    pass"
    assert imported(program).isdisjoint(HEAVY)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_does(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "To be written" not in result.output
    command = main.get_command(None, name)  # type: ignore[arg-type]  # it needs none
    assert command is not None
    told = "\n".join(filter(None, (command.help, command.epilog)))
    assert len(told.splitlines()) > 1, f"{name} has a help of one line"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_tells_its_exit_codes(name: str) -> None:
    assert "Exit codes: " in CliRunner().invoke(main, [name, "--help"]).output


def test_all_commands_are_listed_in_whole_sentences_of_one_line_in_80_columns() -> None:
    said = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    assert list(BRIEF) == list(COMMANDS)
    for name, words in BRIEF.items():
        assert f"\n  {name:<17}{words}\n" in said
        assert words.endswith(".")


@pytest.mark.parametrize(("written", "meant"), [("stauts", "status"), ("rehears", "rehearse"), ("serve", "")])
def test_a_command_that_there_is_not_is_answered_with_the_nearest(written: str, meant: str) -> None:
    result = CliRunner().invoke(main, [written])
    assert result.exit_code == 2
    assert (f"Did you mean '{meant}'?" in result.output) == bool(meant)
    assert f"No such command '{written}'." in result.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("arguments", [["--help"], ["schema"], ["run", "--help"]])
def test_what_cannot_be_printed_is_one_line_and_a_failure(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            main(arguments)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "Error: what is printed: No space left on device\n"


def test_who_gives_us_nothing_to_write_to_is_served_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit) as ended:
        main(["completion", "bash"])
    assert ended.value.code == 0
    for stream in (sys.stdout, sys.stderr):
        stream.close()
