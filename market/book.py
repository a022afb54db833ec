"""One order book, built from a snapshot and the changes after it; whose text can be kept, for checksums over it.

Sizes lie in a dict by price, and beside it the prices in a list whose END is the best, asks negated: most changes fall
close to the best (in recordings half of them within 8 levels, nine in ten within 40), so that little has to move for a
level that comes or goes. A change takes 0.5 us, over a sorted list that bisect keeps; sorting when somebody looks
takes 5 to 26 us a look, and a best that is only remembered takes a scan of the side whenever it goes.
"""

from bisect import bisect_left, insort

from .events import BookUpdate, Level, TextLevel
from .instruments import Instrument


class OrderBook:
    """What is bid and asked for one instrument, as far as the updates told.

    text     keep each level as the exchange wrote it; every update must then have `text`
    depth    levels a side that the exchange keeps up to date: worse ones are dropped, for it would never delete them
    dropped  (bids, asks): the prices of those that the last update made worse than that; empty if there are none
    len()    levels of both sides
    """

    __slots__ = ("_asks", "_bids", "_depth", "_last", "_text", "dropped")

    def __init__(self, text: bool = False, depth: int | None = None) -> None:
        if depth is not None and depth < 1:
            raise ValueError(f"depth is a number of levels a side from 1 on, or None for all; not {depth!r}")
        self._bids, self._asks = _Side(1.0), _Side(-1.0)
        self._text, self._depth = text, depth
        self._last: BookUpdate | None = None
        self.dropped: tuple[list[float], ...] = ()

    def apply(self, update: BookUpdate) -> None:
        """Take `update` in; a snapshot replaces all there is. Size 0 deletes; that the level is not there is nothing.

        Raises ValueError, and leaves the book as it was, when text is kept and `update` has not one for each level.
        """
        bids, asks = self._bids, self._asks
        if self._text:
            self._write(update)
        if update.snapshot:
            bids.replace(update.bids)
            asks.replace(update.asks)
        else:
            if update.bids:
                bids.change(update.bids)
            if update.asks:
                asks.change(update.asks)
        depth = self._depth
        if depth is not None:  # after the whole update, which may delete as many levels as it adds
            excess = len(bids.keys) > depth or len(asks.keys) > depth
            self.dropped = (bids.cut(depth), asks.cut(depth)) if excess else ()
        self._last = update

    def _write(self, update: BookUpdate) -> None:
        bids, asks = update.text or ((), ())
        if (len(bids), len(asks)) != (len(update.bids), len(update.asks)):
            raise ValueError(f"a book that keeps text needs it for each level; update {update.sequence} has it not")
        self._bids.write(update.bids, bids, update.snapshot)
        self._asks.write(update.asks, asks, update.snapshot)

    @property
    def sequence(self) -> int:
        """The exchange's number of the last update; 0 before the first."""
        return self._last.sequence if self._last else 0

    # --- the top ---------------------------------------------------------------------------------------------------

    @property
    def bid(self) -> Level | None:
        """(price, size) of the best bid."""
        side = self._bids
        return (price := side.keys[-1], side.sizes[price]) if side.keys else None

    @property
    def ask(self) -> Level | None:
        """(price, size) of the best ask."""
        side = self._asks
        return (price := -side.keys[-1], side.sizes[price]) if side.keys else None

    @property
    def spread(self) -> float | None:
        """From best bid to best ask, negative where they cross; None without one of them."""
        bid, ask = self.bid, self.ask
        return ask[0] - bid[0] if bid and ask else None

    @property
    def crossed(self) -> bool:
        """Whether the best bid reaches the best ask, which no healthy book shows."""
        bid, ask = self.bid, self.ask
        return bid is not None and ask is not None and bid[0] >= ask[0]

    @property
    def mid(self) -> float | None:
        """Half-way between best bid and best ask; None without one of them."""
        bid, ask = self.bid, self.ask
        return (bid[0] + ask[0]) / 2 if bid and ask else None

    @property
    def microprice(self) -> float | None:
        """The mean of best bid and ask, each weighted by the size of the OTHER: near the ask where much is bid.

        (bid x ask size + ask x bid size) / (bid size + ask size), as in Gatheral and Oomen, "Zero-intelligence
        realized variance estimation", Finance and Stochastics 14 (2010). None without one of them.
        """
        bid, ask = self.bid, self.ask
        return bid[0] + (ask[0] - bid[0]) * (bid[1] / (bid[1] + ask[1])) if bid and ask else None

    def imbalance(self, n: int = 1) -> float | None:
        """(bid size - ask size) / (bid size + ask size) over the best `n` levels a side: 1 where nothing is asked.

        As in Cartea, Jaimungal and Penalva, "Algorithmic and High-Frequency Trading" (2015), chapter 12. None for an
        empty book.
        """
        bids, asks = (sum(size for _, size in levels) for levels in self.top(n))
        return (bids - asks) / (bids + asks) if bids or asks else None

    # --- more of it ------------------------------------------------------------------------------------------------

    def top(self, n: int) -> tuple[list[Level], list[Level]]:
        """(bids, asks): the best `n` of each side or as many as there are, best first."""
        return self._bids.top(n), self._asks.top(n)

    def top_text(self, n: int) -> tuple[list[TextLevel], list[TextLevel]]:
        """`top(n)` as the exchange wrote it, which is what exchanges take checksums over.

        Raises ValueError where no text is kept.
        """
        if not self._text:
            raise ValueError("this book keeps no text: OrderBook(text=True) does")
        return self._bids.top_text(n), self._asks.top_text(n)

    def snapshot(self, feed: str, instrument: Instrument, received_time_ns: int) -> BookUpdate | None:
        """All levels, best first, as the update that tells them to somebody who comes late; None if there are none.

        Sequence, time and checksum are those of the last update; the text goes with it where it is kept.
        """
        count, last = len(self), self._last
        if last is None or not count:
            return None
        (bids, asks), text = self.top(count), None
        if self._text:
            bid_text, ask_text = self.top_text(count)
            text = (tuple(bid_text), tuple(ask_text))
        return BookUpdate(
            feed, instrument, tuple(bids), tuple(asks), True, last.sequence, last.sequence, last.venue_time_ns,
            received_time_ns, self.crossed, text, last.checksum,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self._bids.keys) + len(self._asks.keys)

    def __repr__(self) -> str:
        return f"<OrderBook {self.bid} {self.ask}: {len(self)} levels, sequence {self.sequence}>"


