"""The benchmarks run, at sizes that mean nothing, and print what issue trackers and scripts can read."""

import asyncio
import gc
import json
import math
import os
import re
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from benchmarks.__main__ import ALL, main
from benchmarks.goals import RATIO, Goal
from benchmarks.limits import Missing
from benchmarks.machine import Taken, Watch
from benchmarks.measure import Figure, Inexact, Plan, Unit, doubted, figure_of, per_second, table
from benchmarks.runs import read

from .made import figure as made, kept

KEYS = ("benchmark", "figure", "unit", "ours", "yardstick", "ratio", "ratio_min", "ratio_max", "rounds")
LATENCIES, RATES = ("p50", "p99"), (1_000, 10_000)
FIGURES = {
    "mailbox": {"tell", "tell_weighted", "put"},
    "handoff": {"handoff", "handoff_cycle"},
    "spawn": {"start", "stop", "terminate", "memory"},
    "supervise": {"restart", "supervised_tell"},
    "tcp_batch": {"batch_bare", "batch_full", "batch_checked", "frames_1", "frames_16", "frames_256", "frames_1000"},
    "tcp_event": {"event"},
    "ws_json": {"over_picows", "over_aiohttp", "over_websockets"},
    "fanout": {"whole", "shared", "distinct"},
    "feed_latency": {f"{p}_{way}_{rate}" for p in LATENCIES for way in ("queued", "handed_off") for rate in RATES},
    "book": {"apply", "apply_read"},
    "relay": {"to_1", "to_10", "to_100", "overload", "slow_p50", "slow_p99"},
    "record": {"ticks_live", "ticks_disk", "messages_live", "messages_disk"},
    "tick_to_order": {"p50", "p99"},
    "route": {"one", "pipelined"},
    "journal": {"append_os", "append_fsync", "append_fsync_32", "recovery"},
    "startup": {"import", "help", "run"},
    "replay_batch": {"read_8192", "read_1024", "read_64", "window_1ms"},
    "replay_event": {"read_1024", "read_1"},
    "backtest": {"orders_1", "orders_32"},
    "peers_actors": {"tell"},
    "peers_bus": {"queued", "handed_off", "read_64"},
    "peers_decode": {"trades", "quotes"},
    "peers_backtest": {"nautilus_1", "nautilus_1_whole", "nautilus_32", "nautilus_32_whole"},
    "scale": {
        f"{curve}_{at}"
        for curve, points in {
            "instruments": (10, 100, 1_000, 10_000),
            "instruments_events": (10, 100, 1_000, 10_000),
            "subscribers_shared": (1, 10, 100, 1_000),
            "subscribers_distinct": (1, 10, 100, 1_000),
            "subscribers_one_each": (1, 10, 100, 1_000),
            "feeds": (1, 10, 30, 100),
            "feeds_start": (1, 10, 100),
            "batch": (1, 10, 100, 1_000),
            "batch_events": (1, 10, 100, 1_000),
        }.items()
        for at in points[:2]  # of a tiny run
    },
    "tuning": {
        "affinity", "gc_pause", "gc_off", "rows_1", "rows_16", "rows_4096", "hand_off", "uvloop", "io_uring", "preload",
        "busy_poll",
    },
}  # fmt: skip
LONG_FIGURES = {"overload": {"memory_growth", "age_p99", "age_p99_conflated", "healthy_age_p99", "control_p99"}}
PLAIN = Unit("things", lambda cost: cost)


