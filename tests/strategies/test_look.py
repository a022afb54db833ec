"""What a strategy may look at: books as it was told them, the freshest quotes, the portfolio; and the halt."""

import asyncio
from decimal import Decimal
from random import Random
from typing import Any

import attrs
import pytest

from ticktree.actors import Conflate, DropNewest, DropOldest, System
from ticktree.app import App, SimulatedPart, assemble
from ticktree.market import (
    Batch,
    BookUpdate,
    FeedState,
    FeedStatus,
    Gap,
    Live,
    Mark,
    OrderBook,
    Quote,
    Skipped,
    Stale,
    latest_quote,
)
from ticktree.routing import Fill
from ticktree.strategies import NoBook, NotAtDesk, Strategy

from ..distribution.support import batch, update
from ..market.samples import BTC, ETH, quote
from .test_orders import until
from .test_strategy_batches import DEADLINE_S, Follower, following, publish, turns

SIM = ("sim",)


class Looker(Follower):
    """Looks at the book with every quote, and writes down what it saw."""

    def on_live(self, live: Live) -> None:
        """Not written down."""

    def on_skipped(self, skipped: Skipped) -> None:
        """Nor this."""

    def on_start(self) -> None:
        self.ask_for_books(lambda feed, instrument: self.hub.resend_book(self.ref, feed, instrument), lambda _: SIM)

    def on_book(self, update: BookUpdate) -> None:
        """Follows books besides."""

    def on_quote(self, quote: Quote) -> None:
        book = self.book(quote.instrument)
        self.told.append(None if book is None else (book.sequence, len(book)))


class OnlyLooker(Looker):
    """The same, without `on_book`."""

    on_book = Strategy.on_book  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # as if it were not


async def look(hub: Any, ref: Any) -> None:
    hub.publish(batch(quote()))
    await ref.drain(DEADLINE_S)


@pytest.mark.parametrize("base", [Looker, OnlyLooker])
@pytest.mark.parametrize("columns", [False, True])
async def test_a_book_is_told_anew_at_the_first_look_and_followed_from_there(base: Any, columns: bool) -> None:
    async with following(1_000, base) as (told, hub, port, ref):
        publish(hub, port, 1, 2, columns=columns)
        await look(hub, ref)
        await look(hub, ref)
        publish(hub, port, 3, columns=columns)
        await look(hub, ref)
        assert told == [None, (2, 2), (3, 3)]  # its snapshot came before anybody looked: it is told anew


async def test_within_a_batch_it_is_as_of_that_place() -> None:
    async with following(1_000, OnlyLooker) as (told, hub, _, ref):
        await look(hub, ref)
        changes = [update((100.0 + n, 1.0), snapshot=n == 1, sequence=n) for n in (1, 2, 3)]
        hub.publish(batch(changes[0], quote(), changes[1], quote(), quote(instrument=ETH), changes[2]))
        await ref.drain(DEADLINE_S)
        await look(hub, ref)
        assert told == [None, (1, 1), (2, 2), None, (3, 3)]


async def test_who_first_looks_within_a_batch_misses_nothing_that_comes_in_it() -> None:
    async with following(1_000, OnlyLooker) as (told, hub, _, ref):
        hub.publish(batch(quote(), update((1.0, 1.0), snapshot=True, sequence=4), quote()))
        await ref.drain(DEADLINE_S)
        assert told == [None, (4, 1)]


DOUBTS: list[Mark] = [
    Stale("sim", BTC, "a gap", 0),
    Gap("sim", BTC, "book", 1, 2, 0),
    FeedStatus("sim", FeedState.LOST, "cut", 0),
]
NO_DOUBTS: list[Mark] = [
    Stale("sim", ETH, "a gap", 0),
    Stale("other", BTC, "a gap", 0),
    Gap("sim", BTC, "trade", 1, 2, 0),
    FeedStatus("other", FeedState.LOST, "cut", 0),
    FeedStatus("sim", FeedState.LIVE, "", 0),
]


