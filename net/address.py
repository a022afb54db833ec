"""Where to connect to, or to listen: one form for every way that bytes travel."""

from ipaddress import ip_address
from typing import Final, Literal, cast
from urllib.parse import SplitResult, urlsplit

import attrs

from .errors import BadAddress, without_secrets

Scheme = Literal["tcp", "tls", "unix", "ws", "wss"]

_PORTS: Final = {"tcp": None, "tls": None, "unix": None, "ws": 80, "wss": 443}


@attrs.frozen
class Address:
    """One address. `str()` leaves out what may be secret: the query.

    `path`: of a Unix socket, the file; of a WebSocket, the request target with its query, at least "/" (RFC 6455,
    section 3); else empty. A Unix socket has no host, and port 0.
    """

    url: str = attrs.field(repr=False)
    scheme: Scheme
    host: str
    port: int
    path: str = attrs.field(repr=False)

    @classmethod
    def parse(cls, url: str) -> "Address":
        """The address `url` names. Raises `BadAddress`."""
        if not url.isprintable() or " " in url:
            raise BadAddress(url, "it holds a space or a control character")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise BadAddress(url, str(error)) from error
        if parts.scheme not in _PORTS:
            raise BadAddress(url, f"the scheme {parts.scheme!r} is not spoken")
        if "@" in parts.netloc:
            raise BadAddress(url, "a user or password has no place in it")
        if "#" in url:
            raise BadAddress(url, "a fragment has no place in it")
        port = port if port is not None else _PORTS[parts.scheme]
        return cls(url, cast(Scheme, parts.scheme), parts.hostname or "", port or 0, _path(url, parts, port))

    @property
    def is_tls(self) -> bool:
        """Whether the bytes are encrypted, and the other side proves who it is."""
        return self.scheme in ("tls", "wss")

    @property
    def is_websocket(self) -> bool:
        """Whether WebSocket messages travel, not a stream."""
        return self.scheme in ("ws", "wss")

    @property
    def is_loopback(self) -> bool:
        """Whether nobody outside of this machine can be at the other end."""
        if self.scheme == "unix" or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:  # a name; what it means is up to who answers for names
            return False

    def bound(self, host: str, port: int) -> str:
        """This address, as the socket that was bound for it says."""
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{port}{self.path}"

    def __str__(self) -> str:
        return without_secrets(self.url)


def _path(url: str, parts: SplitResult, port: int | None) -> str:
    if parts.scheme == "unix":
        if parts.netloc or "?" in url or not parts.path.strip("/"):
            raise BadAddress(url, "a Unix socket has an absolute path, after three slashes, and nothing else")
        return parts.path
    if not parts.hostname or port is None:
        raise BadAddress(url, "it needs a host and a port")
    if parts.scheme in ("ws", "wss"):
        if not url.isascii():
            raise BadAddress(url, "what is not ASCII must be percent-encoded")
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.path or "?" in url:
        raise BadAddress(url, "it needs a host and a port, and nothing else")
    return ""