@pytest.fixture(autouse=True)
def _little_to_collect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides begin with a collection; what systems give back when they stop, they should not find."""
    monkeypatch.setattr(gc, "unfreeze", lambda: None)


@pytest.fixture(autouse=True)
def _cpus_kept() -> Generator[None]:
    """The command pins its process, which here is the tests'."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cpus = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, cpus)


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", ALL)
def test_each_benchmark_prints_well_formed_lines(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--tiny"]) == 0
    captured = capsys.readouterr()
    if "not measured: " in captured.err:
        pytest.skip(captured.err.strip())
    lines = _lines(captured.out)
    assert {line["figure"] for line in lines} == (FIGURES | LONG_FIGURES)[name]
    for line in lines:
        assert tuple(line)[: len(KEYS)] == KEYS
        assert line["benchmark"] == name
        assert line["rounds"] == 1 or name in LONG_FIGURES  # looked at again and again
        assert all(math.isfinite(line[key]) and line[key] > 0 for key in KEYS[3:])
        assert line["ratio_min"] <= line["ratio"] <= line["ratio_max"]
        assert line["conditions"]["python"]
        assert f"{name} {line['figure']}" in captured.err


def test_every_told_message_is_seen_to_go_through_the_queue(capsys: pytest.CaptureFixture[str]) -> None:
    main(["mailbox", "--tiny"])
    told = [line for line in _lines(capsys.readouterr().out) if line["figure"] != "put"]
    assert [(line["figure"], line["actors"], line["queued_fraction"]) for line in told] == [
        (figure, actors, 1.0) for actors in (1, 10, 100) for figure in ("tell", "tell_weighted")
    ]


def test_messages_within_a_read_are_seen_to_be_handed_off(capsys: pytest.CaptureFixture[str]) -> None:
    main(["handoff", "--tiny"])
    for line in _lines(capsys.readouterr().out):  # whom the kernel keeps waiting for 1 ms is queued, not handed off
        assert 0.5 < line["handed_fraction"] <= 1.0


def test_lines_go_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.jsonl"
    assert main(["handoff", "--tiny", "--json", str(file)]) == 0
    assert capsys.readouterr().out == ""
    assert {figure.figure for figure in read(file).figures} == FIGURES["handoff"]


def test_a_benchmark_by_name_takes_the_place_of_its_figures_in_the_file(tmp_path: Path) -> None:
    file = kept(
        tmp_path / "figures.jsonl", made("handoff former", 1.0), made("mailbox tell", 1.0), handoff="why", peers="why"
    )
    assert main(["handoff", "--tiny", "--json", str(file)]) == 0
    run = read(file)
    assert {figure.figure for figure in run.figures} == FIGURES["handoff"] | {"tell"}
    assert run.missing == {"peers": "why"}


def test_a_file_that_holds_no_run_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.jsonl"
    file.write_text("my notes\n")
    assert main(["handoff", "--tiny", "--json", str(file)]) == 2
    assert file.read_text() == "my notes\n"
    assert "line 1, is no whole line of JSON" in capsys.readouterr().err


# --- a suite of made-up benchmarks ---


async def _two(plan: Plan) -> AsyncIterator[Figure]:
    for name in ("one", "other"):
        yield figure_of(("made", name), PLAIN, [1.0] * plan.rounds, [2.0] * plan.rounds, {})


async def _lost(plan: Plan) -> AsyncIterator[Figure]:
    yield figure_of(("lost", "first"), PLAIN, [1.0] * plan.rounds, [2.0] * plan.rounds, {})
    raise Inexact("3 of 4 were handled")


async def _absent(plan: Plan) -> AsyncIterator[Figure]:
    if plan.rounds:
        raise Missing("there is no such thing")
    yield figure_of(("absent", "first"), PLAIN, [], [], {})


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, one in {"made": _two, "lost": _lost, "absent": _absent}.items():
        monkeypatch.setitem(ALL, name, one)


@pytest.mark.usefixtures("suite")
def test_progress_is_a_line_a_benchmark_without_a_terminal_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["made", "absent"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"made: 0 s   \(1 of 2, 0 m 0\d s\)", told[0])
    assert re.fullmatch(r"absent: not measured: there is no such thing   0 s   \(2 of 2, 0 m 0\d s\)", told[1])
    assert "absent: not measured: there is no such thing" in told
    assert re.fullmatch(r"2 figures in 0 m 0\d s", told[-1])


@pytest.mark.usefixtures("suite")
def test_a_benchmark_that_loses_work_fails_and_the_others_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.jsonl"
    assert main(["lost", "absent", "made", "--json", str(file)]) == 1
    run = read(file)
    assert [figure.figure for figure in run.figures] == ["first", "one", "other"]
    assert run.missing == {"lost": "failed: Inexact('3 of 4 were handled')", "absent": "there is no such thing"}
    assert "Inexact: 3 of 4 were handled" in capsys.readouterr().err


@pytest.mark.usefixtures("suite")
def test_what_others_did_meanwhile_is_in_each_line_and_doubts_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = Taken(seconds=1.0, others=0.5, stolen=0.0, waited=0.3, preempted_per_s=900.0)
    monkeypatch.setattr(Watch, "taken", Mock(return_value=busy))
    assert main(["made"]) == 0
    captured = capsys.readouterr()
    for line in _lines(captured.out):
        assert line["interference"] == busy.reasons()
        assert (line["conditions"]["others"], line["conditions"]["preempted_per_s"]) == (0.5, 900.0)
        assert {"date", "machine", "cores", "system", "version"} <= set(line["conditions"])
    assert "2 of 2 figures were disturbed (?)" in captured.err
    assert 'measure again: make bench NAME="made"' in captured.err


def test_the_table_says_how_far_goals_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(ALL, "made", _two)
    monkeypatch.setattr("benchmarks.__main__.GOALS", (Goal("1", "made", "one", RATIO, 2.5),))
    assert main(["made"]) == 0
    assert "goal 1, at least 2.50: short of it by 20%" in capsys.readouterr().err


def test_list_names_each_benchmark_with_its_promise(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(ALL)
    assert lines[-1].endswith("(only by name)")
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["mailbx"], "no benchmark is called 'mailbx': did you mean mailbox?"),
        (["zzz"], "no benchmark is called 'zzz': there are mailbox, handoff, spawn, supervise, tcp_batch"),
        (["--rounds", "3"], "a median needs 7 rounds or more; not '3'"),
        (["--rounds", "many"], "a median needs 7 rounds or more; not 'many'"),
        (["mailbox", "--round=9"], "unrecognized arguments"),
        (["mailbox", "--json", "no/such/folder/run.jsonl"], "cannot be written: there is no such folder"),
    ],
)
def test_a_command_that_makes_no_sense_is_answered_with_2(
    arguments: list[str], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert answer in capsys.readouterr().err


def test_the_ratio_is_above_1_when_we_cost_less_whatever_the_unit() -> None:
    for unit, ours, yardstick in ((PLAIN, 0.5, 2.0), (per_second("things"), 2.0, 0.5)):
        figure = figure_of(("b", "f"), unit, [0.5] * 7, [2.0] * 7, {})
        assert (figure.ours, figure.yardstick, figure.ratio) == (ours, yardstick, 4.0)


def test_the_ratio_is_the_median_of_the_rounds_not_of_the_sides() -> None:
    figure = figure_of(("b", "f"), PLAIN, [1.0, 10.0, 2.0], [2.0, 10.0, 8.0], {})
    assert (figure.ratio, figure.ratio_min, figure.ratio_max) == (2.0, 1.0, 4.0)
    assert (figure.ours, figure.yardstick) == (2.0, 8.0)


CALM = [1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 1.0]


def _reasons(ours: list[float], yardstick: list[float], name: str = "f") -> tuple[str, ...]:
    return figure_of(("b", name), PLAIN, ours, yardstick, {}).disturbed


def test_rounds_that_vary_as_they_do_in_peace_are_not_doubted() -> None:
    assert not _reasons(CALM, CALM)
    assert "interference" not in json.loads(figure_of(("b", "f"), PLAIN, CALM, CALM, {}).line())


def test_one_wild_round_of_seven_moves_no_median_and_is_not_doubted() -> None:
    assert not _reasons(CALM, [9.0, *CALM[1:]])
    assert not _reasons([9.0, *CALM[1:]], CALM)


def test_a_yardstick_that_varies_is_doubted() -> None:
    slow = [1.0, 1.0, 1.0, 1.0, 2.5, 2.5, 2.5]
    assert _reasons(slow, slow) == ("the yardstick itself varied 2.5-fold",)


def test_rounds_whose_ratios_differ_are_doubted() -> None:
    assert _reasons([1.0, 1.0, 1.0, 1.0, 2.5, 2.5, 2.5], CALM) == ("its rounds differ 2.5-fold",)


def test_the_slowest_of_a_hundred_may_vary_more() -> None:
    tail = [1.0, 1.0, 1.0, 1.0, 2.5, 2.5, 2.5]
    for name in ("p99", "p99_queued_1000", "slow_p99", "age_p99_conflated"):
        assert not _reasons(CALM, tail, name)
        assert _reasons(CALM, [4 * cost for cost in tail[:4]] + tail[:3], name)
    assert _reasons(CALM, tail, "p50")


def test_of_many_rounds_as_large_a_part_may_be_wild() -> None:
    assert not _reasons(CALM * 10, [9.0] * 10 + CALM * 8 + [1.0] * 4)
    assert _reasons(CALM * 10, [9.0] * 11 + CALM * 8 + [1.0] * 3)


def test_what_is_doubted_is_never_shown_as_a_bare_number() -> None:
    calm = figure_of(("b", "calm"), PLAIN, CALM, CALM, {})
    doubtful = doubted(doubted(calm, ["the host took 9% of the machine"]), ["the host took 9% of the machine"])
    assert json.loads(doubtful.line())["interference"] == ["the host took 9% of the machine"]
    _, calm_row, doubtful_row = table([calm, doubtful]).splitlines()
    assert calm_row.split()[3:6] == ["1", "1", "1.00"]
    assert doubtful_row.split()[3:6] == ["1?", "1?", "1.00?"]
    assert doubtful_row.endswith("the host took 9% of the machine")


async def test_sides_run_in_turn_and_the_order_alternates() -> None:
    ran: list[str] = []

    async def ours() -> float:
        ran.append("A")
        return 1.0

    async def yardstick() -> float:
        await asyncio.sleep(0)
        ran.append("B")
        return 2.0

    figure = await Plan(rounds=3).compare(("b", "f"), PLAIN, ours, yardstick, repeats=2)
    assert "".join(ran) == "ABABBABAABAB"
    assert (figure.ours, figure.yardstick, figure.rounds) == (1.0, 2.0, 3)
