"""Ticks in: feed actors that read, order and check what an exchange sends."""

from .errors import FeedError as FeedError, Refused as Refused, UnknownMessage as UnknownMessage
from .feed import Feed as Feed, FeedAccount as FeedAccount, Sink as Sink, Source as Source
from .simulated import Market as Market, SimulatedExchange as SimulatedExchange, SimulatedFeed as SimulatedFeed
from .wire import WireFeed as WireFeed
