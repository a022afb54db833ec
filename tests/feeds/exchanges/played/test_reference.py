"""The reference book: plain, and by another way than the books that it is held against."""

import ast
from pathlib import Path

from ticktree.feeds import playback
from ticktree.feeds.exchanges import played
from ticktree.feeds.exchanges.played.reference import ReferenceBook, put


def test_levels_are_kept_as_they_were_written_the_best_first() -> None:
    book = ReferenceBook([("1.0", "2.00", "t1"), ("1.10", "3", "t2")], [("2", "1"), ("1.5", "1")])
    assert book.sides() == ([("1.10", "3", "t2"), ("1.0", "2.00", "t1")], [("1.5", "1"), ("2", "1")])
    assert book.sides(1) == ([("1.10", "3", "t2")], [("1.5", "1")])
    assert book.texts() == ({"1.10": "3", "1.0": "2.00"}, {"1.5": "1", "2": "1"})


def test_a_price_is_the_same_however_it_is_written() -> None:
    book = ReferenceBook([("1.0", "2")])
    put(book.bids, [("1.00", "5")])
    assert book.texts()[0] == {"1.00": "5"}
    put(book.bids, [("1", "0.000")])
    assert book.bids == {}


def test_what_is_not_there_can_go() -> None:
    book = ReferenceBook()
    put(book.asks, [("1", "0")])
    assert book.asks == {}


def test_the_worst_levels_are_cut_off() -> None:
    prices = [(str(price), "1") for price in (3, 1, 2)]
    book = ReferenceBook(prices, prices)
    book.cut(2)
    assert ([price for price, _ in book.sides()[0]], [price for price, _ in book.sides()[1]]) == (
        ["3", "2"],
        ["1", "2"],
    )


def test_nothing_of_it_is_shared_with_the_books_that_are_held_against_it() -> None:
    """Played exchanges import their own folder, the seams to the server, recordings and libraries; nothing else."""
    for path in Path(played.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                imported = (node.module or "").partition(".")[0]
                assert node.level == 1 or imported in ("playback", "recording"), f"{path.name} imports {node.module}"
            elif isinstance(node, ast.ImportFrom | ast.Import):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
                assert not any(name.startswith("ticktree") for name in names), f"{path.name} imports {names}"


def test_the_server_names_no_exchange() -> None:
    for path in Path(playback.__file__).parent.glob("*.py"):
        assert not any(name in path.read_text().lower() for name in played.EXCHANGES), path.name
