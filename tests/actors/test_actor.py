"""What an actor can do: timers, finding others, ending itself."""

from collections.abc import Awaitable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.actors.harness import (
    Recorder,
    awaiting,
    cell_of,
    child,
    do,
    plain,
    restarted,
    running,
    settle,
    without_collector,
)
from ticktree.actors import Actor, Timer, UnknownActor, VirtualClock, simulate

MS = 1_000_000


class Clocked(Actor[Any]):
    """Sets what timers it is told to; notes when messages come."""

    def __init__(self, seen: list[tuple[Any, int]], timers: list[Timer] | None = None) -> None:
        self.seen = seen
        self.timers: list[Timer] = [] if timers is None else timers

    def on_message(self, message: Any) -> Awaitable[None] | None:
        if callable(message):
            made = message(self)
            if isinstance(made, Timer):
                self.timers.append(made)
                return None
            return made  # type: ignore[no-any-return]  # whatever the message made, an awaitable or None
        self.seen.append((message, self.clock.monotonic_ns()))
        return None


def set_timer(delay_s: float, actor: Actor[Any]) -> Timer:
    return actor.after(delay_s, delay_s)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=20))
def test_a_timer_is_never_early_and_timers_come_in_order(delays_us: list[int]) -> None:
    delays_s = [delay_us / 1e6 for delay_us in delays_us]

    async def main(clock: VirtualClock) -> list[tuple[Any, int]]:
        seen: list[tuple[Any, int]] = []
        async with running(child("a", lambda: Clocked(seen))) as system:
            began_ns = clock.monotonic_ns()
            for delay_s in delays_s:
                system.ref("a").tell(do(partial(set_timer, delay_s)))
            await clock.sleep(2e4)
        return [(delay_s, at_ns - began_ns) for delay_s, at_ns in seen]

    with without_collector():
        rang = simulate(main)
    assert [delay_s for delay_s, _ in rang] == sorted(delays_s)
    for delay_s, after_ns in rang:
        assert 0 <= after_ns - round(delay_s * 1e9) <= 2_000  # to the microsecond: a float's own error


async def test_every_keeps_to_its_grid_without_drift(clock: VirtualClock) -> None:
    seen: list[tuple[Any, int]] = []
    async with running(child("a", lambda: Clocked(seen))) as system:
        began_ns = clock.monotonic_ns()
        system.ref("a").tell(do(lambda actor: actor.every(0.1, "tick")))
        await clock.sleep(100.05)
    assert len(seen) == 1_000
    late_ns = [at_ns - began_ns - (n + 1) * 100 * MS for n, (_, at_ns) in enumerate(seen)]
    assert 0 <= min(late_ns) <= max(late_ns) < 1_000


async def test_what_comes_while_one_waits_is_counted_not_queued(clock: VirtualClock) -> None:
    seen: list[tuple[Any, int]] = []
    timers: list[Timer] = []
    async with running(child("a", lambda: Clocked(seen, timers))) as system:
        system.ref("a").tell(do(lambda actor: actor.every(0.1, "tick")))
        await settle()
        system.ref("a").tell(do(lambda actor: clock.sleep(1.05)))
        await clock.sleep(1.02)
        assert seen == []
        assert system.ref("a").stats().control_queued == 1
        assert timers[0].missed == 9
        await clock.sleep(1.0)
        assert len(seen) == 11  # the one that waited, and those of the next second
        assert timers[0].missed == 9


async def test_a_stalled_clock_brings_one_tick_and_no_burst(clock: VirtualClock) -> None:
    seen: list[tuple[Any, int]] = []
    timers: list[Timer] = []
    async with running(child("a", lambda: Clocked(seen, timers))) as system:
        system.ref("a").tell(do(lambda actor: actor.every(0.1, "tick")))
        await settle()
        clock.advance(1.05)
        await settle()
        assert (len(seen), timers[0].missed) == (1, 9)
        await clock.sleep(0.2)
        assert len(seen) == 3
        assert seen[1][1] == pytest.approx(1_100 * MS, abs=1_000)


