"""Whatever is published to whatever mailboxes: every tick has a fate, every hole a name, every book one history."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from ticktree.actors import Block, Conflate, DropNewest, DropOldest, Fail, Mailbox
from ticktree.actors.mailbox import Overflow, Plain
from ticktree.distribution import Subscription
from ticktree.market import (
    Batch,
    BookUpdate,
    Data,
    Event,
    Gap,
    Instrument,
    InstrumentIds,
    Live,
    Quote,
    Skipped,
    Topic,
    Trade,
    batch_rows,
    latest_quote,
    weight,
)

from .support import FakePort, Stage, apply, batch, flat, stage, topics

POLICIES: tuple[Plain, ...] = (Block(), DropOldest(), DropNewest(), Fail())
OVERFLOWS: tuple[Overflow, ...] = (*POLICIES, *(Conflate(latest_quote, otherwise=policy) for policy in POLICIES))
ASKED = ("*/*/*", "one/*/*", "*/A-USD/*", "*/*/book", "two/B*/quote", "*/*/trade", "one/A-USD/book")
Books = frozenset[tuple[str, str]]


class World:
    """Two feeds that publish at random; each tick has a number of its own as its sequence."""

    def __init__(self, random: Random) -> None:
        self.random, self.ids, self.sequence = random, InstrumentIds(), 0
        self.instruments: list[Instrument] = []
        self.ports = [FakePort(name, (f"{name}/*/*",)) for name in ("one", "two")]
        for name in ("A-USD", "B-USD"):
            self.define(name)

    def define(self, name: str) -> None:
        id = self.random.choice((0, 1, 7, 300))
        self.instruments.append(self.ids.adopt(Instrument(name, id, Decimal("0.01"), Decimal("0.01"))))

    def batch(self) -> Batch:
        random, port = self.random, self.random.choice(self.ports)
        if random.random() < 0.1:
            self.define(f"B{len(self.instruments)}-USD")
        events = [self.event(port) for _ in range(random.choice((1, 1, 2, 5, 20)))]
        return batch(*events, columns=random.random() < 0.5, ids=self.ids)

    def event(self, port: FakePort) -> Data:
        random, feed, instrument = self.random, port.name, self.random.choice(self.instruments)
        self.sequence = number = self.sequence + 1
        match random.randrange(3):
            case 0:
                return Quote(feed, instrument, number, 1.0, number + 1.0, 1.0, number, 0, 0)
            case 1:
                return Trade(feed, instrument, number, 1.0, None, number, 0, 0)
            case _:
                return self.update(port, instrument)

    def update(self, port: FakePort, instrument: Instrument) -> BookUpdate:
        """Numbered without a gap in each book; the feed has it before it is published."""
        random, last = self.random, port.last(instrument.name)
        levels = {float(random.randrange(1, 9)): float(random.randrange(3)) for _ in range(4)}
        levels[10.0] = last + 1.0  # no book is ever empty: an update has at least one level
        sides, cut = tuple(levels.items()), random.randrange(len(levels))
        number, snapshot = last + 1, not last or random.random() < 0.05
        made = BookUpdate(port.name, instrument, sides[:cut], sides[cut:], snapshot, number, number, 0, 0)
        port.follow(made)
        return made

    def mark(self) -> Gap:
        self.sequence += 1
        port, instrument = self.random.choice(self.ports), self.random.choice(self.instruments)
        return Gap(port.name, instrument, "trade", self.sequence, self.sequence + 1, 0)


class Account:
    """What one subscriber was to get, worked out the simple way."""

    def __init__(self, subscription: Subscription, asked: tuple[Topic, ...]) -> None:
        self.subscription, self.asked = subscription, asked
        self.wanted: list[Event] = []
        self.ticks = 0

    def publish(self, published: Batch) -> None:
        kinds: dict[type, str] = {Quote: "quote", Trade: "trade", BookUpdate: "book"}
        for event in published.events:
            if any(topic.matches(event.feed, event.instrument.name, kinds[type(event)]) for topic in self.asked):
                self.wanted.append(event)
                self.ticks += weight(event)

    def mark(self, mark: Gap) -> None:
        if any(topic.matches(mark.feed, mark.instrument.name, mark.kind) for topic in self.asked):
            self.wanted.append(mark)

    def check(self) -> None:
        subscription, stats = self.subscription, self.subscription.subscriber.stats()
        assert stats.unaccounted == 0
        assert self.ticks == stats.received + subscription.refused + subscription.waiting
        blocks = subscription.pauses_feed
        assert blocks or subscription.waiting == 0
        assert stats.queued <= stats.capacity


def mailboxes(random: Random) -> dict[str, Mailbox]:
    return {
        f"s{number}": Mailbox(random.choice((3, 8, 40, 500)), overflow, batch_rows)
        for number, overflow in enumerate(OVERFLOWS)
    }


def blocks(overflow: Overflow) -> bool:
    return Block() in (overflow, getattr(overflow, "otherwise", None))


def subscribe(s: Stage, name: str, mailbox: Mailbox, random: Random) -> Account:
    asked = topics(*random.sample(ASKED, random.randrange(1, 3)))
    most_rows = random.choice((None, None, 1, 7))
    return Account(s.hub.subscribe(s.ref(name), asked, most_rows, blocks(mailbox.overflow)), asked)


@pytest.mark.parametrize("seed", range(10))
async def test_every_tick_has_one_fate_and_every_hole_its_name(seed: int) -> None:
    random = Random(seed)
    world, boxes = World(random), mailboxes(random)
    async with stage(boxes, ids=world.ids) as s:
        for port in world.ports:
            s.hub.attach(port)
        accounts = {name: subscribe(s, name, mailbox, random) for name, mailbox in boxes.items()}
        for _ in range(120):
            await step(s, world, list(accounts.values()))
        await s.all_handled()
        assert not any(port.paused for port in world.ports)
        for name, account in accounts.items():
            account.check()
            assert (account.subscription.waiting, s.ref(name).waits) == (0, False)
            seen = flat(s.look(name))
            if isinstance(boxes[name].overflow, Conflate):
                check_conflated(account, seen)
            else:
                check_holes(account.wanted, seen)


async def step(s: Stage, world: World, accounts: list[Account]) -> None:
    if world.random.random() < 0.2:
        mark = world.mark()
        s.hub.mark(mark)
        for account in accounts:
            account.mark(mark)
    else:
        published = world.batch()
        s.hub.publish(published)
        for account in accounts:
            account.publish(published)
    for account in accounts:
        account.check()
    if world.random.random() < 0.2:
        for _ in range(world.random.randrange(4)):
            await asyncio.sleep(0)
            for account in accounts:
                account.check()


def check_holes(wanted: list[Event], seen: list[Event]) -> None:
    """`seen` is `wanted`, where each run of data that is missing has marks in its place that name it exactly."""
    rest, told = iter(wanted), list[Skipped]()
    for event in seen:
        if isinstance(event, Skipped):
            told.append(event)
            continue
        missing = until(rest, event)
        assert (sum(mark.rows for mark in told), books(told)) == lost(missing)
        told.clear()
    rows, names = lost(list(rest))
    assert (sum(mark.rows for mark in told), books(told)) in ((rows, names), (0, frozenset()))  # told with what follows


def until(rest: Iterator[Event], event: Event) -> list[Event]:
    missing: list[Event] = []
    for other in rest:
        if other == event:
            return missing
        missing.append(other)
    raise AssertionError(f"{event} came twice, out of order, or from nowhere")


def lost(missing: list[Event]) -> tuple[int, Books]:
    data = [event for event in missing if isinstance(event, Quote | Trade | BookUpdate)]
    assert len(data) == len(missing), "a mark was lost"
    names = frozenset((event.feed, event.instrument.name) for event in data if isinstance(event, BookUpdate))
    return sum(map(weight, data)), names


def books(told: list[Skipped]) -> Books:
    return frozenset[tuple[str, str]]().union(*(mark.books for mark in told))


def check_conflated(account: Account, seen: list[Event]) -> None:
    """Marks are all there, what does not conflate is in order, and the holes add up."""
    marks = [event for event in account.wanted if isinstance(event, Gap)]
    assert [event for event in seen if isinstance(event, Gap)] == marks
    rest = iter(event for event in account.wanted if not isinstance(event, Quote))
    for event in seen:
        if not isinstance(event, Quote | Skipped):
            while next(rest) != event:
                pass
    stats, told = account.subscription.subscriber.stats(), [event for event in seen if isinstance(event, Skipped)]
    named = sum(mark.rows for mark in told)
    assert stats.dropped.overflow <= named <= stats.dropped.overflow + account.subscription.refused
    if not blocks(account.subscription.subscriber.mailbox.overflow):
        assert books(told) <= {(e.feed, e.instrument.name) for e in account.wanted if isinstance(e, BookUpdate)}


@pytest.mark.parametrize("seed", range(25))
async def test_who_comes_late_has_each_book_as_its_feed_has_it(seed: int) -> None:
    """Nothing missed and nothing twice: behind its snapshot, the updates of a book are numbered without a gap."""
    random = Random(seed)
    world, names = World(random), [f"s{n}" for n in range(4)]
    overflows: list[Overflow] = [DropOldest(), Block(), Fail(), Conflate(latest_quote, otherwise=DropNewest())]
    roomy = {name: Mailbox(100_000, overflow, batch_rows) for name, overflow in zip(names, overflows, strict=True)}
    async with stage(roomy, ids=world.ids) as s:
        for port in world.ports:
            s.hub.attach(port)
        begun: dict[str, list[Any]] = {}
        for _ in range(150):
            s.hub.publish(world.batch())
            name = random.choice(names)
            match random.randrange(12):
                case 0:
                    await s.all_handled()
                    s.look(name)
                    s.hub.subscribe(
                        s.ref(name), topics("*/*/*"), random.choice((None, 3)), blocks(roomy[name].overflow)
                    )
                    begun[name] = []
                case 1:
                    s.hub.unsubscribe(s.ref(name))
                    begun.pop(name, None)
                case 2 if name in begun:
                    port = random.choice(world.ports)
                    s.hub.resend_book(s.ref(name), port.name, random.choice(world.instruments).name)
                case 3:
                    await asyncio.sleep(0)
                case _:
                    pass
        await s.all_handled()
        for name in begun:
            assert followed(flat(s.look(name))) == {
                (port.name, book.instrument.name): sides(book) for port in world.ports for book in port.books()
            }


Sides = tuple[dict[float, float], dict[float, float]]


def sides(book: BookUpdate) -> Sides:
    return dict(book.bids), dict(book.asks)


def followed(seen: list[Event]) -> dict[tuple[str, str], Sides]:
    """The books that these events make."""
    made: dict[tuple[str, str], Sides] = {}
    last: dict[tuple[str, str], int] = {}
    for event in seen:
        if isinstance(event, BookUpdate):
            key = event.feed, event.instrument.name
            if not event.snapshot:
                assert event.sequence == last[key] + 1
            elif key in last:
                assert event.sequence in (last[key], last[key] + 1)
            last[key] = event.sequence
            apply(made.setdefault(key, ({}, {})), event)
        else:
            assert isinstance(event, Quote | Trade | Live)
    return made
