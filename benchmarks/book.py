"""A book of 1,000 levels a side that follows changes, over two `sortedcontainers.SortedDict`.

`apply`       one change after the other: `book.apply(update)` over `levels[price] = size` and `levels.pop(price, None)`
`apply_read`  the same, and best bid and ask read after each change: `book.bid`, `book.ask` over `peekitem`

Both follow the same updates: one level each, as most recorded ones are, near the best as theirs are (half of them
within ten levels), a quarter deletes, as many new levels, the others new sizes. Every slice begins with the snapshot,
which is not timed, and ends with a look at both books: they are the same.
"""

import random
import time
from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from typing import Protocol, cast

import attrs
from sortedcontainers import SortedDict  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # it has no types

from ticktree.market import BookUpdate, Instrument, Level, OrderBook

from .measure import Figure, Inexact, Plan, per_second, with_extra

LEVELS = 1_000
NEAR = 14.0  # the mean distance of a change from the best, in levels

BTC = Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.0001"))


class Levels(Protocol):
    """What we use of a SortedDict, which has no types."""

    def __setitem__(self, price: float, size: float) -> None: ...
    def pop(self, price: float, default: None) -> float | None: ...
    def peekitem(self, index: int) -> Level: ...
    def items(self) -> Iterable[Level]: ...


def _levels(levels: Iterable[Level] = ()) -> Levels:
    return cast(Levels, SortedDict(levels))


@attrs.define
class Bench:
    """The same updates for both sides, and what each made of them."""

    snapshot: BookUpdate
    changes: list[BookUpdate]
    book: OrderBook = attrs.field(factory=OrderBook)
    bids: Levels = attrs.field(factory=_levels)
    asks: Levels = attrs.field(factory=_levels)

    async def apply(self) -> float:
        """Seconds a change, ours."""
        book = self._fresh()
        began_s = time.perf_counter()
        for update in self.changes:
            book.apply(update)
        return self._done(began_s)

    async def apply_read(self) -> float:
        """Seconds a change and a look at the top, ours."""
        book = self._fresh()
        began_s = time.perf_counter()
        for update in self.changes:
            book.apply(update)
            _ = book.bid, book.ask
        return self._done(began_s)

    async def sorted_dict(self) -> float:
        """Seconds a change, the yardstick's."""
        bids, asks = self._fresh_dicts()
        began_s = time.perf_counter()
        for update in self.changes:
            for price, size in update.bids:
                if size:
                    bids[price] = size
                else:
                    bids.pop(price, None)
            for price, size in update.asks:
                if size:
                    asks[price] = size
                else:
                    asks.pop(price, None)
        return self._done(began_s)

    async def sorted_dict_read(self) -> float:
        """Seconds a change and a look at the top, the yardstick's."""
        bids, asks = self._fresh_dicts()
        began_s = time.perf_counter()
        for update in self.changes:
            for price, size in update.bids:
                if size:
                    bids[price] = size
                else:
                    bids.pop(price, None)
            for price, size in update.asks:
                if size:
                    asks[price] = size
                else:
                    asks.pop(price, None)
            _ = bids.peekitem(-1), asks.peekitem(0)
        return self._done(began_s)

    def _fresh(self) -> OrderBook:
        self.book = OrderBook()
        self.book.apply(self.snapshot)
        return self.book

    def _fresh_dicts(self) -> tuple[Levels, Levels]:
        self.bids, self.asks = _levels(self.snapshot.bids), _levels(self.snapshot.asks)
        return self.bids, self.asks

    def _done(self, began_s: float) -> float:
        return (time.perf_counter() - began_s) / len(self.changes)

    def compared(self) -> None:
        """Raises `Inexact` unless both sides have come to the same book."""
        ours = self.book.top(len(self.book))
        if ours != ([*self.bids.items()][::-1], [*self.asks.items()]):
            raise Inexact("the two books differ")


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`apply` and `apply_read`."""
    levels = plan.size(LEVELS, 20)
    snapshot, changes = stream(levels, plan.size(20_000, 200))
    bench = Bench(snapshot, changes)
    for name, side, yardstick in (
        ("apply", bench.apply, bench.sorted_dict),
        ("apply_read", bench.apply_read, bench.sorted_dict_read),
    ):
        figure = await plan.compare(("book", name), per_second("updates"), side, yardstick)
        bench.compared()
        yield with_extra(figure, levels=levels, changes=len(changes))


def stream(levels: int, count: int) -> tuple[BookUpdate, list[BookUpdate]]:
    """A snapshot of so many levels a side, and `count` changes that keep about as many."""
    source = random.Random(1)
    sides = ([-100_000 + n for n in range(levels)], [100_001 + n for n in range(levels)])  # best first; bids negative
    snapshot = _update(0, [(-key / 100, 1.0) for key in sides[0]], [(key / 100, 1.0) for key in sides[1]], True)
    changes = list[BookUpdate]()
    for number in range(count):
        side = number % 2
        price, size = _change(sides[side], levels, source)
        level = (-price if side == 0 else price) / 100, size
        changes.append(_update(number + 1, [level] if side == 0 else [], [level] if side else []))
    return snapshot, changes


def _change(keys: list[int], levels: int, source: random.Random) -> tuple[int, float]:
    """Change the sorted `keys` of a side: the key of a level near the best, and its size."""
    index = min(int(source.expovariate(1 / NEAR)), len(keys) - 1)
    key, size = keys[index], round(source.uniform(0.001, 5), 4)
    if source.random() < 0.5:
        return key, size
    if len(keys) >= levels:
        del keys[index]
        return key, 0.0
    gaps = [key for key in range(keys[0], keys[-1]) if keys[bisect_left(keys, key)] != key] or [keys[-1] + 1]
    key = gaps[min(int(source.expovariate(1.0)), len(gaps) - 1)]
    insort(keys, key)
    return key, size


def _update(number: int, bids: list[Level], asks: list[Level], snapshot: bool = False) -> BookUpdate:
    return BookUpdate("bench", BTC, tuple(bids), tuple(asks), snapshot, number, number, number, number)
