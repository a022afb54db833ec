"""One venue and a deadline."""

from collections.abc import Coroutine
from typing import Any

import attrs

from ..orders import Execution, Order
from .children import Child, answered, child, positive, venues_of
from .policy import Legs, Part


@attrs.frozen
class Timeout:
    """One venue (or policy), a deadline: the caller goes on at the deadline with what is known by then.

    The order lives on until the venue's word: a timeout is no rejection and cancels nothing. An answer that came
    before the deadline was noticed is the real one. Where a policy stands in the venue's place the earlier of both
    deadlines counts.
    """

    child: Child = attrs.field(validator=child, metadata={"key": "venue"})
    deadline_s: float = attrs.field(validator=positive)

    @property
    def venues(self) -> tuple[str, ...]:
        """The one, or those of the policy."""
        return venues_of((self.child,))

    def execute(self, order: Order, legs: Legs) -> Coroutine[Any, Any, Execution] | None:
        """Send the whole order at once, without a turn of the loop, and wait."""
        if isinstance(self.child, str):
            legs.send(self.child, order.quantity_increments)
            legs.answer_after(self.deadline_s)
            return None
        part = legs.begin(self.child, order.quantity_increments)
        legs.answer_after(self.deadline_s)
        return _ended(part, legs)


async def _ended(part: Part, legs: Legs) -> Execution:
    await answered(part)
    if not part.over:  # its own deadline was the earlier one
        legs.answer_after(0)
    execution = await part.ended()
    return legs.execution(execution.reason)
