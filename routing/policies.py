"""How an order is worked, as values; a router runs one policy for each order."""

import asyncio
from typing import Protocol

import attrs

from .orders import Execution, Leg, Order


class Legs(Protocol):
    """What a policy may do with the order it works."""

    def send(self, venue: str, quantity_increments: int) -> Leg:
        """Send a part of the order to `venue`. Raises `UnknownVenue`."""
        ...

    async def ended(self, leg: Leg) -> None:
        """Wait for the venue's word that a leg is over."""
        ...

    def overdue(self, leg: Leg) -> None:
        """Nobody waits for this leg any more; where the venue has not said a word, its state is unknown."""
        ...

    def execution(self) -> Execution:
        """What is known at this moment."""
        ...


class Policy(Protocol):
    """Works an order by sending legs. `venues` are those it may send to."""

    @property
    def venues(self) -> tuple[str, ...]:
        """The venues it names."""
        ...

    async def execute(self, order: Order, legs: Legs) -> Execution:
        """Work `order`; the answer its strategy gets."""
        ...


@attrs.frozen
class Timeout:
    """One venue, a deadline: the caller goes on at the deadline with what is known by then.

    The order lives on until the venue's word: a timeout is no rejection and cancels nothing. An answer that came
    before the deadline was noticed is the real one.
    """

    venue: str
    deadline_s: float

    def __attrs_post_init__(self) -> None:
        if not 0 < self.deadline_s < float("inf"):
            raise ValueError(f"a deadline is a number of seconds above 0; not {self.deadline_s!r}")

    @property
    def venues(self) -> tuple[str, ...]:
        """The one."""
        return (self.venue,)

    async def execute(self, order: Order, legs: Legs) -> Execution:
        """Send the whole order, and wait."""
        leg = legs.send(self.venue, order.quantity_increments)
        try:
            async with asyncio.timeout(self.deadline_s):
                await legs.ended(leg)
        except TimeoutError:
            legs.overdue(leg)
        return legs.execution()
