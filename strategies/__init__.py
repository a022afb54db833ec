"""What users subclass, and worked strategies."""

from .arbitrage import Arbitrage as Arbitrage
from .errors import (
    BadParams as BadParams,
    BadStrategy as BadStrategy,
    ColumnsConflate as ColumnsConflate,
    NoBook as NoBook,
    NotAtDesk as NotAtDesk,
    StrategyError as StrategyError,
)
from .market_maker import MarketMaker as MarketMaker
from .momentum import Momentum as Momentum
from .pairs import Pairs as Pairs
from .params import NoParams as NoParams, above_zero as above_zero, fitting as fitting, params_type as params_type
from .risk_monitor import RiskMonitor as RiskMonitor
from .strategy import Strategy as Strategy
from .twap import Twap as Twap
