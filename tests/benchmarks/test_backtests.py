"""What back-tests are held against is the same work, of files told whole."""

from pathlib import Path

import attrs
import numpy as np
import pytest

from benchmarks.backtest import INSTRUMENTS, TICKS_AN_ORDER, Ours, quotes, run, written
from benchmarks.measure import Inexact
from benchmarks.replay import READ_64, WINDOW, Sum, trades, written as trades_written

TICKS = 6_400


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Ours:
    """One back-test, which several tests look at."""
    market = written(tmp_path_factory.mktemp("quotes"), 32, TICKS)
    return Ours(market, runs=[run(market)])


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
