"""The columnar tick: one 64-byte record, little-endian, for quotes, trades and book levels alike; to events and back.

quote: a bid, b bid size, c ask, d ask size      trade: a price, b size      book level: a price, b size (0 deletes)
flags: bits 0-1 side (of the aggressor, or bid and ask of a book), 2 LAST of one update, 3 SNAPSHOT (clear the book
first; on every row of it), 4 CROSSED, 5 STALE

A book update is a run of rows of one instrument whose last has LAST; quotes and trades are complete in themselves.
"""

import cmath
import struct
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum, IntFlag
from itertools import repeat
from math import isfinite
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import BadTick
from .events import Bar, BookUpdate, Data, Level, Quote, Side, Tick, Trade
from .instruments import MOST_IDS, Instrument

TICK = np.dtype(
    [
        ("instrument", "<u4"),
        ("kind", "u1"),
        ("flags", "u1"),
        ("source", "<u2"),
        ("sequence", "<u8"),
        ("venue_time_ns", "<i8"),
        ("received_time_ns", "<i8"),
        ("a", "<f8"),
        ("b", "<f8"),
        ("c", "<f8"),
        ("d", "<f8"),
    ]
)
RECORD = struct.Struct("<IBBHQqqdddd")
OPAQUE = np.dtype("V64")  # a record as one piece: copying, taking and scattering it costs a tenth
Ticks = npt.NDArray[np.void]
Heads = npt.NDArray[np.uint64]
Row = tuple[int, int, int, int, int, int, int, float, float, float, float]

# A numpy step costs 0.5 to 4 us however small the array.
VECTOR_ROWS = 32
STRIDE = 4  # kinds that an id has room for in a table by id and kind


class TickKind(IntEnum):
    """What a record is; 0 is never used, so that zeroed memory is no tick."""

    TRADE = 1
    QUOTE = 2
    BOOK = 3


class TickFlag(IntFlag):
    """The bits of `flags`. Bits 0-1 together are the side: 0 unknown, 1 buy or bid, 2 sell or ask."""

    BUY = 1
    SELL = 2
    LAST = 4
    SNAPSHOT = 8
    CROSSED = 16
    STALE = 32


# Members of an enum cost 30 ns to look up on CPython 3.11.
_TRADE, _QUOTE, _BOOK = int(TickKind.TRADE), int(TickKind.QUOTE), int(TickKind.BOOK)
_BUY, _SELL = int(TickFlag.BUY), int(TickFlag.SELL)
_LAST, _SNAPSHOT, _CROSSED = int(TickFlag.LAST), int(TickFlag.SNAPSHOT), int(TickFlag.CROSSED)
_SIDES = (None, Side.BUY, Side.SELL, None)
_SIDES_OF_FLAGS = np.array([_SIDES[flags & 3] for flags in range(256)], object)
_NUMBERS = "sequence", "venue_time_ns", "received_time_ns"
_PART_ROWS = 8_192  # as many are looked at one by one where one of them might be bad
_ID, _KIND = itemgetter(0), itemgetter(1)  # of a row
_KIND_BYTES = tuple(bytes((kind,)) for kind in range(STRIDE))
_U1, _U4 = np.dtype("u1"), np.dtype("<u4")
_HEAD = np.dtype({"names": ["head"], "formats": ["<u8"], "offsets": [0], "itemsize": 64})
_PAIRS = np.dtype({"names": ["ab", "cd"], "formats": ["<c16", "<c16"], "offsets": [32, 48], "itemsize": 64})


# --- events to ticks -----------------------------------------------------------------------------------------------


def encoded(events: Sequence[Data]) -> Ticks:
    """The rows of `events`, read-only. Bars have none: they are made of ticks, not sent as such."""
    rows = [row for event in events for row in _rows(event)]
    if len(rows) < VECTOR_ROWS:
        return np.frombuffer(b"".join([RECORD.pack(*row) for row in rows]), TICK)
    array = np.array(rows, TICK)
    array.setflags(write=False)
    return array