@pytest.mark.parametrize("mark", [*DOUBTS, *NO_DOUBTS], ids=repr)
async def test_it_is_none_from_a_mark_that_doubts_it_until_live(mark: Mark) -> None:
    async with following(1_000, OnlyLooker) as (told, hub, port, ref):
        publish(hub, port, 1)
        await look(hub, ref)
        await turns(lambda: not ref.waits)
        hub.mark(mark)
        await look(hub, ref)
        assert told == [None, None if mark in DOUBTS else (1, 1)]
        publish(hub, port, 2)
        await look(hub, ref)
        assert told[2:] == [None if mark in DOUBTS else (2, 2)]
        hub.mark(Live("sim", BTC, 0))
        await look(hub, ref)
        assert told[3:] == [(2, 2)]


async def test_a_book_that_its_feed_has_not_yet_begins_with_the_feed_s_own_snapshot() -> None:
    async with following(1_000, OnlyLooker) as (told, hub, port, ref):
        await look(hub, ref)
        publish(hub, port, 1)
        await look(hub, ref)
        assert told == [None, (1, 1)]


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_lost_a_book_is_right_or_none_and_right_in_the_end(seed: int) -> None:
    random = Random(seed)

    class Lossy(Looker):
        def on_quote(self, quote: Quote) -> None:
            self.told.append({one.name: content(self.book(one)) for one in (BTC, ETH)})

    if seed % 2:  # it has no `on_book`
        Lossy.on_book = Strategy.on_book  # type: ignore[assignment, method-assign]  # pyright: ignore[reportAttributeAccessIssue]  # of that name
    overflow = random.choice((DropOldest(), DropNewest(), Conflate(latest_quote, otherwise=DropOldest())))
    async with following(25, Lossy, overflow) as (told, hub, port, ref):
        right: dict[str, dict[int, Any]] = {BTC.name: {}, ETH.name: {}}
        for _ in range(300):
            instrument = random.choice((BTC, ETH))
            number = port.last(instrument.name) + 1
            sides = [(float(random.randrange(4)), float(random.randrange(3))) for _ in range(random.randrange(1, 6))]
            change = update(*sides, (9.0, 1.0), snapshot=number == 1, sequence=number, instrument=instrument)
            port.follow(change)
            state = port.book(instrument.name)
            assert state is not None
            right[instrument.name][number] = sorted(state.bids)
            hub.publish(batch(change, columns=random.random() < 0.5))
            hub.publish(batch(quote()))
            if random.random() < 0.1:
                await asyncio.sleep(0)
        assert ref.stats().dropped.overflow > 0
        last = {name: (port.last(name), right[name][port.last(name)]) for name in right}

        def settled() -> bool:
            hub.publish(batch(quote()))
            return bool(told) and told[-1] == last

        await turns(settled)
        for seen_at_once in told:
            for name, seen in seen_at_once.items():
                assert seen is None or right[name][seen[0]] == seen[1]


def content(book: OrderBook | None) -> tuple[int, Any] | None:
    return None if book is None else (book.sequence, sorted(book.top(len(book))[0]))


# --- which book ------------------------------------------------------------------------------------------------------


def two_feeds(strategy: type[Strategy]) -> App:
    app = App.simulated(strategy)
    return attrs.evolve(app, feeds=(*app.feeds, SimulatedPart("second")))


@pytest.mark.parametrize(
    ("topics", "instrument", "feed", "said"),
    [
        (
            "*/*/quote",
            "BTC-USDT",
            None,
            'by nobody: it needs a topic as "*/BTC-USDT/book", and a feed whose kinds have',
        ),
        ("*/*/book", "XYZ-USDT", None, "Wrong is told the book of XYZ-USDT by nobody"),
        (
            "*/*/book",
            "BTC-USDT",
            None,
            "by simulated, second: say whose, as in self.book(instrument, feed='simulated')",
        ),
        ("*/*/book", "BTC-USDT", "secnd", "by simulated, second, not by 'secnd'; did you mean 'second'"),
        ("second/*/book", "BTC-USDT", "simulated", "by second, not by 'simulated'"),
    ],
)
async def test_a_book_that_cannot_be_meant_is_refused_with_what_to_write(
    topics: str, instrument: str, feed: str | None, said: str
) -> None:
    errors = asyncio.Queue[Exception]()

    class Wrong(Strategy):
        def on_start(self) -> None:
            with pytest.raises(NoBook) as caught:
                self.book(instrument, feed)
            errors.put_nowait(caught.value)

    Wrong.topics = (topics,)
    async with System(assemble(two_feeds(Wrong)).tree):
        assert said in str(errors.get_nowait())


