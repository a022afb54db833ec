"""Rows of columns are to a venue what the events are that they stand for."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from random import Random

import attrs
import pytest
from hypothesis import given, settings, strategies as st
from msgspec.structs import replace

from ticktree.market import Batch, BookUpdate, Data, Instrument, InstrumentIds, Quote, Trade, TradingStatus
from ticktree.market.ticks import VECTOR_ROWS, encoded
from ticktree.routing.gateway import VenueRules
from ticktree.routing.orders import OrderState, TimeInForce
from ticktree.routing.reports import Report, ReportKind
from ticktree.routing.venues.simulated import Engine

from .bench import BUY, ONE, SELL, Bench, quote, ticket, trade

INCREMENTS = [Decimal(text) for text in ("1", "0.5", "0.01", "0.3", "0.00001", "10")]
SIZES = (1, 2, VECTOR_ROWS - 1, VECTOR_ROWS, 90, 400)


class Street:
    """A market of some instruments, and what is done at a venue between its batches: all from one seed."""

    def __init__(self, seed: int, sizes: list[int]) -> None:
        self.random, self.sizes = Random(seed), sizes
        self.ids = InstrumentIds()
        self.instruments = [
            self._define(name) for name in ("ONE-USD", "TWO-USD", "SIX-USD")[: self.random.randint(1, 3)]
        ]
        self.mid = dict.fromkeys(self.instruments, 100)
        self.books, self.wild = self.random.random() < 0.2, self.random.choice([0.0, 0.0, 0.05])
        self.time_ns, self.orders = 0, 0

    def _define(self, name: str) -> Instrument:
        price, size = self.random.choice(INCREMENTS), self.random.choice(INCREMENTS)
        return self.ids.adopt(Instrument(name, len(self.ids), price, size))

    def batches(self) -> Iterator[Batch]:
        for size in self.sizes:
            if self.random.random() < self.wild * 4:
                self._redefine()
            yield Batch("sim", self.ids, ticks=encoded([self._event() for _ in range(size)]))

    def _redefine(self) -> None:
        place = self.random.randrange(len(self.instruments))
        former = self.instruments[place]
        if self.random.random() < 0.5:
            status = self.random.choice([TradingStatus.HALTED, TradingStatus.TRADING])
            new = self.ids.adopt(attrs.evolve(former, status=status))
        else:
            new = self._define(former.name)
        self.instruments[place] = new
        self.mid[new] = 100

    def _event(self) -> Data:
        random = self.random
        self.time_ns += random.randrange(5)
        instrument = random.choice(self.instruments)
        self.mid[instrument] = mid = max(2, self.mid[instrument] + random.choice((-1, 0, 0, 0, 1)))
        tick, lot = float(instrument.price_increment), float(instrument.size_increment)
        bid, ask, times = mid * tick, (mid + random.randint(1, 3)) * tick, (self.time_ns, self.time_ns)
        if random.random() < self.wild:
            bid, ask = random.choice([(0.0, ask), (bid, 0.0), (ask, bid), (bid * 1.003, ask)])
        if random.random() < 0.5:
            return Quote("sim", instrument, bid, lot * random.randint(1, 5), ask, lot * random.randint(1, 5), 1, *times)
        if self.books and random.random() < 0.1:
            levels = ((bid, lot),), ((ask, lot), (ask + tick, 0.0))
            return BookUpdate("sim", instrument, *levels, random.random() < 0.3, 1, 1, *times)
        aggressor, price = random.choice([BUY, SELL, None]), random.choice((bid, ask, bid - tick))
        return Trade("sim", instrument, price, lot * random.randint(1, 9), aggressor, 1, *times)


class Venue(Bench):
    """One of two, which are done the same to. Some fills are answered within their report by another order."""

    def __init__(self, street: Street) -> None:
        super().__init__(seed=7)
        self.street, self.answers = street, 0

    def _hear(self, account: str, report: Report) -> None:
        super()._hear(account, report)
        if report.kind is ReportKind.FILL and report.sequence % 3 == 0 and self.answers < 200:
            self.answers += 1
            instrument = self.street.instruments[report.sequence % len(self.street.instruments)]
            side, price = (BUY, -1) if report.sequence % 2 else (SELL, 2)
            order = ticket(f"answer{self.answers}", side, 3, self.street.mid[instrument] + price, instrument=instrument)
            self.submit("d", order, report.time_ns)

    def act(self, random: Random, number: int) -> None:
        """Any of what an account asks."""
        engine, now_ns = self.engine, self.street.time_ns
        instrument = random.choice(self.street.instruments)
        near, size, account = (
            self.street.mid[instrument] + random.randint(-4, 4),
            random.randint(1, 30),
            random.choice("abc"),
        )
        client_id = str(random.randrange(number + 1))
        match random.randrange(6):
            case 0:
                engine.cancel(account, client_id, now_ns)
            case 1:
                engine.replace(account, client_id, size, max(1, near), now_ns)
            case _:
                time = random.choice([TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTD, TimeInForce.IOC])
                expires_ns = now_ns + random.randrange(1, 300) if time is TimeInForce.GTD else 0
                order = ticket(
                    str(number), random.choice([BUY, SELL]), size, max(1, near), time,
                    expires_ns=expires_ns, instrument=instrument,
                )  # fmt: skip
                engine.submit(account, order, now_ns)

    def stands(self) -> object:
        """All that there is to be seen."""
        engine, now_ns, names = self.engine, self.street.time_ns, [one.name for one in self.street.instruments]
        orders = [order for account in "abcd" for order in engine.orders(account).values()]
        return (
            [engine.quote(name, now_ns) for name in names],
            [engine.account_report(account, now_ns) for account in "abcd"],
            [(order.state, order.filled_increments, order.ahead_increments) for order in orders],
            [engine.executions(account) for account in "abcd"],
            self.due_ns(),
        )


@given(st.integers(0, 1 << 32), st.lists(st.sampled_from(SIZES), min_size=1, max_size=6), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_rows_and_events_have_the_same_consequences(seed: int, sizes: list[int], asks: int) -> None:
    street = Street(seed, sizes)
    by_events, by_rows = Venue(street), Venue(street)
    for number, batch in enumerate(street.batches()):
        for event in batch.events:
            by_events.engine.on_market(event)
        by_rows.engine.on_market(Batch(batch.feed, batch.instruments, ticks=batch.ticks))
        assert by_rows.heard == by_events.heard
        assert by_rows.stands() == by_events.stands()
        for ask in range(asks):
            turn = street.random.random()
            for venue in (by_events, by_rows):
                venue.act(Random(turn), number * 4 + ask)
        assert by_rows.stands() == by_events.stands()


class Steady(Street):
    """One whose instruments stay what they are."""

    def _redefine(self) -> None:
        pass


class Quiet(Venue):
    """Nobody answers within a report: what is asked within a batch is answered as at its end."""

    def _hear(self, account: str, report: Report) -> None:
        Bench._hear(self, account, report)


@given(st.integers(0, 1 << 32), st.lists(st.sampled_from(SIZES), min_size=1, max_size=12), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_who_is_told_only_while_it_listens_does_what_it_does_when_it_is_told_all(
    seed: int, sizes: list[int], asks: int
) -> None:
    street = Steady(seed, sizes)
    street.books = False
    told_all, lazy, last, passed = Quiet(street), Quiet(street), dict[str, Quote](), 0
    listens = lazy.engine.look_up(last.get)
    for number, batch in enumerate(street.batches()):
        last.update((event.instrument.name, event) for event in batch.events if isinstance(event, Quote))
        columns = Batch(batch.feed, batch.instruments, ticks=batch.ticks)
        told_all.engine.on_market(columns)
        if listens():
            lazy.engine.on_market(columns)
        else:
            passed += 1
        assert lazy.heard == told_all.heard
        for ask in range(asks):
            turn = street.random.random()
            for venue in (told_all, lazy):
                venue.act(Random(turn), number * 4 + ask)
        assert lazy.heard == told_all.heard
        if street.random.random() < 0.5:
            assert lazy.stands() == told_all.stands()
    assert lazy.stands() == told_all.stands()
    assert passed or asks


def test_it_listens_while_an_order_rests_or_what_was_taken_is_not_yet_shown_anew() -> None:
    bench, last = Bench(), {"ONE-USD": quote((98, 5), (102, 5))}
    listens = bench.engine.look_up(last.get)
    assert not listens()
    bench.rest("a", "1", BUY, 5, 100)
    assert listens()
    bench.engine.cancel("a", "1", 0)
    assert not listens()
    bench.submit("a", ticket("2", BUY, 3, 102))
    assert listens()
    shown = bench.engine.quote(ONE, 0)
    assert shown is not None
    assert shown.asks == ((102, 2),)  # though the same quote could be looked up again
    bench.engine.on_market(quote((98, 5), (102, 5)))
    assert not listens()
    bench.submit("a", ticket("3", BUY, 9, None))
    assert bench.said()[-2:] == ["a 3 5@102", "a 3 canceled"]


class Silent(Batch):
    """Columns that nobody may make events of."""

    @property
    def events(self) -> Sequence[Data]:
        raise AssertionError("events were made")


def told(*events: Data) -> Silent:
    ids = InstrumentIds()
    ids.adopt(ONE)
    return Silent("sim", ids, ticks=encoded(events))


@pytest.mark.parametrize("rows", [1, VECTOR_ROWS, 1_000])
def test_no_event_is_made_of_a_row(rows: int) -> None:
    bench = Bench()
    bench.rest("a", "1", BUY, 5, 100)
    bench.engine.on_market(told(*[quote((98, 5), (102, 5))] * rows, trade(101, 1), quote((98, 3), (103, 2))))
    assert bench.said() == []
    bench.engine.on_market(told(*[quote((98, 5), (102, 5))] * rows, trade(99, 2), quote((97, 3), (100, 2))))
    assert bench.said() == ["a 1 2@100", "a 1 2@100"]
    shown = bench.engine.quote(ONE, 0)
    assert shown is not None
    assert (shown.bids, shown.asks) == (((100, 1), (97, 3)), ())


def test_an_engine_that_looks_at_quotes_itself_is_told_each() -> None:
    class Thin(Engine):
        def on_quote(self, quote: Quote) -> None:
            super().on_quote(replace(quote, ask_size=1.0))

    thin = Thin("thin", VenueRules(), Random(1))
    assert thin.look_up(lambda _: quote(ask=(90, 9)))()  # at any time
    thin.on_market(Batch("sim", told().instruments, ticks=encoded([quote(ask=(100, 9))] * VECTOR_ROWS)))
    shown = thin.quote(ONE, 0)
    assert shown is not None
    assert shown.asks == ((100, 1),)


def test_a_definition_that_changes_within_a_batch_cancels_what_rests_there_and_then() -> None:
    bench = Bench()
    bench.rest("a", "1", BUY, 5, 100)
    ids = InstrumentIds()
    former, new = ids.adopt(ONE), ids.adopt(attrs.evolve(ONE, price_increment=Decimal(2)))
    rows = [quote((98, 5), (100, 2), instrument=former), *[quote((98, 5), (100, 9), instrument=new)] * VECTOR_ROWS]
    bench.engine.on_market(Silent("sim", ids, ticks=encoded(rows)))
    assert bench.said() == ["a 1 2@100", "a 1 canceled"]
    assert bench.state("a", "1") is OrderState.CANCELED
