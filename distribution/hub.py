"""From topics to mailboxes: a plain synchronous object, used within the feed's own call.

A subscription belongs to a place in the tree, not to one of its lives. What a mailbox refuses is counted here and never
raised: a slow or stopped subscriber is no fault of the feed's, and costs the others neither data nor memory. The one
exception is asked for by name: a `Block` mailbox with `pauses_feed` makes the feed stop reading while it is full.
"""

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial
from typing import Any

import attrs
import numpy as np

from ticktree.actors import ActorRef, Block, Delivery
from ticktree.market import (
    Batch,
    BookUpdate,
    Data,
    EventKind,
    FeedStatus,
    InstrumentIds,
    Live,
    Mark,
    Port,
    Quote,
    Topic,
    weight,
)

from .errors import BadSubscription, NoSuchFeed
from .last import LastMarks, LastValues
from .selection import Selection
from .subscription import Subscription, plain_policy

CLOSED = Delivery.CLOSED  # members of an enum cost 30 ns to look up on CPython 3.11
_KEPT_BYTES = 16 << 20
FEW_ROUTES = 16  # are asked each: 4 us, where the index takes 12 a batch
Taker = tuple[Callable[[Any, int], Delivery], Subscription]


class _Route:
    """All who want the same of one feed: those whose mailboxes need no care, by the most rows at once, and the others.

    Never changed: it may be at work while a handler subscribes.
    """

    __slots__ = ("direct", "everything", "others", "selection", "subscriptions")

    def __init__(self, selection: Selection, subscriptions: tuple[Subscription, ...]) -> None:
        self.selection, self.subscriptions, self.everything = selection, subscriptions, selection.everything
        direct = dict[int, list[Taker]]()
        for one in subscriptions:
            if one.direct:
                direct.setdefault(one.most_rows or sys.maxsize, []).append((one.taker, one))
        self.direct = tuple(direct.items())
        self.others = tuple(one for one in subscriptions if not one.direct)


@attrs.define(eq=False)
class _Routes:
    """Those of one feed, by what is wanted; replaced, and not changed. The index is made when it is first of use.

    A thousand subscribers of an instrument each, of which a batch has a few: looking through all of their routes took
    milliseconds a batch, and most of it for nothing.
    """

    by_topics: dict[frozenset[Topic], _Route]
    ids: InstrumentIds
    few: tuple[_Route, ...] = attrs.field(init=False)  # all, where looking through them is quicker; else none
    takers: list[Taker] = attrs.field(init=False)  # of all, where everyone takes everything by itself
    at_most: int = attrs.field(init=False)  # so many rows go to these whole, without a look at routes; 0: never
    _known: int = -1  # ids that are in the index
    _ordered: list[_Route] = attrs.field(init=False, factory=list[_Route])
    _wide: set[int] = attrs.field(init=False, factory=set[int])  # routes by number: a `*` stands for instruments
    _by_name: dict[str, list[int]] = attrs.field(init=False, factory=dict[str, list[int]])
    _by_id: dict[int, list[int]] = attrs.field(init=False, factory=dict[int, list[int]])

    def __attrs_post_init__(self) -> None:
        routes = tuple(self.by_topics.values())
        self.few = routes if len(routes) < FEW_ROUTES else ()
        alike = all(route.everything and not route.others for route in routes)
        groups = [group for route in routes for group in route.direct] if alike else []
        self.takers = [taker for _, takers in groups for taker in takers]
        self.at_most = min((most_rows for most_rows, _ in groups), default=0)

    def reached(self, batch: Batch) -> Iterable[_Route]:
        """Those that may want some of `batch`, in order."""
        if self._known != len(self.ids.by_id):
            self._index()
        if not self._by_name:
            return self._ordered
        if batch.columnar:
            numbers, by = np.unique(batch.ticks["instrument"]).tolist(), self._by_id
            found = [by[id] for id in numbers if id in by]
        else:
            names = {event.instrument.name for event in batch.events}
            found = [self._by_name[name] for name in names if name in self._by_name]
        return map(self._ordered.__getitem__, sorted(self._wide.union(*found)))

    def _index(self) -> None:
        self._known = len(self.ids.by_id)
        self._ordered, self._wide, self._by_name = list(self.by_topics.values()), set(), {}
        for number, route in enumerate(self._ordered):
            if route.selection.names is None or route.selection.everything:
                self._wide.add(number)
            for name in route.selection.names or ():
                self._by_name.setdefault(name, []).append(number)
        self._by_id = {one.id: found for name, found in self._by_name.items() for one in self.ids.named(name)}


@attrs.define(eq=False)
class _Feed:
    """What the hub knows of one feed. `routes`, by what they want, are replaced and not changed; None: to be made."""

    name: str
    values: LastValues | None
    marks: LastMarks = attrs.field(factory=LastMarks)
    routes: _Routes | None = None


