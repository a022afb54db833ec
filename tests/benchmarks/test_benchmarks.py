"""The benchmarks run, at sizes that mean nothing, and print what issue trackers and scripts can read."""

import asyncio
import gc
import json
import math
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.measure import Plan, Unit, figure_of, per_second, table

KEYS = ("benchmark", "figure", "unit", "ours", "yardstick", "ratio", "ratio_min", "ratio_max", "rounds")
LATENCIES, RATES = ("p50", "p99", "p999"), (1_000, 10_000)
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
    "peers": {"nautilus_1", "nautilus_1_whole", "nautilus_32", "nautilus_32_whole"},
}
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


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_benchmark_prints_well_formed_lines(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--tiny"]) == 0
    captured = capsys.readouterr()
    if "not measured: " in captured.err:
        pytest.skip(captured.err.strip())
    lines = _lines(captured.out)
    assert {line["figure"] for line in lines} == FIGURES[name]
    for line in lines:
        assert tuple(line)[: len(KEYS)] == KEYS
        assert (line["benchmark"], line["rounds"]) == (name, 1)
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


def test_lines_go_to_a_file_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    assert main(["handoff", "--tiny", "--json", str(file)]) == 0
    assert file.read_text(encoding="utf-8") == capsys.readouterr().out


def test_list_names_each_benchmark_with_its_promise(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(BENCHMARKS)
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["mailbx"], "no benchmark is called 'mailbx': did you mean mailbox?"),
        (["zzz"], "no benchmark is called 'zzz': there are mailbox, handoff, spawn, supervise, tcp_batch"),
        (["--rounds", "3"], "a median needs 7 rounds or more; not '3'"),
        (["--rounds", "many"], "a median needs 7 rounds or more; not 'many'"),
        (["mailbox", "--round=9"], "unrecognized arguments"),
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


def test_a_yardstick_that_varies_is_flagged() -> None:
    calm = figure_of(("b", "calm"), PLAIN, [1.0, 5.0], [1.0, 1.9], {})
    disturbed = figure_of(("b", "disturbed"), PLAIN, [1.0, 1.0], [1.0, 2.1], {})
    assert "interference" not in json.loads(calm.line())
    assert json.loads(disturbed.line())["interference"] is True
    _, calm_row, disturbed_row = table([calm, disturbed]).splitlines()
    assert "interference" not in calm_row
    assert "interference" in disturbed_row


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
