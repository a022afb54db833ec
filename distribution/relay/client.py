"""One client of the relay: its mailbox is its buffer, and the mailbox's policy is what becomes of a slow one."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import attrs

from ticktree.actors import Actor, Ignore, Reason
from ticktree.market import MARKS, Bar, Batch, BookUpdate, Instrument, Mark, Quote, Skipped, Topic, Trade, messages
from ticktree.net import Connection, PeerLost

from ..errors import UnknownRequest
from .guest import Fault, Gone, Guest, Wanted
from .lobby import Lobby
from .speech import MOST_ROWS

DATA = (Quote, Trade, BookUpdate, Bar)


@attrs.frozen
class Known:
    """Around what is known of `texts`, in the client's mailbox: it begins, or ends."""

    texts: tuple[str, ...]
    begins: bool


class RelayClient(Actor[Any]):
    """Writes what the hub sends it to its connection; while that has no room it waits, and its mailbox fills."""

    def __init__(self, lobby: Lobby, guest: Guest) -> None:
        self._lobby, self._hub, self._guest = lobby, lobby.terms.hub, guest
        self._speech = guest.speech
        self._capacity = 0
        self._topics: tuple[Topic, ...] = ()
        self._changes = -1  # of the hub's definitions, when they were last looked through
        self._told: dict[int, Instrument] = {}  # definitions, by id
        self._names: dict[str, int] = {}  # the id last told of each name
        self._selected: dict[str, bool] = {}  # names of instruments, where a `*` may stand for some
        self._exactly: tuple[str, ...] | None = None  # the names that are asked for, where none is a pattern

    def on_start(self) -> None:
        guest = self._guest
        if guest.ended or guest.connection is None:
            raise Ignore
        self._connection: Connection = guest.connection
        self._capacity = self.ref.mailbox.capacity
        feeds = self._lobby.offers.names
        self._speech.say(messages.Hello(session=self._lobby.session, feed=feeds[0] if len(feeds) == 1 else ""))
        guest.since_ns = self.clock.now_ns()
        for request in guest.serve(self.ref):
            self.on_message(request)

    def on_message(self, message: Any) -> Awaitable[None] | None:
        if type(message) is Batch:
            if self._changes != self._hub.ids.changes:
                self._define()
            self._speech.tell(message)
        elif isinstance(message, DATA):
            if self._changes != self._hub.ids.changes:
                self._define()
            self._speech.tell_one(message)
        elif isinstance(message, MARKS):
            self._mark(message)
        elif isinstance(message, Known):
            bracket = messages.SnapshotBegin if message.begins else messages.SnapshotEnd
            self._speech.say(bracket(message.texts))
        else:
            self._answer(message)
        return self._go_on()

    async def on_stop(self, reason: Reason) -> None:
        self._hub.unsubscribe(self.ref)
        if self._guest.connection is not None:  # else it never began
            self._speech.flush()
            await self._guest.leave("the relay closes" if reason.error is None else "the relay failed")

    def _go_on(self) -> Awaitable[None] | None:
        """Write what has gathered once nothing more waits, or a frame is full; and wait where there is no room."""
        speech = self._speech
        gathered = speech.gathered
        if gathered and (gathered >= MOST_ROWS or self.ref.room == self._capacity):
            speech.flush()
        return self._wait() if self._connection.paused else None

    async def _wait(self) -> None:
        connection, patience_s = self._connection, self._lobby.terms.stuck_after_s
        try:
            while connection.paused and not connection.gone.done():
                unsent = connection.unsent
                try:
                    async with asyncio.timeout(patience_s):
                        await connection.room()
                except TimeoutError:
                    if connection.unsent >= unsent:
                        connection.abort(PeerLost(f"it took nothing for {patience_s:g} s"))
        except asyncio.CancelledError:
            connection.abort(PeerLost("its client was stopped"))
            raise

    # --- what the hub tells ------------------------------------------------------------------------------------

    def _mark(self, mark: Mark) -> None:
        if isinstance(mark, Skipped):
            self._speech.say(messages.said(Skipped(mark.rows, mark.books, mark.feed or self._guest.feed)))
            return
        if self._changes != self._hub.ids.changes:
            self._define()
        instrument = getattr(mark, "instrument", None)
        if instrument is not None and self._names.get(instrument.name) != instrument.id:  # it will be named
            self._tell_definitions([instrument])
        self._speech.say(messages.said(mark))

    def _define(self) -> None:
        """Tell the definitions that are new, or have changed, of what was asked for."""
        ids, told = self._hub.ids, self._told
        self._changes = ids.changes
        if self._exactly is not None:
            news = [one for name in self._exactly for one in ids.named(name) if told.get(one.id) is not one]
        else:
            news = [one for one in ids.by_id.values() if told.get(one.id) is not one and self._selects(one.name)]
        if news:
            self._tell_definitions(news)

    def _tell_definitions(self, instruments: list[Instrument]) -> None:
        self._told |= {one.id: one for one in instruments}
        self._names |= {one.name: one.id for one in instruments}
        self._speech.say(messages.Instruments(tuple(instruments)))

    def _selects(self, name: str) -> bool:
        selected = self._selected.get(name)
        if selected is None:
            selected = self._selected[name] = any(topic.matches_instrument(name) for topic in self._topics)
        return selected

    # --- what the client asks ----------------------------------------------------------------------------------

    def _answer(self, request: object) -> None:
        match request:
            case Wanted():
                self._want(request)
            case messages.Refused():
                self._speech.say(request)
            case Gone():
                self.stop()
            case Fault(error):
                raise error
            case _:  # refs found by path take anything
                raise UnknownRequest(self.path, request)
        self._guest.answered()

    def _want(self, wanted: Wanted) -> None:
        self._topics = wanted.topics
        self._selected.clear()
        exact = all("*" not in topic.instrument for topic in wanted.topics)
        self._exactly = tuple(dict.fromkeys(topic.instrument for topic in wanted.topics)) if exact else None
        self._define()
        self._speech.say(messages.Subscribed(wanted.standing))
        if not wanted.topics:
            self._hub.unsubscribe(self.ref)
            return
        if wanted.tell:
            self.ref.tell(Known(wanted.texts, begins=True), 0)
        self._guest.subscription = self._hub.subscribe(
            self.ref, wanted.topics, pauses_feed=self._lobby.terms.pauses_feed, tell=wanted.tell
        )
        if wanted.tell:
            self.ref.tell(Known(wanted.texts, begins=False), 0)
