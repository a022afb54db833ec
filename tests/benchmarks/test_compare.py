"""Two runs are told apart by what lies beyond the spread of both, and by nothing else."""

from pathlib import Path

import pytest

from benchmarks.compare import main

from .made import disturbed, figure, kept


def _compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    code = main([str(tmp_path / "old.jsonl"), str(tmp_path / "new.jsonl")])
    return code, capsys.readouterr().out.splitlines()[1:]


def test_each_figure_is_worse_or_better_or_the_same_or_unknown_or_new_or_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(
        tmp_path / "old.jsonl",
        figure("b down", 1.0), figure("b up", 1.0), figure("b within", 1.0), figure("b noisy", 1.0),
        figure("b lost", 1.0), figure("tell it", 3.0, actors=1), figure("tell it", 3.0, actors=10),
    )  # fmt: skip
    kept(
        tmp_path / "new.jsonl",
        figure("b down", 0.5), figure("b up", 2.0), figure("b within", 0.85), disturbed("b noisy", 0.1),
        figure("b more", 1.0), figure("tell it", 3.0, actors=1), figure("tell it", 2.0, actors=10),
    )  # fmt: skip
    code, lines = _compared(tmp_path, capsys)
    assert code == 1
    assert [line.split()[:3] for line in lines[:-1]] == [
        ["worse", "b", "down"],
        ["worse", "tell", "it"],
        ["better", "b", "up"],
        ["unknown", "b", "noisy"],
        ["new", "b", "more"],
        ["gone", "b", "lost"],
    ]
    assert "1.00 (0.90 to 1.10)  ->  0.50 (0.40 to 0.60)" in lines[0]
    assert "(10 actors)" in lines[1]
    assert "disturbed in the new run: others took 40% of the machine" in lines[3]
    assert lines[-1] == "2 worse, 1 better, 2 the same within the spread, 1 cannot be compared, 1 new, 1 gone"


def test_rounds_that_touch_are_within_the_spread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(tmp_path / "old.jsonl", figure("b f", 1.0, 0.25))
    kept(tmp_path / "new.jsonl", figure("b f", 0.5, 0.25))
    assert _compared(tmp_path, capsys)[0] == 0


def test_nothing_worse_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(tmp_path / "old.jsonl", figure("b f", 1.0), disturbed("b g", 5.0))
    kept(tmp_path / "new.jsonl", figure("b f", 9.0), figure("b g", 1.0))
    code, lines = _compared(tmp_path, capsys)
    assert code == 0
    assert "disturbed in the old run" in lines[1]


def test_what_is_gone_is_told_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(tmp_path / "old.jsonl", figure("b f"), figure("peers x"))
    kept(tmp_path / "new.jsonl", figure("b f"), peers="there is no Python that has them")
    code, lines = _compared(tmp_path, capsys)
    assert code == 0
    assert lines[0].split(maxsplit=3)[3] == "there is no Python that has them"


def test_other_machines_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(tmp_path / "old.jsonl", figure("b f"))
    kept(tmp_path / "new.jsonl", figure("b f", conditions={"machine": "another CPU", "cores": 2, "python": "3.11.1"}))
    assert _compared(tmp_path, capsys)[1][0] == "note: machine: a CPU in the old run, another CPU in the new one"


def test_unless_told_it_is_the_latest_release_and_what_make_bench_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    latest = kept(tmp_path / "0.1.0.jsonl", figure("b f", 3.0))
    monkeypatch.setattr("benchmarks.compare.newest", lambda: latest)
    monkeypatch.chdir(tmp_path)
    kept(Path("bench.jsonl"), figure("b f", 1.0))
    assert main([]) == 1
    assert capsys.readouterr().out.startswith(f"{latest}  ->  bench.jsonl\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "there is no "),
        ('{"benchmark":"b","fig', "was it cut off?"),
        ("{}", "is no figure of a run"),
        ("", "no figures"),
    ],
)
def test_a_file_that_is_no_run_is_answered_with_2(
    text: str | None, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = kept(tmp_path / "old.jsonl", figure("b f")), tmp_path / "new.jsonl"
    if text is not None:
        new.write_text(text)
    assert main([str(old), str(new)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(new) in captured.err
    assert why in captured.err


@pytest.mark.parametrize("arguments", [["a", "b", "c"], ["--what"]])
def test_a_command_that_makes_no_sense_is_answered_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "the latest in benchmarks/history" in told
    assert "Exit code 1 says that something got worse" in told
