"""Bytes in and out: connections, framings and reconnecting sessions; knows neither markets nor orders."""

from .errors import (
    BadAddress as BadAddress,
    Lost as Lost,
    NetError as NetError,
    PeerLost as PeerLost,
    Silent as Silent,
    Unreachable as Unreachable,
)
from .framing import Framing as Framing
from .session import Client as Client, Session as Session
from .tcp import Connection as Connection, Peer as Peer, Server as Server, connect as connect
