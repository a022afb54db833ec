"""Where the book updates of a table end, held against the rule as one would say it."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from hypothesis import given, strategies as st

from ticktree.feeds.files.rows import end_updates
from ticktree.feeds.updates import check_runs
from ticktree.market.ticks import heads

from .made import BOOK, BUY, LAST, SNAPSHOT, TRADE, row, ticks

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([BOOK, BOOK, BOOK, TRADE]), st.integers(0, 2), st.booleans()),
    min_size=1,
    max_size=25,
)


def by_rule(rows: Iterable[tuple[Any, ...]]) -> list[tuple[int, bool]]:
    """(number, whether it ends an update) of each row, in the order they are to be told in."""
    told = list[tuple[int, bool]]()
    for _, instant in groupby(rows, key=lambda one: one[5]):
        groups: dict[object, list[tuple[Any, ...]]] = {}
        for number, one in enumerate(instant):
            groups.setdefault(one[0] if one[1] == BOOK else (number, "alone"), []).append(one)
        for group in groups.values():
            for place, one in enumerate(group):
                following = group[place + 1] if place + 1 < len(group) else None
                ends = following is None or (following[2] & SNAPSHOT) != (one[2] & SNAPSHOT)
                told.append((int(one[8]), ends))
    return told


@given(ROWS)
def test_rows_of_one_book_and_time_are_one_update(shapes: list[tuple[int, int, int, bool]]) -> None:
    rows, time_ns = list[tuple[Any, ...]](), 0
    for number, (step, kind, id, snapshot) in enumerate(shapes):
        time_ns += step
        flags = LAST if kind == TRADE else BUY | (SNAPSHOT if snapshot else 0)
        rows.append(row(kind, time_ns, 1.0, float(number), id=id, flags=flags))
    told = end_updates(ticks(rows))
    check_runs(heads(told), "f")
    assert [(int(one["b"]), bool(one["flags"] & LAST)) for one in told] == by_rule(rows)
