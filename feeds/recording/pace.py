"""When what was recorded is told: in a time of the replay's own, or at its instant of a virtual clock."""

import asyncio
from functools import partial
from typing import Protocol

from ticktree.actors import Clock, VirtualClock
from ticktree.actors.clock import settle

from .clock import RecordedClock

NS = 1_000_000_000
NEAR_NS = 1_000_000  # is now: uvloop's timers have whole milliseconds


class Pace(Protocol):
    """Which time a replay is in. `clock` is the feed's as well."""

    @property
    def clock(self) -> Clock:
        """It stands still between two entries."""
        ...

    def due_before(self, time_ns: int) -> int | None:
        """An alarm of the clock that is due before that; None: none, or it rings by itself."""
        ...

    async def reach(self, time_ns: int) -> None:
        """Come to `time_ns` of the recording."""
        ...


class OwnTime:
    """The recording's own time, which the replay moves; `speed` times as fast as `real` time, or as fast as can be."""

    def __init__(self, real: Clock, first_ns: int, speed: float | None) -> None:
        self.clock = RecordedClock(first_ns)
        self._real, self._first_ns, self._speed = real, first_ns, speed
        self._began_ns: int | None = None

    def due_before(self, time_ns: int) -> int | None:
        """An alarm that is due before that."""
        due_ns = self.clock.next_ns
        return due_ns if due_ns is not None and due_ns < time_ns else None

    async def reach(self, time_ns: int) -> None:
        """Wait as long as the speed says, and go there."""
        if self._began_ns is None:
            self._began_ns = self._real.monotonic_ns()
        if self._speed is not None:
            left_ns = self._began_ns + (time_ns - self._first_ns) / self._speed - self._real.monotonic_ns()
            if left_ns > NEAR_NS:
                await self._real.sleep(left_ns / NS)
        self.clock.go_to(time_ns)


class Timetable:
    """A virtual clock's time: what was recorded first comes at `begins_ns`, all else at its distance from that.

    `rank`: the feed's place among those that bring data at the same instant.
    """

    def __init__(self, clock: VirtualClock, first_ns: int, begins_ns: int, rank: int) -> None:
        self.clock, self._rank = clock, rank
        self._late_ns = begins_ns - first_ns - (clock.now_ns() - clock.monotonic_ns())

    def due_before(self, time_ns: int) -> int | None:
        """None: they ring by themselves."""
        return None

    async def reach(self, time_ns: int) -> None:
        """Wait for its turn, after all that came before has been dealt with."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.clock.bring_at(time_ns + self._late_ns, self._rank, partial(settle, turn))
        await turn