class _Side:
    """One side. A level's key is its price times `sign`, which makes the best the greatest and the last."""

    __slots__ = ("keys", "sign", "sizes", "text")

    def __init__(self, sign: float) -> None:
        self.sign = sign
        self.keys: list[float] = []
        self.sizes: dict[float, float] = {}  # by price, as is `text`
        self.text: dict[float, TextLevel] = {}

    def change(self, levels: tuple[Level, ...]) -> None:
        keys, sizes, sign = self.keys, self.sizes, self.sign
        for price, size in levels:
            if size:
                if price not in sizes:
                    insort(keys, sign * price)
                sizes[price] = size
            elif sizes.pop(price, None) is not None:
                del keys[bisect_left(keys, sign * price)]

    def replace(self, levels: tuple[Level, ...]) -> None:
        last = dict(levels)  # of a price that comes twice
        self.sizes = {price: size for price, size in last.items() if size}
        self.keys = sorted([self.sign * price for price in self.sizes])

    def write(self, levels: tuple[Level, ...], text: tuple[TextLevel, ...], anew: bool) -> None:
        if anew:
            self.text = {}
        for (price, size), written in zip(levels, text, strict=True):
            if size:
                self.text[price] = written
            else:
                self.text.pop(price, None)

    def cut(self, depth: int) -> list[float]:
        excess = max(0, len(self.keys) - depth)
        gone = [self.sign * key for key in self.keys[:excess]]
        for price in gone:
            del self.sizes[price]
            self.text.pop(price, None)
        del self.keys[:excess]
        return gone

    def top(self, n: int) -> list[Level]:
        return [(price, self.sizes[price]) for price in self._prices(n)]

    def top_text(self, n: int) -> list[TextLevel]:
        return [self.text[price] for price in self._prices(n)]

    def _prices(self, n: int) -> list[float]:
        if n < 0:
            raise ValueError(f"a number of levels is 0 or more; not {n!r}")
        return [self.sign * key for key in self.keys[: -n - 1 : -1]]
