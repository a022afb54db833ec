"""Without the extra it is said what to install; without files of that kind nobody needs it."""

import sys
from pathlib import Path

import pytest

from ticktree.actors.extras import MissingExtra
from ticktree.feeds.files import looked_at, write_ticks

from .made import BTC, KNOWN, csv, trades


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.csv", 'reading CSV needs pyarrow: pip install "ticktree[backtest]"'),
        ("a.parquet", 'reading Parquet needs pyarrow: pip install "ticktree[backtest]"'),
    ],
)
def test_without_the_library_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = csv(tmp_path / name, "time,price,size", "1,1,1")
    with pytest.raises(MissingExtra) as raised:
        looked_at(path, ["BTC-USDT"], KNOWN)
    assert str(raised.value) == said


def test_our_own_files_need_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    write_ticks(tmp_path / "a.ticks", "f", [BTC], [trades(1)])
    assert looked_at(tmp_path / "a.ticks", ["BTC-USDT"], {}).first_ns == 1
