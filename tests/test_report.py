"""What a run came to, as JSON of a documented shape."""

import os
import sys
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from ticktree import App, Strategy
from ticktree.actors import ChildSpec
from ticktree.app import ExitReport, assemble, attempt
from ticktree.assembly import Assembly
from ticktree.curtain import Fall, curtain
from ticktree.market import Quote
from ticktree.parts import RouterPart
from ticktree.report import Report, as_json, of, write
from ticktree.routing import Fill, Timeout


class Buyer(Strategy):
    """Buys once at the market, and once what nobody sells."""

    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        self.quotes = self.fills = 0

    def on_quote(self, quote: Quote) -> None:
        self.quotes += 1
        if self.quotes == 1:
            self.buy(quote.instrument, "0.01")
            self.buy(quote.instrument, "0.02", limit="20000")
        elif self.fills:
            self.find("curtain").tell(Fall("it was filled"))

    def on_fill(self, fill: Fill) -> None:
        self.fills += 1


class Cannot(Strategy):
    """Does not start."""

    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        raise RuntimeError("no licence")


def ran(strategy: type[Strategy]) -> ExitReport:
    simulated = App.simulated(strategy)
    routers = (*simulated.routers, RouterPart("idle", Timeout("paper", deadline_s=1.0)))
    assembly = assemble(attrs.evolve(simulated, routers=routers))
    return attempt(assembly, audience(assembly))


def audience(assembly: Assembly) -> ChildSpec:
    return curtain(assembly.system, for_s=5.0)


@pytest.fixture(scope="module")
def exit_report() -> ExitReport:
    return ran(Buyer)


@pytest.fixture(scope="module")
def told(exit_report: ExitReport) -> Any:
    return msgspec.json.decode(as_json(exit_report, "my.toml"))


def test_it_reads_back_as_the_structs_that_document_it(exit_report: ExitReport) -> None:
    data = as_json(exit_report, "my.toml")
    back = msgspec.json.decode(data, type=Report)
    assert msgspec.json.format(msgspec.json.encode(back), indent=2) + b"\n" == data
    assert data.endswith(b"}\n")


def test_it_says_what_ran_where_and_how_long(told: Any) -> None:
    assert (told["version"], told["config"], told["paper"], told["exit_code"]) == (1, "my.toml", True, 0)
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))
    assert told["began"] < told["ended"]
    assert told["began"].endswith("Z")
    assert 0 < told["wall_s"] < 5.5
    assert told["cpu_s"] > 0
    assert 20e6 < told["peak_memory_bytes"] < 2e9


def test_nothing_is_unaccounted_for_in_any_mailbox(told: Any) -> None:
    assert {"strategies/buyer", "venues/paper", "routers/idle", "feeds/simulated"} <= set(told["mailboxes"])
    for box in told["mailboxes"].values():
        left = box["received"] - box["delivered"] - box["conflated"] - sum(box["dropped"].values())
        assert left - box["queued"] - box["in_handler"] == box["unaccounted"] == 0
        control = box["control"]
        assert control.pop("received") == sum(control.values())


def test_a_feeds_bytes_add_up_and_its_events_are_by_kind(told: Any) -> None:
    feed = told["feeds"]["simulated"]
    assert feed["bytes_in"] == feed["decoded"] + feed["skipped"] + feed["buffered"] > 0
    assert feed["events"]["quote"] > 0
    assert (feed["connections"], feed["reconnects"], feed["gaps"], feed["recording"]) == (1, 0, 0, None)


def test_orders_count_by_final_state_at_their_router_and_legs_at_their_venue(told: Any) -> None:
    router, venue = told["routers"]["default"], told["venues"]["paper"]
    assert router == {"open": 0, "ended": {"filled": 1, "canceled": 1}, "fills": 1, "overfilled": 0,
                      "overfilled_beyond": 0}  # fmt: skip
    assert told["routers"]["idle"] == {"open": 0, "ended": {}, "fills": 0, "overfilled": 0, "overfilled_beyond": 0}
    assert venue["ended"] == router["ended"]
    assert (venue["open"], venue["unknown"], venue["quarantined"], venue["overfilled"]) == (0, 0, [], 0)
    assert (told["orders"]["open"], told["orders"]["fills"], told["orders"]["halted"]) == (0, 1, "")


def test_latencies_are_histograms_by_venue_and_stage(told: Any) -> None:
    stages = told["venues"]["paper"]["latency"]
    acked = stages["wire->ack"]
    assert acked["count"] == sum(count for _, count in acked["buckets"]) == 2
    assert acked["max_ns"] <= acked["buckets"][-1][0]
    assert stages["ack->fill"]["count"] == 1


def test_positions_are_exact_decimals(told: Any) -> None:
    (held,) = told["positions"]
    assert (held["strategy"], held["instrument"], held["quantity"]) == ("buyer", "BTC-USDT", "0.01")
    assert set(told["money"]) == {"USDT"}


def test_the_shutdown_is_told_step_by_step(told: Any) -> None:
    shutdown = told["shutdown"]
    paths = [step["path"] for step in shutdown["steps"]]
    assert paths.index("feeds/simulated") < paths.index("strategies/buyer") < paths.index("venues/paper")
    assert paths.index("venues/paper") < paths.index("journal")
    assert shutdown["within_budget"]
    assert 0 < shutdown["duration_s"] < shutdown["budget_s"] == 10
    assert (shutdown["overran"], shutdown["leaks"], told["restarts"]) == ([], [], {})
    assert told["loop"]["blocked"] >= 0


def test_a_run_that_did_not_start_has_a_report_too() -> None:
    told = of(ran(Cannot))
    assert told.exit_code == 1
    assert told.failed.startswith("strategies/cannot did not start: RuntimeError: no licence\n")
    assert told.feeds["simulated"].bytes_in == 0
    assert all(box.unaccounted == 0 for box in told.mailboxes.values())


def test_it_is_written_whole_or_not_at_all(
    exit_report: ExitReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    write(path, exit_report)
    before = path.read_bytes()
    assert msgspec.json.decode(before, type=Report).config == ""

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(path, exit_report, "other.toml")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["report.json"]
