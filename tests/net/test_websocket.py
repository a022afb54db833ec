"""WebSocket connections over real sockets: handing on, bounds, heartbeats, ends. The rules of frames: see the cases."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings, strategies as st

from ticktree.net.connection import CLOSE_S, HIGH_BYTES
from ticktree.net.errors import PeerLost, Silent
from ticktree.net.websocket import WebSocketConnection
from ticktree.net.websocket_rules import PeerClosed, WebSocketLimits, WebSocketViolation

from .raw_websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, Heard, RawPeer, close
from .websocket_pairs import DEADLINE_S, SIDES, End, door, join, pair

HI = Frame(TEXT, b"hi")
both_sides = pytest.mark.parametrize("side", SIDES)


@pytest.fixture(autouse=True)
async def _nothing_is_left() -> AsyncIterator[None]:
    (
        await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    ).close()  # libuv keeps one in reserve
    await asyncio.sleep(0)
    before = descriptors(), len(asyncio.all_tasks())
    yield
    due_s = asyncio.get_running_loop().time() + DEADLINE_S
    while descriptors() > before[0] or len(asyncio.all_tasks()) > before[1]:
        assert asyncio.get_running_loop().time() < due_s, (before, descriptors(), asyncio.all_tasks())
        await asyncio.sleep(0.001)


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


async def until_full(raw: RawPeer, data: bytes) -> int:
    """Send until the other side has taken nothing for a while of turns; what was sent."""
    sent, idle = 0, 0  # `data` is the same unit over and over
    while idle < 200:
        try:
            sent += raw.sock.send(data[sent % len(data) :])
            idle = 0
        except BlockingIOError:
            idle += 1
        await asyncio.sleep(0)
    return sent


# --- messages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [True, False])
async def test_messages_go_both_ways_whatever_their_size(text: bool) -> None:
    sent = [b"%d" % n * n for n in (0, 1, 100, 125, 126, 8_192, 8_193, 65_536, 1_000_000)]
    here, there = End(), End(lambda connection, message: connection.write(message))
    async with door(lambda: WebSocketConnection(there, text=text)) as opened:
        ours = await join(opened.url, WebSocketConnection(here, text=text))
        for message in sent:
            ours.write(memoryview(message))
        await here.until(lambda: len(here.messages) == len(sent))
        assert here.messages == there.messages == sent
        await ours.close()
        assert isinstance(await here.lost, PeerLost)
        error = await there.lost
    assert isinstance(error, PeerClosed)
    assert error.code == 1000


async def test_long_messages_of_a_server_survive_a_slow_reader() -> None:
    # picows leaves the headers of such messages in a buffer that the next message overwrites.
    there = End()
    ours = WebSocketConnection(there, text=False)
    async with door(lambda: ours) as opened:
        raw = await RawPeer.dial(opened.url)
        assert b" 101 " in await raw.ask()
        for n in range(1_500):
            ours.write(bytes([n % 251]) * (9_000 + n))
            ours.write(bytes([n % 251]) * 10)
        assert ours.paused
        for n in range(1_500):
            for size in (9_000 + n, 10):
                frame = await raw.frame()
                assert frame is not None
                assert frame.payload == bytes([n % 251]) * size
        raw.close()


@both_sides
async def test_what_one_read_completes_comes_in_one_call(side: str) -> None:
    end = End()
    async with pair(side, end) as (_, raw):
        await raw.send(raw.encode([HI, HI, Frame(TEXT, "é".encode()), HI]))
        await end.until(lambda: len(end.messages) == 4)
        assert end.calls == [4]


async def test_messages_that_come_with_the_handshake_are_delivered_after_the_opening() -> None:
    end = End()
    async with pair("client", end, also=(HI.encode(False) * 3)[:-1]) as (_, raw):
        await end.until(lambda: len(end.messages) == 2)
        await raw.send(HI.encode(False)[-1:] + HI.encode(False))
        await end.until(lambda: len(end.messages) == 4)
        assert end.messages == [b"hi"] * 4
        assert end.opened == 1


@both_sides
@pytest.mark.parametrize("chop", [1, 7, 1_000, 16_384, 20_000])
async def test_messages_of_all_sizes_arrive_however_they_are_cut(side: str, chop: int) -> None:
    sizes = (
        [0, 1, 60, 125, 126, 400, 3] if chop < 1_000 else [100, 16_379, 16_380, 16_381, 20_000, 70_000, 5, 40_000, 1]
    )
    end = End()
    messages = [b"%c" % (65 + n) * size for n, size in enumerate(sizes * 3)]
    async with pair(side, end) as (ours, raw):
        await raw.send(raw.encode(Frame(TEXT, message) for message in messages), chop)
        await end.until(lambda: len(end.messages) == len(messages))
        assert end.messages == messages
        assert ours.bytes_in == sum(map(len, messages))
        assert ours.buffered == 0


@both_sides
@pytest.mark.parametrize("chop", [1_000, 16_384, 30_000])
async def test_what_looks_like_frames_inside_a_long_one_is_not_taken_for_any(side: str, chop: int) -> None:
    long = b"\x82\x00" * 40_000  # the header of an empty binary frame, over and over
    end = End()
    async with pair(side, end, text=False) as (_, raw):
        await raw.send(raw.encode([Frame(BINARY, long), Frame(BINARY, b"short")] * 3), chop)
        await end.has(6)
        assert end.messages == [long, b"short"] * 3


async def test_what_looks_like_frames_in_one_that_began_with_the_handshake_is_not_taken_for_any() -> None:
    payload = b"\x82\x00" * 50
    data = Frame(BINARY, payload).encode(False)
    for kept in range(len(data)):
        end = End()
        async with pair("client", end, text=False, also=data[:kept]) as (_, raw):
            await raw.send(data[kept:])
            await end.has(1)
            assert end.messages == [payload]


@both_sides
async def test_fragments_are_counted_as_buffered(side: str) -> None:
    end = End()
    async with pair(side, end) as (ours, raw):
        await raw.send(raw.encode([HI, Frame(TEXT, b"abc", fin=False), Frame(PING)]))
        assert (await raw.frame()) == Heard(PONG, b"", masked=side == "client")
        await end.until(lambda: ours.bytes_in == 5)
        assert ours.buffered == 3
        await raw.send(raw.encode([Frame(CONTINUATION, b"d")]))
        await end.until(lambda: len(end.messages) == 2)
        assert (ours.bytes_in, ours.buffered) == (6, 0)


async def test_the_limit_of_a_connection_holds_where_its_door_would_let_more_in() -> None:
    end = End()
    small = WebSocketLimits(most_bytes=10)
    async with door(lambda: WebSocketConnection(end, text=True, limits=small)) as opened:
        raw = await RawPeer.dial(opened.url)
        await raw.ask()
        await raw.send(raw.encode([Frame(TEXT, b"*" * 11)]))
        assert [frame.code for frame in await raw.rest()] == [1009]
        raw.close()


async def test_what_is_written_before_the_opening_or_after_the_end_is_dropped() -> None:
    end = End()
    async with pair("client", end) as (ours, raw):
        raw.end()
        await end.lost
        ours.write(b"late")
        ours.pause_reading()
        ours.resume_reading()
        ours.abort(PeerLost("again"))
        await ours.close()
    unopened = WebSocketConnection(End(), text=True)
    unopened.write(b"early")
    await unopened.close()
    assert unopened.gone.done()


# --- the hand-off window ------------------------------------------------------------------------------------------


class Window:
    """Reads that are written down."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def begin_read(self, filled: bool) -> None:
        self.log.append("filled" if filled else "begin")

    def end_read(self) -> None:
        self.log.append("end")


