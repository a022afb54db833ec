"""The time of a replay: what the recording has reached. It stands still in between, whatever the speed."""

import heapq
from collections.abc import Callable
from itertools import count

# The part that waits by alarms is the same for all clocks of the runtime.
from ticktree.actors.clock import Alarm, LoopClock


class _RecordedAlarm:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class RecordedClock(LoopClock):
    """Goes where `go_to` says, and rings what is due by then, in order. Wall time and monotonic time are one."""

    def __init__(self, began_ns: int) -> None:
        self._now_ns = began_ns
        self._alarms: list[tuple[int, int, _RecordedAlarm]] = []
        self._order = count()
        super().__init__(began_ns, lambda: self._now_ns)

    @property
    def next_ns(self) -> int | None:
        """When the next alarm is due; None: none is set."""
        while self._alarms and self._alarms[0][2].callback is None:
            heapq.heappop(self._alarms)
        return self._alarms[0][0] if self._alarms else None

    def go_to(self, time_ns: int) -> None:
        """It is so late now, unless it was later already. Alarms that are due ring, but for those set meanwhile."""
        self._now_ns = max(self._now_ns, time_ns)
        due = list[_RecordedAlarm]()
        while (next_ns := self.next_ns) is not None and next_ns <= self._now_ns:
            due.append(heapq.heappop(self._alarms)[2])
        for alarm in due:
            if alarm.callback is not None:
                alarm.callback()

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Alarm:
        """Call `callback` once the recording has reached `due_ns`; never, if it ends before."""
        alarm = _RecordedAlarm(callback)
        heapq.heappush(self._alarms, (due_ns, next(self._order), alarm))
        return alarm
