"""The columnar tick: one 64-byte record, little-endian, for quotes and trades alike; to events and back.

quote: a bid, b bid size, c ask, d ask size        trade: a price, b size
flags: bits 0-1 side (of the aggressor), 2 LAST of one update, 3 SNAPSHOT, 4 CROSSED, 5 STALE
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum, IntFlag
from math import isfinite
from typing import assert_never

import numpy as np
import numpy.typing as npt

from .errors import BadTick
from .events import Quote, Side, Tick, Trade
from .instruments import Instrument

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
Ticks = npt.NDArray[np.void]
Row = tuple[int, int, int, int, int, int, int, float, float, float, float]

# A numpy step costs 0.5 to 4 us however small the array.
VECTOR_ROWS = 32


class TickKind(IntEnum):
    """What a record is; 0 is never used, so that zeroed memory is no tick."""

    QUOTE = 1
    TRADE = 2


class TickFlag(IntFlag):
    """The bits of `flags`. Bits 0-1 together are the side: 0 unknown, 1 buy, 2 sell."""

    BUY = 1
    SELL = 2
    LAST = 4
    SNAPSHOT = 8
    CROSSED = 16
    STALE = 32


_QUOTE, _TRADE = int(TickKind.QUOTE), int(TickKind.TRADE)
_LAST, _CROSSED = int(TickFlag.LAST), int(TickFlag.CROSSED)
_SIDES = (None, Side.BUY, Side.SELL, None)


def encode(ticks: Sequence[Tick]) -> bytes:
    """The records of `ticks`, one after the other, each a complete update of its own."""
    rows = [_row(tick) for tick in ticks]
    if len(rows) < VECTOR_ROWS:
        return b"".join(RECORD.pack(*row) for row in rows)
    return np.array(rows, TICK).tobytes()


def decode(records: memoryview, instruments: Mapping[int, Instrument], feed: str, received_time_ns: int) -> list[Tick]:
    """The events that `records` (n x 64 bytes) stand for, received by `feed` at that time. Raises `BadTick`."""
    rows: Iterable[Row]
    if len(records) < VECTOR_ROWS * RECORD.size:
        rows = [_check(row, index, feed) for index, row in enumerate(RECORD.iter_unpack(records))]
    else:
        rows = _check_all(np.frombuffer(records, TICK), feed)
    return [_event(row, index, instruments, feed, received_time_ns) for index, row in enumerate(rows)]


def _row(tick: Tick) -> Row:
    id, sequence, venue_ns, received_ns = tick.instrument.id, tick.sequence, tick.venue_time_ns, tick.received_time_ns
    match tick:
        case Quote():
            flags = _LAST | (_CROSSED if tick.bid >= tick.ask else 0)
            values = (tick.bid, tick.bid_size, tick.ask, tick.ask_size)
            return (id, _QUOTE, flags, 0, sequence, venue_ns, received_ns, *values)
        case Trade():
            flags = _LAST | (tick.aggressor or 0)
            return (id, _TRADE, flags, 0, sequence, venue_ns, received_ns, tick.price, tick.size, 0.0, 0.0)
        case _:
            assert_never(tick)


def _check(row: Row, index: int, feed: str) -> Row:
    a, b, c, d = row[7:]
    if not (isfinite(a) and isfinite(b) and isfinite(c) and isfinite(d)):
        raise BadTick(feed, index, f"a value is not finite ({a}, {b}, {c}, {d})")
    if b < 0 or d < 0:
        raise BadTick(feed, index, f"a size is negative ({b}, {d})")
    return row


def _check_all(ticks: Ticks, feed: str) -> list[Row]:
    wrong = (ticks["b"] < 0) | (ticks["d"] < 0)
    for name in "abcd":
        wrong |= ~np.isfinite(ticks[name])
    rows: list[Row] = ticks.tolist()
    if wrong.any():
        first = int(wrong.argmax())
        _check(rows[first], first, feed)
    return rows


def _event(row: Row, index: int, instruments: Mapping[int, Instrument], feed: str, received_time_ns: int) -> Tick:
    id, kind, flags, _, sequence, venue_time_ns, _, a, b, c, d = row
    instrument = instruments.get(id)
    if instrument is None:
        raise BadTick(feed, index, f"instrument {id} was never defined")
    if kind == _QUOTE:
        return Quote(feed, instrument, a, b, c, d, sequence, venue_time_ns, received_time_ns)
    if kind == _TRADE:
        return Trade(feed, instrument, a, b, _SIDES[flags & 3], sequence, venue_time_ns, received_time_ns)
    raise BadTick(feed, index, f"there is no kind {kind}")
