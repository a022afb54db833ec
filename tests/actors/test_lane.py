"""The data lane by itself: every policy, weights, marks, waiting."""

import asyncio
import math
from collections.abc import Callable, Hashable
from typing import Any

import pytest

from tests.actors.harness import settle
from ticktree.actors import (
    Block,
    Conflate,
    Delivery,
    DropNewest,
    DropOldest,
    Fail,
    Mailbox,
    MailboxFull,
    Misuse,
    Outcome,
    TooHeavy,
)
from ticktree.actors.lane import MARKS_BOUND, ConflatingLane, DataLane
from ticktree.actors.mailbox import Overflow, Plain

ACCEPTED, CONFLATED, DROPPED = Delivery.ACCEPTED, Delivery.CONFLATED, Delivery.DROPPED
FULL, CLOSED = Delivery.FULL, Delivery.CLOSED


class Lane:
    """A lane whose actor is the test."""

    def __init__(self, overflow: Overflow, capacity: int = 10) -> None:
        self.lost: list[Any] = []
        self.woken = 0
        self.handles = False  # within the call that wakes it
        kind = ConflatingLane if isinstance(overflow, Conflate) else DataLane
        self.lane: DataLane = kind("root/lane", Mailbox(capacity, overflow), self._wake, self.lost.append)

    def _wake(self, message: Any, weight: int) -> bool:
        self.woken += 1
        return self.handles

    def tell(self, message: Any, weight: int = 1) -> Delivery:
        delivery = self.lane.tell(message, weight)
        self.check()
        return delivery

    def take(self) -> Any:
        """Handle the oldest message, as a cell does."""
        message, weight = self.lane.items.popleft()
        self.lane.limit += weight
        self.lane.items_out += 1
        self.check()
        return message

    def queued(self) -> list[Any]:
        return [entry[0] for entry in self.lane.items]

    def check(self) -> None:
        assert self.lane.figures().unaccounted == 0
        assert self.lane.weigh() == self.lane.queued <= self.lane.capacity or self.lane.closed


class Latest:
    """Conflates strings `key:value` by their key, the newest value wins, one tick each. `#...` has no key."""

    def key(self, message: str) -> Hashable | None:
        return None if message.startswith("#") else message.partition(":")[0]

    def merge(self, older: str, newer: str) -> tuple[str, int]:
        return newer, 1


class Sum:
    """Conflates (key, weight) pairs, adding or overriding weights as told."""

    def __init__(self, weigh: Callable[[int, int], int]) -> None:
        self.weigh = weigh

    def key(self, message: tuple[str, int]) -> Hashable | None:
        return message[0]

    def merge(self, older: tuple[str, int], newer: tuple[str, int]) -> tuple[tuple[str, int], int]:
        weight = self.weigh(older[1], newer[1])
        return (older[0], weight), weight


# --- the five policies -----------------------------------------------------------------------------------------------


def test_a_message_fits_up_to_the_capacity_and_in_order() -> None:
    lane = Lane(Block(), capacity=3)
    assert [lane.tell(n) for n in range(4)] == [ACCEPTED, ACCEPTED, ACCEPTED, FULL]
    assert [lane.take() for _ in range(3)] == [0, 1, 2]


def test_block_answers_full_and_counts_it_outside_what_was_received() -> None:
    lane = Lane(Block(), capacity=3)
    lane.tell("a", 2)
    assert lane.tell("b", 2) is FULL
    stats = lane.lane.figures()
    assert (stats.received, stats.refused, stats.dropped.total, lane.lost) == (2, 2, 0, [])
    lane.take()
    assert lane.tell("b", 2) is ACCEPTED


def test_drop_oldest_makes_room_and_counts_what_left() -> None:
    lane = Lane(DropOldest(), capacity=3)
    assert [lane.tell(n) for n in range(5)] == [ACCEPTED] * 5
    assert lane.queued() == [2, 3, 4]
    assert lane.lost == [0, 1]
    assert (lane.lane.figures().dropped.overflow, lane.lane.figures().received) == (2, 5)


def test_drop_oldest_drops_whole_messages_where_nothing_says_how_to_cut_them() -> None:
    lane = Lane(DropOldest(), capacity=6)
    lane.tell("three", 3)
    lane.tell("two", 2)
    lane.tell("four", 4)
    assert lane.queued() == ["two", "four"]
    assert lane.lane.figures().dropped.overflow == 3


