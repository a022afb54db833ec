"""How market data conflates in a mailbox that cannot keep up."""

from collections.abc import Hashable
from typing import Any

from .events import Quote


class LatestQuote:
    """One slot a feed and instrument: a newer quote takes the place of the older. Nothing else conflates."""

    def key(self, message: Any) -> Hashable | None:
        """The slot of a quote; None for everything else."""
        return (message.feed, message.instrument.name) if type(message) is Quote else None

    def merge(self, older: Any, newer: Any) -> tuple[Any, int]:
        """The newer one; it weighs one tick."""
        return newer, 1


latest_quote = LatestQuote()
