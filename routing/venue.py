"""What every venue has in common: it takes legs, cancels and queries, and answers with reports."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import attrs

from ticktree.actors import Actor, ActorRef
from ticktree.market import (
    Bar,
    BookUpdate,
    FeedStatus,
    Gap,
    InstrumentStatus,
    Live,
    Quote,
    Skipped,
    Stale,
    Trade,
)

from .errors import UnknownMessage
from .orders import ExecutionReport, Leg
from .portfolio import Portfolio


@attrs.frozen
class SubmitLeg:
    """Work this leg, and report to `reports`."""

    leg: Leg
    reports: ActorRef[Any]


@attrs.frozen
class CancelLeg:
    """Take this leg back."""

    leg: Leg
    reports: ActorRef[Any]


@attrs.frozen
class QueryLeg:
    """Say what became of this leg."""

    leg: Leg
    reports: ActorRef[Any]


VenueMessage = SubmitLeg | CancelLeg | QueryLeg


class Venue(Actor[Any]):
    """The base of all venues. It books a report before it tells anyone."""

    def __init__(self, name: str, portfolio: Portfolio) -> None:
        self.name, self.portfolio = name, portfolio

    @abstractmethod
    def submit(self, leg: Leg, reports: ActorRef[Any]) -> None:
        """Work `leg`."""

    @abstractmethod
    def cancel(self, leg: Leg, reports: ActorRef[Any]) -> None:
        """Take `leg` back, if it is not over."""

    @abstractmethod
    def query(self, leg: Leg, reports: ActorRef[Any]) -> None:
        """Report the state of `leg`."""

    def on_message(self, message: Any) -> None:
        match message:
            case SubmitLeg(leg, reports):
                self.submit(leg, reports)
            case CancelLeg(leg, reports):
                self.cancel(leg, reports)
            case QueryLeg(leg, reports):
                self.query(leg, reports)
            case Quote():
                self.on_quote(message)
            case (
                Trade()
                | BookUpdate()
                | Bar()
                | FeedStatus()
                | InstrumentStatus()
                | Gap()
                | Stale()
                | Live()
                | Skipped()
            ):
                pass
            case _:  # refs found by path take anything
                raise UnknownMessage(self.path, message)

    def on_quote(self, quote: Quote) -> None:
        """A price to go by, where the venue is given any."""

    def report(self, report: ExecutionReport, to: ActorRef[Any]) -> None:
        """Book `report`, then tell the router; a report that is known already goes no further."""
        news = self.portfolio.apply(report)
        if news is not None:
            to.tell_control(news)


Venues = Mapping[str, str]  # name -> path in the tree
