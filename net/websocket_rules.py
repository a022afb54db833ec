"""What RFC 6455 asks of frames, close frames and handshakes beyond what picows checks; no I/O, no asyncio."""

import codecs
from collections.abc import Callable, Collection, Mapping
from urllib.parse import parse_qs, urlsplit

import attrs

from .errors import HandshakeFailed, Lost, PeerLost

PROTOCOL_ERROR, UNSUPPORTED, BAD_TEXT, POLICY, TOO_BIG = 1002, 1003, 1007, 1008, 1009  # RFC 6455, 7.4.1
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_RESERVED_CODES = frozenset({1004, 1005, 1006})  # must not be sent: RFC 6455, 7.4.1
_DEFINED_CODES = range(1000, 1015)  # 1012 to 1014 by IANA's registry
_PRIVATE_CODES = range(3000, 5000)  # RFC 6455, 7.4.2
_UTF8 = codecs.getincrementaldecoder("utf-8")


class WebSocketViolation(Lost):
    """The peer broke a rule: `code` is the close code it was told (RFC 6455, 7.4.1), `why` says which rule."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(f"WebSocket: {why} (close code {code})")
        self.code, self.why = code, why


class PeerClosed(PeerLost):
    """The peer said goodbye. `code` is None where it gave none; `reason` is its own words, at most 123 bytes."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"the peer closed it: code {code}, reason {reason!r}")
        self.code, self.reason = code, reason


class HandshakeRefused(HandshakeFailed):
    """The server answered, but not with an upgrade: `status` is HTTP's, None where the answer is no proper HTTP."""

    def __init__(self, url: str, status: int | None, why: str) -> None:
        super().__init__(url, f"the handshake was refused, HTTP status {status}: {why[:200]}")
        self.status = status


@attrs.frozen
class WebSocketLimits:
    """What one message may take. A larger one ends the connection with close code 1009, before it is allocated.

    More fragments than `most_fragments` end it with 1008: fragments may be empty, so that their number is no matter of
    size. The read buffer grows to about twice the longest frame that came, and stays.
    """

    most_bytes: int = 16 * 1024 * 1024
    most_fragments: int = 65_536


USUAL = WebSocketLimits()


@attrs.frozen
class UpgradeRequest:
    """What a client asked for. Header names are matched without regard to case; a query's last value counts."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


def _open_to_all(_: UpgradeRequest) -> str | None:
    return None


@attrs.frozen
class WebSocketAccess:
    """Who may connect. A web page must not: browsers send `Origin`, and a rebound name shows in `Host`.

    `hosts` ("name" or "name:port") are accepted beside the bound address and the loopback's names; `origins` as a
    browser writes them ("https://example.org"). `authorise` gives the reason to refuse, or None. Frames above
    `most_bytes` are refused before they are allocated.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    authorise: Callable[[UpgradeRequest], str | None] = _open_to_all
    handshake_s: float = 5.0
    most_bytes: int = USUAL.most_bytes

    def refusal(
        self, request: UpgradeRequest, paths: Collection[str], bound: tuple[str, int]
    ) -> tuple[int, str] | None:
        """HTTP status and reason, or None to let `request` in. `bound`: host and port this server listens at."""
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        if not self._knows(host, bound):
            return 403, f"the Host {host[:100]!a} is not this server"
        if origin is not None and origin not in self.origins:
            return 403, f"the Origin {origin[:100]!a} is not listed"
        if request.path not in paths:
            return 404, f"nothing is served at {request.path[:100]!a}"
        reason = self.authorise(request)
        return None if reason is None else (401, reason)

    def _knows(self, host: str, bound: tuple[str, int]) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.path or parts.query or parts.username is not None:
            return False
        if host.lower() in self.hosts or name in self.hosts:
            return True
        return (name in LOOPBACK or name == bound[0]) and port in (
            bound[1],
            None if bound[1] in (80, 443) else bound[1],
        )


LOCAL = WebSocketAccess()


