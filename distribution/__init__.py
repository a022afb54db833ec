"""Ticks across: from feeds to everyone who asked for them."""

from .errors import (
    BadRelay as BadRelay,
    BadSubscription as BadSubscription,
    DistributionError as DistributionError,
    NoSuchFeed as NoSuchFeed,
)
from .hub import Hub as Hub
from .relay import (
    ClientFigures as ClientFigures,
    Figures as Figures,
    Relay as Relay,
    RelayFigures as RelayFigures,
)
from .subscription import Subscription as Subscription
