"""A connection without a socket, as its peer sees it."""

import asyncio
from collections.abc import Sequence
from typing import Any

from ticktree.feeds.recording.connection import PlayedConnection
from ticktree.net import Connection, PeerLost


class Peer:
    def __init__(self, refuse: Exception | None = None) -> None:
        self.heard: list[Any] = []
        self._refuse = refuse

    def on_open(self, connection: Connection) -> None:
        self.heard.append("open")

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        self.heard.append(list(frames))
        if self._refuse is not None:
            connection.abort(self._refuse)

    def on_lost(self, connection: Connection, error: Exception) -> None:
        self.heard.append(str(error))

    def on_fault(self, error: Exception) -> None:
        self.heard.append(error)


async def test_it_opens_delivers_and_is_lost() -> None:
    peer = Peer()
    connection = PlayedConnection(peer, "tcp://a:1")
    connection.stand()
    assert connection.deliver([b"a"], False, 3)
    connection.lose(PeerLost("why"))
    assert peer.heard == ["open", [b"a"], "why"]
    assert (connection.bytes_in, connection.buffered, connection.unsent, connection.remote) == (3, 0, 0, "")
    assert connection.gone.done()
    connection.write(b"nobody hears this")


async def test_whoever_gives_it_up_hears_that_it_is_lost_later_and_once() -> None:
    peer = Peer(PeerLost("enough"))
    connection = PlayedConnection(peer, "tcp://a:1")
    connection.stand()
    assert not connection.deliver([b"a"], False, 1)
    assert peer.heard == ["open", [b"a"]]
    await connection.gone
    connection.lose(PeerLost("too late"))
    assert peer.heard == ["open", [b"a"], "enough"]


async def test_it_is_readable_again_once_its_peer_reads() -> None:
    connection = PlayedConnection(Peer(), "tcp://a:1")
    connection.stand()
    connection.pause_reading()
    waiting = asyncio.ensure_future(connection.readable())
    await asyncio.sleep(0)
    assert not waiting.done()
    connection.resume_reading()
    assert await waiting


async def test_whoever_waits_hears_that_it_was_given_up() -> None:
    connection = PlayedConnection(Peer(), "tcp://a:1")
    connection.stand()
    connection.pause_reading()
    waiting = asyncio.ensure_future(connection.readable())
    await asyncio.sleep(0)
    connection.abort(PeerLost("enough"))
    assert not await waiting


async def test_it_closes_at_once() -> None:
    peer = Peer()
    connection = PlayedConnection(peer, "tcp://a:1")
    connection.stand()
    await connection.close()
    assert peer.heard == ["open", "closed from this side"]
