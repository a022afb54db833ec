"""From topics to mailboxes."""

from decimal import Decimal
from random import Random
from typing import Any

import attrs
import pytest

from ticktree.actors import (
    Actor,
    Block,
    ChildSpec,
    Conflate,
    DropNewest,
    DropOldest,
    Fail,
    Mailbox,
    Supervisor,
    System,
)
from ticktree.actors.mailbox import Overflow, Plain
from ticktree.distribution import BadSubscription, Hub, NoSuchFeed
from ticktree.distribution.selection import Selection
from ticktree.market import (
    Batch,
    BookUpdate,
    Data,
    FeedState,
    FeedStatus,
    Gap,
    Instrument,
    InstrumentIds,
    InstrumentStatus,
    Live,
    Mark,
    Quote,
    Skipped,
    Stale,
    TradingStatus,
    batch_rows,
    latest_quote,
)

from ..market.samples import BTC, ETH, IDS, quote, trade
from .support import ROOM, FakePort, batch, flat, stage, topics, update

LOST = FeedStatus("sim", FeedState.LOST, "cut", 0)
LIVE = FeedStatus("sim", FeedState.LIVE, "data", 0)
GAP = Gap("sim", BTC, "trade", 3, 5, 0)
ALL = topics("*/*/*")
CONFLATING = Mailbox(10_000, Conflate(latest_quote, otherwise=DropOldest()), batch_rows)


def box(capacity: int, overflow: Overflow) -> Mailbox:
    return Mailbox(capacity, overflow, batch_rows)


# --- who gets what ---------------------------------------------------------------------------------------------------


async def test_each_subscriber_gets_what_its_topics_select_once() -> None:
    async with stage(btc=ROOM, trades=ROOM, other=ROOM) as s:
        s.hub.subscribe(s.ref("btc"), topics("*/BTC-USDT/quote", "sim/BTC-*/quote"))
        s.hub.subscribe(s.ref("trades"), topics("sim/*/trade"))
        s.hub.subscribe(s.ref("other"), topics("elsewhere/*/*"))
        s.hub.publish(batch(quote(), trade(), quote(instrument=ETH)))
        s.hub.mark(LOST)
        assert flat(await s.take("btc")) == [quote(), LOST]
        assert flat(await s.take("trades")) == [trade(), LOST]
        assert await s.take("other") == []


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("*/*/*", [0, 1, 2, 3, 4]),
        ("s*/B*-USDT/*", [0, 1, 3]),
        ("sim/*/book", [3, 4]),
        ("sim/ETH-USDT/*", [2, 4]),
        ("*/*USDT/quote", [0, 2]),
        ("other/*/*", []),
        ("sim/*/bar", []),
    ],
)
async def test_wildcards_select_in_columns_as_in_events(asked: str, expected: list[int], columns: bool) -> None:
    eth = update((99.0, 1.0), (98.0, 2.0), instrument=ETH)
    events: list[Data] = [quote(), trade(), quote(instrument=ETH), update((100.0, 1.0), asks=((101.0, 0.0),)), eth]
    async with stage(a=ROOM) as s:
        s.hub.attach(FakePort())
        s.hub.subscribe(s.ref("a"), topics(asked))
        s.hub.publish(batch(*events, columns=columns))
        assert flat(await s.take("a")) == [events[index] for index in expected]


async def test_a_batch_of_which_everything_is_wanted_goes_whole_to_everyone() -> None:
    async with stage(a=ROOM, b=ROOM, c=ROOM) as s:
        s.hub.attach(FakePort(offered=("sim/BTC-USDT/quote", "sim/BTC-USDT/trade", "sim/BTC-USDT/status")))
        s.hub.subscribe(s.ref("a"), ALL)
        s.hub.subscribe(s.ref("b"), topics("sim/BTC-USDT/quote", "sim/BTC-USDT/trade"))
        s.hub.subscribe(s.ref("c"), topics("sim/*/quote"))
        whole, quotes = batch(quote(), trade(), columns=True), batch(quote(), columns=True)
        s.hub.publish(whole)
        s.hub.publish(quotes)
        assert await s.take("a") == [whole, quotes]
        assert await s.take("b") == [whole, quotes]
        subset, all_of_it = await s.take("c")
        assert (len(subset), all_of_it) == (1, quotes)


