"""The page has all of a run, marked and explained, and nothing that the run has not."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.measure import Figure
from benchmarks.page import HOME, Page, Words, amount, page, written
from benchmarks.page.__main__ import main
from benchmarks.runs import Run, Unreadable, newest, read

from .made import curve, disturbed, figure, kept
from .test_benchmarks import FIGURES, LONG_FIGURES

DOCS = Path(__file__).parents[2] / "docs"
GROWS = (
    curve("subscribers_shared", 1.0, 1.1, 1.2) + curve("subscribers_distinct", 1.0, 2.0, 8.0) + curve("feeds", 1.0, 0.9)
)

SERIES = {"t_s": [10.0, 20.0, 30.0], "rss_mib": [80.0, 81.0, 81.5], "control_p99_ms": [0.0, 9.0, 12.0]}


def _page(*figures: Figure, **missing: str) -> str:
    return page(Run(list(figures), missing)).text


def test_the_page_and_its_pictures_are_those_of_the_newest_run() -> None:
    try:
        path = newest()
    except Unreadable as unreadable:
        pytest.skip(str(unreadable))
    made = page(read(path))
    assert (DOCS / "performance.md").read_text() == made.text, (
        f"{path} says otherwise: run `python -m benchmarks.page {path}`"
    )
    there = {file.stem: file.read_text() for file in (DOCS / "performance").glob("*.svg")}
    assert there == made.pictures


def test_the_same_run_makes_the_same_page_and_pictures() -> None:
    run = Run([figure("tcp_batch batch_full", 0.6), *GROWS])
    assert page(run) == page(run)


def test_every_figure_is_explained_in_its_section() -> None:
    named = re.findall(r"^(\w+ [\w*]+): ", (HOME / "performance.md.j2").read_text(), re.MULTILINE)
    patterns = [re.compile(one.replace("*", ".*")) for one in named]
    for benchmark in set(FIGURES | LONG_FIGURES) - {"scale"}:  # of which each picture has a text
        for one in (FIGURES | LONG_FIGURES)[benchmark]:
            assert any(pattern.fullmatch(f"{benchmark} {one}") for pattern in patterns), f"{benchmark} {one}"


def test_a_figure_is_told_with_its_yardstick_ratio_spread_and_rounds() -> None:
    assert "| `tcp_batch batch_full` | 1.24 M ticks/s | 2 M ticks/s | 0.62 | 0.52 to 0.72 | 7 |" in _page(
        figure("tcp_batch batch_full", 0.62)
    )


def test_a_disturbed_figure_has_question_marks_wherever_it_is_told_and_its_reason_once() -> None:
    text = _page(disturbed("tcp_batch batch_full", 0.62))
    assert "| `tcp_batch batch_full` | 1.24 M ticks/s ? | 2 M ticks/s ? | 0.62 ? | 0.52 to 0.72 | 7 |" in text
    assert (
        "| 1 | `tcp_batch batch_full` | at least 0.60 | 0.75 | 0.62? | not known: others took 40% of the machine |"
        in text
    )
    assert text.count("- **?** `tcp_batch batch_full`: others took 40% of the machine.") == 1
    assert "The stream of `batch_full` makes 1.24 M ticks/s ?;" in text
    assert "one was disturbed" in text


def test_what_a_run_lacks_is_said_to_be_missing_with_the_reason() -> None:
    text = _page(figure("tcp_event event", 0.66), peers="there is no such Python", tcp_batch="there is no C compiler")
    assert "- `peers`: there is no such Python." in text
    assert re.search(r"^- `tcp_batch batch_full`: .* \*\*Missing\*\*: there is no C compiler\.$", text, re.MULTILINE)
    assert "The stream of `batch_full` makes (missing: there is no C compiler);" in text
    assert "| missing: there is no C compiler |" in text
    assert re.search(r"^- `route one`: .* \*\*Missing\*\*: this run has not measured it\.$", text, re.MULTILINE)


def test_no_number_stands_in_the_page_of_an_empty_table() -> None:
    cells = re.findall(r"^\| `.*", _page(figure("tcp_event event", 0.66)), re.MULTILINE)
    assert cells == ["| `tcp_event event` | 1.32 M ticks/s | 2 M ticks/s | 0.66 | 0.56 to 0.76 | 7 |"]


def test_a_figure_that_has_no_words_yet_is_told_nevertheless() -> None:
    assert "## What no other section has" not in _page(figure("tcp_event event"))
    new = [figure("brand new", 2.0, actors=1), figure("brand new", 2.0, actors=10)]
    told = _page(*new, figure("tuning uvloop"), figure("overload age_p99", series=SERIES))
    rows = re.findall(r"^\| `(.*?)`", told.partition("What no other section has")[2], re.MULTILINE)
    assert rows == ["brand new", "brand new"]


def test_goals_are_judged() -> None:
    text = _page(figure("tcp_batch batch_full", 0.45), figure("startup help", more_ms=2.5))
    assert "| 1 | `tcp_batch batch_full` | at least 0.60 | 0.75 | 0.45 | short of it by 25% |" in text
    assert (
        "| 9 | `startup help` | at most 150 ms more | 50 ms more | 2 ms more | reached, and the moonshot, too |" in text
    )


def test_conditions_are_those_of_the_run() -> None:
    text = _page(figure("a b"), figure("c d", conditions={"date": "2024-02-01 00:00 UTC", "machine": "a CPU"}))
    assert "| measured | 2024-01-31 12:00 UTC to 2024-02-01 00:00 UTC |" in text
    assert "| CPU | a CPU |" in text


# --- curves ---


def _made(*figures: Figure) -> Page:
    return page(Run(list(figures)))


def test_curves_whose_names_begin_alike_share_a_picture_that_the_page_shows() -> None:
    made = _made(*GROWS)
    assert list(made.pictures) == ["subscribers", "feeds"]
    assert "](performance/subscribers.svg)" in made.text
    assert "| `subscribers_distinct` | 100 | 250 k ticks/s | 8.00 | " in made.text


def test_a_picture_is_svg_whose_text_is_text_and_which_has_no_background() -> None:
    svg = _made(*GROWS).pictures["subscribers"]
    root = ElementTree.fromstring(svg)
    texts = [found.text for found in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"subscribers", "subscribers shared", "subscribers distinct", "100"} <= set(texts)
    assert "fill: #ffffff" not in svg
    assert "<dc:date>" not in svg


def test_what_was_looked_at_for_minutes_is_a_picture_of_its_benchmark() -> None:
    made = _made(figure("overload memory_growth", 5.0, series=SERIES), figure("overload control_p99", 9.0))
    assert list(made.pictures) == ["overload"]
    root = ElementTree.fromstring(made.pictures["overload"])
    texts = [found.text for found in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"minutes", "MiB", "rss", "ms", "control p99"} <= set(texts)
    section = made.text.partition("### Overload")[2]
    assert "](performance/overload.svg)" in section
    assert "| `overload control_p99` | 18 M ticks/s |" in section


def test_the_text_of_a_curve_stands_beside_its_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for file in HOME.glob("*.j2"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "curves").mkdir()
    (tmp_path / "curves" / "feeds.md").write_text('It bends: {{ ratio("scale feeds_10") }}.\n')
    monkeypatch.setattr("benchmarks.page.HOME", tmp_path)
    assert "It bends: 1.11.\n" in _page(*GROWS)


def test_a_point_that_was_disturbed_is_hollow_and_told() -> None:
    first, last = curve("feeds", 1.0, 2.0)
    doubtful = disturbed("scale feeds_10", 0.5)
    extra = {**last.extra, **doubtful.extra}
    made, calm = _made(first, figure("scale feeds_10", 0.5, **extra)), _made(first, last)
    assert "- **?** `scale feeds_10`: others took 40% of the machine." in made.text
    hollow = "fill-opacity: 0; stroke"
    assert (made.pictures["feeds"].count(hollow), calm.pictures["feeds"].count(hollow)) == (1, 0)


# --- words ---


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (3_187_459.6, "messages/s", "3.19 M messages/s"),
        (32_650.0, "children/s", "32.6 k children/s"),
        (304_300.0, "messages/s", "304 k messages/s"),
        (4_436.0, "orders/s", "4,436 orders/s"),
        (154.8, "us", "155 us"),
        (0.84, "us", "0.84 us"),
    ],
)
def test_an_amount_has_three_digits_and_its_unit(value: float, unit: str, words: str) -> None:
    assert amount(value, unit) == words


def test_a_figure_of_so_many_actors_is_named_with_them() -> None:
    words = Words(Run([figure("mailbox tell", 3.0, actors=1), figure("mailbox tell", 2.0, actors=10, more=1.25)]))
    assert (words.ratio("mailbox tell 10"), words.extra("mailbox tell 10", "more")) == ("2.00", "1.25")


# --- the command ---


def test_the_command_writes_the_page_and_its_pictures_and_removes_old_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = kept(tmp_path / "run.jsonl", disturbed("a b"), *GROWS, peers="why"), tmp_path / "docs" / "page.md"
    (out.parent / "performance").mkdir(parents=True)
    (out.parent / "performance" / "gone.svg").touch()
    assert main([str(run), "--out", str(out)]) == 0
    assert {file.name for file in (out.parent / "performance").iterdir()} == {"subscribers.svg", "feeds.svg"}
    assert out.read_text() == page(read(run)).text
    captured = capsys.readouterr()
    assert str(out) in captured.out.splitlines()
    assert captured.err.splitlines() == [
        "1 of 9 figures were disturbed, and have a question mark",
        "peers is missing: why",
    ]


def test_a_kept_run_is_that_of_the_project_s_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.page.__main__.HISTORY", tmp_path / "history")
    monkeypatch.setattr("benchmarks.page.__main__.version", lambda: "1.2.3")
    run = kept(tmp_path / "run.jsonl", figure("a b"))
    assert main([str(run), "--out", str(tmp_path / "page.md"), "--keep"]) == 0
    assert read(tmp_path / "history" / "1.2.3.jsonl") == read(run)


def test_without_a_run_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "run.jsonl"), "--out", str(tmp_path / "page.md")]) == 2
    assert not list(tmp_path.iterdir())
    assert "there is no" in capsys.readouterr().err


def test_written_says_what_is_there(tmp_path: Path) -> None:
    assert [file.name for file in written(_made(*GROWS), tmp_path / "page.md")] == [
        "page.md",
        "subscribers.svg",
        "feeds.svg",
    ]
