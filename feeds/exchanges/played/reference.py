"""A book kept by an exchange's own rules, in its own texts: nothing of it is shared with those of feeds and strategies.

Who is checked against it is checked against another way to the same result.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

Level = tuple[str, ...]  # price, size and whatever the exchange tells besides, as it wrote them


class ReferenceBook:
    """Levels by price, each as the exchange wrote it. Raises `ArithmeticError` for what is no number."""

    def __init__(self, bids: Iterable[Sequence[str]] = (), asks: Iterable[Sequence[str]] = ()) -> None:
        self.bids, self.asks = dict[Decimal, Level](), dict[Decimal, Level]()
        put(self.bids, bids)
        put(self.asks, asks)

    def cut(self, depth: int) -> None:
        """Keep the best `depth` levels of each side."""
        while len(self.bids) > depth:
            del self.bids[min(self.bids)]
        while len(self.asks) > depth:
            del self.asks[max(self.asks)]

    def sides(self, most: int | None = None) -> tuple[list[Level], list[Level]]:
        """Bids and asks, the best first, at most so many."""
        bids = [self.bids[price] for price in sorted(self.bids, reverse=True)[:most]]
        return bids, [self.asks[price] for price in sorted(self.asks)[:most]]

    def texts(self) -> tuple[dict[str, str], dict[str, str]]:
        """Bids and asks, from price to size, the best first."""
        bids, asks = self.sides()
        return {level[0]: level[1] for level in bids}, {level[0]: level[1] for level in asks}


def put(side: dict[Decimal, Level], levels: Iterable[Sequence[str]]) -> None:
    """Levels that are now; those of size 0 are gone. The keys are numbers: one price can be written in two ways."""
    for level in levels:
        price = Decimal(level[0])
        if Decimal(level[1]):
            side[price] = tuple(level)
        else:
            side.pop(price, None)