async def test_where_all_take_everything_each_gets_it_once_whole_or_in_pieces_and_who_is_closed_refuses_it() -> None:
    async with stage(a=ROOM, b=ROOM, c=ROOM) as s:
        s.hub.attach(FakePort(offered=("sim/*/quote",)))
        taken = [
            s.hub.subscribe(s.ref(name), topics(asked), most_rows)
            for name, asked, most_rows in (("a", "*/*/*", None), ("b", "*/*/*", 2), ("c", "sim/*/quote", 3))
        ]
        two, three = batch(quote(1.0), quote(2.0)), batch(quote(3.0), quote(4.0), quote(5.0))
        for whole in (two, three):
            s.hub.publish(whole)
        assert await s.take("a") == [two, three]
        assert [len(piece) for piece in await s.take("b")] == [2, 2, 1]
        assert await s.take("c") == [two, three]
        await s.system.supervisor().terminate_child("a")
        s.hub.publish(two)
        assert (await s.take("b"), await s.take("c")) == ([two], [two])
        assert [one.refused for one in taken] == [2, 0, 0]


async def test_picked_rows_are_read_only_and_do_not_hold_the_batch() -> None:
    async with stage(a=ROOM) as s:
        s.hub.subscribe(s.ref("a"), topics("sim/*/quote"))
        whole = batch(quote(), trade(), columns=True)
        s.hub.publish(whole)
        (picked,) = await s.take("a")
        assert (picked.columnar, picked.ticks.flags.writeable, len(picked)) == (True, False, 1)
        assert picked.ticks.base is not whole.ticks


async def test_equal_selections_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    picks, pick = list[Selection](), Selection.pick

    def counted(self: Selection, batch: Batch) -> Batch | None:
        picks.append(self)
        return pick(self, batch)

    monkeypatch.setattr(Selection, "pick", counted)
    async with stage(a=ROOM, b=ROOM, c=CONFLATING, d=ROOM) as s:
        for name, most_rows in (("a", None), ("b", 2), ("c", 1)):
            s.hub.subscribe(s.ref(name), topics("sim/*/quote", "sim/*/bar"), most_rows)
        s.hub.subscribe(s.ref("d"), topics("sim/*/trade"))
        s.hub.publish(batch(quote(), trade(), columns=True))
        assert len(picks) == 2
        (a,), (b,) = await s.take("a"), await s.take("b")
        assert a is b


async def test_batches_come_in_pieces_of_at_most_so_many_rows_and_no_update_is_torn() -> None:
    events: list[Data] = [trade(), update((1.0, 1.0), (2.0, 2.0), (3.0, 3.0)), trade(), trade(), trade()]
    for columns in (False, True):
        async with stage(a=ROOM, blocking=box(100, Block())) as s:
            s.hub.subscribe(s.ref("a"), ALL, most_rows=2)
            s.hub.subscribe(s.ref("blocking"), ALL, most_rows=2, pauses_feed=True)
            s.hub.publish(batch(*events, columns=columns))
            for name in ("a", "blocking"):
                pieces = await s.take(name)
                assert [len(piece) for piece in pieces] == [1, 3, 2, 1]
                assert flat(pieces) == events


async def test_ids_that_come_to_be_known_between_batches() -> None:
    ids = InstrumentIds()
    async with stage(ids=ids, a=ROOM, keep=["sim/*/quote"], late=ROOM) as s:
        s.hub.attach(FakePort())
        s.hub.subscribe(s.ref("a"), topics("sim/X*/quote"))
        wanted: list[Any] = []
        for number, id in enumerate((7, 7, 0, 70_000, 3)):  # the second 7 is taken: it gets another one
            made = Instrument(f"X{number}-USD", id, BTC.price_increment, BTC.size_increment)
            other = Instrument(f"Y{number}-USD", id, BTC.price_increment, BTC.size_increment)
            known = [quote(instrument=ids.adopt(instrument)) for instrument in (made, other)]
            s.hub.publish(batch(*known, columns=True, ids=ids))
            wanted.append(known[0])
        assert flat(await s.take("a")) == wanted
        s.hub.subscribe(s.ref("late"), topics("sim/X*/*"))
        assert flat(await s.take("late")) == wanted


