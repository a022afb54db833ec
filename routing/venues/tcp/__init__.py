"""The order-entry protocol (docs/order-entry-protocol.md): a gateway that speaks it, a server that fronts engines."""

from .desk import Engine as Engine, Front as Front
from .faults import LineFaults as LineFaults
from .gateway import NotOffered as NotOffered, TcpGateway as TcpGateway
from .server import OrderEntryServer as OrderEntryServer
from .session import Malformed as Malformed, ProtocolError as ProtocolError, SequenceBroken as SequenceBroken
from .venue_server import VenueServer as VenueServer, Where as Where
