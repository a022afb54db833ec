"""The time of a replay: what the recording has reached. It stands still in between, whatever the speed."""

from heapq import heappop

# The part that waits by alarms is the same for all clocks of the runtime.
from ticktree.actors.clock import SteppedAlarm, SteppedClock


class RecordedClock(SteppedClock):
    """Goes where `go_to` says, and rings what is due by then, in order. Wall time and monotonic time are one."""

    def __init__(self, began_ns: int) -> None:
        super().__init__(began_ns, began_ns)

    def go_to(self, time_ns: int) -> None:
        """It is so late now, unless it was later already. Alarms that are due ring, but for those set meanwhile."""
        self._now_ns = max(self._now_ns, time_ns)
        due = list[SteppedAlarm]()
        while (next_ns := self.next_ns) is not None and next_ns <= self._now_ns:
            due.append(heappop(self._due)[3])
        for alarm in due:
            alarm.ring()
