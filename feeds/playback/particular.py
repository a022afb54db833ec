"""What is particular to an exchange when a recording of it is served: which message is whose, and what it answers.

Pure: entries and texts in, texts out. Implementations stand in `feeds/exchanges/played/`, one module each.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from ..recording import Entry

Stream = tuple[str, str]  # what the exchange calls the channel, and the instrument
Answer = tuple[int, bytes]  # the status and the body, JSON
Books = dict[str, tuple[dict[str, str], dict[str, str]]]  # by symbol: bids and asks, from price to size, as texts


@attrs.define(eq=False)
class Listener:
    """One client of the exchange: which streams it is subscribed to, and the name it asked for each of them by."""

    streams: dict[Stream, str] = attrs.field(factory=dict[Stream, str])


class Played(Protocol):
    """An exchange as it was recorded. Its time is what it was told last by `advance`."""

    @property
    def name(self) -> str:
        """What we call the exchange."""
        ...

    @property
    def path(self) -> str:
        """Where its WebSockets are opened."""
        ...

    @property
    def heartbeat(self) -> str:
        """What each subscriber is told every second in which nothing else happens; empty: nothing."""
        ...

    @property
    def messages(self) -> Sequence[Entry]:
        """What it tells of its own accord, in order: no answers, no greetings."""
        ...

    def advance(self, entry: Entry) -> Stream | None:
        """The next of `messages` is told: move the books on. Its stream; None: it is for every subscriber."""
        ...

    def answer(self, path: str, query: Mapping[str, str]) -> Answer | None:
        """What a question over HTTP is answered with as of now; None: neither recorded nor known."""
        ...

    def greeting(self, listener: Listener, query: Mapping[str, str]) -> list[str]:
        """What is said when a WebSocket is opened; streams that the address names are subscribed to."""
        ...

    def heard(self, listener: Listener, message: str) -> list[str]:
        """What a client's message is answered with: acknowledgements, errors, snapshots of streams that have begun."""
        ...

    def books(self) -> Books:
        """The reference books as of now."""
        ...