class Hub:
    """One writer, one loop: call it from the loop's thread only.

    `keep`: of which topics the last quote and trade are kept for who comes late. Books need no keeping: their feed has
    them.
    """

    def __init__(self, ids: InstrumentIds | None = None, keep: Iterable[Topic] = ()) -> None:
        self.ids = InstrumentIds() if ids is None else ids
        self._keep = tuple(keep)
        self._ports: dict[str, Port] = {}
        self._offers: tuple[Topic, ...] = ()
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
        tell: Iterable[Topic] | None = None,
        only_while: Callable[[], bool] | None = None,
    ) -> Subscription:
        """Send `subscriber` what `topics` select, in place of what it got before; `only_while` that says so, asked for
        each batch and mark.

        What is known already of `tell` (of all, by default), verified books and kept values, follows at once, and
        after it everything newer: nothing is missed, and nothing comes twice. Raises `BadSubscription` for a mailbox
        that blocks without `pauses_feed`.
        """
        blocks = isinstance(plain_policy(subscriber), Block)
        if blocks != pauses_feed:
            raise BadSubscription(subscriber.path, blocks)
        subscription = Subscription(
            subscriber, tuple(topics), most_rows, pauses_feed, self._ports, only_while=only_while
        )
        former = self._subscriptions.get(subscriber.path)
        if former is not None:
            subscription.follow(former)
        self._subscriptions[subscriber.path] = subscription
        told = subscription.topics if tell is None else tuple(tell)
        for feed in tuple(self._feeds.values()):
            self._reroute(feed, former, subscription)
            heard = former is not None and bool(_of(feed.name, former.topics)) and tell is not None
            self._in_order(partial(self._tell_known, subscription, feed, told, heard))
        return subscription

    def unsubscribe(self, subscriber: ActorRef[Any]) -> None:
        """Send it nothing newer any more; harmless when it gets nothing."""
        former = self._subscriptions.pop(subscriber.path, None)
        if former is not None:
            for feed in self._feeds.values():
                self._reroute(feed, former, None)
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

    def offers(self) -> tuple[Topic, ...]:
        """All that the feeds bring which have been attached; the same tuple until another one is."""
        return self._offers

    # --- feeds -------------------------------------------------------------------------------------------------

    def attach(self, port: Port) -> None:
        """A feed begins, or begins anew: its `port` can be asked for books, and paused."""
        self._ports[port.name] = port
        self._offers = tuple(topic for port in self._ports.values() for topic in port.topics)
        self._feed(port.name).routes = None
        for subscription in self._subscriptions.values():
            subscription.attached(port)

    def publish(self, batch: Batch) -> None:
        """Hand `batch` to everyone who asked for any of it. Never waits, never raises."""
        rows = batch.rows
        if not rows:
            return
        feed = self._feeds.get(batch.feed) or self._feed(batch.feed)
        if feed.values is not None:
            feed.values.keep(batch)
        busy, self._busy = self._busy, True
        try:
            routes = feed.routes or self._route(feed)
            if rows <= routes.at_most:  # looking at routes takes 0.15 us more, of 0.35 to a single subscriber
                for tell, subscription in routes.takers:
                    if tell(batch, rows) is CLOSED:
                        subscription.refuse(rows)
                reached: Iterable[_Route] = ()
            else:
                reached = routes.few or routes.reached(batch)
            for route in reached:
                picked, count = batch, rows
                if not route.everything:
                    selected = route.selection.pick(batch)
                    if selected is None:
                        continue
                    picked, count = selected, selected.rows
                for most_rows, takers in route.direct:  # here and not in a function: a call for each route costs 100 ns
                    if count > most_rows:
                        _hand_over_in_pieces(takers, picked, most_rows)
                        continue
                    for tell, subscription in takers:
                        if tell(picked, count) is CLOSED:
                            subscription.refuse(count)
                for subscription in route.others:
                    subscription.send(picked)
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
            for route in (feed.routes or self._route(feed)).by_topics.values():
                if route.selection.concerns(mark):
                    _hand_over_mark(route, mark)
        finally:
            self._busy = busy
        if self._later:
            self._catch_up()

    # --- what is known already ---------------------------------------------------------------------------------

    def last_quote(self, instrument: str) -> Quote | None:
        """The freshest quote of `instrument`, by when it was received, over the feeds of which the hub keeps it.

        Of a feed that is lost, or where `instrument` is stale, there is none; nor is one that came before its feed was
        lost. One that is crossed or has an empty side counts only where no feed has a whole one: a feed gone wrong
        must not hide those that are right.
        """
        freshest: Quote | None = None
        best = False, 0
        for feed in self._feeds.values():
            quote = feed.values.quote(instrument) if feed.values is not None else None
            if quote is not None and feed.marks.vouch(quote):
                rank = 0 < quote.bid < quote.ask, quote.received_time_ns
                if freshest is None or rank > best:
                    freshest, best = quote, rank
        return freshest

    def last_of(self, feed: str, instrument: str) -> Quote | None:
        """What one feed said last, whatever became of it since; None where it said nothing that is kept."""
        known = self._feeds.get(feed)
        return known.values.quote(instrument) if known is not None and known.values is not None else None

    def told_last(self, instrument: str) -> Quote | None:
        """The freshest whole quote of `instrument` that any feed ever told, though it may be lost since: for looking
        back, and not to trade by."""
        kept = [feed.values.quote(instrument) for feed in self._feeds.values() if feed.values is not None]
        whole = [quote for quote in kept if quote is not None and 0 < quote.bid < quote.ask]
        return max(whole, key=lambda quote: quote.received_time_ns, default=None)

    def _in_order(self, tell: Callable[[], None]) -> None:
        """Do it now; or after the batch that is being handed over, of which a feed's book knows already.

        (A handler runs within `publish` where messages are handed off.)
        """
        self._later.append(tell)
        self._catch_up()

    def _catch_up(self) -> None:
        while self._later and not self._busy:
            self._later.pop(0)()

    def _tell_known(self, subscription: Subscription, feed: _Feed, told: tuple[Topic, ...], heard: bool) -> None:
        """`heard`: it has heard from this feed before, and knows whether that is live."""
        topics = _of(feed.name, told)
        if not topics or self._subscriptions.get(subscription.subscriber.path) is not subscription:
            return
        selection = self._selection(feed.name, topics)
        for mark in feed.marks.wanted(selection):
            if not (heard and isinstance(mark, FeedStatus)):
                subscription.put(mark, 0)
        known: list[Data] = feed.values.wanted(selection) if feed.values is not None else []
        port = self._ports.get(feed.name)
        if port is not None and any(topic.matches_kind(EventKind.BOOK) for topic in topics):
            known += _books(port, selection)
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

    def _route(self, feed: _Feed) -> _Routes:
        """Who wants what of `feed`."""
        wanted: dict[frozenset[Topic], list[Subscription]] = {}
        for subscription in self._subscriptions.values():
            if topics := _of(feed.name, subscription.topics):
                wanted.setdefault(topics, []).append(subscription)
        feed.routes = _Routes(
            {
                topics: _Route(self._selection(feed.name, topics), tuple(subscriptions))
                for topics, subscriptions in wanted.items()
            },
            self.ids,
        )
        return feed.routes

    def _reroute(self, feed: _Feed, former: Subscription | None, latter: Subscription | None) -> None:
        """`latter` takes the place of `former`. Only their routes are made anew, with the selections there are: all of
        them took seconds where a thousand came at once, each for an instrument of its own."""
        if feed.routes is None:
            return
        left = _of(feed.name, former.topics) if former is not None else None
        joined = _of(feed.name, latter.topics) if latter is not None else None
        routes = dict(feed.routes.by_topics)
        for topics in dict.fromkeys((left, joined)):  # not a set: who hears first must not depend on hashes
            if not topics:
                continue
            route = routes.pop(topics, None)
            stays = [one for one in (route.subscriptions if route is not None else ()) if one is not former]
            if topics == joined and latter is not None:
                stays.append(latter)
            if stays:
                selection = route.selection if route is not None else self._selection(feed.name, topics)
                routes[topics] = _Route(selection, tuple(stays))
        feed.routes = _Routes(routes, self.ids)


