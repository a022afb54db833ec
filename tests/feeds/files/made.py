"""Small files of market data, and what comes of reading them."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from ticktree.feeds.files.looking import reading_of, wanted_of
from ticktree.feeds.files.order import joined
from ticktree.feeds.files.reading import FileReading
from ticktree.market import TICK, Instrument, Ticks, Topic
from ticktree.market.ticks import events

BEGAN_NS = 1_700_000_000_000_000_000
BTC = Instrument("BTC-USDT", 0, Decimal("0.01"), Decimal("0.0001"))
ETH = Instrument("ETH-USDT", 1, Decimal("0.01"), Decimal("0.001"), Decimal(5))
KNOWN = {one.name: one for one in (BTC, ETH)}
BUY, SELL, LAST, SNAPSHOT = 1, 2, 4, 8
TRADE, QUOTE, BOOK = 1, 2, 3


def row(kind: int, time_ns: int, *values: float, id: int = 0, flags: int = LAST) -> tuple[Any, ...]:
    a, b, c, d = (*values, *(0.0 for _ in range(4 - len(values))))
    return (id, kind, flags, 0, 0, time_ns, time_ns, a, b, c, d)


def trades(*times_ns: int, id: int = 0) -> Ticks:
    """One each time; what tells them apart is the size."""
    array: Ticks = np.zeros(len(times_ns), TICK)
    array["instrument"], array["kind"], array["flags"], array["a"] = id, TRADE, LAST, 100.0
    array["venue_time_ns"] = array["received_time_ns"] = times_ns
    array["b"] = np.arange(len(times_ns))
    return array


def ticks(rows: Iterable[tuple[Any, ...]]) -> Ticks:
    array: Ticks = np.array(list(rows), TICK)
    return array


def chunks_of(path: Path, *topics: str, checked: bool = True) -> tuple[FileReading, list[Ticks]]:
    """What a feed "f" of both instruments, or of `topics`, gets of it."""
    reading = reading_of(path)
    wanted = wanted_of(
        "f", map(Topic.parse, topics or ("f/BTC-USDT/*", "f/ETH-USDT/*")), KNOWN, reading.instruments, checked
    )
    return reading, list(reading.chunks(wanted))


def read(path: Path, *topics: str) -> Ticks:
    """All rows."""
    return all_of(chunks_of(path, *topics)[1])


def all_of(chunks: Sequence[Ticks]) -> Ticks:
    return joined(chunks) if chunks else np.empty(0, TICK)


def told(path: Path, *topics: str) -> list[Any]:
    """The same as events."""
    return events(read(path, *topics), {0: BTC, 1: ETH}, "f")


def csv(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path
