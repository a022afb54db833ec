"""From topics to mailboxes: a plain synchronous object, used within the feed's own call.

A subscription belongs to a place in the tree, not to one of its lives. What a mailbox refuses is counted here and never
raised: a slow or stopped subscriber is no fault of the feed's.
"""

from collections.abc import Iterable
from typing import Any, assert_never

import attrs

from ticktree.actors import ActorRef, Delivery, MailboxFull
from ticktree.market import Event, EventKind, FeedStatus, Quote, Topic, Trade


@attrs.define(eq=False)
class Subscription:
    """What one subscriber gets. `refused` counts ticks its mailbox did not take (full, or closed)."""

    subscriber: ActorRef[Any]
    topics: tuple[Topic, ...]
    refused: int = 0

    def tell(self, event: Event, weight: int) -> None:
        """Hand over one event; 0 makes it a mark, which is never dropped or conflated."""
        try:
            if self.subscriber.tell(event, weight) in _REFUSED:
                self.refused += weight
        except MailboxFull:
            self.refused += weight


_REFUSED = (Delivery.FULL, Delivery.CLOSED)


class Hub:
    """One writer, one loop: call it from the loop's thread only."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, Subscription] = {}
        self._routes: dict[tuple[str, str, str], tuple[Subscription, ...]] = {}

    def subscribe(self, subscriber: ActorRef[Any], topics: Iterable[Topic]) -> Subscription:
        """Send `subscriber` what `topics` select, in place of what it got before."""
        subscription = Subscription(subscriber, tuple(topics))
        self._subscriptions[subscriber.path] = subscription
        self._routes.clear()
        return subscription

    def unsubscribe(self, subscriber: ActorRef[Any]) -> None:
        """Send it nothing any more; harmless when it gets nothing."""
        self._subscriptions.pop(subscriber.path, None)
        self._routes.clear()

    def publish(self, events: Iterable[Event]) -> None:
        """Hand each event to everyone who asked for it, in order. Never waits, never raises."""
        for event in events:
            match event:
                case Quote():
                    self._fan_out(event, EventKind.QUOTE)
                case Trade():
                    self._fan_out(event, EventKind.TRADE)
                case FeedStatus():
                    self._mark(event)
                case _:
                    assert_never(event)

    def subscriptions(self) -> tuple[Subscription, ...]:
        """All of them."""
        return tuple(self._subscriptions.values())

    def _fan_out(self, event: Quote | Trade, kind: EventKind) -> None:
        key = (event.feed, event.instrument.name, kind.value)
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = tuple(
                subscription
                for subscription in self._subscriptions.values()
                if any(topic.matches(*key) for topic in subscription.topics)
            )
        for subscription in route:
            subscription.tell(event, 1)

    def _mark(self, status: FeedStatus) -> None:
        for subscription in self._subscriptions.values():
            if any(topic.of_feed(status.feed) for topic in subscription.topics):
                subscription.tell(status, 0)
