"""So many within any second."""

from collections import deque

NS = 1_000_000_000


class Rate:
    """Allows `per_s` within any second, wherever it begins.

    A bucket of tokens that fills steadily would let nearly twice as many through within one second.
    """

    __slots__ = ("_last_ns", "per_s")

    def __init__(self, per_s: int) -> None:
        self.per_s = per_s
        self._last_ns = deque[int](maxlen=per_s)

    def take(self, now_ns: int) -> bool:
        """Count one more, if it is allowed. `now_ns` is monotonic."""
        last_ns = self._last_ns
        if len(last_ns) == self.per_s and now_ns - last_ns[0] < NS:
            return False
        last_ns.append(now_ns)  # the oldest falls out
        return True
