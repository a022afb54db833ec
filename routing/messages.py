"""What routers say to venue actors, and what they hear from them."""

from collections.abc import Callable

import attrs

from ticktree.market import Instrument

from .ledger import News
from .records import LegRecord
from .reports import VenueQuote


@attrs.frozen
class SubmitLeg:
    """Send this leg; it stands in the journal already."""

    record: LegRecord


@attrs.frozen
class CancelLeg:
    """Take this leg back."""

    record: LegRecord


@attrs.frozen
class ReplaceLeg:
    """Change this leg to that whole quantity and limit."""

    record: LegRecord
    quantity_increments: int
    limit_increments: int | None


@attrs.frozen
class AskQuote:
    """What is displayed? `answer` is called once."""

    instrument: Instrument
    answer: Callable[[VenueQuote | None], None]


@attrs.frozen
class Heard:
    """News about a leg, for the router that sent it."""

    news: News
