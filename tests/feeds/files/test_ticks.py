"""Reading back what was written; whatever is cut off or wrong has a name."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ticktree.feeds.files import (
    BadRow,
    DamagedFile,
    EmptyFile,
    FileError,
    FileTaken,
    ForeignFile,
    NewerFile,
    NoFile,
    NoInstrument,
    Unsorted,
    instruments_of,
    looked_at,
    write_ticks,
)
from ticktree.feeds.files.looking import wanted_of
from ticktree.feeds.files.order import ROWS
from ticktree.market import Ticks, Topic

from .made import (
    BEGAN_NS,
    BOOK,
    BTC,
    BUY,
    ETH,
    KNOWN,
    LAST,
    QUOTE,
    SELL,
    SNAPSHOT,
    TRADE,
    all_of,
    chunks_of,
    read,
    row,
    ticks,
    trades,
)


def written(path: Path, *chunks: Ticks) -> Path:
    write_ticks(path, "f", [BTC, ETH], chunks)
    return path


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Rows of one or two instruments, several at a time."""
    rows, time_ns = list[tuple[Any, ...]](), BEGAN_NS
    for _ in range(draw(st.integers(1, 12))):
        time_ns += draw(st.sampled_from([0, 0, 1, 1_000_000]))
        id, price = draw(st.integers(0, 1)), draw(st.floats(0.01, 1e9))
        match draw(st.sampled_from([TRADE, QUOTE, BOOK])):
            case 1:
                rows.append(row(TRADE, time_ns, price, 1.0, id=id, flags=LAST | draw(st.integers(0, 2))))
            case 2:
                rows.append(row(QUOTE, time_ns, price, 1.0, price + 1, 2.0, id=id))
            case _:
                snapshot = draw(st.sampled_from([0, SNAPSHOT]))
                sides = draw(st.lists(st.sampled_from([BUY, SELL]), min_size=1, max_size=4))
                levels = [row(BOOK, time_ns, price, 1.0, id=id, flags=side | snapshot) for side in sides]
                id_, kind, flags, *rest = levels[-1]
                rows += [*levels[:-1], (id_, kind, flags | LAST, *rest)]
    return rows


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(streams())
def test_what_was_written_is_read_again(tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
    path = tmp_path / "some.ticks"
    path.unlink(missing_ok=True)
    told = ticks(rows)
    assert write_ticks(path, "f", [BTC, ETH], [told]) == len(rows)
    assert read(path).tobytes() == told.tobytes()
    assert [one.name for one in tmp_path.iterdir()] == ["some.ticks"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(streams(), st.floats(0, 1))
def test_a_file_cut_at_any_byte_gives_what_came_before_or_says_what_it_lacks(
    tmp_path: Path, rows: list[tuple[Any, ...]], share: float
) -> None:
    path = tmp_path / "some.ticks"
    path.unlink(missing_ok=True)
    whole = written(path, ticks(rows)).read_bytes()
    kept = int(share * len(whole))
    path.write_bytes(whole[:kept])
    try:
        found = read(path)
    except EmptyFile:
        assert kept < len(whole)
    else:
        assert ticks(rows).tobytes().startswith(found.tobytes())
        assert not len(found) or found["flags"][-1] & LAST


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(streams(), st.integers(0, 10_000), st.integers(0, 255))
def test_a_file_with_a_wrong_byte_is_read_or_refused_by_name(
    tmp_path: Path, rows: list[tuple[Any, ...]], place: int, byte: int
) -> None:
    path = tmp_path / "some.ticks"
    path.unlink(missing_ok=True)
    data = bytearray(written(path, ticks(rows)).read_bytes())
    data[place % len(data)] = byte
    path.write_bytes(data)
    with suppress(FileError):
        assert len(read(path)) <= len(rows)


def test_records_begin_at_a_multiple_of_their_size_and_are_used_in_place(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ticks", trades(1, 2, 3))
    assert path.read_bytes().index(b"\n") % 64 == 63
    reading, (chunk,) = chunks_of(path)
    assert not chunk.flags.writeable
    assert not chunk.flags.owndata
    assert reading.done_bytes == reading.size_bytes == path.stat().st_size
    assert reading.note == ""


def test_definitions_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = looked_at(written(tmp_path / "a.ticks", trades(5)), ["BTC-USDT"], {})
    assert found.instruments == (BTC, ETH)
    assert (found.format, found.first_ns, found.layout, found.note) == ("ticks", 5, "ticks", "")


def test_ids_are_translated_and_other_instruments_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.ticks"
    write_ticks(path, "f", [attrs.evolve(BTC, id=7), attrs.evolve(ETH, id=3)], [trades(1, 2, id=7), trades(3, id=3)])
    assert read(path)["instrument"].tolist() == [0, 0, 1]
    reading, chunks = chunks_of(path, "f/ETH-USDT/trade")
    assert all_of(chunks)["instrument"].tolist() == [1]
    assert reading.note == "2 of 3 rows are of what the feed does not bring, and left out"


def test_kinds_that_the_feed_does_not_bring_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ticks", ticks([row(TRADE, 1, 2.0, 3.0), row(QUOTE, 2, 1.0, 1.0, 2.0, 1.0)]))
    assert read(path, "f/BTC-USDT/quote")["kind"].tolist() == [QUOTE]


def test_no_chunk_ends_within_an_instant(tmp_path: Path) -> None:
    times = [0] * 10 + [1] * (ROWS + 10) + [2] * 3 + list(range(3, ROWS))
    path = written(tmp_path / "a.ticks", trades(*times))
    _, chunks = chunks_of(path)
    assert [chunk["received_time_ns"][0] for chunk in chunks] == [0, 1, 2]
    assert all_of(chunks).tobytes() == trades(*times).tobytes()


def test_time_that_goes_back_between_two_chunks_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.ticks"
    path.write_bytes(line(TITLE % ONE) + trades(*range(10, ROWS + 10), 9).tobytes())
    with pytest.raises(Unsorted, match=f"row {ROWS + 1:,} is {ROWS:,} ns earlier than the one before"):
        read(path)


def test_a_torn_record_and_a_torn_update_are_left_out_with_a_note(tmp_path: Path) -> None:
    levels = [row(BOOK, 2, 5.0, 1.0, flags=BUY), row(BOOK, 2, 6.0, 1.0, flags=SELL | LAST)]
    path = written(tmp_path / "a.ticks", ticks([row(TRADE, 1, 2.0, 3.0), *levels]))
    path.write_bytes(path.read_bytes()[:-10])
    reading, (chunk,) = chunks_of(path)
    assert len(chunk) == 1
    assert reading.note == "its last 118 bytes were cut off, and are left out"
    assert looked_at(path, ["BTC-USDT"], {}).note == reading.note


def line(text: str) -> bytes:
    data = text.encode()
    return data + b" " * (-(len(data) + 1) % 64) + b"\n"


ONE = '{"id":0,"name":"BTC-USDT","price_increment":"0.01","size_increment":"1"}'
TITLE = 'ticktree ticks 1 {"feed":"f","instruments":[%s]}'
REC = trades(1).tobytes()


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"", EmptyFile, "it has no rows: it ends within its first line"),
        (b"ticktree ti", EmptyFile, "it has no rows: it ends within its first line"),
        (b"ticktree ticks 1 {", EmptyFile, "it has no rows: it ends within its first line"),
        (
            line(TITLE % ONE),
            EmptyFile,
            "it has no rows: it ends with its first line, or within its first record",
        ),
        (b"\x00" * 70, ForeignFile, "it is no file of ticks, and begins b'\\x00\\x00"),
        (
            line("ticktree ticks 2 {}") + REC,
            NewerFile,
            "it is of version 2, and 1 is the latest known: use a later ticktree",
        ),
        (line("ticktree ticks x {}") + REC, DamagedFile, "its first line tells no version"),
        (line("ticktree ticks 1 {}") + REC, DamagedFile, "its first line cannot be read"),
        (line(TITLE % "") + REC, DamagedFile, "its first line defines no instruments"),
        (line(TITLE % f"{ONE},{ONE}") + REC, DamagedFile, "its first line defines an instrument's id twice"),
        (line(TITLE % ONE.replace("0.01", "x")) + REC, DamagedFile, "BTC-USDT: one of x, 1, 0, 1 is no number"),
        (line(TITLE % ONE.replace("0.01", "-1")) + REC, DamagedFile, "an increment or multiplier is a number above 0"),
        (
            line(TITLE % ONE) + REC + trades(1, id=9).tobytes(),
            BadRow,
            "row 2: its instrument 9 was never defined in the first line",
        ),
        (line(TITLE % ONE) + ticks([row(7, 1, 1.0)]).tobytes(), BadRow, "row 1: there is no kind 7"),
        (
            line(TITLE % ONE) + ticks([row(TRADE, 1, float("nan"))]).tobytes(),
            BadRow,
            "row 1: a value is not finite (nan, 0.0, 0.0, 0.0)",
        ),
        (
            line(TITLE % ONE) + trades(5, 6, 4).tobytes(),
            Unsorted,
            "row 3 is 2 ns earlier than the one before (4 after 6): sort the file by the time received first",
        ),
        (
            line(TITLE % ONE) + ticks([row(BOOK, 1, 1.0, flags=BUY), row(TRADE, 1, 1.0)]).tobytes(),
            BadRow,
            "row 2: it stands within a book update of another instrument, kind, or not of a snapshot",
        ),
        (
            line(TITLE % ONE) + ticks([row(BOOK, 1, 1.0, flags=BUY), row(BOOK, 2, 1.0, flags=BUY | LAST)]).tobytes(),
            BadRow,
            "row 2: it is later than the book update that it is in",
        ),
        (
            line((TITLE % ONE).replace("BTC-USDT", "XRP-USDT")) + REC,
            NoInstrument,
            "it has XRP-USDT, which are none of the feed's; the feed brings BTC-USDT, ETH-USDT",
        ),
    ],
)
def test_what_is_wrong_has_a_name(tmp_path: Path, data: bytes, error: type[FileError], said: str) -> None:
    path = tmp_path / "bad.ticks"
    path.write_bytes(data)
    with pytest.raises(error) as raised:
        looked_at(path, ["BTC-USDT", "ETH-USDT"], KNOWN)
    assert str(raised.value).startswith(str(path))
    assert said in str(raised.value)


