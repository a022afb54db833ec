"""How orders ended, by router, and their legs, by venue: exact also where a later word gives one another end."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from .orders import OrderState
from .records import LegRecord


class Ends:
    """How many of a place ended in which state.

    One that is open again does not count until it has ended anew; one that is forgotten counts as it ended last.
    """

    def __init__(self) -> None:
        self._counts: defaultdict[str, Counter[OrderState]] = defaultdict(Counter[OrderState])
        self._ended: dict[str, OrderState] = {}  # those that may yet change

    def ended(self, place: str, id: str, state: OrderState) -> None:
        """`id` is over, perhaps once more."""
        before = self._ended.get(id)
        if before is state:
            return
        counts = self._counts[place]
        if before is not None:
            counts[before] -= 1
        counts[state] += 1
        self._ended[id] = state

    def reopened(self, place: str, id: str) -> None:
        """`id` is not over, after all."""
        before = self._ended.pop(id, None)
        if before is not None:
            self._counts[place][before] -= 1

    def forget(self, id: str) -> None:
        """Nothing will be heard of `id` any more."""
        self._ended.pop(id, None)

    def places(self) -> set[str]:
        """Where anything ever ended."""
        return set(self._counts)

    def at(self, place: str) -> dict[OrderState, int]:
        """By state, those only that there are."""
        counts = self._counts.get(place, Counter[OrderState]())
        return {state: counts[state] for state in OrderState if counts.get(state)}


class Tallies:
    """Of all orders ever. Executions are counted as they are booked: a bust takes none back."""

    def __init__(self) -> None:
        self.orders = Ends()  # by router
        self.legs = Ends()  # by venue
        self.router_fills: Counter[str] = Counter()
        self.venue_fills: Counter[str] = Counter()
        self.overfilled: Counter[str] = Counter()  # by router: orders filled beyond their quantity
        self.overfilled_beyond: Counter[str] = Counter()  # by router: and beyond what was granted
        self.overfilled_legs: Counter[str] = Counter()  # by venue: legs filled beyond what they asked for

    def filled(self, router: str, venue: str) -> None:
        """An execution is booked."""
        self.router_fills[router] += 1
        self.venue_fills[venue] += 1

    def booked(self, record: LegRecord, change: int, was: int, over: int) -> None:
        """A leg has `change` increments more, so that its order is over-filled by `over`, and `was` before.

        A replace on its way may ask for more than the venue has agreed to.
        """
        if over > was:
            self.overfilled[record.order.router] += was == 0
            self.overfilled_beyond[record.order.router] += over > record.order.order.max_overfill_increments >= was
        booked, asked = record.booked_increments, record.quantity_increments
        if record.pending is not None:
            asked = max(asked, record.pending[0])
        if booked > asked >= booked - change:
            self.overfilled_legs[record.leg.venue] += 1

    def forget(self, order_id: str, leg_ids: Iterable[str]) -> None:
        """That order is over for so long that it will not be heard of."""
        self.orders.forget(order_id)
        for leg_id in leg_ids:
            self.legs.forget(leg_id)
