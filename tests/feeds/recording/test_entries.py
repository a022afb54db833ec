"""What holes tell."""

import pytest

from ticktree.feeds.recording import Hole


def test_a_hole_tells_what_is_missing() -> None:
    hole = Hole(3, 1 << 40)
    assert Hole.parse(hole.encoded()) == hole
    assert hole.plus(1, 2) == Hole(4, (1 << 40) + 2)


@pytest.mark.parametrize("data", [b"", b"x" * 15, b"x" * 17])
def test_what_is_no_hole_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Hole.parse(data)
