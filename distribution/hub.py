"""From topics to mailboxes: a plain synchronous object, used within the feed's own call.

A subscription belongs to a place in the tree, not to one of its lives. What a mailbox refuses is counted here and never
raised: a slow or stopped subscriber is no fault of the feed's, and costs the others neither data nor memory. The one
exception is asked for by name: a `Block` mailbox with `pauses_feed` makes the feed stop reading while it is full.
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial
from typing import Any

import attrs
import numpy as np

from ticktree.actors import ActorRef, Block, Delivery
from ticktree.market import Batch, Data, EventKind, InstrumentIds, Live, Mark, Port, Topic, weight

from .errors import BadSubscription, NoSuchFeed
from .last import LastMarks, LastValues
from .selection import Placed, Selection
from .subscription import Subscription, plain_policy

CLOSED = Delivery.CLOSED  # members of an enum cost 30 ns to look up on CPython 3.11
_KEPT_BYTES = 16 << 20
Taker = tuple[Callable[[Any, int], Delivery], Subscription]


@attrs.define(eq=False)
class _Route:
    """All who want the same of one feed: those whose mailboxes need no care, by `most_rows`, and the others."""

    selection: Selection
    direct: dict[int | None, list[Taker]] = attrs.field(factory=dict[int | None, list[Taker]])
    others: list[Subscription] = attrs.field(factory=list[Subscription])

    def add(self, subscription: Subscription) -> None:
        """`subscription` wants the same."""
        if subscription.direct:
            taker = subscription.subscriber.tell, subscription
            self.direct.setdefault(subscription.most_rows, []).append(taker)
        else:
            self.others.append(subscription)


@attrs.define(eq=False)
class _Feed:
    """What the hub knows of one feed. `routes` are worked out anew after each change."""

    name: str
    values: LastValues | None
    marks: LastMarks = attrs.field(factory=LastMarks)
    routes: tuple[_Route, ...] | None = None


class Hub:
    """One writer, one loop: call it from the loop's thread only.

    `keep`: of which topics the last quote and trade are kept for who comes late. Books need no keeping: their feed has
    them.
    """

    def __init__(self, ids: InstrumentIds | None = None, keep: Iterable[Topic] = ()) -> None:
        self.ids = InstrumentIds() if ids is None else ids
        self._keep = tuple(keep)
        self._ports: dict[str, Port] = {}
        self._feeds: dict[str, _Feed] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._busy = False  # handing over
        self._later: list[Callable[[], None]] = []
        keep_freed_memory()

    # --- subscribers -------------------------------------------------------------------------------------------

    def subscribe(
        self,
        subscriber: ActorRef[Any],
        topics: Iterable[Topic],
        most_rows: int | None = None,
        pauses_feed: bool = False,
    ) -> Subscription:
        """Send `subscriber` what `topics` select, in place of what it got before.

        What is known already, verified books and kept values, follows at once, and after it everything newer: nothing
        is missed, and nothing comes twice. Raises `BadSubscription` for a mailbox that blocks without `pauses_feed`.
        """
        blocks = isinstance(plain_policy(subscriber), Block)
        if blocks != pauses_feed:
            raise BadSubscription(subscriber.path, blocks)
        subscription = Subscription(subscriber, tuple(topics), most_rows, pauses_feed, self._ports)
        former = self._subscriptions.get(subscriber.path)
        if former is not None:
            subscription.follow(former)
        self._subscriptions[subscriber.path] = subscription
        self._forget_routes()
        for feed in tuple(self._feeds.values()):
            self._in_order(partial(self._tell_known, subscription, feed))
        return subscription

    def unsubscribe(self, subscriber: ActorRef[Any]) -> None:
        """Send it nothing newer any more; harmless when it gets nothing."""
        former = self._subscriptions.pop(subscriber.path, None)
        if former is not None:
            self._forget_routes()
            former.let_go()

    def resend_book(self, subscriber: ActorRef[Any], feed: str, instrument: str) -> bool:
        """Tell `subscriber`, who lost rows of a book, that book anew, and after it `Live`.

        False when that cannot be: it did not ask for that book, or has no room for it ever, or the feed itself has
        none that is verified. Raises `NoSuchFeed`.
        """
        port, subscription = self._ports.get(feed), self._subscriptions.get(subscriber.path)
        if port is None:
            raise NoSuchFeed(feed, get_close_matches(feed, self._ports, 1), self._ports)
        if subscription is None or not subscription.wants(feed, instrument, EventKind.BOOK):
            return False
        snapshot = port.book(instrument)
        if snapshot is None or weight(snapshot) > subscriber.mailbox.capacity:
            return False
        self._in_order(partial(self._resend, subscription, port, instrument))
        return True

    def subscriptions(self) -> tuple[Subscription, ...]:
        """All of them."""
        return tuple(self._subscriptions.values())

    # --- feeds -------------------------------------------------------------------------------------------------

    def attach(self, port: Port) -> None:
        """A feed begins, or begins anew: its `port` can be asked for books, and paused."""
        self._ports[port.name] = port
        self._feed(port.name).routes = None
        for subscription in self._subscriptions.values():
            subscription.attached(port)

    def publish(self, batch: Batch) -> None:
        """Hand `batch` to everyone who asked for any of it. Never waits, never raises."""
        rows = len(batch)
        if not rows:
            return
        feed = self._feeds.get(batch.feed) or self._feed(batch.feed)
        placed: Placed | None = None
        if feed.values is not None:
            placed = Placed(batch)
            feed.values.keep(placed)
        busy, self._busy = self._busy, True
        try:
            for route in feed.routes if feed.routes is not None else self._route(feed):
                if route.selection.everything:
                    _hand_over(route, batch, rows)
                else:
                    placed = placed or Placed(batch)
                    picked = route.selection.pick(placed)
                    if picked is not None:
                        _hand_over(route, picked, len(picked))
        finally:
            self._busy = busy
        if self._later:
            self._catch_up()

    def mark(self, mark: Mark) -> None:
        """Hand `mark` to everyone whom it concerns. Never waits, never raises."""
        feed = self._feeds.get(mark.feed) or self._feed(mark.feed)
        feed.marks.keep(mark)
        busy, self._busy = self._busy, True
        try:
            for route in feed.routes if feed.routes is not None else self._route(feed):
                if route.selection.concerns(mark):
                    _hand_over_mark(route, mark)
        finally:
            self._busy = busy
        if self._later:
            self._catch_up()

    # --- what is known already ---------------------------------------------------------------------------------

    def _in_order(self, tell: Callable[[], None]) -> None:
        """Do it now; or after the batch that is being handed over, of which a feed's book knows already.

        (A handler runs within `publish` where messages are handed off.)
        """
        self._later.append(tell)
        self._catch_up()

    def _catch_up(self) -> None:
        while self._later and not self._busy:
            self._later.pop(0)()

    def _tell_known(self, subscription: Subscription, feed: _Feed) -> None:
        topics = _of(feed.name, subscription.topics)
        if not topics or self._subscriptions.get(subscription.subscriber.path) is not subscription:
            return
        selection = self._selection(feed.name, topics)
        for mark in feed.marks.wanted(selection):
            subscription.put(mark, 0)
        known: list[Data] = feed.values.wanted(selection) if feed.values is not None else []
        port = self._ports.get(feed.name)
        if port is not None and any(topic.matches_kind(EventKind.BOOK) for topic in topics):
            known += [book for book in port.books() if selection.wants(book.instrument.name, EventKind.BOOK)]
        if known:
            subscription.send(Batch(feed.name, self.ids, events=known))

    def _resend(self, subscription: Subscription, port: Port, instrument: str) -> None:
        snapshot = port.book(instrument)
        if snapshot is not None:
            subscription.send(Batch(port.name, self.ids, events=[snapshot]))
            subscription.put(Live(port.name, snapshot.instrument, snapshot.received_time_ns), 0)

    # --- routes ------------------------------------------------------------------------------------------------

    def _feed(self, name: str) -> _Feed:
        feed = self._feeds.get(name)
        if feed is None:
            kept = _of(name, self._keep)
            values = LastValues(self._selection(name, kept), self.ids) if kept else None
            feed = self._feeds[name] = _Feed(name, values)
        return feed

    def _selection(self, feed: str, topics: frozenset[Topic]) -> Selection:
        port = self._ports.get(feed)
        return Selection(feed, topics, port.topics if port is not None else (), self.ids)

    def _route(self, feed: _Feed) -> tuple[_Route, ...]:
        """Who wants what of `feed`."""
        routes: dict[frozenset[Topic], _Route] = {}
        for subscription in self._subscriptions.values():
            topics = _of(feed.name, subscription.topics)
            if not topics:
                continue
            if topics not in routes:
                routes[topics] = _Route(self._selection(feed.name, topics))
            routes[topics].add(subscription)
        feed.routes = tuple(routes.values())
        return feed.routes

    def _forget_routes(self) -> None:
        for feed in self._feeds.values():
            feed.routes = None


def keep_freed_memory() -> None:
    """Have glibc keep what is freed, instead of giving it back to the system after every batch.

    Rows picked for ten selections took 75 us a selection, of which 55 were page faults. Freeing one block that was
    mapped raises its thresholds to that size (mallopt(3), M_MMAP_THRESHOLD); none of it is ever touched.
    """
    np.empty(_KEPT_BYTES, np.uint8)


def _of(feed: str, topics: Iterable[Topic]) -> frozenset[Topic]:
    return frozenset(topic for topic in topics if topic.of_feed(feed))


def _hand_over(route: _Route, batch: Batch, rows: int) -> None:
    for most_rows, takers in route.direct.items():
        if most_rows is None or rows <= most_rows:
            for tell, subscription in takers:
                if tell(batch, rows) is CLOSED:
                    subscription.refuse(rows)
        else:
            for piece in batch.pieces(most_rows):
                for tell, subscription in takers:
                    if tell(piece, len(piece)) is CLOSED:
                        subscription.refuse(len(piece))
    for subscription in route.others:
        subscription.send(batch)


def _hand_over_mark(route: _Route, mark: Mark) -> None:
    for takers in route.direct.values():
        for tell, _ in takers:
            tell(mark, 0)
    for subscription in route.others:
        subscription.put(mark, 0)
