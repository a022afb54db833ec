"""A connection that never had a socket: what it delivers was recorded, and nobody hears what it is told."""

import asyncio
from collections.abc import Sequence

from ticktree.net import Connection, Peer


class PlayedConnection(Connection):
    """Whoever plays it calls `stand`, `deliver` while `readable`, and `lose`; the peer cannot tell it from others."""

    def __init__(self, peer: Peer, url: str) -> None:
        super().__init__(peer)
        self.url = url
        self._cutting = False
        self._changed: asyncio.Future[None] | None = None

    @property
    def buffered(self) -> int:
        """Nothing: reads were recorded as the frames they completed."""
        return 0

    @property
    def ending(self) -> bool:
        """Whether it is lost, or given up."""
        return self._error is not None

    def write(self, data: bytes | memoryview) -> None:
        """Nobody hears it."""

    # --- for who plays it --------------------------------------------------------------------------------------

    def stand(self) -> None:
        """Tell the peer that it stands."""
        self._open()

    def deliver(self, frames: Sequence[memoryview | bytes], more: bool, stream_bytes: int) -> bool:
        """Hand over what one read brought; `stream_bytes` with the framing around it. Whether it goes on."""
        self.bytes_in += stream_bytes
        self._deliver(frames, more)
        return self._error is None

    def lose(self, error: Exception) -> None:
        """It is gone."""
        self._lose(error)

    async def readable(self) -> bool:
        """Wait while the peer does not read. Whether it ever will."""
        while not self._may_read and self._error is None:
            self._changed = asyncio.get_running_loop().create_future()
            await self._changed
        return self._error is None

    # --- what a connection is asked to do ----------------------------------------------------------------------

    def _leave(self, lingers: bool) -> None:
        self._cut()

    def _cut(self) -> None:
        if not self._cutting:
            self._cutting = True
            asyncio.get_running_loop().call_soon(self._lose, None)
        self._apply_reading()

    def _apply_reading(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
