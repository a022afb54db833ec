"""`ticktree new`: what it makes, what it says, and that it makes all of it or nothing, and overwrites nothing."""

import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ticktree import load
from ticktree.blueprint import FILES
from ticktree.cli import main
from ticktree.commands import new

ROOM = 1_500  # bytes; less than the first file has

SAID = """\
made mean_reversion
  mean_reversion.py       the strategy
  test_mean_reversion.py  its tests, in virtual time
  mean_reversion.toml     runs it on a simulated market
  recorded.toml           runs it on a recorded one
  pyproject.toml          makes it a package that ticktree finds
  README.md               what to type
  .gitignore              what is not kept

next:
  cd mean_reversion
  pip install -e ".[test]"
  pytest
  ticktree check mean_reversion.toml
  ticktree run mean_reversion.toml --for 30s
"""
Occupant = Callable[[Path], None]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder. What configurations import from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["new", *arguments])


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """All that is in it: links by where they lead, files by what they hold."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


def test_it_says_what_it_made_and_what_to_type_next_and_nothing_else(folder: Path) -> None:
    result = run("strategy", "mean_reversion")
    assert (result.exit_code, result.output) == (0, SAID)
    assert {path.name for path in folder.iterdir()} == {"mean_reversion"}
    made = SAID.split("\n\n", maxsplit=1)[0].splitlines()[1:]
    assert {path.name for path in (folder / "mean_reversion").iterdir()} == {line.split()[0] for line in made}


def test_a_feed_comes_with_an_exchange(folder: Path) -> None:
    result = run("feed", "acme")
    assert result.exit_code == 0, result.output
    assert "  python pretend.py    # in another terminal\n  ticktree run acme.toml" in result.output
    assert len(list((folder / "acme").iterdir())) == len(FILES["feed"])


@pytest.mark.parametrize(("kind", "name"), [("strategy", "default"), ("strategy", "paper"), ("feed", "momentum")])
def test_its_configurations_can_be_run_whatever_else_is_called_so(folder: Path, kind: str, name: str) -> None:
    assert run(kind, name).exit_code == 0
    configurations = [path for path in (folder / name).glob("*.toml") if path.name != "pyproject.toml"]
    assert configurations
    for path in configurations:
        app = load(path)
        assert name in {part.name for part in (*app.strategies, *app.feeds)}


def test_it_is_made_where_it_is_wanted_and_the_paths_to_type_lead_there(folder: Path) -> None:
    (folder / "my work").mkdir()
    result = run("strategy", "zigzag", "--into", "my work")
    assert result.output.startswith("made my work/zigzag\n")
    assert "\n  cd 'my work/zigzag'\n" in result.output
    assert (folder / "my work" / "zigzag" / "zigzag.py").exists()


def test_programs_that_would_not_be_found_are_named_with_their_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    programs = Path(sys.executable).parent
    said = run("strategy", "zigzag").output
    assert f'\n  {programs}/pip install -e ".[test]"\n  {programs}/pytest\n  {programs}/ticktree check' in said


def test_what_is_made_is_the_user_s_as_any_file_of_theirs(folder: Path) -> None:
    umask = os.umask(0o027)
    try:
        assert run("strategy", "zigzag").exit_code == 0
    finally:
        os.umask(umask)
    made = folder / "zigzag"
    assert [path.stat().st_mode & 0o777 for path in (made, made / "zigzag.py")] == [0o750, 0o640]


# --- what is refused -------------------------------------------------------------------------------------------------


def test_what_is_no_name_is_wrong_usage_and_answered_with_the_nearest(folder: Path) -> None:
    result = run("strategy", "My-Strategy")
    assert result.exit_code == 2
    assert "Invalid value for NAME: 'My-Strategy' is no name of a package" in result.output
    assert result.output.endswith("; did you mean 'my_strategy'?\n")
    assert tree(folder) == {}


def a_folder(place: Path) -> None:
    place.mkdir()
    (place / "mine.py").write_text("mine")


def a_file(place: Path) -> None:
    place.write_text("mine")


def a_link_to_nothing(place: Path) -> None:
    place.symlink_to("nowhere")


def a_link_to_a_folder(place: Path) -> None:
    place.symlink_to(".")


@pytest.mark.parametrize("occupy", [a_folder, a_file, a_link_to_nothing, a_link_to_a_folder])
def test_what_is_there_is_never_overwritten(folder: Path, occupy: Occupant) -> None:
    occupy(folder / "zigzag")
    before = tree(folder)
    result = run("strategy", "zigzag")
    assert result.exit_code == 2
    assert "zigzag is there already, and is never overwritten; choose another name, or --into\n" in result.output
    assert tree(folder) == before


def test_what_came_there_while_it_was_made_is_not_overwritten_either(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody_yet(place: Path) -> bool:
        return False

    a_folder(folder / "zigzag")
    before = tree(folder)
    monkeypatch.setattr(new, "is_taken", nobody_yet)  # that look came first
    result = run("strategy", "zigzag")
    assert (result.exit_code, result.output) == (1, "Error: zigzag is not made: Directory not empty\n")
    assert tree(folder) == before


def test_an_empty_folder_is_filled(folder: Path) -> None:
    (folder / "zigzag").mkdir()
    assert run("strategy", "zigzag").exit_code == 0
    assert len(list((folder / "zigzag").iterdir())) == len(FILES["strategy"])


def test_a_full_disk_leaves_nothing(folder: Path) -> None:
    assert len(run("strategy", "alpha").output)
    before, limits = tree(folder), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, limits[1]))
    try:
        result = run("strategy", "zigzag")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (result.exit_code, result.output) == (1, "Error: zigzag is not made: File too large\n")
    assert tree(folder) == before


def test_a_folder_that_is_not_there_is_wrong_usage() -> None:
    result = run("strategy", "zigzag", "--into", "nowhere")
    assert result.exit_code == 2
    assert "'nowhere' does not exist" in result.output


# --- help ------------------------------------------------------------------------------------------------------------


def test_alone_it_tells_what_there_is_to_begin() -> None:
    said = run().output
    assert "\n  feed      Begin a feed of your own" in said
    assert "\n  strategy  Begin a strategy of your own" in said


@pytest.mark.parametrize("kind", ["strategy", "feed"])
def test_help_says_what_a_name_is_and_how_it_ends(kind: str) -> None:
    said = " ".join(run(kind, "--help").output.split())
    assert "NAME is lower-case words with _ between them" in said
    assert "Exit codes: 0 made; 1 it could not be, and nothing is left of it; 2 wrong usage" in said