def encode(ticks: Sequence[Tick]) -> bytes:
    """The records of `ticks`, one after the other, each a complete update of its own."""
    return encoded(ticks).tobytes()


def _rows(event: Data) -> Iterable[Row]:
    match event:
        case Trade():
            flags = _LAST | (event.aggressor or 0)
            return ((*_head(event, _TRADE, flags), event.price, event.size, 0.0, 0.0),)
        case Quote():
            flags = _LAST | (_CROSSED if event.crossed else 0)
            return ((*_head(event, _QUOTE, flags), event.bid, event.bid_size, event.ask, event.ask_size),)
        case BookUpdate():
            return _levels(event)
        case Bar():
            return ()


def _head(event: Tick, kind: int, flags: int) -> tuple[int, int, int, int, int, int, int]:
    return event.instrument.id, kind, flags, 0, event.sequence, event.venue_time_ns, event.received_time_ns


def _levels(update: BookUpdate) -> list[Row]:
    flags = (_SNAPSHOT if update.snapshot else 0) | (_CROSSED if update.crossed else 0)
    bid, ask = _head(update, _BOOK, flags | _BUY), _head(update, _BOOK, flags | _SELL)
    rows = [(*bid, price, size, 0.0, 0.0) for price, size in update.bids]
    rows += [(*ask, price, size, 0.0, 0.0) for price, size in update.asks]
    if rows:
        id, kind, last_flags, *rest = rows[-1]
        rows[-1] = (id, kind, last_flags | _LAST, *rest)  # type: ignore[assignment]  # the rest of a row
    return rows


# --- ticks to events -----------------------------------------------------------------------------------------------


def events(ticks: Ticks, instruments: Mapping[int, Instrument], feed: str) -> list[Data]:
    """The events that checked `ticks` of `feed` stand for; a run of book rows up to its LAST is one update."""
    if len(ticks) >= VECTOR_ROWS:
        kinds = ticks["kind"].tobytes()
        if all_are(kinds, _TRADE):
            return _trades(ticks, instruments, feed)
        if all_are(kinds, _QUOTE):
            return _quotes(ticks, instruments, feed)
    return events_of_rows(unpacked(ticks), instruments, feed)


def _trades(ticks: Ticks, instruments: Mapping[int, Instrument], feed: str) -> list[Data]:
    """By columns, each step one call for all rows: 0.7 of what it takes row by row."""
    sides = _SIDES_OF_FLAGS.take(ticks["flags"]).tolist()
    values, numbers = _columns(ticks, "a", "b"), _columns(ticks, *_NUMBERS)
    return list(map(Trade, repeat(feed), _whose(ticks, instruments), *values, sides, *numbers))


def _quotes(ticks: Ticks, instruments: Mapping[int, Instrument], feed: str) -> list[Data]:
    return list(map(Quote, repeat(feed), _whose(ticks, instruments), *_columns(ticks, "a", "b", "c", "d", *_NUMBERS)))


def _columns(ticks: Ticks, *names: str) -> list[list[Any]]:
    return [ticks[name].tolist() for name in names]


def _whose(ticks: Ticks, instruments: Mapping[int, Instrument]) -> tuple[Instrument, ...]:
    """Of two rows or more: of one `itemgetter` makes no tuple. It takes 20 ns a row less than `map`."""
    found: tuple[Instrument, ...] = itemgetter(*ticks["instrument"].tolist())(instruments)
    return found


def unpacked(ticks: Ticks) -> Iterable[Row]:
    """The rows as tuples, of a copy, 2 ns a row: an iterator over `ticks.data` that is left in the frames of an
    exception, which the collector finds, crashes CPython 3.11."""
    return RECORD.iter_unpack(ticks.tobytes())


