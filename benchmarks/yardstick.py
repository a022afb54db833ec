"""What several benchmarks send, handle and hold themselves against."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence

import msgspec

from ticktree.actors import Actor


class Message(msgspec.Struct, frozen=True, gc=False):
    """Something to send."""

    number: int


class Tally:
    """How much was handled, by whomever."""

    __slots__ = ("handled",)

    def __init__(self) -> None:
        self.handled = 0


async def handled(tally: Tally, target: int) -> None:
    """Let the loop turn until so much has been handled."""
    while tally.handled < target:  # noqa: ASYNC110  # an event would be one more thing to measure
        await asyncio.sleep(0)


class Counter(Actor[Message]):
    """The trivial handler, of both sides."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def on_message(self, message: Message) -> None:
        """Count it."""
        self.tally.handled += 1


@contextlib.asynccontextmanager
async def consumers(
    queues: Sequence["asyncio.Queue[Message]"], handle: Callable[[Message], None]
) -> AsyncGenerator[None]:
    """One task a queue that waits for messages and handles them: the yardstick's actors."""
    tasks = [asyncio.create_task(consume(queue, handle)) for queue in queues]
    try:
        await asyncio.sleep(0)
        yield
    finally:
        await cancel(tasks)


async def consume(queue: "asyncio.Queue[Message]", handle: Callable[[Message], None]) -> None:
    while True:
        handle(await queue.get())


async def cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """End tasks and wait until they have."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
