"""How market data conflates in a mailbox that cannot keep up: message by message, or a whole batch by its columns."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from . import ticks as columns
from .batch import Batch
from .events import Data, Quote
from .ticks import OPAQUE, TICK, TickKind

_QUOTE, _BOOK = int(TickKind.QUOTE), int(TickKind.BOOK)


class LatestQuote:
    """One slot a feed and instrument: a newer quote takes the place of the older. Nothing else conflates."""

    def key(self, message: Any) -> Hashable | None:
        """The slot of a quote; None for everything else."""
        return (message.feed, message.instrument.name) if type(message) is Quote else None

    def merge(self, older: Any, newer: Any) -> tuple[Any, int]:
        """The newer one; it weighs one tick."""
        return newer, 1


latest_quote = LatestQuote()


def has_quotes(batch: Batch) -> bool:
    """Whether anything of it conflates."""
    if batch.columnar:
        return _QUOTE in batch.ticks["kind"].tobytes()
    return Quote in map(type, batch.events)


def latest_quotes(batch: Batch) -> tuple[Sequence[Data], Sequence[int]] | None:
    """What `latest_quote` leaves of columns: the last quote of each instrument at the place of its first, and all else
    as it is; and how many were merged into each. None where there are books: their rows stay together.

    30 us, 10 ns a row and 0.5 us an event that is left; to make each and merge it takes 1.5 us.
    """
    ticks = batch.ticks
    kinds = ticks["kind"].tobytes()
    if _BOOK in kinds:
        return None
    at, end, numbers = batch.places, columns.STRIDE * batch.instruments.end, np.arange(len(ticks))
    quotes = numbers if kinds.count(_QUOTE) == len(ticks) else np.flatnonzero(ticks["kind"] == _QUOTE)
    streams = at if len(quotes) == len(ticks) else at[quotes]
    slots = np.empty(end, np.intp)  # by place; only what is written below is ever read
    slots[streams] = quotes  # of those at one place the last stays
    last = quotes[slots.take(streams) == quotes]
    slots[at[last]] = np.arange(len(last))
    of = slots.take(streams)  # which of `last` each quote is merged into
    first = np.empty(len(last), np.intp)
    first[of[::-1]] = quotes[::-1]
    merged = np.bincount(of, minlength=len(last)) - 1
    rows, places = last, first
    if len(quotes) < len(ticks):
        others = np.flatnonzero(ticks["kind"] != _QUOTE)
        rows, places = np.concatenate((last, others)), np.concatenate((first, others))
        merged = np.concatenate((merged, np.zeros(len(others), merged.dtype)))
    order = np.argsort(places)
    left = ticks.view(OPAQUE)[rows[order]].view(TICK)
    return columns.events(left, batch.instruments.by_id, batch.feed), merged[order].tolist()
