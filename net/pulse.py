"""Whether the other side is still there, told by looks and not by the clock.

A loop that was blocked looks once, and then reads what has come meanwhile: time alone would call that silence.
"""

from .connection import Connection

LOOKS = 8  # a heartbeat, at least


class Pulse:
    """`begin` with each connection, then `look` every `look_s`, which is a quarter of `heartbeat_s` or less."""

    def __init__(self, heartbeat_s: float, look_s: float) -> None:
        self._look_s = look_s
        self._beats_after = round(heartbeat_s / look_s)  # looks
        # The last byte came up to one look before the first that missed: two heartbeats less a look at most.
        self._most_misses = 2 * self._beats_after - 2
        self._bytes_in = self._misses = self._looks = 0

    def begin(self) -> None:
        """A new connection, which has just stood up; or one that is read again."""
        self._bytes_in = self._misses = 0

    def look(self, connection: Connection, reading: bool) -> float | None:
        """For how many seconds nothing came, if that is too long. While nobody reads no silence counts."""
        heard = connection.bytes_in != self._bytes_in
        self._bytes_in = connection.bytes_in
        self._misses = 0 if heard or not reading else self._misses + 1
        return None if self._misses < self._most_misses else self._misses * self._look_s

    def is_due(self) -> bool:
        """Whether it is time for a beat of ours; ask once a look."""
        self._looks += 1
        return self._looks % self._beats_after == 0