def keep_freed_memory() -> None:
    """Have glibc keep what is freed, instead of giving it back to the system after every batch.

    Rows picked for ten selections took 75 us a selection, of which 55 were page faults. Freeing one block that was
    mapped raises its thresholds to that size (mallopt(3), M_MMAP_THRESHOLD); none of it is ever touched.
    """
    np.empty(_KEPT_BYTES, np.uint8)


def _of(feed: str, topics: Iterable[Topic]) -> frozenset[Topic]:
    return frozenset(topic for topic in topics if topic.of_feed(feed))


def _books(port: Port, selection: Selection) -> list[BookUpdate]:
    """Snapshots of the verified books that are selected; of the others none is made, where they need not be."""
    if selection.names is None:
        return [book for book in port.books() if selection.wants(book.instrument.name, EventKind.BOOK)]
    names = sorted(name for name in selection.names if selection.wants(name, EventKind.BOOK))
    return [book for book in map(port.book, names) if book is not None]


def _hand_over_in_pieces(takers: list[Taker], batch: Batch, most_rows: int) -> None:
    for piece in batch.pieces(most_rows):
        for tell, subscription in takers:
            if tell(piece, len(piece)) is CLOSED:
                subscription.refuse(len(piece))


def _hand_over_mark(route: _Route, mark: Mark) -> None:
    for _, takers in route.direct:
        for tell, _ in takers:
            tell(mark, 0)
    for subscription in route.others:
        subscription.put(mark, 0)
