"""A run is read as it was written, and what is none is refused with the reason."""

import json
from pathlib import Path

import pytest

from benchmarks.runs import Run, Unreadable, newest, read, version, write

from .made import disturbed, figure, kept


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = Run([figure("mailbox tell", 3.0, actors=10), disturbed("relay to_1")], {"peers": "there are none"})
    path = tmp_path / "run.jsonl"
    write(path, run)
    assert read(path) == run
    assert [json.loads(line)["benchmark"] for line in path.read_text().splitlines()] == ["mailbox", "relay", "peers"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_figure_is_found_by_its_name_and_actors() -> None:
    one, ten = figure("mailbox tell", 3.0, actors=1), figure("mailbox tell", 2.0, actors=10)
    run = Run([one, ten])
    assert (run.find("mailbox", "tell", 10), run.find("mailbox", "tell"), run.find("x", "tell", 1)) == (ten, None, None)


def test_what_is_measured_anew_is_left_out_with_its_reasons() -> None:
    run = Run([figure("a x"), figure("b y")], {"a": "why", "c": "why not"})
    assert run.without(["a"]) == Run([figure("b y")], {"c": "why not"})


LINE = figure("a x").line()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{LINE}\n{LINE[:50]}", "line 2, is no whole line of JSON: was it cut off?"),
        (f'{LINE}\n{{"benchmark": "a"}}\n', "line 2, is no figure of a run: Object missing required field `figure`"),
        (LINE.replace('"rounds":7', '"rounds":"many"'), "line 1, is no figure of a run: Expected `int`, got `str`"),
        (
            LINE.replace('"rounds"', '"interference":true,"rounds"'),
            "is no figure of a run: Expected `array`, got `bool`",
        ),
        ("[1, 2]\n", "line 1, is no figure of a run: Expected `object`, got `array`"),
        ('{"benchmark": "a", "missing": 3}', "line 1, is no figure of a run"),
        ("", "has no figures"),
        (f"{LINE}\n{LINE}\n", "has a x more than once"),
    ],
)
def test_a_file_that_is_no_run_is_refused_with_the_line_and_the_reason(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(text)
    with pytest.raises(Unreadable) as refused:
        read(path)
    assert str(refused.value).startswith(str(path))
    assert why in str(refused.value)


def test_a_file_that_is_not_there_or_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"there is no .*: `make bench` writes"):
        read(tmp_path / "run.jsonl")
    with pytest.raises(Unreadable, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(Unreadable, match="cannot be read"):
        read(tmp_path / "bytes")


def test_the_latest_release_is_told_by_its_numbers_not_its_letters(tmp_path: Path) -> None:
    for name in ("0.9.0", "0.10.0", "0.2.11"):
        kept(tmp_path / f"{name}.jsonl", figure("a x"))
    assert newest(tmp_path).name == "0.10.0.jsonl"


def test_without_any_release_it_is_told_how_one_is_kept(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="make performance"):
        newest(tmp_path)


def test_the_version_is_the_project_s() -> None:
    assert version().count(".") == 2
