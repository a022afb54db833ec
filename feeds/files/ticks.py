"""The `.ticks` file: a first line for people, then 64-byte records, which are used in place by mapping the file.

First line   `ticktree ticks 1 {"feed":"f","instruments":[{"id":1,"name":"BTC-USDT","price_increment":"0.01",...}]}`
             and LF, with so many spaces before it that the records begin at a multiple of 64 bytes
Records      as in market/ticks.py; ids are the file's own. Times never go back; a book update has one time
"""

import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt

from ticktree.market import BadInstrument, Instrument, TickFlag, TickKind, Ticks, plain
from ticktree.market.ticks import OPAQUE, TICK

from .errors import BadRow, DamagedFile, EmptyFile, FileTaken, ForeignFile, NewerFile, NoFile, NoInstrument
from .order import ROWS, check_order, check_rows, check_updates, frozen, times_of
from .reading import FileReading, Format
from .wanted import KIND_NAMES, Wanted

MAGIC = b"ticktree ticks "
VERSION = 1
ALIGNED = TICK.itemsize
MOST_LINE = 16 << 20  # bytes of the first line: some hundred thousand instruments
SUFFIX = ".ticks"
_BOOK, _LAST = int(TickKind.BOOK), int(TickFlag.LAST)
_NONE_YET = -1 << 63
_UNDEFINED, _LEFT_OUT = -1, -2
_KINDS = 4  # places a table has for each id: none is of kind 0


class Definition(msgspec.Struct, frozen=True):
    """An instrument as the first line has it; numbers as text."""

    id: int
    name: str
    price_increment: str
    size_increment: str
    multiplier: str = "1"
    min_notional: str = "0"

    def instrument(self) -> Instrument:
        """What it defines. Raises `BadInstrument`."""
        numbers = self.price_increment, self.size_increment, self.min_notional, self.multiplier
        try:
            price, size, notional, multiplier = map(Decimal, numbers)
            return Instrument(self.name, self.id, price, size, notional, multiplier)
        except InvalidOperation:
            raise BadInstrument(f"{self.name}: one of {', '.join(numbers)} is no number") from None


class Title(msgspec.Struct, frozen=True):
    """The first line, without its magic: which `feed` they were of, and what the ids mean."""

    feed: str
    instruments: tuple[Definition, ...] = ()


def first_line(title: Title) -> bytes:
    """How a file begins."""
    line = MAGIC + f"{VERSION} ".encode() + msgspec.json.encode(title)
    return line + b" " * (-(len(line) + 1) % ALIGNED) + b"\n"


