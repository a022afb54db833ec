"""What may go wrong on the way out of an order-entry server, on purpose: for tests of whoever talks to it."""

from collections import deque
from collections.abc import Callable
from random import Random

import attrs

from ticktree.actors import Clock
from ticktree.actors.clock import NS, Alarm
from ticktree.net import Connection

_probability = attrs.validators.and_(attrs.validators.ge(0.0), attrs.validators.le(1.0))
_seconds = attrs.validators.ge(0.0)


@attrs.frozen
class LineFaults:
    """What goes wrong with answers, in order of the connections.

    cut_after_bytes    the first connection ends after exactly so many bytes of answers, the second after the second
                       number of bytes; those beyond the last number are not cut
    delay_s, jitter_s  what each answer waits: the first, and up to all of the second; the order is kept
    duplicates         with which probability a numbered answer is said twice
    refuse_logins      so many logins are refused before one is let in
    """

    cut_after_bytes: tuple[int, ...] = ()
    delay_s: float = attrs.field(default=0.0, validator=_seconds)
    jitter_s: float = attrs.field(default=0.0, validator=_seconds)
    duplicates: float = attrs.field(default=0.0, validator=_probability)
    refuse_logins: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    seed: int = 1

    def cut_of(self, place: int) -> int | None:
        """After how many bytes connection number `place`, from 0, ends."""
        return self.cut_after_bytes[place] if place < len(self.cut_after_bytes) else None


NO_FAULTS = LineFaults()


class Line:
    """The way out to one client. Writes at once unless a fault delays it; `cut` is called when one ends it."""

    def __init__(
        self, connection: Connection, clock: Clock, faults: LineFaults, place: int, cut: Callable[[], None]
    ) -> None:
        self._connection, self._clock, self._faults, self._cut = connection, clock, faults, cut
        self._plain = faults.delay_s == faults.jitter_s == faults.duplicates == 0 and faults.cut_of(place) is None
        self._left = faults.cut_of(place)  # bytes
        self._random = Random(f"{faults.seed}/{place}")
        self._waiting: deque[tuple[int, bytes]] = deque()  # due, and what is to be written
        self._not_before_ns = 0
        self._alarm: Alarm | None = None
        self._ended = False
        self.waiting_bytes = 0

    def send(self, data: bytes) -> None:
        """Send one message, or several in one."""
        if self._plain:
            self._connection.write(data)
        elif not self._ended:
            numbered = any(data[4:12])  # see `session.frame`; the others belong to their connection
            self._delay(data * (1 + (numbered and self._random.random() < self._faults.duplicates)))

    def close(self) -> None:
        """What waits is never sent."""
        self._ended, self._plain = True, False
        self._waiting.clear()
        if self._alarm is not None:
            self._alarm.cancel()

    def _delay(self, data: bytes) -> None:
        now_ns = self._clock.monotonic_ns()
        late_ns = round((self._faults.delay_s + self._faults.jitter_s * self._random.random()) * NS)
        self._not_before_ns = max(self._not_before_ns, now_ns + late_ns)
        if self._not_before_ns <= now_ns and not self._waiting:
            self._write(data)
            return
        self._waiting.append((self._not_before_ns, data))
        self.waiting_bytes += len(data)
        self._arm()

    def _arm(self) -> None:
        if self._alarm is None and self._waiting:
            self._alarm = self._clock.call_at(self._waiting[0][0], self._ring)

    def _ring(self) -> None:
        self._alarm = None
        now_ns = self._clock.monotonic_ns()
        while self._waiting and self._waiting[0][0] <= now_ns:
            _, data = self._waiting.popleft()
            self.waiting_bytes -= len(data)
            self._write(data)
        self._arm()

    def _write(self, data: bytes) -> None:
        if self._left is None:
            self._connection.write(data)
            return
        part = data[: self._left]
        self._left -= len(part)
        if part:
            self._connection.write(part)
        if not self._left:
            self.close()
            self._cut()
