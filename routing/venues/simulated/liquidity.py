"""What the market shows of one instrument, and how much of it was taken here: nobody outside hears of our fills.

Levels come from book updates once there are any, else from the top of the quotes. What was taken of a level is gone
until the market's next word about it: a quote speaks of both its sides, an update of the levels in it, a snapshot of
all. Prices that are off the increments count as the nearest one, sizes as the whole increments in them.
"""

import math
from collections.abc import Iterator

from ticktree.market import BookUpdate, Instrument, Level, OrderBook, Side

_EXACT = 1 << 50  # below it a float tells a number of increments from the next, after a multiplication
_FIRST_LEVELS = 4

Top = tuple[float, float, float, float]
"""Bid, bid size, ask, ask size; a side that is empty has 0."""


class Market:
    """The displayed side of one instrument. Prices and sizes given and told are in increments."""

    __slots__ = ("_book", "_instrument", "_per_price", "_per_size", "_taken", "_top")

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._per_price, self._per_size = 1 / float(instrument.price_increment), 1 / float(instrument.size_increment)
        self._top: Top | None = None
        self._book: OrderBook | None = None
        self._taken: dict[tuple[Side, int], int] = {}

    # --- what the market says --------------------------------------------------------------------------------------

    @property
    def taken(self) -> bool:
        """Whether anything is gone until its next word."""
        return bool(self._taken)

    def on_top(self, top: Top) -> bool:
        """Its word about both best prices; not listened to where there is a book. Whether what was taken is back."""
        self._top = top
        if not self._taken or self._book is not None:
            return False
        self._taken = {}
        return True

    def on_book(self, update: BookUpdate) -> None:
        """Its word about some levels, or with a snapshot about all."""
        if self._book is None:
            self._book, self._taken = OrderBook(), {}
        self._book.apply(update)
        if self._taken:
            self._renew(update)

    def _renew(self, update: BookUpdate) -> None:
        if update.snapshot:
            self._taken = {}
        else:
            for side, levels in ((Side.BUY, update.bids), (Side.SELL, update.asks)):
                for price, _ in levels:
                    self._taken.pop((side, self.price_of(price)), None)

    # --- what it shows ---------------------------------------------------------------------------------------------

    @property
    def known(self) -> bool:
        """Whether it ever said anything."""
        return self._top is not None or self._book is not None

    @property
    def book_best(self) -> tuple[float, float]:
        """(bid, ask) of the book, for a quick look; 0 and infinity where there is none."""
        bid, ask = (None, None) if self._book is None else (self._book.bid, self._book.ask)
        return (0.0 if bid is None else bid[0]), (math.inf if ask is None else ask[0])

    def levels(self, side: Side) -> Iterator[tuple[int, int]]:
        """(price, what is left) of each displayed level of `side`, best first. Take of what it told last."""
        taken = self._taken
        for price, size in self._displayed(side):
            at = self.price_of(price)
            left = self.size_of(size) - (taken.get((side, at), 0) if taken else 0)
            if left > 0:
                yield at, left

    def displays(self, side: Side) -> bool:
        """Whether there is any price on that side, be it all taken."""
        return next(self._displayed(side), None) is not None

    def size_at(self, side: Side, price: int) -> int:
        """What is left at one price."""
        sign = 1 if side is Side.BUY else -1
        for at, left in self.levels(side):
            if sign * at <= sign * price:
                return left if at == price else 0
        return 0

    def _displayed(self, side: Side) -> Iterator[Level]:
        if self._book is not None:
            return _ladder(self._book, side)
        top = self._top
        if top is None:
            return iter(())
        level = top[:2] if side is Side.BUY else top[2:]
        return iter((level,) if level[0] > 0 else ())

    # --- what is taken ---------------------------------------------------------------------------------------------

    def take(self, side: Side, price: int, size: int) -> None:
        """So much of a level is gone until the market's next word about it."""
        self._taken[side, price] = self._taken.get((side, price), 0) + size

    # --- floats, for looking at, in increments ---------------------------------------------------------------------
    # Instrument's own take 9 us apiece, by exact fractions; these 0.2 us, and agree wherever a float can tell.

    def price_of(self, price: float) -> int:
        """The nearest number of price increments."""
        count = price * self._per_price
        return round(count) if abs(count) < _EXACT else self._instrument.nearest_price(price)

    def size_of(self, size: float) -> int:
        """How many whole size increments are in `size`."""
        count = size * self._per_size
        if count >= _EXACT:
            return self._instrument.whole_sizes(size)
        nearest = round(count)
        # Four roundings of 2**-53 each lie between the text of a whole number of increments and `count`.
        return nearest if abs(count - nearest) <= 4.5e-16 * nearest else math.floor(count)


def _ladder(book: OrderBook, side: Side) -> Iterator[Level]:
    """The levels of one side, best first; most who ask take few."""
    told, wanted = 0, _FIRST_LEVELS
    while True:
        levels = book.top(wanted)[side is Side.SELL]
        yield from levels[told:]
        if len(levels) < wanted:
            return
        told, wanted = wanted, wanted * 4
