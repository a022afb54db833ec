"""What a feed does beside reading, on behalf of one connection: to log in, to fetch snapshots."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from ticktree.market import MarketError
from ticktree.net import Lost

from .errors import FeedError

log = logging.getLogger("ticktree.feeds")

STOP_S = 1.0  # for cancelled work to end; what swallows that is named and left behind


class Tasks:
    """Owns them. `failed` hears of errors of the other side's, while they concern anyone; `fault` of our own."""

    def __init__(self, failed: Callable[[Exception], None], fault: Callable[[Exception], None]) -> None:
        self._failed, self._fault = failed, fault
        self._current: set[asyncio.Task[None]] = set()
        self._dropped: set[asyncio.Task[None]] = set()

    @property
    def under_way(self) -> bool:
        """Whether any work is, for the connection that there is."""
        return bool(self._current)

    def begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do `work` until the connection ends."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._current.add(task)
        task.add_done_callback(self._ended)

    def drop(self) -> None:
        """The connection ended: so does all work for it, and what becomes of it concerns nobody."""
        for task in self._current:
            task.cancel()
        self._dropped |= self._current
        self._current = set()

    async def stop(self) -> None:
        """Wait until all of it has ended; bounded."""
        self.drop()
        if self._dropped:
            _, left = await asyncio.wait(self._dropped, timeout=STOP_S)
            for task in left:
                log.error("%s goes on although it was cancelled", task.get_name())

    def _ended(self, task: "asyncio.Task[None]") -> None:
        concerns = task in self._current
        self._current.discard(task)
        self._dropped.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Lost | FeedError | MarketError):
            if concerns:
                self._failed(error)
        elif isinstance(error, Exception):
            self._fault(error)