async def test_a_new_subscription_takes_the_place_of_the_old_one() -> None:
    async with stage(a=ROOM) as s:
        s.hub.subscribe(s.ref("a"), topics("*/*/quote"))
        s.hub.publish(batch(quote()))
        s.hub.subscribe(s.ref("a"), topics("*/*/trade"))
        s.hub.publish(batch(quote(), trade()))
        s.hub.unsubscribe(s.ref("a"))
        s.hub.unsubscribe(s.ref("a"))
        s.hub.publish(batch(trade()))
        assert flat(await s.take("a")) == [quote(), trade()]
        assert s.hub.subscriptions() == ()


async def test_a_feed_that_never_attached_is_distributed_all_the_same() -> None:
    async with stage(a=ROOM, late=ROOM) as s:
        s.hub.subscribe(s.ref("a"), ALL)
        s.hub.publish(batch(quote(feed="ghost")))
        s.hub.subscribe(s.ref("late"), ALL)
        assert flat(await s.take("a")) == [quote(feed="ghost")]
        assert await s.take("late") == []


async def test_an_empty_batch_reaches_nobody() -> None:
    async with stage(a=ROOM) as s:
        s.hub.attach(FakePort())
        s.hub.subscribe(s.ref("a"), ALL)
        s.hub.publish(Batch("sim", IDS, events=[]))
        assert await s.take("a") == []


async def test_a_feed_that_begins_anew_with_other_topics_is_selected_anew() -> None:
    async with stage(a=ROOM) as s:
        s.hub.attach(FakePort(offered=("sim/BTC-USDT/*",)))
        s.hub.subscribe(s.ref("a"), topics("sim/BTC-USDT/*"))
        s.hub.publish(batch(quote()))
        s.hub.attach(FakePort(offered=("sim/*/*",)))
        s.hub.publish(batch(quote(instrument=ETH), trade()))
        assert flat(await s.take("a")) == [quote(), trade()]


# --- single events ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [False, True])
async def test_a_mailbox_that_conflates_gets_single_events_and_keeps_the_latest_quote(columns: bool) -> None:
    async with stage(a=CONFLATING) as s:
        s.hub.subscribe(s.ref("a"), ALL)
        s.hub.publish(batch(quote(1.0, 2.0), quote(5.0, 6.0, ETH), trade(), quote(2.0, 3.0), columns=columns))
        s.hub.publish(batch(quote(1.5, 2.5, feed="other"), quote(3.0, 4.0, feed="other"), columns=columns))
        s.hub.publish(batch(quote(3.0, 4.0), update((9.0, 1.0)), columns=columns))
        stats = s.ref("a").stats()
        assert (stats.received, stats.conflated, stats.queued) == (8, 3, 5)
        assert await s.take("a") == [
            quote(3.0, 4.0),
            quote(5.0, 6.0, ETH),
            trade(),
            quote(3.0, 4.0, feed="other"),
            update((9.0, 1.0)),
        ]


@pytest.mark.parametrize("capacity", [10_000, 45, 20])
@pytest.mark.parametrize("otherwise", [DropOldest(), DropNewest(), Fail()])
async def test_columns_conflate_as_their_events_would_and_are_counted_so(capacity: int, otherwise: Plain) -> None:
    boxes = {name: Mailbox(capacity, Conflate(latest_quote, otherwise=otherwise), batch_rows) for name in ("a", "b")}
    random = Random(capacity)
    for _ in range(20):
        async with stage(boxes) as s:
            stats = list[Any]()
            events = [
                trade(n) if random.random() < 0.3 else quote(n, n + 1.0, random.choice((BTC, ETH))) for n in range(40)
            ]
            for name, columns in (("a", True), ("b", False)):
                taken = s.hub.subscribe(s.ref(name), ALL)
                s.hub.publish(batch(quote(1.0, 2.0)))  # waits already
                s.hub.publish(batch(*events, columns=columns))
                stats.append((attrs.evolve(s.ref(name).stats(), oldest_age_ns=0), taken.refused))
                s.hub.unsubscribe(s.ref(name))
            assert stats[0] == stats[1]
            assert stats[0][0].unaccounted == 0
            assert await s.take("a") == await s.take("b")


