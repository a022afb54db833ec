"""What picows is told and what it tells: the frames of a connection, and the events that it keeps from its listeners.

This stands on the protocol object of picows 2.3.1 and not on `ws_connect`, because that tells its listeners too little:
not where a read ends, nor that the parser gave up or the peer closed its half, and no transport before the handshake.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from picows import WSAutoPingStrategy, WSFrame, WSListener, WSMsgType, WSTransport

from .connection import HIGH_BYTES, LOW_BYTES
from .websocket_rules import (
    PROTOCOL_ERROR,
    TOO_BIG,
    UNSUPPORTED,
    Fragments,
    WebSocketLimits,
    WebSocketViolation,
    check_text,
    cut_plain,
    said,
)

if TYPE_CHECKING:
    from .websocket import WebSocketConnection

    class PicowsProtocol(asyncio.BufferedProtocol):
        """What the stubs of picows leave out."""

        transport: WSTransport | None
        listener: WSListener | None

        def __init__(self, *settings: object) -> None: ...
        async def wait_until_handshake_complete(self) -> None: ...
else:
    from picows.picows import WSProtocol as PicowsProtocol

# picows doubles its buffer with each read that fills it, up to what the kernel holds: megabytes. A read costs some
# 25 us beside its messages, all the way to a handler: with 16 KiB they take a tenth longer, with 64 no less.
READ_BYTES = 32 * 1024

# Every connection and violation is the peer's to report. In no tree, so that nobody's settings are touched.
_quiet = logging.Logger("picows", logging.CRITICAL + 1)  # noqa: LOG001  # in no tree, on purpose


class Reader(WSListener):
    """Frames in, whole messages out: gathered until their read ends."""

    def __init__(self, connection: "WebSocketConnection", text: bool, limits: WebSocketLimits) -> None:
        self._connection, self._text, self._most_bytes = connection, text, limits.most_bytes
        self._kind, self._other = WSMsgType.TEXT, WSMsgType.BINARY
        if not text:
            self._kind, self._other = self._other, self._kind
        self.fragments = Fragments(text, limits)
        self.ready: list[bytes] = []
        self.plain = True  # a whole message is welcome: no other is under way, and nothing ends
        self.behind = 0  # bytes that picows has of a frame that is not complete

    def is_plain(self) -> bool:
        """Whether plain frames may be cut without picows: it is between two frames, and between two messages."""
        return self.plain and self.behind == 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._connection.stands(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.behind = frame.tail_size
        if self.plain and frame.msg_type == self._kind and frame.fin and not (frame.rsv1 or frame.rsv2 or frame.rsv3):
            payload = frame.get_payload_as_bytes()
            if (not self._text or payload.isascii()) and len(payload) <= self._most_bytes:
                self.ready.append(payload)
                return
        if not self._connection.deaf:
            try:
                self._look_at(frame)
            except WebSocketViolation as violation:
                self._connection.violated(violation)

    def _look_at(self, frame: WSFrame) -> None:
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise WebSocketViolation(PROTOCOL_ERROR, "a frame with reserved bits")
        payload = frame.get_payload_as_bytes()
        if frame.msg_type == WSMsgType.CLOSE:
            self._connection.took_leave(*said(payload))
        elif frame.msg_type == WSMsgType.PING:
            self._connection.pinged(payload)
        elif frame.msg_type != WSMsgType.PONG and not self._connection.ending:
            self._part(frame.msg_type, bool(frame.fin), payload)

    def _part(self, kind: WSMsgType, fin: bool, payload: bytes) -> None:
        fragments = self.fragments
        if (kind == WSMsgType.CONTINUATION) != fragments.under_way:
            raise WebSocketViolation(PROTOCOL_ERROR, "a frame that does not continue the message, or continues none")
        if kind == self._other:
            raise WebSocketViolation(UNSUPPORTED, f"a message that is {'not ' if self._text else ''}text")
        if fin and not fragments.under_way:
            self._whole(payload)
            return
        message = fragments.add(payload, fin)
        self.plain = fin
        if message is not None:
            self.ready.append(message)

    def _whole(self, payload: bytes) -> None:
        if len(payload) > self._most_bytes:
            raise WebSocketViolation(TOO_BIG, f"a message above {self._most_bytes} bytes")
        if self._text:
            check_text(payload)
        self.ready.append(payload)


class Wire(PicowsProtocol):
    """picows' protocol of one connection, client side or server side, and the events that it keeps to itself."""

    def __init__(
        self,
        listener: Callable[..., object],
        most_bytes: int,
        host: str | None = None,
        target: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._client = host is not None
        self._stands = self._cuts_plain = False
        no_ping, no_pong, no_timeout = (False, 20, 20, WSAutoPingStrategy.PING_WHEN_IDLE), False, None  # ours to do
        ends = (host, target, self._client, listener, _quiet, True, no_timeout)
        super().__init__(*ends, *no_ping, no_pong, most_bytes, headers, 4 * READ_BYTES)
        self.connection: WebSocketConnection | None = None
        self.bare: asyncio.Transport | None = None
        self._room = _room_of(self, 0)  # of picows, as long as it is told of nothing; else it may move
        self._window: memoryview | None = None  # what of it the next read may fill, where that is known
        self._size = len(self._room)
        self._held = 0  # bytes at its start that picows was not told of: the beginning of a plain frame
        self.heard = True  # a byte, since somebody last looked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.bare = cast(asyncio.Transport, transport)
        self.bare.set_write_buffer_limits(HIGH_BYTES, LOW_BYTES)
        if self.connection is not None:
            self.connection.connected(self, self.bare)
        super().connection_made(transport)  # which sets TCP_NODELAY

    def get_buffer(self, sizehint: int) -> memoryview:
        window = self._window
        if window is None:
            held = self._held
            window = self._window = self._room[held : held + READ_BYTES]
        return window

    def buffer_updated(self, nbytes: int) -> None:
        # Calling a listener for each frame and asking the frame for its kind, FIN and reserved bits takes twice as long
        # as cutting plain frames here: 109-byte messages, many to a read, cost 1250 ns that way, 530 ns this way, and
        # 500 ns with a bare listener of picows.
        self.heard = True
        connection = self.connection
        if connection is None or not self._cuts_plain or not connection.reader.is_plain():
            self._tell(nbytes, nbytes == READ_BYTES)
            return
        size = self._held + nbytes
        data = self._room[:size].tobytes()
        taken, waits = cut_plain(data, connection.first, READ_BYTES, connection.reader.ready)
        rest = size - taken
        if rest != self._held:
            self._held, self._window = rest, None
        if taken and rest:
            self._room[:rest] = data[taken:]
        if not waits:
            self._tell(0, nbytes == READ_BYTES)
        elif taken:
            connection.hand_on(nbytes == READ_BYTES)

    def _tell(self, nbytes: int, filled: bool) -> None:
        """Let picows cut what was held and what was read; `nbytes` of it are new."""
        connection = self.connection
        if connection is not None and connection.deaf:
            return  # and the next read overwrites this one
        size, self._held = self._held + nbytes, 0
        if connection is not None:
            connection.reader.behind += size  # unless a frame says otherwise
        try:
            _feed(self, size)
        finally:  # its buffer may be elsewhere now
            self._room, self._window = _room_of(self, 0), None
        connection = self.connection
        if connection is not None and connection.standing:
            if not self._stands:
                self._begin(connection)
            connection.end_of_read(filled)

    def _begin(self, connection: "WebSocketConnection") -> None:
        """The handshake is done; frames may have come with it."""
        self._stands = True
        self._cuts_plain = self._client and connection.limits.most_bytes >= READ_BYTES
        connection.reader.behind = self._size - len(self._room)

    def eof_received(self) -> bool:
        if self.connection is not None:
            self.connection.end()
        return False

    def pause_writing(self) -> None:
        if self.connection is not None:
            self.connection.set_paused(True)

    def resume_writing(self) -> None:
        if self.connection is not None:
            self.connection.set_paused(False)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:  # else picows had no chance to begin
            super().connection_lost(exc)
            _forget_fault(self.transport)
        if self.connection is not None:
            self.connection.lost(exc)


_room_of = cast(Callable[[Wire, int], memoryview], PicowsProtocol.get_buffer)  # half the cost of super()
_feed = PicowsProtocol.buffer_updated


def _forget_fault(transport: WSTransport) -> None:
    """Take the fault that picows keeps for `wait_disconnected`; the loop calls one that nobody takes unhandled."""
    try:
        transport.wait_disconnected().send(None)
    except (StopIteration, Exception):
        pass
