"""A relay at one moment, as a value."""

from collections.abc import Mapping

import attrs

from ticktree.actors import Request


@attrs.frozen
class ClientFigures:
    """One client that was let in.

    In ticks (bars among them): `sent`, `skipped` as it was told, and `buffered`, in its mailbox and gathered for the
    next frame. `unsent_bytes` were written and wait for the network.
    """

    path: str  # of its actor
    remote: str  # host:port; empty over a Unix socket
    speaks: str  # "wire" or "dialect"
    topics: tuple[str, ...]
    sent: int
    skipped: int
    buffered: int
    unsent_bytes: int
    since_ns: int


@attrs.frozen
class RelayFigures:
    """The relay. `sent` and `skipped` are of all clients there ever were; what else is counted only grows, too.

    connections  there are, those among them that have not been let in yet
    waiting      of them, whose HELLO waits for its answer
    admitted     clients that were let in, ever
    refused      requests and connections, by the reason that was told
    turned_away  connections that were closed without a word: there were too many even to tell them so
    lost         connections that ended, by the name of the error
    """

    urls: tuple[str, ...]
    clients: tuple[ClientFigures, ...]
    connections: int
    waiting: int
    admitted: int
    sent: int
    skipped: int
    refused: Mapping[str, int]
    turned_away: int
    lost: Mapping[str, int]


class Figures(Request[RelayFigures]):
    """Asks a relay's server how it stands."""
