"""The control lane of a mailbox: what is handled before data. Stop and other signals, timers, `Down`, order reports.

Bounded by `CONTROL_BOUND` messages. Signals are the runtime's own, go first and stand outside the count.
"""

from collections import deque
from enum import StrEnum
from typing import Any

from .messages import Timer

CONTROL_BOUND = 65_536


class Signal(StrEnum):
    """What the runtime puts in a control lane for itself."""

    STOP = "stop"
    EXIT = "exit"
    DRAIN = "drain"


class ControlLane:
    """Messages in order; `received == handled + dropped + queued + in_hand`, always."""

    __slots__ = ("dropped", "handled", "in_hand", "items", "received")

    def __init__(self) -> None:
        self.items: deque[Any] = deque()
        self.received = self.handled = self.dropped = 0
        self.in_hand = 0

    @property
    def queued(self) -> int:
        """Messages that wait, signals apart."""
        return sum(1 for item in self.items if not isinstance(item, Signal))

    def tell(self, message: Any) -> bool:
        """Queue `message`; False when the lane is full."""
        if len(self.items) >= CONTROL_BOUND:
            return False
        self.received += 1
        self.items.append(message)
        return True

    def done(self) -> None:
        """The message in hand was handled."""
        self.handled += self.in_hand
        self.in_hand = 0

    def lose_in_hand(self) -> None:
        """The message in hand went down with its handler."""
        self.dropped += self.in_hand
        self.in_hand = 0

    def forget_life(self) -> None:
        """Signals and timers end with a life; what others sent waits for the next one."""
        kept = [item for item in self.items if not isinstance(item, Timer | Signal)]
        self.dropped += sum(1 for item in self.items if isinstance(item, Timer))
        self.items.clear()
        self.items.extend(kept)

    def discard(self) -> None:
        """Drop everything."""
        self.dropped += self.queued
        self.items.clear()
