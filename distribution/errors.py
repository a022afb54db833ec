"""Every error distribution raises.

DistributionError
├── BadSubscription (ValueError)   yours: a mailbox that would stop a feed, without saying that it may
└── NoSuchFeed (LookupError)       yours: a feed that nobody has attached
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
