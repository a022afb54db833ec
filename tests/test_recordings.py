"""Which recordings lie in a folder, and what each is of."""

import gzip
import json
import logging
from functools import partial
from pathlib import Path

import pytest

from ticktree.config.maker import Maker
from ticktree.feeds import WireFeed
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.feeds.exchanges.kraken import KrakenFeed
from ticktree.feeds.recording import NoRecording
from ticktree.feeds.recording.blocks import Title, encoded, first_line
from ticktree.feeds.recording.entries import EntryKind
from ticktree.recordings import Recorded, exchange_of, recorded_in


def capture(path: Path, url: str) -> Path:
    """One of somebody else's."""
    line = json.dumps({"t": 1.0, "kind": "connect", "conn": 1, "url": url}).encode() + b"\n"
    path.write_bytes(gzip.compress(line) if path.suffix == ".gz" else line)
    return path


def ours(path: Path, title: Title, url: str = "") -> Path:
    """One that a recorder of ours made."""
    head, payload = encoded(EntryKind.CONNECT, 1, 1, (len(url),), url.encode(), (0, 0))
    path.write_bytes(first_line(title) + head + payload)
    return path


def test_they_are_told_by_their_addresses_whatever_they_are_called(tmp_path: Path) -> None:
    one = capture(tmp_path / "a.jsonl.gz", "wss://ws.kraken.com")
    two = capture(tmp_path / "b.jsonl", "wss://stream.binance.com:9443/stream")
    three = ours(tmp_path / "c.recording", Title("cb", "some:Feed"), "wss://ws-feed.exchange.coinbase.com")
    (tmp_path / "notes.txt").write_text("not looked at")
    assert recorded_in(tmp_path) == [
        Recorded(one, "kraken"), Recorded(two, "binance"), Recorded(three, "coinbase", feed="cb"),
    ]  # fmt: skip


def test_one_of_ours_that_was_recorded_on_loopback_is_told_by_its_feed(tmp_path: Path) -> None:
    path = ours(tmp_path / "a.recording", Title("k", "ticktree.feeds.exchanges.kraken:KrakenFeed"), "ws://127.0.0.1:1/")
    assert recorded_in(tmp_path) == [Recorded(path, "kraken", feed="k")]


def test_one_of_something_else_has_no_exchange(tmp_path: Path) -> None:
    path = ours(tmp_path / "a.recording", Title("k", "os:abort"), "ws://127.0.0.1:1/")  # nothing of it is imported
    assert recorded_in(tmp_path) == [Recorded(path, "", feed="k")]


def test_empty_ones_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    (tmp_path / "a.recording").write_bytes(b"")
    assert recorded_in(tmp_path) == []
    assert "a.recording" in caplog.text


def test_a_file_that_is_none_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.recording").write_bytes(b"\x00something else")
    with pytest.raises(NoRecording, match=r"a\.recording"):
        recorded_in(tmp_path)


def test_the_exchange_of_a_feed_class_is_found_however_it_is_made() -> None:
    class Mine(KrakenFeed):
        pass

    assert exchange_of(BinanceFeed) == exchange_of(Maker(BinanceFeed)) == "binance"
    assert exchange_of(partial(partial(Mine, depth=10), url="ws://127.0.0.1:1")) == "kraken"
    assert exchange_of(WireFeed) == exchange_of(len) == ""
