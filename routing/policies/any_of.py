"""Several venues, of which the first that fills wins."""

from collections.abc import Coroutine
from typing import Any

import attrs

from ticktree.market import plain

from ..errors import BadPolicy, Refusal, Refused
from ..orders import Execution, Order
from .children import Child, OneLeg, Reasons, answered, at_once, children, due, left_s, positive, together, venues_of
from .policy import Legs, Part
from .timeout import Timeout


@attrs.frozen
class AnyOf:
    """The first fill wins, not the first acknowledgement.

    One after the other: each leg carries the remainder, IOC unless the order says otherwise; the next is sent when the
    one before is accounted for, so a leg in UNKNOWN blocks it. A child that has not ended after `each_s` (or by its own
    deadline) is canceled, and its evidence awaited. At the deadline the caller goes on, nothing more is sent, and what
    is out is canceled. A child that refuses is passed over. Nothing is ever over-filled.

    `racing`: all at once, each with the whole quantity; at the first fill the others are canceled. That may over-fill
    by all but one of them, so the order must grant it: `max_overfill` of (children - 1) x quantity, else it is refused.
    """

    children: tuple[Child, ...] = attrs.field(converter=together, validator=children, metadata={"key": "venues"})
    deadline_s: float = attrs.field(validator=positive)
    each_s: float | None = attrs.field(default=None, validator=attrs.validators.optional(positive))
    racing: bool = False

    def __attrs_post_init__(self) -> None:
        if self.racing and self.each_s is not None:
            raise BadPolicy("AnyOf: each_s is for one child after the other; racing has the deadline alone")

    @property
    def venues(self) -> tuple[str, ...]:
        """Of all children, each once."""
        return venues_of(self.children)

    def execute(self, order: Order, legs: Legs) -> Coroutine[Any, Any, Execution]:
        """The first leg, or all when racing, leaves without a turn of the loop. Raises `Refused`."""
        if self.racing:
            self._check_grant(order)
        due_ns = due(legs.clock, self.deadline_s)
        begun = self.children if self.racing else self.children[:1]
        parts = [self._begin(one, order, legs, due_ns) for one in begun]
        legs.answer_after(self.deadline_s)
        return self._race(parts, legs, due_ns) if self.racing else self._sequence(parts[0], order, legs, due_ns)

    async def _sequence(self, part: Part, order: Order, legs: Legs, due_ns: int) -> Execution:
        reasons = Reasons()
        for one, following in zip(self.children, (*self.children[1:], None), strict=True):
            await answered(part)
            part.cancel()
            await reasons.outcome(one, part)
            if following is None or not legs.remaining_increments or reasons.canceled:
                break
            if left_s(legs.clock, due_ns) <= 0:
                reasons.say("the deadline passed")
                break
            part = self._begin(following, order, legs, due_ns)
        return legs.execution(reasons.text())

    async def _race(self, parts: list[Part], legs: Legs, due_ns: int) -> Execution:
        while not _fastest(parts) and not _over(parts) and left_s(legs.clock, due_ns) > 0:
            await legs.changed()
        fastest = _fastest(parts)
        for part in parts:
            if part is not fastest:
                part.cancel()
        if fastest is not None:
            await answered(fastest)
            fastest.cancel()
        reasons = Reasons()
        for one, part in zip(self.children, parts, strict=True):
            await reasons.outcome(one, part)
        return legs.execution(reasons.text())

    def _begin(self, one: Child, order: Order, legs: Legs, due_ns: int) -> Part:
        seconds = left_s(legs.clock, due_ns)
        if self.each_s is not None:
            seconds = min(seconds, self.each_s)
        quantity = order.quantity_increments if self.racing else legs.remaining_increments
        policy = OneLeg(one, seconds, at_once(order)) if isinstance(one, str) else Timeout(one, seconds)
        return legs.begin(policy, quantity)

    def _check_grant(self, order: Order) -> None:
        needed = (len(self.children) - 1) * order.quantity_increments
        if order.max_overfill_increments < needed:
            size = order.instrument.size
            because = f"racing {len(self.children)} legs may fill them all: grant it, or take them one after the other"
            allowed, attempted = plain(size(order.max_overfill_increments)), plain(size(needed))
            raise Refused(Refusal("max_overfill", allowed, attempted, because))


def _fastest(parts: list[Part]) -> Part | None:
    """The part with the first fill; of several that were heard of at once, the one with most."""
    filled = [sum(leg.booked_increments for leg in part.legs) for part in parts]
    most = max(filled)
    return parts[filled.index(most)] if most else None


def _over(parts: list[Part]) -> bool:
    return all(part.over for part in parts)
