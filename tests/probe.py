"""An actor that hands what it is told to the test, which waits for it with a deadline."""

import asyncio
from collections.abc import Callable
from typing import Any

from ticktree.actors import Actor, ChildSpec, DropOldest, Mailbox

DEADLINE_S = 5.0
BOX = Mailbox(10_000, DropOldest())


class Told(Actor[Any]):
    def __init__(self, queue: "asyncio.Queue[Any]") -> None:
        self._queue = queue

    def on_message(self, message: Any) -> None:
        self._queue.put_nowait(message)


class Probe:
    """`spec` stands in the tree; `get` waits for the next message that `wanted` accepts, and skips the others."""

    def __init__(self, id: str = "probe") -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.spec = ChildSpec(id, lambda: Told(self.queue), BOX)

    async def get(self, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                if wanted(message := await self.queue.get()):
                    return message

    def rest(self) -> list[Any]:
        return [self.queue.get_nowait() for _ in range(self.queue.qsize())]


async def turns_until(condition: Callable[[], bool]) -> None:
    """Give the loop turns until `condition` holds; for what happens within a few of them."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen within 1,000 turns of the loop")
