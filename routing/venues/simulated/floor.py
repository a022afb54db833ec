"""All that is listed at a simulated venue, and what the market says of it: as events, or as the rows of columns.

No object is made of a row. Of rows that no resting order can meet only the last quote of each instrument counts, so
that a batch is walked from one row that may meet an order to the next. What comes of it is what comes of its events.
While nothing rests, and nothing was taken of what is displayed, no row counts: what the market said last can then be
looked up when somebody asks.
"""

from collections.abc import Callable, Mapping

import numpy as np

from ticktree.market import (
    Batch,
    BookUpdate,
    Instrument,
    Quote,
    Side,
    TickFlag,
    TickKind,
    Ticks,
    Trade,
    ticks as columns,
)
from ticktree.market.batch import last_rows
from ticktree.market.ticks import OPAQUE, RECORD, VECTOR_ROWS, Row

from .listing import Filled, Listing, Reach

_TRADE, _QUOTE, _BOOK = int(TickKind.TRADE), int(TickKind.QUOTE), int(TickKind.BOOK)
_LAST = int(TickFlag.LAST)
_SIDES = (None, Side.BUY, Side.SELL, None)
_FEW = 8  # rows one by one cost less than to find the last among them
_NARROW = 256  # rows that are looked over at once after an order was met, for the next one may soon be


