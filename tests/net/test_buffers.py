"""Where reads land, and when their memory is used again."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ticktree.net import ReadBuffers, ShortReads
from ticktree.net.buffers import LENT_BYTES, SLOT_BYTES

MOST = 64


def read(buffers: ReadBuffers, data: bytes) -> memoryview:
    """One read of `data`, as a loop does it."""
    buffers.room()[: len(data)] = data
    return buffers.filled(len(data))


def large(number: int) -> bytes:
    return bytes([number]) * LENT_BYTES


def lend(buffers: ReadBuffers, number: int) -> memoryview:
    """A large read, all of it whole frames."""
    view = read(buffers, large(number))
    buffers.keep(LENT_BYTES)
    return view


def slots(buffers: ReadBuffers) -> int:
    return len(vars(buffers)["_slots"])


def test_a_large_read_is_lent_and_writable() -> None:
    buffers = ReadBuffers(MOST)
    view = lend(buffers, 1)
    assert (buffers.lent, buffers.copied, buffers.held) == (1, 0, 0)
    assert not view.readonly
    assert view.obj is vars(buffers)["_slots"][0]


def test_a_small_read_is_copied_and_writable() -> None:
    buffers = ReadBuffers(MOST)
    view = read(buffers, b"x" * (LENT_BYTES - 1))
    buffers.keep(len(view))
    assert (buffers.lent, buffers.copied) == (0, 1)
    assert not view.readonly
    read(buffers, b"y" * 100)
    assert view == b"x" * (LENT_BYTES - 1)


def test_a_slot_is_used_again_once_nobody_looks_at_it() -> None:
    buffers = ReadBuffers(MOST)
    for number in range(100):
        lend(buffers, number)
    assert (slots(buffers), buffers.copied) == (1, 0)
    buffers.room()
    assert buffers.free == 4


LOOKS: dict[str, Callable[[memoryview], Any]] = {
    "view": lambda view: view,
    "slice": lambda view: view[5:9],
    "slice of a slice": lambda view: view[10:][:1],
    "cast": lambda view: view.cast("Q"),
    "array": lambda view: np.frombuffer(view, np.uint8),
    "array's slice": lambda view: np.frombuffer(view, np.uint64)[3:4],
    "records": lambda view: np.frombuffer(view[64:], np.dtype("V64"))[::2],
    "view of an array": lambda view: np.frombuffer(view, np.uint8).data,
}


@pytest.mark.parametrize("kept", LOOKS.values(), ids=LOOKS)
def test_whatever_looks_at_a_slot_keeps_it(kept: Callable[[memoryview], Any]) -> None:
    buffers = ReadBuffers(MOST)
    looking = kept(lend(buffers, 7))
    before = bytes(memoryview(looking))
    for number in range(20):
        lend(buffers, number)
        assert buffers.free <= 3
    assert bytes(memoryview(looking)) == before
    del looking
    buffers.room()
    assert buffers.free == 4


def test_a_slow_receiver_pins_at_most_the_pool_and_the_rest_is_its_own() -> None:
    buffers = ReadBuffers(MOST)
    kept = [lend(buffers, number) for number in range(50)]
    assert (buffers.lent, buffers.copied, slots(buffers)) == (3, 47, 4)
    assert buffers.free == 1
    assert [bytes(view) for view in kept] == [large(number) for number in range(50)]
    kept.clear()
    assert buffers.free == 4
    lend(buffers, 1)
    assert buffers.lent == 4


@pytest.mark.parametrize("size", [100, LENT_BYTES, SLOT_BYTES - 50])
def test_what_is_held_goes_before_the_next_read(size: int) -> None:
    buffers = ReadBuffers(MOST)
    kept = read(buffers, b"a" * size + b"b" * 50)
    buffers.keep(size)
    assert buffers.held == 50
    assert read(buffers, b"c" * 10) == b"b" * 50 + b"c" * 10
    buffers.keep(10)
    assert buffers.held == 50
    assert kept[:size] == b"a" * size
    assert read(buffers, b"d") == b"b" * 40 + b"c" * 10 + b"d"


def test_a_frame_that_comes_in_many_reads_is_not_copied_once_it_is_large() -> None:
    frame = bytes(range(256)) * 256
    buffers = ReadBuffers(len(frame))
    view = memoryview(b"")
    for begin in range(0, len(frame), 1024):
        view = read(buffers, frame[begin : begin + 1024])
        buffers.keep(0 if len(view) < len(frame) else len(frame))
    assert view == frame
    assert (buffers.lent, buffers.copied, slots(buffers)) == (1, 0, 1)


def test_room_always_holds_another_frame() -> None:
    buffers = ReadBuffers(500_000)
    assert buffers.slot_bytes == 1_000_000
    read(buffers, bytes(499_999))
    buffers.keep(0)
    assert len(buffers.room()) == 500_001


def test_asking_for_room_again_changes_nothing() -> None:
    buffers = ReadBuffers(MOST)
    view = read(buffers, large(1) + b"rest")
    buffers.keep(LENT_BYTES)
    assert len(buffers.room()) == len(buffers.room()) == SLOT_BYTES - 4
    assert view[:LENT_BYTES] == large(1)
    assert bytes(read(buffers, b"!")) == b"rest!"


def test_one_slot_only_is_never_lent() -> None:
    buffers = ReadBuffers(MOST, slots=1)
    assert [bytes(lend(buffers, number)) for number in range(5)] == [large(number) for number in range(5)]
    assert (buffers.lent, buffers.copied, slots(buffers)) == (0, 5, 1)


# --- of who says little ---------------------------------------------------------------------------------------------


def short(buffers: ShortReads, data: bytes) -> memoryview:
    buffers.room()[: len(data)] = data
    return buffers.filled(len(data))


def test_short_reads_are_put_together_until_a_frame_is_whole() -> None:
    buffers = ShortReads(MOST, read_bytes=8)
    assert bytes(short(buffers, b"abcdefgh")) == b"abcdefgh"
    buffers.keep(0)
    view = short(buffers, b"ij")
    assert (bytes(view), buffers.held) == (b"abcdefghij", 10)
    buffers.keep(9)
    assert buffers.held == 1
    assert bytes(short(buffers, b"k")) == b"jk"
    assert bytes(view) == b"abcdefghij"  # the receiver's, as long as it is kept


def test_short_reads_hold_no_more_than_what_came() -> None:
    buffers = ShortReads(65_536)
    assert len(buffers.room()) == 4_096
    assert buffers.slot_bytes >= 2 * 65_536
    short(buffers, b"x" * 10)
    buffers.keep(10)
    assert (buffers.held, buffers.copied, buffers.lent) == (0, 1, 0)
