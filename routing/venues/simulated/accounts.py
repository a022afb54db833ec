"""Who trades at a simulated venue: accounts, their orders, what was executed for them and what they hold."""

from collections.abc import Iterator

import attrs

from ticktree.market import Side

from ...orders import OrderState, Ticket
from ...reports import VenueExecution

OTHER = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}
SIGN = {Side.BUY: 1, Side.SELL: -1}  # of what a fill adds to a position; and a price times it grows towards the best

ExecutionKey = tuple[str, str]  # (trading day, or "" where ids are unique for ever; execution id)


class Account:
    """All that one account ever did. Finished orders stay: "not found" must never be said of one that was here."""

    __slots__ = ("executed", "name", "open", "orders", "positions", "reducing", "words")

    def __init__(self, name: str, since_ns: int) -> None:
        self.name = name
        self.orders: dict[str, VenueOrder] = {}  # by client id, for ever
        self.open: dict[str, VenueOrder] = {}
        self.executed: dict[ExecutionKey, VenueOrder] = {}  # whose execution that is, in the order they happened
        self.positions: dict[str, int] = {}  # instrument -> size increments
        self.reducing: dict[VenueOrder, None] = {}  # resting reduce-only orders, in the order they came
        self.words = since_ns  # the sequence of the last report: greater than any in a former life of the venue

    def cover(self, side: Side, instrument: str) -> int:
        """How much an order of `side` may trade before the position is used up; 0 when it would only grow."""
        return max(0, -SIGN[side] * self.positions.get(instrument, 0))

    def executions(self) -> Iterator[VenueExecution]:
        """All of them as they stand now, in the order they happened."""
        return (order.executions[key] for key, order in self.executed.items())

    def named(self, execution_id: str) -> tuple[ExecutionKey, "VenueOrder"] | None:
        """The last execution of that id: where ids begin anew each day, the latest day's."""
        for key in reversed(self.executed):
            if key[1] == execution_id:
                return key, self.executed[key]
        return None


@attrs.define(eq=False)
class VenueOrder:
    """An order in the venue's books. `filled_increments` is net of busts; what was busted of an open order is open
    again. `ahead_increments`: of what the market displayed at its price when it came, how much still stands first.
    """

    owner: Account
    ticket: Ticket
    quantity_increments: int
    limit_increments: int | None
    side: Side
    state: OrderState = OrderState.LIVE
    filled_increments: int = 0
    ahead_increments: int = 0
    resting: bool = False
    reason: str = ""
    executions: dict[ExecutionKey, VenueExecution] = attrs.field(factory=dict[ExecutionKey, VenueExecution])

    @classmethod
    def of(cls, owner: Account, ticket: Ticket) -> "VenueOrder":
        """What `ticket` asks for."""
        return cls(owner, ticket, ticket.quantity_increments, ticket.limit_increments, ticket.side)

    @property
    def remaining_increments(self) -> int:
        """What is still to be filled, while it is open."""
        return self.quantity_increments - self.filled_increments

    @property
    def instrument(self) -> str:
        """The name of what it trades."""
        return self.ticket.instrument.name
