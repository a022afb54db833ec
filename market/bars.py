"""Bars from the trades of one instrument, one trade or a column of them at a time: by time, by number, by volume.

A bar is given out when a trade completes it, not when a clock strikes: what a bar holds depends on the trades alone.
Trades come one by one (`update`) or as rows (`update_ticks`, less than a tenth of the time); the bars are the same, up
to the rounding of their sums.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import isfinite
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt

from .errors import BadNumber
from .events import Bar, Trade
from .instruments import Instrument
from .ticks import OPAQUE, RECORD, TICK, VECTOR_ROWS, TickKind, Ticks

_TRADE = int(TickKind.TRADE)
_MOST_EMPTY = 100_000  # one trade with a wrong time must not fill the memory


class BarMaker(Protocol):
    """Makes the bars of one instrument on one feed."""

    def update(self, trade: Trade) -> Sequence[Bar]:
        """The bars that `trade` completes, oldest first: mostly none."""
        ...

    def update_ticks(self, ticks: Ticks, feed: str, instrument: Instrument) -> list[Bar]:
        """The bars that the trades of `instrument` among `ticks` of `feed` complete, oldest first."""
        ...

    def flush(self) -> Bar | None:
        """The bar that is not complete yet, which ends here; None without a trade in it."""
        ...


@attrs.define
class _Sum:
    """Trades summed up."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    notional: float
    trades: int
    first_ns: int  # by the exchange's clock
    last_ns: int
    received_ns: int  # the last one

    def join(self, later: "_Sum") -> None:
        self.high, self.low = max(self.high, later.high), min(self.low, later.low)
        self.close, self.received_ns = later.close, later.received_ns
        self.volume += later.volume
        self.notional += later.notional
        self.trades += later.trades
        self.first_ns, self.last_ns = min(self.first_ns, later.first_ns), max(self.last_ns, later.last_ns)


def _of_one(price: float, size: float, venue_ns: int, received_ns: int) -> _Sum:
    return _Sum(price, price, price, price, size, price * size, 1, venue_ns, venue_ns, received_ns)