@both_sides
async def test_each_read_opens_a_window_that_a_fault_closes_too(side: str) -> None:
    window = Window()

    def handle(_: Any, message: bytes) -> None:
        window.log.append(message.decode())
        if message == b"bad":
            raise ValueError("no")

    end = End(handle)
    async with pair(side, end, reads=window) as (_, raw):
        await raw.send(raw.encode([HI, HI]))
        await end.until(lambda: len(end.messages) == 2)
        await raw.send(raw.encode([Frame(TEXT, b"bad"), HI]))
        error = await end.lost
    assert window.log == ["begin", "hi", "hi", "end", "begin", "bad", "end"]
    assert isinstance(error, ValueError)
    assert end.faults == [error]


@both_sides
async def test_a_read_that_filled_its_room_says_so(side: str) -> None:
    window, end = Window(), End()
    async with pair(side, end, reads=window) as (_, raw):
        await raw.send(raw.encode([HI] * 100_000))
        await end.until(lambda: len(end.messages) == 100_000)
    assert "filled" in window.log
    assert window.log.count("end") * 2 == len(window.log)


# --- pausing ------------------------------------------------------------------------------------------------------


@both_sides
async def test_paused_nothing_is_read_until_resumed(side: str) -> None:
    end = End(lambda connection, message: connection.pause_reading() if message == b"stop" else None)
    async with pair(side, end) as (ours, raw):
        await raw.send(raw.encode([HI, Frame(TEXT, b"stop"), HI]))
        await end.until(lambda: len(end.messages) == 3)  # the read under way is handed over
        unit = raw.encode([Frame(TEXT, b"*" * 1_000)])
        sent = await until_full(raw, unit * 64)
        assert len(end.messages) == 3
        ours.resume_reading()
        await raw.send(unit[sent % len(unit) :] if sent % len(unit) else b"")
        await end.until(lambda: len(end.messages) == 3 + -(-sent // len(unit)))
        assert set(end.messages) == {b"hi", b"stop", b"*" * 1_000}


@both_sides
async def test_paused_before_the_opening_nothing_is_read(side: str) -> None:
    end = End()
    end.on_open = lambda connection: connection.pause_reading()  # type: ignore[method-assign]  # on this object alone
    async with pair(side, end) as (ours, raw):
        await until_full(raw, raw.encode([HI] * 8_192))
        assert end.messages == []
        ours.resume_reading()
        await end.until(lambda: len(end.messages) > 0)


@both_sides
async def test_a_peer_that_does_not_read_pauses_the_writer_and_gets_only_the_latest_pong(side: str) -> None:
    end = End()
    async with pair(side, end) as (ours, raw):
        written = 0
        while not ours.paused:
            ours.write(b"*" * 1_000)
            written += 1
            await asyncio.sleep(0)
        await raw.send(raw.encode(Frame(PING, b"%d" % n) for n in range(20_000)) + raw.encode([HI]))
        await end.until(lambda: end.messages == [b"hi"])
        heard = [await raw.frame() for _ in range(written + 1)]
        assert [frame.payload for frame in heard if frame and frame.opcode == PONG] == [b"19999"]
        assert not ours.paused


# --- the end ------------------------------------------------------------------------------------------------------


async def keep_sending(raw: RawPeer) -> None:
    while True:
        await raw.send(raw.encode([HI] * 100))
        await asyncio.sleep(0)


async def half_close(raw: RawPeer) -> None:
    raw.end()


async def do_nothing(raw: RawPeer) -> None:
    pass


async def only_read(raw: RawPeer) -> None:
    while await raw.frame() is not None:
        pass


@both_sides
@pytest.mark.parametrize("manner", [do_nothing, only_read, keep_sending, half_close])
@pytest.mark.parametrize("full", [False, True])
async def test_closing_is_bounded(
    side: str, manner: Callable[[RawPeer], Any], full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("connection", "websocket", "websocket_ends"):
        monkeypatch.setattr(f"ticktree.net.{module}.CLOSE_S", 0.2)
    end = End()
    loop = asyncio.get_running_loop()
    async with pair(side, end) as (ours, raw):
        while full and not ours.paused:
            ours.write(b"*" * HIGH_BYTES)
            await asyncio.sleep(0)
        behaving = asyncio.ensure_future(manner(raw))
        await asyncio.sleep(0)
        began_s = loop.time()
        await ours.close()
        assert loop.time() - began_s < CLOSE_S / 2
        assert isinstance(end.error, PeerLost)
        behaving.cancel()
        await asyncio.wait([behaving])


@both_sides
async def test_what_is_queued_goes_out_before_the_close_frame(side: str) -> None:
    end = End()
    async with pair(side, end) as (ours, raw):
        for _ in range(300):
            ours.write(b"*" * 10_000)
        closing = asyncio.ensure_future(ours.close())
        heard = await raw.rest()
        await closing
    assert [frame.opcode for frame in heard] == [TEXT] * 300 + [CLOSE]
    assert heard[-1].code == 1000


@both_sides
async def test_messages_after_ones_own_close_are_for_nobody(side: str) -> None:
    end = End()
    async with pair(side, end) as (ours, raw):
        closing = asyncio.ensure_future(ours.close())
        frame = await raw.frame()
        assert frame is not None
        assert frame.opcode == CLOSE
        await raw.send(raw.encode([HI, Frame(TEXT, b"x", reserved=7), close(1000)]))
        await closing
        assert end.messages == []
        assert str(end.error) == "closed from this side"


@both_sides
async def test_a_flood_behind_a_claim_of_much_is_not_kept(side: str) -> None:
    end = End()
    async with pair(side, end) as (_, raw):
        data = raw.encode([Frame(TEXT, length=1 << 40, length_bytes=8), *[Frame(TEXT, b"*" * 10_000)] * 1_000])
        tracemalloc.start()
        try:
            sending = asyncio.ensure_future(raw.send(data, chop=65_536))
            assert isinstance(await end.lost, WebSocketViolation)
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()
        sending.cancel()
        await asyncio.wait([sending])


@both_sides
async def test_a_stream_that_ends_without_goodbye_says_so(side: str) -> None:
    end = End()
    async with pair(side, end) as (_, raw):
        await raw.send(raw.encode([HI, Frame(TEXT, b"abc", fin=False)]))
        raw.end()
        error = await end.lost
    assert isinstance(error, PeerLost)
    assert not isinstance(error, PeerClosed)
    assert "in the middle" in str(error)
    assert "without a closing handshake" in str(error)


@both_sides
async def test_who_floods_after_a_violation_is_not_heard_and_soon_gone(side: str) -> None:
    end = End()
    async with pair(side, end) as (ours, raw):
        await raw.send(raw.encode([Frame(3)]))
        flood = asyncio.ensure_future(keep_sending(raw))
        async with asyncio.timeout(CLOSE_S):
            error = await end.lost
        assert isinstance(error, WebSocketViolation)
        assert (end.messages, ours.bytes_in) == ([], 0)
        flood.cancel()
        await asyncio.wait([flood])


@both_sides
async def test_a_reset_at_every_byte_of_a_frame_gives_the_whole_messages_before_it(side: str) -> None:
    payload = b"*" * 130
    for kept in range(138 if side == "server" else 134):
        end = End()
        async with pair(side, end) as (_, raw):
            await raw.send(raw.encode([HI]) + raw.encode([Frame(TEXT, payload)])[:kept])
            await end.has(1)
            raw.reset()
            assert isinstance(await end.lost, PeerLost)
        assert end.messages == [b"hi"]


@both_sides
async def test_an_abort_within_a_call_ends_it(side: str) -> None:
    end = End(lambda connection, _: connection.abort(PeerLost("enough")))
    async with pair(side, end) as (_, raw):
        await raw.send(raw.encode([HI]))
        assert str(await end.lost) == "enough"
        await raw.rest()


# --- heartbeats ---------------------------------------------------------------------------------------------------

BEAT_S = 0.3


@both_sides
async def test_a_half_open_peer_is_noticed_within_two_heartbeats(side: str) -> None:
    end = End()
    loop = asyncio.get_running_loop()
    async with pair(side, end, heartbeat_s=BEAT_S) as (_, raw):
        await raw.send(raw.encode([HI]))
        await end.until(lambda: len(end.messages) == 1)
        last_s = loop.time()
        error = await end.lost
        assert loop.time() - last_s < 2 * BEAT_S
        assert isinstance(error, Silent)
        assert [frame.opcode for frame in await raw.rest()] == [PING]


@both_sides
async def test_an_idle_peer_that_answers_pings_stays(side: str) -> None:
    end = End()
    async with pair(side, end, heartbeat_s=0.03) as (ours, raw):
        for _ in range(5):
            frame = await raw.frame()
            assert frame is not None
            assert frame.opcode == PING
            await raw.send(raw.encode([Frame(PONG, frame.payload)]))
        assert not ours.gone.done()


@both_sides
async def test_data_count_as_a_sign_of_life(side: str) -> None:
    end = End()
    loop = asyncio.get_running_loop()
    async with pair(side, end, heartbeat_s=0.03) as (ours, raw):
        until_s = loop.time() + 0.15
        while loop.time() < until_s:
            await raw.send(raw.encode([HI]))
            await asyncio.sleep(0)
        assert not ours.gone.done()


async def test_while_reading_is_paused_no_silence_counts() -> None:
    ends = End(), End()
    async with (
        pair("client", ends[0], heartbeat_s=0.03) as (paused, _),
        pair("client", ends[1], heartbeat_s=0.06),
    ):
        paused.pause_reading()
        assert isinstance(await ends[1].lost, Silent)  # twice the time later
        assert not paused.gone.done()


# --- whatever comes -----------------------------------------------------------------------------------------------

frames = st.builds(
    Frame,
    opcode=st.sampled_from([0, 1, 1, 1, 2, 3, 8, 9, 10, 15]),
    payload=st.binary(max_size=300) | st.text(max_size=50).map(str.encode),
    fin=st.sampled_from([True, True, False]),
    reserved=st.sampled_from([0, 0, 0, 0, 1]),
    length=st.none() | st.none() | st.integers(0, 65_535),
    length_bytes=st.none(),
    masked=st.sampled_from([None, None, None, True, False]),
)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("text", [True, False])
def test_any_bytes_give_messages_or_a_named_error(side: str, text: bool) -> None:
    unhandled: list[Any] = []

    async def run(pieces: list[Frame | bytes], chop: int) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        end = End()
        async with pair(side, end, text=text) as (ours, raw):
            await raw.send(
                b"".join(piece if isinstance(piece, bytes) else raw.encode([piece]) for piece in pieces), chop
            )
            raw.end()
            async with asyncio.timeout(DEADLINE_S):
                error = await end.lost
            await raw.rest()
            assert isinstance(error, WebSocketViolation | PeerLost), error
            assert ours.bytes_in == sum(map(len, end.messages)) + ours.buffered
        if text:
            for message in end.messages:
                message.decode()
        assert not unhandled

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        @settings(max_examples=80, deadline=None)
        @given(st.lists(frames | st.binary(max_size=40), max_size=12), st.sampled_from([0, 1, 5]))
        def check(pieces: list[Frame | bytes], chop: int) -> None:
            runner.run(run(pieces, chop))

        check()
