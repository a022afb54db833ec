"""What only the extra installs is asked for by name where it is missing."""

import sys

import pytest

from ticktree.actors.extras import MissingExtra
from ticktree.backtesting.frames import equity_frame
from ticktree.backtesting.page import page
from ticktree.backtesting.statistics import statistics

from .outcomes import busy


def test_a_missing_library_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = busy(rounds=1).outcome()
    for name in ("plotly", "plotly.offline", "polars"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r'^the page needs plotly: pip install "ticktree\[backtest\]"$'):
        page(outcome, statistics(outcome))
    with pytest.raises(MissingExtra, match=r'^a data frame needs polars: pip install "ticktree\[backtest\]"$'):
        equity_frame(outcome)
