"""The control lane by itself."""

import asyncio
from typing import Any

from tests.actors.harness import cell_of, plain, running, settle
from ticktree.actors import Actor
from ticktree.actors.control import CONTROL_BOUND, ControlLane, Signal


def unaccounted(lane: ControlLane) -> int:
    return lane.received - lane.handled - lane.dropped - lane.queued - lane.in_hand


def test_signals_stand_outside_the_figures() -> None:
    lane = ControlLane()
    lane.tell("message")
    lane.items.appendleft(Signal.STOP)
    assert (lane.queued, lane.received, unaccounted(lane)) == (1, 1, 0)
    lane.discard()
    assert (lane.queued, lane.dropped, unaccounted(lane), len(lane.items)) == (0, 1, 0, 0)


def test_the_lane_is_bounded() -> None:
    lane = ControlLane()
    assert all(lane.tell(n) for n in range(CONTROL_BOUND))
    assert not lane.tell("one more")
    assert (lane.received, unaccounted(lane)) == (CONTROL_BOUND, 0)


def test_what_is_in_hand_is_handled_or_lost_once() -> None:
    lane = ControlLane()
    for finish in (lane.done, lane.lose_in_hand):
        lane.tell("message")
        lane.items.popleft()
        lane.in_hand = 1
        assert unaccounted(lane) == 0
        finish()
        finish()
    assert (lane.handled, lane.dropped, unaccounted(lane)) == (1, 1, 0)


async def test_signals_and_timers_end_with_a_life_and_the_rest_waits_for_the_next() -> None:
    seen: list[Any] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        seen.append(message)
        if message == "set timers":
            for n in range(3):
                actor.after(0.0, f"timer {n}")

    async with running(plain("a", handle)) as system:
        cell = cell_of(system, "a")
        system.ref("a").tell("set timers")
        await settle()
        assert seen == ["set timers", "timer 0", "timer 1", "timer 2"]
        seen.clear()
        system.ref("a").tell_control("set timers")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        system.ref("a").tell_control("others")
        cell.signal(Signal.DRAIN)
        cell.kill()
        assert list(cell.control.items) == ["others"]
        await settle()
        stats = system.ref("a").stats()
    assert seen[-1] == "others"
    assert stats.control_received == stats.control_handled + stats.control_dropped
