"""Peers are asked and answer, do the same work as ours or are no figure, and are left out where they cannot run."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import msgspec
import numpy as np
import pytest

from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.backtest import Ours, quotes, run, written
from benchmarks.limits import Missing
from benchmarks.measure import Inexact, Plan
from benchmarks.peers import actors, decode
from benchmarks.peers.engine import Theirs, Told, extra_of, question_of
from benchmarks.peers.process import Answer, Peer, peers_python, running
from ticktree.market import TICK

TICKS = 6_400
ANSWERS = "import msgspec as _\nPEER = 'msgspec'\ndef answer(question):\n    "
Program = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def _our_python(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whether peers are installed here or not. The command pins its process, which here is the tests'."""
    monkeypatch.setenv("TICKTREE_PEERS", sys.executable)
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cpus = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, cpus)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Writes a program that stands where a peer's would."""
    monkeypatch.setattr("benchmarks.peers.process.PROGRAMS", tmp_path / "programs")
    runner = Path(__file__).parents[2] / "benchmarks" / "peers" / "programs" / "__main__.py"
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "__main__.py").write_bytes(runner.read_bytes())

    def write(name: str, text: str) -> None:
        (tmp_path / "programs" / f"{name}.py").write_text(text, encoding="utf-8")

    return write


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Ours:
    """One back-test, which several tests look at."""
    market = written(tmp_path_factory.mktemp("quotes"), 32, TICKS)
    return Ours(market, runs=[run(market)])


def _theirs(ours: Ours, **changes: int) -> Theirs:
    orders = ours.runs[0].orders
    same = Told(0.2, TICKS, 0.1, 0.1, orders, orders)
    return Theirs(Mock(Peer, told="nautilus_trader 1.0"), ours.market, [msgspec.structs.replace(same, **changes)])


async def test_one_process_answers_one_question_after_the_other(program: Program) -> None:
    program("adds", "import os\n" + ANSWERS + "return {'run_s': 0.5, 'handled': question['n'], 'total': os.getpid()}")
    async with running("adds") as peer:
        answers = [await peer.ask({"n": number}, Answer) for number in (1, 2)]
    assert peer.told == f"msgspec {msgspec.__version__}, Python {sys.version.split()[0]}"
    assert [answer.handled for answer in answers] == [1, 2]
    assert answers[0].total == answers[1].total


async def test_what_a_peer_prints_is_no_answer(program: Program) -> None:
    program("talks", "print('hello')\n" + ANSWERS + "print('working'); return {'run_s': 1, 'handled': 1, 'total': 1}")
    async with running("talks") as peer:
        assert await peer.ask({}, Answer) == Answer(1.0, 1, 1.0)


async def test_a_peer_that_is_not_installed_is_missing_and_what_it_lacks_is_said(program: Program) -> None:
    program("lacks", "import nothing_of_that_name")
    with pytest.raises(Missing, match=r"cannot run lacks: ModuleNotFoundError: No module named 'nothing_of_that_name'"):
        async with running("lacks"):
            pytest.fail("it ran")


async def test_a_peer_that_crashes_is_missing_and_its_last_words_are_said(program: Program) -> None:
    program("crashes", ANSWERS + "raise ValueError('it is too late')")
    async with running("crashes") as peer:
        with pytest.raises(Missing, match="crashes ended with 1: ValueError: it is too late"):
            await peer.ask({}, Answer)


async def test_a_peer_that_fails_as_it_begins_is_missing_too(program: Program) -> None:
    program("refuses", "raise OSError('no room')")
    with pytest.raises(Missing, match="refuses ended with 1: OSError: no room"):
        async with running("refuses"):
            pytest.fail("it ran")


