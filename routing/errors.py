"""Every error routing raises. What a venue answers is no error: it is in the report and the execution.

RoutingError
├── BadOrder (ValueError)         yours: an order that could never be sent
├── BadPolicy (ValueError)        yours: a policy that could never work
├── BadLimit (ValueError)         yours: a risk limit that means nothing
├── Refused                       an order or a leg that was not sent; no byte of it left
├── UnknownVenue (LookupError)    yours: a policy names a venue that its router does not have
├── UnknownOrder (LookupError)    yours: no such order, or it is over
├── UnknownMessage (TypeError)    yours: a router or venue was told something it does not understand
├── NotConnected                  a gateway cannot say anything now; no byte left
└── JournalError
    ├── JournalFailed             it cannot be written any more
    ├── JournalCorrupt            it is damaged before its end
    ├── JournalForeign            it is no journal, or of a version that is not known here
    ├── JournalOwned              another process has it
    └── JournalUnsafe (ValueError) its path is a link, or others may write to it
"""

from collections.abc import Iterable

import attrs


class RoutingError(Exception):
    """Base of everything this room raises."""


class BadOrder(RoutingError, ValueError):
    """An order that could never be sent."""


OptionPath = tuple[str | int, ...]


class BadPolicy(RoutingError, ValueError):
    """A policy that could never work.

    `faults`: where a configuration of it is wrong, as keys and places in lists, and how; empty for a policy from code.
    """

    def __init__(self, why: str, faults: "Iterable[tuple[OptionPath, str]]" = ()) -> None:
        super().__init__(why)
        self.faults = tuple(faults)

    @classmethod
    def of(cls, faults: "Iterable[tuple[OptionPath, str]]") -> "BadPolicy":
        """All that is wrong, at once."""
        found = tuple(faults)
        return cls("; ".join(why for _, why in found), found)

    def within(self, *keys: str | int) -> "tuple[tuple[OptionPath, str], ...]":
        """The faults of what stands at `keys`."""
        return tuple(((*keys, *path), why) for path, why in self.faults or (((), str(self)),))


class BadLimit(RoutingError, ValueError):
    """A risk limit that means nothing."""


@attrs.frozen
class Refusal:
    """Why an order or a leg was not sent. `limit` names what stood against it; its value and the attempt's as text."""

    limit: str
    allowed: str = ""
    attempted: str = ""
    because: str = ""

    def __str__(self) -> str:
        values = f": {self.attempted}, where {self.allowed} is allowed" if self.attempted else ""
        return f"{self.limit}{values}{': ' if self.because else ''}{self.because}"


class Refused(RoutingError):
    """An order or a leg that was not sent: no byte of it left."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class UnknownVenue(RoutingError, LookupError):
    """A policy names a venue that its router does not have."""

    def __init__(self, router: str, venue: str, known: Iterable[str]) -> None:
        super().__init__(f"router {router} has no venue {venue!r}, only {', '.join(known) or 'none'}")
        self.router, self.venue = router, venue


class UnknownOrder(RoutingError, LookupError):
    """No such order, or it is over."""


class UnknownMessage(RoutingError, TypeError):
    """An actor was told something that it does not understand."""

    def __init__(self, path: str, message: object) -> None:
        super().__init__(f"{path} was told {message!r}, which it does not understand")
        self.path = path


class NotConnected(RoutingError):
    """A gateway cannot say anything now; no byte left."""


class JournalError(RoutingError):
    """Base of what is wrong with a journal; `path` is its file."""

    def __init__(self, path: object, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path


class JournalFailed(JournalError):
    """It cannot be written any more: nothing new is sent from then on."""


class JournalCorrupt(JournalError):
    """It is damaged before its end, so that facts are missing in the middle; `offset` is where."""

    def __init__(self, path: object, offset: int, what: str) -> None:
        super().__init__(path, f"damaged at byte {offset:,}: {what}")
        self.offset = offset


class JournalForeign(JournalError):
    """It is no journal, or of a version that is not known here."""


class JournalOwned(JournalError):
    """Another process has it, `owner` by its own word."""

    def __init__(self, path: object, owner: str) -> None:
        super().__init__(path, f"{owner} writes to it; two writers would send orders twice. Stop that one first")
        self.owner = owner


class JournalUnsafe(JournalError, ValueError):
    """Its path is a link, or others may write to it."""
