"""The JSON Schema says what the reader says."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from ticktree.cli import main
from ticktree.config import sections
from ticktree.config.problems import is_list, is_table
from ticktree.config.reading import known_keys
from ticktree.config.schema import schema

from .json_schema import errors
from .support import FEED
from .test_load import COMPLETE

ROOT = Path(__file__).parent.parent.parent
SCHEMA = schema()
SECTIONS = [
    kind for kind in vars(sections).values()
    if isinstance(kind, type) and issubclass(kind, sections.Section)
    and kind not in (sections.Section, sections.Supervisor)
]  # fmt: skip


def references(value: Any) -> Iterator[str]:
    if is_table(value):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif is_list(value):
        for inner in value:
            yield from references(inner)


def test_the_command_prints_it() -> None:
    ran = CliRunner().invoke(main, ["schema"])
    assert ran.exit_code == 0
    assert json.loads(ran.output) == json.loads(json.dumps(SCHEMA))
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_what_it_refers_to_is_there() -> None:
    found = set(references(SCHEMA))
    assert found
    assert {reference.removeprefix("#/$defs/") for reference in found} <= set(SCHEMA["$defs"])


@pytest.mark.parametrize("kind", SECTIONS, ids=lambda kind: kind.__name__)
def test_it_has_every_key_of_every_section_with_what_it_means(kind: type[msgspec.Struct]) -> None:
    definition, keys = SCHEMA["$defs"][kind.__name__], known_keys(kind)
    assert list(definition["properties"]) == list(keys)
    assert definition.get("required", []) == [key for key, field in keys.items() if field.required]
    assert all(one["description"] for one in definition["properties"].values())
    assert definition["description"]


def test_every_section_is_there() -> None:
    assert list(SCHEMA["properties"]) == list(sections.ORDER)
    assert set(sections.ORDER) == {*sections.TOP, *sections.NAMED}


def test_options_of_announced_classes_and_parameters_of_announced_strategies_are_there() -> None:
    definitions = SCHEMA["$defs"]
    assert definitions["feed.kraken"]["properties"]["depth"] == {"type": "integer", "default": 1000}
    assert definitions["feed.relay"]["properties"]["token"] == {"type": "string", "pattern": "^(env|file):."}
    assert definitions["feed.records"]["required"] == ["type", "instruments", "url", "definitions"]
    assert definitions["params.momentum"]["properties"]


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/**/*.toml")), ids=lambda path: path.stem)
def test_the_examples_are_valid(path: Path) -> None:
    document = tomllib.loads(path.read_text())
    if "feeds" in document:
        assert errors(document, SCHEMA) == []


def test_the_complete_example_is_valid() -> None:
    assert errors(tomllib.loads(COMPLETE), SCHEMA) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "/"),
        ('[feeds.a]\ntype = "binance"\n', "/feeds/a"),
        ('[feeds.a]\ntype = "binance"\ninstruments = 5\n', "/feeds/a/instruments"),
        ('[feeds.a]\ntype = "kraken"\ninstruments = ["A-B"]\ndept = 5\n', "/feeds/a"),
        (f"{FEED}[sytem]\n", "/"),
        (f"{FEED}[system]\nbudget = 10\n", "/system/budget"),
        (f'{FEED}[system]\nbudget = "10 parsecs"\n', "/system/budget"),
        (f'{FEED}[relay]\nlisten = "x"\ntoken = "literal"\n', "/relay/token"),
        (f'{FEED}[strategies.m]\ntype = "momentum"\nparams = {{ speeed = 1 }}\n', "/strategies/m/params"),
        (f'{FEED}[venues.p]\ntype = "simulated"\n', "/venues/p"),
    ],
)
def test_what_is_wrong_is_invalid(text: str, where: str) -> None:
    assert [path for path, _ in errors(tomllib.loads(text), SCHEMA)] == [where]
