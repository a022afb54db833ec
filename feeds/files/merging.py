"""Several files of one feed as one stream: by time, and of one time by the order in which the files are given.

What a file has of a time comes in its own order. Memory holds a chunk of each file that is open; a file is opened when
the stream comes to its first row.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs
import numpy as np

from ticktree.market import Ticks
from ticktree.market.ticks import OPAQUE, TICK

from .order import Times, frozen, joined, times_of


@attrs.frozen
class Run:
    """Sorted rows: none before `first_ns`, in chunks of whole instants, from when `chunks` is called."""

    first_ns: int
    chunks: Callable[[], Iterable[Ticks]]


class _Open:
    """A run at work: what is left of its chunk."""

    __slots__ = ("_chunks", "rest", "times")

    def __init__(self, run: Run) -> None:
        self._chunks = iter(run.chunks())
        self.rest: Ticks | None = None
        self.times: Times = np.empty(0, np.int64)
        self.refill()

    def refill(self) -> None:
        """The next chunk; without one, `rest` is None."""
        self.rest = next(self._chunks, None)
        if self.rest is not None:
            self.times = times_of(self.rest)

    def take(self, until_ns: int) -> Ticks | None:
        """Its rows up to and with that time, if there are any."""
        rest = self.rest
        assert rest is not None
        if self.times[-1] <= until_ns:
            self.rest = None
            return rest
        count = int(np.searchsorted(self.times, until_ns, "right"))
        if not count:
            return None
        self.rest, self.times = rest[count:], self.times[count:]
        return rest[:count]


def merged(runs: Sequence[Run]) -> Iterator[Ticks]:
    """All rows of `runs`, read-only, in chunks of whole instants."""
    waiting = sorted(enumerate(runs), key=lambda one: one[1].first_ns)
    at_work = dict[int, _Open]()  # by the place in `runs`
    while True:
        for place, used in [one for one in at_work.items() if one[1].rest is None]:
            used.refill()  # not sooner: it may fail, and what came before is to be told first
            if used.rest is None:
                del at_work[place]
        if not waiting and not at_work:
            return
        while waiting and (not at_work or waiting[0][1].first_ns <= _until(at_work)):
            place, run = waiting.pop(0)
            opened = _Open(run)
            if opened.rest is not None:
                at_work[place] = opened
        if at_work:
            yield _joint(at_work)


def _until(at_work: dict[int, _Open]) -> int:
    """Up to when all rows are here."""
    return min(int(one.times[-1]) for one in at_work.values())


def _joint(at_work: dict[int, _Open]) -> Ticks:
    """All rows up to there, by time."""
    until_ns, parts = _until(at_work), list[Ticks]()
    for place in sorted(at_work):
        part = at_work[place].take(until_ns)
        if part is not None:
            parts.append(part)
    if len(parts) == 1:
        return parts[0]
    rows = joined(parts)
    order = np.argsort(rows["received_time_ns"], kind="stable")
    return frozen(rows.view(OPAQUE)[order].view(TICK))
