"""What back-tests are held against is the same work: of files told whole, and of peers that trade as ours does."""

import json
import sys
from pathlib import Path

import attrs
import msgspec
import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.backtest import INSTRUMENTS, TICKS_AN_ORDER, Ours, quotes, run, written
from benchmarks.limits import Missing
from benchmarks.measure import Inexact
from benchmarks.peers import Peer, Told, extra_of, peers_python
from benchmarks.replay import READ_64, WINDOW, Sum, trades, written as trades_written
from ticktree.market import TICK

TICKS = 6_400


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Ours:
    """One back-test, which several tests look at."""
    market = written(tmp_path_factory.mktemp("quotes"), 32, TICKS)
    return Ours(market, runs=[run(market)])


def _told(ours: Ours, **changes: int) -> Told:
    orders = ours.runs[0].orders
    same = Told(TICKS, 0.1, 0.2, orders, orders, "0.1", "1.0", "3.12.1")
    return msgspec.structs.replace(same, **changes)


def test_every_quote_is_handled_and_every_order_filled(traded: Ours) -> None:
    outcome = traded.runs[0].outcome
    assert outcome.ticks == TICKS
    assert len(outcome.fills) == len(outcome.orders) == pytest.approx(TICKS / TICKS_AN_ORDER, abs=2)
    assert {fill.fee > 0 for fill in outcome.fills} == {True}
    assert {fill.time_ns - fill.decided_ns for fill in outcome.fills} == {1_000_000}


def test_without_orders_it_is_the_same_back_test_and_nothing_is_sent(traded: Ours) -> None:
    outcome = run(traded.market, trades=False).outcome
    assert (outcome.ticks, outcome.orders, outcome.fills) == (TICKS, (), ())


def test_quotes_of_one_read_have_its_time_and_reads_come_apart() -> None:
    times = quotes(32, 320)["received_time_ns"].reshape(10, 32)
    assert (times == times[:, :1]).all()
    assert (np.diff(times[:, 0]) > 0).all()
    assert set(quotes(1, 8)["instrument"].tolist()) == {instrument.id for instrument in INSTRUMENTS}


def test_a_file_that_was_not_told_whole_is_no_figure(tmp_path: Path) -> None:
    file = trades_written(tmp_path, READ_64, 640)
    exact = Sum(10, file.ticks, file.prices)
    file.check(exact)
    for wrong in (attrs.evolve(exact, ticks=639), attrs.evolve(exact, prices=file.prices - 1)):
        with pytest.raises(Inexact, match="of 640 ticks"):
            file.check(wrong)


def test_numpy_sums_as_many_rows_at_a_time_as_a_batch_has() -> None:
    assert (READ_64.at_once, WINDOW.at_once) == (64, 100)
    assert (trades(WINDOW, 101)["received_time_ns"][[0, 100]] % 10**9).tolist() == [0, 1_000_000]


def test_a_peer_that_did_the_same_is_told_with_its_version(traded: Ours) -> None:
    theirs = Peer(Path("python"), "nautilus.py", traded.market, [_told(traded)])
    extra = extra_of(traded, theirs)
    assert extra["peer"] == "nautilus_trader 1.0, Python 3.12.1"
    assert extra["orders"]["ours"] == extra["orders"]["peer"] > 0


@pytest.mark.parametrize("wrong", [{"ticks": 1}, {"orders": 40, "fills": 40}, {"fills": 3}])
def test_a_peer_that_did_other_work_is_no_figure(traded: Ours, wrong: dict[str, int]) -> None:
    theirs = Peer(Path("python"), "nautilus.py", traded.market, [_told(traded, **wrong)])
    with pytest.raises(Inexact, match="theirs"):
        extra_of(traded, theirs)


async def test_a_peer_is_told_where_the_ticks_are_and_what_fails_in_it_is_told(
    traded: Ours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "peer_programs" / "nautilus.py"
    program.parent.mkdir()
    program.write_text("import sys; sys.exit(sys.argv[1])\n", encoding="utf-8")
    monkeypatch.setattr("benchmarks.peers.HERE", tmp_path)
    with pytest.raises(Missing) as missing:
        await Peer(Path(sys.executable), "nautilus.py", traded.market).seconds_a_tick()
    spec = json.loads(str(missing.value).partition("failed: ")[2])
    assert spec["file"] == str(traded.market.path)
    ticks = np.fromfile(spec["file"], TICK, offset=spec["begins"])
    assert (len(ticks), ticks["received_time_ns"][0]) == (TICKS, quotes(32, 32)["received_time_ns"][0])


def test_without_peers_nothing_is_measured_and_what_to_do_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("TICKTREE_PEERS", str(tmp_path / "nowhere"))
    with pytest.raises(Missing, match="make peers"):
        peers_python()
    assert main(["peers", "--tiny"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "peers: not measured: there is no" in captured.err
