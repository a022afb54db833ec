"""What the demo runs: two feeds, three venues, four ways to route an order, and the strategies."""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Literal

import attrs

from ticktree.feeds import WireFeed
from ticktree.feeds.dialect import DialectFeed
from ticktree.market import Topic
from ticktree.routing import AllOf, AnyOf, BestOf, Limits, SelfTrade, Share, Timeout, Unwind
from ticktree.strategies import arbitrage, market_maker, momentum, pairs, risk_monitor
from ticktree.strategies.arbitrage import Arbitrage
from ticktree.strategies.market_maker import MarketMaker
from ticktree.strategies.momentum import Momentum
from ticktree.strategies.pairs import Pairs
from ticktree.strategies.risk_monitor import RiskMonitor

from ..parts import (
    App,
    FeedPart,
    JournalPart,
    RouterPart,
    StrategyPart,
    SystemPart,
    TcpVenuePart,
    strategy_part,
)
from .places import ACCOUNT, INSTRUMENTS, NORTH, SOUTH, VENUES

READ_BY = {NORTH: "TCP, wire protocol", SOUTH: "WebSocket, JSON"}
LIMITS = Limits(
    max_position={"BTC-USDT": "1", "*": "20"},
    max_order_notional={"USDT": "50000"},
    max_orders_per_s=500,
    price_collar="0.01",
    max_price_age_s=2,
    self_trade=SelfTrade.CANCEL_RESTING,
)


def application(urls: Mapping[str, str], journal: Path, loop: Literal["uvloop", "asyncio"]) -> App:
    """Of what stands at these addresses, by name."""
    return App(
        feeds=(
            FeedPart(NORTH, partial(WireFeed, url=urls[NORTH]), INSTRUMENTS),
            FeedPart(SOUTH, partial(DialectFeed, url=urls[SOUTH]), INSTRUMENTS),
        ),
        venues=tuple(TcpVenuePart(name, urls[name], ACCOUNT) for name in VENUES),
        routers=(
            RouterPart("any", AnyOf(("alpha", "gamma"), deadline_s=0.5)),
            RouterPart("timeout", Timeout("beta", deadline_s=0.25)),
            RouterPart("best", BestOf(("alpha", "gamma"), max_price_age_s=1.0, deadline_s=0.5)),
            RouterPart("all", AllOf(("alpha", Share("beta", opposite=True)), 1.0, Unwind(within_s=2.0))),
        ),
        strategies=strategies(),
        limits=LIMITS,
        journal=JournalPart(journal),
        system=SystemPart(loop=loop, watchdog_s=1.0),
    )


def strategies() -> tuple[StrategyPart, ...]:
    """Each with a router of its own, and one that only watches."""
    quick = momentum.Params(fast=5, slow=30, pause_s=0.25)
    close = market_maker.Params(half_spread=0.00015, skew=0.0001, tolerance=0.0001)
    ratio = pairs.Params(span=200, enter=1.5, pause_s=0.25)
    between = arbitrage.Params(near=NORTH, far=SOUTH, fees=0.00015, edge=0.0004)
    bounds = risk_monitor.Params(max_drawdown=Decimal(500), max_exposure=Decimal(100_000))
    return (
        _on(strategy_part(Momentum, "any", "momentum", quick), f"{NORTH}/*/quote"),
        # Nobody else trades where it quotes: orders of one account must not meet.
        _on(strategy_part(MarketMaker, "timeout", "market-maker", close), f"{SOUTH}/ETH-USDT/quote"),
        _on(strategy_part(Pairs, "best", "pairs", ratio), f"{NORTH}/*/quote"),
        strategy_part(Arbitrage, "all", "arbitrage", between),
        strategy_part(RiskMonitor, "any", "risk-monitor", bounds),
    )


def _on(part: StrategyPart, topic: str) -> StrategyPart:
    """The same, of other topics than its class names."""
    return attrs.evolve(part, topics=(Topic.parse(topic),))
