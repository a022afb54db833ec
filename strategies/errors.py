"""Every error a strategy's base raises.

StrategyError
└── NotAtDesk (RuntimeError)      yours: it was made by hand, so nobody gave it a desk to trade from
"""


class StrategyError(Exception):
    """Base of everything this room raises."""


class NotAtDesk(StrategyError, RuntimeError):
    """The strategy has no desk: it was made by hand, or speaks before it runs."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} cannot trade yet: it has its desk from on_start on, when run(...) or an App runs it")
