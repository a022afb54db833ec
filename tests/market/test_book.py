"""The order book against a naive one, and against what exchanges really sent."""

import weakref
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from tests.recordings import recording
from ticktree.market import BookUpdate, Instrument, Level, OrderBook, TextLevel

from .samples import BTC, ETH, update

Text = tuple[TextLevel, ...]


class NaiveBook:
    """Text by price, sorted whenever somebody looks."""

    def __init__(self, depth: int | None) -> None:
        self.depth, self.sides = depth, (dict[float, TextLevel](), dict[float, TextLevel]())

    def apply(self, update: BookUpdate) -> None:
        assert update.text
        for number, (levels, text) in enumerate(zip((update.bids, update.asks), update.text, strict=True)):
            side = self.sides[number]
            if update.snapshot:
                side.clear()
            for (price, size), written in zip(levels, text, strict=True):
                side[price] = written
                if size == 0:
                    del side[price]
            for price in self._sorted(number)[self.depth or len(side) :]:
                del side[price]

    def _sorted(self, number: int) -> list[float]:
        return sorted(self.sides[number], reverse=number == 0)

    def top_text(self, n: int) -> tuple[list[TextLevel], list[TextLevel]]:
        bids, asks = ([side[price] for price in self._sorted(i)[:n]] for i, side in enumerate(self.sides))
        return bids, asks


def floats(text: Iterable[TextLevel]) -> tuple[Level, ...]:
    return tuple((float(price), float(size)) for price, size in text)


def told(bids: Text, asks: Text, snapshot: bool, sequence: int = 1, instrument: Instrument = BTC) -> BookUpdate:
    return BookUpdate(
        "sim", instrument, floats(bids), floats(asks), snapshot, sequence, sequence, 5, 6, text=(bids, asks)
    )


def bare(update: BookUpdate) -> BookUpdate:
    return msgspec.structs.replace(update, text=None)


def assert_same(book: OrderBook, naive: NaiveBook, n: int = 1_000_000) -> None:
    bids, asks = naive.top_text(n)
    assert book.top(n) == ([*floats(bids)], [*floats(asks)])
    assert book.bid == (floats(bids[:1]) or (None,))[0]
    assert book.ask == (floats(asks[:1]) or (None,))[0]


# --- against the naive one -----------------------------------------------------------------------------------------

texts = st.lists(
    st.tuples(
        st.integers(1, 30).map(lambda n: f"{n / 10:.2f}"), st.sampled_from(["0", "0.00", "1", "1.50", "2e-8", "007"])
    ),
    max_size=12,
).map(tuple)
many_told = st.lists(st.builds(told, texts, texts, st.sampled_from([False, False, False, True])), max_size=12)


@given(many_told, st.sampled_from([None, 1, 3, 10]))
def test_any_updates_make_the_book_that_a_naive_one_is(updates: list[BookUpdate], depth: int | None) -> None:
    plain, keeping, naive = OrderBook(depth=depth), OrderBook(text=True, depth=depth), NaiveBook(depth)
    for told_now in updates:
        plain.apply(bare(told_now))
        keeping.apply(told_now)
        naive.apply(told_now)
        assert_same(plain, naive)
        assert_same(keeping, naive)
        assert keeping.top_text(7) == naive.top_text(7)
        assert len(plain) == len(keeping) == sum(map(len, naive.sides))


@given(many_told, st.sampled_from([None, 2]), texts, texts)
def test_who_starts_from_a_snapshot_ends_like_who_heard_everything(
    updates: list[BookUpdate], depth: int | None, bids: Text, asks: Text
) -> None:
    early, late = OrderBook(text=True, depth=depth), OrderBook(text=True, depth=depth)
    for told_now in updates:
        early.apply(told_now)
    if (snapshot := early.snapshot("sim", BTC, 7)) is not None:
        late.apply(snapshot)
    for book in (early, late):
        book.apply(told(bids, asks, snapshot=False))
    assert late.top_text(100) == early.top_text(100)


# --- what it says of itself ----------------------------------------------------------------------------------------

BIDS, ASKS = ((99.0, 3.0), (98.0, 1.0)), ((101.0, 1.0), (102.0, 3.0))


def full_book() -> OrderBook:
    book = OrderBook()
    book.apply(update(*BIDS, asks=ASKS, snapshot=True))
    return book


def test_the_top() -> None:
    book = full_book()
    assert (book.bid, book.ask, book.spread, book.mid, book.sequence) == ((99.0, 3.0), (101.0, 1.0), 2.0, 100.0, 9)
    assert book.top(1) == ([BIDS[0]], [ASKS[0]])
    assert book.top(0) == ([], [])
    assert "99.0" in repr(book)


