"""What outlives a life of the relay's server: who is connected, who waits, where it listens, what was counted."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import attrs

from ticktree.actors import ActorRef
from ticktree.actors.clock import NS
from ticktree.market import Topic
from ticktree.market.conversation import NotAccepted
from ticktree.market.messages import Refusal
from ticktree.net import Connection, Server

from ..hub import Hub

if TYPE_CHECKING:
    from .guest import Guest

MOST_NAMES = 1_000  # are looked through for near ones: that takes 10 us each
_WORTH_NAMING = 3


@attrs.frozen
class Terms:
    """What a relay promises its clients; `Relay` says what each means."""

    hub: Hub
    token: str = attrs.field(repr=False)
    most_clients: int
    most_waiting: int
    most_topics: int
    admissions_a_second: int
    stuck_after_s: float
    fails: bool  # whether a client that does not keep up is sent away
    pauses_feed: bool  # or makes everyone wait for it


class Offers:
    """What there is to be had of the feeds, by feed and instrument: clients may ask for 256 topics of thousands."""

    def __init__(self, topics: tuple[Topic, ...]) -> None:
        self.topics = topics
        self._feeds: dict[str, dict[str, list[Topic]]] = {}
        for topic in topics:
            self._feeds.setdefault(topic.feed, {}).setdefault(topic.instrument, []).append(topic)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the feeds."""
        return tuple(self._feeds)

    def feeds(self, topic: Topic) -> list[str]:
        """The feeds that have, or will have, something that `topic` selects."""
        return [feed for feed, offered in self._feeds.items() if topic.of_feed(feed) and self._has(offered, topic)]

    def _has(self, offered: dict[str, list[Topic]], topic: Topic) -> bool:
        if "*" not in topic.instrument and topic.instrument in offered:
            return any(topic.overlaps(offer) for offer in offered[topic.instrument])
        # By instrument first: a feed of a thousand has four topics of each.
        return any(
            topic.overlaps(offer)
            for instrument, offers in offered.items()
            if "*" in instrument or ("*" in topic.instrument and topic.matches_instrument(instrument))
            for offer in offers
        )

    def near(self, topic: Topic) -> str:
        """What stands near to a topic that selects nothing, for people."""
        near = get_close_matches(topic.feed, self._feeds, 1)
        offered = self._feeds.get(topic.feed) or self._feeds.get(near[0] if near else "", {})
        names = get_close_matches(topic.instrument, list(offered)[:MOST_NAMES], _WORTH_NAMING)
        if names:
            return f"near it: {', '.join(names)}"
        return f"the feeds are {', '.join(list(self._feeds)[: _WORTH_NAMING * 3]) or 'not there yet'}"


class Window:
    """At most `most` in any second."""

    def __init__(self, most: int) -> None:
        self._times_ns: deque[int] = deque(maxlen=most)

    def wait_s(self, now_ns: int) -> float:
        """How long until one more may be; 0: now."""
        times_ns = self._times_ns
        return max(0, times_ns[0] + NS - now_ns) / NS if len(times_ns) == times_ns.maxlen else 0.0

    def note(self, now_ns: int) -> None:
        """One more is."""
        self._times_ns.append(now_ns)


class Lobby:
    """Shared by the relay's server, its guests and its clients; one loop."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.session = ""
        self.porter: ActorRef[Any] | None = None  # who lets them in, once there is one
        self.guests: dict[Guest, None] = {}  # all who are connected
        self.line: dict[Guest, None] = {}  # those of them whose HELLO waits for its answer, in order
        self.window = Window(terms.admissions_a_second)
        self.doors: list[Server] = []
        self.urls: dict[str, str] = {}  # where it listens, by what it was asked to listen at
        self.admitted = self.turned_away = 0
        self.sent = self.skipped = 0  # of clients that went
        self.refused: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self._offers = Offers(())
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def offers(self) -> Offers:
        """What there is to be had, at this moment."""
        topics = self.terms.hub.offers()
        if topics is not self._offers.topics:
            self._offers = Offers(topics)
        return self._offers

    def enter(self, guest: "Guest") -> None:
        """Somebody connected. Raises `NotAccepted` where there are enough."""
        self.guests[guest] = None
        if len(self.guests) > self.terms.most_clients:
            raise NotAccepted(Refusal.BUSY, f"there are {self.terms.most_clients} clients, and more are not served")

    def line_up(self, guest: "Guest") -> None:
        """Its HELLO is to be answered. Raises `NotAccepted` where too many wait for that already."""
        if len(self.line) >= self.terms.most_waiting:
            raise NotAccepted(Refusal.BUSY, f"{self.terms.most_waiting} clients wait to be let in already")
        self.line[guest] = None
        if self.porter is not None:
            self.porter.tell_control(ADMIT)

    def leave(self, guest: "Guest", error: Exception) -> None:
        """It is gone."""
        if self.guests.pop(guest, guest) is not guest:
            self.lost[type(error).__name__] += 1
        self.line.pop(guest, None)
        self.sent += guest.speech.sent
        self.skipped += guest.speech.skipped

    def feeds(self, topics: Iterable[Topic]) -> list[str]:
        """Whose data `topics` select. Raises `NotAccepted` where that is nobody's."""
        asked, offers = tuple(topics), self.offers
        found = list(dict.fromkeys(feed for topic in asked for feed in offers.feeds(topic)))
        if not found:
            what = f"{asked[0]}; {offers.near(asked[0])}" if asked else "no topic at all"
            raise NotAccepted(Refusal.NOTHING, f"nothing here matches {what}")
        return found

    def close(self, connection: Connection) -> None:
        """Close a connection, without waiting for it."""
        task = asyncio.get_running_loop().create_task(
            connection.close(lingers=True), name="relay: a client is sent away"
        )
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def closed(self) -> None:
        """Wait until all that was closed is; bounded."""
        if self._closing:
            await asyncio.wait(self._closing)


@attrs.frozen
class Admit:
    """Time to answer those in line."""


ADMIT = Admit()
