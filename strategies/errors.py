"""Every error a strategy's base raises.

StrategyError
├── NotAtDesk (RuntimeError)      yours: it was made by hand, so nobody gave it a desk to trade from
├── ColumnsConflate (TypeError)   yours: a class that takes columns declares a mailbox that conflates single events
├── BadStrategy (TypeError)       yours: a class with a misspelt handler, or with topics that are one text
├── NoBook (LookupError)          yours: a book that nobody tells it, or that several feeds tell
└── BadParams (ValueError)        yours: no parameters, or others than its class says
"""

from collections.abc import Sequence
from difflib import get_close_matches


class StrategyError(Exception):
    """Base of everything this room raises."""


class NotAtDesk(StrategyError, RuntimeError):
    """The strategy has no desk: it was made by hand, or speaks before it runs."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} cannot trade yet: it has its desk from on_start on, when run(...) or an App runs it")


class ColumnsConflate(StrategyError, TypeError):
    """A class that takes columns declares a mailbox that conflates single events."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} overrides on_batch, and its mailbox conflates single events: leave the mailbox out, or declare "
            "Mailbox(capacity, DropOldest(), batch_rows)"
        )


class BadStrategy(StrategyError, TypeError):
    """A class that can only be a mistake."""

    @classmethod
    def misspelt(cls, name: str, method: str, handler: str) -> "BadStrategy":
        """A method is named almost as a handler is."""
        hint = "If it is none of the handlers, name it otherwise"
        return cls(f"{name}.{method} is called by nobody: did you mean {handler!r}? {hint}")

    @classmethod
    def one_text(cls, name: str, topics: str) -> "BadStrategy":
        """Each letter would be a topic."""
        return cls(f"{name}: topics are a tuple, of one topic, too: topics = ({topics!r},)")


class NoBook(StrategyError, LookupError):
    """There is no one book to be had of that instrument."""

    @classmethod
    def of_columns(cls, name: str) -> "NoBook":
        """`name` takes batches as they are."""
        return cls(
            f"{name} overrides on_batch, and takes books as rows: build them there, OrderBook().apply(update) of those "
            "of batch.events; or leave on_batch out"
        )

    @classmethod
    def among(cls, name: str, instrument: str, feed: str | None, feeds: Sequence[str]) -> "NoBook":
        """`name` wants the book of `instrument` from `feed`, and `feeds` tell it."""
        who = f"{name} is told the book of {instrument} by {', '.join(feeds) or 'nobody'}"
        if not feeds:
            return cls(f'{who}: it needs a topic as "*/{instrument}/book", and a feed whose kinds have "book"')
        if feed is None:
            return cls(f"{who}: say whose, as in self.book(instrument, feed={feeds[0]!r})")
        nearest = get_close_matches(feed, feeds, 1)
        return cls(f"{who}, not by {feed!r}" + (f"; did you mean {nearest[0]!r}?" if nearest else ""))


class BadParams(StrategyError, ValueError):
    """A strategy's parameters cannot be made, or are not of the type that its class names."""
