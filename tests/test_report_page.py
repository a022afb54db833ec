"""docs/report.md says what stands in a report: its tables have the keys of the structs in order, and their types."""

import re
from pathlib import Path
from typing import get_type_hints

import pytest
from msgspec import Struct
from msgspec.structs import fields

from ticktree.report import Report

from .shapes import shape, structs

PAGE = Path(__file__).parent.parent / "docs" / "report.md"

STRUCTS = structs(Report)


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_object_of_a_report_has_its_table(kind: type[Struct]) -> None:
    section = PAGE.read_text().split(f"\n## {kind.__name__}\n")[1].split("\n## ")[0]
    hints = get_type_hints(kind)
    told = re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE)
    assert told == [(field.encode_name, shape(hints[field.name])) for field in fields(kind)]


def test_the_page_has_no_table_of_something_else() -> None:
    assert re.findall(r"^## (\w+)$", PAGE.read_text(), re.MULTILINE) == [kind.__name__ for kind in STRUCTS]