def test_drop_oldest_drops_what_is_heavier_than_the_whole_mailbox_and_keeps_what_fits() -> None:
    lane = Lane(DropOldest(), capacity=6)
    lane.tell("kept", 2)
    assert lane.tell("seven", 7) is DROPPED
    assert (lane.queued(), lane.lost, lane.lane.figures().dropped.overflow) == (["kept"], ["seven"], 7)


def test_drop_newest_keeps_what_is_queued() -> None:
    lane = Lane(DropNewest(), capacity=3)
    assert [lane.tell(n) for n in range(5)] == [ACCEPTED] * 3 + [DROPPED] * 2
    assert (lane.queued(), lane.lost) == ([0, 1, 2], [3, 4])
    assert (lane.lane.figures().dropped.overflow, lane.lane.figures().received) == (2, 5)


def test_fail_raises_an_error_with_the_figures_and_receives_nothing() -> None:
    lane = Lane(Fail(), capacity=3)
    lane.tell("a", 2)
    with pytest.raises(MailboxFull, match=r"root/lane is full: 2 of 3 ticks queued, 2 more") as raised:
        lane.lane.tell("b", 2)
    assert (raised.value.path, raised.value.capacity, raised.value.queued, raised.value.weight) == (
        "root/lane",
        3,
        2,
        2,
    )
    stats = lane.lane.figures()
    assert (stats.received, stats.refused, lane.queued()) == (2, 2, ["a"])


def test_block_refuses_for_good_what_can_never_fit() -> None:
    lane = Lane(Block(), capacity=3)
    with pytest.raises(TooHeavy, match=r"4 ticks can never fit the mailbox of root/lane \(capacity 3 ticks\)"):
        lane.lane.tell("heavy", 4)
    assert lane.lane.figures().received == 0


# --- conflation ------------------------------------------------------------------------------------------------------


def test_conflate_merges_into_the_queued_one_in_its_place() -> None:
    lane = Lane(Conflate(Latest(), otherwise=Block()))
    assert [lane.tell(m) for m in ("a:1", "b:1", "a:2", "a:3")] == [ACCEPTED, ACCEPTED, CONFLATED, CONFLATED]
    assert lane.queued() == ["a:3", "b:1"]
    stats = lane.lane.figures()
    assert (stats.received, stats.conflated, stats.queued) == (4, 2, 2)


def test_conflate_opens_a_new_slot_once_the_old_one_was_taken() -> None:
    lane = Lane(Conflate(Latest(), otherwise=Block()))
    lane.tell("a:1")
    assert lane.take() == "a:1"
    assert lane.tell("a:2") is ACCEPTED
    assert lane.take() == "a:2"


def test_conflate_works_in_a_full_mailbox() -> None:
    lane = Lane(Conflate(Latest(), otherwise=Block()), capacity=2)
    lane.tell("a:1")
    lane.tell("b:1")
    assert lane.tell("c:1") is FULL
    assert lane.tell("b:2") is CONFLATED
    assert lane.queued() == ["a:1", "b:2"]


@pytest.mark.parametrize(
    ("otherwise", "answer", "queued"),
    [
        (Block(), FULL, ["a:1", "#1"]),
        (DropOldest(), ACCEPTED, ["#1", "#2"]),
        (DropNewest(), DROPPED, ["a:1", "#1"]),
    ],
)
def test_what_has_no_key_follows_the_other_policy(otherwise: Plain, answer: Delivery, queued: list[str]) -> None:
    lane = Lane(Conflate(Latest(), otherwise=otherwise), capacity=2)
    lane.tell("a:1")
    lane.tell("#1")
    assert lane.tell("#2") is answer
    assert lane.queued() == queued


def test_a_new_key_in_a_full_mailbox_follows_the_other_policy_and_may_conflate_afterwards() -> None:
    lane = Lane(Conflate(Latest(), otherwise=DropOldest()), capacity=2)
    for message in ("a:1", "b:1", "c:1"):
        lane.tell(message)
    assert lane.queued() == ["b:1", "c:1"]
    assert lane.tell("a:2") is ACCEPTED  # its slot was evicted: not merged into what is gone
    assert lane.tell("c:2") is CONFLATED
    assert lane.queued() == ["c:2", "a:2"]


def test_conflate_otherwise_fail_raises() -> None:
    lane = Lane(Conflate(Latest(), otherwise=Fail()), capacity=1)
    lane.tell("a:1")
    with pytest.raises(MailboxFull):
        lane.lane.tell("b:1")
    assert lane.tell("a:2") is CONFLATED


