"""What a venue says, in the order it happens: one report after another, and never one within another."""

from collections import deque
from collections.abc import Callable

from ...reports import Report

OnReport = Callable[[str, Report], None]
"""Hears an account's name and what the venue says to it."""


def unheard(account: str, report: Report) -> None:
    """Nobody listens."""


class Voice:
    """Reports wait here until the call that made them is done with; who answers one by another call waits its turn."""

    __slots__ = ("_calls", "_ears", "_on_report", "_reports", "_speaking")

    def __init__(self, on_report: OnReport) -> None:
        self._on_report = on_report
        self._ears: dict[str, Callable[[Report], None]] = {}
        self._reports: deque[tuple[str, Report]] = deque()
        self._calls: deque[Callable[[], None]] = deque()  # each is made when nothing of the former is left to be said
        self._speaking = False

    def listen(self, account: str, hears: Callable[[Report], None] | None) -> None:
        """Let `hears`, and nobody who did before, hear what is said to one account; None: nobody."""
        if hears is None:
            self._ears.pop(account, None)
        else:
            self._ears[account] = hears

    def say(self, account: str, report: Report) -> None:
        """At the next `speak`."""
        self._reports.append((account, report))

    def in_turn(self, do: Callable[[], None]) -> None:
        """Do it now, or, while reports are going out, after them, and after what else waits for its turn."""
        if self._speaking:
            self._calls.append(do)
        else:
            do()
            self.speak()

    def speak(self) -> None:
        """Let out what was said. Within itself it does nothing: the outer one goes on until nothing is left."""
        if self._speaking:
            return
        reports, calls, self._speaking = self._reports, self._calls, True
        try:
            while reports or calls:
                if reports:
                    self._tell(*reports.popleft())
                else:
                    calls.popleft()()
        finally:
            self._speaking = False

    def _tell(self, account: str, report: Report) -> None:
        self._on_report(account, report)
        hears = self._ears.get(account)
        if hears is not None:
            hears(report)
