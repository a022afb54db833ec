"""Which format a file has is told by how it begins, or by its name."""

from pathlib import Path

import pytest

from ticktree.feeds.files import (
    ForeignFile,
    NoFile,
    first_time_ns,
    format_of,
    instruments_of,
    looked_at,
    write_ticks,
)

from .made import BTC, ETH, KNOWN, csv, trades


@pytest.mark.parametrize(
    ("name", "head", "format"),
    [
        ("a.ticks", b"", "ticks"),
        ("a.dat", b"ticktree ticks 1 {", "ticks"),
        ("a.CSV", b"time", "csv"),
        ("a.csv.gz", b"\x1f\x8b", "csv"),
        ("a.csv.zst", b"", "csv"),
        ("a.csv.bz2", b"", "csv"),
        ("a.pq", b"", "parquet"),
        ("a.dat", b"PAR1....", "parquet"),
        ("a.jsonl.gz", b"\x1f\x8b", None),
        ("a.recording", b"ticktree recording 1 {}", None),
    ],
)
def test_the_format_is_told_by_head_or_name(tmp_path: Path, name: str, head: bytes, format: str | None) -> None:
    (tmp_path / name).write_bytes(head)
    assert format_of(tmp_path / name) == format


def test_what_has_no_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(ForeignFile, match=r"it is none of \.ticks, \.csv, .*: unpack it first"):
        looked_at(tmp_path / "a.zip", ["BTC-USDT"], KNOWN)
    with pytest.raises(NoFile, match="it cannot be opened"):
        format_of(tmp_path / "none")


def test_first_time_and_instruments_are_known_without_reading_all(tmp_path: Path) -> None:
    write_ticks(tmp_path / "a.ticks", "f", [BTC, ETH], [trades(7, 8)])
    csv(tmp_path / "a.csv", "time,price,size", "1700000000,1,1", "broken")
    assert first_time_ns(tmp_path / "a.ticks") == 7
    assert instruments_of(tmp_path / "a.ticks") == (BTC, ETH)
    assert first_time_ns(csv(tmp_path / "b.csv", "time,price,size", "1700000000,1,1")) == 1_700_000_000_000_000_000
    assert instruments_of(tmp_path / "a.csv") == ()


def test_what_was_looked_at_is_told(tmp_path: Path) -> None:
    path = csv(tmp_path / "ethusdt.csv", "time,price,size", "1700000000,1,1")
    found = looked_at(path, ["*-USDT"], KNOWN)
    assert (found.path, found.format, found.size_bytes, found.layout) == (path, "csv", 31, "trades")
