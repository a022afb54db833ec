"""The documentation as a site: it builds without a warning, asks nothing of the network, and leaves no page out."""

import fcntl
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ticktree.cli import COMMANDS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it, built once for all processes that run tests."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, draft = shared / "docs-site", shared / "docs-site-draft"
    with (shared / "docs-site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            build(draft)
            draft.rename(folder)
    return folder


def build(folder: Path) -> None:
    """A warning ends the build, and so does what is said at INFO alone."""
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
        timeout=240,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    said = [line.partition(" - ")[2].split()[0] for line in built.stderr.splitlines()]
    assert said == ["Cleaning", "Building", "Documentation"], built.stderr


LOADS = re.compile(
    r"""<(?!a\b)\w+\b[^>]*?\s(?:src|srcset|href|data|poster|action|ping)\s*=\s*["']?\s*(?:https?:)?//[^>]*>"""
    r"""|(?:@import|url\()\s*["']?\s*(?:https?:)?//[^)]*"""
)


def outside(page: str) -> list[str]:
    """What of a page, or of a style, its reader's browser loads from elsewhere; links are for the reader to follow."""
    return LOADS.findall(page)


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    assert {page.name: found for page in pages if (found := outside(page.read_text()))} == {}


def test_no_style_loads_anything_from_elsewhere(site: Path) -> None:
    styles = list(site.rglob("*.css"))
    assert styles
    assert {style.name: found for style in styles if (found := outside(style.read_text()))} == {}


# The theme's own script has three addresses: each is for what these pages do without.
def test_what_the_script_would_load_from_elsewhere_no_page_asks_for(site: Path) -> None:
    addresses = {
        found
        for script in site.rglob("*.js")
        if script.name != "search_index.js"
        for found in re.findall(r"https?://(?:unpkg\.com|cdn\.|api\.)[^\"'`\s]*", script.read_text())
    }
    known = {
        "resize-observer-polyfill": "",
        "mermaid": 'class="mermaid"',
        "api.github.com": "data-md-source",
        "gitlab": "data-md-source",
    }
    for address in addresses:
        (marker,) = (marker for name, marker in known.items() if name in address)
        if marker:
            assert [page.name for page in site.rglob("*.html") if marker in page.read_text()] == []


@pytest.mark.parametrize(
    "loads",
    [
        '<script src="https://cdn.example/x.js">',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<img src="http://badge.example/x.svg">',
        '<div style="background: url(https://x.example/y)">',
    ],
)
def test_what_is_loaded_from_elsewhere_is_found(loads: str) -> None:
    assert outside(f'<p><a href="https://example.org">a link is none</a>{loads}</p>')


def test_the_search_index_works_without_a_server(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text()
    assert index.startswith("var __index = ")
    assert "add-a-venue.html" in index
    assert 'src="iframe-worker.js"' in (site / "index.html").read_text()


def test_code_that_a_page_links_to_is_shown(site: Path) -> None:
    shown = (site / "source" / "examples" / "venues" / "trade.py.html").read_text()
    assert "Cheapest" in shown
    assert 'href="source/examples/venues/trade.py.html"' in (site / "add-a-venue.html").read_text()


def test_names_are_shown_with_what_they_are_made_of(site: Path) -> None:
    page = re.sub(r"<[^>]+>", "", (site / "api" / "ticktree.routing.html").read_text())
    assert re.search(r"BestOf\(\s*venues: .*max_price_age_s: float", page, re.DOTALL)  # of attrs
    assert re.search(r"Fill\(\s*order_id: str", page)  # of msgspec
    assert "late: bool = False" in page


def test_no_page_names_a_folder_of_this_machine(site: Path) -> None:
    assert [page.name for page in site.rglob("*.html") if str(ROOT) in page.read_text()] == []


# --- without building it ----------------------------------------------------------------------------------------------


def part(name: str) -> ModuleType:
    """A module of docs/generate, which is no package: mkdocs runs each by its path."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / "generate" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_has_one_place_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    pages = re.findall(r": (\S+\.md)$", nav, re.MULTILINE)
    assert len(pages) == len(set(pages))
    assert {page.name for page in DOCS.glob("*.md")} <= set(pages)


def test_the_page_of_commands_has_every_command_and_option() -> None:
    page = part("commands").page()
    assert re.findall(r"^## `ticktree (.*)`$", page, re.MULTILINE) == list(COMMANDS)
    assert "| `--speed" in page
    assert "| `--to DIR` | The folder of the recordings" in page


def test_every_package_with_public_names_has_a_page() -> None:
    told = {*part("api").PACKAGES.values(), "ticktree"}
    inner = re.compile(
        r"(commands|demo|operations|sections|policies|journal|risk|relay|exchanges|played|playback|files|venues|templates)$"
    )
    for source in ROOT.glob("*/**/__init__.py"):
        folder = source.parent.relative_to(ROOT).as_posix()
        ours = folder.partition("/")[0] in (
            "actors",
            "market",
            "net",
            "feeds",
            "distribution",
            "routing",
            "strategies",
            "ticktree",
        )
        linked = re.match(r"ticktree/(actors|market|net|feeds|distribution|routing|strategies)(/|$)", folder)
        if ours and not linked and not inner.search(folder) and " as " in source.read_text():
            assert folder in told, (
                f"{folder} has public names: give it a page in docs/generate/api.py, and a place in mkdocs.yml"
            )


def test_columns_of_a_docstring_become_a_table() -> None:
    table = part("docstrings").with_tables("What it is.\n\na   one\nbc  two or\n    `x | y` | z\n\n    code   stays")
    assert (
        table == "What it is.\n\n|  |  |\n|---|---|\n| `a` | one |\n| `bc` | two or `x | y` \\| z |\n\n    code   stays"
    )
    assert (
        part("docstrings").with_tables("two words, and  two blanks\nare no table")
        == "two words, and  two blanks\nare no table"
    )


def test_the_glossary_is_in_order_and_each_term_is_there_once() -> None:
    terms = re.findall(r"^- \*\*(.*?)\*\*: ", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    assert len(terms) > 80
    assert terms == sorted(set(terms), key=str.lower)