def test_microprice_leans_away_from_the_greater_size() -> None:
    assert full_book().microprice == (99.0 * 1.0 + 101.0 * 3.0) / 4.0


def test_imbalance_is_of_as_many_levels_as_asked_for() -> None:
    book = full_book()
    assert (book.imbalance(), book.imbalance(2)) == (0.5, 0.0)
    book.apply(update(asks=((101.0, 0.0), (102.0, 0.0))))
    assert book.imbalance(5) == 1.0


def test_an_empty_book_has_no_prices() -> None:
    book = OrderBook(text=True)
    found = (
        book.bid,
        book.ask,
        book.spread,
        book.mid,
        book.microprice,
        book.imbalance(3),
        book.snapshot("sim", BTC, 7),
    )
    assert found == (None,) * 7
    assert (book.crossed, len(book), book.sequence, book.top_text(3)) == (False, 0, 0, ([], []))


def test_a_one_sided_book_has_no_middle() -> None:
    book = OrderBook()
    book.apply(update((99.0, 1.0)))
    assert (book.bid, book.mid, book.microprice, book.spread, book.crossed) == ((99.0, 1.0), None, None, None, False)


@pytest.mark.parametrize("ask", [99.0, 98.5])
def test_a_book_whose_bid_reaches_the_ask_is_crossed_and_kept_so(ask: float) -> None:
    book = full_book()
    book.apply(update(asks=((ask, 1.0),)))
    assert book.crossed
    assert book.bid == (99.0, 3.0)
    assert (snapshot := book.snapshot("sim", BTC, 7))
    assert snapshot.crossed


def test_deleting_what_is_not_there_is_nothing() -> None:
    book = full_book()
    book.apply(update((55.0, 0.0), asks=((555.0, 0.0),)))
    assert book.top(9) == ([*BIDS], [*ASKS])


def test_a_snapshot_replaces_everything() -> None:
    book = full_book()
    book.apply(update((50.0, 1.0), (50.0, 2.0), (49.0, 1.0), (49.0, 0.0), snapshot=True, sequence=20))
    assert book.top(9) == ([(50.0, 2.0)], [])
    assert book.sequence == 20


def test_levels_beyond_the_depth_are_dropped_after_the_whole_update() -> None:
    book = OrderBook(depth=2)
    book.apply(update(*BIDS, (97.0, 1.0), snapshot=True))
    assert book.top(9) == ([*BIDS], [])
    assert list(book.dropped) == [[97.0], []]
    book.apply(update((99.5, 1.0), (99.0, 0.0)))  # a third level for a moment
    assert book.top(9) == ([(99.5, 1.0), (98.0, 1.0)], [])
    assert not any(book.dropped)
    book.apply(update((100.0, 1.0), asks=((101.0, 1.0), (102.0, 1.0), (103.0, 1.0), (104.0, 1.0))))
    assert list(book.dropped) == [[98.0], [104.0, 103.0]]
    book.apply(update((100.0, 0.0), asks=((101.0, 0.0), (102.0, 0.0))))
    assert book.top(9) == ([(99.5, 1.0)], [])


def test_the_snapshot_tells_all_levels_best_first_and_when() -> None:
    book = full_book()
    book.apply(update((99.5, 1.0), sequence=11))
    expected = msgspec.structs.replace(
        update((99.5, 1.0), *BIDS, asks=ASKS, snapshot=True, sequence=11), feed="x", instrument=ETH, received_time_ns=77
    )
    assert book.snapshot("x", ETH, 77) == expected


def test_the_snapshot_of_a_book_with_text_carries_it_and_the_checksum() -> None:
    book = OrderBook(text=True)
    book.apply(told((("1.0", "2.50"),), (), snapshot=True))
    book.apply(msgspec.structs.replace(told((), (("1.10", "3.0"),), snapshot=False, sequence=2), checksum=77))
    expected = told((("1.0", "2.50"),), (("1.10", "3.0"),), snapshot=True, sequence=2)
    assert book.snapshot("sim", BTC, 6) == msgspec.structs.replace(expected, checksum=77)


def test_a_book_with_text_refuses_an_update_without_and_stays_as_it_was() -> None:
    book = OrderBook(text=True)
    book.apply(told((("1.0", "2.50"),), (), snapshot=True))
    for wrong in (update((1.0, 3.0)), msgspec.structs.replace(update((1.0, 3.0)), text=((), (("1.0", "3.0"),)))):
        with pytest.raises(ValueError, match="text"):
            book.apply(wrong)
    assert (book.bid, book.sequence) == ((1.0, 2.5), 1)