def test_nothing_conflates_across_a_mark() -> None:
    lane = Lane(Conflate(Latest(), otherwise=Block()))
    for message, weight in (("a:1", 1), ("gap", 0), ("a:2", 1), ("a:3", 1)):
        lane.tell(message, weight)
    assert lane.queued() == ["a:1", "gap", "a:3"]


def test_a_merge_that_grows_takes_room_only_where_there_is_some() -> None:
    lane = Lane(Conflate(Sum(lambda older, newer: older + newer), otherwise=DropNewest()), capacity=5)
    lane.tell(("a", 2), 2)
    assert lane.tell(("a", 2), 2) is CONFLATED
    assert lane.queued() == [("a", 4)]
    assert lane.tell(("a", 2), 2) is DROPPED
    stats = lane.lane.figures()
    assert (stats.received, stats.conflated, stats.dropped.overflow, stats.queued) == (6, 0, 2, 4)


def test_a_merge_that_shrinks_leaves_no_slot_that_seems_queued_after_it_was_taken() -> None:
    lane = Lane(Conflate(Sum(lambda older, newer: 1), otherwise=Block()))
    lane.tell(("a", 5), 5)
    lane.tell(("b", 1), 1)
    assert lane.tell(("a", 1), 1) is CONFLATED
    assert [lane.take(), lane.take()] == [("a", 1), ("b", 1)]
    assert lane.tell(("b", 1), 1) is ACCEPTED
    assert lane.queued() == [("b", 1)]


def test_many_keys_are_not_remembered_for_ever() -> None:
    lane = Lane(Conflate(Latest(), otherwise=Block()), capacity=4)
    for n in range(1_000):
        lane.tell(f"{n}:1")
        lane.take()
    assert isinstance(lane.lane, ConflatingLane)
    assert len(lane.lane.slots) <= 2 * 4 + 1


# --- weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [-1, math.nan, -math.inf, math.inf])
@pytest.mark.parametrize(
    "overflow", [Block(), DropOldest(), DropNewest(), Fail(), Conflate(Latest(), otherwise=DropOldest())]
)
def test_a_weight_that_is_no_number_of_ticks_is_refused(overflow: Overflow, weight: Any) -> None:
    lane = Lane(overflow)
    with pytest.raises(Misuse, match="a number of ticks"):
        lane.lane.tell("a:1", weight)
    lane.check()
    assert (lane.queued(), lane.lane.figures().received) == ([], 0)


# --- marks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "overflow", [Block(), DropOldest(), DropNewest(), Fail(), Conflate(Latest(), otherwise=DropOldest())]
)
def test_a_mark_is_taken_by_a_full_mailbox(overflow: Overflow) -> None:
    lane = Lane(overflow, capacity=1)
    lane.tell("a:1")
    assert lane.tell("gap", 0) is ACCEPTED
    assert lane.queued() == ["a:1", "gap"]


def test_marks_keep_their_place_while_drop_oldest_evicts_around_them() -> None:
    lane = Lane(DropOldest(), capacity=3)
    for message, weight in (("m1", 0), ("a", 1), ("m2", 0), ("b", 1), ("m3", 0), ("c", 1), ("d", 2)):
        lane.tell(message, weight)
    assert lane.queued() == ["m1", "m2", "m3", "c", "d"]
    assert lane.lost == ["a", "b"]


def test_marks_are_bounded_and_the_sender_is_told() -> None:
    lane = Lane(DropOldest(), capacity=2)
    for n in range(MARKS_BOUND + 2):
        lane.lane.tell(n, 0)
    assert lane.tell("one more", 0) is FULL
    assert len(lane.queued()) == MARKS_BOUND + 2
    assert lane.tell("a tick") is ACCEPTED


def test_a_mark_wakes_the_actor() -> None:
    lane = Lane(Block())
    lane.lane.asleep = True
    lane.tell("live", 0)
    lane.tell("and more")
    assert (lane.woken, lane.lane.asleep) == (1, False)


@pytest.mark.parametrize("weight", [0, 2])
def test_what_is_handled_by_who_is_woken_is_not_queued(weight: int) -> None:
    lane = Lane(Block())
    lane.lane.asleep, lane.handles = True, True
    lane.lane.tell("handled", weight)
    assert (lane.queued(), lane.woken, lane.lane.entered) == ([], 1, weight)
    lane.lane.tell("queued", weight)
    assert (lane.queued(), lane.woken, lane.lane.entered) == (["queued"], 1, 2 * weight)


