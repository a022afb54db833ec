"""What keeps a recording from being served.

FeedError
└── PlaybackError              base
    ├── NothingRecorded        yours: the recording holds no message of an exchange
    ├── ForeignRecording       yours: it is not of the exchange it is said to be
    ├── UnknownExchange        yours: nobody knows how that exchange speaks, or which one it is
    └── CannotListen           yours: the port is taken, or not for everybody
"""

from collections.abc import Iterable

from ..errors import FeedError


class PlaybackError(FeedError, ValueError):
    """A recording that cannot be served."""


class CannotListen(PlaybackError):
    """At `port`."""

    def __init__(self, port: int, why: str) -> None:
        super().__init__(f"cannot listen at 127.0.0.1, port {port}: {why}; port 0 takes a free one")
        self.port = port


class NothingRecorded(PlaybackError):
    """There is nothing in it to be told."""

    def __init__(self) -> None:
        super().__init__("the recording holds no message that an exchange sent: record one that has subscriptions")


class ForeignRecording(PlaybackError):
    """It is not of `exchange`: its addresses are of `found`, or `head` begins a message that is of another."""

    def __init__(self, exchange: str, head: bytes, found: str = "") -> None:
        why = f"its addresses are of {found}" if found else f"it has no message of the kind; one begins {head[:64]!r}"
        super().__init__(f"the recording is not of {exchange}: {why}")
        self.exchange, self.head, self.found = exchange, head[:64], found


class UnknownExchange(PlaybackError):
    """`exchange` is none of `known`; empty: the recording's addresses name none of them."""

    def __init__(self, exchange: str, known: Iterable[str]) -> None:
        self.exchange, self.known = exchange, tuple(known)
        names = ", ".join(self.known)
        if exchange:
            super().__init__(f"there is no exchange {exchange!r} to be played; there is {names}")
        else:
            super().__init__(f"the recording's addresses are of no exchange that is known: say which it is, of {names}")
