"""A back-test in a cell of a notebook: a few lines and a table, which need no script."""

from typing import Final

from .figures import bp, money, ratio, seconds, share, span
from .markup import Table, joined, tag
from .result import Outcome
from .statistics import Row, Statistics
from .text import warnings

HEADS: Final = (
    "strategy", "currency", "net profit", "realised", "fees", "fills", "trips", "won", "drawdown", "Sharpe", "slippage",
)  # fmt: skip


def notebook_html(outcome: Outcome, statistics: Statistics) -> str:
    """A fragment of HTML."""
    several = len({row.strategy for row in statistics.strategies}) > 1
    rows = [_cells(row) for row in (*statistics.strategies, *(statistics.total if several else ()))]
    title = joined([tag("strong", f"Back-test of {outcome.config}"), ", ", span(outcome.began_ns, outcome.ended_ns)])
    table = Table("Results by strategy", HEADS, rows, frozenset({0, 1})).html()
    parts = [
        tag("p", title),
        *(tag("p", f"Warning: {warning}") for warning in warnings(outcome)),
        table if rows else tag("p", "Nothing was ordered."),
        tag("p", tag("small", f"{_assumed(outcome)}. Digest {outcome.digest[:8]}.")),
    ]
    return tag("div", joined(parts, "\n"))


def _cells(row: Row) -> list[str]:
    risk = row.risk
    return [
        row.strategy or "all", row.currency, money(row.profit.net), money(row.profit.realised), money(row.profit.fees),
        str(row.activity.fills), str(row.trips.count), share(row.trips.win_rate),
        money(risk.drawdown.amount if risk and risk.drawdown else None), ratio(risk.sharpe if risk else None),
        bp(row.quality.slippage_bp),
    ]  # fmt: skip


def _assumed(outcome: Outcome) -> str:
    assumed = outcome.assumptions
    venues = [f"{venue.name}: latency {venue.latency}, fees {venue.fees}" for venue in assumed.venues]
    times = f"batch window {seconds(assumed.batch_window_s)}, handler {seconds(assumed.handler_time_s)}"
    return f"Assumed: {'; '.join([*venues, times])}, seed {assumed.seed}"
