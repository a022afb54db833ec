"""Events: frozen, not the garbage collector's business, and as heavy as they have rows."""

import gc
from typing import get_args

import msgspec
import pytest

from ticktree.market import MARKS, Bar, BookUpdate, Data, Event, FeedState, FeedStatus, Mark, Quote, weight

from .samples import BTC, quote, trade, update


def test_mid_is_half_way() -> None:
    assert quote(bid=100.0, ask=101.0).mid == 100.5


@pytest.mark.parametrize(("bid", "crossed"), [(100.0, False), (101.0, True), (102.0, True)])
def test_a_quote_whose_bid_reaches_the_ask_is_crossed(bid: float, crossed: bool) -> None:
    assert quote(bid=bid, ask=101.0).crossed is crossed


def test_events_are_frozen() -> None:
    with pytest.raises(AttributeError):
        quote().bid = 1.0  # type: ignore[misc]  # the mistake


def test_the_garbage_collector_does_not_look_at_events() -> None:
    for event in (quote(), trade(), update((1.0, 2.0)), FeedStatus("sim", FeedState.LIVE, "", 1)):
        assert not gc.is_tracked(event)


@pytest.mark.parametrize("kind", get_args(Event))
def test_every_event_is_a_frozen_struct(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen
    assert not kind.__struct_config__.gc


def test_a_book_update_weighs_its_levels_and_other_data_one() -> None:
    bar = Bar("sim", BTC, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 1, 2, 3)
    assert [weight(event) for event in (quote(), trade(), bar)] == [1, 1, 1]
    assert weight(update((1.0, 2.0), (3.0, 0.0), asks=((5.0, 1.0),))) == 3


def test_an_event_is_data_or_a_mark() -> None:
    assert set(MARKS) == set(get_args(Mark))
    assert set(get_args(Event)) == {*get_args(Data), *MARKS}
    assert {Quote, BookUpdate} < set(get_args(Data))
