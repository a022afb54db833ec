"""Several files as one stream: as if all their rows had been sorted by (time, file, place in the file)."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from hypothesis import given, strategies as st

from ticktree.feeds.files import Run, merged
from ticktree.market import Ticks

from .made import all_of, trades

FILES = st.lists(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), max_size=4), min_size=1, max_size=4)


def run_of(file: int, steps: list[list[int]], early_ns: int = 0) -> tuple[Run, list[Ticks]]:
    """Chunks of whole instants; a row tells its file by its id and its place by its size."""
    chunks, time_ns, place = list[Ticks](), 0, 0
    for chunk in steps:
        times = [time_ns := time_ns + step + (number == 0) for number, step in enumerate(chunk)]
        rows = trades(*times, id=file)
        rows["b"] = np.arange(place, place + len(rows))
        place += len(rows)
        chunks.append(rows)
    first_ns = int(chunks[0]["received_time_ns"][0]) if chunks else 0
    return Run(first_ns - early_ns, lambda: iter(chunks)), chunks


@given(FILES, st.integers(0, 3))
def test_merged_is_sorted_by_time_file_and_place(files: list[list[list[int]]], early_ns: int) -> None:
    runs = [run_of(file, steps, early_ns) for file, steps in enumerate(files)]
    rows = [row for _, chunks in runs for chunk in chunks for row in chunk.tolist()]
    found = list(merged([run for run, _ in runs]))
    assert all_of(found).tolist() == sorted(rows, key=lambda row: (row[6], row[0], row[8]))
    assert all(len(chunk) for chunk in found)


@given(FILES)
def test_no_instant_is_in_two_chunks(files: list[list[list[int]]]) -> None:
    found = list(merged([run_of(file, steps)[0] for file, steps in enumerate(files)]))
    ends = [(chunk["received_time_ns"][0], chunk["received_time_ns"][-1]) for chunk in found]
    assert all(last < first for (_, last), (first, _) in pairwise(ends))


def test_a_file_is_opened_when_its_time_has_come() -> None:
    opened = list[int]()

    def run(first_ns: int) -> Run:
        def chunks() -> Iterator[Ticks]:
            opened.append(first_ns)
            yield trades(first_ns, first_ns + 1)
            yield trades(first_ns + 2, first_ns + 3)

        return Run(first_ns, chunks)

    seen = [(int(chunk["received_time_ns"][0]), tuple(opened)) for chunk in merged([run(20), run(0), run(10)])]
    assert seen == [(0, (0,)), (2, (0,)), (10, (0, 10)), (12, (0, 10)), (20, (0, 10, 20)), (22, (0, 10, 20))]


def test_one_file_alone_is_not_copied() -> None:
    rows = trades(1, 2)
    (chunk,) = merged([Run(1, lambda: [rows])])
    assert chunk is rows
