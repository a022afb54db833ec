"""Batches cut from a chunk are what batches of the same rows would be."""

from collections import Counter

from hypothesis import given, strategies as st

from ticktree.feeds.files.chunk import Chunk
from ticktree.market import Batch, InstrumentIds
from ticktree.market.ticks import events

from .made import BOOK, BTC, BUY, ETH, LAST, QUOTE, SELL, TRADE, row, ticks

IDS = InstrumentIds()
IDS.adopt(BTC)
IDS.adopt(ETH)

ONE = st.tuples(st.sampled_from([TRADE, QUOTE, BOOK]), st.integers(0, 1), st.integers(0, 1), st.integers(1, 3))


def chunk_of(shapes: list[tuple[int, int, int, int]]) -> Chunk:
    rows, time_ns = list[tuple[int, ...]](), 0
    for kind, id, step, levels in shapes:
        time_ns += step
        if kind == BOOK:
            rows += [row(BOOK, time_ns, 5.0, 1.0, id=id, flags=BUY) for _ in range(levels - 1)]
            rows.append(row(BOOK, time_ns, 6.0, 1.0, id=id, flags=SELL | LAST))
        else:
            rows.append(row(kind, time_ns, 5.0, 1.0, 6.0, 1.0, id=id))
    return Chunk("f", IDS, ticks(rows))


@given(st.lists(ONE, min_size=1, max_size=20))
def test_pieces_have_the_rows_events_and_counts_of_their_rows(shapes: list[tuple[int, int, int, int]]) -> None:
    chunk = chunk_of(shapes)
    start, counts = 0, Counter[str]()
    for end, time_ns in zip(chunk.ends, chunk.times_ns, strict=True):
        piece, plain = chunk.batch(start, end), Batch("f", IDS, ticks=chunk.ticks[start:end])
        assert set(piece.ticks["received_time_ns"].tolist()) == {time_ns}
        assert piece.ticks.tobytes() == plain.ticks.tobytes()
        assert piece.events == events(chunk.ticks[start:end], IDS.by_id, "f")
        assert piece.books() == plain.books()
        assert piece.places.tolist() == plain.places.tolist()
        assert chunk.has_books(start, end) == bool(plain.books())
        assert piece.columnar
        chunk.count(counts, start, end)
        start = end
    assert start == len(chunk.ticks)
    kinds = chunk.ticks["kind"].tolist()
    assert +counts == +Counter(trade=kinds.count(TRADE), quote=kinds.count(QUOTE), book=kinds.count(BOOK))


def test_events_are_made_once_for_all_pieces() -> None:
    chunk = chunk_of([(TRADE, 0, 1, 1), (QUOTE, 0, 1, 1)])
    assert chunk.batch(0, 1).events[0] is chunk.batch(0, 2).events[0]


def test_the_first_instant_that_is_not_before_a_time_is_found() -> None:
    chunk = chunk_of([(TRADE, 0, 1, 1)] * 5)
    assert [chunk.before(limit, 0) for limit in (0, 1, 2, 6)] == [0, 0, 1, 5]
    assert chunk.before(0, 3) == 3
