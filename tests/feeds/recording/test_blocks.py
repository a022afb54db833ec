"""The form of our own recordings."""

import pytest
from hypothesis import given, strategies as st

from ticktree.feeds.recording.blocks import HEADER, MORE, Title, block_of, encoded, first_line, header_of, title_of
from ticktree.feeds.recording.entries import EntryKind

TIMES = st.integers(-(1 << 63), (1 << 63) - 1)
MESSAGES = st.lists(st.binary(max_size=40), max_size=8)


@given(MESSAGES, TIMES, st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1), st.booleans())
def test_a_block_is_read_as_it_was_written(
    messages: list[bytes], time_ns: int, connection: int, stream_bytes: int, more: bool
) -> None:
    stream = (stream_bytes, MORE if more else 0)
    lengths = tuple(map(len, messages))
    head, payload = encoded(EntryKind.RECEIVED, time_ns, connection, lengths, b"".join(messages), stream)
    data = head + bytes(payload)
    header = header_of(data[: HEADER.size])
    assert header.length == len(data) - HEADER.size
    block = block_of(header, data[HEADER.size :])
    assert block.parts() == messages
    assert [bytes(view) for view in block.views()] == messages
    told = (block.kind, block.time_ns, block.connection, block.stream_bytes, block.more)
    assert told == (EntryKind.RECEIVED, time_ns, connection, stream_bytes, more)


def test_views_can_be_written_to_and_copies_stay() -> None:
    head, payload = encoded(EntryKind.RECEIVED, 1, 1, (2, 2), b"abcd", (4, 0))
    block = block_of(header_of(head[: HEADER.size]), head[HEADER.size :] + bytes(payload))
    first, second = block.views()
    first[:] = b"zz"
    assert bytes(second) == b"cd"
    assert block.parts() == [b"ab", b"cd"]


@given(st.integers(0, HEADER.size + 11), st.integers(1, 255))
def test_no_changed_byte_is_believed(place: int, change: int) -> None:
    head, payload = encoded(EntryKind.RECEIVED, 1, 1, (4,), b"abcd", (4, 0))
    data = bytearray(head + bytes(payload))
    data[place % len(data)] ^= change
    with pytest.raises(ValueError, match="check"):
        block_of(header_of(bytes(data[: HEADER.size])), bytes(data[HEADER.size :]))


@pytest.mark.parametrize(
    ("kind", "lengths", "payload", "why"),
    [
        (EntryKind.RECEIVED, (5,), b"abcd", "come to 5 bytes"),
        (EntryKind.HTTP, (4,), b"abcd", "cannot have 1 parts"),
        (EntryKind.HOLE, (2, 2), b"abcd", "cannot have 2 parts"),
    ],
)
def test_parts_that_cannot_be_are_refused(kind: EntryKind, lengths: tuple[int, ...], payload: bytes, why: str) -> None:
    head, _ = encoded(kind, 1, 1, lengths, payload, (0, 0))
    with pytest.raises(ValueError, match=why):
        block_of(header_of(head[: HEADER.size]), head[HEADER.size :] + payload)


def test_the_first_line_is_for_people() -> None:
    line = first_line(Title("binance", "m:C", 5))
    assert line == b'ticktree recording 1 {"feed":"binance","type":"m:C","began_ns":5}\n'
    assert title_of(line) == (1, Title("binance", "m:C", 5))


def test_of_a_later_version_only_the_version_is_known() -> None:
    assert title_of(b"ticktree recording 2 whatever that has\n") == (2, None)


@pytest.mark.parametrize("line", [b"ticktree recording x {}\n", b"ticktree recording 1 {\n", b"ticktree recording \n"])
def test_a_first_line_that_cannot_be_read_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"version|JSON|truncated"):
        title_of(line)
