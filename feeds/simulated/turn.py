"""What one turn of the exchange told, chosen and encoded once for all clients that asked for the same."""

from collections.abc import Callable, Iterable, Sequence

import attrs

from ticktree.market import EventKind, Tick, Ticks, Topic
from ticktree.market.events import BookUpdate, InstrumentStatus, Quote, Trade
from ticktree.market.ticks import encoded

from .market import Told

Selection = frozenset[tuple[str, EventKind]]  # names of instruments, and what is wanted of each

KIND: dict[type, EventKind] = {
    Quote: EventKind.QUOTE,
    Trade: EventKind.TRADE,
    BookUpdate: EventKind.BOOK,
    InstrumentStatus: EventKind.STATUS,
}


def selection(topics: Iterable[Topic], names: Sequence[str]) -> Selection:
    """What `topics` select of the instruments `names`, whatever they call the feed: an exchange has but one."""
    return frozenset(
        (name, kind)
        for topic in topics
        for name in names
        for kind in EventKind
        if attrs.evolve(topic, feed="*").matches("", name, kind)
    )


class Turn:
    """What was told in `steps`. Nobody changes what it returns."""

    def __init__(self, told: list[Told], steps: range) -> None:
        self.steps = steps
        self._told = told
        self._chosen: dict[Selection, list[Told]] = {}
        self._rows: dict[Selection, Ticks] = {}
        self._texts: dict[int, bytes] = {}

    def chosen(self, wanted: Selection) -> list[Told]:
        """Of all that was told, what is wanted."""
        if wanted not in self._chosen:
            self._chosen[wanted] = [one for one in self._told if (one.instrument.name, KIND[type(one)]) in wanted]
        return self._chosen[wanted]

    def marks(self, wanted: Selection) -> list[InstrumentStatus]:
        """Of that, what is no data."""
        return [one for one in self.chosen(wanted) if isinstance(one, InstrumentStatus)]

    def data(self, wanted: Selection) -> list[Tick]:
        """Of that, what is data."""
        return [one for one in self.chosen(wanted) if not isinstance(one, InstrumentStatus)]

    def rows(self, wanted: Selection) -> Ticks:
        """The data as ticks."""
        if wanted not in self._rows:
            self._rows[wanted] = encoded(self.data(wanted))
        return self._rows[wanted]

    def text(self, one: Told, encode: Callable[[Told], bytes]) -> bytes:
        """`one` of what was told, as a message; encoded for whoever asks first."""
        text = self._texts.get(id(one))  # it lives as long as the turn
        if text is None:
            text = self._texts[id(one)] = encode(one)
        return text
