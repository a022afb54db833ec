"""A sink that keeps what it is handed, in order, and wakes whoever waits for something."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from ticktree.actors import Backoff
from ticktree.market import Batch, BookUpdate

from ...probe import DEADLINE_S

QUICK = Backoff(base_s=0.001, ceiling_s=0.01)

Sides = tuple[dict[float, float], dict[float, float]]


class Collector:
    """`of` gives the events of some types; `until` waits, at most `deadline_s`, until they make a condition true."""

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self.told: list[Any] = []
        self._deadline_s = deadline_s
        self._wake = asyncio.Event()

    def attach(self, port: object) -> None: ...

    def publish(self, batch: Batch) -> None:
        self.told.extend(batch.events)
        self._wake.set()

    def mark(self, mark: Any) -> None:
        self.told.append(mark)
        self._wake.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(self._deadline_s):
            while not condition():
                self._wake.clear()
                await self._wake.wait()

    def of(self, *types: type) -> list[Any]:
        return [event for event in self.told if isinstance(event, types)]

    def counted(self, *types: type) -> Counter[type]:
        return Counter(map(type, self.of(*types)))


def sides(update: BookUpdate) -> Sides:
    return dict(update.bids), dict(update.asks)


def floats(texts: tuple[dict[str, str], dict[str, str]]) -> Sides:
    """What an exchange has, as a feed has it."""
    bids, asks = ({float(price): float(size) for price, size in side.items()} for side in texts)
    return bids, asks
