"""How what was asked for gets into a mailbox, and what becomes of what does not fit."""

import asyncio

from ticktree.actors import (
    Block,
    Conflate,
    Delivery,
    DropNewest,
    DropOldest,
    Fail,
    Mailbox,
)
from ticktree.actors.mailbox import Overflow
from ticktree.market import (
    FeedState,
    FeedStatus,
    Gap,
    Skipped,
    batch_rows,
    latest_quote,
)

from ..market.samples import BTC, quote, trade
from .support import ROOM, FakePort, batch, flat, stage, topics, update

LOST = FeedStatus("sim", FeedState.LOST, "cut", 0)
GAP = Gap("sim", BTC, "trade", 3, 5, 0)
ALL = topics("*/*/*")


def box(capacity: int, overflow: Overflow) -> Mailbox:
    return Mailbox(capacity, overflow, batch_rows)


# --- what a mailbox refuses ------------------------------------------------------------------------------------------


async def test_what_a_mailbox_refuses_is_counted_and_costs_the_others_nothing() -> None:
    boxes = {"fail": box(2, Fail()), "conflate": box(2, Conflate(latest_quote, otherwise=Fail())), "room": ROOM}
    async with stage(boxes) as s:
        taken = [s.hub.subscribe(s.ref(name), ALL) for name in boxes]
        for n in range(4):
            s.hub.publish(batch(trade(n), columns=True))
        s.hub.publish(batch(update((1.0, 1.0)), columns=True))
        assert [subscription.refused for subscription in taken] == [3, 3, 0]
        for name in ("fail", "conflate"):
            assert flat(await s.take(name)) == [trade(0), trade(1)]
        assert len(flat(await s.take("room"))) == 5
        s.hub.publish(batch(trade(9)))  # the hole is named, once, before what follows it
        for name in ("fail", "conflate"):
            assert flat(await s.take(name)) == [Skipped(3, frozenset({("sim", "BTC-USDT")})), trade(9)]
    s.hub.publish(batch(quote(), quote()))  # nobody lives there any more
    s.hub.mark(LOST)
    assert [subscription.refused for subscription in taken] == [5, 5, 2]


async def test_a_mark_follows_the_hole_that_came_before_it() -> None:
    async with stage(a=box(1, Fail())) as s:
        s.hub.subscribe(s.ref("a"), ALL)
        s.hub.publish(batch(trade(1)))
        s.hub.publish(batch(trade(2)))
        s.hub.mark(GAP)
        s.hub.publish(batch(trade(3)))
        assert flat(await s.take("a")) == [trade(1), Skipped(1), GAP]


async def test_a_slow_subscriber_costs_the_others_no_data() -> None:
    slow = {"drops": box(3, DropOldest()), "keeps": box(3, DropNewest()), "fails": box(3, Fail())}
    async with stage(slow, gated=tuple(slow), quick=ROOM) as s:
        for name in (*slow, "quick"):
            s.hub.subscribe(s.ref(name), ALL)
        for n in range(50):
            s.hub.publish(batch(trade(n), trade(n + 0.5)))
            await asyncio.sleep(0)
        await s.ref("quick").drain(5.0)
        assert len(flat(s.look("quick"))) == 100
        assert all(s.ref(name).stats().queued <= 3 for name in slow)


# --- where nothing is lost -------------------------------------------------------------------------------------------


async def test_a_full_mailbox_that_blocks_pauses_the_feed_until_everything_is_in() -> None:
    async with stage(gated=["a"], a=box(2, Block()), b=ROOM) as s:
        port = FakePort()
        s.hub.attach(port)
        mine = s.hub.subscribe(s.ref("a"), ALL, pauses_feed=True)
        s.hub.subscribe(s.ref("b"), ALL)
        s.hub.publish(batch(trade(1), trade(2)))
        assert (mine.waiting, port.paused) == (0, False)
        s.hub.publish(batch(trade(3), trade(4), trade(5)))  # in pieces of what fits at all
        s.hub.mark(GAP)
        s.hub.publish(batch(trade(6), columns=True))
        assert (mine.waiting, mine.refused, port.paused, port.pauses) == (4, 0, True, 1)
        while port.paused:
            s.permits.release()
            await asyncio.sleep(0)
        assert (mine.waiting, s.ref("a").waits) == (0, False)
        for _ in range(9):
            s.permits.release()
        expected = [trade(1), trade(2), trade(3), trade(4), trade(5), GAP, trade(6)]
        assert flat(await s.take("a")) == expected == flat(await s.take("b"))


async def test_a_mark_alone_that_waits_keeps_the_feed_paused() -> None:
    async with stage(gated=["a"], a=box(1, Block())) as s:
        port = FakePort()
        s.hub.attach(port)
        s.hub.subscribe(s.ref("a"), ALL, pauses_feed=True)
        for n in range(3):
            s.hub.publish(batch(trade(n)))
        s.hub.mark(GAP)
        assert port.paused
        for _ in range(3):
            s.permits.release()
        s.permits.release()
        assert flat(await s.take("a")) == [trade(0), trade(1), trade(2), GAP]
        assert not port.paused


async def test_each_feed_whose_data_wait_is_paused_and_all_are_resumed() -> None:
    async with stage(gated=["a"], a=box(1, Block())) as s:
        ports = [FakePort(name, (f"{name}/*/*",)) for name in ("one", "two", "three")]
        for port in ports:
            s.hub.attach(port)
        s.hub.subscribe(s.ref("a"), ALL, pauses_feed=True)
        for name in ("one", "one", "two"):
            s.hub.publish(batch(trade(feed=name)))
        assert [port.paused for port in ports] == [True, True, False]
        for _ in range(3):
            s.permits.release()
        assert len(await s.take("a")) == 3
        assert not any(port.paused for port in ports)


