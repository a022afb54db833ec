"""When what was recorded is due: recorded time laid upon a clock, as fast as it is wanted."""

from ticktree.actors import Clock

NS = 1_000_000_000


class Pace:
    """`speed` times as fast as it was recorded; None: everything is due at once."""

    def __init__(self, clock: Clock, speed: float | None) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise ValueError(f"a speed is above 0, or None for as fast as can be; not {speed!r}")
        self._clock, self._speed = clock, speed
        self._recorded_ns, self._began_ns = 0, 0

    def begin(self, recorded_ns: int) -> None:
        """It is `recorded_ns` now: at the beginning, and whenever time has stood still."""
        self._recorded_ns, self._began_ns = recorded_ns, self._clock.monotonic_ns()

    def wait_s(self, recorded_ns: int) -> float:
        """How many seconds there are to `recorded_ns`; never below 0."""
        if self._speed is None:
            return 0.0
        passed_ns = self._clock.monotonic_ns() - self._began_ns
        return max(0.0, ((recorded_ns - self._recorded_ns) / self._speed - passed_ns) / NS)
