"""Several venues, all of which are sent to."""

from collections.abc import Coroutine, Iterable
from typing import Any

import attrs

from ..errors import BadPolicy
from ..orders import Execution, Order
from .any_of import AnyOf
from .children import Child, Reasons, once, positive, venues_of
from .compensation import COMPENSATIONS, Begun, Compensation, Hold, Retry, Unwind, compensate, settled
from .policy import Legs
from .shares import Progress, Share, split
from .timeout import Timeout


def _shares(values: "Iterable[Share | Child] | Share | Child") -> tuple[Share, ...]:
    if isinstance(values, str | Share) or not isinstance(values, Iterable):
        raise BadPolicy(f'shares are written in brackets, as in ("a", Share("b", weight=2)); not {values!r:.80}')
    return tuple(one if isinstance(one, Share) else Share(one) for one in values)


@attrs.frozen
class AllOf:
    """Every leg is sent, whatever becomes of the others; the result has each one's true state. Not atomic.

    The quantity is split over the shares by their weights, exactly; opposite shares split it once more among
    themselves. At the deadline the caller goes on. Once every leg is accounted for, `compensation` mends what was
    filled unevenly, in so many attempts and so much time: `Hold` nothing, `Unwind` brings every share down to the least
    filled one, `Retry` sends again what is lacking. So that this can begin, both take back at the deadline what is
    still out; `Hold` leaves it.
    """

    parts: tuple[Share, ...] = attrs.field(converter=_shares, metadata={"key": "venues", "of": Share})
    deadline_s: float = attrs.field(validator=positive)
    compensation: Compensation = attrs.field(factory=Hold, metadata={"kinds": COMPENSATIONS})

    def __attrs_post_init__(self) -> None:
        if all(share.opposite for share in self.parts):
            raise BadPolicy('AllOf: a share or more is on the order\'s side, as in ("a", Share("b", opposite=True))')
        for opposite in (False, True):
            once(self, attrs.fields(AllOf).parts, tuple(s.child for s in self.parts if s.opposite is opposite))
        if not isinstance(self.compensation, Hold | Unwind | Retry):  # pyright: ignore[reportUnnecessaryIsInstance]  # users check no types
            raise BadPolicy(f"AllOf: compensation is Hold(), Unwind(...) or Retry(...); not {self.compensation!r:.80}")
        nested = next((share.child for share in self.parts if hedges(share.child)), None)
        if nested is not None and not isinstance(self.compensation, Hold):
            raise BadPolicy(f"AllOf: with compensation no nested policy has opposite shares; not {nested!r:.80}")

    @property
    def venues(self) -> tuple[str, ...]:
        """Of all shares, each once."""
        return venues_of(share.child for share in self.parts)

    def execute(self, order: Order, legs: Legs) -> Coroutine[Any, Any, Execution]:
        """All legs leave without a turn of the loop."""
        reasons, shares = Reasons(), self._split(order, legs)
        for one in shares:
            if not one.quantity_increments:
                reasons.say(f"nothing of it falls to {one.share.name}")
        shares = [one for one in shares if one.quantity_increments]
        begun: Begun = [(one.share.child, one.begin(one.quantity_increments, self.deadline_s)) for one in shares]
        legs.answer_after(self.deadline_s)
        return self._work(begun, shares, legs, reasons)

    async def _work(self, begun: Begun, shares: list[Progress], legs: Legs, reasons: Reasons) -> Execution:
        if isinstance(self.compensation, Hold):
            await settled(begun, reasons, takes_back=False)
        else:
            await settled(begun, reasons, takes_back=True)
            await compensate(self.compensation, shares, legs, reasons)
        return legs.execution(reasons.text())

    def _split(self, order: Order, legs: Legs) -> list[Progress]:
        found = list[Progress]()
        for opposite in (False, True):
            shares = [share for share in self.parts if share.opposite is opposite]
            quantities = split(order.quantity_increments, [share.weight for share in shares])
            found += [Progress(*pair, order, legs) for pair in zip(shares, quantities, strict=True)]
        return found


def hedges(policy: Child) -> bool:
    """Whether `policy`, or one nested in it, trades on both sides; of yours it is not known."""
    match policy:
        case AllOf():
            return any(share.opposite or hedges(share.child) for share in policy.parts)
        case AnyOf():
            return any(map(hedges, policy.children))
        case Timeout():
            return hedges(policy.child)
        case _:
            return False