async def test_a_peer_that_says_nothing_is_not_waited_for_for_ever(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("waits", ANSWERS + "import time; time.sleep(30)")
    async with running("waits") as peer:
        monkeypatch.setattr("benchmarks.peers.process.PATIENCE_S", 0.01)
        monkeypatch.setattr("benchmarks.peers.process.FAREWELL_S", 0.01)
        with pytest.raises(Missing, match="waits said nothing for"):
            await peer.ask({}, Answer)


async def test_a_peer_that_does_our_work_is_a_figure_that_names_it(program: Program) -> None:
    program("pykka_actors", ANSWERS + "return {'run_s': 1.0, 'handled': 1000, 'total': 499500}")
    (figure,) = [figure async for figure in actors.figures(Plan(rounds=1, tiny=True))]
    assert figure.yardstick == 1_000
    assert figure.extra["peer"].startswith("msgspec ")
    assert figure.extra["queued_fraction"] == 1.0


@pytest.mark.parametrize("wrong", ["'handled': 999, 'total': 499500", "'handled': 1000, 'total': 499501"])
async def test_a_peer_that_loses_a_message_or_handles_another_is_no_figure(program: Program, wrong: str) -> None:
    program("pykka_actors", ANSWERS + f"return {{'run_s': 1.0, {wrong}}}")
    with pytest.raises(Inexact, match="1000 and 499500 were meant"):
        _ = [figure async for figure in actors.figures(Plan(rounds=1, tiny=True))]


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="who sends and who reads have a CPU each")
def test_a_client_that_is_not_there_does_not_take_the_others_with_it(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    program("picows_client", "import nothing_of_that_name")
    for name in ("aiohttp", "websockets"):
        program(f"{name}_client", ANSWERS + "return {'run_s': 1.0, 'ticks': 1, 'handled': 0, 'total': 0.0}")
    assert main(["ws_json", "--tiny"]) == 0
    captured = capsys.readouterr()
    assert [json.loads(line)["figure"] for line in captured.out.splitlines()] == ["over_aiohttp", "over_websockets"]
    assert "ws_json: not measured: " in captured.err
    assert "cannot run picows_client: ModuleNotFoundError" in captured.err


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="who sends and who reads have a CPU each")
def test_bare_clients_handle_every_message_of_the_sender(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ws_json", "--tiny"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"over_picows", "over_aiohttp"} <= {line["figure"] for line in lines}  # ours has these two itself
    assert all(line["peer"].startswith(line["figure"].removeprefix("over_")) for line in lines)


def test_the_sums_of_messages_are_theirs() -> None:
    for messages, fields in ((decode.trades(1_000), "pq"), (decode.quotes(1_000), "ba")):
        data = [json.loads(text)["data"] for text in messages.texts]
        pairs = [(float(one[fields[0]]), float(one[fields[1]])) for one in data]
        total = sum(a * b for a, b in pairs) if fields == "pq" else sum(a + b for a, b in pairs)
        assert messages.total == pytest.approx(total)
        assert len(set(messages.texts)) == 1_000


def test_a_back_test_that_did_the_same_is_told_with_what_both_came_to(traded: Ours) -> None:
    extra = extra_of(traded, _theirs(traded))
    assert extra["peer"] == "nautilus_trader 1.0"
    assert extra["orders"]["ours"] == extra["orders"]["peer"] > 0


@pytest.mark.parametrize("wrong", [{"handled": 1}, {"orders": 40, "fills": 40}, {"fills": 3}])
def test_a_back_test_that_did_other_work_is_no_figure(traded: Ours, wrong: dict[str, int]) -> None:
    with pytest.raises(Inexact, match="theirs"):
        extra_of(traded, _theirs(traded, **wrong))


def test_the_engine_is_told_where_the_ticks_are(traded: Ours) -> None:
    question = question_of(traded.market)
    ticks = np.fromfile(question["file"], TICK, offset=question["begins"])
    assert (len(ticks), ticks["received_time_ns"][0]) == (TICKS, quotes(32, 32)["received_time_ns"][0])


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name.startswith("peers_") or name == "ws_json"])
def test_without_peers_nothing_is_measured_and_what_to_do_is_told(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("TICKTREE_PEERS", str(tmp_path / "nowhere"))
    with pytest.raises(Missing, match="make peers"):
        peers_python()
    assert main([name, "--tiny"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{name}: not measured: there is no" in captured.err
