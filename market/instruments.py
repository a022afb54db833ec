"""What is traded: a name, and the increments that prices and sizes must be multiples of, exactly."""

import math
import re
from decimal import Context, Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

import attrs

from .errors import BadInstrument, BadNumber, OffIncrement

Number = Decimal | str | int | float

_NAME = re.compile(r"[A-Z0-9.]{1,24}-[A-Z0-9.]{1,24}")
_DIGITS = 30  # beyond, an exponent could make a number of a few characters fill the memory
_MOST = 1 << 63
_EXACT = Context(prec=100)  # 19 digits of a count and 60 of an increment multiply to fewer
MOST_IDS = 1 << 20  # ids index tables: so many entries at most


def exact(value: Number) -> Decimal:
    """`value` as it is written; a float by its shortest text. Raises `BadNumber`."""
    # A bool is an int.
    if isinstance(value, bool) or not isinstance(value, Decimal | str | int | float):  # pyright: ignore[reportUnnecessaryIsInstance]  # users check no types
        raise BadNumber(value, "is no number: use Decimal, str, int or float")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadNumber(value, "is not finite")
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise BadNumber(value, "is no decimal number") from None
    if not number.is_finite():
        raise BadNumber(value, "is not finite")
    if number and not -_DIGITS <= number.adjusted() <= _DIGITS:
        raise BadNumber(value, f"is beyond {_DIGITS} digits")
    return number


class TradingStatus(StrEnum):
    """Whether the exchange lets an instrument be traded."""

    TRADING = "trading"
    HALTED = "halted"  # for now
    CLOSED = "closed"  # for good, or not yet open


@attrs.frozen
class Instrument:
    """What is traded, as the exchange defines it.

    `name` is BASE-QUOTE. `id` names it within one session, so that two which differ in it alone are equal, and so are
    two that differ in `status`. `multiplier` is how much of BASE one unit of size is (1 on spot markets).
    """

    name: str
    id: int = attrs.field(eq=False)
    # Hashed by name alone: hashing Decimals takes ten times as long, and definitions of one name are few.
    price_increment: Decimal = attrs.field(hash=False)
    size_increment: Decimal = attrs.field(hash=False)
    min_notional: Decimal = attrs.field(default=Decimal(0), hash=False)
    multiplier: Decimal = attrs.field(default=Decimal(1), hash=False)
    status: TradingStatus = attrs.field(default=TradingStatus.TRADING, eq=False)

    def __attrs_post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadInstrument(f"an instrument is written BASE-QUOTE, as in BTC-USDT; not {self.name!r}")
        if not 0 <= self.id < MOST_IDS:
            raise BadInstrument(f"{self.name}: an id is a number from 0 to {MOST_IDS - 1:,}; not {self.id!r}")
        for value in (self.price_increment, self.size_increment, self.multiplier):
            if not _sensible(value) or value <= 0:
                raise BadInstrument(f"{self.name}: an increment or multiplier is a number above 0; not {value!r:.60}")
        if not _sensible(self.min_notional) or self.min_notional < 0:
            raise BadInstrument(f"{self.name}: a minimum notional is a number from 0 on; not {self.min_notional!r:.60}")

    def price_increments(self, price: Number) -> int:
        """`price` as a number of price increments. Raises `OffIncrement`, `BadNumber`."""
        if type(price) in _KEPT:
            return _price_increments(self, price)
        return _count(f"{self.name}: price", exact(price), self.price_increment)

    def size_increments(self, size: Number) -> int:
        """`size` as a number of size increments. Raises `OffIncrement`, `BadNumber`."""
        if type(size) in _KEPT:
            return _size_increments(self, size)
        return _count(f"{self.name}: size", exact(size), self.size_increment)

    def nearest_price(self, price: float) -> int:
        """`price`, a float for looking at, as the nearest number of price increments."""
        return round(Fraction(price) / Fraction(self.price_increment))

    def whole_sizes(self, size: float) -> int:
        """How many whole size increments are in `size`, a float for looking at."""
        return math.floor(Fraction(repr(size)) / Fraction(self.size_increment))

    def price(self, increments: int) -> Decimal:
        """What `increments` price increments are worth."""
        return increments * self.price_increment

    def size(self, increments: int) -> Decimal:
        """What `increments` size increments are worth."""
        return increments * self.size_increment


class InstrumentIds:
    """Who is who in one process: a small id for each instrument, so that columns of ids need no names.

    An exchange's own id is adopted when it is free, else a new one is given. The same definition keeps its id; a
    definition that changed (other increments) gets another one.
    """

    def __init__(self) -> None:
        self.by_id: dict[int, Instrument] = {}  # for reading
        self._by_definition: dict[Instrument, Instrument] = {}
        self._by_name: dict[str, list[int]] = {}
        self.end = 0  # all ids are below it
        self.changes = 0  # definitions that came, or whose status changed
        self._next = 0

    def adopt(self, instrument: Instrument) -> Instrument:
        """`instrument`, with the id it has in this process. Raises `BadInstrument` when there are 1,048,576 already."""
        known = self._by_definition.get(instrument)
        if known is None:
            known = instrument if instrument.id not in self.by_id else attrs.evolve(instrument, id=self._free())
            self._by_name.setdefault(known.name, []).append(known.id)
        elif known.status is not instrument.status:
            known = attrs.evolve(known, status=instrument.status)
        self.changes += self.by_id.get(known.id) is not known
        self.by_id[known.id] = self._by_definition[known] = known
        self.end = max(self.end, known.id + 1)
        return known

    def named(self, name: str) -> list[Instrument]:
        """All definitions that there are of that name, in the order they came."""
        return [self.by_id[id] for id in self._by_name.get(name, ())]

    def __len__(self) -> int:
        return len(self.by_id)

    def _free(self) -> int:
        while self._next in self.by_id:
            self._next += 1
        return self._next


def plain(value: Decimal) -> str:
    """`value` without exponent and needless zeros: 0.01, 64000."""
    return f"{value.normalize():f}"


def _sensible(value: Decimal) -> bool:
    """Whether it is finite, and neither longer, greater nor smaller than arithmetic with it can bear."""
    if not value.is_finite() or len(value.as_tuple().digits) > 2 * _DIGITS:
        return False
    return not value or -_DIGITS <= value.adjusted() <= _DIGITS


# Orders say the same prices and sizes again and again: 0.35 us, where to work one out takes 2.5.
_KEPT = frozenset({float, str})


@lru_cache(8_192, typed=True)
def _price_increments(instrument: Instrument, price: Number) -> int:
    return _count(f"{instrument.name}: price", exact(price), instrument.price_increment)


@lru_cache(8_192, typed=True)
def _size_increments(instrument: Instrument, size: Number) -> int:
    return _count(f"{instrument.name}: size", exact(size), instrument.size_increment)


def _count(what: str, value: Decimal, increment: Decimal) -> int:
    if increment.adjusted() - 18 < value.adjusted() < increment.adjusted() + 18:
        # The usual case, in 0.6 us instead of 4: multiplied back it is the same, with digits enough to be exact.
        count = int(_EXACT.divide(value, increment))
        if _EXACT.multiply(Decimal(count), increment) == value:
            return count
    return _count_in_full(what, value, increment)


def _count_in_full(what: str, value: Decimal, increment: Decimal) -> int:
    count = Fraction(value) / Fraction(increment)  # a Decimal quotient would be rounded
    below = math.floor(count)
    if abs(below) >= _MOST:
        raise BadNumber(value, f"is beyond 64 bits of increments of {increment:f}")
    if count != below:
        raise OffIncrement(what, value, increment, (below * increment, (below + 1) * increment))
    return below