class Floor:
    """`outdated` cancels the orders of a listing, `at` is told what time it is, `speak` lets reports out.

    `last`: where the market's last quote of an instrument can be looked up, so that it need be told only while
    `listens()`; None: all is told.
    """

    __slots__ = ("_at", "_filled", "_outdated", "_reaches", "_speak", "last", "listings")

    def __init__(
        self, filled: Filled, outdated: Callable[[Listing], None], at: Callable[[int], None], speak: Callable[[], None]
    ) -> None:
        self.listings: dict[str, Listing] = {}
        self._reaches: dict[str, Reach] = {}  # of the listings by name that must hear of the market
        self.last: Callable[[str], Quote | None] | None = None
        self._filled, self._outdated, self._at, self._speak = filled, outdated, at, speak

    def defined(self, instrument: Instrument) -> Listing:
        """The market defines an instrument, or defines it anew: what increments mean may be different from now on."""
        listing = self.listings.get(instrument.name)
        if listing is not None and listing.instrument == instrument:
            listing.instrument = instrument  # its status may be different
            return listing
        made = Listing(instrument, self._filled, self._reaches)
        if listing is not None:
            self._outdated(listing)
        self.listings[instrument.name] = made
        if listing is not None:
            self._speak()
        return made

    def _listing(self, instrument: Instrument) -> Listing:
        listing = self.listings.get(instrument.name)
        return listing if listing is not None and listing.instrument is instrument else self.defined(instrument)

    def listens(self) -> bool:
        """Whether the market must be told."""
        return self.last is None or bool(self._reaches)

    def known(self, name: str) -> Listing | None:
        """The listing of that name, as the market stands; None where nothing was ever said of it."""
        # One that hears of the market knows its last word; and were it told twice, what was taken would be there again.
        # Whoever asks within a batch, of one that nothing rests in, is answered as at the batch's end.
        if self.last is not None and name not in self._reaches and (quote := self.last(name)) is not None:
            self.on_quote(quote)
        return self.listings.get(name)

    # --- events ----------------------------------------------------------------------------------------------------

    def on_quote(self, quote: Quote) -> None:
        """The best prices of one instrument."""
        listing = self._listing(quote.instrument)
        if listing.on_top((quote.bid, quote.bid_size, quote.ask, quote.ask_size)):
            self._reached(listing, quote.received_time_ns)

    def on_book(self, update: BookUpdate) -> None:
        """Levels of one instrument."""
        listing = self._listing(update.instrument)
        if listing.on_book(update):
            self._reached(listing, update.received_time_ns)

    def on_trade(self, trade: Trade) -> None:
        """A trade of the market."""
        listing = self._listing(trade.instrument)
        if listing.on_trade(trade.price):
            self._printed(listing, trade.received_time_ns, (trade.price, trade.size, trade.aggressor))

    def _reached(self, listing: Listing, time_ns: int) -> None:
        self._at(time_ns)
        listing.reached()
        self._speak()

    def _printed(self, listing: Listing, time_ns: int, trade: tuple[float, float, Side | None]) -> None:
        self._at(time_ns)
        listing.printed(*trade)
        self._speak()

    # --- rows ------------------------------------------------------------------------------------------------------

    def on_rows(self, batch: Batch) -> None:
        """A columnar batch."""
        if len(batch) < VECTOR_ROWS:
            self._each(batch)
        elif not self._reaches:
            # Nobody hears anything meanwhile, so that it may be begun with, and then left to the rows one by one.
            if not self._pass(batch.made(last_rows), batch.instruments.by_id):
                self._each(batch)
        elif (ids := self._known(batch)) is not None:
            self._walk(batch, ids)
        else:
            self._each(batch)

    def _pass(self, last: list[Row], instruments: Mapping[int, Instrument]) -> bool:
        """Rows that meet nobody, of which these are the last ones; False where an instrument is new, or a book told."""
        listings = self.listings
        for id, kind, _, _, _, _, _, bid, bid_size, ask, ask_size in last:
            instrument = instruments[id]
            listing = listings.get(instrument.name)
            if listing is None or listing.instrument is not instrument or kind == _BOOK:
                return False
            if kind == _QUOTE:
                listing.market.on_top((bid, bid_size, ask, ask_size))
        return True

    def _known(self, batch: Batch) -> dict[str, int] | None:
        """The ids of the instruments in a batch, by name, if all are listed as they are, and nobody tells a book."""
        instruments, ids = batch.instruments.by_id, dict[str, int]()
        for id, kind, *_ in batch.made(last_rows):
            instrument = instruments[id]
            listing = self.listings.get(instrument.name)
            if listing is None or listing.instrument is not instrument or kind == _BOOK:
                return None
            ids[instrument.name] = id
        return ids

    def _each(self, batch: Batch) -> None:
        """All rows, one by one."""
        ticks, instruments, began = batch.ticks, batch.instruments.by_id, 0
        for number, row in enumerate(RECORD.iter_unpack(ticks.tobytes()), 1):
            if row[1] != _BOOK:
                self._row(row, instruments)
                began = number
            elif row[2] & _LAST:
                for update in columns.events(ticks[began:number], instruments, batch.feed):
                    assert isinstance(update, BookUpdate)
                    self.on_book(update)
                began = number

    def _row(self, row: Row, instruments: Mapping[int, Instrument]) -> None:
        """A quote or a trade."""
        id, kind, flags, _, _, _, time_ns, a, b, c, d = row
        listing = self._listing(instruments[id])
        if kind == _QUOTE:
            if listing.on_top((a, b, c, d)):
                self._reached(listing, time_ns)
        elif listing.on_trade(a):
            self._printed(listing, time_ns, (a, b, _SIDES[flags & 3]))

    def _walk(self, batch: Batch, ids: Mapping[str, int]) -> None:
        """From one row to the next that may meet an order, as reaches are at the time: they change with each fill,
        and with each order that answers one."""
        ticks, instruments = batch.ticks, batch.instruments.by_id
        records = ticks.view(OPAQUE).data
        at, stop, window = 0, len(ticks), len(ticks)
        while at < stop:
            reaches, end = self._reaches.copy(), min(at + window, stop)
            here = [(ids[name], reach) for name, reach in reaches.items() if name in ids]
            for number in _meeting(ticks[at:end], at, here):
                if number - at > _FEW:
                    self._pass_over(batch, at, number)
                    at = number
                while at <= number:
                    self._row(RECORD.unpack_from(records, at * RECORD.size), instruments)
                    at += 1
                if self._reaches != reaches:
                    window = _NARROW
                    break
            else:
                self._pass_over(batch, at, end)
                at, window = end, 4 * window

    def _pass_over(self, batch: Batch, begin: int, end: int) -> None:
        """Rows of a batch that meet nobody."""
        if end - begin == len(batch):
            last = batch.made(last_rows)
        else:
            last = columns.last_rows(batch.ticks[begin:end], batch.places[begin:end], batch.instruments.end)
        for row in last:
            self._row(row, batch.instruments.by_id)


def _meeting(ticks: Ticks, first: int, reaches: list[tuple[int, Reach]]) -> list[int]:
    """The numbers of the rows, of which that of the first is `first`, that may meet an order: by the same comparisons
    as `Listing`'s."""
    found = list[int]()
    instruments = ticks["instrument"]
    for id, (highest_ask, lowest_bid) in reaches:
        rows = np.flatnonzero(instruments == id)
        kinds, bids, asks = ticks["kind"][rows], ticks["a"][rows], ticks["c"][rows]
        below = np.where(kinds == _QUOTE, (asks > 0) & (asks < highest_ask), bids < highest_ask)
        found += (rows[below | (bids > lowest_bid)] + first).tolist()
    return sorted(found) if len(reaches) > 1 else found
