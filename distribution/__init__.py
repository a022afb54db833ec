"""Ticks across: from feeds to everyone who asked for them."""

from .errors import BadSubscription as BadSubscription, DistributionError as DistributionError, NoSuchFeed as NoSuchFeed
from .hub import Hub as Hub
from .subscription import Subscription as Subscription
