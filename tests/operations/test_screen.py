"""What people read of a status."""

import io
from decimal import Decimal

import msgspec
import pytest
from rich.console import Console

from ticktree.operations import screen

from .samples import STATUS

TEXT = screen.as_text(STATUS)


def test_the_first_lines_say_what_runs_and_why_it_is_not_well() -> None:
    assert TEXT.splitlines()[:7] == [
        "LIVE, up 2 h 13 m, process 1234, ticktree 0.1.0",
        "not well: trading is halted: lunch",
        "not well: feed simulated is not live",
        "memory 70.5 MB, at most 80.0 MB; processor 12.3 s; uvloop, times blocked: 1; gc pauses: 2, longest 210.5 us",
        "orders since the start: 1,240; of these and former ones: 1 open, 1 legs in doubt, 1,240 fills",
        "quarantined: paper/BTC-USDT, BTC-USDT: 5 increments more than ours",
        "metrics: http://127.0.0.1:9464/metrics",
    ]


def test_piped_it_is_aligned_text_without_rules_or_colour() -> None:
    assert TEXT.isascii()
    assert "\x1b" not in TEXT
    for block in TEXT.split("\n\n")[1:]:
        first, *rows = block.splitlines()
        assert rows, first
        assert not any(row.endswith(" ") for row in rows)
    assert "feed       state     events  messages  received" in TEXT
    assert "simulated  not live   9,876     1,200    1.2 MB" in TEXT


def test_what_is_in_doubt_and_what_is_held_are_there() -> None:
    assert "e-1    pairs     ETH-USDT    sell  unknown         1  market       0  paper:unknown" in TEXT
    assert "pairs     ETH-USDT    -1.5       3000.125      -     12.34           -         -  USDT          3" in TEXT
    assert "paper  wire->ack       3  192.5 us  294.4 us  294.4 us  294.4 us" in TEXT
    assert "ack->fill" not in TEXT  # nothing took it yet


def test_the_tree_is_indented_and_shows_every_tick() -> None:
    assert "strategies  running            0" in TEXT
    assert (
        "  pairs     restarting         3     9,876      9,000        800       16      59    65,536  12.3 ms" in TEXT
    )


def test_a_system_that_only_reads_has_no_tables_of_trading() -> None:
    empty = msgspec.structs.replace(STATUS, venues={}, routers={}, latencies={}, unwell=())
    text = screen.as_text(empty)
    assert "orders since" not in text
    assert "takes orders" not in text


def test_a_terminal_gets_the_same_with_colour() -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=250, force_terminal=True, color_system="standard", record=True)
    console.print(screen.as_rich(STATUS))
    assert "\x1b[31m" in shown.getvalue()  # what is wrong is red
    plain = console.export_text()
    for word in TEXT.split():
        assert word in plain, word


def test_words_of_others_cannot_move_the_cursor_or_be_taken_for_markup() -> None:
    venue = msgspec.structs.replace(STATUS.venues["paper"], closed="\x1b[2Jgone\r\n[bold]really[/bold]")
    odd = msgspec.structs.replace(STATUS, venues={"paper": venue}, unwell=("\x07 [red]bell",))
    assert "?[2Jgone??[bold]really[/bold]" in screen.as_text(odd)
    shown = io.StringIO()
    Console(file=shown, width=250).print(screen.as_rich(odd))
    assert "?[2Jgone??[bold]really[/bold]" in shown.getvalue()
    assert "? [red]bell" in shown.getvalue()


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0"), (999, "999.0 ns"), (1_000, "1.0 us"), (12_345_678, "12.3 ms"), (90_000_000_000, "90.0 s")],
)
def test_durations_are_in_the_unit_that_suits_them(ns: int, text: str) -> None:
    assert screen.took(ns) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0 s"), (59, "59 s"), (61, "1 m 1 s"), (7_999, "2 h 13 m"), (3_600, "1 h 0 m"), (200_000, "2 d 7 h")],
)
def test_a_long_time_is_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert screen.lasting(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (2_500_000_000, "2.5 GB")])
def test_bytes_are_in_the_unit_that_suits_them(count: int, text: str) -> None:
    assert screen.size(count) == text


@pytest.mark.parametrize(
    ("value", "text"), [("100", "100"), ("-0.012600000000", "-0.0126"), ("64002.315", "64002.315")]
)
def test_money_has_at_most_four_places(value: str, text: str) -> None:
    assert screen.short(Decimal(value)) == text


def drawn(width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, record=True)
    console.print(screen.as_rich(STATUS, width))
    return console.export_text()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_narrow_terminal_gets_fewer_columns_and_never_a_part_of_a_number(width: int) -> None:
    text = drawn(width)
    assert all(len(line) <= width for line in text.splitlines())
    cells = {cell for table in screen.tables(STATUS) for row in (table.heads, *table.rows) for cell in row}
    words = {word for cell in cells for word in cell.split()}
    for block in text.split("\n\n")[1:]:
        shown = [line for line in block.splitlines() if not line.strip().startswith("no room for: ")]
        for line in shown[:1]:
            assert set(line.split()) <= words, line
    assert "…" not in text
    assert ("no room for: " in text) == (width < 120)


def test_columns_in_which_nothing_stands_give_way_first() -> None:
    table = screen.Table(("feed", "gaps", "errors", "bytes"), (("north", "0", "-", "12"), ("south", "3", "-", "9")), 1)
    assert table.fitting(30) == (table, [])
    narrow, left_out = table.fitting(20)
    assert (narrow.heads, left_out) == (("feed", "gaps", "bytes"), ["errors"])
    assert narrow.rows == (("north", "0", "12"), ("south", "3", "9"))
    assert table.fitting(1)[0].heads == ("feed",)


def test_small_prices_are_not_rounded_to_nothing() -> None:
    assert screen.short(Decimal("0.00000637")) == "0.00000637"
    assert screen.short(Decimal("3000.12500")) == "3000.125"
