"""Python's cyclic garbage collector: out of the way after start, its pauses measured."""

import gc
import time

import attrs


@attrs.frozen
class GcPauses:
    """What the collector cost so far: `count` collections, `total_ns` and `longest_ns` of pause."""

    count: int = 0
    total_ns: int = 0
    longest_ns: int = 0


class Collector:
    """After start everything alive is moved out of the collector's sight, so that its pauses stay short.

    The pauses are measured on real time, also where the system's clock is virtual.
    """

    def __init__(self) -> None:
        self._began_ns = 0
        self._count = self._total_ns = self._longest_ns = 0

    def start(self) -> None:
        """Collect once, freeze what is alive, and measure from now on."""
        gc.collect()
        gc.freeze()
        gc.callbacks.append(self._measure)

    def stop(self) -> None:
        """Give the frozen objects back, so that a stopped system can be collected."""
        if self._measure in gc.callbacks:
            gc.callbacks.remove(self._measure)
            gc.unfreeze()

    def pauses(self) -> GcPauses:
        """What collections have cost since `start`."""
        return GcPauses(self._count, self._total_ns, self._longest_ns)

    def _measure(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began_ns = time.perf_counter_ns()
        else:
            pause_ns = time.perf_counter_ns() - self._began_ns
            self._count += 1
            self._total_ns += pause_ns
            self._longest_ns = max(self._longest_ns, pause_ns)
