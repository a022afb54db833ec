"""`ticktree rehearse` on the real recordings: three exchanges into three strategies, their orders to simulated venues.

What a report says is held against the recordings themselves, counted here from the raw text.
"""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

from ticktree.cli import main

from ..recordings import path, recording
from .program import ROOT, Program, in_process

CONFIG, BINANCE = ROOT / "examples" / "rehearsal.toml", ROOT / "examples" / "binance.toml"
EXCHANGES = "binance", "coinbase", "kraken"
STRATEGIES = {"momentum": "anywhere", "market_maker": "resting", "pairs": "near"}  # and their routers
BUDGET_S = 10.0
Runs = Callable[..., tuple[int, str]]


@attrs.frozen
class Rehearsed:
    """What was printed, and the report."""

    printed: str
    report: Any

    def events(self, feed: str) -> dict[str, int]:
        """By kind, as they were told by the feed; a book's are levels."""
        found: dict[str, int] = self.report["feeds"][feed]["events"]
        return {kind: found.get(kind, 0) for kind in ("quote", "trade", "book", "bar")}


def command(*options: str, config: Path = CONFIG) -> tuple[str, ...]:
    folder = path("kraken").parent
    return ("rehearse", str(config), "--recordings", str(folder), *options)


def as_typed(*arguments: str) -> tuple[int, str]:
    """In a process of its own: the exit code, and all it printed."""
    with Program("-m", "ticktree", *arguments) as program:
        return program.end()


def rehearsed(folder: Path, *options: str, config: Path = CONFIG, run: Runs = in_process) -> Rehearsed:
    """Rehearse, to a clean end by itself."""
    report = folder / "report.json"
    code, printed = run(*command("--report", str(report), *options, config=config))
    assert code == 0, printed
    assert "Traceback" not in printed
    assert printed.startswith("REHEARSAL: ")
    assert "no order leaves this machine" in printed.splitlines()[0]
    return Rehearsed(printed, json.loads(report.read_bytes()))


# --- what was recorded -----------------------------------------------------------------------------------------------


@cache
def recorded(exchange: str) -> Counter[str]:
    """How many quotes, trades and levels of books the exchange told, and checksums."""
    told = Counter[str]()
    for line in recording(exchange):
        if line.kind == "received":
            _count(told, json.loads(line.data))
    return told


def _count(told: Counter[str], message: Any) -> None:
    match message:
        case {"stream": str(stream)}:
            told[{"bookTicker": "quote", "aggTrade": "trade"}.get(stream.partition("@")[2], "other")] += 1
        case {"type": "ticker"}:
            told["quote"] += 1
        case {"type": "match"}:
            told["trade"] += 1
        case {"type": "snapshot", "bids": bids, "asks": asks}:
            told.update(book=len(bids) + len(asks), updates=1)
        case {"type": "l2update", "changes": changes}:
            told.update(book=len(changes), updates=1)
        case [_, _, "ticker", _]:
            told["quote"] += 1
        case [_, trades, "trade", _]:
            told["trade"] += len(trades)
        case [_, *parts, "book-1000", _]:
            told.update(updates=1, checksums=sum("c" in part for part in parts))
            told["book"] += sum(len(part.get(side, ())) for part in parts for side in ("a", "b", "as", "bs"))
        case _:
            pass


def check_all_was_told(run: Rehearsed) -> None:
    """Each message, once: every kind as often as it was recorded, every checksum right, nothing amiss."""
    assert (recorded("coinbase")["updates"], recorded("kraken")["updates"]) == (10 + 9_719, 4_279)
    binance = run.events("binance")
    assert (binance["quote"], binance["trade"], binance["bar"]) == (84, 2, 0)  # no minute ended
    for exchange, quotes in (("coinbase", 107), ("kraken", 18)):
        told = recorded(exchange)
        wanted = {"quote": quotes, "trade": told["trade"], "book": told["book"], "bar": 0}
        assert told["quote"] == quotes
        assert run.events(exchange) == wanted, exchange
    kraken = run.report["feeds"]["kraken"]
    assert recorded("kraken")["checksums"] == kraken["checksums_verified"] == 4_269
    for name, feed in run.report["feeds"].items():
        wrong = {key: feed[key] for key in ("reconnects", "skipped", "gaps", "crossed", "broken") if feed[key]}
        assert wrong == {}, name
    assert "all was told and read: 14605 messages in " in run.printed


