"""How a strategy takes what its mailbox brings: batches, single events, marks."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, ClassVar

import pytest

from ticktree.actors import ActorRef, Block, ChildSpec, Conflate, DropNewest, DropOldest, Mailbox, Supervisor, System
from ticktree.distribution import Hub
from ticktree.market import (
    Bar,
    Batch,
    BookUpdate,
    Data,
    FeedState,
    FeedStatus,
    Gap,
    InstrumentStatus,
    Live,
    Mark,
    Quote,
    Skipped,
    Stale,
    Trade,
    TradingStatus,
    batch_rows,
    latest_quote,
)
from ticktree.strategies import ColumnsConflate, Strategy

from ..distribution.support import FakePort, apply, batch, topics, update
from ..market.samples import BTC, ETH, IDS, quote, trade

DEADLINE_S = 5.0
BAR = Bar("sim", BTC, 1.0, 2.0, 0.5, 1.5, 3.0, 4.0, 5, 0, 60, 61)
BOX = Mailbox(1_000, DropOldest(), batch_rows)


@asynccontextmanager
async def running(strategy: type[Strategy], mailbox: Mailbox = BOX) -> AsyncGenerator[tuple[System, ActorRef[Any]]]:
    async with System(Supervisor((ChildSpec("s", strategy, mailbox),), intensity=100)) as system:
        yield system, system.ref("s")
    assert all(cell.stats().unaccounted == 0 for cell in system.cells())
    assert asyncio.all_tasks() == {asyncio.current_task()}


def tell(ref: ActorRef[Any], *events: Data, columns: bool = False) -> None:
    told = batch(*events, columns=columns)
    ref.tell(told, len(told))


async def turns(condition: Callable[[], object]) -> None:
    ends = asyncio.get_running_loop().time() + DEADLINE_S
    while not condition():
        assert asyncio.get_running_loop().time() < ends
        await asyncio.sleep(0)


# --- what goes where -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [False, True])
async def test_the_events_of_a_batch_reach_their_handlers_in_order(columns: bool) -> None:
    seen: list[Any] = []

    class All(Strategy):
        def on_quote(self, quote: Quote) -> None:
            seen.append(quote)

        async def on_trade(self, trade: Trade) -> None:
            await asyncio.sleep(0)
            seen.append(trade)

        def on_book(self, update: BookUpdate) -> None:
            seen.append(update)

    events: list[Data] = [
        quote(),
        trade(1.0),
        trade(2.0),
        update((1.0, 1.0), (2.0, 1.0)),
        quote(instrument=ETH),
        trade(3.0),
    ]
    async with running(All) as (_, ref):
        tell(ref, *events, columns=columns)
        ref.tell(quote(9.0), 1)
        await ref.drain(DEADLINE_S)
        assert seen == [*events, quote(9.0)]
        assert ref.stats().delivered == 8


async def test_bars_and_single_events_reach_their_handlers_too() -> None:
    seen: list[Any] = []

    class Bars(Strategy):
        def on_bar(self, bar: Bar) -> None:
            seen.append(bar)

    async with running(Bars) as (_, ref):
        tell(ref, quote(), BAR, trade())
        for event in (quote(), trade(), update((1.0, 1.0)), BAR):
            ref.tell(event, 1)
        await ref.drain(DEADLINE_S)
        assert seen == [BAR, BAR]


async def test_each_mark_reaches_its_handler_in_its_place() -> None:
    seen: list[Any] = []

    def note(name: str) -> Callable[[Strategy, Any], None]:
        def handler(self: Strategy, event: Any) -> None:
            seen.append((name, event))

        return handler

    names = ("on_status", "on_instrument_status", "on_gap", "on_stale", "on_live", "on_skipped", "on_trade")
    marks: list[Mark] = [
        FeedStatus("sim", FeedState.LOST, "cut", 0),
        InstrumentStatus("sim", BTC, TradingStatus.HALTED, 0, 0),
        Gap("sim", BTC, "trade", 1, 2, 0),
        Stale("sim", BTC, "silent", 0),
        Live("sim", BTC, 0),
        Skipped(3),
    ]
    async with running(type("Marks", (Strategy,), {name: note(name) for name in names})) as (_, ref):
        for mark in marks:
            ref.tell(mark, 0)
            tell(ref, trade())
        await ref.drain(DEADLINE_S)
    expected: list[Any] = []
    for name, mark in zip(names[:-1], marks, strict=True):
        expected += [(name, mark), ("on_trade", trade())]
    assert seen == expected


async def test_what_is_not_overridden_does_nothing() -> None:
    async with running(Strategy) as (system, ref):
        tell(ref, quote(), trade(), update((1.0, 1.0)), BAR)
        for mark in (Skipped(3), Live("sim", BTC, 0)):
            ref.tell(mark, 0)
        await ref.drain(DEADLINE_S)
        assert (ref.stats().delivered, next(iter(system.cells())).lives) == (4, 1)


async def test_on_batch_gets_everything_whole_and_the_handlers_of_single_events_nothing() -> None:
    seen: list[Any] = []

    class Columns(Strategy):
        def on_batch(self, batch: Batch) -> None:
            seen.append(batch)

        def on_quote(self, quote: Quote) -> None:
            raise AssertionError("a single event")

        def on_gap(self, gap: Gap) -> None:
            seen.append(gap)

    gap = Gap("sim", BTC, "trade", 1, 2, 0)
    batches = [batch(quote(), trade(), columns=True), batch(quote(), BAR)]
    async with running(Columns, Columns.mailbox) as (_, ref):
        ref.tell(batches[0], 2)
        ref.tell(gap, 0)
        ref.tell(batches[1], 2)
        await ref.drain(DEADLINE_S)
        assert seen == [batches[0], gap, batches[1]]


class Particular(Batch):
    """Columns that come to their events in a way of their own."""

    @property
    def events(self) -> list[Data]:
        return [trade(7.0)]


async def test_a_batch_that_makes_its_events_itself_is_asked_for_them_each_time() -> None:
    seen: list[Trade] = []

    class Trades(Strategy):
        def on_trade(self, trade: Trade) -> None:
            seen.append(trade)

    async with running(Trades) as (_, ref):
        for _ in range(2):
            ref.tell(Particular("sim", IDS, ticks=batch(trade(1.0)).ticks), 1)
        await ref.drain(DEADLINE_S)
        assert seen == [trade(7.0)] * 2


async def test_who_looks_at_messages_before_their_handlers_sees_each_once() -> None:
    seen: list[Any] = []

    class Looks(Strategy):
        def on_message(self, message: Any) -> Any:
            seen.append(message)
            return super().on_message(message)

        def on_trade(self, trade: Trade) -> None:
            seen.append("handled")

    told = [batch(trade(1.0)), batch(trade(2.0))]
    async with running(Looks) as (_, ref):
        for one in told:
            ref.tell(one, 1)
        ref.tell(trade(3.0), 1)
        await ref.drain(DEADLINE_S)
    assert seen == [told[0], "handled", told[1], "handled", trade(3.0), "handled"]


async def test_a_single_event_does_not_turn_the_batches_of_who_takes_columns_into_events() -> None:
    seen: list[Any] = []

    class Columns(Strategy):
        def on_batch(self, batch: Batch) -> None:
            seen.append(batch)

        def on_trade(self, trade: Trade) -> None:
            seen.append(trade)

    told = [batch(trade(1.0)), trade(2.0), batch(trade(3.0))]
    async with running(Columns) as (_, ref):
        for one in told:
            ref.tell(one, 1)
        await ref.drain(DEADLINE_S)
    assert seen == told


# --- handlers that wait, and handlers that fail ----------------------------------------------------------------------


async def test_while_a_handler_waits_in_the_middle_of_a_batch_nothing_else_is_handled() -> None:
    seen, go = list[Any](), asyncio.Event()

    class Waits(Strategy):
        async def on_trade(self, trade: Trade) -> None:
            seen.append("waits")
            await go.wait()
            seen.append(trade)

        def on_quote(self, quote: Quote) -> None:
            seen.append(quote)

    async with running(Waits) as (_, ref):
        tell(ref, quote(1.0), trade(), quote(2.0))
        tell(ref, quote(3.0))
        await turns(lambda: "waits" in seen)
        assert (seen, ref.stats().in_handler, ref.stats().queued) == ([quote(1.0), "waits"], 3, 1)
        go.set()
        await ref.drain(DEADLINE_S)
        assert seen == [quote(1.0), "waits", trade(), quote(2.0), quote(3.0)]


@pytest.mark.parametrize("started", [False, True])
async def test_a_handler_that_is_cancelled_in_the_middle_takes_its_batch_with_it(started: bool) -> None:
    seen: list[Any] = []

    class Hangs(Strategy):
        def on_quote(self, quote: Quote) -> None:
            seen.append(quote)

        async def on_trade(self, trade: Trade) -> None:
            seen.append("hangs")
            await asyncio.Event().wait()

    async with running(Hangs) as (system, ref):
        cell = next(iter(system.cells()))
        tell(ref, quote(1.0), trade(), quote(2.0))
        tell(ref, quote(3.0))
        await turns(lambda: seen)
        if started:
            await turns(lambda: "hangs" in seen)
        cell.kill()
        await turns(lambda: cell.lives == 2)
        await ref.drain(DEADLINE_S)
        assert seen == [quote(1.0), *(["hangs"] if started else []), quote(3.0)]
        assert (ref.stats().dropped.cancel, ref.stats().delivered) == (3, 1)
    gc.collect()  # of a coroutine that was never waited for Python would complain now


@pytest.mark.parametrize("late", [False, True])
async def test_a_handler_that_raises_costs_its_batch_and_its_life_and_the_next_life_goes_on(late: bool) -> None:
    seen: list[Any] = []

    class Fails(Strategy):
        async def on_trade(self, trade: Trade) -> None:
            if late:
                await asyncio.sleep(0)
            raise ValueError("a bug")

        def on_book(self, update: BookUpdate) -> None:
            if not late:
                raise ValueError("another one")

        def on_quote(self, quote: Quote) -> None:
            seen.append(quote)

    async with running(Fails) as (system, ref):
        bad = trade() if late else update((1.0, 1.0))
        tell(ref, quote(1.0), bad, quote(2.0))
        tell(ref, quote(3.0), quote(4.0))
        cell = next(iter(system.cells()))
        await turns(lambda: cell.lives == 2)
        await ref.drain(DEADLINE_S)
        assert seen == [quote(1.0), quote(3.0), quote(4.0)]
        assert (ref.stats().dropped.crash, ref.stats().delivered) == (3, 2)


# --- the mailbox a class declares ------------------------------------------------------------------------------------

MINE = Mailbox(99, DropNewest(), batch_rows)
CONFLATING = Mailbox(99, Conflate(latest_quote, otherwise=DropOldest()), batch_rows)


def on_batch(self: Strategy, batch: Batch) -> None:
    pass


def made(*bases: type, **members: Any) -> type[Strategy]:
    return type("Made", bases or (Strategy,), members)


def test_where_columns_are_taken_the_default_mailbox_drops_the_oldest_rows() -> None:
    made_one = made(on_batch=on_batch)
    assert made_one.mailbox == Mailbox(65_536, DropOldest(), batch_rows)
    assert made(made_one).mailbox is made_one.mailbox
    assert made().mailbox is Strategy.mailbox
    assert made(made(), on_batch=on_batch).mailbox is made_one.mailbox
    mixin = type("Mixin", (), {"on_batch": on_batch})
    assert made(mixin, Strategy).mailbox is made_one.mailbox


def test_a_mailbox_that_is_declared_stays() -> None:
    mine = made(mailbox=MINE)
    assert mine.mailbox is MINE
    assert made(mine, on_batch=on_batch).mailbox is MINE
    assert made(mailbox=CONFLATING).mailbox is CONFLATING


@pytest.mark.parametrize(
    "make",
    [
        lambda: made(on_batch=on_batch, mailbox=CONFLATING),
        lambda: made(made(mailbox=CONFLATING), on_batch=on_batch),
        lambda: made(made(on_batch=on_batch), mailbox=CONFLATING),
        lambda: made(on_batch=on_batch, mailbox=Strategy.mailbox),
        lambda: made(on_batch=on_batch).fitted(CONFLATING),
    ],
)
def test_columns_do_not_conflate_and_who_asks_for_both_is_told(make: Any) -> None:
    with pytest.raises(ColumnsConflate, match="Made overrides on_batch, and its mailbox conflates single events"):
        make()


def test_a_declared_mailbox_need_not_say_how_batches_are_cut() -> None:
    assert made(mailbox=Mailbox(99, DropNewest())).mailbox == MINE
    assert Strategy.fitted(Mailbox(5, Block())) == Mailbox(5, Block(), batch_rows)


# --- books that lost rows --------------------------------------------------------------------------------------------


class Follower(Strategy):
    """Keeps what it is told of books."""

    told: ClassVar[list[Any]]
    hub: ClassVar[Hub]

    def on_start(self) -> None:
        self.ask_for_books(lambda feed, instrument: self.hub.resend_book(self.ref, feed, instrument))

    def on_book(self, update: BookUpdate) -> None:
        self.told.append((update.sequence, update.snapshot))

    def on_skipped(self, skipped: Skipped) -> None:
        self.told.append("skipped")

    def on_live(self, live: Live) -> None:
        self.told.append("live")


@asynccontextmanager
async def following(
    capacity: int, base: type[Follower] = Follower, overflow: Any = None
) -> AsyncGenerator[tuple[list[Any], Hub, FakePort, ActorRef[Any]]]:
    port = FakePort()

    class Mine(base):  # type: ignore[valid-type, misc]  # a class of this test's own
        told: ClassVar[list[Any]] = []
        hub = Hub(IDS)

    async with running(Mine, Mailbox(capacity, overflow or DropOldest(), batch_rows)) as (_, ref):
        Mine.hub.attach(port)
        Mine.hub.subscribe(ref, topics("*/*/*"), 256)
        yield Mine.told, Mine.hub, port, ref


def publish(hub: Hub, port: FakePort, *numbers: int, columns: bool = False) -> None:
    updates = [update((100.0 + n % 5, 1.0), snapshot=n == 1, sequence=n) for n in numbers]
    for each in updates:
        port.follow(each)
    hub.publish(batch(*updates, columns=columns))


@pytest.mark.parametrize("overflow", [DropOldest(), DropNewest(), Conflate(latest_quote, otherwise=DropOldest())])
async def test_a_book_that_lost_rows_is_told_anew_before_further_changes_of_it(overflow: Any) -> None:
    async with following(8, overflow=overflow) as (told, hub, port, ref):
        publish(hub, port, 1)
        await ref.drain(DEADLINE_S)
        publish(hub, port, *range(2, 30))
        await ref.drain(DEADLINE_S)
        publish(hub, port, 30)
        await ref.drain(DEADLINE_S)
        counted = [entry for entry in told if not isinstance(entry, str)]
        after = counted.index((29, True))
        assert [number for number, _ in counted[:after]] == list(range(1, after + 1))  # up to the hole
        assert counted[after:] == [(29, True), (30, False)]
        assert told[-3:] == [(29, True), "live", (30, False)]


async def test_changes_between_the_hole_and_the_snapshot_are_left_out() -> None:
    async with following(8) as (told, hub, port, ref):
        publish(hub, port, 1)
        for n in range(2, 20):
            publish(hub, port, n)
        await ref.drain(DEADLINE_S)
        assert [entry for entry in told if entry != "skipped"] == [(19, True), "live"]


async def test_a_snapshot_that_is_on_its_way_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with following(8) as (told, hub, port, ref):
        asked: list[str] = []
        resend = hub.resend_book

        def counted(subscriber: ActorRef[Any], feed: str, instrument: str) -> bool:
            asked.append(instrument)
            return resend(subscriber, feed, instrument)

        monkeypatch.setattr(hub, "resend_book", counted)
        publish(hub, port, 1)
        await ref.drain(DEADLINE_S)
        for n in range(2, 20):
            publish(hub, port, n)
        ref.tell(Skipped(1, frozenset({("sim", "BTC-USDT")})), 0)
        await ref.drain(DEADLINE_S)
        assert asked == ["BTC-USDT"]  # once, for two holes before the answer
        assert [entry for entry in told if entry != "skipped"] == [(1, True), (19, True), "live"]


async def test_a_new_life_follows_no_book_before_it_has_a_snapshot() -> None:
    class Fragile(Follower):
        def on_trade(self, trade: Trade) -> None:
            raise ValueError("a bug")

    async with following(100, Fragile) as (told, hub, port, ref):
        publish(hub, port, 1)
        hub.publish(batch(trade()))
        publish(hub, port, 2)
        publish(hub, port, 3)
        await turns(lambda: "live" in told)
        publish(hub, port, 4)
        await ref.drain(DEADLINE_S)
        assert told == [(1, True), (3, True), "live", (4, False)]


async def test_a_hole_in_a_book_that_nobody_asked_for_brings_nothing() -> None:
    async with following(100) as (told, hub, port, ref):
        publish(hub, port, 1)
        await ref.drain(DEADLINE_S)
        hub.subscribe(ref, topics("sim/*/trade"))
        hub.mark(Skipped(3, frozenset({("sim", "BTC-USDT")}), "sim"))
        hub.mark(Live("sim", ETH, 0))
        await ref.drain(DEADLINE_S)
        assert told == [(1, True), "skipped", "live"]


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_is_lost_the_books_are_right_in_the_end(seed: int) -> None:
    random, made = Random(seed), dict[str, tuple[dict[float, float], dict[float, float]]]()

    class Books(Follower):
        def on_book(self, update: BookUpdate) -> None:
            apply(made.setdefault(update.instrument.name, ({}, {})), update)

    async with following(25, Books, random.choice((DropOldest(), DropNewest()))) as (_, hub, port, ref):
        for _ in range(300):
            instrument = random.choice((BTC, ETH))
            number = port.last(instrument.name) + 1
            sides = [(float(random.randrange(4)), float(random.randrange(3))) for _ in range(random.randrange(1, 6))]
            sides.append((9.0, 1.0))  # no book is ever empty
            told = update(*sides, snapshot=number == 1, sequence=number, instrument=instrument)
            port.follow(told)
            hub.publish(batch(told, columns=random.random() < 0.5))
            if random.random() < 0.1:
                await asyncio.sleep(0)
        books = {book.instrument.name: (dict(book.bids), dict(book.asks)) for book in port.books()}
        await turns(lambda: made == books)
        assert ref.stats().dropped.overflow > 0


async def test_columns_are_left_as_they_are_and_the_book_is_told_anew() -> None:
    class Columns(Follower):
        def on_batch(self, batch: Batch) -> None:
            self.told.append([(event.sequence, event.snapshot) for event in batch.events])  # type: ignore[union-attr]  # it stands

    async with following(10, Columns) as (told, hub, port, ref):
        publish(hub, port, 1, columns=True)
        await ref.drain(DEADLINE_S)
        publish(hub, port, *range(2, 20), columns=True)
        await turns(lambda: "live" in told)
        publish(hub, port, 20, columns=True)
        await ref.drain(DEADLINE_S)
        assert told[:2] == [[(1, True)], "skipped"]
        assert told[-3:] == [[(19, True)], "live", [(20, False)]]
        assert told.count("live") == 1


def test_who_takes_no_books_asks_for_none() -> None:
    asked: list[tuple[str, str]] = []

    def resend(feed: str, instrument: str) -> bool:
        asked.append((feed, instrument))
        return True

    class Quotes(Strategy):
        """Has no `on_book`."""

    class Books(Strategy):
        def on_book(self, update: BookUpdate) -> None: ...

    for kind in (Quotes, Books):
        strategy = kind()
        strategy.ask_for_books(resend)
        strategy.on_message(Skipped(1, frozenset({("sim", "BTC-USDT")})))
    assert asked == [("sim", "BTC-USDT")]
