"""The pages say what is: code in them runs as written, and every promise names tests that exist."""

import io
import re
import runpy
from contextlib import redirect_stdout
from pathlib import Path

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


def test_the_actor_of_the_readme_runs_as_written(tmp_path: Path) -> None:
    program = tmp_path / "adder.py"
    program.write_text(python_blocks(README)[1])
    printed = io.StringIO()
    with redirect_stdout(printed):
        runpy.run_path(str(program))
    assert printed.getvalue() == "4950\n"


def test_the_two_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = re.findall(r"^ {4}make ([a-z-]+)", README, re.MULTILINE)
    assert commands == ["demo", "test"]
    assert set(commands) <= set(targets)


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
