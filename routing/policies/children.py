"""What combinators share: children, deadlines, a single leg as a policy, and reasons that add up."""

import math
from collections.abc import Iterable
from typing import Any, cast

import attrs

from ticktree.actors import Clock
from ticktree.actors.clock import NS

from ..errors import BadPolicy, Refusal, Refused
from ..orders import Execution, Order, Purpose, TimeInForce
from ..records import LegRecord
from ..sends import CANCELED
from .policy import Legs, Part, Policy

Child = str | Policy  # the name of a venue, or what is worked in its place


def _where(owner: object, field: "attrs.Attribute[Any]") -> str:
    """A field as whoever writes the policy calls it."""
    return f"{type(owner).__name__}: {field.alias or field.name}"


def positive(owner: object, field: "attrs.Attribute[Any]", value: object) -> None:
    """A validator: a number of seconds above 0. Raises `BadPolicy`."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < cast(float, value) < math.inf:
        raise BadPolicy(f"{_where(owner, field)} is a number of seconds above 0, as in 0.25; not {value!r}")


def at_least_one(owner: object, field: "attrs.Attribute[Any]", value: object) -> None:
    """A validator: a whole number from 1 on. Raises `BadPolicy`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadPolicy(f"{_where(owner, field)} is a whole number from 1 on; not {value!r}")


def child(owner: object, field: "attrs.Attribute[Any]", value: object) -> None:
    """A validator: a venue's name or a policy. Raises `BadPolicy`."""
    named = isinstance(value, str) and value
    worked = not isinstance(value, type) and hasattr(value, "execute") and hasattr(value, "venues")
    if not named and not worked:
        what = f'{_where(owner, field)}: a venue is written by its name, as in "binance", or as a policy'
        raise BadPolicy(f"{what}; not {value!r:.80}")


def children(owner: object, field: "attrs.Attribute[Any]", value: "tuple[Child, ...]") -> None:
    """A validator: one child or more, none twice. Raises `BadPolicy`."""
    if not value:
        raise BadPolicy(f'{_where(owner, field)} names one venue or more, as in ("a", "b")')
    for one in value:
        child(owner, field, one)
    once(owner, field, value)


def names(owner: object, field: "attrs.Attribute[Any]", value: "tuple[str, ...]") -> None:
    """A validator: one venue or more by name, none twice. Raises `BadPolicy`."""
    children(owner, field, value)
    for one in value:
        if not isinstance(one, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # users check no types
            raise BadPolicy(f"{_where(owner, field)} are names of venues, no policies; not {one!r:.80}")


def once(owner: object, field: "attrs.Attribute[Any]", value: "tuple[Child, ...]") -> None:
    """A validator: no venue's name stands twice side by side. Raises `BadPolicy`."""
    plain = [one for one in value if isinstance(one, str)]
    twice = next((one for one in plain if plain.count(one) > 1), None)
    if twice is not None:
        raise BadPolicy(f"{_where(owner, field)} names {twice!r} twice; once is enough")


def together(values: "Iterable[Child] | Child") -> "tuple[Child, ...]":
    """A converter: what was given as a tuple. A text alone would fall into letters. Raises `BadPolicy`."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise BadPolicy(f'venues are written in brackets, as in ("a", "b"); not {values!r:.80}')
    return tuple(values)


def together_names(values: "Iterable[str] | str") -> tuple[str, ...]:
    """The same, of names."""
    return cast(tuple[str, ...], together(values))


def venues_of(values: "Iterable[Child]") -> tuple[str, ...]:
    """The venues that children name, each once, in order."""
    found = dict[str, None]()
    for one in values:
        found.update(dict.fromkeys((one,) if isinstance(one, str) else one.venues))
    return tuple(found)


def at_once(order: Order) -> TimeInForce | None:
    """IOC, unless the order says otherwise, or is to rest."""
    if order.time_in_force is not None or order.post_only:
        return order.time_in_force
    return TimeInForce.IOC


def due(clock: Clock, seconds: float) -> int:
    """When `seconds` will have passed."""
    return clock.monotonic_ns() + round(seconds * NS)


def left_s(clock: Clock, due_ns: int) -> float:
    """How much time is left."""
    return (due_ns - clock.monotonic_ns()) / NS


@attrs.frozen
class OneLeg:
    """A venue as a policy: one leg, which is waited for; `again`: as the next attempt of that leg."""

    venue: str
    deadline_s: float
    time_in_force: TimeInForce | None = None
    purpose: Purpose = Purpose.WORK
    again: LegRecord | None = None

    @property
    def venues(self) -> tuple[str, ...]:
        return (self.venue,)

    def execute(self, order: Order, legs: Legs) -> None:
        quantity = order.quantity_increments
        if self.again is not None:
            legs.retry(self.again, quantity)
        else:
            legs.send(self.venue, quantity, time_in_force=self.time_in_force, purpose=self.purpose)
        legs.answer_after(self.deadline_s)


@attrs.frozen
class TakeBack:
    """The unwinding of a leg as a policy."""

    leg: LegRecord
    deadline_s: float

    @property
    def venues(self) -> tuple[str, ...]:
        return (self.leg.leg.venue,)

    def execute(self, order: Order, legs: Legs) -> None:
        legs.unwind(self.leg, order.quantity_increments)
        legs.answer_after(self.deadline_s)


async def all_accounted(legs: Legs, reason: str = "") -> Execution:
    """Wait for all legs of this part."""
    await legs.accounted()
    return legs.execution(reason)


async def answered(part: Part) -> None:
    """Wait for the deadline of `part`, or its end; whether it was refused is told by its end."""
    try:
        await part.answered()
    except Refused:
        pass


class Reasons:
    """What went otherwise than wished, and whether anything was sent at all."""

    def __init__(self) -> None:
        self.refusals = 0
        self._said: list[str] = []
        self._refusals: list[Refusal] = []
        self._sent = False

    async def outcome(self, what: Child, part: Part) -> None:
        """Wait for the end of `part`."""
        try:
            execution = await part.ended()
        except Refused as refused:
            self.refused(what, refused)
        else:
            self.sent()
            if not isinstance(what, str):
                self.say(execution.reason)

    def sent(self) -> None:
        """Something was."""
        self._sent = True

    @property
    def canceled(self) -> bool:
        """Whether something was refused because this part was canceled."""
        return any(refusal.limit == CANCELED for refusal in self._refusals)

    def refused(self, what: Child, refused: Refused) -> None:
        """`what` was passed over."""
        self._refusals.append(refused.refusal)
        self.refusals += 1
        self.say(f"{what if isinstance(what, str) else type(what).__name__}: {refused}")

    def say(self, reason: str) -> None:
        """Keep `reason`."""
        if reason and reason not in self._said:
            self._said.append(reason)

    def text(self) -> str:
        """All of them. Raises `Refused` when nothing was sent."""
        if self._sent or not self._refusals:
            return "; ".join(self._said)
        first = self._refusals[0]
        if len(self._refusals) == 1:
            raise Refused(first)
        raise Refused(Refusal(first.limit, first.allowed, first.attempted, "; ".join(self._said)))