async def test_a_cancelled_timer_does_not_arrive(clock: VirtualClock) -> None:
    seen: list[tuple[Any, int]] = []
    timers: list[Timer] = []
    async with running(child("a", lambda: Clocked(seen, timers))) as system:
        system.ref("a").tell(do(lambda actor: actor.after(0.1, "once")))
        system.ref("a").tell(do(lambda actor: actor.every(0.1, "every")))
        await clock.sleep(0.05)
        life = cell_of(system, "a").life
        assert life is not None
        assert life.timers == set(timers)
        for timer in timers:
            timer.cancel()
            timer.cancel()
        await clock.sleep(1.0)
        assert not life.timers
    assert (seen, [timer.active for timer in timers]) == ([], [False, False])


@pytest.mark.parametrize("interval", [False, True])
async def test_a_timer_cancelled_while_it_waits_in_the_lane_does_not_arrive(
    clock: VirtualClock, interval: bool
) -> None:
    seen: list[tuple[Any, int]] = []
    timers: list[Timer] = []
    async with running(child("a", lambda: Clocked(seen, timers))) as system:
        system.ref("a").tell(do(lambda actor: actor.every(0.1, "t") if interval else actor.after(0.1, "t")))
        await settle()

        async def wait_then_cancel(actor: Clocked) -> None:
            await clock.sleep(0.5)
            timers[0].cancel()

        system.ref("a").tell(do(wait_then_cancel))
        await clock.sleep(2.0)
        stats = system.ref("a").stats()
    assert seen == []
    assert (stats.control_received, stats.control_handled) == (1, 1)


async def test_a_timer_that_rang_is_no_longer_active(clock: VirtualClock) -> None:
    seen: list[tuple[Any, int]] = []
    timers: list[Timer] = []
    async with running(child("a", lambda: Clocked(seen, timers))) as system:
        system.ref("a").tell(do(lambda actor: actor.after(0.0, "once")))
        await settle()
        assert (len(seen), timers[0].active) == (1, False)
        timers[0].cancel()


@pytest.mark.parametrize("end", ["kill", "raise", "stop"])
async def test_timers_end_with_the_life_that_set_them(clock: VirtualClock, end: str) -> None:
    seen: list[tuple[Any, int]] = []
    timers: list[Timer] = []
    async with running(child("a", lambda: Clocked(seen, timers))) as system:
        ref = system.ref("a")
        ref.tell(do(lambda actor: actor.every(0.1, "tick")))
        ref.tell(do(lambda actor: actor.after(0.1, "once")))
        await settle()
        match end:
            case "kill":
                cell_of(system, "a").kill()
            case "raise":
                ref.tell(do(lambda actor: 1 / 0))
            case _:
                ref.tell(do(lambda actor: actor.stop()))
        await clock.sleep(1.0)
        assert cell_of(system, "a").lives == 2
    assert (seen, [timer.active for timer in timers]) == ([], [False, False])


async def test_a_timer_may_be_handled_by_a_coroutine(clock: VirtualClock) -> None:
    seen: list[Any] = []

    async def handle(actor: Actor[Any], message: Any) -> None:
        await actor.clock.sleep(0.01)
        seen.append(message)
        if message == "begin":
            actor.after(0.1, "timer")

    async with running(awaiting("a", handle)) as system:
        system.ref("a").tell("begin")
        await clock.sleep(1.0)
        assert system.ref("a").stats().control_handled == 1
    assert seen == ["begin", "timer"]


async def test_an_actor_finds_others_by_path() -> None:
    seen: list[Any] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        assert actor.path == actor.ref.path == "a"
        actor.find("b").tell("found")
        with pytest.raises(UnknownActor, match=r"no actor at 'bb'; nearest: b"):
            actor.find("bb")

    async with running(plain("a", handle), child("b", lambda: Recorder(seen))) as system:
        system.ref("a").tell(0)
        await settle()
        assert system.ref("a").stats().delivered == 1
        await restarted(system, "b")
        system.ref("a").tell(0)
        await settle()
    assert seen == ["found", "found"]


async def test_the_clock_of_an_actor_is_the_systems(clock: VirtualClock) -> None:
    seen: list[Any] = []
    async with running(plain("a", lambda actor, message: seen.append(actor.clock))) as system:
        system.ref("a").tell(0)
        await settle()
    assert seen == [clock]
