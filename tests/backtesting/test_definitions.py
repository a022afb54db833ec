"""docs/statistics.md defines every statistic in the same words as pages do, under the heading that they link to."""

import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from msgspec.structs import fields

from ticktree.backtesting.definitions import DEFINITIONS, GROUPS, Definition, listed, value
from ticktree.backtesting.statistics import Row, statistics

from ..shapes import structs
from .outcomes import busy

PAGE = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text()
# What is no figure of its own: what a row is of, how many a ratio is of, and what holds others.
NO_FIGURES = {"strategy", "instrument", "currency", "states", "won", "lost", "markouts", "after_s", "note"}


@pytest.mark.parametrize("one", DEFINITIONS, ids=lambda one: one.path)
def test_every_statistic_has_its_heading_path_and_meaning(one: Definition) -> None:
    headings = re.findall(r"^### (.*)$", PAGE, re.MULTILINE)
    assert headings.count(one.label) == 1
    section = PAGE.split(f"\n### {one.label}\n")[1].partition("\n#")[0]
    assert section.strip().startswith(f"`{one.path}`, ")
    assert one.means in " ".join(section.split())
    assert one.anchor == re.sub(r"[^\w-]", "", one.label.lower().replace(" ", "-"))


def test_statistics_stand_under_the_headings_of_their_groups_in_order() -> None:
    text = PAGE.partition("\n## As JSON\n")[0]
    told = re.findall(r"^(##+) (.*)$", text, re.MULTILINE)
    expected = list[tuple[str, str]]()
    for name, group in GROUPS.items():
        labels = [one.label for one in DEFINITIONS if one.path.startswith(f"{name}.")]
        expected += [("##", group), *(("###", label) for label in labels)]
    assert told == expected


def test_no_figure_of_a_row_is_without_a_definition() -> None:
    (row,) = statistics(busy(strategies=("a",)).outcome()).total
    defined = {one.path.rpartition(".")[2] for one in DEFINITIONS}
    named = {field.name for kind in structs(Row) for field in fields(kind)}
    holders = {name for kind in structs(Row) for name, hint in get_type_hints(kind).items() if structs(hint)}
    assert named - NO_FIGURES - holders == defined
    assert [value(row, path) for path in ("profit.net", "risk.drawdown.share")] == [row.profit.net, None]


def test_the_program_of_the_page_works_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(program, "statistics.md", "exec"), names)
    names["look"](busy(strategies=("a",)).outcome())
    assert capsys.readouterr().out.startswith("a USDT ")


def test_what_has_horizons_is_listed_once_for_each() -> None:
    (row,) = statistics(busy(strategies=("a",)).outcome()).total
    figures = {label: figure for label, _, figure in listed(row)}
    assert [figures[f"Markout {after} s"] for after in (1, 10, 60)] == [
        markout.markout_bp for markout in row.quality.markouts
    ]
    assert len(figures) == len(DEFINITIONS) + 2 * 2
