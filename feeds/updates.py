"""What ticks must go through before anyone may have them: updates made whole, ids translated, values looked at."""

import numpy as np

from ticktree.market import BadTick, Batch, TickFlag, TickKind, Ticks
from ticktree.market.ticks import (
    OPAQUE,
    TICK,
    VECTOR_ROWS,
    Heads,
    IdTable,
    check,
    check_rows,
    copied,
    heads as heads_of,
    kinds_of,
    kinds_of_rows,
    unpacked,
)

from .source import Source

MOST_HELD_ROWS = 65_536  # of one update: 4 MiB
_BOOK, _LAST = int(TickKind.BOOK), int(TickFlag.LAST)

# Of a row's head.
_OPEN_MASK, _OPEN = (_LAST << 40) | (0xFF << 32), _BOOK << 32  # a row of a book that is not the last one
_RUN_MASK = np.uint64(int(TickFlag.SNAPSHOT) << 40 | 0xFF_FFFF_FFFF)  # what all rows of an update have in common


class Updates:
    """The ticks of one connection, in whole updates: a run of rows that the network, or a frame, cut in two is held
    back until its end has come."""

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


def understood(ticks: Ticks, source: Source, table: IdTable | None) -> tuple[Batch, bytes]:
    """`ticks`, which are not none, as a batch of `source` with ids of ours, looked at if it is to be; and their kinds.

    `table`: what ids mean on that connection; None: the same. Raises `BadTick`.
    """
    must_translate = table is not None and (source.checked or not table.identical)
    if len(ticks) >= VECTOR_ROWS:
        heads = heads_of(ticks)
        if table is not None and must_translate:
            table.translate(ticks, heads, source.name)
        kinds = kinds_of(heads)
        if source.checked:
            check(ticks, source.name, kinds)
            if _BOOK in kinds:
                check_runs(heads, source.name)
        return Batch(source.name, source.ids, ticks=ticks, heads=heads), kinds
    # A lone tick is what an order answers: 10 us less than by columns, with caches as they are between two ticks.
    rows = list(unpacked(ticks))
    if table is not None and must_translate and not table.leaves(rows):
        table.translate(ticks, heads_of(ticks), source.name)
        rows = list(unpacked(ticks))
    kinds = kinds_of_rows(rows)
    if source.checked:
        check_rows(rows, source.name)
        if _BOOK in kinds:
            check_runs(heads_of(ticks), source.name)
    batch = Batch(source.name, source.ids, ticks=ticks)
    batch.unpacked = rows
    return batch, kinds


def check_runs(heads: Heads, feed: str) -> None:
    """Raise `BadTick` where something else stands within a book update: levels would end up in a wrong book."""
    following = np.flatnonzero(heads[:-1] & np.uint64(_OPEN_MASK) == _OPEN)
    strangers = (heads[following] ^ heads[following + 1]) & _RUN_MASK
    if strangers.any():
        row = int(following[np.flatnonzero(strangers)[0]]) + 1
        raise BadTick(feed, row, "it stands within a book update of another instrument, kind, or not of a snapshot")
