"""The risk gate: what an order and each of its legs must pass before anything is sent."""

from .gate import Exposures as Exposures, Gate as Gate
from .limits import Limits as Limits, SelfTrade as SelfTrade
