"""Buys where an instrument is cheap and sells where it is dear, at once, as one order with two sides.

It needs a router whose policy has both venues, the second on the other side, and says what becomes of a half:

    AllOf(("near", Share("far", opposite=True)), deadline_s=1.0, compensation=Unwind(within_s=5.0))

A `buy` then buys at `near` and sells at `far`; a `sell` the other way round. Where one leg fails, `Unwind` takes back
what the other was filled for, at the market. Each venue's account must have what it is to sell.
"""

from decimal import Decimal

import msgspec

from ticktree.market import FeedState, FeedStatus, Quote, Stale
from ticktree.routing import OrderState, OrderUpdate, Terms, TimeInForce

from .params import above_zero, not_below_zero, whole
from .strategy import Strategy


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`near` and `far`: the feeds with the prices of the router's first venue, and of the one on the other side.

    fees       of both legs together, a fraction of the price: 0.002 where each venue takes 10 basis points
    edge       what must be left above them, likewise
    size       at most, in BASE, and no more than both sides display
    max_age_s  older quotes are no prices
    pause_s    after an order that was refused
    """

    near: str
    far: str
    fees: float = 0.002
    edge: float = 0.0005
    size: Decimal = Decimal("0.01")
    max_age_s: float = 1.0
    pause_s: float = 1.0

    def __post_init__(self) -> None:
        above_zero(self, "size", "max_age_s", "pause_s")
        not_below_zero(self, "edge")  # fees may be below 0: rebates
        if self.near == self.far:
            raise ValueError("near and far are two feeds")


class Arbitrage(Strategy[Params]):
    """One order at a time; while a half of one is left over, none at all."""

    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        self.quotes: dict[tuple[str, str], Quote] = {}  # by instrument and feed
        self.told = False  # of a half that is left over
        self.ready = True

    def on_quote(self, quote: Quote) -> None:
        name, params = quote.instrument.name, self.params
        if not 0 < quote.bid < quote.ask:  # crossed, or nobody on one side: who knows what the other means
            self.quotes.pop((name, quote.feed), None)
            return
        self.quotes[name, quote.feed] = quote
        near, far = self.quotes.get((name, params.near)), self.quotes.get((name, params.far))
        if near is None or far is None or not self.ready:
            return
        if self.clock.now_ns() - min(near.received_time_ns, far.received_time_ns) > params.max_age_s * 1e9:
            return
        if self._pays(near, far):
            self._trade(quote, near, far)
        elif self._pays(far, near):
            self._trade(quote, far, near)

    def _pays(self, cheap: Quote, dear: Quote) -> bool:
        """Whether buying the one and selling the other leaves more than it costs."""
        return 0 < cheap.ask * (1 + self.params.fees + self.params.edge) < dear.bid

    def _trade(self, quote: Quote, cheap: Quote, dear: Quote) -> None:
        if self.exposure(quote.instrument):  # an order is out; or a position is left, which there should never be
            self._look_at_what_is_left(quote)
            return
        # Two exchanges define an instrument each in its own increments: the coarser ones are good at both.
        coarse = max((cheap.instrument, dear.instrument), key=lambda one: one.size_increment)
        size = min(whole(coarse, self.params.size), coarse.size(coarse.whole_sizes(min(cheap.ask_size, dear.bid_size))))
        if size > 0:
            self.told, buys = False, cheap.feed == self.params.near
            ask, bid = (_price(price, cheap, dear) for price in (cheap.ask, dear.bid))
            near, far = (ask, bid) if buys else (bid, ask)
            terms = Terms(time_in_force=TimeInForce.IOC, opposite_limit=far)
            handle = (self.buy if buys else self.sell)(quote.instrument, size, near, terms)
            self.quotes.clear()  # the next one is judged by what is quoted after this
            if handle.refusal is not None:  # a limit or a halt stands against it; the next quotes change nothing
                self._pause()

    def _pause(self) -> None:
        if self.ready:
            self.ready = False
            self.after(self.params.pause_s, "ready")

    def _look_at_what_is_left(self, quote: Quote) -> None:
        left = self.position(quote.instrument)
        if left and not self.working(quote.instrument) and not self.told:
            self.told = True
            self.log.error("%s of %s is left over: nothing is sent before it is closed", left, quote.instrument.name)

    def on_report(self, update: OrderUpdate) -> None:
        if update.state is OrderState.REJECTED:
            self._pause()

    def on_timer(self, name: str) -> None:
        self.ready = True

    def on_stale(self, stale: Stale) -> None:
        self.quotes.pop((stale.instrument.name, stale.feed), None)

    def on_status(self, status: FeedStatus) -> None:
        if status.state is FeedState.LOST:
            self.quotes = {key: quote for key, quote in self.quotes.items() if quote.feed != status.feed}


def _price(price: float, *quotes: Quote) -> Decimal:
    """The nearest that all of their venues can be told."""
    coarse = max((quote.instrument for quote in quotes), key=lambda one: one.price_increment)
    return coarse.price(coarse.nearest_price(price))
