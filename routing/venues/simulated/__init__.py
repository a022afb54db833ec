"""A venue that is not there: price-time matching against market data, with latency and faults when wanted."""

from .accounts import VenueOrder as VenueOrder
from .engine import Engine as Engine
from .faults import (
    Faults as Faults,
    FaultyLink as FaultyLink,
    FaultyVenue as FaultyVenue,
)
from .gateway import SimulatedGateway as SimulatedGateway, Unreadable as Unreadable
from .latency import (
    Drawn as Drawn,
    Latency as Latency,
    Lognormal as Lognormal,
    Percentiles as Percentiles,
    Samples as Samples,
)
from .voice import OnReport as OnReport
