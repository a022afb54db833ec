"""What cuts a stream into frames gives the same ones however the stream is sliced."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.net import BadFrame, Framing, LengthPrefixed, Lines, NoFrame, Oversize, ReadBuffers, Records

MOST = 300
FRAMINGS: list[Any] = [
    Records(1), Records(64), Lines(MOST), Lines(1),
    LengthPrefixed(1, "big", 256), LengthPrefixed(1, "little", 20), LengthPrefixed(2, "big", MOST),
    LengthPrefixed(2, "little", MOST), LengthPrefixed(4, "big", MOST), LengthPrefixed(4, "little", MOST),
]  # fmt: skip


def cut(framing: Framing, pieces: Iterable[bytes]) -> tuple[list[bytes], int, str | None]:
    """What a connection would deliver, the bytes it would hold, and the error it would end with."""
    frames: list[memoryview] = []
    buffers, offset = ReadBuffers(framing.most_bytes, slot_bytes=1024), 0
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            room = buffers.room()
            part, rest = rest[: len(room)], rest[len(room) :]
            room[: len(part)] = part
            data = buffers.filled(len(part))
            found, taken, error = framing.cut(data, offset)
            buffers.keep(taken)
            offset += taken
            frames += found
            assert buffers.slot_bytes <= max(1024, 2 * framing.most_bytes)
            if error is not None:
                assert isinstance(error, BadFrame)
                assert error.offset == offset
                return joined(framing, frames), buffers.held, type(error).__name__
            assert buffers.held < framing.most_bytes
    return joined(framing, frames), buffers.held, None


def joined(framing: Framing, frames: Sequence[memoryview]) -> list[bytes]:
    """Records come as many as a read brought: the cut between them does not matter."""
    if isinstance(framing, Records):
        assert all(len(frame) % framing.size == 0 and frame for frame in frames)
        return [b"".join(frames)]
    return [bytes(frame) for frame in frames]


def sliced(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(data) + 1) for place in cuts), len(data)]
    return [data[begin:end] for begin, end in pairwise(places)]


def encoded(framing: Any, frames: Sequence[bytes]) -> bytes:
    if isinstance(framing, Lines):
        return b"".join(frame + b"\n" for frame in frames)
    return b"".join(len(frame).to_bytes(framing.width, framing.order) + frame for frame in frames)


hostile = st.one_of(
    st.binary(max_size=2000),
    st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b"\x00", b"\xff" * 8, b"\x00\x05hello", b"x" * 290])).map(b"".join),
)


@pytest.mark.parametrize("framing", FRAMINGS, ids=repr)
@settings(max_examples=30, deadline=None)
@given(data=hostile, cuts=st.lists(st.integers(0, 1 << 16), max_size=8))
def test_any_bytes_sliced_anyhow_give_the_same_frames_or_the_same_error(
    framing: Framing, data: bytes, cuts: list[int]
) -> None:
    whole = cut(framing, [data])
    frames, held, error = cut(framing, sliced(data, cuts))
    assert (frames, error) == (whole[0], whole[2])
    if error is None:
        assert held == whole[1]


@pytest.mark.parametrize("framing", [f for f in FRAMINGS if not isinstance(f, Records) and f.most_bytes > 20], ids=repr)
@settings(max_examples=30, deadline=None)
@given(
    frames=st.lists(st.binary(max_size=250).map(lambda frame: frame.replace(b"\n", b"").rstrip(b"\r")), max_size=10),
    cuts=st.lists(st.integers(0, 1 << 16), max_size=8),
)
def test_what_was_framed_comes_back(framing: Framing, frames: list[bytes], cuts: list[int]) -> None:
    assert cut(framing, sliced(encoded(framing, frames), cuts)) == (frames, 0, None)


@pytest.mark.parametrize("framing", FRAMINGS, ids=repr)
def test_a_cut_at_every_byte_changes_nothing(framing: Framing) -> None:
    data = b"\x00\x03abc" * 20 + b"\nline\r\n\n" + bytes(90)
    whole = cut(framing, [data])
    for place in range(len(data) + 1):
        assert cut(framing, [data[:place], data[place:]])[0::2] == whole[0::2]
    assert cut(framing, [bytes([byte]) for byte in data])[0::2] == whole[0::2]


def once(framing: Framing, data: bytes, offset: int = 0) -> tuple[list[bytes], int, Exception | None]:
    frames, taken, error = framing.cut(memoryview(data), offset)
    return [bytes(frame) for frame in frames], taken, error


def test_frames_are_slices_of_what_was_read() -> None:
    memory = bytearray(b"\x02hi\x00one\r\n")
    for framing in (Records(3), Lines(99), LengthPrefixed(1, "big", 99)):
        frames, _, _ = framing.cut(memoryview(memory), 0)
        assert all(frame.obj is memory and not frame.readonly for frame in frames)


def test_the_whole_records_of_a_read_are_one_frame() -> None:
    assert once(Records(4), b"aaaabbbbcc") == ([b"aaaabbbb"], 8, None)
    assert once(Records(4), b"aaa") == ([], 0, None)


def test_a_line_ends_with_lf_and_a_cr_before_it_belongs_to_the_end() -> None:
    frames, taken, error = once(Lines(9), b"one\ntwo\r\n\n\r\n\r\r\nrest")
    assert frames == [b"one", b"two", b"", b"", b"\r"]
    assert (taken, error) == (15, None)


def test_a_line_may_be_as_long_as_the_bound_with_its_end() -> None:
    assert once(Lines(4), b"abc\nab\r\n") == ([b"abc", b"ab"], 8, None)
    for data in (b"abcd", b"abcd\n"):
        frames, taken, error = once(Lines(4), b"a\n" + data, 10)
        assert (frames, taken) == ([b"a"], 2)
        assert isinstance(error, NoFrame)
        assert (error.offset, error.bound, error.head) == (12, 4, data)


@pytest.mark.parametrize("order", ["big", "little"])
@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_frame_may_be_empty_or_as_long_as_the_bound(width: Any, order: Any) -> None:
    framing = LengthPrefixed(width, order, width + 5)
    data = encoded(framing, [b"", b"12345", b""])
    assert once(framing, data) == ([b"", b"12345", b""], len(data), None)
    _, taken, error = framing.cut(memoryview(encoded(framing, [b"", b"123456"])), 100)
    assert isinstance(error, Oversize)
    assert (taken, error.offset, error.length, error.bound) == (width, 100 + width, width + 6, width + 5)


@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_negative_length_is_oversize_as_soon_as_it_can_be_read(width: Any) -> None:
    framing = LengthPrefixed(width, "little", 100)
    length = (-1).to_bytes(width, "little", signed=True)
    assert once(framing, length[:-1]) == ([], 0, None)
    error = framing.cut(memoryview(length), 0)[2]
    assert isinstance(error, Oversize)
    assert error.length == 256**width - 1 + width


@pytest.mark.parametrize(
    "make",
    [
        lambda: Records(0),
        lambda: Lines(0),
        lambda: LengthPrefixed(3, "big", 99),  # type: ignore[arg-type]  # the mistake
        lambda: LengthPrefixed(2, "middle", 99),  # type: ignore[arg-type]  # the mistake
        lambda: LengthPrefixed(4, "big", 3),
    ],
)
def test_a_framing_that_cannot_be_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=r"size|most_bytes|width|order"):
        make()
