"""Every error routing raises. What a venue answers is no error: it is in the report and the execution.

RoutingError
├── BadOrder (ValueError)         yours: an order that could never be sent
├── UnknownVenue (LookupError)    yours: a policy names a venue that its router does not have
└── UnknownMessage (TypeError)    yours: a router or venue was told something it does not understand
"""

from collections.abc import Iterable


class RoutingError(Exception):
    """Base of everything this room raises."""


class BadOrder(RoutingError, ValueError):
    """An order that could never be sent."""


class UnknownVenue(RoutingError, LookupError):
    """A policy names a venue that its router does not have."""

    def __init__(self, router: str, venue: str, known: Iterable[str]) -> None:
        super().__init__(f"router {router} has no venue {venue!r}, only {', '.join(known) or 'none'}")
        self.router, self.venue = router, venue


class UnknownMessage(RoutingError, TypeError):
    """An actor was told something that it does not understand."""

    def __init__(self, path: str, message: object) -> None:
        super().__init__(f"{path} was told {message!r}, which it does not understand")
        self.path = path
