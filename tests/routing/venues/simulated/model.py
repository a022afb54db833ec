"""Price-time priority by brute force: every list is searched anew at each step. The engine must do the same."""

import attrs

from ticktree.market import Side
from ticktree.routing.orders import TimeInForce

from .bench import BUY, SELL, Level

Happened = tuple[str, str, int, int, bool]  # account, client id, quantity, price, maker


@attrs.define(eq=False)
class ModelOrder:
    account: str
    id: str
    side: Side
    left: int
    limit: int | None
    came: int
    ahead: int = 0

    def reaches(self, price: int) -> bool:
        return self.limit is None or (price <= self.limit if self.side is BUY else price >= self.limit)

    def rank(self) -> tuple[int, int]:
        """The least is served first."""
        assert self.limit is not None
        return (-self.limit if self.side is BUY else self.limit), self.came


class Model:
    """One instrument; plain orders, their cancels and moves, and the market's levels and trades."""

    def __init__(self) -> None:
        self.resting: list[ModelOrder] = []
        self.shown: dict[Side, dict[int, int]] = {BUY: {}, SELL: {}}
        self.happened: list[Happened] = []
        self._came = 0

    def show(self, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> None:
        self.shown = {BUY: dict(bids), SELL: dict(asks)}
        for order in sorted(self.resting, key=ModelOrder.rank):
            at = 0
            for price in self._prices(order):
                taken = min(order.left - at, self.shown[self._other(order)][price])
                self.shown[self._other(order)][price] -= taken
                at += taken
            if at:
                assert order.limit is not None
                self._fill(order, at, order.limit, True)

    def trade(self, price: int, size: int, aggressor: Side | None) -> None:
        for side in (BUY, SELL):
            for order in sorted(self.resting, key=ModelOrder.rank):
                assert order.limit is not None
                if order.side is side and order.limit != price and order.reaches(price):
                    order.ahead = 0
                    size -= self._print(order, size)
            if aggressor is not side:
                outside = 0
                for order in [o for o in self.resting if o.side is side and o.limit == price]:
                    order.ahead -= min(order.ahead, outside)
                    gone = min(order.ahead, size)
                    order.ahead, outside, size = order.ahead - gone, outside + gone, size - gone
                    size -= self._print(order, size)

    def submit(self, order: ModelOrder, time_in_force: TimeInForce) -> None:
        if time_in_force is TimeInForce.FOK and self._available(order) < order.left:
            return
        while order.left:
            others = [o for o in self.resting if o.side is not order.side and o.account != order.account]
            met = min(
                (o for o in others if o.limit is not None and order.reaches(o.limit)), key=ModelOrder.rank, default=None
            )
            price = next((p for p in self._prices(order) if self.shown[self._other(order)][p]), None)
            if price is not None and (met is None or met.limit is None or self._first(order, price, met.limit)):
                taken = min(order.left, self.shown[self._other(order)][price])
                self.shown[self._other(order)][price] -= taken
                self._fill(order, taken, price, False)
            elif met is not None:
                assert met.limit is not None
                taken = min(order.left, met.left)
                self._fill(met, taken, met.limit, True)
                self._fill(order, taken, met.limit, False)
            else:
                break
        if order.left and order.limit is not None and time_in_force is TimeInForce.GTC:
            self._rest(order)

    def cancel(self, account: str, id: str) -> None:
        self.resting = [o for o in self.resting if (o.account, o.id) != (account, id)]

    def replace(self, account: str, id: str, filled_too: int, limit: int) -> None:
        for order in [o for o in self.resting if (o.account, o.id) == (account, id)]:
            left = filled_too - sum(size for who, what, size, *_ in self.happened if (who, what) == (account, id))
            if left <= 0:
                self.cancel(account, id)
            elif limit == order.limit and left <= order.left:
                order.left = left
            else:
                self.cancel(account, id)
                order.left, order.limit = left, limit
                self.submit(order, TimeInForce.GTC)

    def _rest(self, order: ModelOrder) -> None:
        self._came += 1
        order.came = self._came
        assert order.limit is not None
        order.ahead = self.shown[order.side].get(order.limit, 0)
        self.resting.append(order)

    def _available(self, order: ModelOrder) -> int:
        others = [o for o in self.resting if o.side is not order.side and o.account != order.account]
        rest = sum(o.left for o in others if o.limit is not None and order.reaches(o.limit))
        return rest + sum(self.shown[self._other(order)][price] for price in self._prices(order))

    def _prices(self, order: ModelOrder) -> list[int]:
        prices = [price for price in self.shown[self._other(order)] if order.reaches(price)]
        return sorted(prices, reverse=order.side is SELL)

    @staticmethod
    def _first(order: ModelOrder, market: int, resting: int) -> bool:
        return market <= resting if order.side is BUY else market >= resting

    @staticmethod
    def _other(order: ModelOrder) -> Side:
        return SELL if order.side is BUY else BUY

    def _print(self, order: ModelOrder, size: int) -> int:
        taken = min(order.left, size)
        if taken:
            assert order.limit is not None
            self._fill(order, taken, order.limit, True)
        return taken

    def _fill(self, order: ModelOrder, quantity: int, price: int, maker: bool) -> None:
        order.left -= quantity
        self.happened.append((order.account, order.id, quantity, price, maker))
        if not order.left and order in self.resting:
            self.resting.remove(order)
