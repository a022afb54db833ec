"""Bids below the middle and asks above it; the more it holds, the lower both, so that others take it off its hands."""

from collections.abc import Iterable
from decimal import Decimal
from math import ceil, floor

import msgspec

from ticktree.market import FeedState, FeedStatus, Instrument, Live, Quote, Side, Stale
from ticktree.routing import Order, OrderState, OrderUpdate, Terms

from .params import above_zero, not_below_zero, whole
from .strategy import Strategy

RESTING = Terms(post_only=True)  # it never pays for taking


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lengths are fractions of the price: 0.0002 is 2 basis points. Sizes are in BASE.

    size           of each quote; what is beyond the instrument's increment is left out
    half_spread    from the middle to each quote
    skew           how far both move against the inventory where that is at its maximum; in proportion below it
    max_inventory  long or short; the side that would lead beyond it is not quoted
    tolerance      how far the right price may move away before a quote follows
    pause_s        between two messages about a side, new or moved quotes; what is taken back is so at once
    """

    size: Decimal = Decimal("0.01")
    half_spread: float = 0.0002
    skew: float = 0.0002
    max_inventory: Decimal = Decimal("0.05")
    tolerance: float = 0.00005
    pause_s: float = 0.1

    def __post_init__(self) -> None:
        above_zero(self, "size", "half_spread", "max_inventory", "pause_s")
        not_below_zero(self, "skew", "tolerance")
        if self.size > self.max_inventory:
            raise ValueError(f"size is at most max_inventory; not {self.size} and {self.max_inventory}")


class MarketMaker(Strategy[Params]):
    """One instrument, the first that is quoted, and one order a side, moved by `replace`. Where several feeds bring it,
    let the topics name one."""

    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        self.instrument: Instrument | None = None
        self.known = False  # whether the prices that come are right
        self.free = set[str]()  # orders that are live, and not being moved
        self.leaving = set[str]()  # orders that are being canceled
        self.pausing = set[Side]()

    def on_quote(self, quote: Quote) -> None:
        if self.instrument is None:
            self.instrument, self.known = quote.instrument, True
            self._withdraw()  # what a former life left
        if quote.instrument.name != self.instrument.name:
            return
        doubtful = not self.known or self.last(quote.instrument) is None  # it may be stale since before this life
        if doubtful or self.halted or not 0 < quote.bid < quote.ask:
            self._withdraw()
            return
        bid, ask = self.prices(quote)
        self._quote(Side.BUY, quote.instrument, bid)
        self._quote(Side.SELL, quote.instrument, ask)

    def prices(self, quote: Quote) -> tuple[Decimal, Decimal]:
        """(bid, ask): around a middle that leans against the inventory; on increments, and never where they would
        take what is there already."""
        params, instrument = self.params, quote.instrument
        inventory = float(self.position(instrument) / params.max_inventory)
        middle, unit = quote.mid * (1 - params.skew * inventory), float(instrument.price_increment)
        bid = min(middle * (1 - params.half_spread), quote.ask - unit)
        ask = max(middle * (1 + params.half_spread), quote.bid + unit)
        down, up = max(1, floor(round(bid / unit, 6))), ceil(round(ask / unit, 6))  # 0.3 / 0.1 is less than 3
        return instrument.price(down), instrument.price(up)

    def _quote(self, side: Side, instrument: Instrument, limit: Decimal) -> None:
        """See to it that there is one order of that side, close enough to `limit`; none where there is no room."""
        held, size = self.position(instrument), whole(instrument, self.params.size)
        mine = [order for order in self.working(instrument) if order.side is side]
        if self.params.max_inventory - (held if side is Side.BUY else -held) < size:
            self._cancel(mine)
        elif side in self.pausing:
            return
        elif not mine:
            (self.buy if side is Side.BUY else self.sell)(instrument, size, limit, RESTING)
            self._pause(side)
        for order in mine:
            away = abs((order.limit or limit) - limit)
            if order.id in self.free and away > self.params.tolerance * float(limit):
                self.free.discard(order.id)
                self.replace(order, limit=limit)
                self._pause(side)

    def _pause(self, side: Side) -> None:
        self.pausing.add(side)
        self.after(self.params.pause_s, side.name)

    def _cancel(self, orders: Iterable[Order]) -> None:
        for order in orders:
            if order.id not in self.leaving:
                self.leaving.add(order.id)
                self.free.discard(order.id)
                self.cancel(order)

    def _withdraw(self) -> None:
        """No quotes while nothing is known."""
        if self.instrument is not None:
            self._cancel(self.working(self.instrument))

    def on_report(self, update: OrderUpdate) -> None:
        if update.state is OrderState.LIVE and update.order_id not in self.leaving:
            self.free.add(update.order_id)
        else:
            self.free.discard(update.order_id)
        if update.state.terminal:
            self.leaving.discard(update.order_id)

    def on_timer(self, name: str) -> None:
        self.pausing.discard(Side[name])

    def on_stale(self, stale: Stale) -> None:
        if self.instrument is not None and stale.instrument.name == self.instrument.name:
            self.known = False
            self._withdraw()

    def on_live(self, live: Live) -> None:
        if self.instrument is not None and live.instrument.name == self.instrument.name:
            self.known = True

    def on_status(self, status: FeedStatus) -> None:
        self.known = status.state is FeedState.LIVE
        if not self.known:
            self._withdraw()
