"""What the bytes of a journal are."""

from typing import Any, cast

import pytest
from hypothesis import given, strategies as st

from ticktree.routing.facts import AnyFact, Doubted
from ticktree.routing.journal import format
from ticktree.routing.journal.format import BODY_MOST, FRAME, HEADER, Framing, NewerVersion, header_of, mark_of

from . import some


def test_a_header_tells_its_mark() -> None:
    header = header_of(0x01020304)
    assert header.hex(" ", 4) == "7469636b 74726565 206a6f75 726e616c 01000000 04030201 531a82bb"
    assert mark_of(header) == 0x01020304


@given(st.integers(0, HEADER.size - 1), st.integers(1, 255))
def test_no_byte_of_a_header_can_change_unseen(at: int, change: int) -> None:
    header = bytearray(header_of(7))
    header[at] ^= change
    with pytest.raises(ValueError, match=r"begins|check"):
        mark_of(bytes(header))


def test_a_newer_version_is_known_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "VERSION", 9)
    header = header_of(7)
    monkeypatch.undo()
    with pytest.raises(NewerVersion) as newer:
        mark_of(header)
    assert newer.value.version == 9


def test_only_the_beginning_of_a_header_may_become_one() -> None:
    header = header_of(7)
    assert all(format.may_become_header(header[:size]) for size in range(HEADER.size))
    assert not format.may_become_header(header)
    assert not format.may_become_header(b"ticktree recording")
    assert not format.may_become_header(header[:16] + b"\2")


def test_a_frame_is_as_it_is_described() -> None:
    frame = bytes(Framing(0x01020304).frame(Doubted(5, "a", "b"), 3))
    assert frame[:20].hex(" ", 4) == "b7bd6631 04030201 0e000000 03000000 00000000"
    assert frame[20:] == b"\x94\xa7doubted\x05\xa1a\xa1b"


def test_a_short_fact_after_a_long_one_leaves_nothing_of_it() -> None:
    framing = Framing(7)
    short = bytes(framing.frame(Doubted(5, "a", "b"), 3))
    framing.frame(Doubted(5, "a", "b" * 1_000), 3)
    assert bytes(framing.frame(Doubted(5, "a", "b"), 3)) == short


TOO_MUCH: Any = [
    Doubted(1 << 70, "", ""),
    Doubted(0, "\ud800", ""),
    Doubted(0, "", "x" * BODY_MOST),
    Doubted(0, "", cast(str, object())),
]


@pytest.mark.parametrize("fact", TOO_MUCH)
def test_what_no_frame_can_hold_is_refused(fact: AnyFact) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        Framing(7).frame(fact, 1)


def test_the_longest_body_fits() -> None:
    frame = Framing(7).frame(Doubted(0, "", "x" * (BODY_MOST - 16)), 1)
    assert len(frame) == FRAME.size + BODY_MOST


@given(st.integers(1, 1 << 60), some.values(AnyFact))
def test_a_frame_holds_what_it_was_made_of(number: int, fact: AnyFact) -> None:
    frame = bytes(Framing(7).frame(fact, number))
    head = format.Head.parse(frame)
    assert head.fits(7, len(frame))
    assert not head.fits(8, len(frame))
    assert not head.fits(7, len(frame) - 1)
    assert head.holds(frame)
    assert head.number == number