@pytest.mark.parametrize("columns", [False, True])
async def test_what_holds_no_quotes_comes_whole_to_who_keeps_the_latest_quote(columns: bool) -> None:
    async with stage(a=CONFLATING, b=Mailbox(99, Conflate(latest_quote, otherwise=DropOldest()))) as s:
        for name in ("a", "b"):
            s.hub.subscribe(s.ref(name), ALL, most_rows=2)
        s.hub.publish(batch(trade(1), trade(2), update((9.0, 1.0)), columns=columns))
        assert [len(piece) for piece in await s.take("a")] == [2, 1]
        assert await s.take("b") == [trade(1), trade(2), update((9.0, 1.0))]  # it did not say that it takes batches


@pytest.mark.parametrize("mailbox", [ROOM, CONFLATING, box(99, Fail())])
async def test_who_listens_only_at_times_is_told_nothing_at_others(mailbox: Mailbox) -> None:
    async with stage(a=mailbox) as s:
        listens = False
        s.hub.subscribe(s.ref("a"), ALL, only_while=lambda: listens)
        s.hub.publish(batch(quote(1.0, 2.0), trade(1)))
        s.hub.mark(LOST)
        listens = True
        s.hub.publish(batch(quote(2.0, 3.0), trade(2)))
        s.hub.mark(LIVE)
        assert flat(await s.take("a")) == [quote(2.0, 3.0), trade(2), LIVE]
        assert s.ref("a").stats().received == 2


async def test_quotes_do_not_conflate_across_a_mark() -> None:
    async with stage(a=CONFLATING) as s:
        s.hub.subscribe(s.ref("a"), ALL)
        s.hub.publish(batch(quote(1.0, 2.0)))
        s.hub.mark(LOST)
        s.hub.mark(LIVE)
        s.hub.publish(batch(quote(2.0, 3.0), quote(3.0, 4.0), columns=True))
        assert await s.take("a") == [quote(1.0, 2.0), LOST, LIVE, quote(3.0, 4.0)]


# --- marks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [False, True])
async def test_marks_stand_in_their_place_for_every_kind_of_subscriber(columns: bool) -> None:
    boxes = {"whole": ROOM, "pieces": ROOM, "single": CONFLATING, "blocking": box(2, Block()), "fail": box(99, Fail())}
    async with stage(boxes) as s:
        for name in boxes:
            most_rows = 1 if name == "pieces" else None
            s.hub.subscribe(s.ref(name), ALL, most_rows, pauses_feed=name == "blocking")
        expected: list[Any] = []
        for number in range(4):
            events = trade(number), trade(number + 0.5)
            s.hub.publish(batch(*events, columns=columns))
            mark = Gap("sim", BTC, "trade", number, number + 1, 0)
            s.hub.mark(mark)
            expected += [*events, mark]
        for name in boxes:
            assert flat(await s.take(name)) == expected, name


@pytest.mark.parametrize(
    ("mark", "asked", "hears"),
    [
        (LOST, "sim/ETH-USDT/bar", True),
        (LOST, "other/*/*", False),
        (GAP, "sim/BTC-USDT/trade", True),
        (GAP, "sim/BTC-USDT/quote", False),
        (GAP, "sim/ETH-USDT/trade", False),
        (Gap("sim", BTC, "of-no-kind-we-know", 1, 2, 0), "sim/BTC-USDT/*", True),
        (Stale("sim", BTC, "silent", 0), "sim/BTC-USDT/book", True),
        (Live("sim", BTC, 0), "sim/ETH-USDT/book", False),
        (InstrumentStatus("sim", BTC, TradingStatus.HALTED, 0, 0), "*/*/status", True),
        (InstrumentStatus("sim", BTC, TradingStatus.HALTED, 0, 0), "sim/BTC-*/trade", True),
        (Skipped(4, frozenset(), "sim"), "sim/BTC-USDT/trade", True),
    ],
)
async def test_a_mark_reaches_those_whom_it_concerns(mark: Mark, asked: str, hears: bool) -> None:
    async with stage(a=ROOM) as s:
        s.hub.subscribe(s.ref("a"), topics(asked))
        s.hub.mark(mark)
        assert await s.take("a") == ([mark] if hears else [])


