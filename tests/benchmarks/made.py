"""Runs that nobody measured."""

from pathlib import Path
from typing import Any

from benchmarks.measure import Figure
from benchmarks.runs import Run, write

CONDITIONS = {"version": "0.1.0", "date": "2024-01-31 12:00 UTC", "machine": "a CPU", "cores": 2, "python": "3.11.1"}


def figure(name: str, ratio: float = 1.0, spread: float = 0.1, **extra: Any) -> Figure:
    """`benchmark figure`, with a ratio and by how much its rounds differ from it."""
    benchmark, _, rest = name.partition(" ")
    return Figure(
        benchmark, rest, "ticks/s", ratio * 2e6, 2e6, ratio, ratio - spread, ratio + spread, 7,
        {"conditions": CONDITIONS, **extra},
    )  # fmt: skip


def disturbed(name: str, ratio: float = 1.0) -> Figure:
    """One to be doubted."""
    return figure(name, ratio, interference=["others took 40% of the machine"])


def curve(name: str, *costs: float) -> list[Figure]:
    """A point at 1, 10, 100 and so on, each of which costs so many times the first."""
    return [
        figure(f"scale {name}_{10**power}", 1 / cost, 0.1 / cost, curve=name, at=10**power)
        for power, cost in enumerate(costs)
    ]


def kept(path: Path, *figures: Figure, **missing: str) -> Path:
    """A file of them."""
    write(path, Run(list(figures), missing))
    return path
