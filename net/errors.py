"""Every error the network raises or reports, each naming the address.

NetError
├── BadAddress (ValueError)       yours: no address, or a scheme that is not spoken
└── Lost                          theirs: the other side cannot be reached, or went
    ├── Unreachable               no connection could be made
    ├── PeerLost                  a connection broke, or the peer closed it
    └── Silent                    nothing came for longer than agreed
"""


class NetError(Exception):
    """Base of everything this room raises."""


class BadAddress(NetError, ValueError):
    """No address, or a scheme that is not spoken."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url!r} is no address: {why}; an address is tcp://host:port")
        self.url = url


class Lost(NetError):
    """The other side cannot be reached, or went."""


class Unreachable(Lost):
    """No connection to `url` could be made; `__cause__` says why where there is more to say."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url} cannot be reached: {why}")
        self.url = url


class PeerLost(Lost):
    """A connection broke, or the peer closed it."""


class Silent(Lost):
    """Nothing came for `silent_s` seconds."""

    def __init__(self, silent_s: float) -> None:
        super().__init__(f"nothing came for {silent_s:.1f} s")
        self.silent_s = silent_s
