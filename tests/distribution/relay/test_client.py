"""A client that does not keep up: its policy acts on it alone, and every tick that it misses is told."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from ticktree.actors import Block, Conflate, DropNewest, DropOldest, Fail, Mailbox
from ticktree.actors.mailbox import Overflow
from ticktree.market import Bar, BookUpdate, Data, Quote, Skipped, Trade, batch_rows, latest_quote, messages, weight
from ticktree.net import Connection

from ...market.samples import BTC, quote
from ...probe import turns_until
from ..support import apply, update
from .rig import Client, Rig, Upstream, relaying

KINDS = ("tcp", "ws", "json")


def box(capacity: int, overflow: Overflow) -> Mailbox:
    return Mailbox(capacity, overflow, batch_rows)


def trades(first: int, count: int) -> list[Data]:
    return [Trade("sim", BTC, 1.0, 1.0, None, number, 0, 0) for number in range(first, first + count)]


async def some_turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def overwhelm(rig: Rig, sim: Upstream, slow: Client, until: Any) -> int:
    """Publish while `slow` does not read, until its mailbox shows that it matters; the number of the last trade."""
    rig.narrow()
    slow.connection.pause_reading()
    number = 1
    while not until():
        sim.publish(*trades(number, 200))
        number += 200
        await some_turns(3)
        assert number < 500_000, "nothing ever fills"
    return number - 1


# --- every tick is accounted for -------------------------------------------------------------------------------------


class Slow:
    """What one client makes of numbered trades, books and quotes: each hole must be where it was told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.book: tuple[dict[float, float], dict[float, float]] = {}, {}
        self.trusted = False
        self.seen = self.ticks = self.bars = 0

    def look(self) -> None:
        for one in self.client.said[self.seen :]:
            if isinstance(one, messages.Skipped) and one.books:
                self.trusted = False
                self.client.ask("sim/BTC-USDT/book")
            elif isinstance(one, BookUpdate):
                self.trusted = self.trusted or one.snapshot
                apply(self.book, one)
            if isinstance(one, Quote | Trade | BookUpdate | Bar):
                self.ticks += weight(one)
        self.seen = len(self.client.said)


def happens(random: Random, number: int) -> list[Data]:
    """One batch of anything; `number` is told in each event."""
    events: list[Data] = []
    for _ in range(random.choice((1, 5, 300))):
        number += 1
        draw = random.random()
        if draw < 0.5:
            events.append(Trade("sim", BTC, 1.0, 1.0, None, number, 0, 0))
        elif draw < 0.8:
            events.append(Quote("sim", BTC, 1.0, 1.0, 2.0, 1.0, number, 0, 0))
        else:
            levels = tuple(
                (float(random.randrange(50)), float(random.randrange(3))) for _ in range(random.randint(1, 4))
            )
            events.append(update(*dict(levels).items(), sequence=number))
    return events


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "overflow",
    [DropOldest(), DropNewest(), Conflate(latest_quote, otherwise=DropOldest())],
    ids=["old", "new", "conflate"],
)
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 20))])
async def test_every_tick_comes_or_is_told_as_skipped_and_the_book_is_right_in_the_end(
    seed: int, overflow: Overflow, kind: str
) -> None:
    random = Random(seed)
    async with relaying(buffer=box(600, overflow)) as rig:
        sim = Upstream(rig.hub)
        sim.publish(update((100.0, 1.0), snapshot=True, sequence=0))
        client = await rig.client(kind, "sim/*/*")
        slow, published, number = Slow(client), 1, 0
        rig.narrow()
        for _ in range(150):
            if random.random() < 0.1:
                client.connection.pause_reading() if random.random() < 0.8 else client.connection.resume_reading()
            events = happens(random, number)
            number += len(events)
            published += sum(map(weight, events))
            bars = [Bar("sim", BTC, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 0, 1, 2)] if random.random() < 0.1 else []
            published += len(bars)
            sim.publish(*events, *bars, columns=not bars)
            await some_turns(random.randrange(8))
            slow.look()
        client.connection.resume_reading()
        whole = sim.port.book("BTC-USDT")
        assert whole is not None
        sides = dict(whole.bids), dict(whole.asks)
        while not (slow.trusted and slow.book == sides and not rig.mailboxes()[0].queued):
            await client.until(lambda: len(client.said) > slow.seen or not rig.mailboxes()[0].items)
            slow.look()
            await some_turns(5)
        while slow.ticks < (await rig.figures()).clients[0].sent:  # the book came whole more than once
            await some_turns()
            slow.look()
        (stats,) = rig.mailboxes()
        again = stats.received - published  # books that were told whole again
        assert again >= 0
        assert slow.ticks + client.skipped + stats.conflated == published + again
        assert stats.dropped.total == client.skipped
        assert stats.unaccounted == 0
        (figures,) = (await rig.figures()).clients
        assert (figures.sent, figures.skipped, figures.buffered) == (slow.ticks, client.skipped, 0)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_hole_is_told_exactly_where_it_is(kind: str) -> None:
    async with relaying(buffer=box(500, DropOldest())) as rig:
        sim = Upstream(rig.hub)
        slow = await rig.client(kind, "sim/*/trade")
        last = await overwhelm(rig, sim, slow, lambda: rig.mailboxes()[0].dropped.overflow > 3_000)
        slow.connection.resume_reading()
        # a heartbeat may have come behind it
        await slow.until(lambda: any(isinstance(one, Trade) and one.sequence == last for one in slow.said[-3:]))
        expected = 1
        for one in slow.said:
            if isinstance(one, messages.Skipped):
                expected += one.count
            elif isinstance(one, Trade):
                assert one.sequence == expected
                expected += 1
        assert slow.skipped > 0
        assert expected == last + 1


