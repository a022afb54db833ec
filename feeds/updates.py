"""Book updates whole: a run of rows that the network, or a frame, cut in two is held back until its end has come."""

import numpy as np

from ticktree.market import BadTick, TickFlag, TickKind, Ticks
from ticktree.market.ticks import OPAQUE, TICK, Heads, copied

MOST_HELD_ROWS = 65_536  # of one update: 4 MiB
_BOOK, _LAST = int(TickKind.BOOK), int(TickFlag.LAST)

# Of a row's head.
_OPEN_MASK, _OPEN = (_LAST << 40) | (0xFF << 32), _BOOK << 32  # a row of a book that is not the last one
_RUN_MASK = np.uint64(int(TickFlag.SNAPSHOT) << 40 | 0xFF_FFFF_FFFF)  # what all rows of an update have in common


class Updates:
    """The ticks of one connection, in whole updates."""

    def __init__(self, feed: str) -> None:
        self._feed = feed
        self._held: list[Ticks] = []
        self._rows = 0

    def whole(self, ticks: Ticks) -> Ticks:
        """`ticks` up to the end of an update, after what was held back before; the rest waits for its end.

        Raises `BadTick` for an update that does not end within 65,536 rows.
        """
        if not len(ticks) or not (ticks["kind"][-1] == _BOOK and not ticks["flags"][-1] & _LAST):
            return self._with_held(ticks)
        ends = np.flatnonzero((ticks["kind"] != _BOOK) | (ticks["flags"] & _LAST != 0))
        end = int(ends[-1]) + 1 if len(ends) else 0
        rest = copied(ticks[end:])  # a copy: it would keep all of the read's memory
        whole = self._with_held(ticks[:end]) if end else ticks[:0]
        self._held.append(rest)
        self._rows += len(rest)
        if self._rows > MOST_HELD_ROWS:
            raise BadTick(self._feed, end, f"an update of a book that does not end within {MOST_HELD_ROWS} rows")
        return whole

    def _with_held(self, ticks: Ticks) -> Ticks:
        if not self._held or not len(ticks):
            return ticks
        parts = [part.view(OPAQUE) for part in (*self._held, ticks)]
        self._held, self._rows = [], 0
        return np.concatenate(parts).view(TICK)


def check_runs(heads: Heads, feed: str) -> None:
    """Raise `BadTick` where something else stands within a book update: levels would end up in a wrong book."""
    following = np.flatnonzero(heads[:-1] & np.uint64(_OPEN_MASK) == _OPEN)
    strangers = (heads[following] ^ heads[following + 1]) & _RUN_MASK
    if strangers.any():
        row = int(following[np.flatnonzero(strangers)[0]]) + 1
        raise BadTick(feed, row, "it stands within a book update of another instrument, kind, or not of a snapshot")
