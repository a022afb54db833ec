"""`import ticktree` is cheap, and what it offers is what type checkers see."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import ticktree

HOMES: dict[str, str] = vars(ticktree)["_HOMES"]


def imports_for_type_checkers() -> dict[str, str]:
    """Re-exported name -> module, from the `if TYPE_CHECKING:` block."""
    assert ticktree.__file__
    found: dict[str, str] = {}
    for block in ast.parse(Path(ticktree.__file__).read_text()).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for statement in block.body:
                if isinstance(statement, ast.ImportFrom):
                    assert statement.module
                    found |= {str(alias.asname): statement.module for alias in statement.names}
    return found


@pytest.mark.parametrize("name", ticktree.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(ticktree, name) is not None
    assert name in dir(ticktree)


def test_type_checkers_see_the_same_names() -> None:
    assert imports_for_type_checkers() == HOMES


def test_version_is_the_installed_one() -> None:
    assert ticktree.__version__ == version("ticktree")
    assert "__version__" in dir(ticktree)


@pytest.mark.parametrize(("wrong", "right"), [("Stratgy", "Strategy"), ("ema", "Ema"), ("actor", "Actor")])
def test_unknown_name_suggests_the_nearest(wrong: str, right: str) -> None:
    with pytest.raises(AttributeError, match=rf"no attribute '{wrong}'; did you mean '{right}'\?"):
        getattr(ticktree, wrong)


def test_name_like_no_other_suggests_nothing() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'xyzzy'$"):
        assert ticktree.xyzzy  # type: ignore[attr-defined]  # and type checkers refuse it


def test_vocabulary_loads_neither_network_nor_strategies() -> None:
    program = "import sys, ticktree.market; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "ticktree.market" in loaded
    assert loaded.isdisjoint({"asyncio", "aiohttp", "picows", "ticktree.actors", "ticktree.strategies"})
