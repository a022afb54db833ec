"""What users write wrong, as plug-ins that configurations of tests name, and parts that wait to be interrupted."""

import asyncio
import logging
import time
from random import Random
from typing import Any

from ticktree import Quote, Strategy
from ticktree.feeds import WireFeed
from ticktree.market import BookUpdate
from ticktree.routing.gateway import Hears
from ticktree.routing.venues.tcp import TcpGateway

BTC = ("*/BTC-USDT/quote",)
log = logging.getLogger("ticktree.strategies")


class Raises(Strategy):
    """Always."""

    topics = BTC

    def on_quote(self, quote: Quote) -> None:
        raise ValueError("no\nidea")


class Blocks(Strategy):
    """The loop, for longer than the watchdog's bound, once."""

    topics = BTC
    blocked = False

    def on_quote(self, quote: Quote) -> None:
        if not self.blocked:
            self.blocked = True
            time.sleep(0.4)


class Floods(Strategy):
    """Orders 5,000 times in one handler, once."""

    topics = BTC
    flooded = False

    def on_quote(self, quote: Quote) -> None:
        if not self.flooded:
            self.flooded = True
            for _ in range(5_000):
                self.buy(quote.instrument, "0.001", limit=quote.bid)
            log.info("flooded")


class Deaf(Strategy):
    """Subscribes to nothing."""


class Cannot(Strategy):
    """Does not start."""

    topics = BTC

    def on_start(self) -> None:
        raise RuntimeError("no licence")


class Lingers(Strategy):
    """Takes its time with each message."""

    topics = ("*/BTC-USDT/book",)  # of which none may be left out

    async def on_book(self, update: BookUpdate) -> None:
        await asyncio.sleep(0.3)
        log.info("took its time")


class WaitingStrategy(Strategy):
    """Starts for as long as it is let."""

    topics = BTC

    async def on_start(self) -> None:
        await waiting("strategy")


class WaitingFeed(WireFeed):
    """Likewise."""

    def on_start(self) -> Any:
        return waiting("feed")


class WaitingGateway(TcpGateway):
    """Never has a session, so that the start waits for it."""

    def start(self, hears: Hears, random: Random) -> None:
        log.info("the venue waits")


async def waiting(what: str) -> None:
    log.info("the %s waits", what)
    await asyncio.Event().wait()