def test_a_book_without_text_has_none_to_show() -> None:
    with pytest.raises(ValueError, match="no text"):
        full_book().top_text(1)


class Written(str):
    """Text that can be seen to go."""


def test_the_text_of_levels_that_went_is_not_kept() -> None:
    book = OrderBook(text=True, depth=1)
    texts = [Written(f"{number}.0") for number in range(4, 0, -1)]
    kept = [weakref.ref(text) for text in texts]
    for snapshot in (True, False, True, False):
        book.apply(told(((texts.pop(), "1"),), (), snapshot))
    book.apply(told((("4.0", "0"), ("9.0", "1")), (), snapshot=False))
    assert [ref() for ref in kept] == [None] * 4


@pytest.mark.parametrize("depth", [0, -1])
def test_a_depth_that_cannot_be_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="depth"):
        OrderBook(depth=depth)


def test_a_negative_number_of_levels_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        full_book().top(-1)


# --- what exchanges sent -------------------------------------------------------------------------------------------


def received(name: str, wanted: str) -> Iterator[Any]:
    for line in recording(name):
        if line.kind == "received" and wanted in line.data:
            yield msgspec.json.decode(line.data)


def coinbase() -> Iterator[tuple[str, BookUpdate]]:
    for message in received("coinbase", '"product_id"'):
        if message["type"] == "snapshot":
            bids, asks = (tuple((price, size) for price, size in message[side]) for side in ("bids", "asks"))
            yield message["product_id"], told(bids, asks, snapshot=True)
        elif message["type"] == "l2update":
            sides = {"buy": list[TextLevel](), "sell": list[TextLevel]()}
            for side, price, size in message["changes"]:
                sides[side].append((price, size))
            yield message["product_id"], told(tuple(sides["buy"]), tuple(sides["sell"]), snapshot=False)


def binance() -> Iterator[tuple[str, BookUpdate]]:
    for message in received("binance", "@depth@100ms"):
        bids, asks = (tuple((price, size) for price, size in message["data"][side]) for side in "ba")
        yield message["data"]["s"], told(bids, asks, snapshot=False, sequence=message["data"]["u"])


def kraken() -> Iterator[tuple[str, BookUpdate]]:
    for message in received("kraken", '},"book-1000",'):
        parts: dict[str, Any] = {key: value for part in message[1:-2] for key, value in part.items()}
        snapshot = "as" in parts
        bids, asks = (
            tuple((price, size) for price, size, *_ in parts.get(side, ()))
            for side in (("bs", "as") if snapshot else ("b", "a"))
        )
        checksum = int(parts["c"]) if "c" in parts else None
        yield message[-1], msgspec.structs.replace(told(bids, asks, snapshot), checksum=checksum)


@pytest.mark.parametrize("stream", [coinbase, binance, kraken])
def test_recorded_updates_make_the_books_that_a_naive_one_makes(stream: Any) -> None:
    naive: defaultdict[str, NaiveBook] = defaultdict(lambda: NaiveBook(1_000))
    books: defaultdict[str, OrderBook] = defaultdict(lambda: OrderBook(depth=1_000))
    for number, (name, told_now) in enumerate(stream()):
        books[name].apply(bare(told_now))
        naive[name].apply(told_now)
        if number % 50 == 0:  # the naive one takes its time
            assert_same(books[name], naive[name])
    assert len(books) >= 4
    for name, book in books.items():
        assert len(book)
        assert_same(book, naive[name])


def digits(text: str) -> str:
    return text.replace(".", "").lstrip("0")


def crc32(book: OrderBook) -> int:
    """As Kraken takes it: over the ten best asks, then the ten best bids, each price and volume without its dot and
    leading zeros. Source: "Order book checksum", docs.kraken.com/api/docs/guides/spot-ws-book-v1."""
    bids, asks = book.top_text(10)
    return zlib.crc32("".join(digits(price) + digits(size) for price, size in asks + bids).encode())


def test_every_checksum_that_an_exchange_recorded_is_reproduced() -> None:
    books: defaultdict[str, OrderBook] = defaultdict(lambda: OrderBook(text=True, depth=1_000))
    verified = 0
    for name, told_now in kraken():
        books[name].apply(told_now)
        if told_now.checksum is not None:
            assert crc32(books[name]) == told_now.checksum, (name, verified)
            verified += 1
    assert verified == 4_269
