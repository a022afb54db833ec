"""The turns of an actor's place, the senders that wait for it, and its figures."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.actors.batches import Lasts, rows
from tests.actors.harness import (
    Recorder,
    awaiting,
    cell_of,
    child,
    plain,
    restarted,
    running,
    settle,
    tree,
    wait_a_second,
)
from ticktree.actors import (
    Actor,
    Block,
    Delivery,
    Mailbox,
    Reason,
    Restart,
    System,
    VirtualClock,
)
from ticktree.actors.scheduler import ITEMS_A_TURN

WIDE = Mailbox(1_000_000, Block())


# --- turns -----------------------------------------------------------------------------------------------------------


async def test_a_turn_is_at_most_256_messages_then_others_have_theirs() -> None:
    order: list[str] = []
    async with running(
        plain("a", lambda actor, message: order.append("a"), WIDE),
        plain("b", lambda actor, message: order.append("b"), WIDE),
    ) as system:
        for _ in range(1_000):
            system.ref("a").tell(0)
            system.ref("b").tell(0)
        await settle()
    runs = _runs(order)
    assert [length for _, length in runs[:6]] == [ITEMS_A_TURN] * 6
    assert [name for name, _ in runs] == ["a", "b"] * 4


async def test_control_messages_count_for_the_turn() -> None:
    order: list[str] = []
    async with running(
        plain("a", lambda actor, message: order.append("a"), WIDE),
        plain("b", lambda actor, message: order.append("b"), WIDE),
    ) as system:
        for _ in range(1_000):
            system.ref("a").tell_control(0)
            system.ref("b").tell_control(0)
        await settle()
    assert [length for _, length in _runs(order)] == [256, 256, 256, 256, 256, 256, 232, 232]


async def test_a_turn_is_at_most_a_millisecond(clock: VirtualClock) -> None:
    order: list[str] = []

    def slow(name: str) -> Callable[[Actor[Any], Any], None]:
        def handle(actor: Actor[Any], message: Any) -> None:
            order.append(name)
            clock.advance(0.000_3)

        return handle

    async with running(plain("a", slow("a")), plain("b", slow("b"))) as system:
        for _ in range(30):
            system.ref("a").tell(0)
            system.ref("b").tell(0)
        await settle()
    longest = max(length for _, length in _runs(order))
    assert longest <= 7  # a millisecond is 4, found out after 1, 3, 7: the clock is not read each time
    assert order.count("a") == order.count("b") == 30


@pytest.mark.parametrize("light", [0, 1])
async def test_a_light_message_does_not_have_a_turn_run_on_over_heavy_ones(light: int, clock: VirtualClock) -> None:
    order: list[str] = []

    def takes_long_a_tick(actor: Actor[Any], message: int) -> None:
        order.append("a")
        clock.advance(0.000_1 * message or 0.000_003)

    def notes(actor: Actor[Any], message: int) -> None:
        order.append("b")

    async with running(plain("a", takes_long_a_tick, WIDE), plain("b", notes, WIDE)) as system:
        system.ref("a").tell(light, light)
        for _ in range(20):
            system.ref("a").tell(256, 256)
            system.ref("b").tell(0)
        await settle()
    assert order[:3] in (["a", "a", "b"], ["a", "b", "b"])  # the light one, and at most one of 25 ms
    assert order.count("a") == 21


@pytest.mark.parametrize("lane", ["tell", "tell_control"])
async def test_an_actor_that_floods_itself_starves_nobody(lane: str) -> None:
    steps: list[str] = []

    def flood(actor: Actor[Any], message: Any) -> None:
        steps.append("flood")
        if steps.count("peer") < 20:
            getattr(actor.ref, lane)("again")
            getattr(actor.ref, lane)("again") if len(steps) < 2_000 else None

    def peer(actor: Actor[Any], message: int) -> None:
        steps.append("peer")
        if message < 20:
            actor.ref.tell(message + 1)

    async with running(plain("flooder", flood, WIDE), plain("peer", peer)) as system:
        system.ref("flooder").tell("begin")
        system.ref("peer").tell(1)
        async with asyncio.timeout(1.0):
            await system.ref("peer").drain(1.0)
            await settle()
    assert steps.count("peer") == 20
    assert all(length <= 2 * ITEMS_A_TURN for _, length in _runs(steps[: steps.index("peer") + 2_000]))


@pytest.mark.parametrize("ends", ["drained", "crashed", "stopped"])
async def test_what_the_end_of_a_life_takes_is_not_taken_from_the_next_turn(clock: VirtualClock, ends: str) -> None:
    order: list[str] = []

    class SlowToStop(Actor[Any]):
        def on_message(self, message: Any) -> None:
            for n in range(3):
                for name in ("b", "c"):
                    self.find(name).tell(n)
            if ends == "crashed":
                raise ValueError(message)
            if ends == "stopped":
                self.stop()

        def on_stop(self, reason: Reason) -> None:
            clock.advance(0.002)

    group = [plain(name, lambda actor, message: order.append(actor.path)) for name in ("b", "c")]
    async with running(*group, child("a", SlowToStop)) as system:
        system.ref("a").tell(0)
        if ends == "drained":
            cell_of(system, "a").stop(drain=True)
        await settle()
    assert order == ["b", "b", "b", "c", "c", "c"]


def _runs(order: list[str]) -> list[tuple[str, int]]:
    runs: list[tuple[str, int]] = []
    for name in order:
        if runs and runs[-1][0] == name:
            runs[-1] = name, runs[-1][1] + 1
        else:
            runs.append((name, 1))
    return runs


# --- waiting senders, draining ---------------------------------------------------------------------------------------


async def test_a_put_goes_in_as_soon_as_there_is_room_also_while_the_handler_is_suspended() -> None:
    async with running(awaiting("a", wait_a_second, Mailbox(1, Block()))) as system:
        ref = system.ref("a")
        ref.tell("in hand soon")
        put = asyncio.ensure_future(ref.put("waits"))
        await asyncio.sleep(0.5)
        assert put.done()
        assert (ref.stats().in_handler, ref.stats().queued) == (1, 1)
        await asyncio.sleep(2.0)


async def test_a_big_batch_is_put_in_pieces_and_handled_in_order() -> None:
    seen: list[Any] = []
    mailbox = Mailbox(3, Block(), rows=Lasts())
    async with running(child("a", lambda: Recorder(seen), mailbox)) as system:
        batch = rows("a. b. c d. e. f. g h i.")
        assert await system.ref("a").put(batch, len(batch)) is Delivery.ACCEPTED
        await settle()
    assert [row for piece in seen for row in piece] == batch
    assert max(map(len, seen)) <= 3


@pytest.mark.parametrize("weight", [0, 1])
async def test_drain_waits_for_what_is_in_hand_and_queued_now(clock: VirtualClock, weight: int) -> None:
    async with running(awaiting("a", wait_a_second)) as system:
        ref = system.ref("a")
        await ref.drain(1.0)  # nothing to wait for
        for n in range(3):
            ref.tell(n, weight)
        await settle()
        drained = asyncio.ensure_future(ref.drain(100.0))
        await settle()
        for n in range(3):
            ref.tell(n, weight)
        before = clock.monotonic_ns()
        await drained
        assert (clock.monotonic_ns() - before) / 1e9 == pytest.approx(3.0, abs=0.01)
        await ref.drain(100.0)


async def test_drain_ends_in_time_and_leaves_nothing_behind(clock: VirtualClock) -> None:
    async with running(awaiting("a", wait_a_second)) as system:
        ref = system.ref("a")
        ref.tell(0)
        ref.tell(1)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await ref.drain(0.1)
        assert clock.monotonic_ns() == pytest.approx(0.5e9, rel=0.01)
        await ref.drain(10.0)


async def test_drain_ends_when_the_rest_is_dropped() -> None:
    async with running(awaiting("a", wait_a_second, restart=Restart.TEMPORARY)) as system:
        ref = system.ref("a")
        ref.tell(0)
        ref.tell(1)
        drained = asyncio.ensure_future(ref.drain(0.5))
        await settle()
        cell_of(system, "a").kill()
        await drained
        await ref.drain(0.1)


# --- figures ---------------------------------------------------------------------------------------------------------


async def test_the_oldest_message_is_reported_at_least_as_old_as_it_is(clock: VirtualClock) -> None:
    async with running(awaiting("a", wait_a_second)) as system:
        ref = system.ref("a")
        ref.tell("in hand")
        await clock.sleep(0.25)
        ref.tell("queued")
        queued_ns = clock.monotonic_ns()
        await clock.sleep(0.5)
        age_ns = ref.stats().oldest_age_ns
        assert clock.monotonic_ns() - queued_ns <= age_ns <= clock.monotonic_ns()
        await clock.sleep(2.0)
        assert ref.stats().oldest_age_ns == 0


async def test_a_message_whose_turn_is_late_is_reported_as_old_as_it_is(clock: VirtualClock) -> None:
    ages: list[int] = []

    def hog(actor: Actor[Any], message: Any) -> None:
        clock.advance(0.002)

    def look(actor: Actor[Any], message: Any) -> None:
        ages.append(system.ref("late").stats().oldest_age_ns)

    seen: list[Any] = []
    async with running(
        plain("hog1", hog), plain("hog2", hog), plain("looker", look), child("late", lambda: Recorder(seen))
    ) as system:
        for name in ("hog1", "hog2", "looker", "late"):
            system.ref(name).tell(0)
        await settle()
    assert len(ages) == 1
    assert ages[0] >= 4_000_000


async def test_what_came_while_a_handler_was_suspended_keeps_its_age(clock: VirtualClock) -> None:
    ages: list[int] = []

    async def wait_then_have_it_looked_at(actor: Actor[Any], message: Any) -> None:
        await clock.sleep(1.0)
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, look)  # between the end of this handler and the next turn

    def look() -> None:
        if system.snapshot().runnable:
            ages.append(system.ref("a").stats().oldest_age_ns)

    async with running(awaiting("a", wait_then_have_it_looked_at)) as system:
        system.ref("a").tell("in hand")
        await clock.sleep(0.25)
        system.ref("a").tell("queued")
        await clock.sleep(0.9)
        assert len(ages) == 1
        assert ages[0] >= 0.74e9
        await clock.sleep(2.0)


async def test_what_waits_for_the_next_life_keeps_its_age(clock: VirtualClock) -> None:
    ages: list[int] = []

    class SlowToStart(Actor[Any]):
        async def on_start(self) -> None:
            await clock.sleep(1.0)
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, look)

        def on_message(self, message: Any) -> None:
            """It is late."""

    def look() -> None:
        if system.snapshot().runnable:
            ages.append(system.ref("a").stats().oldest_age_ns)

    system = System(tree([child("a", SlowToStart)]), clock)
    await system.start()
    await settle()
    cell_of(system, "a").kill()
    await settle()
    system.ref("a").tell("queued")
    await clock.sleep(2.0)
    await system.stop()
    assert [age_ns >= 0.99e9 for age_ns in ages] == [True]


async def test_a_message_told_before_the_start_has_no_age_of_before_the_system(clock: VirtualClock) -> None:
    clock.advance(1_000.0)
    async with running(awaiting("a", wait_a_second)) as system:
        system.ref("a").tell(0)
        system.ref("a").tell(1)
        await settle()
        assert system.ref("a").stats().oldest_age_ns < 1e9
        await restarted(system, "a")


async def test_what_blocks_the_loop_is_not_measured_in_virtual_time(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(plain("a", lambda actor, message: clock.advance(10.0))) as system:
        system.ref("a").tell(0)
        await settle()
        assert system.snapshot().blocked_count == 0
    assert "blocked" not in caplog.text
