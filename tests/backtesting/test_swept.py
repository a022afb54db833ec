"""The runs of a sweep side by side."""

from pathlib import Path

import msgspec
import pytest

from ticktree.backtesting.sweeping import Parameter, Ran, Sweep, ran
from ticktree.backtesting.swept import Document, as_json, table
from ticktree.config.changes import Change

from .small import config, data

FAST, SLOW = ("strategies", "momentum", "params", "fast"), ("strategies", "momentum", "params", "slow")


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    monkeypatch.chdir(tmp_path)
    config(tmp_path)
    data(tmp_path)
    parameters = Parameter(FAST, (1, 2)), Parameter(SLOW, (8, 9))
    return Sweep(Path("app.toml"), ("market.ticks",), parameters, (Change(("system", "budget"), "5s"),))


@pytest.fixture
def runs(sweep: Sweep) -> list[Ran]:
    """One that came to its end, one that did not, one that failed, and one that did nothing."""
    whole = ran(sweep, sweep.combinations()[0])
    assert whole.statistics is not None
    nothing = msgspec.structs.replace(whole.statistics, total=())
    return [
        msgspec.structs.replace(whole, warnings=("it rains",)),
        msgspec.structs.replace(whole, error="it was cut", warnings=("it rains", "INCOMPLETE: it was cut")),
        Ran("its process ended"),
        msgspec.structs.replace(whole, statistics=nothing),
    ]


def test_a_run_has_a_row_with_its_parameters_and_what_it_came_to_or_why_not(sweep: Sweep, runs: list[Ran]) -> None:
    title, _, heads, whole, cut, failed, idle, _, warning = table(sweep, runs).splitlines()
    assert title == "sweep of app.toml, system.budget=5s: 4 runs, 2 of them failed"
    assert heads.split() == ["fast", "slow", "net", "profit", "fees", "fills", "trips", "drawdown", "sharpe", "digest"]
    assert runs[0].statistics is not None
    (row,) = runs[0].statistics.total
    fills, trips = row.activity.fills, row.trips.count
    assert whole.split()[:3] == ["1", "8", "USDT"]
    assert whole.split()[5:7] == [str(fills), str(trips)]
    assert whole.endswith(f" {runs[0].digest[:12]}")
    assert cut.endswith(f" {runs[0].digest[:12]}  incomplete: it was cut")
    assert failed.split(maxsplit=2) == ["2", "8", "its process ended"]
    assert idle.split() == ["2", "9", "-", "-", "0", "0", "-", "-", runs[0].digest[:12]]
    assert warning == "WARNING  it rains (2 of 4 runs)"


def test_each_currency_has_a_row_of_its_own_under_those_of_its_run(sweep: Sweep, runs: list[Ran]) -> None:
    assert runs[0].statistics is not None
    (row,) = runs[0].statistics.total
    both = row, msgspec.structs.replace(row, currency="EUR")
    two = msgspec.structs.replace(runs[0], statistics=msgspec.structs.replace(runs[0].statistics, total=both))
    first, second = table(sweep, [two] * 4).splitlines()[3:5]
    assert first.split()[:3] == ["1", "8", "USDT"]
    assert second.split()[0] == "EUR"
    assert second.index("EUR") == first.index("USDT")


def test_parameters_of_one_name_are_told_by_the_whole_of_it(sweep: Sweep, runs: list[Ran]) -> None:
    parameters = Parameter(("venues", "a", "latency"), (1, 2)), Parameter(("venues", "b", "latency"), (1, 2))
    there = Sweep(sweep.config, sweep.data, parameters)
    assert table(there, runs).splitlines()[2].split()[:2] == ["venues.a.latency", "venues.b.latency"]


def test_the_document_has_every_run_with_its_statistics_and_none_of_its_series(sweep: Sweep, runs: list[Ran]) -> None:
    data = as_json(sweep, runs)
    found = msgspec.json.decode(data, type=Document)
    assert [one.ran for one in found.runs] == runs
    assert found.runs[1].parameters == {"strategies.momentum.params.fast": 1, "strategies.momentum.params.slow": 9}
    assert (found.config, found.data, found.changes) == ("app.toml", ("market.ticks",), {"system.budget": "5s"})
    assert data.endswith(b"}\n")
    assert len(data) < 20_000 * len(runs)