# --- offer -----------------------------------------------------------------------------------------------------------


def test_offer_tells_the_ticks_of_every_outcome() -> None:
    lane = Lane(DropNewest(), capacity=4)
    assert lane.lane.offer("a", 3) == Outcome(accepted=3)
    assert lane.lane.offer("b", 3) == Outcome(dropped=3)
    lane = Lane(Block(), capacity=4)
    lane.lane.offer("a", 3)
    assert lane.lane.offer("b", 3) == Outcome(refused=3)
    lane.lane.close()
    assert lane.lane.offer("c", 1) == Outcome(refused=1)


def test_offer_counts_what_was_conflated() -> None:
    lane = Lane(Conflate(Latest(), otherwise=DropNewest()), capacity=4)
    lane.lane.offer("a:1", 1)
    assert lane.lane.offer("a:2", 1) == Outcome(conflated=1)
    assert lane.lane.offer("b:1", 1) == Outcome(accepted=1)


# --- put -------------------------------------------------------------------------------------------------------------


async def test_put_waits_its_turn_first_come_first_served() -> None:
    lane = Lane(Block(), capacity=4)
    lane.tell("queued", 4)
    puts = [asyncio.ensure_future(lane.lane.put(name, weight)) for name, weight in (("a", 3), ("b", 1), ("c", 1))]
    await settle()
    assert (lane.lane.figures().refused, [put.done() for put in puts]) == (0, [False] * 3)
    lane.take()
    lane.lane.serve_waiting()
    await settle()
    assert (lane.queued(), [put.done() for put in puts]) == (["a", "b"], [True, True, False])
    lane.take()
    lane.lane.serve_waiting()
    assert await puts[2] is ACCEPTED
    assert lane.queued() == ["b", "c"]


async def test_a_light_message_does_not_overtake_a_heavy_one_that_waits() -> None:
    lane = Lane(Block(), capacity=4)
    lane.tell("queued", 3)
    heavy = asyncio.ensure_future(lane.lane.put("heavy", 2))
    light = asyncio.ensure_future(lane.lane.put("light", 1))
    await settle()
    lane.lane.serve_waiting()
    await settle()
    assert (heavy.done(), light.done()) == (False, False)
    lane.take()
    lane.lane.serve_waiting()
    assert (await heavy, await light, lane.queued()) == (ACCEPTED, ACCEPTED, ["heavy", "light"])


async def test_a_cancelled_put_leaves_nothing_behind() -> None:
    lane = Lane(Block(), capacity=1)
    lane.tell("queued")
    puts = [asyncio.ensure_future(lane.lane.put(n)) for n in range(1_000)]
    await settle()
    for put in puts[:-1]:
        put.cancel()
    await settle()
    assert len(lane.lane.waiting) == 1  # also while nobody is served
    lane.take()
    lane.lane.serve_waiting()
    assert await puts[-1] is ACCEPTED
    assert (lane.queued(), lane.lane.figures().received) == ([999], 2)


async def test_who_waits_behind_a_cancelled_put_goes_in_when_there_is_room() -> None:
    lane = Lane(Block(), capacity=4)
    lane.tell("queued", 3)
    heavy = asyncio.ensure_future(lane.lane.put("heavy", 2))
    light = asyncio.ensure_future(lane.lane.put("light", 1))
    await settle()
    heavy.cancel()
    assert await light is ACCEPTED


async def test_closing_answers_who_waits() -> None:
    lane = Lane(Block(), capacity=1)
    lane.tell("queued")
    put = asyncio.ensure_future(lane.lane.put("waits"))
    await settle()
    lane.lane.close()
    assert await put is CLOSED
    assert lane.queued() == ["queued"]


async def test_enter_answers_at_once_or_with_a_future_of_the_answer() -> None:
    lane = Lane(Block(), capacity=2)
    assert lane.lane.enter("a", 2) is ACCEPTED
    first, second, mark = (lane.lane.enter(name, weight) for name, weight in (("b", 2), ("c", 1), ("gap", 0)))
    assert isinstance(first, asyncio.Future)
    assert isinstance(second, asyncio.Future)
    assert isinstance(mark, asyncio.Future)
    assert (lane.lane.figures().refused, lane.queued()) == (0, ["a"])
    lane.take()
    lane.lane.serve_waiting()
    assert (first.result(), second.done(), mark.done(), lane.queued()) == (ACCEPTED, False, False, ["b"])
    lane.lane.close()
    assert (second.result(), mark.result(), lane.lane.figures().refused) == (CLOSED, CLOSED, 1)
    assert lane.lane.enter("d") is CLOSED