# --- the policies ----------------------------------------------------------------------------------------------------


async def test_a_slow_client_costs_the_others_nothing_and_no_more_memory_than_its_buffer() -> None:
    async with relaying(buffer=box(2_000, DropOldest())) as rig:
        sim = Upstream(rig.hub)
        slow = await rig.client("tcp", "sim/*/trade")
        good = [await rig.client(kind, "sim/*/trade") for kind in KINDS]
        last = await overwhelm(rig, sim, slow, lambda: rig.mailboxes()[0].dropped.overflow > 20_000)
        for client in good:
            await client.until(lambda: client.said[-1] == trades(last, 1)[0])  # noqa: B023  # waited for at once
            assert [trade.sequence for trade in client.of(Trade)] == list(range(1, last + 1))
        (theirs, *_) = (await rig.figures()).clients
        assert theirs.buffered <= 2_000
        assert theirs.unsent_bytes < (256 + 64 + 64) * 1024


async def test_where_nothing_may_be_left_out_the_feed_waits_for_the_slowest() -> None:
    async with relaying(buffer=box(500, Block()), pauses_feed=True) as rig:
        sim = Upstream(rig.hub)
        slow, good = await rig.client("tcp", "sim/*/trade"), await rig.client("ws", "sim/*/trade")
        last = await overwhelm(rig, sim, slow, lambda: sim.port.holders)
        rig.narrow(1 << 20)  # no longer: what is left takes seconds else
        slow.connection.resume_reading()
        for client in (slow, good):
            await client.until(lambda: client.said[-1] == trades(last, 1)[0])  # noqa: B023  # waited for at once
            assert [trade.sequence for trade in client.of(Trade)] == list(range(1, last + 1))
            assert client.skipped == 0
        assert (sim.port.pauses, sim.port.holders) == (1, set())


async def test_a_client_that_keeps_the_feed_waiting_is_cut_off_after_a_while_and_the_feed_goes_on() -> None:
    async with relaying(buffer=box(500, Block()), pauses_feed=True, stuck_after_s=0.2) as rig:
        sim = Upstream(rig.hub)
        slow, good = await rig.client("tcp", "sim/*/trade"), await rig.client("tcp", "sim/*/trade")
        last = await overwhelm(rig, sim, slow, lambda: sim.port.holders)
        await good.until(lambda: good.said[-1] == trades(last, 1)[0])
        await rig.until(lambda figures: figures.connections == 1 and not sim.port.holders)


