"""Who runs next."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.actors.harness import Recorder, cell_of, child, plain, running, settle, without_collector
from ticktree.actors import Actor, VirtualClock, simulate


def recording(seen: list[Any]) -> Callable[[Actor[Any], Any], None]:
    return lambda actor, message: seen.append(message)


def order_of(seed: int | None) -> list[str]:
    """In which order eight actors, which tell one another, handle their messages."""

    async def main(clock: VirtualClock) -> list[str]:
        seen: list[str] = []

        def handle(actor: Actor[Any], message: int) -> None:
            seen.append(f"{actor.path}{message}")
            if message:
                for n in range(0, 8, 3):
                    actor.find(f"a{n}").tell(message - 1)

        async with running(*[plain(f"a{n}", handle) for n in range(8)], seed=seed) as system:
            for n in range(8):
                system.ref(f"a{n}").tell(2)
            await settle()
        return seen

    with without_collector():
        return simulate(main)


def test_without_a_seed_actors_go_in_the_order_in_which_they_were_woken() -> None:
    assert [entry for entry in order_of(None) if entry.endswith("2")] == [f"a{n}2" for n in range(8)]


def test_a_seed_gives_the_same_order_every_time() -> None:
    for seed in range(5):
        assert order_of(seed) == order_of(seed)


def test_different_seeds_give_different_orders_of_the_same_work() -> None:
    orders = [order_of(seed) for seed in range(20)]
    assert len({tuple(order) for order in orders}) == 20
    assert len({tuple(sorted(order)) for order in orders}) == 1


def test_a_seed_keeps_the_order_of_each_sender() -> None:
    async def main(clock: VirtualClock, seed: int) -> list[int]:
        seen: list[int] = []
        async with running(plain("a", recording(seen)), child("b", lambda: Recorder([])), seed=seed) as system:
            for n in range(50):
                system.ref("a").tell(n)
                system.ref("b").tell(n)
                await asyncio.sleep(0)
            await settle()
        return seen

    for seed in range(5):
        with without_collector():
            order = simulate(partial(main, seed=seed))
        assert order == list(range(50))


async def test_a_round_of_turns_ends_after_a_millisecond_so_that_the_loop_sees_its_sockets(clock: VirtualClock) -> None:
    steps: list[str] = []

    def slow(actor: Actor[Any], message: Any) -> None:
        clock.advance(0.000_6)
        steps.append(actor.path)
        if actor.path == "a0":
            asyncio.get_running_loop().call_soon(steps.append, "the loop")

    async with running(*[plain(f"a{n}", slow) for n in range(6)]) as system:
        for n in range(6):
            system.ref(f"a{n}").tell(0)
        await settle()
    assert steps.index("the loop") == 2
    assert sorted(steps) == ["a0", "a1", "a2", "a3", "a4", "a5", "the loop"]


@pytest.mark.parametrize("seed", [None, 7])
async def test_an_actor_that_dies_while_it_is_runnable_is_passed_over(seed: int | None) -> None:
    seen: list[Any] = []
    async with running(plain("a", recording(seen)), plain("b", recording(seen)), seed=seed) as system:
        system.ref("a").tell("a")
        system.ref("b").tell("b")
        cell_of(system, "a").kill()
        await settle()
        assert cell_of(system, "a").lives == 2
    assert sorted(seen) == ["a", "b"]
