"""One subscriber: how what it asked for gets into its mailbox, and what becomes of what does not fit.

Nothing here raises or waits. What a mailbox refuses is counted; what a `Block` mailbox has no room for waits in order,
while the feed it came from stands still.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from ticktree.actors import ActorRef, Block, Conflate, Delivery, Fail, MailboxFull, TooHeavy
from ticktree.actors.mailbox import Plain
from ticktree.market import Batch, Event, Port, Skipped, Topic, batch_rows, latest_quote, weight
from ticktree.market.conflation import has_quotes, latest_quotes
from ticktree.market.ticks import VECTOR_ROWS

# Members of an enum cost 30 ns to look up on CPython 3.11.
ACCEPTED = Delivery.ACCEPTED
FULL, CLOSED = Delivery.FULL, Delivery.CLOSED


def plain_policy(subscriber: ActorRef[Any]) -> Plain:
    """What the subscriber's mailbox does with what does not fit (and does not conflate)."""
    overflow = subscriber.mailbox.overflow
    return overflow.otherwise if isinstance(overflow, Conflate) else overflow


class Backlog:
    """What waits for room in one `Block` mailbox, and the feeds that stand still meanwhile."""

    def __init__(self) -> None:
        self.paused: dict[str, Port] = {}
        self._waiting: dict[asyncio.Future[Delivery], int] = {}
        self._refused = 0

    @property
    def ticks(self) -> int:
        """That wait."""
        return sum(ticks for entered, ticks in self._waiting.items() if not entered.done())

    @property
    def refused(self) -> int:
        """Ticks that waited in vain."""
        return self._refused + sum(ticks for entered, ticks in self._waiting.items() if _was_refused(entered))

    def add(self, entered: "asyncio.Future[Delivery]", ticks: int, port: Port | None) -> None:
        """`ticks` of a feed wait; `port` stops it until nothing waits any more."""
        self._waiting[entered] = ticks
        entered.add_done_callback(self._entered)
        if port is not None and self.paused.get(port.name) is not port:
            self.paused[port.name] = port
            port.pause(self)

    def _entered(self, entered: "asyncio.Future[Delivery]") -> None:
        self._refused += self._waiting[entered] if _was_refused(entered) else 0
        del self._waiting[entered]
        if not self._waiting:
            self.let_go()

    def attached(self, port: Port) -> None:
        """`port` takes the place of a feed's former one."""
        if port.name in self.paused:
            self.paused[port.name] = port
            port.pause(self)

    def let_go(self) -> None:
        """Let all feeds go on."""
        paused, self.paused = self.paused, {}
        for port in paused.values():
            port.resume(self)


def _was_refused(entered: "asyncio.Future[Delivery]") -> bool:
    if not entered.done():
        return False
    return entered.cancelled() or entered.exception() is not None or entered.result() in (FULL, CLOSED)


