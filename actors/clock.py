"""Time, injected: what o'clock it is, and waiting. Live on any loop; virtual on a loop that jumps to the next timer.

Durations and deadlines use monotonic time only, so that a jump of the wall clock moves no timer. `now_ns` is the wall
time at the start plus the monotonic time since.
"""

import asyncio
import math
import selectors
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from functools import partial
from heapq import heappop, heappush
from itertools import count
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

    def __init__(self, clock: "LiveClock", due_ns: int, callback: Callable[[], None]) -> None:
        self._clock, self._due_ns, self._callback = clock, due_ns, callback
        self._handle = self._arm(max(0, due_ns - clock.monotonic_ns()))

    def _arm(self, left_ns: int) -> asyncio.TimerHandle:
        # Whole milliseconds, rounded up: what uvloop can do.
        return asyncio.get_running_loop().call_later(-(-left_ns // 1_000_000) / 1000, self._ring)

    def _ring(self) -> None:
        left_ns = self._due_ns - self._clock.monotonic_ns()
        if left_ns > 0:
            self._handle = self._arm(left_ns)
        else:
            self._callback()

    def cancel(self) -> None:
        self._handle.cancel()


class LoopClock(ABC):
    """What all clocks here share."""

    def __init__(self, wall_ns: int, monotonic_ns: Callable[[], int]) -> None:
        self.monotonic_ns = monotonic_ns  # an attribute, not a method: the hot path calls the C function itself
        self._wall_minus_monotonic_ns = wall_ns - monotonic_ns()

    def now_ns(self) -> int:
        """Wall time in nanoseconds since 1970."""
        return self._wall_minus_monotonic_ns + self.monotonic_ns()

    @abstractmethod
    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Alarm:
        """Call `callback` once monotonic time has reached `due_ns`; never earlier."""

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

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Alarm:
        """Call `callback` once monotonic time has reached `due_ns`; never earlier."""
        return _LoopAlarm(self, due_ns, callback)


class SteppedAlarm:
    """One of a `SteppedClock`. `callback`: None once it was cancelled."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget it."""
        self.callback = None

    def ring(self) -> None:
        """Call, unless it was cancelled."""
        if self.callback is not None:
            self.callback()


class SteppedClock(LoopClock):
    """Time that others move, in whole nanoseconds; what is due at one instant rings in the order it was asked for."""

    TIMERS = 1 << 30  # the rank of alarms: after what `VirtualClock.bring_at` brings at the same instant

    def __init__(self, wall_ns: int, began_ns: int = 0) -> None:
        self._now_ns = began_ns
        self._due: list[tuple[int, int, int, SteppedAlarm]] = []  # when, rank, order
        self._order = count()
        super().__init__(wall_ns, lambda: self._now_ns)

    @property
    def next_ns(self) -> int | None:
        """When the next alarm is due; None: none is set."""
        due = self._due
        while due and due[0][3].callback is None:
            heappop(due)
        return due[0][0] if due else None

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Alarm:
        """Call `callback` once monotonic time has reached `due_ns`; never, if it never does."""
        alarm = SteppedAlarm(callback)
        heappush(self._due, (due_ns, self.TIMERS, next(self._order), alarm))
        return alarm


class VirtualClock(SteppedClock):
    """Time that stands still while anything runs, and jumps to what is due next when nothing does.

    Valid on a `VirtualLoop` only, which moves it. Starts at `wall_ns` (1970 unless told).
    """

    def __init__(self, wall_ns: int = 0) -> None:
        super().__init__(wall_ns)
        self.loop_due_ns: Callable[[], int | None] = lambda: None  # when asyncio's own next timer is due
        self.on_coarser: Callable[[float], None] = lambda _: None  # hears how far apart the loop's floats are now
        self._coarser_ns = 0  # when they are further apart
        self.data_awaited = 0  # how many were asked for and have not come
        self._looks: list[tuple[int, int, Callable[[], None]]] = []  # when, order
        self.has_data = False  # whether any ever were asked for

    def bring_at(self, due_ns: int, rank: int, callback: Callable[[], None]) -> None:
        """Call `callback`, which brings data, at `due_ns` of monotonic time.

        Of what is due at one instant, data come before alarms, those of a lower rank first; each only when nothing is
        left to be done about what came before.
        """
        self.data_awaited += 1
        self.has_data = True
        heappush(self._due, (due_ns, rank, next(self._order), SteppedAlarm(callback)))

    def look_at(self, due_ns: int, callback: Callable[[], None]) -> None:
        """Call `callback`, which looks and changes nothing, at `due_ns` of monotonic time, after all else of that
        instant."""
        heappush(self._looks, (due_ns, next(self._order), callback))

    @property
    def looks_ns(self) -> int | None:
        """When the next look is due, where that is before the next alarm and data."""
        if not self._looks:
            return None
        look_ns, next_ns = self._looks[0][0], self.next_ns
        return look_ns if next_ns is None or look_ns < next_ns else None

    def look(self) -> Callable[[], None]:
        """Move on to what `looks_ns` told of: what is to be called."""
        due_ns, _, callback = heappop(self._looks)
        self._go_to(due_ns)
        return callback

    def next_due_ns(self) -> int | None:
        """Monotonic time of what comes next, data, alarm or asyncio's own timer; None: nothing does but looks."""
        alarm_ns, loop_ns = self.next_ns, self.loop_due_ns()
        if alarm_ns is None or loop_ns is None:
            return loop_ns if alarm_ns is None else alarm_ns
        return min(alarm_ns, loop_ns)

    def advance(self, seconds: float) -> None:
        """Move on to asyncio's next timer."""
        # At least two steps of the loop's float: from 97 days on a nanosecond is none, and time would stand still.
        self._go_to(self._now_ns + max(1, round(max(seconds, 2 * math.ulp(self._now_ns / NS)) * NS)))

    def _go_to(self, time_ns: int) -> None:
        if time_ns > self._now_ns:
            self._now_ns = time_ns
            if time_ns >= self._coarser_ns:  # asked for each tick; true some thirty times in ten years
                now_s = time_ns / NS
                self._coarser_ns = 2 * time_ns
                self.on_coarser(max(1e-9, math.ulp(2 * now_s)))

    def bring(self, until_ns: float) -> Callable[[], None] | None:
        """Move on to the next data, or to a look that is due before them: what is to be called. None where an alarm
        comes first, or they are due after `until_ns`."""
        due = self._due
        while due and due[0][3].callback is None:
            heappop(due)
        if not due or due[0][1] >= self.TIMERS or due[0][0] > until_ns:
            return None
        return self.look() if self._looks and self._looks[0][0] < due[0][0] else self.ring()

    @property
    def brings_next(self) -> bool:
        """Whether what `next_ns` told of are data."""
        return self._due[0][1] < self.TIMERS

    def ring(self) -> Callable[[], None]:
        """Move on to what `next_ns` told of: what is to be called."""
        due_ns, rank, _, alarm = heappop(self._due)
        self._go_to(due_ns)
        if rank < self.TIMERS:
            self.data_awaited -= 1
            assert alarm.callback is not None  # nobody cancels data
            return alarm.callback
        return alarm.ring


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for the next timer, moves the clock to it."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock, self._passed = clock, 0
        self._instant_ns, self._turns = -1, 0  # and how often was asked in it since data came last
        self.call_soon: Callable[[Callable[[], None]], object] = lambda call: call()
        self.on_error: Callable[[dict[str, Any]], object] = print
        self.loop: Any = None  # whose queue and timers these are

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        clock = self._clock
        if timeout != 0 and clock.data_awaited and len(self.get_map()) <= 1 and self._bring(timeout):
            return super().select(0)
        self._count_turn()
        ready = [] if clock.data_awaited and self._pass() else super().select(0)
        if ready:
            return ready
        look_ns, due_ns = clock.looks_ns, clock.next_ns
        if look_ns is not None and timeout != 0 and _comes_first(look_ns, clock.monotonic_ns(), due_ns, timeout):
            self._call(clock.look())
            return ready
        if due_ns is not None and (timeout is None or due_ns <= clock.monotonic_ns() + timeout * NS):
            if (
                timeout != 0 or not clock.has_data
            ):  # else an alarm might go before data of its instant, not asked for yet
                self._turns *= not clock.brings_next
                self.call_soon(clock.ring())
            return ready
        if timeout == 0:
            return ready
        if timeout is not None:
            clock.advance(timeout)
            return []
        ready = super().select(_PATIENCE_S)  # a thread may still report
        if not ready:
            raise Deadlock("nothing is ready, no timer is set: what is awaited will never happen")
        return ready

    def _bring(self, timeout: float | None) -> bool:
        """Bring data as long as they are what is due next, and do what they set going, in order, as the loop would: the
        loop's own way there and back took a fifth of a tick's time."""
        clock, loop = self._clock, self.loop
        until_ns = math.inf if timeout is None else clock.monotonic_ns() + timeout * NS
        for number in range(_MOST_BROUGHT):
            bring = clock.bring(until_ns)
            if bring is None:
                return number > 0
            self._turns = 0
            self._call(bring)
            ready, calls = loop._ready, 0
            while ready and calls < _MOST_CALLS:
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()
                calls += 1
            if ready or loop._scheduled or loop._stopping:  # then it is the loop's turn
                break
        return True

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception as error:  # as of any callback of a loop
            self.on_error({"message": f"{callback!r} failed", "exception": error})

    def _count_turn(self) -> None:
        """Raises `Deadlock` where time will never move: nobody would ever hear of it otherwise."""
        now_ns = self._clock.monotonic_ns()
        if now_ns != self._instant_ns:
            self._instant_ns, self._turns = now_ns, 0
        self._turns += 1
        if self._turns > _MOST_TURNS:
            self._turns = 0  # who cleans up has as many once more
            raise Deadlock(
                "time stands still: something runs again and again without waiting, such as a timer of 0 s that is "
                "set anew whenever it rings"
            )

    def _pass(self) -> bool:
        """Whether sockets need no look now: in a back-test there are none, and a look takes as long as a tick."""
        self._passed = (self._passed + 1) % _LOOKS_EVERY
        return self._passed != 0 and len(self.get_map()) <= 1  # the loop's own, which threads wake it by


def _comes_first(look_ns: int, now_ns: int, due_ns: int | None, timeout: float | None) -> bool:
    """Whether a look that is due before all alarms comes before asyncio's own timers, too. Looks alone keep nobody."""
    return due_ns is not None if timeout is None else look_ns <= now_ns + timeout * NS


_LOOKS_EVERY = 64
_MOST_BROUGHT = 64  # before sockets and other threads have their look
_MOST_CALLS = 256  # that data set going, before the loop counts them
_MOST_TURNS = 250_000  # of the loop in one instant, without any data; what waits for threads takes none
_PATIENCE_S = 2.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time: timers, `asyncio.sleep` and `asyncio.timeout` take no real time."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        selector = _JumpingSelector(self.clock)
        super().__init__(selector)
        selector.call_soon, selector.on_error, selector.loop = self.call_soon, self.call_exception_handler, self
        self.clock.loop_due_ns = self._next_timer_ns
        self.clock.on_coarser = self._coarsen

    def _coarsen(self, step_s: float) -> None:
        # What is due within a step of `time` would neither run nor be waited for. An attribute, as asyncio's own, which
        # is a nanosecond: asked for in each turn of the loop, a property took 0.5 us.
        self._clock_resolution = step_s

    def time(self) -> float:
        """Virtual seconds."""
        return self.clock.monotonic_ns() / NS

    def _next_timer_ns(self) -> int | None:
        timers: Any = vars(self)["_scheduled"]  # asyncio's heap of them
        return round(timers[0].when() * NS) if timers else None

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # asyncio's
        """Without the time limit of CPython 3.12 and later: threads take real time, and it would pass at once."""
        await super().shutdown_default_executor()


def simulate(main: Callable[[VirtualClock], Coroutine[Any, Any, T]], wall_ns: int = 0) -> T:
    """Run `main(clock)` in virtual time, as fast as the CPU allows, and return its result.

    Raises `Deadlock` when nothing is left that could ever run.
    """
    clock = VirtualClock(wall_ns)
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(main(clock))
