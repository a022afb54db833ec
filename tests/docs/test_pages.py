"""Every block of code and every command of the README and the pages is run, as its reader would."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .blocks import blocks
from .pages import ELSEWHERE, PAGES, PATHS, ROOT, Elsewhere, elsewhere
from .stage import Page, staged


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, for sockets."""
    made = Path(tempfile.mkdtemp(prefix="tt-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("name", PATHS)
def test_every_block_of_a_page_runs(name: str, folder: Path) -> None:
    with staged(PAGES.get(name, Page()), PATHS[name], folder, elsewhere) as stage:
        stage.perform()
    if stage.without_recordings:
        pytest.skip(f"all but what wants recordings of exchanges, in ../shared/recordings: {stage.without_recordings}")


def test_there_is_no_plan_for_a_page_that_is_gone() -> None:
    assert set(PAGES) <= set(PATHS)


@pytest.mark.parametrize("one", ELSEWHERE, ids=lambda one: f"{one.page}-{one.begins[:20] or one.language}")
def test_what_is_not_run_on_its_page_is_there_and_is_run_elsewhere_or_is_no_code(one: Elsewhere) -> None:
    shown = [(block, text) for block in blocks(PATHS[one.page]) for text in (block.text, *block.commands)]
    assert any(one.is_for(block, text) for block, text in shown)
    assert bool(one.why) != bool(one.tests)
    for test in one.tests:
        assert (ROOT / test).exists() or test in WRITTEN, test


def test_the_rehearsal_of_its_page_is_that_of_the_readme() -> None:
    shown = [{command.removeprefix(".venv/bin/") for block in blocks(PATHS[name]) for command in block.commands}
             for name in ("rehearse.md", "README.md")]  # fmt: skip
    assert [one for one in shown[0] & shown[1] if one.startswith("ticktree rehearse examples/rehearsal.toml ")]


WRITTEN = {
    name for file in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())
}


@pytest.mark.parametrize("path", [*PATHS.values(), *(ROOT / "examples").rglob("*.toml")], ids=lambda path: path.name)
def test_no_page_takes_the_folders_of_its_authors_for_those_of_its_readers(path: Path) -> None:
    assert "shared/recordings" not in path.read_text()


# --- the test of the test ---------------------------------------------------------------------------------------------


def performed(text: str, folder: Path, page: Page | None = None) -> None:
    path = folder / "page.md"
    path.write_text(text)
    with staged(page or Page(), path, folder, elsewhere) as stage:
        stage.perform()


FEED = '[feeds.market]\ntype = "simulated"\n'
CONFIG = f'```toml\n# app.toml\n{FEED}\n[strategies.momentum]\ntype = "momentum"\n```\n'
CHECK = "$ ticktree check app.toml\nPAPER: nothing is sent to a real venue\n"


def test_a_page_whose_blocks_are_right_passes(folder: Path) -> None:
    python = "```python\nprint(1)\n```\n\nIt prints `1`.\n"
    performed(f"{CONFIG}\n```console\n{CHECK}```\n\n{python}", folder)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```python\nimport ticktree\n\nticktree.Strategi\n```", "Strategi"),
        ("```python\nprint(1)\n```\n\nIt prints `2`.", "'2'"),
        ("```python\nprint(1)\n```", "'1'"),
        (CONFIG.replace('momentum"', 'momentun"'), "momentun"),
        (f"```toml\n{FEED}interwal = 1\n```", "interwal"),
        ("```toml\n[risk]\nx = 1\n```", "feeds"),
        ('```toml\n# in pyproject.toml\n[project.entry-points.x]\na = "ticktree:Nobody"\n```', "Nobody"),
        (f"{CONFIG}\n```console\n{CHECK.replace('PAPER', 'LIVE')}```", "shows 'LIVE"),
        (f"{CONFIG}\n```console\n{CHECK}```\n\n```text\nnothing\n```", "shows 'nothing'"),
        ("```console\n$ ticktree check nowhere.toml\n```", "exit 2"),
        ("    ticktree feeds nobody", "exit 2"),
        ("    make coffee", "nobody runs `make coffee`"),
        ("```json\n{}\n```", "neither run nor named"),
        ("    a picture", "neither run nor named"),
        (CONFIG.replace("simulated", "records").replace("[strat", 'url = "tcp://example.org:1"\n[strat'), "reach out"),
    ],
)
def test_a_block_that_is_wrong_fails_its_page(text: str, why: str, folder: Path) -> None:
    with pytest.raises(Exception, match=re.escape(why)):
        performed(f"# A page\n\n{text}\n", folder)