@attrs.define(eq=False)
class Subscription:
    """What one subscriber gets.

    most_rows    batches come in pieces of at most so many rows, so that no handler keeps the loop for long
    pauses_feed  while its `Block` mailbox is full, the feeds it hears stop reading
    only_while   whether it is told anything at the moment; None: always
    """

    subscriber: ActorRef[Any]
    topics: tuple[Topic, ...]
    most_rows: int | None
    pauses_feed: bool
    _ports: Mapping[str, Port]
    only_while: Callable[[], bool] | None = None
    _backlog: Backlog = attrs.field(factory=Backlog)
    _refused: int = 0
    _hole: Skipped | None = None  # what was refused since it last took anything
    _conflates: bool = attrs.field(init=False)
    _keeps_latest_quotes: bool = attrs.field(init=False)  # and nothing else of a batch conflates, which it takes

    def __attrs_post_init__(self) -> None:
        mailbox = self.subscriber.mailbox
        self._conflates = isinstance(mailbox.overflow, Conflate)
        known = isinstance(mailbox.overflow, Conflate) and mailbox.overflow.merge is latest_quote
        self._keeps_latest_quotes = known and mailbox.rows is batch_rows

    @property
    def refused(self) -> int:
        """Ticks its mailbox did not take: it was full, or closed, or they could never fit."""
        return self._refused + self._backlog.refused

    @property
    def waiting(self) -> int:
        """Ticks that wait for room in it, while their feeds stand still."""
        return self._backlog.ticks

    @property
    def direct(self) -> bool:
        """Whether its mailbox takes batches by itself whatever happens, until it is closed."""
        return not self._conflates and not isinstance(self.subscriber.mailbox.overflow, Block | Fail)

    @property
    def taker(self) -> Callable[[Any, int], Delivery]:
        """What tells a `direct` one."""
        tell = self.subscriber.tell
        return tell if self.only_while is None else partial(_tell_while, self.only_while, tell)

    def wants(self, feed: str, instrument: str, kind: str) -> bool:
        """Whether it asked for that stream."""
        return any(topic.matches(feed, instrument, kind) for topic in self.topics)

    def follow(self, former: "Subscription") -> None:
        """Take the place of `former`: go on with its counts, and with what still waits."""
        self._backlog, self._refused, self._hole = former._backlog, former._refused, former._hole

    def attached(self, port: Port) -> None:
        """A feed begins a new life: it stands still if the former one did."""
        self._backlog.attached(port)

    def let_go(self) -> None:
        """Let the feeds go on: nothing newer is sent. What waits still goes in."""
        self._backlog.let_go()

    def send(self, batch: Batch) -> None:
        """Hand over `batch`, in pieces or as single events."""
        if self.only_while is not None and not self.only_while():
            return
        if self._conflates and not (self._keeps_latest_quotes and len(batch) > 1 and not has_quotes(batch)):
            self._send_events(batch)
            return
        most = self.most_rows or len(batch)
        for piece in batch.pieces(min(most, self.subscriber.mailbox.capacity) if self.pauses_feed else most):
            self.put(piece, len(piece))

    def _send_events(self, batch: Batch) -> None:
        """One by one, for a mailbox that may conflate them; where all have room, those that would be, before."""
        latest = None
        if self._keeps_latest_quotes and batch.columnar and not self.pauses_feed:
            latest = batch.made(latest_quotes) if VECTOR_ROWS <= len(batch) <= self.subscriber.room else None
        if latest is not None:
            for event, merged in zip(*latest, strict=True):
                self._tell(event, 1, merged)
        else:
            for event in batch.events:
                self.put(event, weight(event))

    def put(self, message: Batch | Event, ticks: int) -> None:
        """Hand over one message; 0 ticks make it a mark."""
        if self.only_while is not None and not self.only_while():
            return
        if self.pauses_feed:
            self._enter(message, ticks)
        else:
            self._tell(message, ticks)

    def refuse(self, ticks: int) -> None:
        """Its mailbox is closed: whoever lives there next begins anew, and needs no mark."""
        self._refused += ticks

    def _tell(self, message: Batch | Event, ticks: int, merged: int = 0) -> None:
        """`merged`: so many more ticks were merged into it."""
        subscriber = self.subscriber
        if self._hole is not None and ticks <= subscriber.room:
            hole, self._hole = self._hole, None
            subscriber.tell(hole, 0)
        try:
            delivery = subscriber.tell_merged(message, merged) if merged else subscriber.tell(message, ticks)
        except MailboxFull:
            self._refused += ticks + merged
            self._hole = batch_rows.skipped(self._hole, message)
            return
        if delivery is FULL or delivery is CLOSED:
            self._refused += ticks + merged

    def _enter(self, message: Batch | Event, ticks: int) -> None:
        try:
            entered = self.subscriber.enter(message, ticks)
        except TooHeavy:  # one update above the whole capacity
            self._refused += ticks
            hole = batch_rows.skipped(None, message)
            assert hole is not None
            self._enter(hole, 0)
            return
        if not isinstance(entered, Delivery):
            self._backlog.add(entered, ticks, self._ports.get(message.feed))
        elif entered is FULL or entered is CLOSED:
            self._refused += ticks


def _tell_while(wanted: Callable[[], bool], tell: Callable[[Any, int], Delivery], message: Any, ticks: int) -> Delivery:
    return tell(message, ticks) if wanted() else ACCEPTED
