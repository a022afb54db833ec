"""Who runs next, and hand-off within a read callback."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.actors.harness import Recorder, cell_of, child, plain, running, settle, without_collector
from ticktree.actors import Actor, Block, Delivery, Mailbox, System, VirtualClock, simulate

DEEPEST = 4  # as docs/guarantees.md says


def reader(filled: bool = False) -> Any:
    return plain("reader", lambda actor, message: _read(actor, message, filled))


def _read(actor: Actor[Any], message: Callable[[Actor[Any]], None], filled: bool) -> None:
    actor.reads.begin_read(filled)
    try:
        message(actor)
    finally:
        actor.reads.end_read()


async def read(system: System, callback: Callable[[Actor[Any]], None]) -> None:
    """Run `callback` in a read callback of the actor `reader`."""
    system.ref("reader").tell(callback)
    await settle()


def tell(path: str, message: Any) -> Callable[[Actor[Any]], None]:
    def callback(actor: Actor[Any]) -> None:
        actor.find(path).tell(message)

    return callback


def recording(seen: list[Any]) -> Callable[[Actor[Any], Any], None]:
    return lambda actor, message: seen.append(message)


# --- hand-off --------------------------------------------------------------------------------------------------------


async def test_a_message_is_handled_within_the_senders_call() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        assert actor.find("b").tell("message") is Delivery.ACCEPTED
        seen.append("told")

    async with running(reader(), plain("b", recording(seen), hand_off=True)) as system:
        await read(system, callback)
        stats = system.ref("b").stats()
        assert (stats.delivered, stats.in_handler, stats.queued) == (1, 0, 0)
    assert seen == ["message", "told"]


async def test_only_who_opted_in_is_handed_anything() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell("message")
        seen.append("told")

    async with running(reader(), plain("b", recording(seen))) as system:
        await read(system, callback)
    assert seen == ["told", "message"]


async def test_nothing_is_handed_off_outside_of_a_read_callback() -> None:
    seen: list[Any] = []

    def tell(actor: Actor[Any], message: Any) -> None:
        actor.find("b").tell("message")
        seen.append("told")

    async with running(plain("a", tell), plain("b", recording(seen), hand_off=True)) as system:
        system.ref("a").tell(0)
        await settle()
    assert seen == ["told", "message"]


async def test_nothing_is_handed_off_after_a_read_callback_has_ended() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        actor.reads.end_read()
        actor.find("b").tell("message")
        seen.append("told")

    async with running(reader(), plain("b", recording(seen), hand_off=True)) as system:
        await read(system, callback)
    assert seen == ["told", "message"]


async def test_nothing_is_handed_off_when_the_read_filled_its_buffer() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell("message")
        seen.append("told")

    async with running(reader(filled=True), plain("b", recording(seen), hand_off=True)) as system:
        await read(system, callback)
    assert seen == ["told", "message"]


async def test_one_message_a_receiver_and_read_callback_the_rest_queues_in_order() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        for n in range(3):
            actor.find("b").tell(f"b{n}")
            actor.find("c").tell(f"c{n}")
        seen.append("told")

    async with running(
        reader(), plain("b", recording(seen), hand_off=True), plain("c", recording(seen), hand_off=True)
    ) as system:
        await read(system, callback)
        await read(system, callback)
    assert seen == ["b0", "c0", "told", "b1", "b2", "c1", "c2"] * 2


async def test_nothing_overtakes_what_is_queued() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell("second")
        seen.append("told")

    async with running(reader(), plain("b", recording(seen), hand_off=True)) as system:
        system.ref("reader").tell(callback)
        system.ref("b").tell("first")
        await settle()
    assert seen == ["told", "first", "second"]


async def test_a_control_message_that_waits_goes_first() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell_control("control")
        actor.find("b").tell("data")
        seen.append("told")

    async with running(reader(), plain("b", recording(seen), hand_off=True)) as system:
        await read(system, callback)
    assert seen == ["told", "control", "data"]


async def test_hand_offs_nest_four_deep_at_most() -> None:
    seen: list[Any] = []

    def on_to(n: int) -> Callable[[Actor[Any], Any], None]:
        def handle(actor: Actor[Any], message: Any) -> None:
            seen.append(f"begin {n}")
            if n < 7:
                actor.find(f"a{n + 1}").tell("on")
            seen.append(f"end {n}")

        return handle

    chain = [plain(f"a{n}", on_to(n), hand_off=True) for n in range(8)]
    async with running(reader(), *chain) as system:
        await read(system, tell("a0", "on"))
    nested = [f"begin {n}" for n in range(DEEPEST)]
    assert seen[: 2 * DEEPEST] == nested + [f"end {n}" for n in reversed(range(DEEPEST))]
    assert seen[2 * DEEPEST :] == [f"{what} {n}" for n in range(DEEPEST, 8) for what in ("begin", "end")]


async def test_a_read_callback_hands_off_for_a_millisecond(clock: VirtualClock) -> None:
    seen: list[Any] = []

    def slow(actor: Actor[Any], message: Any) -> None:
        clock.advance(0.000_6)
        seen.append(message)

    def callback(actor: Actor[Any]) -> None:
        for n in range(4):
            actor.find(f"a{n}").tell(n)
        seen.append("told")

    chain = [plain(f"a{n}", slow, hand_off=True) for n in range(4)]
    async with running(reader(), *chain) as system:
        await read(system, callback)
    assert seen == [0, 1, "told", 2, 3]


async def test_what_a_handed_off_handler_tells_itself_is_handled_in_its_turn() -> None:
    seen: list[Any] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        seen.append(message)
        if message == "first":
            actor.ref.tell("second")
            actor.ref.tell_control("control")

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell("first")
        seen.append("told")

    async with running(reader(), plain("b", handle, hand_off=True)) as system:
        await read(system, callback)
    assert seen == ["first", "told", "control", "second"]


async def test_an_exception_of_a_handed_off_handler_never_reaches_the_sender() -> None:
    seen: list[Any] = []

    def fail(actor: Actor[Any], message: Any) -> None:
        raise ValueError("the receiver's own")

    def callback(actor: Actor[Any]) -> None:
        for _ in range(2):
            seen.append(actor.find("b").tell("message", 3))

    async with running(reader(), plain("b", fail, hand_off=True)) as system:
        await read(system, callback)
        stats, cell = system.ref("b").stats(), cell_of(system, "b")
        assert (cell.lives, cell_of(system, "reader").lives, stats.dropped.crash) == (3, 1, 6)
    assert seen == [Delivery.ACCEPTED, Delivery.ACCEPTED]


async def test_a_handed_off_handler_that_returns_an_awaitable_suspends_only_itself(clock: VirtualClock) -> None:
    seen: list[Any] = []

    class Sometimes(Actor[Any]):
        def on_message(self, message: Any) -> Any:
            return self._later() if message == "later" else None

        async def _later(self) -> None:
            await clock.sleep(1.0)
            seen.append("later")

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell("later", 2)
        actor.find("b").tell("next")
        seen.append(actor.find("b").stats().in_handler)

    async with running(reader(), child("b", Sometimes, hand_off=True)) as system:
        await read(system, callback)
        assert system.ref("b").stats().delivered == 0
        await clock.sleep(2.0)
        assert system.ref("b").stats().delivered == 3
    assert seen == [2, "later"]


async def test_a_handed_off_handler_that_returns_junk_ends_its_life() -> None:
    class Junk(Actor[Any]):
        def on_message(self, message: Any) -> Any:
            return 3

    async with running(reader(), child("b", Junk, hand_off=True)) as system:
        await read(system, tell("b", "message"))
        assert (system.ref("b").stats().dropped.crash, cell_of(system, "b").lives) == (1, 2)


async def test_a_waiting_sender_is_let_in_after_a_hand_off() -> None:
    seen: list[Any] = []
    async with running(reader(), plain("b", recording(seen), Mailbox(1, Block()), hand_off=True)) as system:
        ref = system.ref("b")

        def callback(actor: Actor[Any]) -> None:
            ref.tell("handed")
            ref.tell("queued")
            tasks.append(asyncio.get_running_loop().create_task(ref.put("waits")))

        tasks: list[asyncio.Task[Delivery]] = []
        await read(system, callback)
        assert await tasks[0] is Delivery.ACCEPTED
        await settle()
    assert seen == ["handed", "queued", "waits"]


# --- the run queue ---------------------------------------------------------------------------------------------------


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
