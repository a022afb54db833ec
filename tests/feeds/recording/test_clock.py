"""The time of a replay."""

import asyncio
from functools import partial

from ticktree.actors import VirtualClock, simulate
from ticktree.feeds.recording.clock import RecordedClock

NS = 1_000_000_000


def test_it_stands_still_until_it_is_told_and_never_goes_back() -> None:
    clock = RecordedClock(5 * NS)
    assert clock.now_ns() == clock.monotonic_ns() == 5 * NS
    clock.go_to(7 * NS)
    clock.go_to(6 * NS)
    assert clock.now_ns() == 7 * NS


def test_alarms_ring_in_order_when_it_has_come_to_them() -> None:
    clock, rang = RecordedClock(0), list[int]()
    for due in (3, 1, 2, 1):
        clock.call_at(due, partial(rang.append, due))
    clock.call_at(2, lambda: rang.append(-1)).cancel()
    assert clock.next_ns == 1
    clock.go_to(2)
    assert rang == [1, 1, 2]
    assert clock.next_ns == 3


def test_an_alarm_set_by_an_alarm_waits_for_the_next_step() -> None:
    clock, rang = RecordedClock(0), list[int]()

    def first() -> None:
        rang.append(1)
        clock.call_at(1, lambda: rang.append(2))

    clock.call_at(1, first)
    clock.go_to(1)
    assert rang == [1]
    clock.go_to(1)
    assert rang == [1, 2]


def test_sleep_ends_when_the_recording_has_come_so_far() -> None:
    async def main(_: VirtualClock) -> list[str]:
        clock, done = RecordedClock(NS), list[str]()

        async def sleeper() -> None:
            await clock.sleep(2)
            done.append("woke")

        task = asyncio.create_task(sleeper())
        await asyncio.sleep(0)
        clock.go_to(3 * NS - 1)
        await asyncio.sleep(1)
        done.append("not yet")
        clock.go_to(3 * NS)
        await task
        return done

    assert simulate(main) == ["not yet", "woke"]
