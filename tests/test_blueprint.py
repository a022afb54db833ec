"""From a name to the files of a new package: which names there may be, and what is made of them."""

import ast
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.blueprint import FILES, GROUPS, LONGEST, BadName, Kind, blueprint, class_name

from .packages import packages

KINDS: tuple[Kind, ...] = get_args(Kind)
TOO_LONG = "a" * (LONGEST + 1)


def texts(kind: Kind, name: str) -> dict[str, str]:
    return {file.name: file.text for file in blueprint(kind, name)}


def refused(kind: Kind, name: str) -> BadName:
    with pytest.raises(BadName) as raised:
        blueprint(kind, name)
    assert raised.value.name == name
    blueprint(kind, raised.value.nearest)  # which is right
    return raised.value


# --- what is made ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_template_is_made_a_file_and_no_other_is(kind: Kind) -> None:
    there = {one.name for one in (files("ticktree") / "templates" / kind).iterdir() if one.is_file()}
    assert there == set(FILES[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_name_stands_wherever_that_of_the_template_stood(kind: Kind) -> None:
    made = texts(kind, "alpha_centauri")
    module, test, config = list(made)[:3]
    assert (module, test, config) == ("alpha_centauri.py", "test_alpha_centauri.py", "alpha_centauri.toml")
    assert ".gitignore" in made
    for text in (*made, *made.values()):
        for word in (f"new{kind}", f"New{kind.capitalize()}", f"new-{kind}"):
            assert word not in text
    project = tomllib.loads(made["pyproject.toml"])
    assert project["project"]["name"] == "alpha-centauri"
    made_class = class_name(kind, "alpha_centauri")
    assert project["project"]["entry-points"] == {GROUPS[kind]: {"alpha_centauri": f"alpha_centauri:{made_class}"}}
    assert f"class {made_class}(" in made[module]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["x", "a" * LONGEST, "zebra_2_crossing"])
def test_what_is_made_can_be_read_and_fits_its_lines(kind: Kind, name: str) -> None:
    for file, text in texts(kind, name).items():
        if file.endswith(".py"):
            ast.parse(text)
            assert max(map(len, text.splitlines())) <= 120
        elif file.endswith(".toml"):
            tomllib.loads(text)
        assert text.endswith("\n")


def test_a_name_that_holds_the_template_s_own_is_put_in_once() -> None:
    assert "class NewstrategyTwo(Strategy[Params])" in texts("strategy", "newstrategy_two")["newstrategy_two.py"]


@pytest.mark.parametrize(
    ("name", "imported"), [("alpha", "Alpha, Params"), ("zebra", "Params, Zebra"), ("x2", "X2, Params")]
)
def test_imports_are_in_order_whatever_the_name(name: str, imported: str) -> None:
    assert f"\nfrom {name} import {imported}\n" in texts("strategy", name)[f"test_{name}.py"]


@pytest.mark.parametrize(
    ("kind", "name", "called"),
    [
        ("strategy", "mean_reversion", "MeanReversion"),
        ("strategy", "my_3ema", "My3ema"),
        ("feed", "acme", "AcmeFeed"),
        ("feed", "acme_feed", "AcmeFeed"),
    ],
)
def test_classes_are_called_after_their_package(kind: Kind, name: str, called: str) -> None:
    assert class_name(kind, name) == called


# --- what it may be called -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("My-Strategy", "my_strategy"),
        ("MeanReversion", "mean_reversion"),
        ("mean reversion", "mean_reversion"),
        ("_mean__reversion_", "mean_reversion"),
        ("3ema", "my_3ema"),
        ("../../etc/passwd", "etc_passwd"),
        ("a.b", "a_b"),
        ("Stratégie", "strategie"),
        ("", "my_strategy"),
        ("\0", "my_strategy"),
    ],
)
def test_what_is_no_name_is_answered_with_the_nearest_one(name: str, nearest: str) -> None:
    error = refused("strategy", name)
    assert error.nearest == nearest
    assert str(error).endswith(f"and _ between words; did you mean {nearest!r}?")


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        ("strategy", "class", "is a word of Python's own"),
        ("strategy", "random", "would hide the module of that name of Python's library"),
        ("strategy", "msgspec", "would hide the module of that name in "),
        ("feed", "ticktree", "would hide the module of that name in "),
        ("strategy", "momentum", "is what ticktree calls a strategy of its own"),
        ("feed", "kraken", "is what ticktree calls a feed of its own"),
        ("strategy", "conftest", "would be taken by pytest for a file of its own"),
        ("strategy", "setup", "would be taken by setuptools for a file of its own"),
        ("strategy", "z_score", "would be a class ZScore, which there is already"),
        ("feed", "feed", "would be a class Feed, which there is already"),
        ("strategy", "none", "would be a class None, which there is already"),
        ("strategy", "recorded", "is the name of another file of the package"),
        ("feed", "pretend", "is the name of another file of the package"),
        ("feed", TOO_LONG, f"is longer than {LONGEST} characters"),
    ],
)
def test_what_would_hide_or_mix_up_something_is_refused(kind: Kind, name: str, why: str) -> None:
    assert refused(kind, name).why.startswith(why)


@pytest.mark.parametrize(("kind", "name"), [("strategy", "kraken"), ("feed", "momentum"), ("feed", "recorded")])
def test_what_only_the_other_kind_has_is_free(kind: Kind, name: str) -> None:
    assert blueprint(kind, name)[0].name == f"{name}.py"


def test_what_a_package_of_others_announces_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with packages(tmp_path, monkeypatch, "ticktree.strategies") as place:
        place.install("acme", "zigzag = acme_module:Acme")
        place.install("omega", "my_zigzag = omega_module:Omega")
        error = refused("strategy", "zigzag")
    assert (error.why, error.nearest) == ("is what acme calls a strategy of its own", "my_zigzag_2")
    assert "acme_module" not in sys.modules


def test_a_mere_folder_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "zigzag").mkdir()
    assert blueprint("strategy", "zigzag")


@settings(max_examples=25)
@given(st.sampled_from(KINDS), st.text(max_size=LONGEST + 5) | st.sampled_from(sorted(sys.stdlib_module_names)))
def test_every_text_is_a_name_or_is_answered_with_one(kind: Kind, text: str) -> None:
    try:
        made = blueprint(kind, text)
    except BadName as error:
        made = blueprint(kind, error.nearest)
    assert len(made) == len({file.name for file in made}) == len(FILES[kind])
