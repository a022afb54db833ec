"""What the runs of a sweep came to, side by side: a table for people, and a document for programs."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ticktree.tables import aligned, grouped

from .figures import money, ratio
from .result import Value
from .statistics import Row
from .sweeping import Ran, Sweep

VERSION: Final = 1
DIGITS: Final = 12  # of a digest
NOTHING: Final = ("", "-", "-", "0", "0", "-", "-")


class Run(Value, frozen=True, gc=False):
    """One of them. `parameters`: what it was run with, by key."""

    parameters: dict[str, Any]
    ran: Ran


class Document(Value, frozen=True, gc=False, kw_only=True):
    """The whole. `changes`: of the configuration, for all runs. No series, orders or fills: `ticktree backtest --json`
    with `--set` has those of one."""

    version: int = VERSION
    config: str
    data: tuple[str, ...]
    changes: dict[str, Any]
    runs: tuple[Run, ...]


def as_json(sweep: Sweep, runs: Sequence[Ran]) -> bytes:
    """All of it in one line, with its end."""
    document = Document(
        config=str(sweep.config), data=sweep.data, changes={one.key: one.value for one in sweep.changes},
        runs=tuple(
            Run({one.key: one.value for one in combination}, ran)
            for combination, ran in zip(sweep.combinations(), runs, strict=True)
        ),
    )  # fmt: skip
    return msgspec.json.encode(document) + b"\n"


def table(sweep: Sweep, runs: Sequence[Ran]) -> str:
    """A row for each run and currency, in the order of the combinations."""
    names = _names([one.key for one in sweep.parameters])
    heads = [*names, "", "net profit", "fees", "fills", "trips", "drawdown", "sharpe", "digest"]
    rows = [heads]
    for combination, ran in zip(sweep.combinations(), runs, strict=True):
        rows += _rows([one.said for one in combination], ran)
    failed = sum(bool(ran.error) for ran in runs)
    changed = "".join(f", {one.key}={one.said}" for one in sweep.changes)
    title = f"sweep of {sweep.config}{changed}: {len(runs):,} {'run' if len(runs) == 1 else 'runs'}"
    title += f", {failed:,} of them failed" if failed else ""
    left = {*range(len(names) + 1), len(heads) - 1}
    return "\n".join([title, "", *aligned(rows, left), *_warnings(runs)])


def _names(keys: Sequence[str]) -> list[str]:
    """The last word of each, or all of it where two have that."""
    last = [key.rpartition(".")[2] for key in keys]
    return [name if last.count(name) == 1 else key for name, key in zip(last, keys, strict=True)]


def _rows(values: list[str], ran: Ran) -> list[list[str]]:
    if ran.statistics is None:
        return [[*values, *[""] * (len(NOTHING)), ran.error]]
    found = [list(_cells(row)) for row in ran.statistics.total] or [list(NOTHING)]
    first, *others = found
    incomplete = f"  incomplete: {ran.error}" if ran.error else ""
    return [
        [*values, *first, f"{ran.digest[:DIGITS]}{incomplete}"],
        *([*[""] * len(values), *other, ""] for other in others),
    ]


def _cells(row: Row) -> tuple[str, ...]:
    risk = row.risk
    fallen = risk.drawdown.amount if risk and risk.drawdown else None
    return (
        row.currency, money(row.profit.net), money(row.profit.fees), grouped(row.activity.fills),
        grouped(row.trips.count), money(fallen or 0.0), ratio(risk.sharpe if risk else None),
    )  # fmt: skip


def _warnings(runs: Sequence[Ran]) -> list[str]:
    counts = Counter(warning for ran in runs for warning in ran.warnings if not warning.startswith("INCOMPLETE"))
    told = [f"WARNING  {warning} ({grouped(count)} of {len(runs):,} runs)" for warning, count in counts.items()]
    return ["", *told] if told else []
