"""Classes by name: found without importing others, and every way not to find one is named."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from tests.packages import Packages, packages
from ticktree.actors import (
    ActorsError,
    AmbiguousPlugin,
    BrokenPlugin,
    NotAPlugin,
    PluginError,
    Plugins,
    UnknownPlugin,
)


class Shape:
    """What the plug-ins of these tests are."""


def misfit(found: object) -> str:
    return "" if isinstance(found, type) and issubclass(found, Shape) else "no shape"


SHAPES: Plugins[Shape] = Plugins("tests.shapes", "shape type", misfit)
SOUND = f"from {__name__} import Shape\nclass Acme(Shape):\n    class Inner(Shape):\n        pass\n"
HERE = f"{__name__}:"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    with packages(tmp_path, monkeypatch, SHAPES.group) as place:
        yield place


def test_a_class_is_found_by_the_name_that_its_package_announces(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", SOUND)
    assert SHAPES.load("acme").__name__ == "Acme"
    assert issubclass(SHAPES.load("acme"), Shape)


def test_or_by_its_module_and_class(place: Packages) -> None:
    assert SHAPES.load(f"{HERE}Shape") is Shape
    place.install("acme", "", SOUND)
    assert SHAPES.load("acme_module:Acme").__module__ == "acme_module"


def test_an_entry_point_may_name_a_class_within_another_and_extras(place: Packages) -> None:
    place.install("acme", "acme = acme_module : Acme.Inner [fast]", SOUND)
    assert SHAPES.load("acme").__qualname__ == "Acme.Inner"


def test_where_each_name_leads_is_told_without_importing_anything(place: Packages) -> None:
    place.install("acme", "round = acme_module:Acme\nangular = acme_module:Acme", "raise RuntimeError('imported')")
    assert list(SHAPES.known().items()) == [
        ("angular", "acme_module:Acme of acme 1.0"),
        ("round", "acme_module:Acme of acme 1.0"),
    ]
    assert "acme_module" not in sys.modules


def test_nothing_is_imported_but_what_is_asked_for(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", SOUND)
    place.install("zenith", "zenith = zenith_module:Zenith", "raise RuntimeError('imported')")
    SHAPES.load("acme")
    with pytest.raises(UnknownPlugin):
        SHAPES.load("acne")
    assert "zenith_module" not in sys.modules


def test_an_unknown_name_is_answered_with_the_known_ones_and_the_nearest(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme\nround = acme_module:Acme")
    with pytest.raises(UnknownPlugin) as caught:
        SHAPES.load("acne")
    assert str(caught.value) == (
        "shape type 'acne': no installed package has it (did you mean 'acme'?); known: acme, round; "
        "or write package.module:Class"
    )
    assert (caught.value.name, caught.value.near, caught.value.known) == ("acne", ("acme",), ("acme", "round"))


def test_where_nothing_is_known_that_is_said() -> None:
    with pytest.raises(UnknownPlugin, match="known: none; or write"):
        SHAPES.load("acme")


@pytest.mark.parametrize("name", ["", ":", "a:", ":b", "os:system; x", "a b:c", "../x:Y", "a:b:c", "ä:B", "os.path"])
def test_what_is_no_name_imports_nothing(name: str) -> None:
    with pytest.raises(UnknownPlugin):
        SHAPES.load(name)


@pytest.mark.parametrize(
    ("source", "error", "told"),
    [
        ("import nowhere_to_be_found", ModuleNotFoundError, "ModuleNotFoundError: No module named 'nowhere_to_be_fou"),
        ("from os import nothing_like_it", ImportError, "ImportError: cannot import name 'nothing_like_it'"),
        ("class Acme(:", SyntaxError, r"SyntaxError: .*\(acme_module.py, line 1\)"),
        ("\tx = 1\n  y = 2", SyntaxError, "IndentationError: .*acme_module.py"),
        ("import sys\nsys.exit('no licence')", SystemExit, "SystemExit: no licence"),
        ("raise SystemExit", SystemExit, "SystemExit$"),
        ("import asyncio\nraise asyncio.CancelledError", BaseException, "CancelledError$"),
        ("1 / 0", ZeroDivisionError, "ZeroDivisionError: division by zero"),
        ("", AttributeError, "AttributeError: module 'acme_module' has no attribute 'Acme'"),
    ],
)  # fmt: skip
def test_one_that_does_not_import_says_whose_it_is_and_why(
    place: Packages, source: str, error: type[BaseException], told: str
) -> None:
    place.install("acme", "acme = acme_module:Acme", source)
    with pytest.raises(BrokenPlugin, match=rf"'acme': acme_module:Acme of acme 1\.0 cannot be imported: {told}") as it:
        SHAPES.load("acme")
    assert isinstance(it.value.__cause__, error)
    assert it.value.origin == "acme_module:Acme of acme 1.0"


def test_an_interrupt_during_the_import_passes(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        SHAPES.load("acme")


@pytest.mark.parametrize("value", ["acme_module", "acme_module:", ".acme_module:Acme", "a b:Acme"])
def test_an_entry_point_that_is_none_is_named(place: Packages, value: str) -> None:
    place.install("acme", f"acme = {value}", SOUND)
    with pytest.raises((BrokenPlugin, NotAPlugin), match="'acme': "):
        SHAPES.load("acme")


def test_what_does_not_fit_is_refused_with_what_is_wrong() -> None:
    with pytest.raises(NotAPlugin) as caught:
        SHAPES.load("builtins:int")
    assert str(caught.value) == "shape type 'builtins:int': builtins:int is no shape"
    assert caught.value.origin == "builtins:int"


def test_a_name_that_two_packages_claim_is_nobodys(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", SOUND)
    place.install("zenith", "acme = zenith_module:Zenith", SOUND)
    with pytest.raises(AmbiguousPlugin, match=r"write package\.module:Class instead") as caught:
        SHAPES.load("acme")
    assert caught.value.claims == ("acme_module:Acme of acme 1.0", "zenith_module:Zenith of zenith 1.0")
    assert SHAPES.known()["acme"] == "; ".join(caught.value.claims)


def test_a_package_that_is_found_twice_on_the_path_claims_once(
    place: Packages, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.install("acme", "acme = acme_module:Acme", SOUND)
    with packages(tmp_path_factory.mktemp("again"), monkeypatch, SHAPES.group) as again:
        again.install("acme", "acme = acme_module:Acme", SOUND)
        assert SHAPES.load("acme").__name__ == "Acme"
        assert SHAPES.known() == {"acme": "acme_module:Acme of acme 1.0"}


def test_all_its_errors_are_errors_of_the_room_and_of_values() -> None:
    for error in (UnknownPlugin, AmbiguousPlugin, BrokenPlugin, NotAPlugin):
        assert issubclass(error, PluginError)
    assert issubclass(PluginError, ActorsError)
    assert issubclass(PluginError, ValueError)


def test_the_runtime_is_imported_without_what_looks_for_packages() -> None:
    code = "import sys, ticktree.actors; print('importlib.metadata' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False"]


def test_what_is_installed_while_it_runs_is_found(place: Packages) -> None:
    assert SHAPES.known() == {}
    place.install("acme", "acme = acme_module:Acme", SOUND)
    assert SHAPES.load("acme").__name__ == "Acme"


def test_many_names_are_looked_up_at_once(place: Packages, monkeypatch: pytest.MonkeyPatch) -> None:
    place.install("acme", "acme = acme_module:Acme", SOUND)
    looks = list[str]()

    def counted(group: str) -> Any:
        looks.append(group)
        return entry_points(group=group)

    monkeypatch.setattr(importlib.metadata, "entry_points", counted)
    assert len({SHAPES.load("acme") for _ in range(500)}) == 1
    assert set(looks) == {"tests.shapes"}
    assert len(looks) < 50  # anew whenever something is installed, as tests beside this one do
