"""An exchange that is not there: a seeded market over real sockets, faults on demand, and the feeds that read it."""

from .exchange import SimulatedExchange as SimulatedExchange, Stats as Stats, Where as Where
from .faults import BadFault as BadFault, FaultKind as FaultKind, Faults as Faults, When as When
from .feeds import SimulatedDialectFeed as SimulatedDialectFeed, SimulatedFeed as SimulatedFeed
from .market import (
    BTC_USDT as BTC_USDT,
    ETH_USDT as ETH_USDT,
    Halt as Halt,
    Market as Market,
    Prices as Prices,
    Truth as Truth,
)
from .stats import ExchangeStats as ExchangeStats