async def test_enter_keeps_its_turn_among_puts() -> None:
    lane = Lane(Block(), capacity=1)
    lane.tell("queued")
    put = asyncio.ensure_future(lane.lane.put("put"))
    await settle()
    entered = lane.lane.enter("entered")
    assert isinstance(entered, asyncio.Future)
    for name, done in (("put", False), ("entered", True)):
        lane.take()
        lane.lane.serve_waiting()
        assert (lane.queued(), entered.done()) == ([name], done)
    assert await put is ACCEPTED


async def test_enter_waits_only_where_the_policy_blocks() -> None:
    lane = Lane(DropNewest(), capacity=1)
    assert [lane.lane.enter(n) for n in range(2)] == [ACCEPTED, DROPPED]
    lane = Lane(Fail(), capacity=1)
    lane.tell("a")
    with pytest.raises(MailboxFull):
        lane.lane.enter("b")
    lane = Lane(Conflate(Latest(), otherwise=Block()), capacity=1)
    assert [lane.lane.enter(m) for m in ("a:1", "a:2")] == [ACCEPTED, CONFLATED]
    waits = lane.lane.enter("b:1")
    assert isinstance(waits, asyncio.Future)
    lane.lane.close()
    assert waits.result() is CLOSED


async def test_enter_refuses_what_can_never_fit_and_what_is_no_weight() -> None:
    lane = Lane(Block(), capacity=3)
    with pytest.raises(TooHeavy):
        lane.lane.enter("heavy", 4)
    with pytest.raises(Misuse, match="a number of ticks"):
        lane.lane.enter("bad", -1)
    assert (lane.lane.figures().received, lane.lane.figures().refused, len(lane.lane.waiting)) == (0, 0, 0)


async def test_put_waits_only_where_the_policy_blocks() -> None:
    lane = Lane(DropNewest(), capacity=1)
    assert [await lane.lane.put(n) for n in range(2)] == [ACCEPTED, DROPPED]
    lane = Lane(Conflate(Latest(), otherwise=Block()), capacity=1)
    assert [await lane.lane.put(m) for m in ("a:1", "a:2")] == [ACCEPTED, CONFLATED]


async def test_put_refuses_what_can_never_fit() -> None:
    with pytest.raises(TooHeavy):
        await Lane(Block(), capacity=3).lane.put("heavy", 4)


@pytest.mark.parametrize("weight", [-1, math.nan])
async def test_put_refuses_a_bad_weight_at_the_sender_also_where_others_wait(weight: Any) -> None:
    lane = Lane(Block(), capacity=1)
    lane.tell("queued")
    waits = asyncio.ensure_future(lane.lane.put("waits"))
    await settle()
    with pytest.raises(Misuse, match="a number of ticks"):
        await lane.lane.put("bad", weight)
    lane.take()
    lane.lane.serve_waiting()
    assert await waits is ACCEPTED


async def test_what_a_merge_raises_reaches_the_sender_that_waited() -> None:
    class Broken(Latest):
        def merge(self, older: str, newer: str) -> tuple[str, int]:
            raise ValueError("cannot merge")

    lane = Lane(Conflate(Broken(), otherwise=Block()), capacity=2)
    lane.tell("a:1", 2)
    waits = asyncio.ensure_future(lane.lane.put("b:1"))
    broken = asyncio.ensure_future(lane.lane.put("b:2"))
    await settle()
    lane.take()
    lane.lane.serve_waiting()
    assert await waits is ACCEPTED
    with pytest.raises(ValueError, match="cannot merge"):
        await broken


# --- closing, age ----------------------------------------------------------------------------------------------------


def test_a_closed_lane_refuses_everything_and_keeps_what_is_queued() -> None:
    lane = Lane(DropOldest(), capacity=2)
    lane.tell("a", 2)
    lane.lane.close()
    lane.lane.close()
    assert (lane.lane.closed, lane.tell("b"), lane.tell("mark", 0)) == (True, CLOSED, CLOSED)
    assert (lane.lane.queued, lane.lane.figures().refused, lane.lane.figures().received) == (2, 1, 2)
    assert lane.take() == "a"


