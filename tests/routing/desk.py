"""A router with a paper venue, and a desk to trade from, under a supervisor."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs

from ticktree.actors import Block, ChildSpec, Mailbox, Supervisor, System
from ticktree.market import Number, Quote, Side
from ticktree.routing import Desk, OrderHandle, Portfolio, Router, Timeout
from ticktree.routing.venues.simulated import SimulatedVenue

from ..market.samples import BTC
from ..probe import Probe

BOX = Mailbox(1_000, Block())


@attrs.frozen
class Rig:
    system: System
    portfolio: Portfolio
    owner: Probe
    desk: Desk

    def buy(self, quantity: Number = "0.01", limit: Number | None = None) -> OrderHandle:
        return self.desk.submit(self.system.ref("owner"), Side.BUY, BTC, quantity, limit)

    def sell(self, quantity: Number = "0.01", limit: Number | None = None) -> OrderHandle:
        return self.desk.submit(self.system.ref("owner"), Side.SELL, BTC, quantity, limit)

    def show(self, quote: Quote) -> None:
        self.system.ref("paper").tell(quote)

    async def fill(self) -> Any:
        return await self.owner.get()


@asynccontextmanager
async def trading(deadline_s: float = 2.0, latency_s: float = 0.0, stop_wait_s: float = 2.0) -> AsyncGenerator[Rig]:
    portfolio, owner = Portfolio("e"), Probe("owner")
    venues, policy = {"paper": "paper"}, Timeout("paper", deadline_s)
    tree = Supervisor(
        (
            ChildSpec("paper", lambda: SimulatedVenue("paper", portfolio, latency_s), BOX),
            ChildSpec("router", lambda: Router("router", policy, venues, portfolio, stop_wait_s), BOX),
            owner.spec,
        ),
        intensity=5,
    )
    system = System(tree)
    desk = Desk("s", "router", portfolio, lambda: system.ref("router"))
    async with system:
        yield Rig(system, portfolio, owner, desk)
