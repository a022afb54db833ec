"""What is held, what it cost and what it earned, exactly, from executions alone: also from late and corrected ones.

Accounting is by average cost, in integers. With quantities in size increments and prices in price increments, and both
signed as bought (+) and sold (-):

    cash      = -sum(quantity x price)                 what all executions together brought in
    cost      what the open quantity cost, scaled by 1,000,000; signed as the quantity is
    realised  = cash + cost                            what is closed
    unrealised(price) = quantity x price - cost        what is open

so that realised + unrealised(price) = cash + quantity x price at any price, exactly: no fill is worth more or less by
how it is split. Opening adds quantity x price to the cost; closing takes cost x closed / open from it, rounded up at
the millionth of price increment x size increment (half to even took 300 ns longer), and all that is left of it with
the last of the quantity. A fill beyond zero closes what is there, and opens the rest at its own price.

Money is in the instrument's quote currency: increments x price increment x size increment x multiplier. Fees are in
theirs, stand apart from profit, and change no quantity, whichever currency they are in.
"""

from collections.abc import Hashable, Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal

import attrs

from ticktree.market import Instrument, Number, exact

SCALE = 1_000_000
EXACT = Context(prec=400, rounding=ROUND_HALF_EVEN, Emin=-9_999, Emax=9_999)  # more digits than any sum here has
AVERAGE = Context(prec=28, rounding=ROUND_HALF_EVEN)
ZERO = Decimal(0)

Key = Hashable
Entry = tuple[int, int, int, Decimal, str, str]  # sign, quantity, price, fee, its currency, venue


def quote_currency(instrument: Instrument) -> str:
    """What an instrument's prices are in: of BTC-USDT, USDT."""
    return instrument.name.partition("-")[2]


def notional_unit(instrument: Instrument) -> Decimal:
    """What one size increment is worth at a price of one price increment."""
    unit = EXACT.multiply(instrument.price_increment, instrument.size_increment)
    return EXACT.multiply(unit, instrument.multiplier)


@attrs.frozen
class Position:
    """What one strategy holds of one instrument, or all of them together (`strategy` is empty).

    quantity  size increments, negative when short        cash, cost  as above; `cost` is scaled by 1,000,000
    fills     executions that were not busted             bought, sold  size increments, over all of them
    opposed   strategies hold opposite sides, so that there is no average price
    """

    strategy: str
    instrument: Instrument
    quantity: int = 0
    cash: int = 0
    cost: int = 0
    fees: dict[str, Decimal] = attrs.field(factory=dict[str, Decimal])
    fills: int = 0
    bought: int = 0
    sold: int = 0
    opposed: bool = False

    def average_price(self) -> Decimal | None:
        """What one unit of the open quantity cost, to 28 digits; None when flat."""
        if not self.quantity or self.opposed:
            return None
        increments = AVERAGE.divide(Decimal(self.cost), Decimal(self.quantity * SCALE))
        return AVERAGE.multiply(increments, self.instrument.price_increment)

    def realised(self) -> Decimal:
        """Profit of what is closed, before fees."""
        return self._money(self.cash * SCALE + self.cost)

    def unrealised(self, price: Number) -> Decimal:
        """Profit of what is open, were it closed at `price`. Raises `BadNumber`."""
        return EXACT.subtract(self.value(price), self._money(self.cost))

    def value(self, price: Number) -> Decimal:
        """What is open, at `price`; negative when short. Raises `BadNumber`."""
        size = EXACT.multiply(Decimal(self.quantity), self.instrument.size_increment)
        return EXACT.multiply(EXACT.multiply(size, self.instrument.multiplier), exact(price))

    def _money(self, scaled: int) -> Decimal:
        return EXACT.multiply(EXACT.scaleb(Decimal(scaled), -6), notional_unit(self.instrument))

    @classmethod
    def summed(cls, instrument: Instrument, parts: Iterable["Position"]) -> "Position":
        """All of `parts`, positions of `instrument`, as one: each number is the sum of theirs."""
        parts, fees = tuple(parts), dict[str, Decimal]()
        for part in parts:
            add_fees(fees, part.fees)
        return cls(
            "", instrument, sum(part.quantity for part in parts), sum(part.cash for part in parts),
            sum(part.cost for part in parts), fees, sum(part.fills for part in parts),
            sum(part.bought for part in parts), sum(part.sold for part in parts),
            len({part.quantity > 0 for part in parts if part.quantity}) > 1,
        )  # fmt: skip


@attrs.define(eq=False)
class Account:
    """The executions of one strategy in one instrument, in the order they were booked, and what they come to.

    `stale`: the cost is to be worked out anew. Everything else is the same in any order, and always right.
    """

    strategy: str
    instrument: Instrument
    entries: dict[Key, Entry] = attrs.field(factory=dict[Key, Entry])
    quantity: int = 0
    cash: int = 0
    cost: int = 0
    fees: dict[str, Decimal] = attrs.field(factory=dict[str, Decimal])
    fills: int = 0
    bought: int = 0  # what was sold is this less the quantity
    stale: bool = False

    def add(self, signed: int, price: int) -> None:
        """The next execution, of a quantity other than 0."""
        self.cost = _next_cost(self.quantity, self.cost, signed, price)
        self.quantity += signed
        self.cash -= signed * price
        self.fills += 1
        if signed > 0:
            self.bought += signed

    def take_out(self, signed: int, price: int) -> None:
        """Undo one, at whatever place; the cost is then unknown."""
        self.stale = True
        self.quantity -= signed
        self.cash += signed * price
        self.fills -= 1
        if signed > 0:
            self.bought -= signed

    def settle(self) -> None:
        """Work the cost out anew, execution by execution: 200 ns each."""
        quantity = cost = 0
        for sign, size, price, *_ in self.entries.values():
            if size:
                cost = _next_cost(quantity, cost, sign * size, price)
                quantity += sign * size
        self.cost, self.stale = cost, False

    def position(self) -> Position:
        """As it is now."""
        if self.stale:
            self.settle()
        return Position(
            self.strategy, self.instrument, self.quantity, self.cash, self.cost,
            {currency: fee for currency, fee in self.fees.items() if fee}, self.fills, self.bought,
            self.bought - self.quantity,
        )  # fmt: skip


def _next_cost(quantity: int, cost: int, signed: int, price: int) -> int:
    """What the open quantity cost, after `signed` more at `price`."""
    if quantity == 0 or (quantity > 0) is (signed > 0):
        return cost + signed * price * SCALE
    left = quantity + signed
    if (left > 0) is (quantity > 0):
        return cost + cost * signed // quantity
    return left * price * SCALE


def add_fees(fees: dict[str, Decimal], more: dict[str, Decimal]) -> None:
    for currency, fee in more.items():
        fees[currency] = EXACT.add(fees.get(currency, ZERO), fee)
