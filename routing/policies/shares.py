"""Shares of a whole: who gets how much of it, and how far each has come."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import ceil
from typing import Any

import attrs

from ticktree.market import BadNumber, Number, exact

from ..errors import BadPolicy
from ..orders import Order, Purpose
from ..records import LegRecord
from .children import Child, OneLeg, TakeBack, child
from .policy import Legs, Part
from .timeout import Timeout


def _weight(owner: object, field: "attrs.Attribute[Any]", value: Number) -> None:
    try:
        good = exact(value) > 0
    except BadNumber:
        good = False
    if not good:
        raise BadPolicy(f"Share: {field.name} is a number above 0, as in 2 or 0.5; not {value!r}")


@attrs.frozen
class Share:
    """One child of `AllOf`. Quantity is split by weights; `opposite` shares hedge: they trade on the other side."""

    child: Child = attrs.field(validator=child, metadata={"key": "venue"})
    weight: Number = attrs.field(default=1, validator=_weight)
    opposite: bool = False

    def __attrs_post_init__(self) -> None:
        if self.opposite and not isinstance(self.child, str):
            raise BadPolicy(f"Share: an opposite share names a venue, and no policy; not {self.child!r:.80}")

    @property
    def name(self) -> str:
        """As reasons call it."""
        return self.child if isinstance(self.child, str) else type(self.child).__name__


def split(quantity: int, weights: Iterable[Number]) -> list[int]:
    """`quantity` by weights, in whole increments that sum to it exactly: those with the largest remainders, and of
    equal ones the first, get one more (Hamilton's method)."""
    fractions = [Fraction(exact(weight)) for weight in weights]
    ideal = [quantity * fraction / sum(fractions) for fraction in fractions]
    whole = [int(share) for share in ideal]
    by_remainder = sorted(range(len(ideal)), key=lambda place: whole[place] - ideal[place])
    for place in by_remainder[: quantity - sum(whole)]:
        whole[place] += 1
    return whole


class Progress:
    """A share at work: what it was sent for, and what became of that."""

    def __init__(self, share: Share, quantity_increments: int, order: Order, legs: Legs) -> None:
        self.share, self.quantity_increments = share, quantity_increments
        self._order, self._legs = order, legs
        self._purpose = Purpose.HEDGE if share.opposite else Purpose.WORK
        self._parts: list[Part] = []
        self._taken: list[tuple[LegRecord, Part]] = []  # the leg that is taken back, and by what

    @property
    def filled_increments(self) -> int:
        """Net of what was taken back."""
        return sum(leg.booked_increments for leg in self._own()) - sum(leg.booked_increments for leg in self._back())

    @property
    def missing_increments(self) -> int:
        """What is not filled of it."""
        return max(0, self.quantity_increments - self.filled_increments)

    @property
    def ratio(self) -> Fraction:
        """How much of it is filled, at most 1."""
        return min(Fraction(1), Fraction(self.filled_increments, self.quantity_increments))

    def beyond(self, ratio: Fraction) -> int:
        """What it is filled for beyond that part of it, rounded up to whole increments."""
        return max(0, self.filled_increments - ceil(ratio * self.quantity_increments))

    def begin(self, quantity_increments: int, seconds: float) -> Part:
        """Send so much of it; where a venue's leg was sent before, as the next attempt of that."""
        one = self.share.child
        if isinstance(one, str):
            last = next((leg for leg in reversed(list(self._own()))), None)
            policy = OneLeg(one, seconds, purpose=self._purpose, again=last)
            part = self._legs.begin(policy, quantity_increments)
        else:
            part = self._legs.begin(Timeout(one, seconds), quantity_increments)
        self._parts.append(part)
        return part

    def take_back(self, ratio: Fraction, seconds: float) -> list[Part]:
        """Unwind what is beyond `ratio`, the last leg first."""
        excess, begun = self.beyond(ratio), list[Part]()
        for leg in reversed(list(self._own())):
            quantity = min(excess, leg.booked_increments - self._taken_of(leg))
            if quantity > 0:
                part = self._legs.begin(TakeBack(leg, seconds), quantity)
                self._taken.append((leg, part))
                begun.append(part)
                excess -= quantity
        return begun

    def _taken_of(self, leg: LegRecord) -> int:
        return sum(back.booked_increments for taken, part in self._taken if taken is leg for back in part.legs)

    def _own(self) -> Iterator[LegRecord]:
        return (leg for part in self._parts for leg in part.legs if leg.leg.purpose is self._purpose)

    def _back(self) -> Iterator[LegRecord]:
        """What takes back: also what a nested policy itself took back of its own legs."""
        own_side = self._order.side
        for part in [*self._parts, *(part for _, part in self._taken)]:
            for leg in part.legs:
                of_hedge = leg.leg.ticket.side is own_side
                if leg.leg.purpose is Purpose.UNWIND and of_hedge is self.share.opposite:
                    yield leg
