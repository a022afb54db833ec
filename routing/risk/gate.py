"""What stands between a decision and a venue: every order passes here before it counts, every leg before it is sent.

An order is judged by the worst that it and everything else that is open may come to, over all strategies: long is the
position and all open buys, short the position less all open sells; what is unknown counts in full. Whoever asks must
let the order count in the ledger before anything is awaited. All comparing is of integers; the only floats are a
quote's prices, and these are taken to the nearest price increment.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from ticktree.actors import Clock
from ticktree.market import Instrument, Quote, Side, exact, plain

from ..errors import Refusal
from ..orders import Order, Purpose
from ..records import LegRecord, OrderRecord
from .limits import DIGITS, NONE, Bound, Bounds, Limits, SelfTrade
from .rate import Rate

BUY, SELL, UNWIND, WORK = Side.BUY, Side.SELL, Purpose.UNWIND, Purpose.WORK  # as names of a module they cost nothing
NS = 1_000_000_000


class Exposures(Protocol):
    """What the gate reads of the ledger. All quantities are in size increments, over all strategies."""

    @property
    def halted(self) -> str:
        """Why nothing new is sent; empty when all is well."""
        ...

    @property
    def open_orders(self) -> Mapping[str, OrderRecord]:
        """Orders that are not over, by id."""
        ...

    def position_of(self, strategy: str, instrument: str) -> int:
        """What one strategy holds."""
        ...

    def long_and_short(self, instrument: str) -> tuple[int, int]:
        """How long everything together may become, and how short: with all open buys filled, or all open sells."""
        ...

    def resting(self, venue: str, instrument: str, side: Side) -> Collection[LegRecord]:
        """Legs that may rest there."""
        ...

    def known(self) -> Iterable[Instrument]:
        """All instruments that have orders or positions."""
        ...


class Gate:
    """Judges; changes nothing but the count of what was sent within the last second.

    `prices`: the freshest quote that anything can be judged by, two-sided and not crossed (`Prices`).
    """

    def __init__(
        self, limits: Limits, ledger: Exposures, prices: Callable[[Instrument], Quote | None], clock: Clock
    ) -> None:
        self.limits = limits
        self._ledger, self._prices, self._now_ns, self._monotonic_ns = ledger, prices, clock.now_ns, clock.monotonic_ns
        self._bounds: dict[str, Bounds] = {}
        self._rate = Rate(limits.max_orders_per_s) if limits.max_orders_per_s is not None else None
        self._most_age_ns = None if limits.max_price_age_s is None else round(limits.max_price_age_s * NS)
        collar = exact(limits.price_collar or 0)
        self._collar_bound = Bound("risk.price_collar", collar, 0)
        self._collar = (Fraction(collar).denominator, Fraction(collar).numerator) if collar else None
        self._refuses_self_trade = limits.self_trade is SelfTrade.REFUSE

    # --- what is asked ---------------------------------------------------------------------------------------------

    def check_order(self, order: Order, quote: Quote | None) -> Refusal | None:
        """Whether an order may be opened: in full, and with all that it may be filled beyond its quantity.

        `quote`: what `prices` says of its instrument now.
        """
        side, worst = order.side, order.quantity_increments + order.max_overfill_increments
        if order.reduce_only:
            refusal = self._check_reduces(order, worst)
            if refusal is not None:
                return refusal
        elif self._ledger.halted:
            return Refusal("halted", because=self._ledger.halted)
        instrument, limit = order.instrument, order.limit_increments
        bounds = self._bounds.get(instrument.name)
        if bounds is None or bounds.instrument is not instrument:
            bounds = self._bounds_of(instrument)
        if order.quantity_increments > bounds.size.most:
            return _too_large(bounds, order.quantity_increments)
        priced = bounds.exposure is not NONE or limit is None or side is SELL
        quote = self._if_fresh(quote) if priced else None
        return self._check_notional(bounds, side, order.quantity_increments, limit, quote) or self._check_reserves(
            bounds, side, worst, limit, quote
        )

    def check_leg(
        self, order: Order, venue: str, side: Side, quantity: int, limit: int | None, purpose: Purpose
    ) -> Refusal | None:
        """Whether a leg may be sent. One that passes counts towards `max_orders_per_s`.

        A leg on the other side than its order reserves anew, for the order's reservation does not hold it. A leg of a
        reduce-only order must still reduce: the position may have changed since the order was opened.
        """
        same = side is order.side
        if self._ledger.halted and not (same and order.reduce_only) and purpose is not UNWIND:
            return Refusal("halted", because=self._ledger.halted)
        bounds = self._bounds.get(order.instrument.name)
        if bounds is None or bounds.instrument is not order.instrument:
            bounds = self._bounds_of(order.instrument)
        refusal = self._check_terms(bounds, side, quantity, limit)
        if refusal is None and not same:
            refusal = self._check_reserves(bounds, side, quantity, limit, self._fresh(bounds.instrument))
        if refusal is None and same and order.reduce_only:
            refusal = self._check_reduces(order, quantity)
        if refusal is None and self._refuses_self_trade:
            refusal = self._check_self_trade(venue, order.instrument, side, limit)
        return refusal or self._check_rate()

    def check_replace(self, leg: LegRecord, quantity: int, limit: int | None) -> Refusal | None:
        """Whether a leg may be changed to that whole quantity and limit. One that passes counts as a leg does."""
        order, ticket = leg.order.order, leg.leg.ticket
        reduces = order.reduce_only and ticket.side is order.side
        if self._ledger.halted and not reduces and leg.leg.purpose is not UNWIND:
            return Refusal("halted", because=self._ledger.halted)
        bounds = self._bounds_of(ticket.instrument)
        refusal = self._check_terms(bounds, ticket.side, quantity, limit)
        more = _growth(leg, quantity)
        if refusal is None and more > 0:
            refusal = self._check_reserves(bounds, ticket.side, more, limit, self._fresh(bounds.instrument))
            if refusal is None and reduces:
                refusal = self._check_reduces(order, more, anew=False)
        if refusal is None and self._refuses_self_trade:
            refusal = self._check_self_trade(leg.leg.venue, ticket.instrument, ticket.side, limit)
        return refusal or self._check_rate()

    def crossing(self, venue: str, instrument: Instrument, side: Side, limit: int | None) -> tuple[LegRecord, ...]:
        """Our own legs at `venue` that an order of `side` up to `limit` could trade with (None: at the market)."""
        buys = side is BUY
        resting = self._ledger.resting(venue, instrument.name, SELL if buys else BUY)
        if not resting:
            return ()
        found = list[LegRecord]()
        for leg in resting:
            at = _boldest(leg, buys)
            if limit is None or at is None or (at <= limit if buys else at >= limit):
                found.append(leg)
        return tuple(found)

    # --- one limit each --------------------------------------------------------------------------------------------

    def _check_terms(self, bounds: Bounds, side: Side, quantity: int, limit: int | None) -> Refusal | None:
        """A leg's own size, price and worth."""
        if quantity > bounds.size.most:
            return _too_large(bounds, quantity)
        if self._collar is None and limit is not None and (bounds.notional is NONE or side is BUY):
            return self._check_notional(bounds, side, quantity, limit, None)
        quote = self._fresh(bounds.instrument)
        return self._check_price(bounds, side, limit, quote) or self._check_notional(
            bounds, side, quantity, limit, quote
        )

    def _check_price(self, bounds: Bounds, side: Side, limit: int | None, quote: Quote | None) -> Refusal | None:
        """The collar; and that there is a fresh price, where one is needed."""
        collar = self._collar
        if collar is None and (limit is not None or self._most_age_ns is None):
            return None
        if quote is None:
            return self._no_price(bounds.instrument, self._collar_bound)
        if collar is None or limit is None:
            return None
        whole, part = collar
        if side is BUY:
            last = round(quote.ask / bounds.tick) * (whole + part)
            passes = limit * whole <= last
        else:
            last = round(quote.bid / bounds.tick) * (whole - part)
            passes = limit * whole >= last
        return None if passes else self._through(bounds.instrument, side, limit, Fraction(last, whole))

    def _check_notional(
        self, bounds: Bounds, side: Side, quantity: int, limit: int | None, quote: Quote | None
    ) -> Refusal | None:
        """At the limit; a sell at the bid where that is higher, and what is at the market at the far side."""
        if bounds.notional is NONE:
            return None
        price = limit
        if price is None or side is SELL:
            if quote is not None:
                far = round((quote.ask if side is BUY else quote.bid) / bounds.tick)
                price = far if price is None or far > price else price
            elif price is None:
                return self._no_price(bounds.instrument, bounds.notional)
        if quantity * price <= bounds.notional.most:
            return None
        return _refusal(bounds.notional, _money(quantity * price * bounds.unit))

    def _check_reserves(
        self, bounds: Bounds, side: Side, more: int, limit: int | None, quote: Quote | None
    ) -> Refusal | None:
        """The position, and the exposure, with so much more open on that side."""
        worst, other = self._ledger.long_and_short(bounds.instrument.name)
        if side is SELL:
            worst, other = other, worst
        worst += more
        if worst > bounds.position.most:
            return _refusal(bounds.position, bounds.instrument.size(worst if side is BUY else -worst))
        if bounds.exposure is NONE:
            return None
        # What leaves the other side the worse one passes, also when prices have carried the exposure beyond its limit.
        return self._check_exposure(bounds, worst, limit, quote) if worst > other else None

    def _check_exposure(self, bounds: Bounds, worst: int, limit: int | None, quote: Quote | None) -> Refusal | None:
        """Over all instruments of the currency, with `worst` increments of this one."""
        name, ledger, twice = bounds.instrument.name, self._ledger, 0
        for instrument in ledger.known():
            other = instrument.name
            if other == name:
                continue
            theirs = self._bounds.get(other)
            if theirs is None or theirs.instrument is not instrument:
                theirs = self._bounds_of(instrument)
            if theirs.currency != bounds.currency:
                continue
            most, short = ledger.long_and_short(other)
            most = short if short > most else most  # max takes 100 ns longer
            if most:  # it is never below 0: the sum of the two is not
                price = self._fresh(instrument)
                if price is None:
                    return self._no_price(instrument, bounds.exposure)
                twice += most * round((price.bid + price.ask) / theirs.tick) * theirs.unit
        if quote is not None:
            twice += worst * round((quote.bid + quote.ask) / bounds.tick) * bounds.unit
        elif limit is not None:
            twice += 2 * worst * limit * bounds.unit
        else:
            return self._no_price(bounds.instrument, bounds.exposure)
        return None if twice <= 2 * bounds.exposure.most else _refusal(bounds.exposure, _money(twice) / 2)

    def _check_reduces(self, order: Order, more: int, anew: bool = True) -> Refusal | None:
        """At most what its strategy holds on the other side, less what other reduce-only orders of that may take of it,
        and the legs of this one. Not `anew`: all that this one reserves already counts, too."""
        name, side, strategy = order.instrument.name, order.side, order.strategy
        room = self._ledger.position_of(strategy, name) * (-1 if side is BUY else 1)
        for record in self._ledger.open_orders.values():
            other = record.order
            if other.reduce_only and other.side is side and (other.strategy, other.instrument.name) == (strategy, name):
                room -= record.unknown_increments if anew and other.id == order.id else record.open_increments
        if more <= room:
            return None
        size = order.instrument.size
        return Refusal("reduce_only", plain(size(max(0, room))), plain(size(more)), "it would do more than reduce")

    def _check_self_trade(self, venue: str, instrument: Instrument, side: Side, limit: int | None) -> Refusal | None:
        met = self.crossing(venue, instrument, side, limit)
        if not met:
            return None
        because = f"{met[0].leg.id} of {met[0].order.order.strategy} rests at {venue}: {met[0].leg.order}"
        return Refusal("risk.self_trade", SelfTrade.REFUSE, "" if limit is None else _price(instrument, limit), because)

    def _check_rate(self) -> Refusal | None:
        rate = self._rate
        if rate is None or rate.take(self._monotonic_ns()):
            return None
        return Refusal("risk.max_orders_per_s", str(rate.per_s), str(rate.per_s + 1))

    # --- prices ----------------------------------------------------------------------------------------------------

    def _fresh(self, instrument: Instrument) -> Quote | None:
        return self._if_fresh(self._prices(instrument))

    def _if_fresh(self, quote: Quote | None) -> Quote | None:
        most = self._most_age_ns
        if quote is None or most is None:
            return quote
        return quote if self._now_ns() - quote.received_time_ns <= most else None

    def _no_price(self, instrument: Instrument, needs: Bound) -> Refusal:
        """There is none that is fresh; `needs` is the limit that cannot be looked at without."""
        quote, most_s = self._prices(instrument), self.limits.max_price_age_s
        if quote is None:
            because = f"nothing is known of the price of {instrument.name}"
            if most_s is not None:
                return Refusal("risk.max_price_age_s", f"{most_s:g}", "no quote", because)
            return Refusal(needs.name, plain(needs.value), "no quote", because)
        age = Decimal(self._now_ns() - quote.received_time_ns).scaleb(-9)
        because = f"the freshest quote of {instrument.name} is of {quote.feed}"
        return Refusal("risk.max_price_age_s", f"{most_s:g}", plain(age), because)

    def _through(self, instrument: Instrument, side: Side, limit: int, last: Fraction) -> Refusal:
        """`last`: the last price that passes, in increments."""
        allowed = math.floor(last) if side is BUY else math.ceil(last)
        because = f"{plain(self._collar_bound.value)} through the freshest quote is the most"
        return Refusal("risk.price_collar", _price(instrument, allowed), _price(instrument, limit), because)

    def _bounds_of(self, instrument: Instrument) -> Bounds:
        found = self._bounds.get(instrument.name)
        if found is None or (found.instrument is not instrument and found.instrument != instrument):
            found = self._bounds[instrument.name] = Bounds.of(instrument, self.limits)
        return found


def _growth(leg: LegRecord, quantity: int) -> int:
    """How much more may come to be open, beyond what its order reserves, when a leg is changed to `quantity`."""
    more = quantity - leg.booked_increments - leg.open_increments
    if leg.leg.purpose is not WORK:
        return more
    return more - (leg.order.open_increments - leg.order.unknown_increments)


def _boldest(leg: LegRecord, buys: bool) -> int | None:
    """The limit of a resting leg that trades most easily; of a replace on its way both may hold. None: the market."""
    at, pending = leg.limit_increments, leg.pending
    if at is None or pending is None or pending[1] is None:
        return at if pending is None else None
    return min(at, pending[1]) if buys else max(at, pending[1])


def _too_large(bounds: Bounds, quantity: int) -> Refusal:
    return _refusal(bounds.size, bounds.instrument.size(quantity))


def _refusal(bound: Bound, attempted: Decimal) -> Refusal:
    return Refusal(bound.name, plain(bound.value), plain(attempted))


def _price(instrument: Instrument, increments: int) -> str:
    return plain(instrument.price(increments))


def _money(units: int) -> Decimal:
    return Decimal(units).scaleb(-DIGITS)
