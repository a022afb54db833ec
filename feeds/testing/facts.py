"""What happens on the made-up market of the kit: numbered facts, which the author writes as his exchange does.

Prices and sizes are texts, exact multiples of the instrument's increments. The book is a function of its number alone,
so that the kit knows what is right without having kept a book.
"""

from decimal import Decimal

import attrs

from ticktree.market import Instrument, Side

TextLevels = tuple[tuple[str, str], ...]  # price, size; in an update size "0" takes the level away
Levels = dict[float, float]

TIME_MS = 1_700_000_000_000
_LEVELS = 5  # a side; beyond them one comes and goes
_PRICE = 10_000  # increments, of the first ask


@attrs.frozen
class TradeFact:
    """Trade `number`, counted from 1."""

    instrument: Instrument
    number: int
    price: str
    size: str
    aggressor: Side
    time_ms: int


@attrs.frozen
class QuoteFact:
    """Best prices, for the time `number`, counted from 1."""

    instrument: Instrument
    number: int
    bid: str
    bid_size: str
    ask: str
    ask_size: str
    time_ms: int


@attrs.frozen
class BookFact:
    """The whole book with its updates 1 to `number` in it, best levels first."""

    instrument: Instrument
    number: int
    bids: TextLevels
    asks: TextLevels
    time_ms: int

    @property
    def levels(self) -> tuple[Levels, Levels]:
        """Bids and asks, as floats."""
        return _floats(self.bids), _floats(self.asks)


@attrs.frozen
class UpdateFact:
    """Update `number` of the book: the levels that it changes. `book` is the whole of it afterwards."""

    instrument: Instrument
    number: int
    bids: TextLevels
    asks: TextLevels
    time_ms: int
    book: BookFact


Fact = TradeFact | QuoteFact | BookFact | UpdateFact


@attrs.frozen
class Market:
    """What is true of `instrument`, by number."""

    instrument: Instrument

    def trade(self, number: int) -> TradeFact:
        """Trade `number`."""
        price, size = self._price(number % 7), self._size(number)
        side = Side.BUY if number % 2 else Side.SELL
        return TradeFact(self.instrument, number, price, size, side, TIME_MS + number)

    def quote(self, number: int) -> QuoteFact:
        """Quote `number`."""
        bid, ask = self._price(-1 - number % 3), self._price(number % 3)
        return QuoteFact(self.instrument, number, bid, self._size(number), ask, self._size(7), TIME_MS + number)

    def book(self, number: int) -> BookFact:
        """The book as of update `number`."""
        bids = tuple((self._price(-1 - level), self._size(_last(level, number))) for level in range(_LEVELS))
        asks = tuple((self._price(level), self._size(_last(level, number))) for level in range(_LEVELS))
        if number and number % 2 == 0:
            bids += ((self._price(-1 - _LEVELS), self._size(number)),)
        return BookFact(self.instrument, number, bids, asks, TIME_MS + number)

    def update(self, number: int) -> UpdateFact:
        """Update `number`: a level on either side; and one more bid comes with even numbers, and goes with odd ones."""
        level, size = number % _LEVELS, self._size(number)
        bids: TextLevels = ((self._price(-1 - level), size),)
        if number > 1:
            bids += ((self._price(-1 - _LEVELS), "0" if number % 2 else size),)
        asks = ((self._price(level), size),)
        return UpdateFact(self.instrument, number, bids, asks, TIME_MS + number, self.book(number))

    def _price(self, above: int) -> str:
        return f"{(_PRICE + above) * self.instrument.price_increment:f}"

    def _size(self, number: int) -> str:
        return f"{(100 + number) * self.instrument.size_increment:f}"


def stranger(instrument: Instrument) -> Instrument:
    """One of the same increments that nobody has heard of."""
    return attrs.evolve(instrument, name="NOBODY-KNOWS", id=instrument.id + 77_777)


def _last(level: int, number: int) -> int:
    """The last update up to `number` that changed `level`; 0 for none."""
    return max(0, number - (number - level) % _LEVELS)


def _floats(levels: TextLevels) -> Levels:
    return {float(price): float(size) for price, size in levels if Decimal(size)}
