"""The back-test of backtest.py beside NautilusTrader's, on the same quotes, with the same strategy, fees and latency.

`peers` `nautilus_1`          500 k quotes, each received at its own time: `Running.run()` over `BacktestEngine.run()`
        `nautilus_1_whole`    with what comes before: assembling, and there objects of all quotes, made from a raw file
        `nautilus_32`, `nautilus_32_whole`   received 32 at a time

Ours reads the file and makes events within its run; there both are done before. There are no statistics and no log in
either. The peer runs in a process of its own, with the Python that `TICKTREE_PEERS` names, or that of `.venv-peers`
(`make peers`); neither is needed for anything else. Both time their own runs, and that of Python itself is left out.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec

from ticktree.market import TICK

from .backtest import FAST, INSTRUMENTS, LATENCY_S, SIZE, SLOW, TAKER, Market, Ours, written
from .limits import Missing
from .measure import Figure, Inexact, Plan, figure_of, per_second, with_extra

HERE = Path(__file__).parent
PATIENCE_S = 600.0
ORDERS_APART = 0.05  # averages that all but touch cross in one float arithmetic and not in another


class Told(msgspec.Struct, frozen=True):
    """What a peer tells of its run. `made_s`: how long objects and the engine took, before it."""

    ticks: int
    made_s: float
    run_s: float
    orders: int
    fills: int
    fees: str
    version: str
    python: str


@attrs.define
class Peer:
    """A side that is a program run by the peers' Python; `runs` are what it told."""

    python: Path
    program: str
    market: Market
    runs: list[Told] = attrs.field(factory=list[Told])

    async def seconds_a_tick(self) -> float:
        """Of its engine's run alone. Raises `Missing`."""
        path = HERE / "peer_programs" / self.program
        spec = msgspec.json.encode(spec_of(self.market)).decode()
        self.runs.append(await told(self.python, path, spec))
        return self.runs[-1].run_s / self.market.ticks


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`peers`."""
    python = peers_python()
    with tempfile.TemporaryDirectory() as folder:
        for rows in (1, 32):
            market = written(Path(folder), rows, plan.size(500_000, 6_400))
            ours, theirs = Ours(market), Peer(python, "nautilus.py", market)
            name, unit = f"nautilus_{rows}", per_second("ticks")
            figure = await plan.compare(("peers", name), unit, ours.seconds_a_tick, theirs.seconds_a_tick)
            extra = extra_of(ours, theirs)
            yield with_extra(figure, **extra)
            whole = [run.whole_s / market.ticks for run in ours.runs]
            their_whole = [(run.made_s + run.run_s) / market.ticks for run in theirs.runs]
            yield with_extra(figure_of(("peers", f"{name}_whole"), unit, whole, their_whole, figure.extra), **extra)


def peers_python() -> Path:
    """The Python that has the peers. Raises `Missing`."""
    path = Path(os.environ.get("TICKTREE_PEERS") or HERE.parent / ".venv-peers" / "bin" / "python")
    if not path.is_file():
        raise Missing(f"there is no {path}: `make peers` makes it, or TICKTREE_PEERS names a Python that has the peers")
    return path


async def told(python: Path, program: Path, spec: str) -> Told:
    """Run `program`. Raises `Missing` where it cannot."""
    process = await asyncio.create_subprocess_exec(
        python, program, spec, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise Missing(f"{program.name} failed: {errors.decode(errors='replace').strip().rpartition(chr(10))[2]}")
    return msgspec.json.decode(output, type=Told)


def spec_of(market: Market) -> dict[str, Any]:
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


def extra_of(ours: Ours, theirs: Peer) -> dict[str, Any]:
    """What both came to. Raises `Inexact` where that is not the same work."""
    our, their = ours.runs[-1], theirs.runs[-1]
    our_fills = our.outcome.fills
    same = abs(our.orders - their.orders) <= max(2, ORDERS_APART * our.orders) and their.fills == their.orders
    if their.ticks != ours.market.ticks or not same:
        raise Inexact(f"theirs: {their}; ours: {our.orders} orders, {len(our_fills)} fills")
    return {
        "ticks": their.ticks,
        "rows": ours.market.rows,
        "orders": {"ours": our.orders, "peer": their.orders},
        "fees": {"ours": str(sum((fill.fee for fill in our_fills), Decimal(0)).normalize()), "peer": their.fees},
        "peer": f"nautilus_trader {their.version}, Python {their.python}",
    }
