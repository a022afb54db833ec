"""What some topics select of one feed."""

from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from ticktree.distribution.selection import KINDS, Selection
from ticktree.market import Data, Instrument, InstrumentIds, Topic

from ..market.samples import BTC, ETH, IDS, data_events, quote, trade
from .support import batch, topics, update


def selection(*asked: str, offered: tuple[str, ...] = ()) -> Selection:
    return Selection("sim", frozenset(topics(*asked)), topics(*offered), IDS)


@pytest.mark.parametrize(
    ("asked", "offered", "everything"),
    [
        (("*/*/*",), ("sim/*/*",), True),
        (("sim/*/quote",), ("sim/BTC-USDT/quote", "sim/ETH-USDT/quote"), True),
        (("sim/BTC-*/*",), ("sim/BTC-USDT/quote", "sim/BTC-EUR/trade"), True),
        (("sim/*/quote", "sim/*/trade"), ("sim/*/quote", "sim/*/trade", "sim/*/status"), True),
        (("sim/BTC-USDT/*", "sim/ETH-USDT/*"), ("sim/BTC-USDT/book", "sim/ETH-USDT/book"), True),
        (("sim/BTC-*/*",), ("sim/*/quote",), False),
        (("sim/*/quote",), ("sim/*/*",), False),
        (("sim/*/quote",), ("sim/*/quote", "sim/ETH-USDT/trade"), False),
        (("sim/*/*",), ("sim/*/status",), False),
        (("sim/*/*",), (), False),  # nobody said what it brings
    ],
)
def test_everything_is_known_from_what_the_feed_offers(
    asked: tuple[str, ...], offered: tuple[str, ...], everything: bool
) -> None:
    assert selection(*asked, offered=offered).everything is everything


@given(
    st.lists(data_events, min_size=1, max_size=40),
    st.lists(st.sampled_from(["*/*/*", "sim/BTC-*/quote", "*/*/book", "sim/ETH-USDT/*", "*/*/trade"]), max_size=3),
)
def test_rows_are_picked_as_events_are(events: list[Data], asked: list[str]) -> None:
    wanted = [
        event
        for event in events
        if any(topic.matches("sim", event.instrument.name, KINDS[type(event)]) for topic in topics(*asked))
    ]
    for columns in (False, True):
        whole = batch(*events, columns=columns)
        picked = selection(*asked).pick(whole)
        if len(wanted) == len(events):
            assert picked is whole
        elif not wanted:
            assert picked is None
        else:
            assert picked is not None
            assert picked.columnar is columns
            assert list(picked.events) == wanted


def test_one_table_of_places_serves_many_selections() -> None:
    placed = batch(quote(), trade(), update((1.0, 1.0)), quote(instrument=ETH), columns=True)
    places = placed.places
    picked = [selection(asked).pick(placed) for asked in ("*/*/quote", "*/BTC-USDT/*", "*/*/book", "x/*/*")]
    assert [0 if each is None else len(each) for each in picked] == [2, 3, 1, 0]
    assert placed.places is places


def test_an_id_that_nobody_knows_is_not_selected() -> None:
    ids = InstrumentIds()
    known = ids.adopt(Instrument("A-USD", 3, Decimal(1), Decimal(1)))
    stranger = Instrument("A-USD", 900_000, Decimal(1), Decimal(1))
    events = quote(instrument=known), quote(instrument=stranger)
    picked = Selection("sim", frozenset([Topic("sim", "*", "*")]), (), ids).pick(batch(*events, columns=True, ids=ids))
    assert picked is not None
    assert list(picked.events) == [events[0]]


def test_instruments_are_matched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def matches_instrument(self: Topic, instrument: str) -> bool:
        asked.append(instrument)
        return False

    monkeypatch.setattr(Topic, "matches_instrument", matches_instrument)
    made = selection("sim/*/quote")
    for _ in range(3):
        made.pick(batch(quote(), trade(), quote(instrument=ETH), columns=True))
        made.pick(batch(quote(), trade(), quote(instrument=ETH)))
    assert len(asked) == len(set(asked)) <= len(IDS.by_id)
    assert {BTC.name, ETH.name} <= set(asked)
