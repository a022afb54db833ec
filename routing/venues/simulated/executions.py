"""What executions are called, and what they cost, exactly."""

from datetime import UTC, datetime
from decimal import Context, Decimal
from random import Random

import attrs

from ticktree.market import Instrument

from ...gateway import Fees
from ...reports import VenueExecution
from .accounts import ExecutionKey

# An instrument's increments and multiplier have up to 60 digits each, counts of increments 19: nothing is rounded.
EXACT = Context(prec=400)
_DAY_NS = 86_400 * 1_000_000_000


@attrs.frozen
class _Terms:
    """Of one instrument: what one increment of size at a price of one increment is worth, in which currency, and what
    one increment of size costs whatever its price."""

    notional: Decimal
    quote: str
    size_fee: Decimal


class Costs:
    """What executions cost their accounts, by the venue's fees.

    By which tier an account is charged its notional in the quote currency of the instrument decides, all it traded
    before. An execution keeps its rate: what is corrected or busted later gives back exactly what it was charged for.
    """

    def __init__(self, fees: Fees) -> None:
        self._fees = fees
        self._terms: dict[Instrument, _Terms] = {}
        # Where there are tiers:
        self._traded: dict[tuple[str, str], Decimal] = {}  # (account, quote currency) -> notional
        self._rates: dict[ExecutionKey, Decimal] = {}  # that were charged

    def of(
        self, account: str, key: ExecutionKey, instrument: Instrument, terms: tuple[int, int], maker: bool
    ) -> tuple[Decimal, str]:
        """The fee of a new execution and its currency. `terms`: quantity and price, in increments."""
        rate = self._fees.maker if maker else self._fees.taker
        if self._fees.tiers:
            rate = self._rates[key] = self._rate(account, instrument, maker, rate)
            self._trade(account, instrument, terms[0] * terms[1])
        return self._fee(instrument, terms, rate), self._fees.currency or self._of(instrument).quote

    def corrected(
        self, account: str, key: ExecutionKey, instrument: Instrument, former: VenueExecution, terms: tuple[int, int]
    ) -> Decimal:
        """The fee of an execution that is now of other terms; 0 of one that is busted."""
        rate = self._fees.maker if former.maker else self._fees.taker
        if self._fees.tiers:
            rate = self._rates[key]
            before = former.quantity_increments * former.price_increments
            self._trade(account, instrument, terms[0] * terms[1] - before)
        return self._fee(instrument, terms, rate) if terms[0] else Decimal(0)

    def _fee(self, instrument: Instrument, terms: tuple[int, int], rate: Decimal) -> Decimal:
        fees, of = self._fees, self._of(instrument)
        fee = EXACT.multiply(terms[0] * terms[1], EXACT.multiply(of.notional, rate)) if rate else rate
        if of.size_fee:
            fee = EXACT.add(fee, EXACT.multiply(terms[0], of.size_fee))
        return EXACT.add(fee, fees.per_execution) if fees.per_execution else fee

    def _rate(self, account: str, instrument: Instrument, maker: bool, rate: Decimal) -> Decimal:
        traded = self._traded.get((account, self._of(instrument).quote), Decimal(0))
        for tier in self._fees.tiers:
            if traded < tier.above:
                break
            rate = tier.maker if maker else tier.taker
        return rate

    def _trade(self, account: str, instrument: Instrument, increments: int) -> None:
        """So much more, or less."""
        of = self._of(instrument)
        stream = account, of.quote
        self._traded[stream] = EXACT.add(self._traded.get(stream, Decimal(0)), EXACT.multiply(increments, of.notional))

    def _of(self, instrument: Instrument) -> _Terms:
        found = self._terms.get(instrument)
        if found is None:
            size_fee = EXACT.multiply(instrument.size_increment, self._fees.per_unit)
            quote = instrument.name.rpartition("-")[2]
            found = self._terms[instrument] = _Terms(notional(instrument, 1, 1), quote, size_fee)
        return found


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
