"""WebSocket connections, both sides: strict, bounded, and handed on like those of any other connection."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from picows import WSCloseCode, WSMsgType, WSTransport

from ticktree.actors import ReadTurns

from .connection import CLOSE_S, Connection, Peer
from .errors import PeerLost, Silent
from .websocket_rules import PROTOCOL_ERROR, USUAL, PeerClosed, WebSocketLimits, WebSocketViolation
from .websocket_wire import Reader, Wire

LINGER_S = 0.05  # after a violation, reading on unseen: a reset for unread bytes may overtake the close frame
READS_A_TURN = 2  # that fill their room, one after another, before others have a turn: some 600 messages of 109 bytes
BEATS = 3  # looks a heartbeat: a ping after one without a byte, the end after four, so after 5/3 heartbeats at most
_HEAD_BYTES = 14  # of the longest frame header
_REASON_BYTES = 123  # of a close frame: RFC 6455, 5.5
_UNCOPIED_BYTES = 8192


class WebSocketConnection(Connection):
    """One end of a WebSocket; each message is a frame. What one read completes comes in one call of `on_frames`.

    `text` says which kind of message is written and welcome; the other kind ends the connection (1003). A violation of
    RFC 6455 ends it with its close code and `WebSocketViolation`, after the whole messages before it. Pings are
    answered; while the peer does not read, only the latest is. With `heartbeat_s` an idle connection is pinged, and one
    that gives no byte for two heartbeats ends with `Silent`; while reading is paused, no silence counts.

    `pause_reading` stops reads; messages of the read under way have been handed over already.
    """

    def __init__(
        self,
        peer: Peer,
        *,
        text: bool,
        limits: WebSocketLimits = USUAL,
        reads: ReadTurns | None = None,
        heartbeat_s: float | None = None,
    ) -> None:
        super().__init__(peer, reads)
        self.limits = limits
        self.reader = Reader(self, text, limits)
        self._kind = WSMsgType.TEXT if text else WSMsgType.BINARY
        self.first = 0x80 | cast(int, self._kind)  # byte of a frame that is a whole message
        self._heartbeat_s = heartbeat_s
        self._socket: WSTransport | None = None
        self._wire: Wire | None = None
        self._next_step: asyncio.TimerHandle | None = None  # of the end
        self._next_beat: asyncio.TimerHandle | None = None
        self._misses = 0  # beats without a byte, one after another
        self._pong: bytes | None = None  # owed to a peer that does not read
        self._said = False  # our close frame
        self._delivered = 0
        self.deaf = False  # nothing of what comes matters any more

    @property
    def buffered(self) -> int:
        """Bytes of a message whose last fragment is still to come."""
        return self.reader.fragments.size

    @property
    def standing(self) -> bool:
        """Whether the handshake is done."""
        return self._socket is not None

    @property
    def ending(self) -> bool:
        """Whether it is known why it ends; messages are for nobody any more."""
        return self._error is not None

    def write(self, data: bytes | memoryview) -> None:
        """Queue one message. Look at `paused` first: what a slow peer does not take stays in memory."""
        socket = self._socket
        if socket is None or self._error is not None:
            return
        if len(data) <= _UNCOPIED_BYTES or socket.is_client_side:
            socket.send(self._kind, data)
            return
        # There picows gives uvloop a view of its header buffer, which the next message overwrites where the kernel
        # did not take the first at once: a corrupt stream. This way it copies.
        room = bytearray(_HEAD_BYTES)
        room += data
        socket.send_reuse_external_bytearray(self._kind, room, _HEAD_BYTES)

    def write_parts(self, parts: Sequence[bytes | memoryview]) -> None:
        """Queue one message, made of `parts`: one copy, where `write` of the whole would take two."""
        socket = self._socket
        if socket is None or self._error is not None:
            return
        room = bytearray(_HEAD_BYTES)
        for part in parts:
            room += part
        socket.send_reuse_external_bytearray(self._kind, room, _HEAD_BYTES)

    # --- what a connection is asked to do ----------------------------------------------------------------------

    def _leave(self, lingers: bool) -> None:
        self.reader.plain = False
        if self._socket is None:
            self._cut()
            return
        self._apply_reading()  # even if paused: the answer is to be seen
        self._say(1000, "")

    def _cut(self) -> None:
        self.reader.plain = False
        self.deaf = True
        if self._transport is not None:
            self._transport.abort()

    def _apply_reading(self) -> None:
        transport = self._transport
        if self._socket is None or transport is None or transport.is_closing():
            return
        if self._may_read or self._error is not None:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def _farewell(self) -> str:
        return f"{super()._farewell()}, without a closing handshake"

    def _lose(self, why: Exception | None) -> None:
        self.reader.plain = False
        self.deaf = True
        for timer in (self._next_step, self._next_beat):
            if timer is not None:
                timer.cancel()
        super()._lose(why)

    # --- the ends of a connection ------------------------------------------------------------------------------

    def _say(self, code: int, reason: str) -> None:
        if not self._said and self._socket is not None:
            self._said = True
            words = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
            self._socket.send_close(cast(WSCloseCode, code), words)

    def violated(self, violation: WebSocketViolation) -> None:
        """The peer broke a rule: hand on what came before it, say so, and go."""
        self.hand_on(filled=False)
        if self._error is None:
            self._error = violation
        self._say(violation.code, violation.why)
        self.reader.plain = False
        self.deaf = True
        self._step_in(LINGER_S, self.end)

    def took_leave(self, code: int | None, reason: str) -> None:
        """The peer's close frame came: the answer to ours, or to be answered."""
        self.hand_on(filled=False)
        if self._error is None:
            self._error = PeerClosed(code, reason)
        self._say(1000 if code is None else code, "")
        self.end()

    def end(self) -> None:
        """Send what is queued and close the transport; drop it where that takes too long."""
        self.reader.plain = False
        self.deaf = True
        if self._transport is not None and not self.gone.done():
            self._step_in(CLOSE_S, self._cut)
            self._transport.close()

    def _step_in(self, delay_s: float, step: Callable[[], None]) -> None:
        if self._next_step is not None:
            self._next_step.cancel()
        self._next_step = asyncio.get_running_loop().call_later(delay_s, step)

    # --- the wire's calls --------------------------------------------------------------------------------------

    def connected(self, wire: Wire, transport: asyncio.Transport) -> None:
        """There is a transport; the handshake follows."""
        self._wire, self._transport = wire, transport

    def stands(self, socket: WSTransport) -> None:
        """The handshake is done."""
        self._socket = socket
        if self._heartbeat_s is not None:
            self._beat_in(self._heartbeat_s / BEATS)
        self._open()

    def end_of_read(self, filled: bool) -> None:
        """picows has cut what one read brought."""
        self.hand_on(filled)
        socket = self._socket
        if socket is not None and socket.is_close_frame_sent and not self._said:
            # The parser of picows gave up, and sent this.
            self._said = True
            info = socket.close_handshake.sent
            code, why = (int(cast(int, info.code)), info.reason) if info else (PROTOCOL_ERROR, "no frame")
            self.violated(WebSocketViolation(code, why))

    def hand_on(self, filled: bool) -> None:
        """Give the peer the messages that are ready. `filled`: the read filled its room, so nothing is handed off."""
        if filled:
            self._yield_after(READS_A_TURN)
        reader = self.reader
        messages, reader.ready = reader.ready, []
        if self._error is not None:
            return
        self._delivered += sum(map(len, messages))
        self.bytes_in = self._delivered + reader.fragments.size
        if not messages:
            return
        reads = self._reads
        if reads is None:
            self._deliver(messages)
            return
        reads.begin_read(filled)
        try:
            self._deliver(messages)
        finally:
            reads.end_read()

    def pinged(self, payload: bytes) -> None:
        """Answer, unless the peer does not read: then the latest is answered once it does (RFC 6455, 5.5.3)."""
        if self.paused:
            self._pong = payload
        elif self._socket is not None:
            self._socket.send_pong(payload)

    def set_paused(self, paused: bool) -> None:
        """The transport's buffer is full, or has room again."""
        super().set_paused(paused)
        if not paused and self._pong is not None:
            payload, self._pong = self._pong, None
            self.pinged(payload)

    def lost(self, error: Exception | None) -> None:
        """The transport is gone."""
        self._lose(PeerLost(f"the connection broke: {error}") if error else None)

    # --- heartbeats --------------------------------------------------------------------------------------------

    def _beat_in(self, delay_s: float) -> None:
        # Counted in looks, not in time passed: a loop that was blocked looks once, then reads what has come.
        self._next_beat = asyncio.get_running_loop().call_later(delay_s, self._beat, delay_s)

    def _beat(self, delay_s: float) -> None:
        wire = self._wire
        if wire is None:
            return
        self._misses = 0 if wire.heard or not self._reading else self._misses + 1
        wire.heard = False
        if self._misses > BEATS:
            self.abort(Silent(self._misses * delay_s))
            return
        if self._misses == 1 and not self.paused and self._socket is not None:
            self._socket.send_ping()
        self._beat_in(delay_s)
