"""Frames that are written by hand, to be broken off in the middle."""

import pytest

from ticktree.feeds.playback.client import frame


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_frame_has_the_shortest_header_that_can_tell_its_length(length: int, header: bytes) -> None:
    assert frame(b"x" * length) == header + b"x" * length
