"""What is held and what it is worth: an actor that answers from the facts, and watches what must never happen."""

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any

import attrs

from ticktree.actors import Actor, Request

from .errors import UnknownMessage
from .holdings import PortfolioSnapshot
from .latency import LatencySummary, Stage
from .ledger import Ledger
from .office import Office
from .orders import OrderState

log = logging.getLogger("ticktree.routing")


@attrs.frozen
class AskPortfolio(Request[PortfolioSnapshot]):
    """Positions, average prices, profit, fees and exposure, by strategy and in all, at the freshest prices."""


@attrs.frozen
class AskLatencies(Request[dict[str, dict[Stage, LatencySummary]]]):
    """How long each stage of an order took, by venue and stage."""


@attrs.frozen
class AskOrders(Request["OrderCounts"]):
    """How orders stand and ended."""


@attrs.frozen
class OrderCounts:
    """Of this process and those before it. `overfilled` were filled beyond their quantity, `overfilled_beyond` also
    beyond what was granted: that must never be."""

    open: int
    unknown_legs: int
    quarantined: tuple[str, ...]
    fills: int
    overfilled: int
    overfilled_beyond: int
    halted: str

    @classmethod
    def of(cls, ledger: Ledger) -> "OrderCounts":
        """As of now."""
        legs = [leg for record in ledger.open_orders.values() for leg in record.legs.values()]
        unknown = sum(leg.state is OrderState.UNKNOWN for leg in legs)
        return cls(
            len(ledger.open_orders), unknown, tuple(ledger.quarantine), ledger.fills, ledger.overfilled,
            ledger.overfilled_beyond, ledger.halted,
        )  # fmt: skip


@attrs.frozen
class RouterCounts:
    """What became of the orders of one router; of this process and those before it. `ended`: by state."""

    open: int
    ended: dict[OrderState, int]
    fills: int
    overfilled: int
    overfilled_beyond: int

    @classmethod
    def of(cls, ledger: Ledger, names: Iterable[str] = ()) -> "dict[str, RouterCounts]":
        """By router, `names` and whoever else had orders."""
        tallies, open = ledger.tallies, Counter(record.router for record in ledger.open_orders.values())
        places = dict.fromkeys((*names, *sorted({*open, *tallies.orders.places(), *tallies.router_fills})))
        return {
            name: cls(
                open[name], tallies.orders.at(name), tallies.router_fills[name], tallies.overfilled[name],
                tallies.overfilled_beyond[name],
            )
            for name in places
        }  # fmt: skip


@attrs.frozen
class VenueCounts:
    """What became of the legs at one venue. `open` are not accounted for; `unknown` of them are in doubt.

    `overfilled` were filled beyond what they asked for; `quarantined` names what its facts do not explain.
    """

    open: int
    unknown: int
    quarantined: tuple[str, ...]
    ended: dict[OrderState, int]
    fills: int
    overfilled: int

    @classmethod
    def of(cls, ledger: Ledger, names: Iterable[str] = ()) -> "dict[str, VenueCounts]":
        """By venue, `names` and wherever else legs were."""
        tallies = ledger.tallies
        places = dict.fromkeys((*names, *sorted({*ledger.venues(), *tallies.legs.places(), *tallies.venue_fills})))
        return {
            name: cls(
                len(ledger.at(name)),
                sum(leg.state is OrderState.UNKNOWN for leg in ledger.at(name).values()),
                tuple(what for what, item in ledger.quarantine.items() if item.venue == name),
                tallies.legs.at(name), tallies.venue_fills[name], tallies.overfilled_legs[name],
            )
            for name in places
        }  # fmt: skip


@attrs.frozen
class _Look:
    """It is time to look."""


class Portfolio(Actor[Any]):
    """Positions belong to no life of anybody: they follow from the journal, and outlive strategies, and this."""

    def __init__(self, office: Office, look_s: float = 1.0) -> None:
        self.office, self._look_s = office, look_s
        self._overfilled = 0

    def on_start(self) -> None:
        self._overfilled = self.office.ledger.overfilled_beyond
        self.every(self._look_s, _Look())

    def on_message(self, message: Any) -> None:
        match message:
            case AskPortfolio():
                message.reply(self.snapshot())
            case AskLatencies():
                message.reply(self.office.latencies.summaries())
            case AskOrders():
                message.reply(OrderCounts.of(self.office.ledger))
            case _Look():
                self._look()
            case _:  # refs found by path take anything
                raise UnknownMessage(self.path, message)

    def snapshot(self) -> PortfolioSnapshot:
        """At the freshest prices."""
        return self.office.ledger.snapshot(self.office.prices)

    def _look(self) -> None:
        """An over-fill is booked first, and then told to whoever watches."""
        count = self.office.ledger.overfilled_beyond
        if count > self._overfilled:
            log.error("%d orders more were filled beyond what was granted", count - self._overfilled)
            self._overfilled = count
