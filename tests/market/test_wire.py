"""The wire protocol, from bytes cut anywhere, and from bytes that are something else."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ticktree.market import (
    BadLength,
    BadPayload,
    ForeignFrame,
    FrameTooLong,
    Instrument,
    SequenceGap,
    WireError,
    wire,
)
from ticktree.market.events import FeedState
from ticktree.market.ticks import TICK, Ticks, encode

from .samples import BTC, ETH, quote

TICKS: Ticks = np.frombuffer(encode([quote(), quote(101.0), quote(99.0)]), TICK)
BOOKS = (("sim", "BTC-USDT"), ("sim", "ETH-USDT"))
CONVERSATION: list[wire.Message] = [
    wire.Hello(session="00000000000000ff", feed="sim", token="secret"),
    wire.Subscribe(("*/BTC-USDT/quote",)),
    wire.Refused(wire.Refusal.NOTHING, "nothing here is called that"),
    wire.Instruments((BTC, ETH)),
    wire.Subscribed(("*/BTC-USDT/quote",)),
    wire.SnapshotBegin(("*/BTC-USDT/quote",)),
    wire.TickRows(TICKS[:1]),
    wire.SnapshotEnd(("*/BTC-USDT/quote",)),
    wire.TickRows(TICKS),
    wire.TickRows(TICKS),
    wire.TickRows(TICKS),
    wire.FeedMark("sim", FeedState.LOST, "cut", 5),
    wire.Skipped(40, BOOKS, "sim"),
    wire.GapMark("sim", "BTC-USDT", "book", 5, 9, 77),
    wire.StaleMark("sim", "BTC-USDT", "a gap", 77),
    wire.TickRows(TICKS[:2]),
    wire.LiveMark("sim", "BTC-USDT", 78),
    wire.Unsubscribe(("*/BTC-USDT/quote",)),
    wire.Heartbeat(),
    wire.TickRows(TICKS[:1]),
    wire.End("done"),
]


class Side:
    """One side of a connection as the network shell is: it keeps what is not whole yet."""

    def __init__(self) -> None:
        self.framing, self.reader = wire.Framing(), wire.Reader()
        self.rest, self.offset = b"", 0
        self.messages = list[wire.Message]()

    def hear(self, data: bytes) -> None:
        self.rest += data
        frames, used, error = self.framing.cut(memoryview(self.rest), self.offset)
        assert used == sum(map(len, frames))
        for frame in frames:
            self.messages.append(self.reader.read(frame))
        self.rest, self.offset = self.rest[used:], self.offset + used
        if error is not None:
            raise error


def written(messages: Sequence[wire.Message]) -> bytes:
    writer = wire.Writer()
    return b"".join(writer.write(message) for message in messages)


def joined(messages: Sequence[wire.Message]) -> list[Any]:
    """`messages` for comparing: ticks as bytes, those in a row as one."""
    found = list[Any]()
    for message in messages:
        what = message.ticks.tobytes() if isinstance(message, wire.TickRows) else message
        if found and isinstance(what, bytes) and isinstance(found[-1], bytes):
            found[-1] += what
        else:
            found.append(what)
    return found


def heard(pieces: Sequence[bytes]) -> list[Any]:
    side = Side()
    for piece in pieces:
        side.hear(piece)
    assert not side.rest
    return joined(side.messages)


def cut(data: bytes, offset: int = 0) -> tuple[list[memoryview], int, Exception | None]:
    return wire.Framing().cut(memoryview(data), offset)


STREAM = written(CONVERSATION)
EXPECTED = joined(CONVERSATION)


# --- however it is cut ---------------------------------------------------------------------------------------------


def test_one_read_brings_the_whole_conversation() -> None:
    assert heard([STREAM]) == EXPECTED


def test_cut_at_every_byte() -> None:
    for at in range(len(STREAM) + 1):
        assert heard([STREAM[:at], STREAM[at:]]) == EXPECTED, at


@pytest.mark.parametrize("size", [1, 7, 80, 1_000])
def test_read_in_pieces_of_one_size(size: int) -> None:
    assert heard([STREAM[n : n + size] for n in range(0, len(STREAM), size)]) == EXPECTED


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_cut_at_any_bytes(cuts: list[int]) -> None:
    assert heard([STREAM[a:b] for a, b in pairwise([0, *sorted(cuts), len(STREAM)])]) == EXPECTED


def test_what_a_prefix_brings_is_a_prefix() -> None:
    for at in range(len(STREAM)):
        side = Side()
        side.hear(STREAM[:at])
        assert side.offset + len(side.rest) == at
        assert len(side.rest) < wire.MOST_BYTES
        found = joined(side.messages)
        assert found[:-1] == EXPECTED[: max(len(found) - 1, 0)]
        assert not found or found[-1] == EXPECTED[len(found) - 1] or EXPECTED[len(found) - 1].startswith(found[-1])


frames_of_ticks = st.lists(st.integers(1, 5), max_size=30)


@given(frames_of_ticks, st.data())
def test_a_run_of_frames_is_the_same_as_its_frames(lengths: list[int], data: st.DataObject) -> None:
    rows: Ticks = np.frombuffer(data.draw(st.binary(min_size=64 * sum(lengths), max_size=64 * sum(lengths))), TICK)
    writer, frames, at = wire.Writer(), list[bytes](), 0
    for length in lengths:
        frames.append(writer.ticks(rows[at : at + length]))
        at += length
    slices, _, error = cut(b"".join(frames))
    assert error is None
    together, alone = wire.Reader(), wire.Reader()
    assert joined([together.read(slice) for slice in slices]) == joined([alone.read(frame) for frame in frames])
    assert together.sequence == alone.sequence == sum(lengths)


def test_frames_of_equal_length_are_one_slice_and_others_are_not() -> None:
    writer = wire.Writer()
    lengths = [2, 2, 2, 1, 3, 3, 1, 1]
    slices, _, _ = cut(b"".join(writer.ticks(TICKS[:n]) for n in lengths))
    assert [(len(slice) // (16 + 64 * n), n) for slice, n in zip(slices, [2, 1, 3, 1], strict=True)] == [
        (3, 2), (1, 1), (2, 3), (2, 1),
    ]  # fmt: skip


def test_a_run_ends_where_the_read_does() -> None:
    writer = wire.Writer()
    data = b"".join(writer.ticks(TICKS) for _ in range(4))
    slices, used, _ = cut(data[:-1])
    assert [len(slice) for slice in slices] == [3 * 208]
    assert used == 3 * 208


def test_control_frames_are_never_joined() -> None:
    assert len(cut(written([wire.Heartbeat()] * 3))[0]) == 3


# --- whose memory --------------------------------------------------------------------------------------------------


def test_ticks_of_one_frame_are_a_view_writable_where_the_bytes_are() -> None:
    memory = bytearray(wire.Writer().ticks(TICKS))
    frames, _, _ = wire.Framing().cut(memoryview(memory), 0)
    message = wire.Reader().read(frames[0])
    assert isinstance(message, wire.TickRows)
    message.ticks["instrument"] = 0x0102_0304
    assert memory[16:20] == b"\x04\x03\x02\x01"
    fixed = wire.Reader().read(bytes(memory))
    assert isinstance(fixed, wire.TickRows)
    assert not fixed.ticks.flags.writeable


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_ticks_of_a_run_are_a_copy_in_a_row_and_writable(rows: int) -> None:
    writer = wire.Writer()
    memory = writer.ticks(TICKS[:rows]) + writer.ticks(TICKS[:rows])
    message = wire.Reader().read(memory)
    assert isinstance(message, wire.TickRows)
    assert message.ticks.flags.c_contiguous
    message.ticks["instrument"] = 9
    assert message.ticks.tobytes() != TICKS[:rows].tobytes() * 2
    assert memory[16:20] == TICKS[:1].tobytes()[:4]


# --- what is no frame ----------------------------------------------------------------------------------------------


def header(length: int, kind: int = wire.FrameKind.HEARTBEAT, version: int = 1, sequence: int = 0) -> bytes:
    return wire.HEADER.pack(length, kind, version, 0, sequence)


def beat() -> bytes:
    return wire.Writer().write(wire.Heartbeat())


def refused(side: Side, pieces: Sequence[bytes]) -> WireError | None:
    try:
        for piece in pieces:
            side.hear(piece)
    except WireError as error:
        return error
    return None


def shows_where(error: WireError | None, data: bytes) -> bool:
    return error is None or error.head == data[error.offset : error.offset + 16] != b""


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_any_bytes_are_messages_or_a_named_error(pieces: list[bytes]) -> None:
    side = Side()
    assert shows_where(refused(side, pieces), b"".join(pieces))
    assert len(side.rest) < wire.MOST_BYTES + 200


@given(st.integers(0, len(STREAM) - 1), st.integers(1, 255))
def test_a_byte_that_changed_on_the_way_is_a_message_or_a_named_error(at: int, change: int) -> None:
    damaged = bytearray(STREAM)
    damaged[at] ^= change
    assert shows_where(refused(Side(), [bytes(damaged)]), bytes(damaged))


kinds = st.sampled_from([int(kind) for kind in wire.FrameKind])


@given(kinds, st.binary(max_size=128))
def test_any_payload_is_a_message_or_a_named_error(kind: int, payload: bytes) -> None:
    payload += b" " * (-len(payload) % 8)
    frame = header(16 + len(payload), kind) + payload
    assert shows_where(refused(Side(), [frame]), frame)


@pytest.mark.parametrize("length", [wire.MOST_BYTES + 8, 0xFFFF_FFFF, 0x8000_0000])
def test_an_oversize_or_negative_length_is_refused_from_its_header_alone(length: int) -> None:
    frames, used, error = cut(header(length))
    assert not frames
    assert not used
    assert isinstance(error, FrameTooLong)
    assert error.length == length


@pytest.mark.parametrize("length", [0, 8, 15, 17, 20])
def test_a_length_that_cannot_be_is_refused(length: int) -> None:
    _, _, error = cut(header(length) + bytes(32))
    assert isinstance(error, BadLength)
    assert error.length == length


@pytest.mark.parametrize(("kind", "version"), [(0, 1), (5, 1), (200, 1), (4, 0), (4, 2)])
def test_a_frame_that_we_do_not_speak_is_refused(kind: int, version: int) -> None:
    _, _, error = cut(header(16, kind, version))
    assert isinstance(error, ForeignFrame)
    assert (error.kind, error.version) == (kind, version)


def test_a_flag_that_we_do_not_speak_is_refused() -> None:
    _, _, error = cut(wire.HEADER.pack(16, wire.FrameKind.HEARTBEAT, 1, 1, 0))
    assert isinstance(error, ForeignFrame)


def test_the_error_of_a_foreign_protocol_shows_offset_and_first_bytes() -> None:
    _, used, error = cut(beat() + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", offset=1_000)
    assert isinstance(error, FrameTooLong)
    assert used == len(beat())
    assert error.offset == 1_000 + used
    assert "begins 47 45 54 20" in str(error)


def test_frames_before_a_bad_one_are_given_away() -> None:
    frames, _, error = cut(beat() + header(17))
    assert [len(frame) for frame in frames] == [len(beat())]
    assert isinstance(error, BadLength)


def test_less_than_a_header_is_waited_for() -> None:
    assert cut(header(wire.MOST_BYTES + 8)[:15]) == ([], 0, None)
    assert cut(b"") == ([], 0, None)


def test_the_longest_frame_fits_what_the_framing_asks_room_for() -> None:
    data = wire.Writer().ticks(np.zeros(wire.MOST_ROWS, TICK))
    assert wire.MOST_BYTES - 64 < len(data) <= wire.Framing.most_bytes


# --- sequences -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", [1, 2, 4])
def test_a_gap_in_the_ticks_is_noticed(found: int) -> None:
    reader = wire.Reader()
    reader.read(wire.Writer().ticks(TICKS))
    with pytest.raises(SequenceGap) as raised:
        reader.read(header(16, sequence=found))
    assert (raised.value.expected, raised.value.found, raised.value.offset) == (3, found, 208)


@pytest.mark.parametrize("broken", range(6))
@pytest.mark.parametrize("rows", [1, 3])
def test_a_gap_within_a_run_names_the_first_frame_that_breaks_it(broken: int, rows: int) -> None:
    writer, frames = wire.Writer(), list[bytes]()
    for number in range(6):
        if number == broken:
            writer.skipped(5)  # said, and lost
        frames.append(writer.ticks(TICKS[:rows]))
    beat_before = beat()
    reader = wire.Reader()
    reader.read(beat_before)
    with pytest.raises(SequenceGap) as raised:
        reader.read(b"".join(frames))
    length = 16 + 64 * rows
    assert (raised.value.expected, raised.value.found) == (broken * rows, broken * rows + 5)
    assert raised.value.offset == len(beat_before) + broken * length
    assert raised.value.head == frames[broken][:16]


tick_rows = st.integers(1, 3).map(lambda n: wire.TickRows(TICKS[:n]))
skips = st.integers(0, 10**12).map(wire.Skipped)
numbered: st.SearchStrategy[wire.TickRows | wire.Skipped | wire.Heartbeat] = st.one_of(
    tick_rows, skips, st.just(wire.Heartbeat())
)


@given(st.lists(numbered, max_size=20))
def test_rows_and_skipped_make_the_ordinal(said: list[wire.TickRows | wire.Skipped | wire.Heartbeat]) -> None:
    side = Side()
    side.hear(written(said))
    rows = sum(len(message.ticks) for message in side.messages if isinstance(message, wire.TickRows))
    skipped = sum(message.count for message in side.messages if isinstance(message, wire.Skipped))
    assert side.reader.sequence == rows + skipped
    writer = wire.Writer()
    for message in said:
        writer.write(message)
    assert writer.sequence == rows + skipped


def test_an_ordinal_beyond_63_bits_is_refused() -> None:
    reader, writer = wire.Reader(), wire.Writer()
    most = 2**63 - 1
    reader.read(writer.skipped(most - 1))
    run = writer.ticks(TICKS[:1])
    reader.read(run)
    with pytest.raises(BadPayload, match="beyond"):
        reader.read(writer.skipped(1))


# --- payloads ------------------------------------------------------------------------------------------------------

HOSTILE = {
    "nothing": b"",
    "no object": b"5",
    "another type": b'{"type":"end","reason":""}',
    "not json": b"not json",
    "a field is missing": b'{"type":"skipped"}',
    "a field is unknown": b'{"type":"skipped","count":1,"more":0}',
    "nested in a field": b'{"type":"skipped","count":' + b"[" * 5_000,
    "nested in an unknown field": b'{"type":"skipped","x":' + b"[" * 5_000,
    "nested before the type": b'{"x":' + b"[" * 5_000,
    "invalid UTF-8": b'{"type":"skipped","count":1,"books":[["\xff","A-B"]]}',
    "half a surrogate pair": b'{"type":"skipped","count":1,"books":[["\\ud800","A-B"]]}',
    "30 digits": b'{"type":"skipped","count":' + b"1" * 30 + b"}",
    "60,000 digits": b'{"type":"skipped","count":' + b"1" * 60_000 + b"}",
    "NaN": b'{"type":"skipped","count":NaN}',
    "negative": b'{"type":"skipped","count":-1}',
    "a fraction": b'{"type":"skipped","count":1.5}',
    "a text": b'{"type":"skipped","count":"1"}',
    "a key twice": b'{"type":"skipped","count":1,"count":1}',
    "a key twice, written otherwise": b'{"type":"skipped","count":1,"co\\u0075nt" :2}',
    "two objects": b'{"type":"skipped","count":1}{}',
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
def test_a_payload_that_cannot_be_read_is_named(payload: bytes) -> None:
    payload += b" " * (-len(payload) % 8)
    frame = header(16 + len(payload), wire.FrameKind.SKIPPED) + payload
    with pytest.raises(BadPayload, match="SKIPPED") as raised:
        wire.Reader().read(frame)
    assert raised.value.head == frame[:16]


@pytest.mark.parametrize(
    "definition",
    [
        b'{"id":1}',
        b'{"name":"nothing like it","id":1,"price_increment":"1","size_increment":"1"}',
        b'{"name":"A-B","id":-1,"price_increment":"1","size_increment":"1"}',
        b'{"name":"A-B","id":1,"price_increment":"NaN","size_increment":"1"}',
        b'{"name":"A-B","id":1,"price_increment":"1e999999999","size_increment":"1"}',
        b'{"name":"A-B","id":1,"price_increment":"1","size_increment":"0"}',
        b'{"name":"A-B","id":1,"price_increment":"1","size_increment":"1","name":"A-B"}',
        b'{"name":"A-B","id":1,"price_increment":"1","size_increment":"1","x":"\xff"}',
        b'{"name":"A-B","id":1,"price_increment":"1","size_increment":"1","x":' + b"[" * 5_000,
    ],
)
def test_a_definition_that_cannot_be_is_named(definition: bytes) -> None:
    payload = b'{"type":"instruments","instruments":[' + definition + b"]}"
    payload += b" " * (-len(payload) % 8)
    with pytest.raises(BadPayload, match="INSTRUMENTS"):
        wire.Reader().read(header(16 + len(payload), wire.FrameKind.INSTRUMENTS) + payload)


@pytest.mark.parametrize(("size", "why"), [(0, "no tick"), (8, "multiple of 64"), (72, "multiple of 64")])
@pytest.mark.parametrize("frames", [1, 3])
def test_ticks_that_are_none_or_not_whole_are_refused(size: int, why: str, frames: int) -> None:
    data = (header(16 + size, wire.FrameKind.TICKS) + bytes(size)) * frames
    (slice,), _, _ = cut(data)
    with pytest.raises(BadPayload, match=why):
        wire.Reader().read(slice)


# --- the writer ----------------------------------------------------------------------------------------------------


@given(st.binary(max_size=64 * 40).map(lambda data: data[: len(data) // 64 * 64]))
def test_any_ticks_come_out_as_they_went_in(data: bytes) -> None:
    rows: Ticks = np.frombuffer(data, TICK)
    assert heard([wire.Writer().ticks(rows)]) == ([data] if data else [])


def test_ticks_that_do_not_lie_in_a_row_are_written_in_order() -> None:
    assert heard([wire.Writer().ticks(TICKS[::2])]) == [TICKS[:1].tobytes() + TICKS[2:].tobytes()]


def test_definitions_and_ticks_are_split_over_frames() -> None:
    long, digits = "A" * 24, Decimal("1" * 28 + "." + "1" * 30)
    many = tuple(Instrument(f"{long}-{n:024}", n, digits, digits, digits, digits) for n in range(1_000))
    side = Side()
    side.hear(written([wire.Instruments(many), wire.TickRows(np.zeros(wire.MOST_ROWS + 5, TICK))]))
    defined = [i for message in side.messages if isinstance(message, wire.Instruments) for i in message.instruments]
    assert tuple(defined) == many
    rows = [len(message.ticks) for message in side.messages if isinstance(message, wire.TickRows)]
    assert rows == [wire.MOST_ROWS, 5]


def test_no_definitions_and_no_ticks() -> None:
    assert heard([written([wire.Instruments(()), wire.TickRows(TICKS[:0])])]) == [wire.Instruments(())]


def test_more_books_than_fit_a_frame_follow_in_frames_of_no_count() -> None:
    books = [("f" * 64, f"{n:024}-{'B' * 24}") for n in range(1_000)]
    side = Side()
    side.hear(wire.Writer().skipped(7, books))
    found = [message for message in side.messages if isinstance(message, wire.Skipped)]
    assert [message.count for message in found] == [7, 0, 0]
    assert [book for message in found for book in message.books] == books
    assert side.reader.sequence == 7


def test_as_many_topics_as_there_may_be_fit_a_frame() -> None:
    topic = "/".join(["a" * 64, "b" * 64, "*" * 64])
    assert heard([written([wire.Subscribed((topic,) * 256)])]) == [wire.Subscribed((topic,) * 256)]
    with pytest.raises(BadPayload, match="256"):
        heard([written([wire.Subscribe(("a",) * 257)])])


def test_a_message_too_long_for_a_frame_is_refused_by_its_writer() -> None:
    with pytest.raises(FrameTooLong):
        wire.Writer().write(wire.End("x" * wire.MOST_BYTES))
