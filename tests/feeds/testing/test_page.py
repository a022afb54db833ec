"""docs/add-a-feed.md says what is: its code is the example's, its rules are the kit's, and nothing is left out."""

import re
from pathlib import Path

import pytest

from ticktree.feeds import SequenceRule
from ticktree.feeds.particular import Particular
from ticktree.feeds.testing import RULES, FeedConformance
from ticktree.feeds.testing.author import Author

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "add-a-feed.md").read_text()
PACKAGE = {path.name: path.read_text() for path in (ROOT / "examples" / "gate_feed").iterdir() if path.is_file()}
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("language", "code"), BLOCKS, ids=[code.split("\n")[0].strip()[:40] for _, code in BLOCKS])
def test_every_block_of_code_is_part_of_the_example(language: str, code: str) -> None:
    files = [text for name, text in PACKAGE.items() if name.endswith({"python": ".py", "toml": ".toml"}[language])]
    assert any(f"\n{code}" in text for text in files)


def test_there_are_blocks_of_each_of_its_files() -> None:
    for name in ("gate_feed.py", "test_gate_feed.py", "record.py", "pyproject.toml"):
        assert any(code in PACKAGE[name] for _, code in BLOCKS), name


def test_its_rules_are_those_that_failures_name() -> None:
    listed = dict(re.findall(r"^(\d+)\. (.*)$", PAGE, re.MULTILINE))
    assert {int(number): text for number, text in listed.items()} == RULES


def public(of: type) -> set[str]:
    return {name for name in vars(of) if not name.startswith("_")}


def test_it_tells_of_everything_that_may_be_overridden() -> None:
    assert [name for name in sorted(public(Particular)) if f"`{name}" not in PAGE] == []


def test_it_tells_of_everything_that_the_kit_can_be_told() -> None:
    asked = {"has", "needs", "kinds", "feed_class", "fetches", "defines", "rule_of", "notices_losses"}
    given = public(Author) - asked - {"running", "teller", "message", "samples"}
    assert [name for name in sorted(given) if f"`{name}" not in PAGE and f"def {name}(" not in PAGE] == []


def test_it_tells_of_every_rule_of_numbers() -> None:
    assert [rule.name for rule in SequenceRule if f"| `{rule.name}` |" not in PAGE] == []


def test_each_rule_has_tests() -> None:
    source = "".join(path.read_text() for path in (ROOT / "feeds" / "testing").glob("*.py"))
    tested = {int(number) for number in re.findall(r"@rule\((\d+)\)", source)}
    assert tested | {11} == set(RULES)  # 11 is looked at in each of them
    assert len([name for name in dir(FeedConformance) if name.startswith("test_")]) > 20
