"""How market data conflates."""

import pytest
from hypothesis import given, strategies as st

from ticktree.market import Batch, Data, Skipped, latest_quote
from ticktree.market.conflation import has_quotes, latest_quotes
from ticktree.market.ticks import encoded

from .samples import BTC, ETH, IDS, quote, quotes, trade, trades, update


def test_quotes_share_a_slot_by_feed_and_instrument() -> None:
    assert latest_quote.key(quote(bid=1.0)) == latest_quote.key(quote(bid=2.0))
    keys = {latest_quote.key(q) for q in (quote(), quote(instrument=ETH), quote(instrument=BTC, feed="other"))}
    assert len(keys) == 3


@pytest.mark.parametrize("message", [trade(), update((1.0, 2.0)), Batch("sim", IDS, events=[quote()]), Skipped(3)])
def test_nothing_else_conflates(message: object) -> None:
    assert latest_quote.key(message) is None


def test_the_newer_quote_stays_and_weighs_one_tick() -> None:
    newer = quote(bid=2.0)
    assert latest_quote.merge(quote(bid=1.0), newer) == (newer, 1)


# --- whole batches ---------------------------------------------------------------------------------------------------


def told(*events: Data, columns: bool) -> Batch:
    return Batch("sim", IDS, ticks=encoded(events)) if columns else Batch("sim", IDS, events=events)


@pytest.mark.parametrize("columns", [False, True])
def test_a_batch_knows_whether_anything_of_it_conflates(columns: bool) -> None:
    assert not has_quotes(told(trade(), update((1.0, 2.0)), columns=columns))
    assert has_quotes(told(trade(), quote(), trade(), columns=columns))


@given(st.lists(quotes | trades, max_size=80))
def test_columns_conflate_as_their_events_would_one_by_one(events: list[Data]) -> None:
    left = dict[object, list[Data]]()  # by slot, at the place of its first
    for number, event in enumerate(events):
        key = latest_quote.key(event)
        left.setdefault(number if key is None else key, []).append(event)
    batch = Batch("sim", IDS, ticks=encoded(events))
    found = latest_quotes(batch)
    assert found is not None
    assert list(found[0]) == [of_slot[-1] for of_slot in left.values()]
    assert list(found[1]) == [len(of_slot) - 1 for of_slot in left.values()]


def test_where_there_are_books_columns_are_left_to_the_events() -> None:
    assert latest_quotes(told(quote(), update((1.0, 2.0), (2.0, 2.0)), columns=True)) is None
