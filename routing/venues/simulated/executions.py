"""What executions are called, and what they cost, exactly."""

from datetime import UTC, datetime
from decimal import Context, Decimal
from random import Random

from ticktree.market import Instrument

from ...gateway import Fees
from .accounts import ExecutionKey

# An instrument's increments and multiplier have up to 60 digits each, counts of increments 19: nothing is rounded.
EXACT = Context(prec=400)
_DAY_NS = 86_400 * 1_000_000_000


class Costs:
    """Fees of the notional: price x size x multiplier x rate, in the instrument's quote currency."""

    def __init__(self, fees: Fees) -> None:
        self._fees = fees
        self._of: dict[Instrument, tuple[Decimal, Decimal, str]] = {}

    def of(self, instrument: Instrument, quantity: int, price: int, maker: bool) -> tuple[Decimal, str]:
        """The fee and its currency; quantity and price in increments."""
        costs = self._of.get(instrument)
        if costs is None:
            costs = self._of[instrument] = self._worked_out(instrument)
        rate = costs[0] if maker else costs[1]
        return (EXACT.multiply(quantity * price, rate) if rate else rate), costs[2]

    def _worked_out(self, instrument: Instrument) -> tuple[Decimal, Decimal, str]:
        """What one increment of size at a price of one increment costs (maker, taker), and in which currency."""
        one = notional(instrument, 1, 1)
        currency = instrument.name.rpartition("-")[2]
        return EXACT.multiply(one, self._fees.maker), EXACT.multiply(one, self._fees.taker), currency


def notional(instrument: Instrument, quantity: int, price: int) -> Decimal:
    """Price x size x multiplier, exactly; quantity and price in increments."""
    one = EXACT.multiply(EXACT.multiply(instrument.price_increment, instrument.size_increment), instrument.multiplier)
    return EXACT.multiply(quantity * price, one)


class ExecutionIds:
    """Unique for one venue, and begin with this life of it, so that one which forgot all never repeats them.

    Where a venue has trading days (UTC dates), they begin anew each day.
    """

    def __init__(self, random: Random, trading_days: bool) -> None:
        self._random, self._trading_days = random, trading_days
        self._life = self._date = ""
        self._number, self._day = 0, -1

    def next(self, now_ns: int) -> ExecutionKey:
        """That of an execution at this time."""
        if not self._life:
            self._life = f"{now_ns // 1_000_000:x}.{self._random.getrandbits(16):04x}"
        if self._trading_days and now_ns // _DAY_NS != self._day:
            self._day, self._number = now_ns // _DAY_NS, 0
            self._date = datetime.fromtimestamp(self._day * 86_400, UTC).date().isoformat()
        self._number += 1
        return self._date, f"{self._life}.{self._number}"
