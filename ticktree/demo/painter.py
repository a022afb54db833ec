"""Draws pages on the terminal, in a thread of its own: one that does not take them holds up nothing but the picture."""

import threading
from collections.abc import Callable

from rich.console import Console
from rich.live import Live

from .view import Page

ENDS_WITHIN_S = 1.0


class Painter:
    """Between `with` and its end the terminal's other screen is drawn on; of pages that come too fast, the last counts.

    `show` takes what makes the page, so that it is made in the thread as well: of copied numbers, then.
    """

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, screen=True, auto_refresh=False, transient=True)
        self._wanted = threading.Condition()
        self._next: Callable[[], Page] | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._paint, name="painter", daemon=True)

    def __enter__(self) -> "Painter":
        self._live.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._wanted:
            self._ended = True
            self._wanted.notify()
        self._thread.join(ENDS_WITHIN_S)
        self._live.stop()

    def show(self, make: Callable[[], Page]) -> None:
        """Draw that page, soon."""
        with self._wanted:
            self._next = make
            self._wanted.notify()

    def _paint(self) -> None:
        while True:
            with self._wanted:
                self._wanted.wait_for(lambda: self._next is not None or self._ended)
                make, self._next = self._next, None
                if self._ended or make is None:
                    return
            self._live.update(make(), refresh=True)
