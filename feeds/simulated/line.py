"""What goes out to one client: in order, as late as the faults say, and bounded."""

from collections import deque
from random import Random

from ticktree.actors import Clock
from ticktree.actors.clock import NS, Alarm

from .connections import Breakable
from .faults import Faults

MOST_BYTES = 256 * 1024  # of what waits for its time; beyond, the client counts as one that does not keep up


class Line:
    """The way out to one client. Writes at once unless something delays it."""

    def __init__(self, connection: Breakable, clock: Clock, faults: Faults, random: Random) -> None:
        self._connection, self._clock = connection, clock
        self._latency_ns, self._jitter_ns = round(faults.latency_s * NS), round(faults.jitter_s * NS)
        self._silence_ns = round(faults.silence_s * NS)
        self._random = random
        self._waiting: deque[tuple[int, bytes, Random | None]] = deque()  # due, a message, and how to break off in it
        self._waiting_bytes = 0
        self._not_before_ns = 0
        self._alarm: Alarm | None = None
        self.ended = False  # nothing is sent any more

    @property
    def behind(self) -> bool:
        """Whether the client has more than enough to read."""
        return self._connection.paused or self._waiting_bytes > MOST_BYTES

    def send(self, message: bytes, breaks: Random | None = None) -> None:
        """Send `message` (a stream's may be several in one); with `breaks` the connection is broken off within it."""
        if self.ended:
            return
        self.ended = breaks is not None
        due_ns = self._due_ns()
        if due_ns <= self._clock.monotonic_ns() and not self._waiting:
            self._write(message, breaks)
            return
        self._waiting.append((due_ns, message, breaks))
        self._waiting_bytes += len(message)
        self._arm()

    def hush(self) -> None:
        """Send nothing for as long as a silence lasts."""
        self._not_before_ns = max(self._not_before_ns, self._clock.monotonic_ns() + self._silence_ns)

    def close(self) -> None:
        """What waits is never sent."""
        self.ended = True
        self._waiting.clear()
        if self._alarm is not None:
            self._alarm.cancel()

    def _due_ns(self) -> int:
        late_ns = self._latency_ns + round(self._jitter_ns * self._random.random())
        self._not_before_ns = max(self._not_before_ns, self._clock.monotonic_ns() + late_ns)
        return self._not_before_ns

    def _arm(self) -> None:
        if self._alarm is None and self._waiting:
            self._alarm = self._clock.call_at(self._waiting[0][0], self._ring)

    def _ring(self) -> None:
        self._alarm = None
        now_ns = self._clock.monotonic_ns()
        while self._waiting and self._waiting[0][0] <= now_ns:
            _, message, breaks = self._waiting.popleft()
            self._waiting_bytes -= len(message)
            self._write(message, breaks)
        self._arm()

    def _write(self, message: bytes, breaks: Random | None) -> None:
        if breaks is None:
            self._connection.write(message)
        else:
            self._connection.break_off(message, breaks)
