"""What the curves are made of: wishes, work that is all done, and feeds that are served at once."""

import asyncio
import os
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks import rig, scale
from benchmarks.limits import beside, free_port, sender
from benchmarks.measure import Inexact, Plan
from benchmarks.scale import Handled, Part, Wish
from benchmarks.senders import INSTRUMENTS, MANY_ROWS, trades
from ticktree.market import Batch, Topic

TINY = Plan(rounds=1, tiny=True)


@pytest.mark.parametrize("number", [0, 1, 10, 999])
@pytest.mark.parametrize("wish", [scale.shared, scale.distinct, scale.one_each])
def test_a_wish_counts_what_its_topics_select(wish: Callable[[int], Wish], number: int) -> None:
    wanted = wish(number)
    topics = [Topic.parse(text) for text in wanted.topics]
    assert wanted.ids == {
        one.id for one in INSTRUMENTS if any(topic.matches(rig.FEED, one.name, "trade") for topic in topics)
    }


def test_a_thousand_distinct_wishes_are_a_thousand() -> None:
    assert len({frozenset(scale.distinct(number).topics) for number in range(1_000)}) == 1_000


def test_what_is_published_has_the_instruments_in_no_order_and_as_often() -> None:
    parts = scale.many_parts()
    ids = np.concatenate([part["instrument"] for part in parts])
    assert {len(part) for part in parts} == {MANY_ROWS}
    assert set(np.unique(ids, return_counts=True)[1]) == {4, 5}
    assert not np.array_equal(ids, np.arange(len(ids)) % len(INSTRUMENTS))


@pytest.mark.parametrize(("wish", "count"), [(scale.shared, 3), (scale.distinct, 3), (scale.one_each, 20)])
async def test_a_delivery_costs_time_and_all_are_made(wish: Callable[[int], Wish], count: int) -> None:
    async with scale.delivering(TINY, [wish(number) for number in range(count)]) as seconds_a_delivery:
        assert 0 < await seconds_a_delivery() < 1


async def test_rows_that_nobody_is_handed_are_waited_for_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(_: float) -> asyncio.Timeout:
        return asyncio.timeout_at(0)

    monkeypatch.setattr(asyncio, "timeout", at_once)
    with pytest.raises(TimeoutError):
        await scale.publish_all(scale.new_hub(), [Part(trades(8), 8)], Handled(), 0)


async def test_a_row_too_many_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    handled, hub = Handled(), scale.new_hub()

    def publish(batch: Batch) -> None:
        handled.rows += len(batch) + 1

    monkeypatch.setattr(hub, "publish", publish)
    with pytest.raises(Inexact, match=r"rows=9.* of 8 rows"):
        await scale.publish_all(hub, [Part(trades(8), 8)], handled, 0)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="whoever sends needs a CPU of its own")
async def test_feeds_at_once_bring_all_that_they_are_asked_for_and_are_accounted_for() -> None:
    port = free_port()
    async with beside(sender("many", str(port)), port), scale.feeds_at_once(port, 3, frames=2) as feeds:
        await feeds.all_bring()
        async with asyncio.timeout(20):
            while feeds.total.ticks < 3 * 2 * MANY_ROWS:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0)
        feeds.check()
        assert [account.kinds["trade"] for account in feeds.accounts] == [2 * MANY_ROWS] * 3
