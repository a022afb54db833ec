"""Streams over real sockets: whole frames or none, whatever happens on the way."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ticktree.net import (
    Address,
    Connection,
    Framing,
    LengthPrefixed,
    Lines,
    NoFrame,
    Oversize,
    PeerLost,
    ReadBuffers,
    Records,
    Server,
    StreamConnection,
    connect,
)
from ticktree.net.framing import Cut
from ticktree.net.stream import READS_A_TURN

from .ends import DEADLINE_S, LINES, End, client_tls, close, lines_server, open_to, server_tls, until

SCHEMES = ["tcp", "tls", "unix"]


def place(scheme: str, folder: Path) -> str:
    return f"unix://{folder}/socket" if scheme == "unix" else f"{scheme}://127.0.0.1:0"


class Ends:
    """A listener whose connections are all kept, and raw sockets to it."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self.made: asyncio.Queue[tuple[End, StreamConnection]] = asyncio.Queue()
        self.server = Server(self._accept)
        self._to = Address.parse("tcp://127.0.0.1:1")

    async def listen(self) -> None:
        self._to = Address.parse(await self.server.listen("tcp://127.0.0.1:0"))

    def _accept(self) -> StreamConnection:
        end = End()
        connection = StreamConnection(end, self._framing)
        self.made.put_nowait((end, connection))
        return connection

    async def raw(self) -> tuple[socket.socket, End, StreamConnection]:
        sock = socket.create_connection((self._to.host, self._to.port))
        async with asyncio.timeout(DEADLINE_S):
            return sock, *(await self.made.get())


@pytest.fixture
async def prefixed() -> AsyncIterator[Ends]:
    ends = Ends(LengthPrefixed(2, "big", 1000))
    await ends.listen()
    yield ends
    await ends.server.close()


def framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(2, "big") + payload


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# --- both ways --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_frames_travel_both_ways_and_every_byte_is_accounted_for(scheme: str, tmp_path: Path) -> None:
    here, there = End(), End()
    server = lines_server(there, tls=server_tls() if scheme == "tls" else None)
    connection = await open_to(await server.listen(place(scheme, tmp_path)), here, tls=client_tls())
    remote: StreamConnection = await there.next()
    connection.write(b"one\ntwo\nhal")
    assert [await there.next(), await there.next()] == [b"one", b"two"]
    await until(lambda: remote.bytes_in == 11)
    assert remote.buffered == 3
    connection.write(memoryview(b"f\n"))
    assert await there.next() == b"half"
    assert (remote.bytes_in, remote.buffered) == (13, 0)
    remote.write(b"answer\n")
    assert await here.next() == b"answer"
    assert connection.url == remote.url == server.url
    await close(server)
    assert isinstance(await here.next(), PeerLost)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_asyncios_own_loop_will_do(scheme: str, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(test_frames_travel_both_ways_and_every_byte_is_accounted_for(scheme, tmp_path))


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_megabytes_arrive_as_they_were_sent(scheme: str, tmp_path: Path) -> None:
    there = Keeper()
    server = Server(lambda: StreamConnection(there, Records(64)), tls=server_tls() if scheme == "tls" else None)
    connection = await open_to(await server.listen(place(scheme, tmp_path)), End(), tls=client_tls())
    data = numbers(4 << 20)
    connection.write(data)
    await until(lambda: there.bytes == len(data))
    assert b"".join(there.frames) == data
    await close(connection, server)


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
async def test_small_frames_are_not_held_back_and_what_is_unsent_is_bounded(scheme: str, tmp_path: Path) -> None:
    there = End()
    server = lines_server(there, tls=server_tls() if scheme == "tls" else None)
    connection = await open_to(await server.listen(place(scheme, tmp_path)), End(), tls=client_tls())
    for end in (connection, await there.next()):
        transport: Any = vars(end)["_transport"]
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        if scheme == "tcp":
            assert transport.get_write_buffer_limits() == (64 * 1024, 256 * 1024)
    await close(connection, server)


# --- cuts -------------------------------------------------------------------------------------------------------

SIZES = [1, 2, 3, 63, 64, 65, 127, 255, 256, 300]


@pytest.mark.parametrize("size", SIZES)
async def test_a_close_at_every_byte_of_a_frame_delivers_the_whole_ones_before_it(prefixed: Ends, size: int) -> None:
    first, second = framed(b"first"), framed(bytes(size))
    for cut in range(len(second) + 1):
        sock, end, connection = await prefixed.raw()
        sock.sendall(first + second[:cut])
        sock.close()
        frames, error = await end.until_lost()
        assert frames == [b"first", bytes(size)][: 1 + (cut == len(second))]
        assert isinstance(error, PeerLost)
        assert ("in the middle of a frame" in str(error)) is (0 < cut < len(second))
        assert connection.bytes_in == len(first) + cut
        assert connection.buffered == cut % len(second)


@pytest.mark.parametrize("size", SIZES)
async def test_a_reset_at_every_byte_of_a_frame_delivers_a_prefix_of_whole_ones(prefixed: Ends, size: int) -> None:
    first, second = framed(b"first"), framed(bytes(size))
    for cut in range(len(second) + 1):
        sock, end, connection = await prefixed.raw()
        sock.sendall(first + second[:cut])
        reset(sock)
        frames, error = await end.until_lost()
        assert frames == [b"first", bytes(size)][: len(frames)]
        assert isinstance(error, PeerLost)
        assert connection.bytes_in - connection.buffered == len(b"".join(map(framed, frames)))


async def test_every_slice_size_gives_the_same_frames() -> None:
    payloads = [bytes([size % 256]) * size for size in range(0, 300, 7)]
    stream = b"".join(map(framed, payloads))
    for size in (*range(1, 70), 299, 300, 301, 1000):
        end = End()
        connection = StreamConnection(end, LengthPrefixed(2, "big", 302))
        for begin in range(0, len(stream), size):
            feed(connection, stream[begin : begin + size])
        assert [end.happened.get_nowait() for _ in payloads] == payloads
        assert (connection.bytes_in, connection.buffered) == (len(stream), 0)


def feed(connection: StreamConnection, data: bytes) -> None:
    """As a loop does it."""
    room = connection.get_buffer(-1)
    room[: len(data)] = data
    connection.buffer_updated(len(data))


# --- what can be no frame ---------------------------------------------------------------------------------------


async def test_bytes_that_are_no_frames_end_the_connection_after_the_good_ones(prefixed: Ends) -> None:
    sock, end, connection = await prefixed.raw()
    sock.sendall(framed(b"good") + b"\xff\xffbad" + framed(b"never seen"))
    frames, error = await end.until_lost()
    assert frames == [b"good"]
    assert isinstance(error, Oversize)
    assert error.offset == len(framed(b"good"))
    assert connection.bytes_in == error.offset + connection.buffered
    sock.close()


@pytest.mark.parametrize("width", [2, 4])
async def test_a_length_field_claims_no_memory(width: Any) -> None:
    end = End()
    connection = StreamConnection(end, LengthPrefixed(width, "little", 1000))
    transport = FakeTransport()
    connection.connection_made(transport)
    feed(connection, b"\xff" * width)
    assert transport.aborted
    assert len(vars(connection.buffers)["_slots"]) == 1
    connection.get_buffer(-1)[:5] = b"after"
    connection.buffer_updated(5)
    assert connection.bytes_in == width
    connection.connection_lost(None)
    frames, error = await end.until_lost()
    assert frames == []
    assert isinstance(error, Oversize)


async def test_a_stream_without_an_end_of_frame_is_bounded() -> None:
    end, connection = End(), None
    connection = StreamConnection(end, Lines(100_000))
    connection.connection_made(transport := FakeTransport())
    while not transport.aborted:
        feed(connection, bytes(1000))
        assert connection.buffered <= 100_000
    connection.connection_lost(None)
    assert isinstance((await end.until_lost())[1], NoFrame)


async def test_a_framing_that_overlooks_its_own_bound_is_stopped() -> None:
    class Blind:
        most_bytes = 100
        read_bytes = 65_536

        def cut(self, data: memoryview, offset: int) -> Cut:
            return [], 0, None

    connection = StreamConnection(End(), Blind())
    connection.connection_made(transport := FakeTransport())
    feed(connection, bytes(99))
    assert not transport.aborted
    feed(connection, bytes(1))
    assert transport.aborted


async def test_frames_that_are_looked_at_one_by_one_come_fewer_at_a_time() -> None:
    sizes = [StreamConnection(End(), framing).buffers.slot_bytes for framing in (Records(64), Lines(100))]
    assert sizes == [512 * 1024, 64 * 1024]


async def test_buffers_too_small_for_the_framing_are_refused() -> None:
    with pytest.raises(ValueError, match="two frames of 1000"):
        StreamConnection(End(), Lines(1000), buffers=ReadBuffers(10, slot_bytes=100))


# --- memory -----------------------------------------------------------------------------------------------------


class Keeper(End):
    """A consumer so slow that it keeps everything."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[memoryview | bytes] = []
        self.bytes = 0

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        self.frames += frames
        self.bytes += sum(map(len, frames))
        assert not more


def numbers(size: int) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number in range(size // 8))


async def test_a_consumer_that_keeps_batches_pins_the_pool_at_most_and_its_data_stay_right() -> None:
    there = Keeper()
    server = Server(lambda: StreamConnection(there, Records(64)))
    connection = await open_to(await server.listen("tcp://127.0.0.1:0"), End())
    remote: StreamConnection = await there.next()
    data = numbers(8 << 20)
    connection.write(data)
    await until(lambda: there.bytes == len(data))
    buffers = remote.buffers
    assert len(vars(buffers)["_slots"]) <= 4
    assert buffers.lent <= 3  # nothing came back, so no slot was lent twice
    assert buffers.copied > 0
    assert b"".join(there.frames) == data
    there.frames.clear()
    assert buffers.free == 4
    await close(connection, server)


async def test_a_consumer_that_lets_go_is_lent_the_same_slots_again() -> None:
    class Taker(Keeper):
        def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
            super().on_frames(connection, frames, more)
            self.happened.put_nowait(b"".join(frames))
            del self.frames[:-1]  # the last one is kept

    there = Taker()
    server = Server(lambda: StreamConnection(there, Records(64)))
    connection = await open_to(await server.listen("tcp://127.0.0.1:0"), End())
    remote: StreamConnection = await there.next()
    data = numbers(8 << 20)
    connection.write(data)
    await until(lambda: there.bytes == len(data))
    assert b"".join(there.happened.get_nowait() for _ in range(there.happened.qsize())) == data
    assert len(vars(remote.buffers)["_slots"]) <= 3
    assert remote.buffers.lent > 3
    await close(connection, server)


# --- turns ------------------------------------------------------------------------------------------------------


class FakeTransport(asyncio.Transport):
    """What a connection asks of a transport, written down."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False
        self.reading = True
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.close()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._sock

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.aborted

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        self.aborted = True


async def test_others_have_a_turn_after_some_reads_that_filled_their_slot() -> None:
    connection = StreamConnection(Keeper(), Records(64))
    connection.connection_made(transport := FakeTransport())
    for _ in range(READS_A_TURN):
        assert transport.is_reading()
        feed(connection, bytes(connection.buffers.slot_bytes))
    assert not transport.is_reading()
    connection.pause_reading()
    connection.resume_reading()
    assert not transport.is_reading()
    await asyncio.sleep(0)
    assert transport.is_reading()


async def test_a_transport_is_told_at_once_that_reading_is_paused() -> None:
    connection = StreamConnection(Keeper(), Records(64))
    connection.pause_reading()
    connection.connection_made(transport := FakeTransport())
    assert not transport.is_reading()
    feed(connection, bytes(65))  # what uvloop does all the same
    assert (connection.bytes_in, connection.buffered) == (65, 65)
    connection.resume_reading()
    assert transport.is_reading()
    await asyncio.sleep(0)
    assert (connection.bytes_in, connection.buffered) == (65, 1)


async def test_a_turn_for_others_does_not_resume_what_the_peer_paused() -> None:
    connection = StreamConnection(Keeper(), Records(64))
    connection.connection_made(transport := FakeTransport())
    for _ in range(READS_A_TURN):
        feed(connection, bytes(connection.buffers.slot_bytes))
    connection.pause_reading()
    await asyncio.sleep(0)
    assert not transport.is_reading()
    connection.resume_reading()
    assert transport.is_reading()


async def test_a_hand_off_window_opens_around_the_peers_call_and_tells_whether_more_waits() -> None:
    told: list[Any] = []

    class Turns:
        def begin_read(self, filled: bool) -> None:
            told.append(("begin", filled))

        def end_read(self) -> None:
            told.append("end")

    def fault(frame: bytes) -> None:  # the window closes all the same
        told.append(len(frame))
        raise RuntimeError("a bug")

    connection = StreamConnection(End(fault), Records(64), Turns())
    connection.connection_made(FakeTransport())
    feed(connection, b"x")
    assert told == []
    feed(connection, bytes(64))
    connection = StreamConnection(End(), Records(64), Turns())
    feed(connection, bytes(connection.buffers.slot_bytes))
    assert told == [("begin", False), 64, "end", ("begin", True), "end"]


async def test_turns_of_reads_interleave_with_other_callbacks_on_a_real_socket() -> None:
    """The loop reads on by itself, up to 32 times, unless it is stopped."""
    turns: list[int] = []

    class Busy(Keeper):
        def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
            super().on_frames(connection, frames, more)
            turns.append(turn)

    turn = 0
    there = Busy()
    server = Server(lambda: StreamConnection(there, Records(64)))
    connection = await open_to(await server.listen("tcp://127.0.0.1:0"), End())
    connection.write(numbers(8 << 20))
    async with asyncio.timeout(DEADLINE_S):
        while there.bytes < 8 << 20:
            turn += 1
            await asyncio.sleep(0)
    crowd = READS_A_TURN + 1  # a read that did not fill its slot may follow
    assert all(later > earlier for earlier, later in pairwise(turns[::crowd]))
    await close(connection, server)


async def test_a_lines_peer_over_tcp_may_end_its_half_first() -> None:
    here, there = End(), End()
    server = lines_server(there)
    url = await server.listen("tcp://127.0.0.1:0")
    connection = StreamConnection(here, LINES)
    await connect(url, connection, DEADLINE_S)
    remote: StreamConnection = await there.next()
    transport: Any = vars(connection)["_transport"]
    connection.write(b"last\n")
    transport.write_eof()
    frames, error = await there.until_lost()
    assert frames == [b"last"]
    assert isinstance(error, PeerLost)
    assert remote.gone.done()
    await close(connection, server)


# --- what is urgent ------------------------------------------------------------------------------------------------


def received(sock: socket.socket, count: int) -> bytes:
    sock.settimeout(DEADLINE_S)
    return sock.recv(count, socket.MSG_WAITALL)


async def test_the_first_urgent_write_of_a_turn_leaves_at_once_and_order_is_kept(prefixed: Ends) -> None:
    sock, end, connection = await prefixed.raw()
    assert await end.next() is connection
    with sock:
        connection.write_now(b"1")
        assert sock.recv(10) == b"1"  # this very turn: the loop has done nothing meanwhile
        connection.write_now(b"2")
        connection.write(b"3")
        connection.write_now(b"4")
        await until(lambda: connection.unsent == 0)
        assert received(sock, 3) == b"234"
        connection.write(b"5")
        connection.write_now(b"6")  # behind what waits
        await until(lambda: connection.unsent == 0)
        assert received(sock, 2) == b"56"


async def test_what_the_kernel_does_not_take_of_an_urgent_write_follows(prefixed: Ends) -> None:
    sock, end, connection = await prefixed.raw()
    assert await end.next() is connection
    with sock:
        data = bytes(range(256)) * (1 << 16)  # 16 MiB
        connection.write_now(data)
        connection.write_now(b"end")
        assert connection.unsent > 0
        came = bytearray()
        sock.setblocking(False)
        while not came.endswith(b"end"):
            came += await asyncio.get_running_loop().sock_recv(sock, 1 << 20)
        assert bytes(came) == data + b"end"


async def test_an_urgent_write_to_a_connection_that_is_gone_goes_nowhere(prefixed: Ends) -> None:
    sock, end, connection = await prefixed.raw()
    assert await end.next() is connection
    sock.close()
    async with asyncio.timeout(DEADLINE_S):
        await connection.gone
    with socket.socket() as other:  # may well have the same descriptor
        connection.write_now(b"lost")
        assert connection.unsent == 0
        assert other.fileno() >= 0


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_urgent_writes_arrive_whatever_carries_them(scheme: str, tmp_path: Path) -> None:
    far = End()
    server = lines_server(far, tls=server_tls() if scheme == "tls" else None)
    url = await server.listen(place(scheme, tmp_path))
    connection = await open_to(url, End(), tls=client_tls() if scheme == "tls" else None)
    assert isinstance(await far.next(), Connection)
    connection.write_now(b"now\n")
    assert await far.next() == b"now"
    await close(connection, server)