# --- mailboxes that do not fit ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("overflow", [Block(), Conflate(latest_quote, otherwise=Block())])
async def test_a_mailbox_that_blocks_must_say_that_it_pauses_feeds(overflow: Overflow) -> None:
    async with stage(a=box(10, overflow), b=ROOM) as s:
        with pytest.raises(BadSubscription, match=r"a has a Block mailbox, .* say pauses_feed=True"):
            s.hub.subscribe(s.ref("a"), ALL)
        with pytest.raises(BadSubscription, match="b says pauses_feed, but its mailbox never blocks"):
            s.hub.subscribe(s.ref("b"), ALL, pauses_feed=True)
        assert s.hub.subscriptions() == ()


async def test_a_bad_subscription_leaves_the_former_one_as_it_was() -> None:
    async with stage(a=ROOM) as s:
        former = s.hub.subscribe(s.ref("a"), ALL)
        with pytest.raises(BadSubscription):
            s.hub.subscribe(s.ref("a"), ALL, pauses_feed=True)
        assert s.hub.subscriptions() == (former,)


# --- late joiners ----------------------------------------------------------------------------------------------------


async def test_who_comes_late_is_told_what_still_holds_the_books_and_the_kept_values_in_the_same_call() -> None:
    async with stage(early=ROOM, late=ROOM, keep=["sim/*/quote"]) as s:
        port = FakePort()
        s.hub.attach(port)
        s.hub.subscribe(s.ref("early"), ALL)
        s.hub.mark(LIVE)
        first = update((1.0, 1.0), snapshot=True)
        port.follow(first)
        s.hub.publish(batch(quote(1.0, 2.0), trade(), first))
        s.hub.publish(batch(quote(3.0, 4.0)))
        s.hub.subscribe(s.ref("late"), topics("sim/BTC-USDT/*"))
        assert s.ref("late").stats().items == 2  # within `subscribe`, no turn later
        s.hub.publish(batch(trade(7.0)))
        assert flat(await s.take("late")) == [LIVE, quote(3.0, 4.0), first, trade(7.0)]
        s.hub.subscribe(s.ref("late"), topics("sim/BTC-USDT/trade"))
        assert flat(await s.take("late")) == [LIVE]


async def test_what_is_known_comes_in_pieces_and_waits_like_everything_else() -> None:
    async with stage(pieces=ROOM, single=CONFLATING, blocking=box(2, Block())) as s:
        port = FakePort()
        s.hub.attach(port)
        books = [update((1.0, 1.0), (2.0, 2.0), snapshot=True, instrument=instrument) for instrument in (BTC, ETH)]
        for book in books:
            port.follow(book)
        s.hub.subscribe(s.ref("pieces"), ALL, most_rows=2)
        s.hub.subscribe(s.ref("single"), ALL)
        blocking = s.hub.subscribe(s.ref("blocking"), ALL, pauses_feed=True)
        assert (blocking.waiting, port.paused) == (2, True)
        assert [len(piece) for piece in await s.take("pieces")] == [2, 2]
        assert flat(await s.take("single")) == books
        assert flat(await s.take("blocking")) == books
        assert not port.paused


