"""Spreads one large order evenly over time, a slice a period, and each slice over the venues by its router's policy.

Give it a router whose policy is `sweep`: a slice then takes what the venues display, best price first.
"""

from decimal import Decimal
from math import ceil
from typing import Literal

import msgspec

from ticktree.market import Quote
from ticktree.routing import Fill

from .params import above_zero, not_below_zero, whole
from .strategy import Strategy


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One order.

    quantity  of the instrument, in its BASE; what is beyond its increment is left out
    slices    so many, the first at once, each a period of `over_s / slices` after the one before
    over_s    what that takes at least: while trading is halted or there is no price no slice is due, and what is left
              keeps its pace, rather than to come at once
    slippage  how far beyond the best price a slice may reach, as a fraction of it; what it does not get there is added
              to the next
    """

    side: Literal["buy", "sell"]
    quantity: Decimal
    instrument: str = "BTC-USDT"
    slices: int = 10
    over_s: float = 60.0
    slippage: float = 0.001

    def __post_init__(self) -> None:
        above_zero(self, "quantity", "slices", "over_s")
        not_below_zero(self, "slippage")
        if self.slippage >= 1:
            raise ValueError(f"slippage is a fraction of the price, 0.001 for 10 basis points; not {self.slippage}")


class Twap(Strategy[Params]):
    """Its position is what it has done: a restart, also of the process, goes on from there. One name, one order."""

    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        self.slice: int | None = None  # the last one that was due; after a restart, what is done tells
        self.period = self.every(self.params.over_s / self.params.slices, "slice")
        self.after(0, "slice")

    def on_timer(self, name: str) -> None:
        params, quote = self.params, self.last(self.params.instrument)
        if quote is None or self.halted:
            why = f"trading is halted: {self.halted}" if self.halted else f"there is no price of {params.instrument}"
            self.log.warning("%s: this slice waits for the next", why)
            return
        instrument = quote.instrument
        wanted = instrument.size_increments(whole(instrument, params.quantity))
        done = instrument.size_increments(self._signed(self.exposure(instrument)))  # and what is out: none goes twice
        if self.slice is None:
            self.slice = ceil(params.slices * done / wanted)
        self.slice = min(self.slice + 1, params.slices)
        missing = wanted * self.slice // params.slices - done
        if missing > 0:
            self._send(quote, instrument.size(missing))
        elif instrument.size_increments(self._signed(self.position(instrument))) >= wanted:
            self.period.cancel()

    def _send(self, quote: Quote, quantity: Decimal) -> None:
        instrument, slippage = quote.instrument, self.params.slippage
        if self.params.side == "buy":
            self.buy(instrument, quantity, instrument.price(instrument.nearest_price(quote.ask * (1 + slippage))))
        else:
            self.sell(instrument, quantity, instrument.price(instrument.nearest_price(quote.bid * (1 - slippage))))

    def _signed(self, quantity: Decimal) -> Decimal:
        return quantity if self.params.side == "buy" else -quantity

    def on_fill(self, fill: Fill) -> None:
        done, wanted = self._signed(self.position(fill.instrument)), whole(fill.instrument, self.params.quantity)
        self.log.info("%s of %s are done: %s at %s, %s", done, wanted, fill.quantity, fill.price, fill.venue)
        if done >= wanted:
            self.period.cancel()
