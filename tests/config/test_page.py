"""docs/configuration.md says what is: its tables are those of the definitions, and its examples load."""

import re
from pathlib import Path

import pytest

from ticktree import load
from ticktree.config import sections

from .reference import table
from .support import problems, written
from .test_load import MINE
from .test_schema import SECTIONS

PAGE = (Path(__file__).parent.parent.parent / "docs" / "configuration.md").read_text()
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("kind", SECTIONS, ids=lambda kind: kind.__name__)
def test_every_section_has_its_table_as_it_is_defined(kind: type[sections.Section]) -> None:
    assert table(kind) in PAGE


def test_every_section_has_a_heading() -> None:
    for name in sections.ORDER:
        assert re.search(rf"^## \[{name}(\.NAME)?\]$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("number", [0, 1])
def test_the_complete_example_and_the_least_one_load(number: int, folder: Path) -> None:
    (folder / "my_strategy.py").write_text(MINE)
    assert load(written(BLOCKS[number])).paper


def test_the_examples_of_all_sections_load_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_TOKEN", "x")
    (folder / "secrets").mkdir()
    (folder / "secrets" / "alpha").touch(0o600)
    (folder / "secrets" / "alpha").write_text("y")
    app = load(written("\n".join(BLOCKS[2:])))
    assert [feed.name for feed in app.feeds] == ["kraken", "upstream", "market"]
    assert [venue.name for venue in app.venues] == ["paper", "alpha"]
    assert app.relay is not None
    assert app.supervision.groups["feeds"]["outside"].intensity == 50


def test_what_it_shows_of_check_is_what_is_said() -> None:
    text = '[feeds.binance]\ntype = "binance"\ninstrments = ["BTC-USDT"]\n' + "\n" * 9 + "[system]\nbudget = 10\n"
    assert problems(text) == re.findall(r"^    (app\.toml:.*)$", PAGE, re.MULTILINE)
