"""Cancellation at random instants: nothing hangs, and every tick stays accounted for."""

import asyncio
import contextlib
from random import Random
from typing import Any

import pytest

from tests.actors.harness import Question, awaiting, cell_of, plain, tree, without_collector
from tests.actors.support import note_soak
from ticktree.actors import (
    Actor,
    ActorsError,
    Block,
    DropNewest,
    DropOldest,
    Mailbox,
    System,
    VirtualClock,
    simulate,
)

MAILBOXES = (Mailbox(3, Block()), Mailbox(3, DropOldest()), Mailbox(3, DropNewest()))


class Storm:
    """Asks, puts and handlers, and who cancels them at random instants."""

    def __init__(self, clock: VirtualClock, seed: int) -> None:
        self.clock, self.random = clock, Random(seed)
        self.system = System(tree([self._server(n) for n in range(3)]), clock, seed=seed)
        self.handled = [0, 0, 0]
        self.cancelled = 0

    def _server(self, n: int) -> Any:
        async def handle(actor: Actor[Any], message: Any) -> None:
            await self._pause()
            if n and self.random.random() < 0.3:  # asks on, in one direction, so that waits chain
                with contextlib.suppress(ActorsError):
                    await actor.find(f"a{n - 1}").ask(Question(), self.random.uniform(0.001, 0.05))
            self._handled(n, message)

        def handle_now(actor: Actor[Any], message: Any) -> None:
            self._handled(n, message)

        mailbox = MAILBOXES[n]
        is_plain = n == 1 and self.random.random() < 0.5  # all of them plain, and there is little to cancel
        return plain(f"a{n}", handle_now, mailbox) if is_plain else awaiting(f"a{n}", handle, mailbox)

    def _handled(self, n: int, message: Any) -> None:
        if isinstance(message, Question):
            message.reply("reply")
        self.handled[n] += 1 if isinstance(message, Question) else message

    async def _pause(self) -> None:
        await self.clock.sleep(self.random.choice([0.0, 1e-9, 1e-6, self.random.uniform(0, 0.02)]))

    async def _client(self) -> None:
        ref = self.system.ref(f"a{self.random.randrange(3)}")
        with contextlib.suppress(ActorsError):
            if self.random.random() < 0.5:
                await ref.ask(Question(), self.random.uniform(1e-9, 0.05))
            else:
                weight = self.random.randrange(4)
                await ref.put(weight, weight)

    async def _cancel(self, task: "asyncio.Task[None]") -> None:
        await self._pause()
        if self.random.random() < 0.2:
            cell_of(self.system, f"a{self.random.randrange(3)}").kill()
        self.cancelled += task.cancel()

    async def blow(self, points: int) -> None:
        """Until `points` cancellations have hit something."""
        await self.system.start()
        while self.cancelled < points:
            clients = [asyncio.ensure_future(self._client()) for _ in range(8)]
            cancels = [asyncio.ensure_future(self._cancel(client)) for client in clients]
            await self._pause()
            for cell in self.system.cells():
                stats = cell.stats()
                assert stats.unaccounted == 0
                assert cell.lane.weigh() == stats.queued <= stats.capacity
            async with asyncio.timeout(10.0):
                await asyncio.gather(*clients, *cancels, return_exceptions=True)
        for n in range(3):
            await self.system.ref(f"a{n}").drain(10.0)
        await self.system.stop()
        for cell, handled in zip(self.system.cells(), self.handled, strict=True):
            stats = cell.stats()
            assert stats.delivered == handled
            assert (stats.unaccounted, stats.queued, stats.in_handler) == (0, 0, 0)
            assert (len(cell.asked), len(cell.asking), len(cell.lane.waiting)) == (0, 0, 0)
            assert stats.control_received == stats.control_handled + stats.control_dropped
        assert not self.system.leaks
        assert len(asyncio.all_tasks()) == 1


def storm(points: int, seed: int) -> None:
    async def main(clock: VirtualClock) -> None:
        unhandled: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        await Storm(clock, seed).blow(points)
        assert not unhandled, unhandled

    with without_collector():
        simulate(main)


@pytest.mark.parametrize("seed", range(10))
def test_cancellation_at_random_instants_loses_no_tick(seed: int) -> None:
    storm(30, seed)


@pytest.mark.soak
def test_cancellation_at_ten_thousand_instants_loses_no_tick(pytestconfig: pytest.Config) -> None:
    for seed in range(100):
        storm(100, seed)
    note_soak(pytestconfig, "cancellation", {"points": 10_000, "seeds": 100, "unaccounted": 0})
