"""What routers say to venue actors, and what they hear from them."""

from collections.abc import Callable

import msgspec

from ticktree.market import Instrument

from .ledger import News
from .records import LegRecord
from .reports import VenueQuote


class SubmitLeg(msgspec.Struct, frozen=True):
    """Send this leg; it stands in the journal already."""

    record: LegRecord


class CancelLeg(msgspec.Struct, frozen=True):
    """Take this leg back."""

    record: LegRecord


class ReplaceLeg(msgspec.Struct, frozen=True):
    """Change this leg to that whole quantity and limit."""

    record: LegRecord
    quantity_increments: int
    limit_increments: int | None


class AskQuote(msgspec.Struct, frozen=True):
    """What is displayed? `answer` is called once."""

    instrument: Instrument
    answer: Callable[[VenueQuote | None], None]


class Heard(msgspec.Struct, frozen=True):
    """News about a leg, for the router that sent it."""

    news: News
