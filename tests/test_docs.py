"""The pages say what is: every command is one, and every promise names tests that exist. Their code: tests/docs."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from ticktree.cli import main

from .routing.trading import Trading, trading

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
GUARANTEES = (ROOT / "docs" / "guarantees.md").read_text()


def python_blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


def test_the_strategy_of_the_readme_is_the_example_that_the_end_to_end_test_runs() -> None:
    strategy = python_blocks(README)[0]
    example = (ROOT / "examples" / "momentum.py").read_text()
    assert example.endswith(strategy)
    assert example.removesuffix(strategy).strip().startswith('"""')


def test_the_programs_of_the_page_on_execution_work_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for block in python_blocks((ROOT / "docs" / "execution.md").read_text()):
        exec(compile(block, "execution.md", "exec"), names)

    @trading()
    async def work(t: Trading) -> None:
        t.policies["halves"] = names["Halves"]("a")
        await t.restart()
        t.a.ready()
        for number in (1, 2):
            leg = await t.live(9, router="halves") if number == 1 else list(t.ledger.legs.values())[-1]
            t.a.fill(leg, leg.leg.quantity_increments)
            await t.rest()
        assert [leg.booked_increments for leg in t.ledger.legs.values()] == [4, 5]
        taker = names["Taker"]()
        taker.on_fill(t.fills()[0])

    work()
    assert capsys.readouterr().out == "bought 0.0004 at 100.00 in time\n"


def test_the_two_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = re.findall(r"^ {4}make ([a-z-]+)", README, re.MULTILINE)
    assert commands == ["demo", "test"]
    assert set(commands) <= set(targets)


def commands(page: str) -> list[str]:
    """What a page shows after `ticktree`, where a line of code begins with that."""
    page, fence = page.replace("\\\n", " "), re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
    fenced = [block for language, block in fence.findall(page) if language in ("", "console", "sh", "bash")]
    others = re.findall(r"^ {4}.*$|(?<=`)[^`\n]+(?=`)", fence.sub("", page), re.MULTILINE)
    begin = r"^\s*(?:\$ )?(?:\w+=\S* )*(?:\S*python\S* -m |\S*/)?ticktree "
    return re.findall(begin + r"([a-z-].*)$", "\n".join([*fenced, *others]), re.MULTILINE)


def understand(command: click.Command, words: list[str]) -> None:
    """Raises `click.UsageError` for a sub-command or an option that `command` does not have."""
    context = click.Context(command)
    _, rest, _ = command.make_parser(context).parse_args(words)
    if isinstance(command, click.Group) and rest:
        found = command.get_command(context, rest[0])
        if found is None:
            raise click.UsageError(f"there is no command {rest[0]}")
        understand(found, rest[1:])


def test_every_command_that_a_page_shows_is_one_with_options_that_it_has() -> None:
    pages = [README, *(page.read_text() for page in (ROOT / "docs").rglob("*.md"))]
    shown = [command for page in pages for command in commands(page)]
    assert shown
    for command in shown:
        understand(main, shlex.split(command, comments=True))


@pytest.mark.parametrize(
    "shown",
    [
        "    ticktree serve-recording x --sped 10",
        "    .venv/bin/ticktree serve-recordings x",
        "```console\n$ TICKTREE_TOKEN=x ticktree demo --for 1 \\\n  --colour red\n```\nticktree is not a command.",
        "run `ticktree exchange --fautl gaps=1`, or not",
        "    python -m ticktree demo --for",
        "    ticktree --versoin",
    ],
)
def test_a_command_that_there_is_not_is_found_wherever_a_page_shows_it(shown: str) -> None:
    (command,) = commands(f"ticktree shows:\n\n```python\nx = 1\n```\n\n{shown}\n")
    with pytest.raises(click.UsageError):
        understand(main, shlex.split(command, comments=True))


def test_every_promise_names_tests_and_they_exist() -> None:
    written = {
        name for file in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    promises = [line for line in GUARANTEES.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(promises) > 40
    for promise in promises:
        named = re.findall(r"`(test_\w+)`", promise)
        assert named, f"no test keeps: {promise}"
        missing = set(named) - written
        assert not missing, f"{promise}\nnames tests that do not exist: {missing}"


def test_links_between_the_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
