"""Binance as it was recorded, led by hand: its time moves when a test says so, and it answers as a test wants it to.

The exchange's time is `now`: how many of the recorded messages it has told. A question for a snapshot is answered as of
now, or as of an earlier or later time that the test puts into `times`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from types import TracebackType

from ticktree.feeds.exchanges.played import PlayedBinance
from ticktree.feeds.playback import Answer, RecordedExchange

from ...probe import DEADLINE_S
from ...recordings import entries
from .collector import Sides, floats

DEPTH = "/api/v3/depth"


@cache
def binance_at(now: int) -> PlayedBinance:
    """The exchange when it had told so many messages."""
    played = PlayedBinance(entries("binance"))
    for entry in played.messages[:now]:
        played.advance(entry)
    return played


class BinanceByHand(RecordedExchange):
    def __init__(self, now: int = 0) -> None:
        super().__init__(PlayedBinance(entries("binance")))
        self.times = deque[int]()  # as of when the next questions for snapshots are answered
        self.refusals = deque[Answer]()  # what they are answered with before that
        self.answering = asyncio.Event()  # snapshots are answered while it is set
        self.answering.set()
        self.pause()
        self.skip(now)

    async def __aenter__(self) -> "BinanceByHand":
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answering.set()
        await self.close()

    async def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        if path != DEPTH:
            return await super().answer(path, query)
        assert query["limit"] == "1000"
        await self.answering.wait()
        if self.refusals:
            return self.refusals.popleft()
        if not self.times:
            return await super().answer(path, query)
        found = binance_at(self.times.popleft()).answer(path, query)
        assert found is not None
        return found

    async def reaches(self, condition: Callable[[], bool]) -> None:
        """Wait, with a deadline, until a client connects, asks or says something that makes it true."""
        async with asyncio.timeout(DEADLINE_S):
            await self.until(condition)

    def last(self, symbol: str, now: int | None = None) -> int:
        """The number of the update that the book holds."""
        return binance_at(self.now if now is None else now).last(symbol)

    def book(self, symbol: str) -> Sides:
        return floats(self.books()[symbol])
