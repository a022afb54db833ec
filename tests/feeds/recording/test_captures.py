"""Lines and pieces of captures."""

import gzip
import io

import pytest
from hypothesis import given, strategies as st

from ticktree.feeds.recording import EntryKind
from ticktree.feeds.recording.captures import Cut, block_of, lines, unpacked


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_lines_come_whole_wherever_the_pieces_end(data: bytes, cuts: list[int]) -> None:
    ends = sorted({*(min(cut, len(data)) for cut in cuts), len(data)})
    pieces = [data[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    assert list(lines(pieces)) == io.BytesIO(data).readlines()


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_several_gzipped_files_in_a_row_are_one(parts: list[bytes]) -> None:
    packed = b"".join(map(gzip.compress, parts))
    assert b"".join(unpacked(io.BytesIO(packed))) == b"".join(parts)


def test_what_unpacks_to_much_more_comes_in_pieces() -> None:
    pieces = list(unpacked(io.BytesIO(gzip.compress(bytes(10_000_000)))))
    assert sum(map(len, pieces)) == 10_000_000
    assert max(map(len, pieces)) <= 256 * 1024


def test_a_line_that_is_cut_off_is_told_with_its_length() -> None:
    packed = gzip.compress(b"whole\n" + bytes(range(256)) * 20, compresslevel=0)
    found = list[bytes]()
    with pytest.raises(Cut) as cut:
        found.extend(lines(unpacked(io.BytesIO(packed[:1_000]))))
    assert cut.value.size > 0


def test_each_kind_of_line_is_understood() -> None:
    told = block_of(b'{"t":1.5,"kind":"received","conn":3,"data":"x"}')
    assert (told.kind, told.time_ns, told.connection, told.parts()) == (EntryKind.RECEIVED, 1_500_000_000, 3, [b"x"])
    asked = block_of(b'{"t":1,"kind":"http","conn":null,"url":"http://a/b","data":"{}"}')
    assert (asked.connection, asked.parts()) == (0, [b"http://a/b", b"{}"])
    assert block_of(b'{"t":1,"kind":"connect","conn":2,"url":"ws://a"}').parts() == [b"ws://a"]


@pytest.mark.parametrize(
    "line", [b"", b"{}", b'{"t":"x","kind":"sent"}', b'{"t":1,"kind":"hole"}', b'{"t":-1,"kind":"sent"}']
)
def test_a_line_of_something_else_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        block_of(line)
