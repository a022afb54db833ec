"""The hub for other processes: clients subscribe over TCP, Unix sockets and WebSockets, each with its own buffer."""

from .figures import ClientFigures as ClientFigures, Figures as Figures, RelayFigures as RelayFigures
from .server import BUFFER as BUFFER, Relay as Relay
