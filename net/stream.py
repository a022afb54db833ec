"""Connections that carry a stream of bytes: TCP, Unix sockets, TLS."""

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import cast

from ticktree.actors import ReadTurns

from .buffers import ReadBuffers, ShortReads
from .connection import HIGH_BYTES, LOW_BYTES, Connection, Peer
from .errors import NetError, NoFrame, PeerLost
from .framing import Framing

READS_A_TURN = 1  # that fill their slot


class StreamConnection(Connection, asyncio.BufferedProtocol):
    """One end of a stream, cut into frames. `reads` opens a hand-off window around each read, where there is a runtime.

    Bytes that can be no frame end the connection, with the framing's error, after the good frames before them.
    """

    def __init__(
        self,
        peer: Peer,
        framing: Framing,
        reads: ReadTurns | None = None,
        buffers: ReadBuffers | ShortReads | None = None,
    ) -> None:
        super().__init__(peer, reads)
        self._framing = framing
        self.buffers: ReadBuffers | ShortReads = buffers or ReadBuffers(
            framing.most_bytes, slot_bytes=framing.read_bytes
        )
        if self.buffers.slot_bytes < 2 * framing.most_bytes:
            raise ValueError(f"slots of {self.buffers.slot_bytes} bytes, for two frames of {framing.most_bytes} each")
        self._direct = -1  # the socket's descriptor, where it may be written to past the transport
        self._unseen = False  # something was read although reading was paused; it is held, uncut

    @property
    def buffered(self) -> int:
        """Bytes read that are in no delivered frame."""
        return self.buffers.held

    def write(self, data: bytes | memoryview) -> None:
        """Queue bytes. Look at `paused` first: what a slow peer does not take stays in memory."""
        if self._transport is not None and self._error is None and not self._transport.is_closing():
            self._transport.write(data)

    def write_now(self, data: bytes) -> None:
        """`write`, but the first of a turn goes straight to the kernel, where nothing waits before it.

        uvloop hands on what was written when the callback at work, and everything else that is ready, is done: an
        order would wait for whatever else its tick sets off. What follows in the same turn goes together.
        """
        transport = self._transport
        if transport is None or self._error is not None or transport.is_closing():
            return
        if self._direct >= 0 and not transport.get_write_buffer_size():
            descriptor, self._direct = self._direct, -1
            asyncio.get_running_loop().call_soon(self._go_direct, descriptor)
            try:
                data = data[os.write(descriptor, data) :]
            except OSError:  # no room, or broken: the transport finds out which
                pass
        if data:
            transport.write(data)

    def _go_direct(self, descriptor: int) -> None:
        if not self.gone.done():  # else the number may be another file's
            self._direct = descriptor

    def write_parts(self, parts: Sequence[bytes | memoryview]) -> None:
        """`write` of all of them in a row. uvloop copies none; who holds memory that changes must not write it."""
        if self._transport is not None and self._error is None and not self._transport.is_closing():
            self._transport.writelines(parts)

    # --- the loop's calls --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(HIGH_BYTES, LOW_BYTES)
        no_delay(self._transport)
        if transport.get_extra_info("sslcontext") is None:  # else what is written is not what is sent
            self._direct = cast(socket.socket, transport.get_extra_info("socket")).fileno()
        self._open()

    def get_buffer(self, sizehint: int) -> memoryview | bytearray:
        if self._error is not None:  # given up; the loop may still have something, which nobody will see
            return bytearray(1024)
        return self.buffers.room()

    def buffer_updated(self, nbytes: int) -> None:
        if self._error is not None:
            return
        self.bytes_in += nbytes
        if self._reading:
            self._cut_up(nbytes)
            return
        # uvloop begins to read after `connection_made`, whatever it was told within.
        self._unseen = True
        self.buffers.filled(nbytes)
        self.buffers.keep(0)
        self._apply_reading()

    def _cut_up(self, nbytes: int) -> None:
        buffers = self.buffers
        begin = self.bytes_in - nbytes - buffers.held  # of what is held, on the connection
        data = buffers.filled(nbytes)
        filled = len(data) == buffers.slot_bytes
        if filled:
            self._yield_after(READS_A_TURN)
        frames, taken, error = self._framing.cut(data, begin)
        buffers.keep(taken)
        if frames:
            self._hand_on(frames, filled)
        if error is None and buffers.held >= self._framing.most_bytes:  # a framing that broke its promise
            error = NoFrame(begin + taken, bytes(data[taken : taken + 16]), self._framing.most_bytes)
        if error is not None:
            self.abort(error)

    def _hand_on(self, frames: list[memoryview], filled: bool) -> None:
        reads = self._reads
        if reads is None:
            self._deliver(frames)
            return
        reads.begin_read(filled)
        try:
            self._deliver(frames)
        finally:
            reads.end_read()

    def eof_received(self) -> bool:
        return False  # close this end, too

    def pause_writing(self) -> None:
        self.set_paused(True)

    def resume_writing(self) -> None:
        self.set_paused(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._direct = -1  # the number may be another file's from here on
        self._lose(PeerLost(f"the connection broke: {exc}") if exc else None)

    # --- what a connection is asked to do ----------------------------------------------------------------------

    def resume_reading(self) -> None:
        """Read on."""
        super().resume_reading()
        if self._unseen:
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        if self._unseen and self._reading and self._error is None:
            self._unseen = False
            self._cut_up(0)

    def _leave(self, lingers: bool) -> None:
        transport = self._transport
        if transport is None:
            return
        if lingers and transport.can_write_eof() and not transport.is_closing():
            transport.resume_reading()  # unseen, until the other side closes
            transport.write_eof()
        else:
            transport.close()

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _apply_reading(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._may_read:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


def no_delay(transport: asyncio.BaseTransport) -> None:
    """Send small frames at once, where the socket is TCP; raises `NetError` where it would not."""
    sock = cast(socket.socket, transport.get_extra_info("socket"))
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY):
        raise NetError("the socket does not take TCP_NODELAY")
