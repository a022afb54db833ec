"""Buys what fell far below its average, and sells it once it is back. Make it yours."""

from collections import Counter, defaultdict
from decimal import Decimal
from math import inf

import msgspec
from ticktree import Quote, Strategy, ZScore


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a configuration may set, as in `params = { span = 20, size = "0.02" }`.

    span     how many quotes the average reaches back; nothing is bought before as many came
    enter    how many standard deviations below the average it buys
    leave    how many below the average it sells; 0 is at the average
    size     how much it holds of an instrument, in its BASE
    pause_s  between two orders for an instrument
    """

    span: int = 50
    enter: float = 2.0
    leave: float = 0.5
    size: Decimal = Decimal("0.01")
    pause_s: float = 0.1

    def __post_init__(self) -> None:
        if self.span < 2 or self.size <= 0 or not 0 < self.pause_s < inf:
            raise ValueError("span is 2 or more, size and pause_s are above 0")
        if not self.leave < self.enter < inf:
            raise ValueError(f"leave, {self.leave}, is less than enter, {self.enter}")


class NewStrategy(Strategy[Params]):
    """One position an instrument, long or flat.

    Orders are limits at the price that is shown. What is not filled at once rests until
    the router's deadline. Where several feeds bring an instrument, let topics name one.
    """

    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        self.scores = defaultdict[str, ZScore](lambda: ZScore(self.params.span))
        self.seen = Counter[str]()
        self.pausing = set[str]()

    def on_quote(self, quote: Quote) -> None:
        instrument, name = quote.instrument, quote.instrument.name
        if not 0 < quote.bid < quote.ask:
            return  # one side is empty, or it is crossed: that is no price
        score = self.scores[name].update(quote.mid)
        self.seen[name] += 1
        if self.seen[name] <= self.params.span or name in self.pausing:
            return
        held = self.position(instrument)
        if score < -self.params.enter and not self.exposure(instrument):
            self.buy(instrument, self.params.size, limit=quote.ask)
        elif score > -self.params.leave and held > 0 and not self.working(instrument):
            self.sell(instrument, held, limit=quote.bid)
        else:
            return
        self.pausing.add(name)
        self.after(self.params.pause_s, name)

    def on_timer(self, name: str) -> None:
        self.pausing.discard(name)
