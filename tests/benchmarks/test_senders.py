"""What a sender sends is what a feed understands, however the kernel cuts it."""

import socket
import threading
import time
from collections.abc import Generator
from contextlib import suppress

import numpy as np
import pytest

from benchmarks import senders
from benchmarks.senders import MANY_ROWS, PACE, Stream
from ticktree.market import TICK, TickKind, Ticks, wire


@pytest.fixture
def ends() -> Generator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def _stream(frames: int, left: int) -> Stream:
    block = senders.blocks(10, frames)
    return Stream(block, np.arange(len(block), dtype=np.uint64) * np.uint64(MANY_ROWS), left)


def _ticks(data: bytes, reader: wire.Reader) -> list[Ticks]:
    frames, taken, error = wire.Framing().cut(memoryview(data), 0)
    assert error is None
    assert taken == len(data)
    found = [reader.read(frame) for frame in frames]
    return [message.ticks for message in found if isinstance(message, wire.TickRows)]


def test_streams_that_share_a_block_are_numbered_on_each_by_itself(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    ours.setblocking(False)
    one, other = _stream(4, left=12), _stream(4, left=8)
    data = {id(stream): b"" for stream in (one, other)}
    while one.left or other.left:  # a socket's buffer is shorter than a block: sends are cut anywhere
        for stream in (one, other):
            if stream.left:
                stream.send(ours)
                with suppress(BlockingIOError):
                    while more := theirs.recv(1 << 20, socket.MSG_DONTWAIT):
                        data[id(stream)] += more
    for stream, frames in ((one, 12), (other, 8)):
        rows = _ticks(data[id(stream)], wire.Reader())  # which checks the sequence
        assert sum(map(len, rows)) == frames * MANY_ROWS


def test_a_block_has_all_instruments_as_often(ends: tuple[socket.socket, socket.socket]) -> None:
    ids, counts = np.unique(senders.blocks(10_000, 0)["ticks"]["instrument"], return_counts=True)
    assert ids.tolist() == list(range(10_000))
    assert set(counts.tolist()) <= {1, 2}


def test_who_asks_for_one_frame_gets_definitions_and_one_frame(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(wire.Writer().write(wire.Hello(token='{"instruments":10,"frames":1}')))
    stream = senders.begin(ours)
    assert (stream.left, len(stream.block)) == (1, 1)
    stream.send(ours)
    assert stream.left == 0
    (rows,) = _ticks(theirs.recv(1 << 20), wire.Reader())
    assert len(rows) == MANY_ROWS


def test_a_probe_that_asks_for_nothing_is_no_client(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.close()
    with pytest.raises(ConnectionError):
        senders.begin(ours)


def test_bursts_are_quotes_and_trades_in_turn_stamped_when_they_are_sent(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends

    def serve() -> None:
        with suppress(OSError):
            senders.bursts(ours)

    serving = threading.Thread(target=serve)
    before_ns = time.monotonic_ns()
    serving.start()
    theirs.sendall(PACE.pack(0, 1_000_000))
    data = bytearray()
    while len(data) < 2_000 * TICK.itemsize:
        data += theirs.recv(1 << 16)
    now_ns = time.monotonic_ns()
    theirs.close()
    serving.join(10)
    assert not serving.is_alive()
    ticks = np.frombuffer(bytes(data[: 2_000 * TICK.itemsize]), TICK)
    assert set(ticks["kind"][::2]) == {TickKind.QUOTE}
    assert set(ticks["kind"][1::2]) == {TickKind.TRADE}
    assert ticks["instrument"].tolist() == [number % 1_000 for number in range(2_000)]
    stamps = ticks["venue_time_ns"]
    assert (np.diff(stamps) >= 0).all()
    assert before_ns <= stamps[0] <= stamps[-1] <= now_ns
