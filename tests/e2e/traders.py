"""Strategies that keep routers busy with orders of all kinds, and the application around them.

    python -m tests.e2e.traders JOURNAL RELAY_URL NAME=URL ...

runs it until a signal comes; orders are left in flight then.
"""

import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random

import attrs

from ticktree import App, Quote, Strategy, run
from ticktree.actors import DropOldest, Mailbox
from ticktree.app import FeedPart, JournalPart, RouterPart, StrategyPart, TcpVenuePart
from ticktree.feeds import WireFeed
from ticktree.market import EventKind, Instrument, Side, Topic, batch_rows
from ticktree.routing import (
    AllOf,
    AnyOf,
    BestOf,
    Limits,
    OrderHandle,
    OrderState,
    OrderUpdate,
    Patience,
    Policy,
    SelfTrade,
    Share,
    Sweep,
    Terms,
    TimeInForce,
    Timeout,
    UnknownOrder,
    Unwind,
    policy_from,
)

from .venues import ACCOUNT

NAMES = ("a", "b", "c")
PATIENCE = Patience(ack_s=0.3, again_s=0.1, resets_after=3, explains_after=10, live_s=0.5, look_s=0.02)
POLICIES: dict[str, Policy] = {
    "timeout": Timeout("a", 0.05),
    "any": policy_from({"policy": "any", "venues": NAMES, "deadline": "500ms", "each": "100ms"}),
    "all": AllOf(("a", "b", Share("c", weight=2)), 0.2, Unwind(within_s=1.0)),
    "hold": AllOf(NAMES, 0.2),
    "best": BestOf(NAMES, max_price_age_s=2.0, deadline_s=0.3),
    "sweep": Sweep(NAMES, max_price_age_s=2.0, deadline_s=0.3),
    "race": AnyOf(("b", "c"), 0.3, racing=True),
}
ROOM = Mailbox(10_000, DropOldest(), batch_rows)
GTC, IOC = TimeInForce.GTC, TimeInForce.IOC


class Trader(Strategy):
    """Sends `count` orders, `at_once` at a time, and takes those back whose callers were answered."""

    def __init__(self, seed: int, count: int, racing: bool = False, at_once: int = 3) -> None:
        self.handles: list[OrderHandle] = []
        self.updates: list[OrderUpdate] = []
        self._random, self._count, self._racing, self._at_once = Random(seed), count, racing, at_once
        self._canceled: set[str] = set()
        self._pause = 0  # quotes to let pass

    def on_quote(self, quote: Quote) -> None:
        working = {order.id for order in self.working(quote.instrument)}
        for handle in self.handles:
            if handle.order.id in working and handle.done and handle.order.id not in self._canceled:
                self._take_back(handle)
        self._pause -= 1
        if self._pause < 0 and len(self.handles) < self._count and len(working) < self._at_once:
            self.handles.append(self.order(quote))

    def _take_back(self, handle: OrderHandle) -> None:
        try:
            if self._random.random() < 0.2:
                self.replace(handle.order, handle.order.quantity / 2)
            self.cancel(handle.order)
            self._canceled.add(handle.order.id)
        except (UnknownOrder, ValueError):  # it ended meanwhile, or half of it is no whole increment
            pass

    def on_report(self, update: OrderUpdate) -> None:
        self.updates.append(update)
        if not update.leg_id and update.state is OrderState.REJECTED:
            self._pause = 10

    def order(self, quote: Quote) -> OrderHandle:
        """A random one, which brings the position back rather than not."""
        random, btc = self._random, quote.instrument
        side = Side.BUY if self.position(btc) < random.choice((-1, 0, 1)) else Side.SELL
        quantity = btc.size(random.randint(4, 400))
        price = Decimal(str(quote.ask if side is Side.BUY else quote.bid))
        away = random.choice((-2, -1, 0, 1, 3)) * btc.price_increment * 100
        limit = None if random.random() < 0.2 else price - away if side is Side.BUY else price + away
        when = IOC if limit is None else random.choice((None, GTC, IOC))
        return self.send(side, btc, quantity, limit, Terms(when, max_overfill=quantity if self._racing else 0))

    def send(
        self, side: Side, instrument: Instrument, quantity: Decimal, limit: Decimal | None, terms: Terms
    ) -> OrderHandle:
        send = self.buy if side is Side.BUY else self.sell
        return send(instrument, quantity, limit, terms)


class Resting(Trader):
    """Its orders rest, far away from the market."""

    def order(self, quote: Quote) -> OrderHandle:
        btc = quote.instrument
        price = btc.price(btc.nearest_price(quote.bid * 0.95))
        return self.send(Side.BUY, btc, Decimal("0.01"), price, Terms(GTC))

    def on_report(self, update: OrderUpdate) -> None:
        super().on_report(update)
        if not update.leg_id and update.state is OrderState.REJECTED:  # the venues were not ready yet
            self._count += 1
        resting = sum(one.state is OrderState.LIVE for one in self.updates)
        print(f"{resting} legs rest; {update.venue} {update.state} {update.reason}", flush=True)

    def _take_back(self, handle: OrderHandle) -> None:
        pass


@attrs.frozen
class Where:
    """Addresses: the relay's, the venues' by name."""

    relay: str
    venues: dict[str, str]


def app(where: Where, journal: Path, strategies: Mapping[str, tuple[str, Callable[[], Trader]]]) -> App:
    """`strategies`: name -> (router, how each life is made)."""
    topics = (Topic("market", "BTC-USDT", EventKind.QUOTE),)
    return App(
        feeds=(FeedPart("market", partial(WireFeed, url=where.relay), ("BTC-USDT",)),),
        venues=tuple(TcpVenuePart(name, url, ACCOUNT, patience=PATIENCE) for name, url in where.venues.items()),
        routers=tuple(RouterPart(name, policy) for name, policy in POLICIES.items()),
        strategies=tuple(StrategyPart(name, make, topics, router, ROOM) for name, (router, make) in strategies.items()),
        limits=Limits(self_trade=SelfTrade.CANCEL_RESTING, max_position={"*": 1_000}),
        journal=JournalPart(journal),
    )


def main(journal: str, relay: str, *venues: str) -> None:
    where = Where(relay, dict(venue.split("=", 1) for venue in venues))
    run(app(where, Path(journal), {"hold": ("hold", partial(Resting, 1, 3))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
