"""The data lane with batches that may be cut: splits, lost rows and the marks that stand for them."""

import asyncio
from typing import Any

import pytest

from tests.actors.batches import Lasts, Row, Silent, Skipped, is_batch, rows
from tests.actors.harness import settle
from ticktree.actors import Block, Conflate, Delivery, DropNewest, DropOldest, Mailbox, Outcome, TooHeavy
from ticktree.actors.lane import ConflatingLane, DataLane
from ticktree.actors.mailbox import Overflow, Rows


class Lane:
    """A lane of batches whose actor is the test."""

    def __init__(self, overflow: Overflow, capacity: int, cuts: Rows | None = None) -> None:
        self.lost: list[Any] = []
        self.woken = 0
        mailbox = Mailbox(capacity, overflow, rows=cuts or Lasts())
        kind = ConflatingLane if isinstance(overflow, Conflate) else DataLane
        self.lane: DataLane = kind("root/lane", mailbox, self._wake, self.lost.append)

    def _wake(self, message: Any, weight: int) -> bool:
        self.woken += 1
        return False

    def tell(self, text: str) -> Delivery:
        batch = rows(text)
        delivery = self.lane.tell(batch, len(batch))
        self.check()
        return delivery

    def mark(self, name: str) -> None:
        assert self.lane.tell(name, 0) is Delivery.ACCEPTED

    def take(self) -> Any:
        message, weight = self.lane.items.popleft()
        self.lane.limit += weight
        self.lane.items_out += 1
        return message

    def queued(self) -> list[Any]:
        """Batches as text, marks as they are."""
        messages = [entry[0] for entry in self.lane.items]
        return [" ".join(map(repr, message)) if is_batch(message) else message for message in messages]

    def check(self) -> None:
        assert self.lane.figures().unaccounted == 0
        assert self.lane.weigh() == self.lane.queued <= self.lane.capacity
        assert all(entry[1] == (len(entry[0]) if is_batch(entry[0]) else 0) for entry in self.lane.items)


# --- drop_oldest -----------------------------------------------------------------------------------------------------


def test_drop_oldest_evicts_rows_up_to_the_next_last_one_and_leaves_a_mark_in_their_place() -> None:
    lane = Lane(DropOldest(), 6)
    lane.tell("a b. c d. e.")
    assert lane.tell("f. g.") is Delivery.ACCEPTED
    assert lane.queued() == [Skipped(2), "c d. e.", "f. g."]
    assert lane.lost == [rows("a b.")]
    assert lane.lane.figures().dropped.overflow == 2


def test_lost_rows_join_the_mark_at_the_head() -> None:
    lane = Lane(DropOldest(), 4)
    for n in range(50):
        lane.tell(f"a{n}. b{n}.")
    assert lane.queued() == [Skipped(96), "a48. b48.", "a49. b49."]


def test_lost_rows_do_not_join_a_mark_across_somebody_elses() -> None:
    lane = Lane(DropOldest(), 3)
    for text in ("a.", "b.", "c."):
        lane.tell(text)
        lane.mark("gap")
    lane.tell("d. e.")
    assert lane.queued() == [Skipped(1), "gap", Skipped(1), "gap", "c.", "gap", "d. e."]
    lane.tell("f. g.")
    assert lane.queued() == [Skipped(1), "gap", Skipped(1), "gap", Skipped(1), "gap", Skipped(1), "e.", "f. g."]


def test_rows_that_say_nothing_leave_no_mark() -> None:
    lane = Lane(DropOldest(), 3, Silent())
    lane.tell("a. b. c.")
    lane.tell("d. e.")
    assert lane.queued() == ["c.", "d. e."]


def test_a_batch_without_a_place_to_cut_leaves_whole() -> None:
    lane = Lane(DropOldest(), 4)
    lane.tell("a b c d.")
    lane.tell("e.")
    assert lane.queued() == [Skipped(4), "e."]


def test_a_batch_above_the_whole_capacity_keeps_its_newest_rows() -> None:
    lane = Lane(DropOldest(), 4)
    assert lane.tell("a b. c. d. e. f. g.") is Delivery.DROPPED
    assert lane.queued() == [Skipped(3), "d. e. f. g."]
    assert lane.lane.figures().dropped.overflow == 3


def test_a_batch_above_the_whole_capacity_drops_what_is_older_first_so_that_no_hole_is_left() -> None:
    lane = Lane(DropOldest(), 4)
    lane.tell("old.")
    lane.mark("gap")
    lane.tell("older.")
    assert lane.lane.offer(rows("a. b. c d e. f. g."), 7) == Outcome(accepted=2, dropped=5)
    assert lane.queued() == [Skipped(1), "gap", Skipped(6), "f. g."]


def test_marks_for_lost_rows_are_bounded_whatever_is_sent() -> None:
    lane = Lane(DropOldest(), 5)
    for _ in range(100):
        lane.tell("a. b.")
        lane.tell("c. d. e f g. h. i.")  # keeps fewer rows than fit
        lane.tell("j k l m n o.")  # nowhere to cut
        assert len([mark for mark in lane.queued() if isinstance(mark, Skipped)]) <= 2
    assert sum(mark.rows for mark in lane.queued() if isinstance(mark, Skipped)) + lane.lane.queued == 100 * 15