def check_nothing_is_missing(run: Rehearsed) -> None:
    """Every tick, byte and order is accounted for, and the stop was clean."""
    report = run.report
    for name, box in report["mailboxes"].items():
        dropped = sum(box["dropped"].values())
        told = box["delivered"] + box["conflated"] + dropped + box["queued"] + box["in_handler"]
        assert (box["received"], box["unaccounted"]) == (told, 0), name
        control = box["control"]
        assert control["received"] == control["handled"] + control["dropped"] + control["queued"], name
        assert (dropped, box["queued"]) == (0, 0), name
    assert set(report["feeds"]) == set(EXCHANGES)
    for name, feed in report["feeds"].items():
        assert feed["bytes_in"] == feed["decoded"] + feed["skipped"], name
        assert (feed["checksums_failed"], feed["buffered"]) == (0, 0), name
    orders = report["orders"]
    assert (orders["open"], orders["unknown_legs"], orders["quarantined"], orders["overfilled_beyond"]) == (0, 0, [], 0)
    assert orders["fills"] > 0
    for name, venue in report["venues"].items():
        assert (venue["open"], venue["unknown"]) == (0, 0), name
    assert (report["exit_code"], report["paper"], report["failed"], report["restarts"]) == (0, True, "", {})
    stop = report["shutdown"]
    assert (stop["within_budget"], stop["overran"], stop["leaks"], stop["dropped"]) == (True, [], [], 0)
    assert stop["duration_s"] < BUDGET_S


# --- the rehearsals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("speed", "how"), [("max", as_typed), ("10", in_process)], ids=["max", "10"])
def test_three_recorded_exchanges_go_through_three_strategies_to_simulated_venues(
    speed: str, how: Runs, tmp_path: Path
) -> None:
    run = rehearsed(tmp_path, "--speed", speed, run=how)
    check_all_was_told(run)
    check_nothing_is_missing(run)
    for router in STRATEGIES.values():
        assert sum(run.report["routers"][router]["ended"].values()) > 0, router
    assert not (CONFIG.parent / "rehearsal.journal").exists()  # the live journal is not touched


def test_with_connections_cut_at_random_nothing_is_wrong_and_nothing_lost(tmp_path: Path) -> None:
    run = rehearsed(tmp_path, "--speed", "max", "--cut", "3", "--missed", "50", "--seed", "1")
    check_nothing_is_missing(run)
    for feed in run.report["feeds"].values():
        assert (feed["connections"], feed["reconnects"]) == (4, 3)
    assert 0 < run.report["feeds"]["kraken"]["checksums_verified"] < 4_269  # what sockets held at a cut was never read


def test_a_recording_that_was_cut_off_is_rehearsed_up_to_there_and_that_is_said(tmp_path: Path) -> None:
    for name in EXCHANGES:
        data = path(name).read_bytes()
        (tmp_path / f"{name}.jsonl.gz").write_bytes(data[:150_000])
    report = tmp_path / "report.json"
    options = ("--recordings", str(tmp_path), "--speed", "max", "--report", str(report))
    code, printed = in_process("rehearse", str(CONFIG), *options)
    assert code == 0, printed
    assert "the recording for kraken was cut off: it is rehearsed up to there" in printed
    assert "the recording for binance was cut off" not in printed
    run = Rehearsed(printed, json.loads(report.read_bytes()))
    check_nothing_is_missing(run)
    assert 0 < run.report["feeds"]["kraken"]["checksums_verified"] < 4_269


def test_the_live_configuration_of_one_exchange_is_rehearsed_as_it_stands(tmp_path: Path) -> None:
    journal = tmp_path / "orders.journal"
    run = rehearsed(tmp_path, "--speed", "10", "--journal", str(journal), config=BINANCE)
    assert run.events("binance")["quote"] == 74 + 9
    assert run.report["orders"]["fills"] > 0
    fill = next(line for line in run.printed.splitlines() if ": fill " in line)
    order = fill.partition(": fill ")[2].partition(":")[0]
    told = CliRunner().invoke(main, ["why", order, "--journal", str(journal)])
    assert (told.exit_code, "NKN-USDT" in told.output) == (0, True), told.output


def test_a_signal_ends_it_and_its_exchanges(tmp_path: Path) -> None:
    with Program("-m", "ticktree", *command("--speed", "1", "--report", str(tmp_path / "report.json"))) as program:
        program.until("kraken: live")
        program.interrupt()
        code, printed = program.end()
    assert code == 0, printed
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert (report["orders"]["open"], report["shutdown"]["within_budget"]) == (0, True)


# --- what cannot be rehearsed ----------------------------------------------------------------------------------------


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["rehearse", *arguments, "--speed", "max"])
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.output


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    assert f"there is no recording in {tmp_path}" in refused(str(CONFIG), "--recordings", str(tmp_path))


def test_a_feed_without_a_recording_is_named_and_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(path("coinbase").read_bytes())
    output = refused(str(CONFIG), "--recordings", str(tmp_path))
    assert f"feed binance: nothing of binance is recorded in {tmp_path}; there is a.jsonl.gz (coinbase)" in output


def test_an_exchange_that_nobody_can_play_is_named(tmp_path: Path) -> None:
    line = {"t": 1.0, "kind": "received", "conn": 1, "url": "wss://elsewhere/", "data": "{}"}
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(json.dumps(line).encode() + b"\n"))
    output = refused(str(BINANCE), "--recordings", str(tmp_path))
    assert "there is b.jsonl.gz (of no exchange that is known)" in output


def test_a_damaged_recording_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    data = path("binance").read_bytes()
    (tmp_path / "binance.jsonl.gz").write_bytes(data[:80_000] + b"damage" + data[80_006:])
    assert "binance.jsonl.gz, at byte " in refused(str(BINANCE), "--recordings", str(tmp_path))