async def test_of_several_feeds_it_is_the_one_that_is_named() -> None:
    seen = asyncio.Queue[Any]()

    class Both(Strategy):
        topics = ("*/BTC-USDT/*",)

        def on_quote(self, quote: Quote) -> None:
            books = [self.book("BTC-USDT", feed) for feed in ("simulated", "second")]
            if all(books) and seen.empty():
                assert None not in books
                assert books[0] is self.book(quote.instrument, "simulated") is not books[1]
                seen.put_nowait(books)

    async with System(assemble(two_feeds(Both)).tree):
        async with asyncio.timeout(DEADLINE_S):
            await seen.get()


def test_who_takes_columns_or_runs_nowhere_has_no_book() -> None:
    class Columns(Strategy):
        def on_batch(self, batch: Batch) -> None:
            """Takes them."""

    with pytest.raises(NoBook, match="Columns overrides on_batch, and takes books as rows: build them there"):
        Columns().book(BTC)
    watcher = Watcher()
    for act in (lambda: watcher.book(BTC), lambda: watcher.last(BTC), watcher.portfolio, lambda: watcher.halted):
        with pytest.raises(NotAtDesk, match="Watcher"):
            act()


# --- prices, the portfolio, the halt ---------------------------------------------------------------------------------


class Watcher(Strategy):
    """Trades once, and has no topic of quotes."""

    topics = ("*/BTC-USDT/trade", "*/BTC-USDT/book")


async def test_the_book_the_last_quote_and_the_portfolio_agree_in_a_running_system() -> None:
    seen = asyncio.Queue[Any]()

    class Once(Watcher):
        def on_start(self) -> None:
            assert self.last("BTC-USDT") is None
            assert self.book("BTC-USDT") is None

        def on_book(self, update: BookUpdate) -> None:
            book, last = self.book(update.instrument), self.last(update.instrument)
            assert book is not None
            assert (book.sequence, book.crossed) == (update.sequence, False)
            if last is not None and not self.exposure(update.instrument):
                assert last == self.last("BTC-USDT")
                self.buy(update.instrument, "0.01")

        def on_fill(self, fill: Fill) -> None:
            seen.put_nowait((fill, self.portfolio()))

    async with System(assemble(App.simulated(Once)).tree):
        async with asyncio.timeout(DEADLINE_S):
            fill, portfolio = await seen.get()
    (holding,) = portfolio.holdings
    assert (holding.strategy, holding.instrument, holding.quantity) == ("once", "BTC-USDT", Decimal("0.01"))
    assert (holding.average_price, list(portfolio.currencies)) == (fill.price, ["USDT"])


async def test_a_strategy_s_halt_is_the_operator_s_and_names_who_said_it() -> None:
    seen = asyncio.Queue[Any]()

    class Halts(Strategy):
        topics = ("*/BTC-USDT/quote",)

        async def on_quote(self, quote: Quote) -> None:
            if not self.halted:
                self.halt("enough")
                refused = await self.buy(quote.instrument, "0.01").final()
                seen.put_nowait((self.halted, refused.refusal))

    assembly = assemble(App.simulated(Halts))
    async with System(assembly.tree):
        async with asyncio.timeout(DEADLINE_S):
            halted, refusal = await seen.get()
        await until(lambda: not assembly.office.ledger.open_orders)
        assert assembly.office.ledger.halted == halted == "halts: enough"
        assert (refusal.limit, refusal.because) == ("halted", "halts: enough")
