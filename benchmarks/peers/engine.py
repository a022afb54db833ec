"""The back-test of backtest.py over NautilusTrader's: the same quotes, strategy, fees and latency.

`nautilus_1`          quotes that are received each at its own time: `Running.run()` over `BacktestEngine.run()`
`nautilus_1_whole`    with what comes before: assembling, and there objects of all quotes, made from a raw file
`nautilus_32`, `nautilus_32_whole`   received 32 at a time

Ours reads the file and makes events within its run; there both are done before. There are no statistics and no log in
either. Python's own start is left out: the peer's process makes an engine anew for each run. 100,000 quotes are the
peer's better case: of 300,000 each costs it a fifth more.
"""

import tempfile
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from ticktree.market import TICK

from ..backtest import FAST, INSTRUMENTS, LATENCY_S, SIZE, SLOW, TAKER, Market, Ours, written
from ..measure import Figure, Inexact, Plan, figure_of, per_second, with_extra
from .process import Answer, Peer, running

TICKS = 100_000
ORDERS_APART = 0.05  # averages that all but touch cross in one float arithmetic and not in another


class Told(Answer):
    """What the peer tells of a run. `made_s`: how long objects and the engine took, before it; `total`: its fees."""

    made_s: float
    orders: int
    fills: int


@attrs.define
class Theirs:
    """The peer's side; `runs` are what it told."""

    peer: Peer
    market: Market
    runs: list[Told] = attrs.field(factory=list[Told])

    async def seconds_a_tick(self) -> float:
        """Of its engine's run alone."""
        self.runs.append(await self.peer.ask(question_of(self.market), Told))
        return self.runs[-1].run_s / self.market.ticks


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`peers_backtest`."""
    async with running("nautilus_backtest") as peer:
        with tempfile.TemporaryDirectory() as folder:
            for rows in (1, 32):
                market = written(Path(folder), rows, plan.size(TICKS, 6_400))
                ours, theirs = Ours(market), Theirs(peer, market)
                name, unit = f"nautilus_{rows}", per_second("ticks")
                figure = await plan.compare(("peers_backtest", name), unit, ours.seconds_a_tick, theirs.seconds_a_tick)
                extra = extra_of(ours, theirs)
                yield with_extra(figure, **extra)
                whole = [run.whole_s / market.ticks for run in ours.runs]
                their_whole = [(run.made_s + run.run_s) / market.ticks for run in theirs.runs]
                names = "peers_backtest", f"{name}_whole"
                yield with_extra(figure_of(names, unit, whole, their_whole, figure.extra), **extra)


def question_of(market: Market) -> dict[str, Any]:
    """All that the peer needs to know."""
    return {
        "file": str(market.path),
        "begins": market.path.stat().st_size - market.ticks * TICK.itemsize,
        "instruments": [instrument.name for instrument in INSTRUMENTS],
        "fast": FAST,
        "slow": SLOW,
        "size": str(SIZE),
        "latency_ns": round(LATENCY_S * 1e9),
        "taker": str(TAKER),
    }


def extra_of(ours: Ours, theirs: Theirs) -> dict[str, Any]:
    """What both came to. Raises `Inexact` where that is not the same work."""
    our, their = ours.runs[-1], theirs.runs[-1]
    our_fills = our.outcome.fills
    same = abs(our.orders - their.orders) <= max(2, ORDERS_APART * our.orders) and their.fills == their.orders
    if their.handled != ours.market.ticks or not same:
        raise Inexact(f"theirs: {their}; ours: {our.orders} orders, {len(our_fills)} fills")
    return {
        "ticks": their.handled,
        "rows": ours.market.rows,
        "orders": {"ours": our.orders, "peer": their.orders},
        "fees": {"ours": float(sum((fill.fee for fill in our_fills), Decimal(0))), "peer": their.total},
        "peer": theirs.peer.told,
    }
