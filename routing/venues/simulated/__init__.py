"""A venue that is not there: price-time matching against market data, with latency and faults when wanted."""

from .accounts import VenueOrder as VenueOrder
from .engine import Engine as Engine
from .faults import (
    Faults as Faults,
    FaultyLink as FaultyLink,
    FaultyVenue as FaultyVenue,
    Latency as Latency,
)
from .gateway import SimulatedGateway as SimulatedGateway, Unreadable as Unreadable
from .voice import OnReport as OnReport
