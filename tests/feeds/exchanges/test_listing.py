"""What an exchange lists, as instruments."""

from decimal import Decimal

import attrs
import pytest

from ticktree.feeds.exchanges.listing import defined
from ticktree.market import BadInstrument, Instrument


@attrs.frozen
class Entry:
    """Listed with a price increment, which may be one that cannot be."""

    name: str
    increment: str = "1"

    def instrument(self) -> Instrument:
        return Instrument(self.name, 0, Decimal(self.increment), Decimal(1))


def test_what_can_be_an_instrument_is_one_in_the_order_of_the_list() -> None:
    found = defined([Entry("B-C"), Entry("A-C", "0"), Entry("A-B", "0.5")], {"A-B"})
    assert [(each.name, each.price_increment) for each in found] == [("B-C", Decimal(1)), ("A-B", Decimal("0.5"))]


def test_what_cannot_be_one_is_told_to_who_wants_it() -> None:
    with pytest.raises(BadInstrument, match="A-C"):
        list(defined([Entry("B-C"), Entry("A-C", "0")], {"A-C"}))
