"""What all files have in common once they are rows: their times never go back, and nothing tears an instant apart."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ticktree.market import BadTick, TickFlag, TickKind, Ticks
from ticktree.market.ticks import OPAQUE, TICK, check, heads

from ..updates import check_runs
from .errors import BadRow, FileError, Unsorted

Times = npt.NDArray[np.int64]
ROWS = 32_768  # of a chunk: 2 MiB
_BOOK, _LAST = int(TickKind.BOOK), int(TickFlag.LAST)


def times_of(ticks: Ticks) -> Times:
    """When each row was received, side by side."""
    return np.ascontiguousarray(ticks["received_time_ns"])


def check_order(path: Path, times: Times, before_ns: int, first_row: int) -> None:
    """Raise `Unsorted` where time goes back; `before_ns` is that of the row before the first."""
    if times[0] >= before_ns and (times[1:] >= times[:-1]).all():
        return
    if times[0] < before_ns:
        raise Unsorted(path, first_row, before_ns, int(times[0]))
    index = int((times[1:] < times[:-1]).argmax())
    raise Unsorted(path, first_row + index + 1, int(times[index]), int(times[index + 1]))


def check_rows(path: Path, ticks: Ticks, first_row: int) -> None:
    """Raise `BadRow` for a row that cannot be."""
    try:
        check(ticks, "")
    except BadTick as error:
        raise BadRow(path, first_row + error.row, _why(error)) from None


def check_updates(path: Path, ticks: Ticks, times: Times, first_row: int) -> None:
    """Raise `BadRow` where a book update is not of one instrument and time, or does not end."""
    kinds = ticks["kind"]
    if _BOOK not in kinds.tobytes():
        return
    try:
        check_runs(heads(ticks), "")
    except BadTick as error:
        raise BadRow(path, first_row + error.row, _why(error)) from None
    left_open = np.flatnonzero((kinds == _BOOK) & (ticks["flags"] & _LAST == 0))
    if not len(left_open):
        return
    if left_open[-1] == len(ticks) - 1:
        raise BadRow(path, first_row + len(ticks) - 1, "the book update that it is in does not end: no row has LAST")
    torn = np.flatnonzero(times[left_open] != times[left_open + 1])
    if len(torn):
        raise BadRow(path, first_row + int(left_open[torn[0]]) + 1, "it is later than the book update that it is in")


def _why(error: BadTick) -> str:
    return str(error).removeprefix(f": tick {error.row} of the batch: ")


def joined(parts: Iterable[Ticks]) -> Ticks:
    """One after the other, in an array of their own (4 ns a row)."""
    return np.concatenate([np.ascontiguousarray(part.view(OPAQUE)) for part in parts]).view(TICK)


def frozen(ticks: Ticks) -> Ticks:
    """It, which nobody is to write to any more."""
    ticks.setflags(write=False)
    return ticks


def whole_instants(chunks: Iterable[Ticks]) -> Iterator[Ticks]:
    """The same rows, cut so that those of one time are in one chunk. None of `chunks` is empty.

    Where they end with a `FileError`, what came before is told first, but for the last instant, which may lack rows.
    """
    held: Ticks | None = None
    try:
        for chunk in chunks:
            if held is None:
                held = chunk
                continue
            cut = _begin_of_last(held)
            if chunk["received_time_ns"][0] == held["received_time_ns"][-1]:
                chunk, held = joined((held[cut:], chunk)), held[:cut]
            if len(held):
                yield held
            held = chunk
    except FileError:
        if held is not None and (cut := _begin_of_last(held)):
            yield held[:cut]
        raise
    if held is not None:
        yield held


def _begin_of_last(ticks: Ticks) -> int:
    """Where the rows of the last time begin."""
    times = times_of(ticks)
    return int(np.searchsorted(times, int(times[-1])))
