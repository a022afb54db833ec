"""A back-test that trades: quotes of two instruments, a crossing of averages, a simulated venue with fees and latency.

`backtest` `orders_1`    64 k quotes, each received at its own time, and about one order in 500 of them that is filled
                         1 ms later, over the same back-test of the same strategy without the orders
           `orders_32`   received 32 at a time

Ours is all of `Running.run()`, as in replay.py. `us_an_order`: what one order costs more than none, with all that
follows it: the router, the venue, reports, what is kept for the result. peers.py has the same beside other engines.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import attrs
import msgspec
import numpy as np

from ticktree.actors import DropOldest, Mailbox, Reason
from ticktree.backtesting.result import Outcome
from ticktree.backtesting.running import prepared
from ticktree.feeds.files import write_ticks
from ticktree.market import TICK, Ema, EventKind, Instrument, Quote, TickFlag, TickKind, Ticks
from ticktree.parts import App, VenuePart, strategy_part
from ticktree.routing import Fees, VenueRules
from ticktree.routing.venues.simulated import Latency
from ticktree.strategies import Strategy

from .measure import Figure, Inexact, Plan, per_second, with_extra
from .replay import BEGAN_NS, FEED, ROUTER, Sum, feed_part, made

INSTRUMENTS = tuple(
    Instrument(name, id, Decimal("0.01"), Decimal("0.001")) for id, name in enumerate(("BTC-USDT", "ETH-USDT"))
)
FAST, SLOW, SIZE = 10, 50, Decimal("0.1")
WAVE = 1_000  # quotes of an instrument between two buys of it
TICKS_AN_ORDER = WAVE * len(INSTRUMENTS) / (2 * len(INSTRUMENTS))
TAKER, LATENCY_S = Decimal("0.0005"), 0.001
APART_NS = 500_000  # on average


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether it sends what it would."""

    trades: bool = True


class Known:
    """What is known of one instrument: its averages, how many quotes came, and whether the fast one is above."""

    __slots__ = ("above", "fast", "quotes", "slow")

    def __init__(self) -> None:
        self.fast, self.slow, self.quotes, self.above = Ema(FAST), Ema(SLOW), 0, False


class Crossing(Strategy[Params]):
    """Buys when the fast average comes above the slow one, and sells when it no longer is.

    Its mailbox does not conflate, as the default does with quotes of one read: its averages are of all quotes.
    """

    topics = (f"{FEED}/*/quote",)
    mailbox = Mailbox(65_536, DropOldest())
    total: ClassVar[Sum]

    def on_start(self) -> None:
        self.known = {instrument.name: Known() for instrument in INSTRUMENTS}

    def on_quote(self, quote: Quote) -> None:
        known, mid = self.known[quote.instrument.name], quote.mid
        known.quotes += 1
        above = known.fast.update(mid) > known.slow.update(mid)
        if above is not known.above:
            known.above = above
            if known.quotes >= SLOW and self.params.trades:
                self._cross(quote.instrument, above)

    def on_stop(self, reason: Reason) -> None:
        self.total.ticks = sum(known.quotes for known in self.known.values())

    def _cross(self, instrument: Instrument, above: bool) -> None:
        held = self.position(instrument)
        if above and not held:
            self.buy(instrument, SIZE)
        elif not above and held > 0:
            self.sell(instrument, held)


@attrs.frozen
class Market:
    """A file of quotes, received so many at a time."""

    path: Path
    ticks: int
    rows: int


@attrs.define
class Run:
    """What one back-test took, and came to. `whole_s`: with its preparation."""

    run_s: float
    whole_s: float
    outcome: Outcome

    @property
    def orders(self) -> int:
        """That were sent."""
        return len(self.outcome.orders)


@attrs.define
class Ours:
    """The sides that are ours; `runs` are all that ran."""

    market: Market
    trades: bool = True
    runs: list[Run] = attrs.field(factory=list[Run])

    async def seconds_a_tick(self) -> float:
        """Of `Running.run()`, in a thread of its own."""
        self.runs.append(await asyncio.to_thread(run, self.market, self.trades))
        return self.runs[-1].run_s / self.market.ticks


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`backtest`."""
    with tempfile.TemporaryDirectory() as folder:
        for rows in (1, 32):
            market = written(Path(folder), rows, plan.size(64_000, 6_400))
            trading, watching = Ours(market), Ours(market, trades=False)
            name = "backtest", f"orders_{rows}"
            figure = await plan.compare(name, per_second("ticks"), trading.seconds_a_tick, watching.seconds_a_tick)
            orders = trading.runs[-1].orders
            us_an_order = (1 / figure.ours - 1 / figure.yardstick) * market.ticks / orders * 1e6
            yield with_extra(figure, ticks=market.ticks, rows=rows, orders=orders, us_an_order=round(us_an_order, 1))


def run(market: Market, trades: bool = True) -> Run:
    """One back-test. Raises `Inexact` for one that lost anything, or did not trade as it should."""
    total, began_s = Sum(), time.perf_counter()
    running = prepared(app(total, trades), [market.path])
    prepared_s = time.perf_counter()
    outcome = running.run()
    ended_s = time.perf_counter()
    orders, wanted = len(outcome.orders), market.ticks / TICKS_AN_ORDER if trades else 0
    if outcome.incomplete or total.ticks != market.ticks:
        raise Inexact(f"{total.ticks} ticks were handled of {market.ticks}; {outcome.incomplete}")
    if len(outcome.fills) != orders or not 0.8 * wanted <= orders <= 1.2 * wanted:
        raise Inexact(f"{orders} orders and {len(outcome.fills)} fills, where about {wanted:.0f} were meant")
    return Run(ended_s - prepared_s, ended_s - began_s, outcome)


def app(total: Sum, trades: bool = True) -> App:
    """What is back-tested."""
    latency = Latency(fixed_s=LATENCY_S, back=Latency())  # one way only: others have none for the way back
    venue = VenuePart("paper", prices=FEED, latency=latency, rules=VenueRules(fees=Fees(taker=TAKER)))
    return App(
        feeds=(feed_part(INSTRUMENTS, EventKind.QUOTE),), venues=(venue,), routers=(ROUTER,),
        strategies=(strategy_part(made(Crossing, total), params=Params(trades)),),
    )  # fmt: skip


def written(folder: Path, rows: int, count: int) -> Market:
    """A file of so many quotes, received `rows` at a time."""
    path = folder / f"{FEED}-{rows}.ticks"
    write_ticks(path, FEED, INSTRUMENTS, [quotes(rows, count)])
    return Market(path, count, rows)


def quotes(rows: int, count: int) -> Ticks:
    """Quotes whose middles go up and down in waves, the instruments in turn, at times that vary."""
    numbers = np.arange(count)
    reads = np.random.default_rng(1).integers(APART_NS // 2, APART_NS * 3 // 2, -(-count // rows)) * rows
    middles = 10_000 + np.round(1_000 * np.cos(numbers // len(INSTRUMENTS) / WAVE * np.pi * 2))  # increments
    ticks: Ticks = np.zeros(count, TICK)
    ticks["instrument"], ticks["kind"], ticks["flags"] = numbers % len(INSTRUMENTS), TickKind.QUOTE, TickFlag.LAST
    ticks["sequence"], ticks["a"], ticks["c"] = numbers, (middles - 1) / 100, (middles + 1) / 100
    ticks["b"] = ticks["d"] = 10
    ticks["received_time_ns"] = ticks["venue_time_ns"] = BEGAN_NS + np.repeat(np.cumsum(reads), rows)[:count]
    return ticks