async def test_resend_book_tells_it_anew_and_then_live() -> None:
    async with stage(a=ROOM, nobody=ROOM, trades=ROOM, tiny=box(1, DropOldest())) as s:
        port = FakePort()
        s.hub.attach(port)
        s.hub.subscribe(s.ref("a"), ALL)
        s.hub.subscribe(s.ref("trades"), topics("sim/*/trade", "other/*/*"))
        s.hub.subscribe(s.ref("tiny"), ALL)
        book = update((1.0, 1.0), (2.0, 1.0), snapshot=True)
        assert not s.hub.resend_book(s.ref("a"), "sim", "BTC-USDT")  # the feed has none
        port.follow(book)
        assert s.hub.resend_book(s.ref("a"), "sim", "BTC-USDT")
        assert not s.hub.resend_book(s.ref("nobody"), "sim", "BTC-USDT")
        assert not s.hub.resend_book(s.ref("trades"), "sim", "BTC-USDT")
        assert not s.hub.resend_book(s.ref("tiny"), "sim", "BTC-USDT")  # it would only be dropped, and asked for again
        assert flat(await s.take("a")) == [book, Live("sim", BTC, 20)]
        assert [await s.take(name) for name in ("nobody", "trades", "tiny")] == [[], [], []]


async def test_a_feed_that_there_is_not_is_named_with_the_nearest_one() -> None:
    async with stage(a=ROOM) as s:
        with pytest.raises(NoSuchFeed, match="there is no feed 'sim'; there is none"):
            s.hub.resend_book(s.ref("a"), "sim", "BTC-USDT")
        s.hub.attach(FakePort("binance"))
        with pytest.raises(NoSuchFeed, match=r"there is no feed 'binanec'; did you mean 'binance'\?"):
            s.hub.resend_book(s.ref("a"), "binanec", "BTC-USDT")
        with pytest.raises(NoSuchFeed, match="there is no feed 'x'; there is binance"):
            s.hub.resend_book(s.ref("a"), "x", "BTC-USDT")


class Asks(Actor[Any]):
    """Within its first message it asks the hub for what `ask` says."""

    def __init__(self, seen: list[Any], ask: list[Any]) -> None:
        self.seen, self.ask = seen, ask

    def on_message(self, message: Any) -> None:
        self.seen.append(message)
        if self.ask:
            self.ask.pop()()


@pytest.mark.parametrize("joins", [False, True])
async def test_what_a_handler_asks_for_within_publish_comes_after_all_of_that_batch(joins: bool) -> None:
    """Where messages are handed off, a handler runs within `publish`; the feed's book has all of the batch by then."""
    hub, port, seen, ask = Hub(IDS), FakePort(), list[Any](), list[Any]()
    spec = ChildSpec("a", lambda: Asks(seen, ask), ROOM, hand_off=True)
    async with System(Supervisor((spec,))) as system:
        await system.ref("a").drain(5.0)
        hub.attach(port)
        hub.subscribe(system.ref("a"), topics("sim/*/book"), most_rows=1)
        updates = [update((float(n + 1), 1.0), snapshot=not n, sequence=n) for n in range(3)]
        for each in updates:
            port.follow(each)
        if joins:
            ask.append(lambda: hub.subscribe(system.ref("a"), ALL))
        else:
            ask.append(lambda: hub.resend_book(system.ref("a"), "sim", "BTC-USDT"))
        system.scheduler.begin_read(False)
        hub.publish(batch(*updates))
        assert len(seen) == 1  # within the call
        system.scheduler.end_read()
        await system.ref("a").drain(5.0)
    told: list[BookUpdate] = [event for event in flat(seen) if isinstance(event, BookUpdate)]
    assert [(each.sequence, each.snapshot) for each in told] == [(0, True), (1, False), (2, False), (2, True)]


# --- what a relay needs ----------------------------------------------------------------------------------------------


async def test_who_subscribes_anew_is_told_only_what_it_asks_to_be_told() -> None:
    async with stage(a=ROOM) as s:
        port = FakePort()
        s.hub.attach(port)
        for instrument in (BTC, ETH):
            port.follow(update((100.0, 1.0), snapshot=True, instrument=instrument))
        s.hub.mark(LIVE)
        s.hub.subscribe(s.ref("a"), topics("sim/*/book"))
        assert len(flat(await s.take("a"))) == 3
        s.hub.subscribe(s.ref("a"), topics("sim/*/book"), tell=topics("sim/ETH-USDT/book"))
        assert [event.instrument for event in flat(await s.take("a"))] == [ETH]
        s.hub.subscribe(s.ref("a"), topics("sim/*/book"), tell=())
        assert await s.take("a") == []
        s.hub.publish(batch(update((99.0, 1.0)), update((99.0, 1.0), instrument=ETH)))
        assert len(flat(await s.take("a"))) == 2


