"""How an order is worked: what a policy is, and what it may do with the order it works."""

from collections.abc import Coroutine, Iterable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from ticktree.actors import Clock

from ..gateway import VenueRules
from ..orders import Execution, Order, Purpose, TimeInForce
from ..records import LegRecord
from ..reports import VenueQuote


class Part(Protocol):
    """A nested policy at work on a part of the order."""

    async def answered(self) -> Execution:
        """Wait for its deadline or its end, whichever comes first: what is known then. Raises `Refused` when it ended
        without having sent anything."""
        ...

    async def ended(self) -> Execution:
        """Wait until every leg of it is accounted for. Raises `Refused` when it never sent any."""
        ...

    def cancel(self) -> None:
        """Send no more, and take back what is out; `ended` tells when that is known to have happened."""
        ...

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        ...

    @property
    def legs(self) -> tuple[LegRecord, ...]:
        """What it sent so far."""
        ...


class Legs(Protocol):
    """A policy's hands: one order, or the part of it that a nested policy works. Single-threaded, on the router's loop.

    A leg is *accounted for* when its venue's word is terminal and all fills that the venue counts are booked.
    """

    @property
    def order(self) -> Order:
        """What is to be worked here; the quantity is this part's."""
        ...

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    @property
    def venues(self) -> Mapping[str, VenueRules]:
        """Where the router may send to, and what is declared there."""
        ...

    @property
    def remaining_increments(self) -> int:
        """What may still be sent without any over-fill: the quantity less fills and less all that is open, here."""
        ...

    def send(  # what a leg is made of
        self,
        venue: str,
        quantity_increments: int,
        limit_increments: int | None = None,
        time_in_force: TimeInForce | None = None,
        purpose: Purpose = Purpose.WORK,
    ) -> LegRecord:
        """Send a leg, on the order's side (HEDGE: on the other). No limit: the order's (HEDGE: its opposite one). No
        time in force: the order's, else GTC. What a leg was filled for is taken back by `unwind`.

        Raises `Refused` when it was not sent: risk, a venue that is not ready, over-fill beyond what the caller
        granted, or an order that was canceled. Raises `UnknownVenue`.
        """
        ...

    def retry(self, leg: LegRecord, quantity_increments: int) -> LegRecord:
        """Send the same leg again, its next attempt, for `quantity_increments`. Raises `Refused`, also when the former
        attempt is not accounted for."""
        ...

    def unwind(self, leg: LegRecord, quantity_increments: int) -> LegRecord:
        """Take back what a leg was filled for: the other way at its venue, at the market, IOC. Raises `Refused`, also
        for more than it was filled for and was not taken back yet."""
        ...

    def cancel(self, *legs: LegRecord) -> None:
        """Take legs back (all of this part, if none is named), again and again until there is evidence. Waits not."""
        ...

    def begin(self, policy: "Policy", quantity_increments: int) -> Part:
        """Have another policy work a part of this order."""
        ...

    def answer_after(self, seconds: float) -> None:
        """Let the caller go on at the latest then, with what is known by then; legs live on until the venues' word."""
        ...

    async def accounted(self, *legs: LegRecord) -> None:
        """Wait until these legs (all of this part, if none is named) are accounted for."""
        ...

    async def changed(self) -> None:
        """Wait for the next news: of any leg of this part, of a nested part that ended, of the deadline that passed.
        Raises `Refused` when this part was canceled and nothing can come any more."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait, on the router's clock. Raises `Refused` once this part is canceled."""
        ...

    async def quotes(self, venues: Iterable[str], within_s: float) -> dict[str, VenueQuote]:
        """Ask venues, all at once, what they display; those that answered in time. Raises `Refused` once this part is
        canceled."""
        ...

    def execution(self, reason: str = "") -> Execution:
        """What is known of this part at this moment."""
        ...


class Policy(Protocol):
    """Works an order by sending legs; a value, which may work many orders at a time."""

    @property
    def venues(self) -> tuple[str, ...]:
        """The venues it names, those of nested policies included."""
        ...

    def execute(self, order: Order, legs: Legs) -> Coroutine[Any, Any, Execution] | None:
        """Work `order`, and end when every leg is accounted for. `legs.answer_after` lets the caller go on before.

        May be `async`, or a plain function that sends at once and returns what goes on, which saves a turn of the
        loop; None where nothing does: the order is over when every leg is accounted for.
        """
        ...


def cost(price: Decimal, rules: VenueRules, buys: bool) -> Decimal:
    """What one unit costs, or brings, at `price` for who takes it, fees included."""
    fee = price * rules.fees.taker + rules.fees.per_unit  # the first tier's: who trades enough for another knows
    return price + fee if buys else price - fee
