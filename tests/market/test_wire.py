"""The wire protocol, from bytes cut anywhere, and from bytes that are something else."""

import contextlib
from decimal import Decimal
from itertools import pairwise

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
from ticktree.market.ticks import encode

from .samples import BTC, ETH, quote

RECORDS = memoryview(encode([quote(), quote(), quote()]))
CONVERSATION: list[wire.Message] = [
    wire.Hello(session=5, token="secret"),
    wire.Subscribe(("*/BTC-USDT/quote",)),
    wire.Instruments((BTC, ETH)),
    wire.Subscribed(("*/BTC-USDT/quote",)),
    wire.TickRows(RECORDS),
    wire.Heartbeat(),
    wire.TickRows(RECORDS[:64]),
    wire.End("done"),
]


def written(messages: list[wire.Message]) -> bytes:
    writer = wire.Writer()
    return b"".join(writer.write(message) for message in messages)


def read(pieces: list[bytes]) -> list[wire.Message]:
    framing, reader = wire.Framing(), wire.Reader()
    return [reader.read(frame) for piece in pieces for frame in framing.split(piece)]


STREAM = written(CONVERSATION)


def test_one_read_brings_the_whole_conversation() -> None:
    assert read([STREAM]) == CONVERSATION


def test_cut_at_every_byte() -> None:
    for at in range(len(STREAM) + 1):
        assert read([STREAM[:at], STREAM[at:]]) == CONVERSATION, at


def test_byte_by_byte() -> None:
    assert read([STREAM[n : n + 1] for n in range(len(STREAM))]) == CONVERSATION


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_cut_at_any_bytes(cuts: list[int]) -> None:
    assert read([STREAM[a:b] for a, b in pairwise([0, *sorted(cuts), len(STREAM)])]) == CONVERSATION


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_bytes_that_are_something_else_raise_a_named_error_or_wait(pieces: list[bytes]) -> None:
    framing = wire.Framing()
    with contextlib.suppress(WireError):
        for piece in pieces:
            list(framing.split(piece))
    assert framing.buffered < wire.MOST_BYTES


def test_every_byte_is_accounted_for() -> None:
    framing, given_away = wire.Framing(), 0
    for n in range(len(STREAM)):
        given_away += sum(map(len, framing.split(STREAM[n : n + 1])))
        assert given_away + framing.buffered == n + 1


def header(length: int, kind: int = 10, version: int = 1, sequence: int = 0) -> bytes:
    return wire.HEADER.pack(length, kind, version, 0, sequence)


@pytest.mark.parametrize("length", [wire.MOST_BYTES + 8, 0xFFFF_FFFF, 0x8000_0000])
def test_an_oversize_or_negative_length_is_refused_from_its_header_alone(length: int) -> None:
    framing = wire.Framing()
    with pytest.raises(FrameTooLong) as raised:
        list(framing.split(header(length)))
    assert raised.value.length == length


@pytest.mark.parametrize("length", [0, 8, 15, 17, 20])
def test_a_length_that_cannot_be_is_refused(length: int) -> None:
    with pytest.raises(BadLength):
        list(wire.Framing().split(header(length) + bytes(32)))


@pytest.mark.parametrize(("kind", "version"), [(0, 1), (4, 1), (200, 1), (10, 0), (10, 2)])
def test_a_frame_that_we_do_not_speak_is_refused(kind: int, version: int) -> None:
    with pytest.raises(ForeignFrame) as raised:
        list(wire.Framing().split(header(16, kind, version)))
    assert (raised.value.kind, raised.value.version) == (kind, version)


def test_the_error_of_a_foreign_protocol_shows_offset_and_first_bytes() -> None:
    framing = wire.Framing()
    with pytest.raises(WireError, match=r"at byte 16: .* begins 47 45 54 20") as raised:
        list(framing.split(header(16) + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert raised.value.offset == 16


def test_frames_before_a_bad_one_are_given_away() -> None:
    frames = wire.Framing().split(header(16) + header(17))
    assert len(next(iter(frames))) == 16


@pytest.mark.parametrize("found", [1, 2, 4])
def test_a_gap_in_the_ticks_is_noticed(found: int) -> None:
    reader = wire.Reader()
    reader.read(memoryview(wire.Writer().write(wire.TickRows(RECORDS))))
    with pytest.raises(SequenceGap) as raised:
        reader.read(memoryview(header(16, sequence=found)))
    assert (raised.value.expected, raised.value.found) == (3, found)


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"not json", b'{"instruments":[{"id":1}]}', b"\xff\xfe\xfd", b"[" * 5_000, b'{"instruments":5}'],
)
def test_a_payload_that_cannot_be_read_is_named(payload: bytes) -> None:
    payload += b" " * (-len(payload) % 8)
    frame = header(16 + len(payload), wire.FrameKind.INSTRUMENTS) + payload
    with pytest.raises(BadPayload, match="INSTRUMENTS"):
        wire.Reader().read(memoryview(frame))


def test_rows_that_are_not_whole_are_refused() -> None:
    with pytest.raises(BadPayload, match="multiple of 64"):
        wire.Reader().read(memoryview(header(16 + 72, wire.FrameKind.TICKS) + bytes(72)))


def test_definitions_and_ticks_are_split_over_frames() -> None:
    many = tuple(Instrument(f"C{n}-USDT", n, Decimal("0.01"), Decimal(1)) for n in range(1_000))
    rows = memoryview(bytes(64) * (wire.MOST_ROWS + 5))
    messages = read([written([wire.Instruments(many), wire.TickRows(rows)])])
    defined = [i for message in messages if isinstance(message, wire.Instruments) for i in message.instruments]
    assert tuple(defined) == many
    assert [len(m.records) // 64 for m in messages if isinstance(m, wire.TickRows)] == [wire.MOST_ROWS, 5]


def test_a_message_too_long_for_a_frame_is_refused_by_its_writer() -> None:
    with pytest.raises(FrameTooLong):
        wire.Writer().write(wire.End("x" * wire.MOST_BYTES))