async def test_somebody_else_who_waits_for_the_same_mailbox_does_not_keep_the_feed_paused() -> None:
    async with stage(gated=["a"], a=box(1, Block())) as s:
        port = FakePort()
        s.hub.attach(port)
        s.hub.subscribe(s.ref("a"), ALL, pauses_feed=True)
        for n in range(2):
            s.hub.publish(batch(trade(n)))
        other = asyncio.ensure_future(s.ref("a").put("somebody else's"))
        await asyncio.sleep(0)
        async with asyncio.timeout(5.0):
            while port.paused:
                s.permits.release()
                await asyncio.sleep(0)
        for _ in range(9):
            s.permits.release()
        assert await other is Delivery.ACCEPTED


async def test_a_feed_that_begins_anew_while_it_stands_still_stands_still() -> None:
    async with stage(gated=["a"], a=box(1, Block())) as s:
        former, port, other = FakePort(), FakePort(), FakePort("other")
        s.hub.attach(former)
        s.hub.attach(other)
        s.hub.subscribe(s.ref("a"), ALL, pauses_feed=True)
        for n in range(3):
            s.hub.publish(batch(trade(n)))
        s.hub.attach(port)
        s.hub.attach(FakePort("other"))
        assert (port.paused, other.paused) == (True, False)
        for _ in range(3):
            s.permits.release()
        assert len(await s.take("a")) == 3
        assert not port.paused


async def test_a_subscriber_that_is_stopped_while_it_has_data_waiting_lets_the_feed_go() -> None:
    async with stage(gated=["a"], a=box(1, Block()), b=ROOM) as s:
        port = FakePort()
        s.hub.attach(port)
        mine = s.hub.subscribe(s.ref("a"), ALL, pauses_feed=True)
        for n in range(4):
            s.hub.publish(batch(trade(n)))
        assert (mine.waiting, mine.refused) == (3, 0)
        await s.system.supervisor().terminate_child("a")
        await asyncio.sleep(0)
        assert (mine.waiting, port.paused) == (0, False)
        assert mine.refused + s.ref("a").stats().received == 4
        s.hub.publish(batch(trade(9)))
        assert (mine.waiting, port.paused) == (0, False)
        assert mine.refused + s.ref("a").stats().received == 5


async def test_counts_are_exact_at_the_very_instant_at_which_what_waits_is_refused() -> None:
    async with stage(gated=["a"], a=box(1, Block())) as s:
        mine = s.hub.subscribe(s.ref("a"), ALL, pauses_feed=True)
        for n in range(4):
            s.hub.publish(batch(trade(n)))
        cell = next(iter(s.system.cells()))
        cell.lane.close()
        assert (mine.waiting, mine.refused, s.ref("a").stats().refused) == (0, 3, 3)
        cell.lane.reopen()


async def test_unsubscribing_lets_the_feed_go_and_what_waits_still_goes_in() -> None:
    async with stage(gated=["a"], a=box(1, Block())) as s:
        port = FakePort()
        s.hub.attach(port)
        mine = s.hub.subscribe(s.ref("a"), ALL, pauses_feed=True)
        for n in range(3):
            s.hub.publish(batch(trade(n)))
        s.hub.unsubscribe(s.ref("a"))
        assert (port.paused, mine.waiting) == (False, 2)
        s.hub.publish(batch(trade(9)))
        for _ in range(3):
            s.permits.release()
        assert flat(await s.take("a")) == [trade(0), trade(1), trade(2)]
        assert (mine.waiting, s.ref("a").waits, port.paused) == (0, False, False)


async def test_a_new_subscription_goes_on_with_what_waits() -> None:
    async with stage(gated=["a"], a=box(1, Block())) as s:
        port = FakePort()
        s.hub.attach(port)
        s.hub.subscribe(s.ref("a"), ALL, pauses_feed=True)
        for n in range(3):
            s.hub.publish(batch(trade(n)))
        anew = s.hub.subscribe(s.ref("a"), topics("sim/*/trade"), pauses_feed=True)
        assert (port.paused, anew.waiting) == (True, 2)
        s.hub.publish(batch(quote(), trade(3)))
        for _ in range(4):
            s.permits.release()
        assert flat(await s.take("a")) == [trade(0), trade(1), trade(2), trade(3)]
        assert (port.paused, anew.waiting, anew.refused) == (False, 0, 0)


async def test_an_update_above_a_whole_mailbox_that_blocks_is_refused_and_named_in_its_place() -> None:
    async with stage(a=box(2, Block())) as s:
        mine = s.hub.subscribe(s.ref("a"), ALL, pauses_feed=True)
        s.hub.publish(batch(trade(1), update((1.0, 1.0), (2.0, 1.0), (3.0, 1.0)), trade(2), columns=True))
        named = Skipped(3, frozenset({("sim", "BTC-USDT")}))
        assert flat(await s.take("a")) == [trade(1), named, trade(2)]
        assert mine.refused == 3


async def test_quotes_may_conflate_where_everything_else_blocks() -> None:
    async with stage(gated=["a"], a=box(2, Conflate(latest_quote, otherwise=Block()))) as s:
        port = FakePort()
        s.hub.attach(port)
        mine = s.hub.subscribe(s.ref("a"), ALL, pauses_feed=True)
        s.hub.publish(batch(quote(1.0, 2.0), trade(1), quote(2.0, 3.0)))
        assert (mine.waiting, port.paused) == (0, False)
        s.hub.publish(batch(trade(2), quote(3.0, 4.0)))
        assert (mine.waiting, port.paused) == (2, True)
        for _ in range(9):
            s.permits.release()
        assert await s.take("a") == [quote(2.0, 3.0), trade(1), trade(2), quote(3.0, 4.0)]
        assert not port.paused
