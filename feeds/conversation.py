"""What is said besides data on a connection of our own protocols, whatever it is written in."""

from collections.abc import Iterable
from typing import assert_never

import attrs

from ticktree.market import Event, EventKind, FeedState, Instrument, Topic, messages
from ticktree.market.messages import FeedMark, GapMark, InstrumentMark, LiveMark, StaleMark

from .errors import Refused
from .feed import Acknowledged, Feed
from .source import Source

Said = (
    messages.Hello
    | messages.Refused
    | messages.End
    | messages.Heartbeat
    | messages.Subscribe
    | messages.Unsubscribe
    | messages.Subscribed
    | messages.Instruments
    | messages.SnapshotBegin
    | messages.SnapshotEnd
    | messages.Skipped
    | messages.Mark
)


class ConversingFeed(Feed):
    """One whose other side is ours: a relay, or the simulated exchange. What that calls its feed is this one here.

    `token`: what the other side asks for, if it does. `upstream`: what it calls the feed, where that is another name.
    """

    def __init__(self, source: Source, url: str, token: str = "", upstream: str = "") -> None:
        super().__init__(source, url)
        self._token, self._upstream = token, upstream or source.name

    def asked(self, topics: Iterable[Topic]) -> messages.Subscribe:
        """What asks for `topics`, in the other side's words."""
        return messages.Subscribe(tuple(str(attrs.evolve(topic, feed=self._upstream)) for topic in topics))

    def asked_again(self, instrument: Instrument) -> messages.Subscribe:
        """What asks for a book whole."""
        return self.asked((Topic(self.name, instrument.name, EventKind.BOOK),))

    def define(self, instruments: Iterable[Instrument]) -> None:
        """Definitions came, valid on this connection."""
        for instrument in instruments:
            self.adopt(instrument)

    def hear(self, message: Said) -> Iterable[Event | Acknowledged]:
        """The events in `message`. Raises `Refused`, `MarketError`."""
        match message:
            case messages.Instruments():
                self.define(message.instruments)
            case messages.Refused():
                raise Refused(self.name, message.text or message.reason)
            case messages.End():
                raise Refused(self.name, message.reason)
            case messages.Subscribed():
                return (Acknowledged(),)
            case messages.Skipped():
                for _, name in message.books:
                    if name in self.instruments:
                        self.distrust(self.instruments[name], "the other side left out rows of its book")
                return (messages.heard(message, self.instruments, self.name),)
            case FeedMark(state=FeedState.LIVE) if self.source.account.live:
                pass  # we said so ourselves, when the subscription stood
            case FeedMark() | InstrumentMark() | GapMark() | StaleMark() | LiveMark():
                return (messages.heard(message, self.instruments, self.name),)
            case messages.Hello() if message.version != messages.VERSION:
                raise Refused(self.name, f"it speaks version {message.version}, and we {messages.VERSION}")
            case messages.Subscribe() | messages.Unsubscribe():
                raise Refused(self.name, "it speaks as a client does: there is no server at that address")
            case messages.Hello() | messages.Heartbeat() | messages.SnapshotBegin() | messages.SnapshotEnd():
                pass
            case _:
                assert_never(message)
        return ()
