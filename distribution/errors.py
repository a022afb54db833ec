"""Every error distribution raises.

DistributionError
├── BadSubscription (ValueError)   yours: a mailbox that would stop a feed, without saying that it may
├── NoSuchFeed (LookupError)       yours: a feed that nobody has attached
├── BadRelay (ValueError)          yours: a relay that cannot be as it is described
└── UnknownRequest (TypeError)     yours: an actor of a relay was told something that it does not understand
"""

from collections.abc import Iterable


class DistributionError(Exception):
    """Base of everything this room raises."""


class BadSubscription(DistributionError, ValueError):
    """A mailbox and a subscription that do not fit together."""

    def __init__(self, path: str, blocks: bool) -> None:
        super().__init__(
            f"{path} has a Block mailbox, which stops its feeds for everyone while it is full: say pauses_feed=True, "
            "or choose another overflow policy"
            if blocks
            else f"{path} says pauses_feed, but its mailbox never blocks: give it Mailbox(..., Block())"
        )
        self.path = path


class NoSuchFeed(DistributionError, LookupError):
    """A feed that nobody has attached."""

    def __init__(self, feed: str, near: list[str], known: Iterable[str]) -> None:
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known) or 'none'}"
        super().__init__(f"there is no feed {feed!r}; {hint}")
        self.feed = feed


class BadRelay(DistributionError, ValueError):
    """A relay that cannot be as it is described."""


class UnknownRequest(DistributionError, TypeError):
    """An actor of a relay was told something that it does not understand."""

    def __init__(self, path: str, message: object) -> None:
        super().__init__(f"{path} was told a {type(message).__qualname__}, which it does not understand")
        self.path = path