async def test_the_hub_knows_what_its_feeds_offer() -> None:
    async with stage() as s:
        assert s.hub.offers() == ()
        s.hub.attach(FakePort("one", ("one/*/quote",)))
        s.hub.attach(FakePort("two", ("two/A-B/book",)))
        assert s.hub.offers() == topics("one/*/quote", "two/A-B/book")
        assert s.hub.offers() is s.hub.offers()


async def test_one_who_comes_or_goes_leaves_the_selections_of_the_others_as_they_are() -> None:
    async with stage(a=ROOM, b=ROOM) as s:
        s.hub.subscribe(s.ref("a"), topics("sim/*/quote"))
        s.hub.publish(batch(quote()))
        selection = routes(s.hub)[0].selection
        s.hub.subscribe(s.ref("b"), topics("sim/*/trade"))
        s.hub.publish(batch(quote(), trade()))
        assert [route.selection is selection for route in routes(s.hub)] == [True, False]
        s.hub.unsubscribe(s.ref("b"))
        assert [route.selection for route in routes(s.hub)] == [selection]
        assert flat(await s.take("a")) == [quote(), quote()]
        assert flat(await s.take("b")) == [trade()]


def routes(hub: Hub) -> list[Any]:
    return list(vars(hub)["_feeds"]["sim"].routes.by_topics.values())


# --- many who want an instrument each ---------------------------------------------------------------------------------

MANY = [Instrument(f"A{number}-USD", 1_000 + number, Decimal(1), Decimal(1)) for number in range(40)]
EACH = {f"s{number}": ROOM for number in range(40)}


@pytest.fixture
def picks(monkeypatch: pytest.MonkeyPatch) -> list[Selection]:
    asked, pick = list[Selection](), Selection.pick

    def noted(self: Selection, given: Batch) -> Batch | None:
        asked.append(self)
        return pick(self, given)

    monkeypatch.setattr(Selection, "pick", noted)
    return asked


@pytest.mark.parametrize("columns", [False, True])
async def test_of_many_who_want_one_instrument_each_only_those_are_asked_who_get_any(
    columns: bool, picks: list[Selection]
) -> None:
    ids = InstrumentIds()
    async with stage(EACH, ids=ids) as s:
        for number, one in enumerate(MANY):
            s.hub.subscribe(s.ref(f"s{number}"), topics(f"sim/{one.name}/*"))
        for one in MANY:  # later than who asks for them
            ids.adopt(one)
        told: list[Data] = [quote(instrument=MANY[7]), quote(instrument=MANY[3]), quote(99.0, instrument=MANY[7])]
        s.hub.publish(batch(*told, columns=columns, ids=ids))
        assert [picked.names for picked in picks] == [
            frozenset({"A3-USD"}),
            frozenset({"A7-USD"}),
        ]  # in the order of the subscriptions
        for number in range(40):
            assert flat(await s.take(f"s{number}")) == [one for one in told if one.instrument is MANY[number]]


async def test_among_many_who_asks_with_a_star_and_who_comes_later_hear_too() -> None:
    ids = InstrumentIds()
    for one in MANY:
        ids.adopt(one)
    async with stage(EACH | {"star": ROOM, "later": ROOM}, ids=ids) as s:
        for number, one in enumerate(MANY):
            s.hub.subscribe(s.ref(f"s{number}"), topics(f"sim/{one.name}/quote"))
        s.hub.subscribe(s.ref("star"), topics("sim/A1*/*"))
        told = quote(instrument=MANY[11])
        s.hub.publish(batch(told, ids=ids))
        s.hub.subscribe(s.ref("later"), topics("sim/A11-USD/quote", "sim/A3-USD/quote"))
        s.hub.publish(batch(told, ids=ids))
        s.hub.unsubscribe(s.ref("s11"))
        s.hub.publish(batch(told, ids=ids))
        assert [len(flat(await s.take(name))) for name in ("s11", "star", "later", "s3")] == [2, 3, 2, 0]


# --- the freshest quote ----------------------------------------------------------------------------------------------


