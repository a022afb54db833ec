"""Mailboxes as they are specified, and the figures they answer with."""

import math
from typing import Any

import attrs
import pytest

from ticktree.actors import (
    Block,
    Conflate,
    DropOldest,
    Dropped,
    Fail,
    Mailbox,
    MailboxStats,
    SpecError,
)


class Merging:
    def key(self, message: Any) -> str:
        return "one"

    def merge(self, older: Any, newer: Any) -> tuple[Any, int]:
        return newer, 1


@pytest.mark.parametrize("capacity", [0, -1, 1.5, math.nan, True, "10", None, 1 << 41])
def test_a_capacity_that_is_no_number_of_ticks_is_refused(capacity: Any) -> None:
    with pytest.raises(SpecError, match="capacity is a number of ticks"):
        Mailbox(capacity, Block())


@pytest.mark.parametrize("overflow", ["block", None, Block, 3])
def test_an_overflow_that_is_no_policy_is_refused(overflow: Any) -> None:
    with pytest.raises(SpecError, match=r"overflow is Block\(\), DropOldest\(\)"):
        Mailbox(10, overflow)


def test_neither_capacity_nor_overflow_has_a_default() -> None:
    with pytest.raises(TypeError, match=r"capacity.*overflow"):
        Mailbox()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # the mistake


def test_conflate_needs_to_be_told_what_to_do_with_the_rest() -> None:
    with pytest.raises(TypeError, match="otherwise"):
        Conflate(Merging())  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # the mistake


@pytest.mark.parametrize("otherwise", [None, "drop", Conflate(Merging(), otherwise=Fail())])
def test_conflate_does_not_take_another_conflate_for_the_rest(otherwise: Any) -> None:
    with pytest.raises(SpecError, match="otherwise is Block"):
        Conflate(Merging(), otherwise=otherwise)


@pytest.mark.parametrize("merge", [None, object(), len])
def test_conflate_needs_a_key_and_a_merge(merge: Any) -> None:
    with pytest.raises(SpecError, match=r"key\(message\) and merge\(older, newer\)"):
        Conflate(merge, otherwise=DropOldest())


@pytest.mark.parametrize("rows", [object(), len, "rows"])
def test_rows_must_know_how_to_cut(rows: Any) -> None:
    with pytest.raises(SpecError, match=r"rows has floor\(batch, rows\)"):
        Mailbox(10, Block(), rows=rows)


def test_dropped_adds_up_its_reasons() -> None:
    assert Dropped(overflow=1, crash=20, cancel=300, stop=4000).total == 4321


def test_what_is_unaccounted_for_is_the_difference() -> None:
    figures = {"delivered": 1, "conflated": 2, "queued": 8, "in_handler": 16, "refused": 100}
    stats = MailboxStats(capacity=50, received=31, dropped=Dropped(overflow=4), oldest_age_ns=0, items=3, **figures)
    assert stats.unaccounted == 0
    assert attrs.evolve(stats, received=32).unaccounted == 1
