"""Positions of all strategies, from executions: each booked once, in any order, and corrected as often as need be.

How they are accounted for stands in `accounts.py`.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from ticktree.market import BadInstrument, Instrument, Quote, Side

from .accounts import EXACT, ZERO, Account, Key, Position as Position, add_fees
from .holdings import (
    Holding as Holding,
    Money as Money,
    Open as Open,
    PortfolioSnapshot as PortfolioSnapshot,
    snapshot,
)

BUY = Side.BUY  # a name of a module costs nothing
ONE = Decimal(1)


class Positions:
    """All of them. An execution is booked once, under a key of its own; a correction names it.

    All of one instrument is counted in the same increments: the finest that were used. Every execution is kept (some
    450 bytes), for a correction may name any.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, dict[str, Account]] = {}  # by instrument, then strategy
        self._totals: dict[str, int] = {}
        self._venues: dict[tuple[str, str], int] = {}

    # --- what happened ---------------------------------------------------------------------------------------------

    def book(  # noqa: PLR0913, PLR0917  # what an execution is made of
        self,
        strategy: str,
        instrument: Instrument,
        key: Key,
        side: Side,
        quantity: int,
        price: int,
        fee: Decimal,
        currency: str,
        venue: str,
    ) -> bool:
        """Count an execution; False when one of that key is counted already.

        `quantity` and `price` are in increments of `instrument`. Raises `BadInstrument` where these do not fit those
        that are used for it so far.
        """
        name = instrument.name
        accounts = self._accounts.get(name)
        account = accounts.get(strategy) if accounts is not None else None
        if account is None or account.instrument is not instrument:
            quantity, price = self._counted(instrument, quantity, price)
            account = self._account(strategy, instrument)
        if key in account.entries:
            return False
        sign = 1 if side is BUY else -1
        account.entries[key] = sign, quantity, price, fee, currency, venue
        if quantity:
            signed = sign * quantity
            account.add(signed, price)
            self._totals[name] += signed
            self._venues[venue, name] = self._venues.get((venue, name), 0) + signed
        if fee:
            account.fees[currency] = EXACT.add(account.fees.get(currency, ZERO), fee)
        return True

    def correct(self, key: Key, quantity: int, price: int, fee: Decimal, instrument: Instrument | None = None) -> bool:
        """An execution is not what was said: from here on all is as if it had been booked like this in its place.

        Quantity 0 busts it. `quantity` and `price` are in increments of `instrument`; by default, in those that it is
        counted in. False: there is no execution of that key.
        """
        account = next((one for one in self._each() if key in one.entries), None)
        if account is None:
            return False
        if instrument is not None:
            quantity, price = self._counted(instrument, quantity, price)
            account = self._account(account.strategy, instrument)
        sign, former_quantity, former_price, former_fee, currency, venue = account.entries[key]
        account.entries[key] = sign, quantity, price, fee, currency, venue
        if former_quantity:
            account.take_out(sign * former_quantity, former_price)
        account.stale = True
        if quantity:
            account.add(sign * quantity, price)
        change, name = sign * (quantity - former_quantity), account.instrument.name
        self._totals[name] += change
        self._venues[venue, name] = self._venues.get((venue, name), 0) + change
        add_fees(account.fees, {currency: EXACT.subtract(fee, former_fee)})
        return True

    # --- what is held ----------------------------------------------------------------------------------------------

    def quantity(self, instrument: str) -> int:
        """What is held over all strategies, in size increments; negative when short."""
        return self._totals.get(instrument, 0)

    def quantity_of(self, strategy: str, instrument: str) -> int:
        """What `strategy` holds."""
        accounts = self._accounts.get(instrument)
        account = accounts.get(strategy) if accounts is not None else None
        return account.quantity if account is not None else 0

    def at_venue(self, venue: str, instrument: str) -> int:
        """What was bought less what was sold there, over all strategies, in size increments."""
        return self._venues.get((venue, instrument), 0)

    def of(self, strategy: str, instrument: str) -> Position:
        """The position of `strategy`. Where nobody ever traded the instrument it is counted in increments of 1."""
        account = self._accounts.get(instrument, {}).get(strategy)
        return account.position() if account is not None else Position(strategy, self.increments_of(instrument))

    def total(self, instrument: str) -> Position:
        """All strategies' together: each number is the sum of theirs."""
        parts = [account.position() for account in self._accounts.get(instrument, {}).values()]
        return Position.summed(self.increments_of(instrument), parts)

    def all(self) -> Iterator[Position]:
        """The positions of each strategy that are not flat."""
        return (account.position() for account in self._each() if account.quantity)

    def increments_of(self, instrument: str) -> Instrument:
        """In whose increments an instrument is counted; increments of 1 where nobody ever traded it."""
        accounts = self._accounts.get(instrument)
        return next(iter(accounts.values())).instrument if accounts else Instrument(instrument, 0, ONE, ONE)

    def snapshot(self, prices: Callable[[Instrument], Quote | None], opens: Iterable[Open] = ()) -> PortfolioSnapshot:
        """Everything as values, priced half-way between bid and ask, with what is open according to `opens`."""
        parts = {
            name: {account.strategy: account.position() for account in accounts.values()}
            for name, accounts in self._accounts.items()
        }
        return snapshot(parts, prices, opens)

    # --- accounts --------------------------------------------------------------------------------------------------

    def _each(self) -> Iterator[Account]:
        return (account for accounts in self._accounts.values() for account in accounts.values())

    def _account(self, strategy: str, instrument: Instrument) -> Account:
        """Where `strategy` is booked."""
        accounts = self._accounts.setdefault(instrument.name, {})
        known = next(iter(accounts.values())).instrument if accounts else instrument
        self._totals.setdefault(instrument.name, 0)
        return accounts.get(strategy) or accounts.setdefault(strategy, Account(strategy, known))

    def _counted(self, instrument: Instrument, quantity: int, price: int) -> tuple[int, int]:
        """Both in the increments that are used from here on: those of `instrument`, if they are the finer ones."""
        accounts = self._accounts.get(instrument.name)
        known = next(iter(accounts.values())).instrument if accounts else instrument
        if known == instrument:
            return quantity, price
        factors = _factors(known, instrument)
        if factors is not None:
            if factors != (1, 1):
                self._refine(instrument, known)
            return quantity, price
        return _converted(quantity, price, instrument, known)

    def _refine(self, instrument: Instrument, former: Instrument) -> None:
        """From here on count in the finer increments of another definition."""
        accounts, name = self._accounts[instrument.name], instrument.name
        for strategy, old in accounts.items():
            account = accounts[strategy] = Account(strategy, instrument, fees=old.fees)
            for key, (sign, quantity, price, fee, currency, venue) in old.entries.items():
                quantity, price = _converted(quantity, price, former, instrument)
                account.entries[key] = sign, quantity, price, fee, currency, venue
                if quantity:
                    account.add(sign * quantity, price)
        self._totals[name], _ = _converted(self._totals[name], 0, former, instrument)
        for place in [place for place in self._venues if place[1] == name]:
            self._venues[place], _ = _converted(self._venues[place], 0, former, instrument)


def _factors(coarse: Instrument, fine: Instrument) -> tuple[int, int] | None:
    """How many of the one's (size, price) increments make one of the other's; None where that is no whole number."""
    size, size_rest = EXACT.divmod(coarse.size_increment, fine.size_increment)
    price, price_rest = EXACT.divmod(coarse.price_increment, fine.price_increment)
    if size_rest or price_rest or not size or not price or coarse.multiplier != fine.multiplier:
        return None
    return int(size), int(price)


def _converted(quantity: int, price: int, coarse: Instrument, fine: Instrument) -> tuple[int, int]:
    """Both in the increments of `fine`. Raises `BadInstrument`."""
    if coarse == fine:
        return quantity, price
    factors = _factors(coarse, fine)
    if factors is None:
        raise BadInstrument(
            f"{fine.name}: positions are counted in increments of {fine.size_increment:f} at {fine.price_increment:f} "
            f"and a multiplier of {fine.multiplier:f}; {coarse.size_increment:f} at {coarse.price_increment:f} and "
            f"{coarse.multiplier:f} do not go with that"
        )
    return quantity * factors[0], price * factors[1]
