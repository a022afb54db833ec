"""What who comes late is told of one feed."""

from decimal import Decimal
from random import Random

import pytest

from ticktree.distribution.last import LastMarks, LastValues
from ticktree.distribution.selection import Selection
from ticktree.market import (
    Bar,
    Data,
    Event,
    FeedState,
    FeedStatus,
    Gap,
    Instrument,
    InstrumentIds,
    InstrumentStatus,
    Live,
    Mark,
    Quote,
    Stale,
    Trade,
    TradingStatus,
)

from ..market.samples import BTC, ETH, IDS, quote, trade
from .support import batch, topics, update

ALL = Selection("sim", frozenset(topics("*/*/*")), (), IDS)


def last_values(*kept: str, ids: InstrumentIds = IDS) -> LastValues:
    return LastValues(Selection("sim", frozenset(topics(*kept)), (), ids), ids)


@pytest.mark.parametrize("columns", [False, True])
def test_the_last_of_each_stream_is_kept(columns: bool) -> None:
    last = last_values("sim/*/*")
    assert last.wanted(ALL) == []
    for events in (
        [quote(1.0), quote(2.0), trade(1.0), quote(3.0), update((1.0, 1.0), snapshot=True)],
        [quote(4.0, instrument=ETH), trade(2.0), update((1.0, 1.0))],
        [update((1.0, 1.0))],
    ):
        last.keep(batch(*events, columns=columns))
    assert sorted(map(repr, last.wanted(ALL))) == sorted(
        map(repr, [quote(3.0), quote(4.0, instrument=ETH), trade(2.0)])
    )


@pytest.mark.parametrize("columns", [False, True])
def test_only_what_is_asked_for_is_kept_and_only_what_is_selected_is_told(columns: bool) -> None:
    last = last_values("sim/BTC-USDT/*", "sim/*/trade")
    last.keep(batch(quote(), trade(), quote(instrument=ETH), columns=columns))
    assert last.wanted(ALL) == [quote(), trade()] or last.wanted(ALL) == [trade(), quote()]
    assert last.wanted(Selection("sim", frozenset(topics("sim/*/trade")), (), IDS)) == [trade()]
    assert last.wanted(Selection("sim", frozenset(topics("sim/ETH-USDT/*")), (), IDS)) == []


def test_bars_and_books_are_not_kept() -> None:
    last = last_values("sim/*/*")
    last.keep(batch(Bar("sim", BTC, 1.0, 2.0, 0.5, 1.5, 3.0, 4.0, 5, 0, 60, 61), update((1.0, 1.0))))
    assert last.wanted(ALL) == []


def test_instruments_that_come_to_be_known_and_definitions_that_change() -> None:
    ids, last, kept = InstrumentIds(), None, list[Data]()
    last = last_values("sim/*/*", ids=ids)
    for number in range(50):
        made = ids.adopt(Instrument(f"X{number}-USD", (number * 37) % 1_000, Decimal(1), Decimal(1)))
        kept.append(quote(float(number), number + 1.0, made))
        last.keep(batch(kept[-1], columns=True, ids=ids))
    assert {value.instrument.name: value for value in last.wanted(ALL)} == {each.instrument.name: each for each in kept}
    changed = ids.adopt(Instrument("X0-USD", 0, Decimal("0.5"), Decimal(1)))
    assert changed.id != kept[0].instrument.id
    newer = Quote("sim", changed, 7.0, 1.0, 8.0, 1.0, 99, 99, 99)
    last.keep(batch(newer, columns=True, ids=ids))
    assert [value for value in last.wanted(ALL) if value.instrument.name == "X0-USD"] == [newer]


@pytest.mark.parametrize("seed", range(5))
def test_the_newest_is_told_whatever_it_came_as(seed: int) -> None:
    random, last = Random(seed), last_values("sim/*/*")
    newest: dict[tuple[type, str], Event] = {}
    for number in range(200):
        events: list[Data] = []
        for _ in range(random.choice((1, 3, 100))):
            instrument = random.choice((BTC, ETH))
            if random.random() < 0.5:
                events.append(Quote("sim", instrument, 1.0, 1.0, 2.0, random.random(), number, number, number))
            else:
                events.append(Trade("sim", instrument, 1.0, random.random(), None, number, number, number))
            newest[type(events[-1]), instrument.name] = events[-1]
        last.keep(batch(*events, columns=random.random() < 0.5))
        assert {(type(each), each.instrument.name): each for each in last.wanted(ALL)} == newest


