"""A back-test as JSON: it reads back whole, and docs/statistics.md has a table for each object in it."""

import re
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import fields

from ticktree.backtesting.as_json import Document, as_json
from ticktree.backtesting.statistics import statistics

from ..shapes import shape, structs
from .outcomes import Street, busy

PAGE = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text()
STRUCTS = structs(Document)


def test_it_reads_back_as_the_values_that_it_was_made_of() -> None:
    for outcome in (busy().outcome(incomplete="its feed failed"), Street().outcome()):
        data = as_json(outcome, statistics(outcome))
        back = msgspec.json.decode(data, type=Document)
        assert (back.version, back.outcome, back.statistics) == (1, outcome, statistics(outcome))
        assert data.endswith(b"}\n")
        assert data.count(b"\n") == 1


def test_exact_numbers_are_text_without_needless_zeros_and_what_is_not_known_is_null() -> None:
    outcome = busy(span_s=30, every_s=1, strategies=("a",)).outcome()
    told: Any = msgspec.json.decode(as_json(outcome, statistics(outcome)))
    (row,) = told["statistics"]["total"]
    assert (row["profit"]["net"], row["profit"]["fees"]) == ("-0.94", "0.13")
    assert (row["risk"]["sharpe"], row["risk"]["note"]) == (None, "30 s of data")
    assert told["outcome"]["fills"][0]["price"] == str(outcome.fills[0].price)
    assert told["outcome"]["orders"][-1]["state"] == "canceled"


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_object_has_its_table(kind: type[Struct]) -> None:
    section = PAGE.split(f"\n### {kind.__name__} object\n")[1].partition("\n#")[0]
    hints = get_type_hints(kind)
    told = re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE)
    assert told == [(field.encode_name, shape(hints[field.name], "-object")) for field in fields(kind)]


def test_the_page_has_no_table_of_something_else() -> None:
    found = re.findall(r"^### (\w+) object$", PAGE, re.MULTILINE)
    assert found == [kind.__name__ for kind in STRUCTS]


def test_links_inside_the_page_lead_to_a_heading_of_it() -> None:
    headings = [heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)]
    assert len(headings) == len(set(headings))
    assert set(re.findall(r"\]\(#([^)]*)\)", PAGE)) <= set(headings)
