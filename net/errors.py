"""Every error the network raises or reports, each naming the address or the place in the stream.

NetError
├── BadAddress (ValueError)       yours: no address, or a scheme that is not spoken
├── CannotListen                  yours: the address cannot be bound
│   └── TokenNeeded               beyond loopback nobody listens without a token
├── BadFrame                      theirs: bytes that are not the framing; carries the offset and the first bytes
│   ├── Oversize                  a frame longer than the bound; a negative length reads as such
│   └── NoFrame                   a frame whose end does not come within the bound
└── Lost                          theirs: the other side cannot be reached, or went
    ├── Unreachable               no connection could be made
    │   ├── Unlocated             nobody told the address
    │   ├── NameUnknown           the name has no address (DNS)
    │   ├── Refused               nobody listens there
    │   ├── NoAnswer              nothing came back in time
    │   ├── TlsFailed             no trust: certificate, name or protocol; never followed by plain text
    │   └── HandshakeFailed       connected, but the other side does not speak our protocol
    │       └── HandshakeRefused  a WebSocket server answered with another HTTP status (websocket_rules.py)
    ├── PeerLost                  a connection broke, or the peer closed it
    │   └── PeerClosed            it said goodbye with a WebSocket close code (websocket_rules.py)
    ├── WebSocketViolation        the peer broke a rule of RFC 6455 (websocket_rules.py)
    └── Silent                    nothing came for longer than agreed

None of them carries the user, password or query of an address: those may be secrets, and errors reach logs.
"""

import re


def without_secrets(url: str) -> str:
    """`url` as it may be shown: without user, password and query."""
    return re.sub("//[^/?#]*@", "//", re.sub("[?#].*", "?...", url, flags=re.DOTALL))


class NetError(Exception):
    """Base of everything this room raises."""


class BadAddress(NetError, ValueError):
    """No address, or a scheme that is not spoken."""

    def __init__(self, url: str, why: str) -> None:
        self.url = without_secrets(url)
        super().__init__(
            f"{self.url!r} is no address: {why}; an address is tcp://host:port, tls://host:port, unix:///path, "
            f"ws://host[:port]/path or wss://host[:port]/path"
        )


class CannotListen(NetError):
    """`url` cannot be bound."""

    def __init__(self, url: str, why: str) -> None:
        self.url = without_secrets(url)
        super().__init__(f"cannot listen at {self.url}: {why}")


class TokenNeeded(CannotListen):
    """Whoever listens beyond loopback gives a token, which the peer protocol asks of everyone who connects."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "it is not loopback, and there is no token to ask for: give one (token=, TICKTREE_TOKEN)")


class BadFrame(NetError):
    """Bytes that are not the framing. `offset` counts from the connection's first byte."""

    def __init__(self, offset: int, head: bytes, why: str) -> None:
        super().__init__(f"at byte {offset}: {why}; the frame begins {head[:16].hex(' ')}")
        self.offset, self.head = offset, head[:16]


class Oversize(BadFrame):
    """A frame says it is `length` bytes long, where `bound` is the most."""

    def __init__(self, offset: int, head: bytes, length: int, bound: int) -> None:
        super().__init__(offset, head, f"a frame of {length} bytes, where {bound} is the most")
        self.length, self.bound = length, bound


class NoFrame(BadFrame):
    """No frame ends within the `bound` bytes that one may take."""

    def __init__(self, offset: int, head: bytes, bound: int) -> None:
        super().__init__(offset, head, f"no frame ends within {bound} bytes")
        self.bound = bound


class Lost(NetError):
    """The other side cannot be reached, or went."""


class Unreachable(Lost):
    """No connection to `url` could be made; `__cause__` says why where there is more to say."""

    def __init__(self, url: str, why: str) -> None:
        self.url = without_secrets(url)
        super().__init__(f"{self.url} cannot be reached: {why}")


class Unlocated(Unreachable):
    """Nobody told the address."""

    def __init__(self, why: str) -> None:
        super().__init__("an address still to be told", why)


class NameUnknown(Unreachable):
    """The name in `url` has no address."""


class Refused(Unreachable):
    """Nobody listens at `url`."""


class NoAnswer(Unreachable):
    """Nothing came back in time."""


class TlsFailed(Unreachable):
    """The other side could not prove who it is, or does not speak TLS. There is no fallback to plain text."""


class HandshakeFailed(Unreachable):
    """The other side was reached, and does not speak our protocol."""


class PeerLost(Lost):
    """A connection broke, or the peer closed it."""


class Silent(Lost):
    """Nothing came for `silent_s` seconds."""

    def __init__(self, silent_s: float) -> None:
        super().__init__(f"nothing came for {silent_s:.1f} s")
        self.silent_s = silent_s
