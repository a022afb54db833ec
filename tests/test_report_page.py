"""docs/report.md says what stands in a report: its tables have the keys of the structs in order, and their types."""

import re
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from msgspec import Struct
from msgspec.structs import fields

from ticktree.report import Report

PAGE = Path(__file__).parent.parent / "docs" / "report.md"
PLAIN: dict[object, str] = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def structs(kind: Any) -> list[type[Struct]]:
    """`kind` and all that stand in it, each once, in the order of its keys."""
    found, inner = list[type[Struct]](), get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Struct):
        found, inner = [kind], tuple(get_type_hints(kind).values())
    for hint in inner:
        found += [one for one in structs(hint) if one not in found]
    return found


STRUCTS = structs(Report)


def shape(hint: Any) -> str:
    """What stands there, in words."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    inside = [one for one in get_args(hint) if one is not NoneType]
    if get_origin(hint) is dict:
        return f"object of name: {shape(inside[1])}"
    if get_origin(hint) is list:
        return f"list of {shape(inside[0])}"
    if get_origin(hint) is tuple:
        return f"[{', '.join(map(shape, inside))}]"
    return f"{shape(inside[0])}, or null" if inside else PLAIN[hint]


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_object_of_a_report_has_its_table(kind: type[Struct]) -> None:
    section = PAGE.read_text().split(f"\n## {kind.__name__}\n")[1].split("\n## ")[0]
    hints = get_type_hints(kind)
    told = re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE)
    assert told == [(field.encode_name, shape(hints[field.name])) for field in fields(kind)]


def test_the_page_has_no_table_of_something_else() -> None:
    assert re.findall(r"^## (\w+)$", PAGE.read_text(), re.MULTILINE) == [kind.__name__ for kind in STRUCTS]