def test_one_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NoFile, match=r"it cannot be opened \(No such file or directory\)"):
        looked_at(tmp_path / "none.ticks", ["BTC-USDT"], {})


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.ticks"
    path.write_text("mine")
    with pytest.raises(FileTaken, match="this file exists, and is not written over"):
        written(path, trades(1))
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("rows", "error", "said"),
    [
        ([row(TRADE, 2, 1.0), row(TRADE, 1, 1.0)], Unsorted, "row 2 is 1 ns earlier"),
        ([row(TRADE, 1, float("inf"))], BadRow, "row 1: a value is not finite"),
        ([row(TRADE, 1, 1.0, id=5)], BadRow, "row 1: its instrument 5 is none of those given"),
        ([row(BOOK, 1, 1.0, flags=BUY)], BadRow, "row 1: the book update that it is in does not end: no row has LAST"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    tmp_path: Path, rows: list[tuple[Any, ...]], error: type[FileError], said: str
) -> None:
    with pytest.raises(error, match=said):
        written(tmp_path / "a.ticks", ticks(rows))
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoFile, match="it cannot be written"):
        written(tmp_path / "no" / "a.ticks", trades(1))


def test_an_instrument_that_the_configuration_defines_is_as_it_says(tmp_path: Path) -> None:
    path = tmp_path / "a.ticks"
    path.write_bytes(line(TITLE % ONE) + REC)
    (own,) = instruments_of(path)
    wanted = wanted_of("f", [Topic.parse("f/*/*")], {"BTC-USDT": BTC}, [own])
    assert own.size_increment == 1
    assert wanted.instruments == {"BTC-USDT": BTC}