@pytest.mark.parametrize("instruments", [3, 40, 500])
def test_the_last_of_each_stream_is_kept_whether_there_are_more_streams_than_rows_or_fewer(instruments: int) -> None:
    random, ids, newest = Random(instruments), InstrumentIds(), dict[str, Data]()
    known = [ids.adopt(Instrument(f"X{n}-USD", n, Decimal(1), Decimal(1))) for n in range(instruments)]
    last = last_values("sim/*/quote", ids=ids)
    for rows in (32, 100, 35, 300):
        events = [quote(random.random(), 2.0, random.choice(known)) for _ in range(rows)]
        newest.update({event.instrument.name: event for event in events})
        last.keep(batch(*events, trade(), columns=True, ids=ids))
        told = last.wanted(Selection("sim", frozenset(topics("*/*/*")), (), ids))
        assert {value.instrument.name: value for value in told} == newest


def test_marks_are_kept_while_they_hold() -> None:
    lost, live = (FeedStatus("sim", state, "", 0) for state in (FeedState.LOST, FeedState.LIVE))
    halted = InstrumentStatus("sim", BTC, TradingStatus.HALTED, 0, 0)
    stale, other = Stale("sim", BTC, "", 0), Stale("sim", ETH, "", 0)
    marks = LastMarks()

    def told(*more: Mark) -> list[Mark]:
        for mark in more:
            marks.keep(mark)
        return marks.wanted(ALL)

    assert told(live, Gap("sim", BTC, "trade", 1, 2, 0)) == [live]
    assert told(stale, other, halted) == [live, stale, other, halted]
    assert marks.wanted(Selection("sim", frozenset(topics("sim/ETH-USDT/quote")), (), IDS)) == [live, other]
    assert told(Live("sim", BTC, 0)) == [live, other, halted]
    assert told(lost) == [lost, halted] or told(lost) == [halted, lost]


@pytest.mark.parametrize("seed", range(5))
def test_the_last_quote_of_an_instrument_is_looked_up_whatever_it_came_as(seed: int) -> None:
    random, last = Random(seed), last_values("sim/BTC-*/*", "sim/ETH-*/trade")
    newest: Quote | None = None
    assert last.quote("BTC-USDT") is None
    for number in range(200):
        events: list[Data] = [trade(float(number))]
        for _ in range(random.choice((0, 1, 3, 100))):
            newest = Quote("sim", BTC, 1.0, 1.0, 2.0, random.random(), number, number, number)
            events += [newest, Quote("sim", ETH, 9.0, 1.0, 10.0, 1.0, number, number, number)]
        last.keep(batch(*events, columns=random.random() < 0.5))
        assert last.quote("BTC-USDT") == newest
        assert last.quote("ETH-USDT") is None
        assert last.quote("XRP-USDT") is None


def test_a_quote_holds_while_its_feed_is_not_lost_and_it_is_not_stale() -> None:
    marks, early = LastMarks(), Quote("sim", BTC, 1.0, 1.0, 2.0, 1.0, 1, 1, 10)
    late = Quote("sim", BTC, 1.0, 1.0, 2.0, 1.0, 2, 2, 30)
    assert marks.vouch(early)
    marks.keep(Stale("sim", ETH, "", 15))
    assert marks.vouch(early)
    marks.keep(Stale("sim", BTC, "", 15))
    assert not marks.vouch(early)
    marks.keep(Live("sim", BTC, 16))
    assert marks.vouch(early)
    marks.keep(FeedStatus("sim", FeedState.LOST, "cut", 20))
    assert not marks.vouch(early)
    marks.keep(FeedStatus("sim", FeedState.LIVE, "data", 29))
    assert not marks.vouch(early)  # nothing newer came yet
    assert marks.vouch(late)
