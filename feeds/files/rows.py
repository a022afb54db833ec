"""From columns to ticks: what each row of a table says, as 64-byte records."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ticktree.actors.extras import library
from ticktree.market import TickFlag, Ticks
from ticktree.market.ticks import OPAQUE, TICK

from .cells import BadCell, Codes, Floats, Mask, numbers, times, whole_numbers, word_of, words
from .layouts import BOOK, QUOTE, TRADE, WORDS, Layout

_BUY, _SELL, _LAST = int(TickFlag.BUY), int(TickFlag.SELL), int(TickFlag.LAST)
_SNAPSHOT, _CROSSED = int(TickFlag.SNAPSHOT), int(TickFlag.CROSSED)
_TRADED = {"buy": _BUY, "sell": _SELL, "b": _BUY, "s": _SELL, "unknown": 0}
_LEVELS = {"bid": _BUY, "ask": _SELL, "buy": _BUY, "sell": _SELL, "b": _BUY, "s": _SELL, "a": _SELL}
_TRUTHS = {"true": 1, "false": 0, "1": 1, "0": 0, "t": 1, "f": 0}
_KINDS = {"trade": TRADE, "quote": QUOTE, "book": BOOK}


class Maker:
    """Makes ticks of tables with one `layout`. `id_of`: what an instrument's name stands for, -1 if it is left out;
    `id`: of all rows, where no column tells."""

    def __init__(self, layout: Layout, id_of: Callable[[str], int], id: int = -1) -> None:
        self._layout, self._id_of, self._id = layout, id_of, id
        self._put_of = {TRADE: self._put_trades, QUOTE: self._put_quotes, BOOK: self._put_levels}

    def ticks(self, table: Any) -> tuple[Ticks, Mask]:
        """Its rows, in which book updates do not end yet, and which of them are of instruments that are brought.

        Raises `BadCell`.
        """
        columns = self._layout.columns
        count: int = table.num_rows
        ticks: Ticks = np.zeros(count, TICK)
        self._put_times(table, ticks)
        if "sequence" in columns:
            ticks["sequence"] = whole_numbers(self._column(table, "sequence"), columns["sequence"])
        kinds = self._kinds(table)
        if kinds is None:
            (kind,) = self._layout.kinds
            ticks["kind"] = kind
            self._put(table, ticks, kind, None)
        else:
            ticks["kind"] = kinds
            for kind in np.unique(kinds).tolist():
                self._put(table, ticks, kind, kinds == kind)
        return ticks, self._put_ids(table, ticks)

    def _column(self, table: Any, role: str) -> Any:
        return table.column(self._layout.columns[role])

    def _put_times(self, table: Any, ticks: Ticks) -> None:
        layout = self._layout
        received = times(self._column(table, layout.received), layout.columns[layout.received])
        ticks["received_time_ns"] = received
        same = layout.venue == layout.received
        ticks["venue_time_ns"] = (
            received if same else times(self._column(table, layout.venue), layout.columns[layout.venue])
        )

    def _put_ids(self, table: Any, ticks: Ticks) -> Mask:
        if "instrument" not in self._layout.columns:
            ticks["instrument"] = self._id
            return np.ones(len(ticks), np.bool_)
        ids = words(self._column(table, "instrument"), self._id_or_why)
        kept: Mask = ids >= 0
        ticks["instrument"] = np.maximum(ids, 0)
        return kept

    def _id_or_why(self, name: str | None) -> int | str:
        return "its instrument is missing" if not name else self._id_of(name)

    def _kinds(self, table: Any) -> Codes | None:
        if "kind" not in self._layout.columns:
            return None
        kinds = words(self._column(table, "kind"), word_of(_KINDS, "kind"))
        for kind in np.unique(kinds).tolist():
            if kind not in self._layout.kinds:
                index = int((kinds == kind).argmax())
                raise BadCell(index, f"it is of {WORDS[kind]}, for which columns are missing in this file")
        return kinds

    # --- what each kind has ----------------------------------------------------------------------------------------

    def _put(self, table: Any, ticks: Ticks, kind: int, rows: Mask | None) -> None:
        """`rows`: which are of that kind; None: all."""
        if rows is not None:
            table = table.filter(library("pyarrow", "reading CSV and Parquet").array(rows))
        part = ticks if rows is None else ticks[rows]
        try:
            self._put_of[kind](table, part)
        except BadCell as error:
            if rows is not None:
                error.index = int(np.flatnonzero(rows)[error.index])
            raise
        if rows is not None:
            ticks[rows] = part

    def _put_trades(self, table: Any, ticks: Ticks) -> None:
        ticks["a"], ticks["b"] = self._needed(table, "price"), self._needed(table, "size")
        columns = self._layout.columns
        flags = np.full(len(ticks), _LAST, np.int64)
        if "side" in columns:
            flags |= words(self._column(table, "side"), self._traded)
        elif "maker" in columns:
            made = words(self._column(table, "maker"), word_of(_TRUTHS, columns["maker"]))
            flags |= np.where(made == 1, _SELL, _BUY)  # who buys and was there first was sold to
        ticks["flags"] = flags

    def _traded(self, word: str | None) -> int | str:
        if word is not None and word.strip().lower() in ("bid", "ask"):
            return f"side is {word!r}, as of a level of a book: a trade's is buy or sell, a book needs is_snapshot"
        return word_of(_TRADED, "side", missing=0)(word)

    def _put_quotes(self, table: Any, ticks: Ticks) -> None:
        for price, size, a, b in (("bid", "bid_size", "a", "b"), ("ask", "ask_size", "c", "d")):
            prices, no_price = numbers(self._column(table, price), price)
            sizes, no_size = numbers(self._column(table, size), size)
            for missing in (no_price, no_size):
                if missing is not None:  # that side is empty
                    prices, sizes = np.where(missing, 0.0, prices), np.where(missing, 0.0, sizes)
            ticks[a], ticks[b] = prices, sizes
        crossed = (ticks["c"] > 0) & (ticks["c"] <= ticks["a"])
        ticks["flags"] = np.where(crossed, _LAST | _CROSSED, _LAST)

    def _put_levels(self, table: Any, ticks: Ticks) -> None:
        ticks["a"], ticks["b"] = self._needed(table, "price"), self._needed(table, "size")
        flags = words(self._column(table, "side"), word_of(_LEVELS, "side"))
        snapshot = words(self._column(table, "snapshot"), word_of(_TRUTHS, self._layout.columns["snapshot"], 0))
        ticks["flags"] = np.where(snapshot == 1, flags | _SNAPSHOT, flags)

    def _needed(self, table: Any, role: str) -> Floats:
        values, missing = numbers(self._column(table, role), role)
        if missing is not None:
            raise BadCell(int(missing.argmax()), f"its {role} is missing")
        return values


def end_updates(ticks: Ticks) -> Ticks:
    """Have each book update end: rows of one instrument and time that are all of a snapshot or all not are one.

    `ticks` are whole instants. Where rows of several instruments are mixed within one, those of each are brought
    together, at the place of its first.
    """
    books = ticks["kind"] == BOOK
    if not books.any():
        return ticks
    ticks = _together(ticks, books)
    books = ticks["kind"] == BOOK
    snapshots = ticks["flags"] & _SNAPSHOT
    last = _changes(ticks["received_time_ns"], ticks["instrument"], books, snapshots)
    ticks["flags"] |= np.where(np.append(last, True), _LAST, 0).astype(np.uint8)  # all others have it
    return ticks


def _together(ticks: Ticks, books: Mask) -> Ticks:
    ids, stamps = ticks["instrument"], ticks["received_time_ns"]
    if books.all() and (ids == ids[0]).all():
        return ticks
    starts = np.append(0, np.flatnonzero(_changes(stamps, ids, books)) + 1)
    run_ids, run_times, run_books = ids[starts], stamps[starts], books[starts]
    order = np.lexsort((run_ids, run_times, run_books))
    again = (run_ids[order][1:] == run_ids[order][:-1]) & (run_times[order][1:] == run_times[order][:-1])
    again &= run_books[order][1:] & run_books[order][:-1]
    if not again.any():
        return ticks
    # Each run of an instrument that came before in the same instant goes to where that one is.
    firsts = np.where(np.append(False, again), 0, np.arange(len(order)))
    place = np.empty_like(order)
    place[order] = order[np.maximum.accumulate(firsts)]
    lengths = np.diff(np.append(starts, len(ticks)))
    together: Ticks = ticks.view(OPAQUE)[np.argsort(np.repeat(place, lengths), kind="stable")].view(TICK)
    return together


def _changes(*columns: Any) -> Mask:
    """Between which rows and the next any of `columns` changes."""
    changed: Mask = columns[0][1:] != columns[0][:-1]
    for column in columns[1:]:
        changed = changed | (column[1:] != column[:-1])
    return changed