def _of_rows(rows: Ticks, starts: npt.NDArray[np.intp]) -> list[_Sum]:
    """One for each run of `rows`: from a start until before the next one."""
    prices, sizes = np.ascontiguousarray(rows["a"]), np.ascontiguousarray(rows["b"])
    times, lasts = np.ascontiguousarray(rows["venue_time_ns"]), np.append(starts[1:], len(rows)) - 1
    with np.errstate(all="ignore"):  # floats of Python overflow in silence, too
        columns = (
            prices[starts], np.maximum.reduceat(prices, starts), np.minimum.reduceat(prices, starts), prices[lasts],
            np.add.reduceat(sizes, starts), np.add.reduceat(prices * sizes, starts), lasts - starts + 1,
            np.minimum.reduceat(times, starts), np.maximum.reduceat(times, starts), rows["received_time_ns"][lasts],
        )  # fmt: skip
    return [_Sum(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]


class _Bars(ABC):
    def __init__(self) -> None:
        self._feed: str | None = None
        self._instrument: Instrument | None = None
        self._sum: _Sum | None = None  # of the bar that is not complete

    def update(self, trade: Trade) -> Sequence[Bar]:
        """The bars that `trade` completes, oldest first: mostly none. Raises ValueError for another instrument's."""
        self._know(trade.feed, trade.instrument)
        return self._take(_of_one(trade.price, trade.size, trade.venue_time_ns, trade.received_time_ns))

    def update_ticks(self, ticks: Ticks, feed: str, instrument: Instrument) -> list[Bar]:
        """The bars that the trades of `instrument` among `ticks` of `feed` complete, oldest first.

        Rows of other kinds and instruments are passed over. Raises ValueError if `instrument` was another one before.
        """
        self._know(feed, instrument)
        if len(ticks) < VECTOR_ROWS:
            bars = list[Bar]()
            for id, kind, _, _, _, venue_ns, received_ns, a, b, _, _ in RECORD.iter_unpack(ticks.tobytes()):
                if kind == _TRADE and id == instrument.id:
                    bars += self._take(_of_one(a, b, venue_ns, received_ns))
            return bars
        chosen = (ticks["kind"] == _TRADE) & (ticks["instrument"] == instrument.id)
        rows = ticks if chosen.all() else ticks.view(OPAQUE)[chosen].view(TICK)
        return self._take_rows(rows) if len(rows) else []

    def flush(self) -> Bar | None:
        """The bar that is not complete yet, which ends here; None without a trade in it."""
        return self._close(self._sum.received_ns) if self._sum else None

    def _know(self, feed: str, instrument: Instrument) -> None:
        if self._instrument is None:
            self._feed, self._instrument = feed, instrument
        elif instrument != self._instrument or feed != self._feed:
            raise ValueError(
                f"these bars are of {self._feed}'s {self._instrument.name}; {feed}'s {instrument.name} needs its own"
            )

    def _join(self, trades: _Sum) -> None:
        if self._sum is None:
            self._sum = trades
        else:
            self._sum.join(trades)

    def _close(self, received_ns: int) -> Bar:
        total, self._sum = self._sum, None
        assert total is not None
        begin_ns, end_ns = self._bounds_ns(total)
        return self._bar(total, begin_ns, end_ns, received_ns)

    def _bar(self, total: _Sum, begin_ns: int, end_ns: int, received_ns: int) -> Bar:
        assert self._feed is not None
        assert self._instrument is not None
        return Bar(
            self._feed, self._instrument, total.open, total.high, total.low, total.close, total.volume, total.notional,
            total.trades, begin_ns, end_ns, received_ns,
        )  # fmt: skip

    @abstractmethod
    def _take(self, trade: _Sum) -> Sequence[Bar]: ...

    @abstractmethod
    def _take_rows(self, rows: Ticks) -> list[Bar]: ...

    @abstractmethod
    def _bounds_ns(self, total: _Sum) -> tuple[int, int]: ...


class TimeBars(_Bars):
    """A bar for each `interval_s` of the exchange's time, beginning at multiples of it since 1970 (UTC).

    It is complete, and received, when the first trade after it comes. An interval without trades has no bar, or with
    `fill` one of no volume at the last price (of 100,000 intervals at most: a longer pause is left empty). A trade
    that is older than the bar being made is left out and counted in `late`. What comes after `flush` in the same
    interval begins another bar of it. Raises `BadNumber` for an interval under 1 ns or over 1e9 s.
    """

    def __init__(self, interval_s: float, fill: bool = False) -> None:
        super().__init__()
        if not 1e-9 <= interval_s <= 1e9:
            raise BadNumber(interval_s, "is no interval: seconds, from a nanosecond to 1e9")
        self.late = 0
        self._interval_ns, self._fill = round(interval_s * 1e9), fill
        self._slot: int | None = None  # which interval the bar is of, counted from 1970
        self._last_price = 0.0

    def _take(self, trade: _Sum) -> Sequence[Bar]:
        slot = trade.first_ns // self._interval_ns
        if slot == self._slot:
            self._join(trade)
            return ()
        if self._slot is not None and slot < self._slot:
            self.late += 1
            return ()
        return self._begin(slot, trade, trade.received_ns)

    def _take_rows(self, rows: Ticks) -> list[Bar]:
        slots: npt.NDArray[np.int64] = rows["venue_time_ns"] // self._interval_ns
        least = slots[0] if self._slot is None else self._slot
        timely = slots >= np.maximum(np.maximum.accumulate(slots), least)
        if not timely.all():
            self.late += len(rows) - int(timely.sum())
            rows, slots = rows.view(OPAQUE)[timely].view(TICK), slots[timely]
            if not len(rows):
                return []
        starts = np.flatnonzero(np.concatenate(([True], slots[1:] != slots[:-1])))
        bars, heads = list[Bar](), zip(slots[starts].tolist(), rows["received_time_ns"][starts].tolist(), strict=True)
        for (slot, received_ns), trades in zip(heads, _of_rows(rows, starts), strict=True):
            if slot == self._slot:
                self._join(trades)
            else:
                bars += self._begin(slot, trades, received_ns)
        return bars

    def _begin(self, slot: int, trades: _Sum, received_ns: int) -> list[Bar]:
        """A later interval begins with `trades`: the bar before, and empty ones between."""
        bars, last = list[Bar](), self._slot
        if self._sum is not None:
            bars.append(self._close(received_ns))
        if self._fill and last is not None and slot - last - 1 <= _MOST_EMPTY:
            bars += [self._empty(between, received_ns) for between in range(last + 1, slot)]
        self._slot, self._sum = slot, trades
        return bars

    def _close(self, received_ns: int) -> Bar:
        bar = super()._close(received_ns)
        self._last_price = bar.close
        return bar

    def _empty(self, slot: int, received_ns: int) -> Bar:
        price, begin_ns = self._last_price, slot * self._interval_ns
        return self._bar(
            _Sum(price, price, price, price, 0.0, 0.0, 0, 0, 0, 0), begin_ns, begin_ns + self._interval_ns, received_ns
        )

    def _bounds_ns(self, total: _Sum) -> tuple[int, int]:
        assert self._slot is not None
        begin_ns = self._slot * self._interval_ns
        return begin_ns, begin_ns + self._interval_ns


class _FilledBars(_Bars):
    """Bars that are complete when enough has come: from the earliest trade's time to just after the latest one's."""

    def _take(self, trade: _Sum) -> Sequence[Bar]:
        self._join(trade)
        return (self._close(trade.received_ns),) if self._ends([trade.volume]) else ()

    def _take_rows(self, rows: Ticks) -> list[Bar]:
        ends, bars = self._ends(rows["b"].tolist()), list[Bar]()
        starts = [0, *ends[:-1]] if ends and ends[-1] == len(rows) else [0, *ends]
        for number, trades in enumerate(_of_rows(rows, np.array(starts, np.intp))):
            self._join(trades)
            if number < len(ends):
                bars.append(self._close(trades.received_ns))
        return bars

    def flush(self) -> Bar | None:
        """The bar that is not complete yet, which ends here; None without a trade in it."""
        self._forget()
        return super().flush()

    def _bounds_ns(self, total: _Sum) -> tuple[int, int]:
        return total.first_ns, total.last_ns + 1

    @abstractmethod
    def _ends(self, sizes: list[float]) -> list[int]:
        """After how many of these further trades bars are complete."""

    @abstractmethod
    def _forget(self) -> None: ...


class TickBars(_FilledBars):
    """A bar for every `count` trades. Raises `BadNumber` for fewer than one."""

    def __init__(self, count: int) -> None:
        super().__init__()
        if count < 1:
            raise BadNumber(count, "is no number of trades: 1 or more")
        self._count, self._missing = count, count

    def _ends(self, sizes: list[float]) -> list[int]:
        ends = list(range(self._missing, len(sizes) + 1, self._count))
        self._missing += len(ends) * self._count - len(sizes)
        return ends

    def _forget(self) -> None:
        self._missing = self._count


class VolumeBars(_FilledBars):
    """A bar whenever `volume` or more has been traded since the last one; the trade that reaches it belongs to it.

    So a bar's volume may be greater: a trade is one fact and is never split over bars, as in Lopez de Prado, "Advances
    in Financial Machine Learning" (2018), chapter 2.3, and ta4j's VolumeBarAggregator. (Splitting would give bars of
    equal volume, and as many from one trade as its size says.) Raises `BadNumber` for a volume that is not above 0.
    """

    def __init__(self, volume: float) -> None:
        super().__init__()
        if not (isfinite(volume) and volume > 0):
            raise BadNumber(volume, "is no volume: a number above 0")
        self._volume, self._filled = volume, 0.0

    def _ends(self, sizes: list[float]) -> list[int]:
        # One after the other, as a sum's last bit decides whether a bar is full.
        ends, filled, volume = list[int](), self._filled, self._volume
        for number, size in enumerate(sizes, 1):
            filled += size
            if filled >= volume:
                ends.append(number)
                filled = 0.0
        self._filled = filled
        return ends

    def _forget(self) -> None:
        self._filled = 0.0
