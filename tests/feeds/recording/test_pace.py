"""Which time a replay is in: one of its own, or its place on a virtual clock."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from ticktree.actors import VirtualClock, simulate
from ticktree.feeds.recording.pace import OwnTime, Timetable

from .replaying import BEGAN_NS, NS

WALL_NS = 5 * NS


def run(main: Callable[[VirtualClock], Awaitable[None]]) -> None:
    async def whole(clock: VirtualClock) -> None:
        await main(clock)

    simulate(whole, wall_ns=WALL_NS)


# --- a place on a virtual clock --------------------------------------------------------------------------------------


def test_what_was_recorded_first_comes_when_it_begins_and_all_else_at_its_distance_from_that() -> None:
    async def main(clock: VirtualClock) -> None:
        pace = Timetable(clock, BEGAN_NS, WALL_NS + 2 * NS, 0)
        times = list[int]()
        for after_ns in (0, 1, NS, NS, 3 * NS):
            await pace.reach(BEGAN_NS + after_ns)
            times.append(clock.now_ns() - WALL_NS - 2 * NS)
        assert times == [0, 1, NS, NS, 3 * NS]
        assert pace.clock is clock

    run(main)


def test_what_should_have_come_already_comes_at_once_and_time_does_not_go_back() -> None:
    async def main(clock: VirtualClock) -> None:
        pace = Timetable(clock, BEGAN_NS, WALL_NS, 0)
        await clock.sleep(10.0)
        await pace.reach(BEGAN_NS + NS)
        assert clock.now_ns() == WALL_NS + 10 * NS

    run(main)


def test_of_several_the_lower_rank_comes_first_at_each_instant() -> None:
    async def main(clock: VirtualClock) -> None:
        came = list[tuple[int, int]]()

        async def play(rank: int) -> None:
            pace = Timetable(clock, BEGAN_NS, WALL_NS + NS, rank)
            for step in range(3):
                await pace.reach(BEGAN_NS + step * NS)
                came.append((step, rank))

        await asyncio.gather(*(play(rank) for rank in (2, 0, 1)))
        assert came == [(step, rank) for step in range(3) for rank in range(3)]

    run(main)


def test_alarms_of_a_virtual_clock_ring_by_themselves() -> None:
    async def main(clock: VirtualClock) -> None:
        pace, rang = Timetable(clock, BEGAN_NS, WALL_NS, 0), list[int]()
        clock.call_at(NS, partial(rang.append, 1))
        assert pace.due_before(BEGAN_NS + 5 * NS) is None
        await pace.reach(BEGAN_NS + 2 * NS)
        assert rang == [1]

    run(main)


# --- a time of its own -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("speed", "takes_s"), [(1.0, 4.0), (10.0, 0.4), (None, 0.0)])
def test_a_time_of_its_own_passes_as_fast_as_the_speed_says(speed: float | None, takes_s: float) -> None:
    async def main(clock: VirtualClock) -> None:
        pace = OwnTime(clock, BEGAN_NS, speed)
        for after_s in (0, 1, 4):
            await pace.reach(BEGAN_NS + after_s * NS)
        assert pace.clock.now_ns() == BEGAN_NS + 4 * NS
        assert (clock.now_ns() - WALL_NS) / NS == pytest.approx(takes_s)

    run(main)


def test_in_a_time_of_its_own_alarms_are_rung_by_who_moves_it() -> None:
    async def main(clock: VirtualClock) -> None:
        pace, rang = OwnTime(clock, BEGAN_NS, None), list[int]()
        due_ns = pace.clock.monotonic_ns() + NS
        pace.clock.call_at(due_ns, partial(rang.append, 1))
        assert pace.due_before(BEGAN_NS + NS) is None
        assert pace.due_before(BEGAN_NS + 2 * NS) == due_ns
        await pace.reach(due_ns)
        assert rang == [1]

    run(main)
