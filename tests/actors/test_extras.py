"""A library of an extra that is missing is named, with what to do; one that is broken speaks for itself."""

from pathlib import Path

import pytest

from ticktree.actors.extras import MissingExtra, library


def test_a_missing_library_is_named_with_what_needs_it_and_what_to_do() -> None:
    with pytest.raises(MissingExtra, match=r'^the page needs surely_not_there: pip install "ticktree\[backtest\]"$'):
        library("surely_not_there.inside", "the page")


def test_what_is_missing_inside_a_library_is_not_blamed_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_library.py").write_text("import its_own_need\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="No module named 'its_own_need'"):
        library("broken_library", "the page")


def test_a_library_that_is_there_is_given() -> None:
    assert library("numpy.linalg", "the page").__name__ == "numpy.linalg"