def test_a_closed_conflating_lane_does_not_conflate() -> None:
    lane = Lane(Conflate(Latest(), otherwise=Block()))
    lane.tell("a:1")
    lane.lane.close()
    assert (lane.tell("a:2"), lane.queued()) == (CLOSED, ["a:1"])


def test_reopening_takes_messages_again() -> None:
    lane = Lane(Block(), capacity=2)
    lane.tell("a", 2)
    lane.lane.close()
    lane.lane.reopen()
    lane.lane.reopen()
    assert (lane.lane.closed, lane.tell("b")) == (False, FULL)
    lane.take()
    assert lane.tell("b") is ACCEPTED


@pytest.mark.parametrize("closed", [False, True])
def test_discarding_counts_what_was_queued_as_stopped(closed: bool) -> None:
    lane = Lane(Conflate(Latest(), otherwise=Block()))
    for message, weight in (("a:1", 2), ("m", 0), ("b:1", 1)):
        lane.tell(message, weight)
    if closed:
        lane.lane.close()
    lane.lane.discard()
    lane.check()
    stats = lane.lane.figures()
    assert (stats.dropped.stop, stats.queued, stats.items, lane.lost) == (3, 0, 0, ["a:1", "m", "b:1"])
    lane.lane.reopen()
    assert lane.tell("b:2") is ACCEPTED  # not merged into what is gone


def test_an_empty_lane_has_no_age() -> None:
    assert Lane(Block()).lane.oldest_age_ns(1_000) == 0


def test_the_oldest_message_is_at_most_as_old_as_the_last_stamp_before_it() -> None:
    lane = Lane(Block())
    lane.lane.stamp(100)
    lane.tell("a")
    lane.lane.stamp(200)
    lane.tell("b")
    lane.lane.stamp(300)
    assert lane.lane.oldest_age_ns(1_000) == 900
    lane.take()
    assert lane.lane.oldest_age_ns(1_000) == 800
    assert lane.lane.oldest_age_ns(1_000, not_before_ns=950) == 50


def test_stamps_do_not_pile_up_while_nothing_moves() -> None:
    lane = Lane(Block())
    lane.tell("a")
    for at_ns in range(1_000):
        lane.lane.stamp(at_ns)
    assert len(lane.lane.stamps) <= 2
    assert lane.lane.oldest_age_ns(2_000) == 2_000


def test_the_figures_show_when_the_queue_and_the_counters_disagree() -> None:
    lane = Lane(Block())
    lane.lane.tell("kept", 2)
    lane.lane.tell("lost without a trace", 3)
    assert lane.lane.figures().unaccounted == 0
    lane.lane.items.pop()
    assert lane.lane.figures().unaccounted == 3


# --- what was merged before it came ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overflow", "delivery", "refused", "conflated", "dropped"),
    [
        (Conflate(Latest(), otherwise=DropOldest()), ACCEPTED, 0, 5, 1),
        (Conflate(Latest(), otherwise=DropNewest()), DROPPED, 0, 0, 6),
        (Conflate(Latest(), otherwise=Block()), FULL, 6, 0, 0),
        (DropOldest(), ACCEPTED, 0, 5, 1),
    ],
)
def test_what_was_merged_into_a_message_shares_its_fate(
    overflow: Overflow, delivery: Delivery, refused: int, conflated: int, dropped: int
) -> None:
    lane = Lane(overflow, capacity=1)
    lane.tell("#")
    assert lane.lane.tell_merged("a:1", 5) is delivery
    lane.check()
    stats = lane.lane.figures()
    assert (stats.refused, stats.conflated, stats.dropped.overflow) == (refused, conflated, dropped)
    assert (stats.received, stats.queued) == (7 - refused, 1)


def test_what_was_merged_before_is_merged_into_the_queued_one_with_it() -> None:
    lane = Lane(Conflate(Latest(), otherwise=Fail()), capacity=1)
    assert (lane.lane.tell_merged("a:1", 2), lane.lane.tell_merged("a:2", 3)) == (ACCEPTED, CONFLATED)
    with pytest.raises(MailboxFull):
        lane.lane.tell_merged("b:1", 4)
    lane.lane.close()
    assert lane.lane.tell_merged("a:3", 6) is CLOSED
    lane.check()
    stats = lane.lane.figures()
    assert (lane.queued(), stats.received, stats.conflated, stats.refused) == (["a:2"], 7, 6, 12)