class TicksReading(FileReading):
    """Reads a `.ticks` file, of which nothing is copied unless ids differ or rows are left out.

    Raises `NoFile`, `ForeignFile`, `EmptyFile`, `NewerFile` and `DamagedFile` at once.
    """

    format: Format = "ticks"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            with path.open("rb") as file:
                self.title, begin = self._begin(file)
                self._defined = _instruments_of(path, self.title)
                count = max(0, self.size_bytes - begin) // TICK.itemsize
                if not count:
                    raise EmptyFile(path, "it has no rows: it ends with its first line, or within its first record")
                memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise NoFile(path, f"it cannot be opened ({error.strerror})") from None
        ticks: Ticks = np.frombuffer(memory, TICK, count, begin)
        self.ticks = ticks[: _whole(ticks)]
        if not len(self.ticks):
            raise EmptyFile(path, "it has no rows: it ends within its first book update")
        self._begin_bytes = self.done_bytes = begin
        self.torn_bytes = self.size_bytes - begin - self.ticks.nbytes

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return self._defined

    @property
    def layout(self) -> str:
        return "ticks"

    def first_time_ns(self) -> int:
        return int(self.ticks["received_time_ns"][0])

    def chunks(self, wanted: Wanted) -> Iterator[Ticks]:
        table, same = self._table(wanted)
        start, before_ns = 0, _NONE_YET
        while start < len(self.ticks):
            chunk = self.ticks[start : _end_of_instant(self.ticks, start)]
            times = times_of(chunk)
            check_order(self.path, times, before_ns, start + 1)
            if wanted.checked:
                check_rows(self.path, chunk, start + 1)
                check_updates(self.path, chunk, times, start + 1)
            kept = self._translated(chunk, table, same, start)
            start += len(chunk)
            before_ns = int(times[-1])
            self.rows, self.left_out = start, self.left_out + len(chunk) - len(kept)
            self.done_bytes = self._begin_bytes + start * TICK.itemsize
            if len(kept):
                yield kept
        self.done_bytes = self.size_bytes

    def _begin(self, file: BinaryIO) -> tuple[Title, int]:
        path, line = self.path, file.readline(MOST_LINE)
        if not line.startswith(MAGIC):
            if MAGIC.startswith(line):
                raise EmptyFile(path, "it has no rows: it ends within its first line")
            raise ForeignFile(path, f"it is no file of ticks, and begins {line[:16]!r}")
        if not line.endswith(b"\n"):
            if len(line) < MOST_LINE:
                raise EmptyFile(path, "it has no rows: it ends within its first line")
            raise DamagedFile(path, 0, f"its first line is longer than {MOST_LINE:,} bytes")
        version, _, rest = line.removeprefix(MAGIC).partition(b" ")
        if not version.isdigit() or len(version) > 9:
            raise DamagedFile(path, 0, "its first line tells no version")
        if int(version) != VERSION:
            raise NewerFile(path, int(version), VERSION)
        try:
            return msgspec.json.decode(rest, type=Title), len(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DamagedFile(path, 0, f"its first line cannot be read: {error}") from None

    def _table(self, wanted: Wanted) -> tuple[npt.NDArray[np.int32], bool]:
        """What is ours, by their id and kind; and whether ids are the same and nothing is left out."""
        if not any(wanted.wants(one.name, kind) for one in self._defined for kind in KIND_NAMES):
            has = ", ".join(one.name for one in self._defined)
            raise NoInstrument(self.path, f"it has {has}, which are none of the feed's", wanted.names)
        greatest = max(one.id for one in self._defined)
        table = np.full((greatest + 2) * _KINDS, _UNDEFINED, np.int32)
        same = True
        for one in self._defined:
            for kind in KIND_NAMES:
                wants = wanted.wants(one.name, kind)
                ours = wanted.instruments[one.name].id if wants else _LEFT_OUT
                table[one.id * _KINDS + kind] = ours
                same = same and ours == one.id
        return table, same

    @cached_property
    def _dense(self) -> range:
        """The ids that are defined, if they follow upon each other; else none."""
        ids = sorted(one.id for one in self._defined)
        return range(ids[0], ids[-1] + 1) if len(ids) == ids[-1] - ids[0] + 1 else range(0)

    def _translated(self, chunk: Ticks, table: npt.NDArray[np.int32], same: bool, start: int) -> Ticks:
        ids = chunk["instrument"]
        if same and self._dense and self._dense[0] <= ids.min() and ids.max() <= self._dense[-1]:
            return chunk  # as most are: 3 ns a row, where the table takes 12
        ours = table.take(ids.astype(np.intp) * _KINDS + chunk["kind"], mode="clip")
        if (ours == _UNDEFINED).any():
            index = int((ours == _UNDEFINED).argmax())
            why = f"its instrument {chunk['instrument'][index]} was never defined in the first line"
            raise BadRow(self.path, start + index + 1, why)
        if same:
            return chunk
        kept = ours >= 0
        copy: Ticks = chunk.view(OPAQUE)[kept].view(TICK)
        copy["instrument"] = ours[kept]
        return frozen(copy)


def _instruments_of(path: Path, title: Title) -> tuple[Instrument, ...]:
    try:
        instruments = tuple(definition.instrument() for definition in title.instruments)
    except BadInstrument as error:
        raise DamagedFile(path, 0, str(error)) from None
    for key in ("id", "name"):
        if len({getattr(one, key) for one in instruments}) < len(instruments):
            raise DamagedFile(path, 0, f"its first line defines an instrument's {key} twice")
    if not instruments:
        raise DamagedFile(path, 0, "its first line defines no instruments")
    return instruments


def _whole(ticks: Ticks) -> int:
    """How many rows there are up to the end of the last whole book update; looked for in the last chunk only."""
    start = max(0, len(ticks) - ROWS)
    tail = ticks[start:]
    ends = np.flatnonzero((tail["kind"] != _BOOK) | (tail["flags"] & _LAST != 0))
    return start + int(ends[-1]) + 1 if len(ends) else start


def _end_of_instant(ticks: Ticks, start: int) -> int:
    """Where to cut, about `ROWS` rows after `start`: not within an instant, even if that makes more rows."""
    end, times = start + ROWS, ticks["received_time_ns"]
    if end >= len(ticks):
        return len(ticks)
    if times[end - 1] != (cut_ns := times[end]):
        return end
    index = start + int(np.searchsorted(times_of(ticks[start:end]), int(cut_ns)))
    if index > start:
        return index
    while end < len(ticks):
        later = np.flatnonzero(times[end : end + ROWS] != cut_ns)
        if len(later):
            return end + int(later[0])
        end += ROWS
    return len(ticks)


# --- writing -------------------------------------------------------------------------------------------------------


def write_ticks(path: Path, feed: str, instruments: Sequence[Instrument], chunks: Iterable[Ticks]) -> int:
    """Write `chunks` of ticks of `feed`, whose ids are those of `instruments`; how many rows there are.

    Each chunk begins and ends where book updates do. The file is there once all was written, and not before. Raises
    `FileTaken`, `NoFile`, and `BadRow` or `Unsorted` for what could not be read again.
    """
    if path.exists():
        raise FileTaken(path)
    title = Title(feed, tuple(map(_definition, instruments)))
    _instruments_of(path, title)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            file.write(first_line(title))
            rows = _write(file, path, {one.id for one in instruments}, chunks)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            raise FileTaken(path)
        part.rename(path)
    except OSError as error:
        raise NoFile(path, f"it cannot be written ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)
    return rows


def _write(file: BinaryIO, path: Path, ids: set[int], chunks: Iterable[Ticks]) -> int:
    rows, before_ns = 0, _NONE_YET
    for chunk in chunks:
        if not len(chunk):
            continue
        times = times_of(chunk)
        check_order(path, times, before_ns, rows + 1)
        check_rows(path, chunk, rows + 1)
        check_updates(path, chunk, times, rows + 1)
        if strange := set(np.unique(chunk["instrument"]).tolist()) - ids:
            index = int((chunk["instrument"] == min(strange)).argmax())
            raise BadRow(path, rows + index + 1, f"its instrument {min(strange)} is none of those given")
        file.write(np.ascontiguousarray(chunk).data)
        rows, before_ns = rows + len(chunk), int(times[-1])
    return rows


def _definition(instrument: Instrument) -> Definition:
    return Definition(
        instrument.id, instrument.name, plain(instrument.price_increment), plain(instrument.size_increment),
        plain(instrument.multiplier), plain(instrument.min_notional),
    )  # fmt: skip
