"""Bytes in and out: connections, framings and reconnecting sessions; knows neither markets nor orders."""

from .address import Address as Address
from .buffers import ReadBuffers as ReadBuffers, ShortReads as ShortReads
from .connect import connect as connect
from .connection import Connection as Connection, Peer as Peer
from .errors import (
    BadAddress as BadAddress,
    BadFrame as BadFrame,
    CannotListen as CannotListen,
    HandshakeFailed as HandshakeFailed,
    Lost as Lost,
    NameUnknown as NameUnknown,
    NetError as NetError,
    NoAnswer as NoAnswer,
    NoFrame as NoFrame,
    Oversize as Oversize,
    PeerLost as PeerLost,
    Refused as Refused,
    Silent as Silent,
    TlsFailed as TlsFailed,
    TokenNeeded as TokenNeeded,
    Unlocated as Unlocated,
    Unreachable as Unreachable,
)
from .framing import Framing as Framing, LengthPrefixed as LengthPrefixed, Lines as Lines, Records as Records
from .pulse import Pulse as Pulse
from .server import Server as Server
from .session import Attempts as Attempts, Client as Client, Session as Session
from .stream import StreamConnection as StreamConnection
from .websocket import WebSocketConnection as WebSocketConnection
from .websocket_rules import (
    HandshakeRefused as HandshakeRefused,
    PeerClosed as PeerClosed,
    UpgradeRequest as UpgradeRequest,
    WebSocketAccess as WebSocketAccess,
    WebSocketLimits as WebSocketLimits,
    WebSocketViolation as WebSocketViolation,
)