def upgrade_request(target: bytes, headers: Mapping[str, str]) -> UpgradeRequest:
    """The request line's target taken apart. Raises `ValueError` where it is none."""
    parts = urlsplit(target.decode("ascii"))
    return UpgradeRequest(parts.path or "/", {key: all_[-1] for key, all_ in parse_qs(parts.query).items()}, headers)


def said(payload: bytes) -> tuple[int | None, str]:
    """Code and reason in a close frame. Raises `WebSocketViolation` (1002, or 1007 for a reason that is not UTF-8)."""
    if not payload:
        return None, ""
    if len(payload) == 1:
        raise WebSocketViolation(PROTOCOL_ERROR, "a close frame of one byte")
    code = int.from_bytes(payload[:2], "big")
    if code in _RESERVED_CODES or not (code in _DEFINED_CODES or code in _PRIVATE_CODES):
        raise WebSocketViolation(PROTOCOL_ERROR, f"a close frame with the code {code}")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise WebSocketViolation(BAD_TEXT, "a close frame whose reason is not UTF-8") from None


def cut_plain(data: bytes, first: int, most_bytes: int, messages: list[bytes]) -> tuple[int, bool]:
    """Append the whole plain messages at the start of `data` to `messages`; the bytes they take, and whether to wait.

    Plain: the header begins with the byte `first` (opcode and FIN, no reserved bits), the payload is not masked and, in
    text, ASCII. To wait: what follows is the beginning of one more, of at most `most_bytes` with its header; else
    picows is to see it. The bytes were read from a server, and picows has nothing of an earlier frame.
    """
    begin, size, is_text = 0, len(data), first & 15 == 1
    try:
        while data[begin] == first:
            length, start = data[begin + 1], begin + 2
            if length > 125:
                if length != 126:  # of 64 KiB or more, or masked
                    return begin, False
                length, start = data[start] << 8 | data[start + 1], start + 2
                if length < 126:
                    return begin, False
            stop = start + length
            if stop > size:
                return begin, stop - begin <= most_bytes
            message = data[start:stop]
            if is_text and not message.isascii():
                return begin, False
            messages.append(message)
            begin = stop
    except IndexError:  # in the middle of a header, or at the end
        return begin, True
    return begin, False


def check_text(payload: bytes) -> None:
    """Raises `WebSocketViolation` (1007) where a whole message is not UTF-8."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise WebSocketViolation(BAD_TEXT, "a text that is not UTF-8") from None


class Fragments:
    """One message that comes in several frames; `size` is what there is of it. Text is checked part by part."""

    def __init__(self, text: bool, limits: WebSocketLimits) -> None:
        self._text, self._limits = text, limits
        self._parts = bytearray()
        self.size = 0
        self._count = 0  # of parts; 0 where no message is under way
        self._decoder = _UTF8()

    @property
    def under_way(self) -> bool:
        """Whether a message has begun and is not complete."""
        return self._count > 0

    def add(self, part: bytes, fin: bool) -> bytes | None:
        """The whole message, where `part` is its last. Raises `WebSocketViolation` (1007, 1008, 1009)."""
        limits = self._limits
        if self.size + len(part) > limits.most_bytes:
            raise WebSocketViolation(TOO_BIG, f"a message above {limits.most_bytes} bytes")
        if self._count >= limits.most_fragments:
            raise WebSocketViolation(POLICY, f"a message of more than {limits.most_fragments} fragments")
        if self._text:
            self._check(part, fin)
        self._parts += part
        self.size += len(part)
        self._count += 1
        return self._take() if fin else None

    def _check(self, part: bytes, fin: bool) -> None:
        try:
            self._decoder.decode(part, fin)
        except UnicodeDecodeError:
            raise WebSocketViolation(BAD_TEXT, "a text that is not UTF-8") from None
        rest = self._decoder.getstate()[0]
        if rest[:1] == b"\xed" and rest[1:] >= b"\xa0":  # half a surrogate, which the decoder would wait for to end
            raise WebSocketViolation(BAD_TEXT, "a text that is not UTF-8")

    def _take(self) -> bytes:
        whole = bytes(self._parts)
        self._parts, self.size, self._count = bytearray(), 0, 0
        return whole
