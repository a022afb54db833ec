"""What may be risked: values, as a configuration writes them, and what they are for one instrument, in increments."""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

import attrs

from ticktree.market import BadNumber, Instrument, Number, exact

from ..accounts import notional_unit, quote_currency
from ..errors import BadLimit

ANY = "*"
# What prices and sizes come to is compared in whole units of 10^-60 of a currency, so exactly.
DIGITS = 60

_INSTRUMENT = re.compile(r"\*|[A-Z0-9.]{1,24}-[A-Z0-9.]{1,24}")
_CURRENCY = re.compile(r"[A-Z0-9.]{1,24}")


class SelfTrade(StrEnum):
    """What to do about an order that would trade with another one of the same account."""

    REFUSE = "refuse"
    CANCEL_RESTING = "cancel_resting"
    ALLOW = "allow"


def _positive(what: str, value: Any) -> Decimal:
    try:
        number = exact(value)
    except BadNumber as error:
        raise BadLimit(f"{what}: {error}") from None
    if number <= 0:
        raise BadLimit(f"{what} is a number above 0; not {value}. Leave it out where there is no limit")
    return number


def _table(name: str, keys: re.Pattern[str], example: str) -> Callable[[Any], dict[str, Decimal]]:
    def convert(table: Any) -> dict[str, Decimal]:
        if not isinstance(table, Mapping):
            raise BadLimit(f"risk.{name} is a table, as in {{ {example} }}; not {table!r}")
        items: dict[Any, Any] = dict(table)  # pyright: ignore[reportUnknownArgumentType]  # of whatever
        for key in items:
            if not isinstance(key, str) or not keys.fullmatch(key):
                raise BadLimit(f"risk.{name} is a table, as in {{ {example} }}; {key!r} does not belong there")
        return {key: _positive(f"risk.{name}.{key}", number) for key, number in items.items()}

    return convert


def _number(name: str) -> Callable[[Any], Decimal | None]:
    return lambda value: None if value is None else _positive(f"risk.{name}", value)


def _whole(value: Any) -> int | None:
    number = _number("max_orders_per_s")(value)
    if number is not None and number != int(number):
        raise BadLimit(f"risk.max_orders_per_s is a whole number; not {value}")
    return None if number is None else int(number)


def _fraction(value: Any) -> Decimal | None:
    number = _number("price_collar")(value)
    if number is not None and number >= 1:
        raise BadLimit(f"risk.price_collar is a fraction below 1, as in 0.05 for 5 %; not {value}")
    return number


def _seconds(value: Any) -> float | None:
    number = _number("max_price_age_s")(value)
    return None if number is None else float(number)


def _self_trade(value: Any) -> SelfTrade:
    try:
        return SelfTrade(value)
    except ValueError:
        raise BadLimit(f"risk.self_trade is {', '.join(SelfTrade)}; not {value!r}") from None


def _per_instrument(name: str) -> Any:
    return attrs.field(factory=dict[str, Decimal], converter=_table(name, _INSTRUMENT, '"BTC-USDT" = 2, "*" = 1'))


def _per_currency(name: str) -> Any:
    return attrs.field(factory=dict[str, Decimal], converter=_table(name, _CURRENCY, "USDT = 10000"))


@attrs.frozen
class Limits:
    """What is left out is not limited; only `self_trade` has a default of its own. Raises `BadLimit`.

    max_order_size     by instrument, or "*" for all others: how much one order may be of
    max_order_notional by quote currency: what one order may come to
    max_position       by instrument, or "*": how long or short all strategies together may become, once everything
                       that is open is filled
    max_open_exposure  by quote currency: the sum over instruments of the worse of |position + open buys| and
                       |position - open sells|, at the middle of the freshest quote
    max_orders_per_s   legs and replaces that are sent within a second, over all venues; cancels always go out
    price_collar       how far through the freshest quote a price may be: with 0.05 a buy at most 5 % above its ask, a
                       sell at most 5 % below its bid. Orders at the market need a quote then
    max_price_age_s    how old a quote may be by which anything is judged; with it, orders at the market need one
    self_trade         an order that would meet one of our own at the same venue is refused, or has that one canceled
    """

    max_order_size: Mapping[str, Number] = _per_instrument("max_order_size")
    max_order_notional: Mapping[str, Number] = _per_currency("max_order_notional")
    max_position: Mapping[str, Number] = _per_instrument("max_position")
    max_open_exposure: Mapping[str, Number] = _per_currency("max_open_exposure")
    max_orders_per_s: int | None = attrs.field(default=None, converter=_whole)
    price_collar: Number | None = attrs.field(default=None, converter=_fraction)
    max_price_age_s: float | None = attrs.field(default=None, converter=_seconds)
    self_trade: SelfTrade = attrs.field(default=SelfTrade.REFUSE, converter=_self_trade)


NEVER = 1 << 200  # more increments than there can be


@attrs.frozen
class Bound:
    """One limit: its name in the configuration, its value, and the same as an integer."""

    name: str
    value: Decimal
    most: int


NONE = Bound("", Decimal(0), NEVER)


@attrs.frozen(eq=False)
class Bounds:
    """All limits of one instrument. `unit`: 10^-60 of its quote currency that a size increment at a price of one price
    increment is worth; what is smaller still is rounded up."""

    instrument: Instrument
    currency: str
    size: Bound  # size increments
    position: Bound  # size increments
    notional: Bound  # size increments x price increments
    exposure: Bound  # 10^-60 of the currency
    unit: int
    tick: float  # the price increment

    @classmethod
    def of(cls, instrument: Instrument, limits: Limits) -> "Bounds":
        """Those of `instrument`, rounded down to whole increments."""
        currency, unit = quote_currency(instrument), Fraction(notional_unit(instrument))
        size = Fraction(instrument.size_increment)
        return cls(
            instrument, currency,
            _bound("max_order_size", limits.max_order_size, size, instrument.name, ANY),
            _bound("max_position", limits.max_position, size, instrument.name, ANY),
            _bound("max_order_notional", limits.max_order_notional, unit, currency),
            _bound("max_open_exposure", limits.max_open_exposure, Fraction(1, 10**DIGITS), currency),
            math.ceil(unit * 10**DIGITS), float(instrument.price_increment),
        )  # fmt: skip


def _bound(name: str, table: Mapping[str, Number], unit: Fraction, *keys: str) -> Bound:
    for key in keys:
        if key in table:
            value = exact(table[key])
            return Bound(f"risk.{name}.{key}", value, math.floor(Fraction(value) / unit))
    return NONE
