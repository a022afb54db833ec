"""The venue with the best price."""

import attrs

from ..errors import BadPolicy, Refusal, Refused
from ..orders import Execution, Order
from .children import all_accounted, due, left_s, names, positive, together_names
from .displays import Display, displays
from .policy import Legs


def within(quotes_within_s: float | None, deadline_s: float, owner: object) -> None:
    """Raises `BadPolicy` when quotes may take as long as all."""
    if quotes_within_s is not None and quotes_within_s >= deadline_s:
        what = f"{type(owner).__name__}: quotes_within_s is below deadline_s ({deadline_s:g})"
        raise BadPolicy(f"{what}, or there is no time left to send; not {quotes_within_s:g}")


@attrs.frozen
class BestOf:
    """Ask all venues for quotes at once, take the best price after fees, and work the order there as `Timeout` does.

    Only prices no older than `max_price_age_s` and within the order's limit count; of equal ones the venue named first.
    Venues that have not answered after `quotes_within_s` (a quarter of the deadline, unless told) do not count.
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
        """Raises `Refused` when no venue has a fresh price within the limit."""
        due_ns = due(legs.clock, self.deadline_s)
        legs.answer_after(self.deadline_s)
        quotes_within_s = self.quotes_within_s or self.deadline_s / 4
        shown = await displays(order, legs, self.among, quotes_within_s, self.max_price_age_s)
        in_time(legs, due_ns)
        legs.send(best(shown).venue, order.quantity_increments)
        return await all_accounted(legs)


def best(shown: list[Display]) -> Display:
    """The display with the best price."""
    return min((one for one in shown if one.levels), key=lambda one: one.levels[0].rank)


def in_time(legs: Legs, due_ns: int) -> None:
    """Raises `Refused` when the deadline passed."""
    if left_s(legs.clock, due_ns) <= 0:
        raise Refused(Refusal("deadline", because="it passed while quotes were asked for"))
