"""What venues display, taken over all of them."""

import attrs

from ..errors import Refusal, Refused
from ..orders import Execution, Order
from .best import in_time, within
from .children import Reasons, at_once, due, names, positive, together_names
from .displays import Display, displays
from .policy import Legs


@attrs.frozen
class Take:
    """What is taken at one venue, down to the worst of the prices used there."""

    venue: str
    quantity_increments: int
    limit_increments: int


@attrs.frozen
class Sweep:
    """Split the order over what venues display, best price after fees first, down to the order's limit.

    One leg a venue, IOC unless the order says otherwise, with the worst price used there as its limit; of equal prices
    the venue named first is used up first. What nobody displays within the limit stays unfilled, and the reason says
    how much. Prices and answers count as in `BestOf`. The caller goes on at the deadline; nothing is sent after it.
    """

    among: tuple[str, ...] = attrs.field(alias="venues", converter=together_names, validator=names)
    max_price_age_s: float = attrs.field(validator=positive, kw_only=True)
    deadline_s: float = attrs.field(validator=positive, kw_only=True)
    quotes_within_s: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(positive), kw_only=True
    )

    def __attrs_post_init__(self) -> None:
        within(self.quotes_within_s, self.deadline_s, self)

    @property
    def venues(self) -> tuple[str, ...]:
        """Those it may choose from."""
        return self.among

    async def execute(self, order: Order, legs: Legs) -> Execution:
        """Raises `Refused` when nothing fresh is displayed within the limit, and when every venue refuses."""
        if order.post_only:
            raise Refused(Refusal("post_only", because="a sweep takes what is displayed, it cannot add to it"))
        due_ns = due(legs.clock, self.deadline_s)
        legs.answer_after(self.deadline_s)
        quotes_within_s = self.quotes_within_s or self.deadline_s / 4
        shown = await displays(order, legs, self.among, quotes_within_s, self.max_price_age_s)
        in_time(legs, due_ns)
        takes = allocate(shown, order.quantity_increments)
        reasons = Reasons()
        for take in takes:
            _send(take, order, legs, reasons)
        missing = order.quantity_increments - sum(take.quantity_increments for take in takes)
        if missing:
            reasons.say(f"{order.instrument.size(missing)} is displayed nowhere within the limit")
        reason = reasons.text()
        await legs.accounted()
        return legs.execution(reason)


def _send(take: Take, order: Order, legs: Legs, reasons: Reasons) -> None:
    try:
        legs.send(take.venue, take.quantity_increments, take.limit_increments, at_once(order))
    except Refused as refused:
        reasons.refused(take.venue, refused)
    else:
        reasons.sent()


def allocate(shown: list[Display], quantity_increments: int) -> list[Take]:
    """How `quantity_increments` is spread over displayed sizes: a take a venue, those with the best prices first."""
    levels = [(level.rank, place, level) for place, one in enumerate(shown) for level in one.levels]
    levels.sort(key=lambda entry: entry[:2])
    takes = dict[int, Take]()
    for _, place, level in levels:
        taken = min(level.size_increments, quantity_increments)
        if not taken:
            break
        quantity_increments -= taken
        before = takes.get(place)
        so_far = before.quantity_increments if before is not None else 0
        takes[place] = Take(shown[place].venue, so_far + taken, level.price_increments)
    return list(takes.values())