def at(received_time_ns: int, feed: str = "sim", bid: float = 100.0, ask: float = 101.0) -> Quote:
    return Quote(feed, BTC, bid, 1.0, ask, 1.0, received_time_ns, 0, received_time_ns)


def quoting(*quotes: Quote, columns: bool = False, keep: tuple[str, ...] = ("*/*/quote",)) -> Hub:
    hub = Hub(IDS, topics(*keep))
    for each in quotes:
        hub.publish(batch(*[each] * 40, columns=columns))
    return hub


@pytest.mark.parametrize("columns", [False, True])
def test_the_freshest_quote_of_all_feeds_is_told(columns: bool) -> None:
    assert quoting(columns=columns).last_quote("BTC-USDT") is None
    hub = quoting(at(1), at(5, "b"), at(3, "c"), columns=columns)
    assert hub.last_quote("BTC-USDT") == at(5, "b")
    assert hub.last_quote("ETH-USDT") is None
    hub.publish(batch(at(7)))
    assert hub.last_quote("BTC-USDT") == at(7)


def test_what_was_told_last_is_known_though_its_feed_is_lost() -> None:
    hub = quoting(at(1), at(5, "b"), at(6, "c", bid=102.0))  # crossed
    hub.mark(FeedStatus("b", FeedState.LOST, "the line", 7))
    assert hub.last_quote("BTC-USDT") != at(5, "b")
    assert hub.told_last("BTC-USDT") == at(5, "b")
    assert hub.told_last("ETH-USDT") is None
    assert Hub(IDS).told_last("BTC-USDT") is None


def test_what_one_feed_said_last_is_known_whatever_it_was_and_became_of_it() -> None:
    hub = quoting(at(1), at(5, "b"), at(6, "c", bid=102.0))  # crossed
    hub.mark(FeedStatus("c", FeedState.LOST, "the line", 7))
    assert [hub.last_of(feed, "BTC-USDT") for feed in "bc"] == [at(5, "b"), at(6, "c", bid=102.0)]
    assert (hub.last_of("b", "ETH-USDT"), hub.last_of("nobody", "BTC-USDT")) == (None, None)
    assert quoting(at(1, "b"), keep=("sim/*/quote",)).last_of("b", "BTC-USDT") is None


def test_only_quotes_that_the_hub_keeps_are_told() -> None:
    assert Hub(IDS).last_quote("BTC-USDT") is None
    assert quoting(at(1), keep=("sim/*/trade", "sim/ETH-USDT/*")).last_quote("BTC-USDT") is None
    assert quoting(at(1), at(2, "b"), keep=("sim/*/quote",)).last_quote("BTC-USDT") == at(1)


def test_the_quote_of_a_lost_feed_is_not_told_nor_that_from_before_it_was_lost() -> None:
    hub = quoting(at(5, "b"), at(3, "c"))
    hub.mark(FeedStatus("b", FeedState.LOST, "cut", 6))
    assert hub.last_quote("BTC-USDT") == at(3, "c")
    hub.mark(FeedStatus("b", FeedState.LIVE, "data", 8))
    assert hub.last_quote("BTC-USDT") == at(3, "c")
    hub.publish(batch(at(7, "b")))
    assert hub.last_quote("BTC-USDT") == at(7, "b")


def test_the_quote_of_a_stale_instrument_is_not_told() -> None:
    hub = quoting(at(5, "b"), at(3, "c"))
    hub.mark(Stale("b", BTC, "silent", 6))
    assert hub.last_quote("BTC-USDT") == at(3, "c")
    hub.mark(Live("b", BTC, 7))
    assert hub.last_quote("BTC-USDT") == at(5, "b")


def test_a_crossed_or_one_sided_quote_is_told_only_where_there_is_no_whole_one() -> None:
    for bid, ask in ((101.0, 100.0), (0.0, 100.0), (100.0, 0.0)):
        hub = quoting(at(5, "b", bid, ask), at(3, "c", bid, ask))
        assert hub.last_quote("BTC-USDT") == at(5, "b", bid, ask)
        hub.publish(batch(at(1)))
        assert hub.last_quote("BTC-USDT") == at(1)
