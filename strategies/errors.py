"""Every error a strategy's base raises.

StrategyError
├── NotAtDesk (RuntimeError)      yours: it was made by hand, so nobody gave it a desk to trade from
└── ColumnsConflate (TypeError)   yours: a class that takes columns declares a mailbox that conflates single events
"""


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
