"""What users subclass, and worked strategies."""

from .errors import ColumnsConflate as ColumnsConflate, NotAtDesk as NotAtDesk, StrategyError as StrategyError
from .momentum import Momentum as Momentum
from .strategy import Strategy as Strategy
