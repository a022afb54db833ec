"""What is traded: a name, and the increments that prices and sizes must be multiples of, exactly."""

import math
import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction

import attrs

from .errors import BadInstrument, BadNumber, OffIncrement

Number = Decimal | str | int | float

_NAME = re.compile(r"[A-Z0-9.]{1,24}-[A-Z0-9.]{1,24}")
_DIGITS = 30  # beyond, an exponent could make a number of a few characters fill the memory
_MOST = 1 << 63


def exact(value: Number) -> Decimal:
    """`value` as it is written; a float by its shortest text. Raises `BadNumber`."""
    # Users need not check types, and a bool is an int.
    if isinstance(value, bool) or not isinstance(value, Decimal | str | int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
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


@attrs.frozen(cache_hash=True)
class Instrument:
    """`name` is BASE-QUOTE. `id` names it within one session, so that two which differ in it alone are equal."""

    name: str
    id: int = attrs.field(eq=False)
    price_increment: Decimal
    size_increment: Decimal

    def __attrs_post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadInstrument(f"an instrument is written BASE-QUOTE, as in BTC-USDT; not {self.name!r}")
        if not 0 <= self.id < 1 << 32:
            raise BadInstrument(f"{self.name}: an id has 32 bits; not {self.id!r}")
        for value in (self.price_increment, self.size_increment):
            if not value.is_finite() or value <= 0 or not -_DIGITS <= value.adjusted() <= _DIGITS:
                raise BadInstrument(f"{self.name}: an increment is a number above 0; not {value!r}")

    def price_increments(self, price: Number) -> int:
        """`price` as a number of price increments. Raises `OffIncrement`, `BadNumber`."""
        return _count(f"{self.name}: price", exact(price), self.price_increment)

    def size_increments(self, size: Number) -> int:
        """`size` as a number of size increments. Raises `OffIncrement`, `BadNumber`."""
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


def plain(value: Decimal) -> str:
    """`value` without exponent and needless zeros: 0.01, 64000."""
    return f"{value.normalize():f}"


def _count(what: str, value: Decimal, increment: Decimal) -> int:
    count = Fraction(value) / Fraction(increment)  # a Decimal quotient would be rounded to 28 digits
    below = math.floor(count)
    if abs(below) >= _MOST:
        raise BadNumber(value, f"is beyond 64 bits of increments of {increment:f}")
    if count != below:
        raise OffIncrement(what, value, increment, (below * increment, (below + 1) * increment))
    return below
