"""Every error a feed raises.

FeedError
├── UnknownMessage (TypeError)    yours: a feed was told something that no feed understands
└── Refused                       theirs: the exchange ended the conversation
"""


class FeedError(Exception):
    """Base of everything this room raises."""


class UnknownMessage(FeedError, TypeError):
    """An actor was told something that it does not understand."""

    def __init__(self, path: str, message: object) -> None:
        super().__init__(f"{path} was told {message!r}, which it does not understand")
        self.path = path


class Refused(FeedError):
    """The exchange ended the conversation, and said why."""

    def __init__(self, feed: str, reason: str) -> None:
        super().__init__(f"{feed}: the exchange ended it: {reason}")
        self.feed, self.reason = feed, reason
