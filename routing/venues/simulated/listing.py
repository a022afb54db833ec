"""One instrument at a simulated venue: the orders that rest there beside what the market shows, and who meets whom.

An order takes the best price first. At one price the market's displayed size was there first, then come the resting
orders of other accounts by the time they came. An account never trades with itself: its own resting orders are passed
over, so they may stand crossed with each other.

A resting order is filled, at its limit, by

- orders of other accounts that reach it;
- the market's other side as soon as that reaches its limit, up to the sizes displayed there;
- a trade through its price, up to the trade's size;
- a trade at its price by an aggressor of the other side (or one that is not told), after the queue ahead of it: what
  the market displayed at that price on its side when it came. Only trades shorten that queue. Who cancels there is
  not known to have stood ahead, so that fills come later here than they might.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator

from ticktree.market import BookUpdate, Instrument, Side, TradingStatus

from .accounts import OTHER, SIGN, Account, VenueOrder
from .liquidity import Market, Top

Filled = Callable[[VenueOrder, int, int, bool], None]
"""Books a fill: the order, how much, the price, whether it was the maker. May take other orders off the shelves."""

Reach = tuple[float, float]
"""What meets a resting order: an ask or a trade below the first, a bid or a trade above the second."""

ANY = -math.inf  # a reach that every price has
NOTHING: Reach = -math.inf, math.inf  # rests


class Shelf:
    """The resting orders of one side. A price's key is the price times the side's sign: the best is the greatest."""

    __slots__ = ("_keys", "_levels", "sign")

    def __init__(self, side: Side) -> None:
        self.sign = SIGN[side]
        self._keys: list[int] = []  # sorted
        self._levels: dict[int, dict[VenueOrder, None]] = {}  # in the order they came

    def key(self, order: VenueOrder) -> int:
        """Where it stands."""
        assert order.limit_increments is not None  # at the market nothing rests
        return self.sign * order.limit_increments

    def add(self, order: VenueOrder) -> None:
        """Behind all others at its price."""
        key = self.key(order)
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = {}
            insort(self._keys, key)
        level[order] = None

    def remove(self, order: VenueOrder) -> None:
        """Away with it."""
        key = self.key(order)
        level = self._levels[key]
        del level[order]
        if not level:
            del self._levels[key]
            del self._keys[bisect_left(self._keys, key)]

    @property
    def best(self) -> int | None:
        """The best price."""
        return self.sign * self._keys[-1] if self._keys else None

    def first(self, reach: float, but: Account | None = None) -> VenueOrder | None:
        """Who is served first of those whose key is `reach` or better, leaving one account out."""
        return next(self.orders(reach, but), None)

    def orders(self, reach: float = ANY, but: Account | None = None) -> Iterator[VenueOrder]:
        """All whose key is `reach` or better, as they are served. The shelf must not change meanwhile."""
        for key in reversed(self._keys):
            if key < reach:
                return
            for order in self._levels[key]:
                if order.owner is not but:
                    yield order

    def at(self, price: int) -> tuple[VenueOrder, ...]:
        """Those at one price, as they are served."""
        return tuple(self._levels.get(self.sign * price, ()))

    def depth(self) -> dict[int, int]:
        """How much rests at each price."""
        return {
            self.sign * key: sum(order.remaining_increments for order in level) for key, level in self._levels.items()
        }


class Listing:
    """One instrument: its market, its shelves, and the matching. It books nothing itself: `filled` does.

    `reaches`, which all listings of a venue share, is told the reach of those by name that must hear of the market:
    where anything rests, or was taken of what the market displays.
    """

    __slots__ = ("_filled", "_highest_ask", "_lowest_bid", "_reaches", "instrument", "market", "shelves")

    def __init__(self, instrument: Instrument, filled: Filled, reaches: dict[str, Reach]) -> None:
        self.instrument = instrument
        self.market = Market(instrument)
        self.shelves = {Side.BUY: Shelf(Side.BUY), Side.SELL: Shelf(Side.SELL)}
        self._filled, self._reaches = filled, reaches
        self._highest_ask, self._lowest_bid = NOTHING  # half an increment beyond the best buy, and the best sell

    # --- what the market says. Each answers whether a resting order may be met --------------------------------------

    def on_top(self, top: Top) -> bool:
        """Its best prices."""
        if self.market.on_top(top):
            self._tell_reach()
        return 0.0 < top[2] < self._highest_ask or top[0] > self._lowest_bid

    def on_book(self, update: BookUpdate) -> bool:
        """Its levels."""
        taken = self.market.taken
        self.market.on_book(update)
        if taken:
            self._tell_reach()
        if (self._highest_ask, self._lowest_bid) == NOTHING:
            return False
        bid, ask = self.market.book_best
        return ask < self._highest_ask or bid > self._lowest_bid

    def on_trade(self, price: float) -> bool:
        """What it traded."""
        return price < self._highest_ask or price > self._lowest_bid

    # --- incoming orders -------------------------------------------------------------------------------------------

    def take(self, order: VenueOrder) -> None:
        """Give it what there is for it, now."""
        other, reach = self._against(order)
        shelf = self.shelves[other]
        levels = self.market.levels(other)
        level = next(levels, None)
        while order.remaining_increments:
            resting = shelf.first(reach, but=order.owner)
            first = reach if resting is None else shelf.key(resting)
            if level is not None and shelf.sign * level[0] >= first:
                price, left = level
                quantity = min(left, order.remaining_increments)
                self.market.take(other, price, quantity)
                self._tell_reach()
                self._filled(order, quantity, price, False)
                level = next(levels, None) if order.remaining_increments else None
            elif resting is not None:
                self._meet(order, resting)
            else:
                return

    def _meet(self, order: VenueOrder, resting: VenueOrder) -> None:
        quantity, price = min(order.remaining_increments, resting.remaining_increments), resting.limit_increments
        assert price is not None
        self._filled(resting, quantity, price, True)
        self._filled(order, quantity, price, False)

    def available(self, order: VenueOrder) -> int:
        """How much of its quantity `take` would fill."""
        other, reach = self._against(order)
        shelf, wanted = self.shelves[other], order.remaining_increments
        found = 0
        for price, left in self.market.levels(other):
            if found >= wanted or shelf.sign * price < reach:
                break
            found += left
        covers: dict[Account, int] = {}  # each fill of an account leaves less for its reduce-only orders to reduce
        for resting in shelf.orders(reach, but=order.owner):
            if found >= wanted:
                break
            owner, size = resting.owner, resting.remaining_increments
            cover = covers.setdefault(owner, owner.cover(other, resting.instrument))
            if not resting.ticket.reduce_only or size <= cover:
                covers[owner] = cover - size
                found += size
        return min(found, wanted)

    def touch(self, order: VenueOrder) -> int | None:
        """The best price at which `take` would fill anything."""
        other, reach = self._against(order)
        shelf = self.shelves[other]
        level, resting = next(self.market.levels(other), None), shelf.first(reach, but=order.owner)
        keys = [] if level is None else [shelf.sign * level[0]]
        keys += [] if resting is None else [shelf.key(resting)]
        best = max(keys, default=ANY)
        return None if best == ANY or best < reach else shelf.sign * int(best)

    def _against(self, order: VenueOrder) -> tuple[Side, float]:
        """The side that it takes from, and the worst key there that it accepts."""
        other, limit = OTHER[order.side], order.limit_increments
        return other, ANY if limit is None else SIGN[other] * limit

    # --- resting orders --------------------------------------------------------------------------------------------

    def rest(self, order: VenueOrder) -> None:
        """It waits from now on, behind what is there at its price."""
        assert order.limit_increments is not None
        order.ahead_increments = self.market.size_at(order.side, order.limit_increments)
        order.resting = True
        self.shelves[order.side].add(order)
        self._look(order.side)

    def remove(self, order: VenueOrder) -> None:
        """It waits no longer."""
        order.resting = False
        self.shelves[order.side].remove(order)
        self._look(order.side)

    def _look(self, side: Side) -> None:
        best, increment = self.shelves[side].best, float(self.instrument.price_increment)
        if side is Side.BUY:
            self._highest_ask = NOTHING[0] if best is None else (best + 0.5) * increment
        else:
            self._lowest_bid = NOTHING[1] if best is None else (best - 0.5) * increment
        self._tell_reach()

    def _tell_reach(self) -> None:
        reach = self._highest_ask, self._lowest_bid
        if reach == NOTHING and not self.market.taken:
            self._reaches.pop(self.instrument.name, None)
        else:
            self._reaches[self.instrument.name] = reach

    def reached(self) -> None:
        """Fill what the market's displayed other side reaches."""
        if self.instrument.status is not TradingStatus.TRADING:
            return
        for shelf in self.shelves.values():
            while (order := shelf.first(ANY)) is not None:
                quantity = self._take_to(order)
                if quantity and order.limit_increments is not None:
                    self._filled(order, quantity, order.limit_increments, True)
                if order.resting:  # first in line and yet not filled: nothing is left for those behind it
                    break

    def _take_to(self, order: VenueOrder) -> int:
        """Take from the displayed other side what is within the limit, up to what the order wants: how much it was."""
        other, reach = self._against(order)
        taken = 0
        for price, left in self.market.levels(other):
            if taken == order.remaining_increments or SIGN[other] * price < reach:
                break
            quantity = min(left, order.remaining_increments - taken)
            self.market.take(other, price, quantity)
            taken += quantity
        return taken

    def printed(self, at: float, size: float, aggressor: Side | None) -> None:
        """Fill what a trade of the market would have filled."""
        price, left = self.market.price_of(at), self.market.size_of(size)
        for side, shelf in self.shelves.items():
            left = self._through(shelf, price, left)
            if aggressor is not side:
                left = self._at(shelf, price, left)

    def _through(self, shelf: Shelf, price: int, left: int) -> int:
        """A trade beyond the prices of some: whoever stood ahead of them is gone."""
        beyond = shelf.sign * price + 1
        for order in shelf.orders(beyond):
            order.ahead_increments = 0
        while left and (first := shelf.first(beyond)) is not None:
            left = self._print(first, left)
        return left

    def _at(self, shelf: Shelf, price: int, left: int) -> int:
        """A trade at the price of some: it goes to who stands first, outside or here."""
        outside = 0  # what of it went to the market's own queue
        for order in shelf.at(price):
            ahead = max(0, order.ahead_increments - outside)
            outside, left = outside + min(ahead, left), left - min(ahead, left)
            order.ahead_increments = max(0, order.ahead_increments - outside)
            if left and order.resting:
                left = self._print(order, left)
        return left

    def _print(self, order: VenueOrder, left: int) -> int:
        quantity = min(left, order.remaining_increments)
        assert order.limit_increments is not None
        self._filled(order, quantity, order.limit_increments, True)
        return left - quantity

    # --- what is displayed -----------------------------------------------------------------------------------------

    def depth(self, side: Side, levels: int) -> tuple[tuple[int, int], ...]:
        """(price, size) of the best `levels`: what is left of the market's, and what rests here."""
        sizes = self.shelves[side].depth()
        for count, (price, left) in enumerate(self.market.levels(side)):
            if count == levels:
                break
            sizes[price] = sizes.get(price, 0) + left
        return tuple(sorted(sizes.items(), reverse=side is Side.BUY)[:levels])
