"""`[instruments.NAME]`."""

from typing import Annotated

from ..values import Amount
from .section import Section, eg


class Instrument(Section, frozen=True, kw_only=True):
    """What an instrument is, for data that do not say it themselves: tables that are back-tested.

    price_increment  what its prices are multiples of
    size_increment   what its sizes are multiples of
    min_notional     what an order comes to at least, in the quote currency
    multiplier       how much of BASE one unit of size is: 1 on spot markets
    """

    price_increment: Annotated[Amount, eg("0.01")]
    size_increment: Annotated[Amount, eg("0.0001")]
    min_notional: Annotated[Amount, eg("10")] = Amount("0")
    multiplier: Annotated[Amount, eg("50")] = Amount("1")