async def test_quotes_conflate_while_a_client_does_not_read() -> None:
    async with relaying(buffer=box(500, Conflate(latest_quote, otherwise=DropOldest()))) as rig:
        sim = Upstream(rig.hub)
        slow = await rig.client("tcp", "sim/*/*")
        await overwhelm(rig, sim, slow, lambda: rig.mailboxes()[0].queued > 100)
        for bid in range(1_000):
            sim.publish(quote(bid=float(bid)))
        slow.connection.resume_reading()
        await slow.until(lambda: isinstance(slow.said[-1], Quote))
        assert slow.of(Quote) == [quote(bid=999.0)]
        assert rig.mailboxes()[0].conflated == 999
        assert slow.skipped == 0


async def test_with_fail_a_client_that_does_not_keep_up_is_sent_away_and_told_why() -> None:
    async with relaying(buffer=box(500, Fail())) as rig:
        sim = Upstream(rig.hub)
        slow, good = await rig.client("tcp", "sim/*/trade"), await rig.client("tcp", "sim/*/quote")
        (subscription, _) = rig.hub.subscriptions()
        await overwhelm(rig, sim, slow, lambda: subscription.refused)
        rig.narrow(1 << 20)  # a second must be enough
        slow.connection.resume_reading()
        await slow.gone()
        assert slow.said[-1] == messages.End("it does not keep up")
        sim.publish(quote())
        assert await good.get(Quote) == [quote()]
        figures = await rig.until(lambda figures: figures.connections == 1)
        assert figures.lost["TooSlow"] == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_that_takes_nothing_is_cut_off_after_a_while(kind: str) -> None:
    async with relaying(buffer=box(500, DropOldest()), stuck_after_s=0.2) as rig:
        sim = Upstream(rig.hub)
        slow = await rig.client(kind, "sim/*/trade")
        await overwhelm(rig, sim, slow, lambda: rig.mailboxes()[0].dropped.overflow)
        await rig.until(lambda figures: not figures.connections)
        await turns_until(lambda: not rig.mailboxes())
        assert rig.hub.subscriptions() == ()


async def test_a_stop_in_the_middle_of_it_ends_in_time() -> None:
    async with relaying(buffer=box(500, DropOldest())) as rig:
        sim = Upstream(rig.hub)
        slow = await rig.client("tcp", "sim/*/trade")
        await overwhelm(rig, sim, slow, lambda: rig.mailboxes()[0].dropped.overflow)
        report = await rig.system.stop()
        assert report.duration_s < 6


async def test_what_gathered_while_a_client_was_busy_goes_into_one_frame() -> None:
    async with relaying() as rig:
        sim = Upstream(rig.hub)
        client = await rig.client("tcp", "sim/*/trade")
        reads = client.reader.sequence
        for number in range(1, 101):
            sim.publish(*trades(number, 1))
        frames: list[int] = []
        take = client.on_frames

        def noted(connection: Connection, got: Sequence[memoryview | bytes], more: bool) -> None:
            frames.extend(map(len, got))
            take(connection, got, more)

        client.on_frames = noted  # type: ignore[method-assign, assignment]  # on this object alone
        await client.until(lambda: client.rows == 100)
        assert (reads, frames) == (0, [16 + 6_400])


async def test_an_upstream_hole_is_passed_on_in_place() -> None:
    async with relaying() as rig:
        sim = Upstream(rig.hub)
        client = await rig.client("tcp", "sim/*/*")
        sim.publish(*trades(1, 2))
        sim.mark(Skipped(5, frozenset({("sim", "BTC-USDT")}), "sim"))
        sim.publish(*trades(8, 1))
        await client.until(lambda: client.rows == 3)
        assert client.said[-2] == messages.Skipped(5, (("sim", "BTC-USDT"),), "sim")
        assert client.reader.sequence == 8
