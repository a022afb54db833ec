"""Buys while the fast average is above the slow one, and sells when it no longer is."""

from collections import Counter, defaultdict
from decimal import Decimal
from math import inf

import msgspec

from ticktree.market import Ema, Quote
from ticktree.routing import Terms, TimeInForce

from .params import above_zero, whole
from .strategy import Strategy

AT_ONCE = Terms(time_in_force=TimeInForce.IOC)


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In a position, or in none.

    fast, slow  the spans of the averages, in quotes; nothing is traded before `slow` of them have come
    size        what is held of an instrument, in its BASE; what is beyond its increment is left out
    pause_s     between two orders, so that what stands against one is not asked with every quote
    """

    fast: float = 10
    slow: float = 100
    size: Decimal = Decimal("0.01")
    pause_s: float = 0.1

    def __post_init__(self) -> None:
        above_zero(self, "size", "pause_s")
        if not 1 <= self.fast < self.slow < inf:
            raise ValueError(f"fast is 1 or more, and slow is more than fast; not {self.fast} and {self.slow}")


class Momentum(Strategy[Params]):
    """One position an instrument, long or flat. Where several feeds bring it, let the topics name one."""

    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        self.fast = defaultdict[str, Ema](lambda: Ema(self.params.fast))
        self.slow = defaultdict[str, Ema](lambda: Ema(self.params.slow))
        self.seen = Counter[str]()  # quotes, by instrument: the averages of the first few follow every step
        self.ready = True

    def on_quote(self, quote: Quote) -> None:
        if not 0 < quote.bid < quote.ask:
            return  # one side is empty, or it is crossed: that is no price
        instrument = quote.instrument
        fast, slow = (averages[instrument.name].update(quote.mid) for averages in (self.fast, self.slow))
        self.seen[instrument.name] += 1
        if not self.ready or self.seen[instrument.name] < self.params.slow or self.last(instrument) is None:
            return  # None: it is stale, and this quote may be wrong
        if fast > slow and not self.exposure(instrument):  # also open orders: a bare position would buy twice
            self.buy(instrument, whole(instrument, self.params.size), limit=quote.ask, terms=AT_ONCE)
        elif fast < slow and self.position(instrument) > 0 and not self.working(instrument):
            self.sell(instrument, self.position(instrument), limit=quote.bid, terms=AT_ONCE)
        else:
            return
        self.ready = False
        self.after(self.params.pause_s, "ready")

    def on_timer(self, name: str) -> None:
        self.ready = True
