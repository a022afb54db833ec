"""`ticktree completion`: the script that a shell asks ticktree with, and the answers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from ticktree.cli import COMMANDS, main


def completed(*words: str) -> list[str]:
    """What the last, unfinished, of `words` may become."""
    shell = ShellComplete(main, {}, "ticktree", "_TICKTREE_COMPLETE")
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_ticktree(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_TICKTREE_COMPLETE={shell}_complete" in result.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_can_read(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} here")
    script = tmp_path / "script"
    script.write_text(CliRunner().invoke(main, ["completion", shell]).stdout)
    run = subprocess.run([program, "-n", str(script)], capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")


def test_another_shell_is_wrong_usage() -> None:
    result = CliRunner().invoke(main, ["completion", "tcsh"])
    assert result.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in result.output


def test_help_says_where_to_put_it() -> None:
    text = CliRunner().invoke(main, ["completion", "--help"]).output
    for place in ('~/.bashrc:     eval "$(ticktree completion bash)"', "~/.zshrc", "fish/completions/ticktree.fish"):
        assert place in text


def test_commands_and_options_are_completed() -> None:
    assert completed("") == list(COMMANDS)
    assert completed("comp") == ["completion"]
    assert "--json" in completed("feeds", "--j")
    assert completed("completion", "z") == ["zsh"]


@pytest.mark.parametrize(
    ("what", "begun", "names"),
    [("feeds", "k", ["kraken"]), ("strategies", "mo", ["momentum"]), ("venues", "", ["simulated", "tcp"])],
)
def test_names_of_plugins_are_completed(what: str, begun: str, names: list[str]) -> None:
    assert set(completed(what, begun)) >= set(names)


def test_a_shell_is_answered_without_importing_any_plugin() -> None:
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print([name for name in ('numpy', 'ticktree.feeds') if name in sys.modules]))\n"
        "from ticktree.cli import main\n"
        "main(prog_name='ticktree')\n"
    )
    asked = {"_TICKTREE_COMPLETE": "bash_complete", "COMP_WORDS": "ticktree feeds kr", "COMP_CWORD": "2"}
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.stdout.split("\n") == ["plain,kraken", "[]", ""], run.stderr