# --- drop_newest -----------------------------------------------------------------------------------------------------


def test_drop_newest_takes_the_rows_that_fit_and_leaves_a_mark_at_the_tail() -> None:
    lane = Lane(DropNewest(), 5)
    lane.tell("a. b. c.")
    assert lane.tell("d. e f. g.") is Delivery.DROPPED
    assert lane.queued() == ["a. b. c.", "d.", Skipped(3)]
    assert lane.lost == [rows("e f. g.")]


def test_lost_rows_join_the_mark_at_the_tail() -> None:
    lane = Lane(DropNewest(), 2)
    for n in range(50):
        lane.tell(f"{n}.")
    assert lane.queued() == ["0.", "1.", Skipped(48)]
    lane.take()
    lane.tell("50.")
    lane.tell("51.")
    assert lane.queued() == ["1.", Skipped(48), "50.", Skipped(1)]


def test_a_mark_for_lost_rows_wakes_an_actor_that_sleeps_over_an_empty_mailbox() -> None:
    lane = Lane(DropNewest(), 2)
    lane.lane.asleep = True
    assert lane.tell("a b c.") is Delivery.DROPPED
    assert (lane.queued(), lane.woken) == ([Skipped(3)], 1)


def test_offer_tells_how_many_rows_were_taken() -> None:
    lane = Lane(DropNewest(), 5)
    assert lane.lane.offer(rows("a. b. c."), 3) == Outcome(accepted=3)
    assert lane.lane.offer(rows("d. e f. g."), 4) == Outcome(accepted=1, dropped=3)


# --- block -----------------------------------------------------------------------------------------------------------


async def test_put_sends_a_batch_above_the_whole_capacity_in_pieces() -> None:
    lane = Lane(Block(), 3)
    put = asyncio.ensure_future(lane.lane.put(rows("a. b. c d. e. f."), 6))
    taken: list[Any] = []
    while not put.done():
        await settle()
        lane.check()
        while lane.lane.items:
            taken.append(lane.take())
        lane.lane.serve_waiting()
    assert await put is Delivery.ACCEPTED
    assert taken == [rows("a. b."), rows("c d. e."), rows("f.")]


async def test_put_refuses_a_batch_above_the_capacity_that_has_no_place_to_cut() -> None:
    with pytest.raises(TooHeavy, match="4 ticks can never fit"):
        await Lane(Block(), 3).lane.put(rows("a b c d."), 4)


async def test_a_batch_in_pieces_stops_where_the_lane_closes() -> None:
    lane = Lane(Block(), 2)
    put = asyncio.ensure_future(lane.lane.put(rows("a. b. c. d. e."), 5))
    await settle()
    lane.lane.close()
    assert await put is Delivery.CLOSED
    assert lane.queued() == ["a. b."]


def test_tell_answers_full_to_a_batch_that_put_could_send_in_pieces() -> None:
    lane = Lane(Block(), 3)
    assert lane.tell("a. b. c. d.") is Delivery.FULL


# --- conflate --------------------------------------------------------------------------------------------------------


class ByFirst:
    """Conflates batches by the first letter of their first row, keeping all rows; others by capitals do not."""

    def key(self, message: list[Row]) -> str | None:
        letter = message[0].name[0]
        return None if letter.isupper() else letter

    def merge(self, older: list[Row], newer: list[Row]) -> tuple[list[Row], int]:
        merged = [*older, *newer]
        return merged, len(merged)


class Shrinking(ByFirst):
    """Keeps the newer rows only."""

    def merge(self, older: list[Row], newer: list[Row]) -> tuple[list[Row], int]:
        return newer, len(newer)


def test_a_slot_that_lost_rows_is_still_merged_into() -> None:
    lane = Lane(Conflate(ByFirst(), otherwise=DropOldest()), 5)
    lane.tell("a1. a2. a3. a4.")
    lane.tell("X. Y.")
    assert lane.queued() == [Skipped(1), "a2. a3. a4.", "X. Y."]
    assert lane.tell("a5.") is Delivery.ACCEPTED  # no room to grow: the other policy makes some
    assert lane.queued() == [Skipped(2), "a3. a4.", "X. Y.", "a5."]


def test_a_partly_evicted_slot_takes_later_messages_at_its_place() -> None:
    lane = Lane(Conflate(Shrinking(), otherwise=DropOldest()), 5)
    lane.tell("a1. a2. a3. a4.")
    lane.tell("X. Y.")
    assert lane.tell("a5.") is Delivery.CONFLATED
    assert lane.queued() == [Skipped(1), "a5.", "X. Y."]
    assert [lane.take() for _ in range(3)] == [Skipped(1), rows("a5."), rows("X. Y.")]
    assert lane.tell("a6.") is Delivery.ACCEPTED


def test_nothing_conflates_across_a_mark_for_lost_rows() -> None:
    lane = Lane(Conflate(ByFirst(), otherwise=DropNewest()), 4)
    lane.tell("a1.")
    assert lane.tell("X Y Z W.") is Delivery.DROPPED
    assert lane.tell("a2.") is Delivery.ACCEPTED
    assert lane.queued() == ["a1.", Skipped(4), "a2."]
