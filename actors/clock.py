"""Time, injected: what o'clock it is, and waiting. Live on any loop; virtual on a loop that jumps to the next timer.

Durations and deadlines use monotonic time only, so that a jump of the wall clock moves no timer. `now_ns` is the wall
time at the start plus the monotonic time since.
"""

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol, TypeVar

from .errors import Deadlock

T = TypeVar("T")
NS = 1_000_000_000


def settle(future: "asyncio.Future[None]", _: object = None) -> None:
    """Resolve `future`, unless it is already; a callback for alarms and for other futures."""
    if not future.done():
        future.set_result(None)


class Alarm(Protocol):
    """A callback that is due at some time."""

    def cancel(self) -> None:
        """Forget it; harmless when it already ran."""
        ...


class Clock(Protocol):
    """Where the runtime gets its time from."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that only grow."""
        ...

    def now_ns(self) -> int:
        """Wall time, nanoseconds since 1970, as far as monotonic time has carried it since the start."""
        ...

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Alarm:
        """Call `callback` once monotonic time has reached `due_ns`; never earlier."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class _LoopAlarm:
    """A loop timer that rings no earlier than due: uvloop's have whole milliseconds and may come up to one early."""

    __slots__ = ("_callback", "_clock", "_due_ns", "_handle")

    def __init__(self, clock: "LoopClock", due_ns: int, callback: Callable[[], None]) -> None:
        self._clock, self._due_ns, self._callback = clock, due_ns, callback
        self._handle = self._arm(max(0, due_ns - clock.monotonic_ns()))

    def _arm(self, left_ns: int) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._clock.delay_s(left_ns), self._ring)

    def _ring(self) -> None:
        left_ns = self._due_ns - self._clock.monotonic_ns()
        if left_ns > 0:
            self._handle = self._arm(left_ns)
        else:
            self._callback()

    def cancel(self) -> None:
        self._handle.cancel()


class LoopClock:
    """What live and virtual clocks share: their timers are the running loop's."""

    def __init__(self, wall_ns: int, monotonic_ns: Callable[[], int]) -> None:
        self.monotonic_ns = monotonic_ns  # an attribute, not a method: the hot path calls the C function itself
        self._wall_minus_monotonic_ns = wall_ns - monotonic_ns()

    def now_ns(self) -> int:
        """Wall time in nanoseconds since 1970."""
        return self._wall_minus_monotonic_ns + self.monotonic_ns()

    def delay_s(self, left_ns: int) -> float:
        """What to ask of the loop so that `left_ns` will have passed."""
        return left_ns / NS

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Alarm:
        """Call `callback` once monotonic time has reached `due_ns`; never earlier."""
        return _LoopAlarm(self, due_ns, callback)

    async def sleep(self, seconds: float) -> None:
        """Wait at least `seconds`."""
        due_ns = self.monotonic_ns() + round(seconds * NS)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        alarm = self.call_at(due_ns, partial(settle, done))
        try:
            await done
        finally:
            alarm.cancel()


class LiveClock(LoopClock):
    """The machine's time."""

    def __init__(self) -> None:
        super().__init__(time.time_ns(), time.monotonic_ns)

    def delay_s(self, left_ns: int) -> float:
        """Whole milliseconds, rounded up: what uvloop can do."""
        return -(-left_ns // 1_000_000) / 1000


class VirtualClock(LoopClock):
    """Time that stands still while anything runs, and jumps to the next timer when nothing does.

    Valid on a `VirtualLoop` only, which moves it. Starts at `wall_ns` (1970 unless told).
    """

    def __init__(self, wall_ns: int = 0) -> None:
        self._now_ns = 0
        super().__init__(wall_ns, lambda: self._now_ns)

    def delay_s(self, left_ns: int) -> float:
        """At least two steps of the loop's float: from 97 days on a nanosecond is none, and time would stand still."""
        return max(left_ns / NS, 2 * math.ulp(self._now_ns / NS))

    def advance(self, seconds: float) -> None:
        """Move on, as the loop does when nothing is ready."""
        self._now_ns += max(1, round(seconds * NS))


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for the next timer, moves the clock to it."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is not None:
            self._clock.advance(timeout)
            return []
        ready = super().select(_PATIENCE_S)  # a thread may still report
        if not ready:
            raise Deadlock("nothing is ready, no timer is set: what is awaited will never happen")
        return ready


_PATIENCE_S = 2.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time: timers, `asyncio.sleep` and `asyncio.timeout` take no real time."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        super().__init__(_JumpingSelector(self.clock))

    def time(self) -> float:
        """Virtual seconds."""
        return self.clock.monotonic_ns() / NS

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # asyncio's
        """Without the time limit of CPython 3.12 and later: threads take real time, and it would pass at once."""
        await super().shutdown_default_executor()

    @property
    def _clock_resolution(self) -> float:
        """asyncio's own is a nanosecond; what is due within a step of `time` would neither run nor be waited for."""
        return max(1e-9, math.ulp(self.time()))

    @_clock_resolution.setter
    def _clock_resolution(self, _: float) -> None:
        """asyncio sets it once."""


def simulate(main: Callable[[VirtualClock], Coroutine[Any, Any, T]], wall_ns: int = 0) -> T:
    """Run `main(clock)` in virtual time, as fast as the CPU allows, and return its result.

    Raises `Deadlock` when nothing is left that could ever run.
    """
    clock = VirtualClock(wall_ns)
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(main(clock))