def events_of_rows(rows: Iterable[Row], instruments: Mapping[int, Instrument], feed: str) -> list[Data]:
    """`events`, of rows that are unpacked already."""
    found, bids, asks = list[Data](), list[Level](), list[Level]()
    for id, kind, flags, _, sequence, venue_ns, received_ns, a, b, c, d in rows:
        instrument = instruments[id]
        if kind == _TRADE:
            found.append(Trade(feed, instrument, a, b, _SIDES[flags & 3], sequence, venue_ns, received_ns))
        elif kind == _QUOTE:
            found.append(Quote(feed, instrument, a, b, c, d, sequence, venue_ns, received_ns))
        else:
            (bids if flags & 3 == _BUY else asks).append((a, b))
            if flags & _LAST:
                snapshot, crossed = bool(flags & _SNAPSHOT), bool(flags & _CROSSED)
                found.append(
                    BookUpdate(
                        feed, instrument, tuple(bids), tuple(asks), snapshot, sequence, sequence, venue_ns, received_ns,
                        crossed,
                    )
                )  # fmt: skip
                bids, asks = [], []
    return found


# --- what comes in -------------------------------------------------------------------------------------------------


def heads(ticks: Ticks) -> Heads:
    """Of each row the first 8 bytes as one number, side by side: instrument u4, kind u1, flags u1, source u2.

    To look at one field of all rows costs a cache line a row, and that is nearly all that it costs: 1 to 2 ns a row.
    Whoever asks for several of these fields takes them out of this.
    """
    found: Heads = ticks.view(_HEAD)["head"].copy()
    return found


def kinds_of(heads: Heads) -> bytes:
    """The kinds, a byte a row."""
    return heads.view(_U1)[4::8].tobytes()


def kinds_of_rows(rows: Iterable[Row]) -> bytes:
    """`kinds_of`, of rows that are unpacked already."""
    return bytes(map(_KIND, rows))


def all_are(kinds: bytes, kind: int) -> bool:
    """Whether all are `kind`, as nearly always: 0.1 ns a row, where `count` takes 0.5."""
    return kinds == _KIND_BYTES[kind] * len(kinds)


def check(ticks: Ticks, feed: str, kinds: bytes | None = None) -> None:
    """Raise `BadTick`, which names the first row that cannot be: a value that is not finite, a negative size, a kind
    that there is not, a book row of no side. `kinds`: theirs, where they are known already."""
    if len(ticks) < VECTOR_ROWS:
        check_rows(unpacked(ticks), feed)
        return
    kinds = ticks["kind"].tobytes() if kinds is None else kinds
    for start in range(0, len(ticks), _PART_ROWS):
        end = start + _PART_ROWS
        if not _plausible(part := ticks[start:end], kinds[start:end]):
            check_rows(unpacked(part), feed, start)


def check_rows(rows: Iterable[Row], feed: str, start: int = 0) -> None:
    """`check`, of rows that are unpacked already; the first of them is number `start`."""
    for index, row in enumerate(rows, start):
        _check(row, index, feed)


def _plausible(ticks: Ticks, kinds: bytes) -> bool:
    """Whether nothing needs a closer look. In the cheapest form: trades 3 ns a tick, quotes 6, books 9."""
    all_trades = all_are(kinds, _TRADE)
    if not all_trades and kinds.translate(None, _KINDS):  # what is left without the kinds that there are
        return False
    # NaN and infinity survive any sum of products. A row's four values as two complex numbers are one look, of 1.3 ns;
    # two products of columns take 2, and `isfinite` 11.
    pairs = ticks.view(_PAIRS)
    with np.errstate(all="ignore"):
        total = np.dot(pairs["ab"], pairs["cd"])
    if not cmath.isfinite(total):
        return False
    sizes = ticks["b"]
    if not all_trades:
        sizes = np.minimum(sizes, ticks["d"])
    if sizes.min() < 0:
        return False
    if _BOOK not in kinds:
        return True
    return not ticks["flags"][np.frombuffer(kinds, np.uint8) == _BOOK].tobytes().translate(None, _SIDED)


_KINDS = bytes(TickKind)
_SIDED = bytes(flags for flags in range(256) if flags & 3 in (_BUY, _SELL))


