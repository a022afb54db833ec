"""How orders stand and ended, router by router, at a cost of what is new since the last look."""

from collections import Counter
from collections.abc import Mapping

from ticktree.routing import Ledger, OrderRecord, OrderState

MADE, OPEN = "made", "open"
ENDS = OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED


class Tally:
    """Counts of orders by state, for each of `routers`. The ledger forgets old ones; they are counted by then."""

    def __init__(self, ledger: Ledger, routers: Mapping[str, object]) -> None:
        self._ledger = ledger
        self._ended = {router: Counter[OrderState]() for router in routers}
        self._open: dict[str, OrderRecord] = {}
        self._last = ""  # the id of the youngest that was seen

    def look(self) -> dict[str, dict[str, int]]:
        """By router: how many were made, how many are open, and how many ended in each of `ENDS`."""
        self._meet_new()
        for id, record in tuple(self._open.items()):
            if record.terminal:
                self._ended[record.router][record.state] += 1
                del self._open[id]
        out = Counter(record.router for record in self._open.values())
        return {
            router: {MADE: ended.total() + out[router], OPEN: out[router], **{end: ended[end] for end in ENDS}}
            for router, ended in self._ended.items()
        }

    def _meet_new(self) -> None:
        newest = self._last
        for id in reversed(self._ledger.orders):
            if id == self._last:
                break
            newest = id if newest == self._last else newest
            self._open[id] = self._ledger.orders[id]
        self._last = newest
