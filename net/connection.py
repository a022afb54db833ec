"""What every connection is to the one who looks after its end, whatever carries the bytes."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol, cast

from ticktree.actors import ReadTurns

from .errors import PeerLost

CLOSE_S = 1.0  # each step of a close: the polite one, then the hard one
HIGH_BYTES, LOW_BYTES = 256 * 1024, 64 * 1024  # of unsent bytes; uvloop's own low mark is 16 bytes


class Peer(Protocol):
    """Who looks after one end of a connection. Called within the loop's callbacks; it must not block."""

    def on_open(self, connection: "Connection") -> None:
        """Bytes may be written."""
        ...

    def on_frames(self, connection: "Connection", frames: Sequence[memoryview | bytes], more: bool) -> None:
        """Frames that one read completed, in order, never none. They stay valid as long as they are kept.

        Frames of a stream are writable views of memory that is the receiver's alone until it lets go. `more`: further
        calls follow for the same read.
        """
        ...

    def on_lost(self, connection: "Connection", error: Exception) -> None:
        """The connection is gone. Called once, last, if `on_open` was."""
        ...

    def on_fault(self, error: Exception) -> None:
        """One of the above raised: a fault of the peer's own, which somebody has to own. The connection is given up."""
        ...


class Connection(ABC):
    """One end of a connection; used once.

    `bytes_in = delivered + buffered` at every instant. After an error what is `buffered` is never delivered.
    """

    def __init__(self, peer: Peer, reads: ReadTurns | None = None) -> None:
        self._peer, self._reads = peer, reads
        self._error: Exception | None = None  # why the connection ends; nothing is delivered any more
        self._transport: asyncio.Transport | None = None
        self._opened = False
        self._reading = True  # as the peer wishes
        self._yielding = False  # others have their turn before the next read
        self._filled = 0  # reads that filled their room, since others had a turn
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.url = ""  # the other side's address on this end's word, without secrets; for messages
        self.paused = False  # the other side does not keep up: write no more until it is False again
        self._waiting_for_room: set[asyncio.Future[None]] = set()
        self.bytes_in = 0  # payload bytes read, including those in no frame yet

    @property
    def opened(self) -> bool:
        """Whether it ever stood."""
        return self._opened

    @property
    @abstractmethod
    def buffered(self) -> int:
        """Bytes read that are in no delivered frame."""

    @abstractmethod
    def write(self, data: bytes | memoryview) -> None:
        """Queue bytes, or one message. Look at `paused` first: what a slow peer does not take stays in memory."""

    def write_now(self, data: bytes) -> None:
        """`write`, as soon as that can be: for what is short and urgent."""
        self.write(data)

    def write_parts(self, parts: Sequence[bytes | memoryview]) -> None:
        """`write` of all of them in a row; parts that are long are not copied where that can be avoided."""
        self.write(b"".join(parts))

    @property
    def unsent(self) -> int:
        """Bytes that were written and that the kernel has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    @property
    def remote(self) -> str:
        """The other side as the socket knows it, host:port; empty where there is no such, as for a Unix socket."""
        name = self._transport.get_extra_info("peername") if self._transport is not None else None
        if not isinstance(name, tuple):
            return ""
        host, port, *_ = cast(tuple[str, int], name)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def room(self) -> None:
        """Wait until `paused` is over, or the connection is gone."""
        while self.paused and not self.gone.done():
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting_for_room.add(waiting)
            try:
                await waiting
            finally:
                self._waiting_for_room.discard(waiting)

    def set_paused(self, paused: bool) -> None:
        """The transport's buffer is full, or has room again (the transport's word)."""
        self.paused = paused
        if not paused:
            self._wake_writers()

    def _wake_writers(self) -> None:
        for waiting in self._waiting_for_room:
            if not waiting.done():
                waiting.set_result(None)

    def abort(self, error: Exception) -> None:
        """Give the connection up, now, because of `error`; what is not sent yet is lost. Harmless when it is gone."""
        self._error = self._error or error
        self._cut()

    def give_up(self, error: Exception) -> None:
        """Abort, and do not wait for the loop to say so: uvloop does not if the making was cancelled."""
        self.abort(error)
        self._lose(error)

    async def close(self, lingers: bool = False) -> None:
        """Send what is queued, say goodbye, close; give up after a second without success. Harmless when it is gone.

        `lingers`: let the other side close first, so that it is sure to have heard the last words. What it says
        meanwhile would otherwise be answered with a reset, which may overtake them.
        """
        if self.gone.done():
            return
        self._error = self._error or PeerLost("closed from this side")
        self._leave(lingers)
        for _ in range(2):
            if self._opened and not self.gone.done():
                await asyncio.wait([self.gone], timeout=CLOSE_S)
            self._cut()
        self._lose(None)  # nothing to do, unless the loop forgot to say so, or it never was open

    def pause_reading(self) -> None:
        """Read no more until `resume_reading`: what comes waits with the kernel, and then with the sender."""
        self._reading = False
        self._apply_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._reading = True
        self._apply_reading()

    # --- what a kind of connection brings ----------------------------------------------------------------------

    @abstractmethod
    def _leave(self, lingers: bool) -> None:
        """Begin the polite close: what is queued goes out first. Nothing to do before `_open`."""

    @abstractmethod
    def _cut(self) -> None:
        """Drop the transport, now. Nothing to do before `_open`, or when it is dropped already."""

    @abstractmethod
    def _apply_reading(self) -> None:
        """Make the transport read, or not, as `_may_read` says. Nothing to do before `_open`."""

    # --- what it calls -----------------------------------------------------------------------------------------

    def _open(self) -> None:
        """The transport stands. Told to the peer, unless the connection was given up meanwhile."""
        if self.gone.done() or self._error is not None:
            self._cut()
            return
        self._opened = True
        if not self._reading:
            self._apply_reading()
        try:
            self._peer.on_open(self)
        except Exception as error:
            self._fault(error)

    @property
    def _may_read(self) -> bool:
        return self._reading and not self._yielding

    def _yield_after(self, reads: int) -> None:
        """A read filled its room: after so many of them others have a turn before the next.

        Otherwise libuv reads up to 32 times before it lets anybody else run, and nobody looks at what was delivered:
        reads found no free slot then, and the rate halved.
        """
        self._filled += 1
        if self._filled >= reads:
            self._filled, self._yielding = 0, True
            asyncio.get_running_loop().call_soon(self._read_on)
            self._apply_reading()

    def _read_on(self) -> None:
        self._yielding = False
        self._apply_reading()

    def _deliver(self, frames: Sequence[memoryview | bytes], more: bool = False) -> None:
        """Hand frames to the peer. Who calls it opens the hand-off window (`_reads`) around all calls of one read."""
        try:
            self._peer.on_frames(self, frames, more)
        except Exception as error:
            self._fault(error)

    def _lose(self, why: Exception | None) -> None:
        """The transport is gone, `why` unless it is known already. Told to the peer once."""
        if self.gone.done():
            return
        self._error = error = self._error or why or PeerLost(self._farewell())
        self.gone.set_result(None)
        self._wake_writers()
        if self._opened:
            try:
                self._peer.on_lost(self, error)
            except Exception as fault:
                self._fault(fault)

    def _farewell(self) -> str:
        rest = self.buffered
        return f"the connection was closed in the middle of a frame, after {rest} bytes" if rest else "it was closed"

    def _fault(self, error: Exception) -> None:
        self.abort(error)
        self._peer.on_fault(error)