def _check(row: Row, index: int, feed: str) -> None:
    kind, flags, (a, b, c, d) = row[1], row[2], row[7:]
    if not (isfinite(a) and isfinite(b) and isfinite(c) and isfinite(d)):
        raise BadTick(feed, index, f"a value is not finite ({a}, {b}, {c}, {d})")
    if b < 0 or (d < 0 and kind != _TRADE):  # a trade has no d
        raise BadTick(feed, index, f"a size is negative ({b}, {d})")
    if not _TRADE <= kind <= _BOOK:
        raise BadTick(feed, index, f"there is no kind {kind}")
    if kind == _BOOK and flags & 3 not in (_BUY, _SELL):
        raise BadTick(feed, index, "a level of a book is a bid or an ask, and this is neither")


class IdTable:
    """What the ids on one connection mean here: the sender's id -> ours."""

    def __init__(self) -> None:
        self._ours = np.full(1, -1, np.int32)  # the last entry stands for all ids beyond
        self.identical = True
        self._dense = 0  # their ids below this are all defined

    def define(self, theirs: int, ours: int) -> None:
        """The sender's `theirs` is our `ours` from now on. Both are below 1,048,576."""
        if not 0 <= theirs < MOST_IDS:
            raise ValueError(f"an id is a number from 0 to {MOST_IDS - 1:,}; not {theirs!r}")
        if theirs + 1 >= len(self._ours):
            grown = np.full(max(2 * len(self._ours), theirs + 2), -1, np.int32)
            grown[: len(self._ours)] = self._ours
            self._ours = grown
        self._ours[theirs] = ours
        self.identical = self.identical and theirs == ours
        while self._ours[self._dense] >= 0:
            self._dense += 1

    def leaves(self, rows: Iterable[Row]) -> bool:
        """Whether there is nothing to `translate`: all ids are defined, and ours."""
        return self.identical and max(map(_ID, rows)) < self._dense

    def translate(self, ticks: Ticks, heads: Heads, feed: str) -> None:
        """Write our ids into `ticks`, which must be writable unless `identical`, and into their `heads`.

        Raises `BadTick`.
        """
        ids = heads.view(_U4)[::2]
        if self.identical and len(ids) and ids.max() < self._dense:
            return
        ours = self._ours.take(ids, mode="clip")
        if ours.min(initial=0) < 0:
            index = int((ours < 0).argmax())
            raise BadTick(feed, index, f"instrument {ids[index]} was never defined")
        if not self.identical:
            ticks["instrument"] = ids[:] = ours


# --- which stream a row is of ---------------------------------------------------------------------------------------


def places(heads: Heads) -> npt.NDArray[np.intp]:
    """Of each row, where it stands in a table by id and kind, 1.7 ns a row. In place, for every new array of this size
    costs page faults."""
    found: npt.NDArray[np.intp] = heads.view(_U4)[::2].astype(np.intp)
    found *= STRIDE
    found += heads.view(_U1)[4::8]
    return found


def last_rows(ticks: Ticks, where: npt.NDArray[np.intp], end: int) -> list[Row]:
    """The last row of each kind of each instrument, in no order; 4 ns a row, and 0.2 us for each that is found.

    `where` they stand is known, and `end` is beyond all ids.
    """
    if len(ticks) < VECTOR_ROWS:
        return list({row[:2]: row for row in unpacked(ticks)}.values())
    last, numbers = np.empty(STRIDE * end, np.intp), np.arange(len(ticks))
    last[where] = numbers  # of those at one place the last stays; 1.2 ns a row, where `put` takes 3
    return list(RECORD.iter_unpack(ticks.view(OPAQUE)[last.take(where) == numbers].tobytes()))


def copied(ticks: Ticks) -> Ticks:
    """A copy of its own (4 ns a tick; a structured `.copy()` takes 42)."""
    return ticks.view(OPAQUE).copy().view(TICK)
