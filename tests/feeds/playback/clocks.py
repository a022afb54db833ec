"""A clock for real sockets: who sleeps by it waits for nothing, and its time has passed all the same."""

import asyncio
from collections.abc import Callable

from ticktree.actors.clock import Alarm

NS = 1_000_000_000


class SkippingClock:
    """`slept` holds how many seconds each sleep was to take."""

    def __init__(self) -> None:
        self.slept = list[float]()
        self._now_ns = 0

    def monotonic_ns(self) -> int:
        return self._now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Alarm:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now_ns += round(seconds * NS)
        await asyncio.sleep(0)
