"""One connection to the relay, from its first byte to its last: what the client says, and whether it still lives.

Until its HELLO is answered it is a guest and no more: it costs its connection, a few KiB and a place in line. Then an
actor answers it, which is told every request in order.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ticktree.actors import ActorRef, NotRunning
from ticktree.market import ForeignFrame, MarketError, Topic, messages, wire
from ticktree.market.conversation import MOST_TEXT, Conversation, NotAccepted, Waiver, Wish
from ticktree.market.messages import Refusal
from ticktree.net import Connection, NetError, Pulse, Silent, WebSocketConnection

from ..subscription import Subscription
from .speech import Speech, WireSpeech

if TYPE_CHECKING:
    from .lobby import Lobby

log = logging.getLogger("ticktree.distribution")

BEAT_S = wire.HEARTBEAT_S / 4
_QUIET_BEATS = 3  # without a word of ours; with the next look a heartbeat is due
_MOST_IN_LINE = 16  # requests of one that waits in line: they are answered in one turn, and kept until then


@attrs.frozen
class Wanted:
    """A request that stands: `standing` and `topics` are all there is to be sent, `tell` what is to be told whole."""

    texts: tuple[str, ...]
    tell: tuple[Topic, ...]
    standing: tuple[str, ...]
    topics: tuple[Topic, ...]


@attrs.frozen
class Gone:
    """The connection is."""


@attrs.frozen
class Fault:
    """A callback of the connection's raised; the error is to end this client."""

    error: Exception


Request = Wanted | messages.Refused | Gone | Fault


class Guest:
    """The peer of one connection. `feed`: the only one that it can hear, in the binary protocol."""

    def __init__(self, lobby: "Lobby", speech: Speech) -> None:
        self.speech = speech
        self.connection: Connection | None = None
        self.feed = ""
        self.topics: dict[str, Topic] = {}  # that stand, by how they were written
        self.subscription: Subscription | None = None
        self.ref: ActorRef[Any] | None = None  # of the actor that answers
        self.since_ns = 0
        self.ended = False  # nothing more is said, nor heard
        self._lobby = lobby
        self._conversation = Conversation(lobby.terms.token, lobby.terms.most_topics)
        self._requests: list[Request] = []  # while it waits in line
        self._pulse: Pulse | None = None
        self._reading = True
        self._said = self._quiet = 0

    # --- the connection's calls --------------------------------------------------------------------------------

    def on_open(self, connection: Connection) -> None:
        self.connection = connection
        self.speech.begin(connection)
        if not isinstance(connection, WebSocketConnection):  # which looks after its pulse itself, with pings
            self._pulse = Pulse(wire.HEARTBEAT_S, BEAT_S)
        try:
            self._lobby.enter(self)
        except NotAccepted as refused:
            self._refuse(refused.reason, refused.text)

    def on_frames(self, connection: Connection, frames: Sequence[memoryview | bytes], more: bool) -> None:
        for frame in frames:
            if self.ended:
                break
            try:
                self._take(self.speech.hear(frame))
            except NotAccepted as refused:
                self._refuse(refused.reason, refused.text)
            except MarketError as error:
                foreign = isinstance(error, ForeignFrame) and error.version != wire.VERSION
                self._refuse(Refusal.VERSION if foreign else Refusal.MALFORMED, str(error)[:MOST_TEXT])

    def on_lost(self, connection: Connection, error: Exception) -> None:
        self.ended = True
        self.speech.finish()
        self._lobby.leave(self, error)
        if isinstance(error, MarketError | NetError):
            log.info("relay: the %s client %s went: %s", self.speech.speaks, connection.remote, error)
        self._pass_on(Gone())

    def on_fault(self, error: Exception) -> None:
        log.error("relay: a client's connection failed", exc_info=error)
        self._pass_on(Fault(error))

    # --- what it says ------------------------------------------------------------------------------------------

    def _take(self, message: object) -> None:
        match self._conversation.hear(message):
            case messages.Hello():
                self._lobby.line_up(self)
            case Wish() as wish:
                self._wish(wish)
            case Waiver(standing):
                self.topics = {text: topic for text, topic in self.topics.items() if text in standing}
                self._pass_on(Wanted((), (), standing, tuple(self.topics.values())))
            case messages.End():
                self.dismiss("goodbye")
            case None:
                pass

    def _wish(self, wish: Wish) -> None:
        feeds = self._lobby.feeds(wish.topics)
        if isinstance(self.speech, WireSpeech):
            every = dict.fromkeys([self.feed, *feeds] if self.feed else feeds)
            if len(every) > 1:
                text = f"these topics are of several feeds, {', '.join(every)}: a connection takes those of one"
                raise NotAccepted(Refusal.TOPIC, text)
            self.feed = feeds[0]
        # A `*` may match feeds that are yet to come: of those a connection of one feed must hear nothing.
        named = tuple(attrs.evolve(topic, feed=self.feed) if self.feed else topic for topic in wish.topics)
        self._conversation.agree(wish)
        self.topics |= dict(zip(dict.fromkeys(wish.texts), named, strict=True))
        self._pass_on(Wanted(wish.texts, named, wish.standing, tuple(self.topics.values())))

    def _refuse(self, reason: Refusal, text: str) -> None:
        self._lobby.refused[reason] += 1
        log.info("relay: refused a %s client: %s", self.speech.speaks, text)
        refused = messages.Refused(reason, text)
        if reason.is_final:
            self.speech.say(refused)
            self.dismiss(text)
        else:
            self._conversation.refused()
            self._pass_on(refused)

    def _pass_on(self, request: Request) -> None:
        """Have it answered, in order; and hear nothing more until it is. In line, some may gather."""
        if self.ref is None:
            self._requests.append(request)
            if len(self._requests) < _MOST_IN_LINE:  # who is not read cannot be seen to go
                return
        else:
            try:
                self.ref.tell_control(request)
            except NotRunning:  # its system is over
                return
        if self.connection is not None and self._reading and not self.ended:
            self._reading = False
            self.connection.pause_reading()

    # --- what the relay does -----------------------------------------------------------------------------------

    def serve(self, ref: ActorRef[Any]) -> list[Request]:
        """From now on the actor at `ref` answers; what was asked while the guest waited."""
        self.ref = ref
        requests, self._requests = self._requests, []
        return requests

    def answered(self) -> None:
        """A request was answered: the next may come."""
        if not self._reading:
            self._reading = True
            if self.connection is not None and not self.ended:
                self.connection.resume_reading()

    def dismiss(self, why: str) -> None:
        """Say the last word, and have the connection closed."""
        if self.ended or self.connection is None:
            return
        self._end(why)
        self._lobby.close(self.connection)

    async def leave(self, why: str) -> None:
        """The same, and wait for it; bounded."""
        if self.connection is not None:
            if not self.ended:
                self._end(why)
            await self.connection.close(lingers=True)

    def _end(self, why: str) -> None:
        self.speech.say(messages.End(why))
        self.speech.finish()
        self.ended = True
        self._lobby.line.pop(self, None)

    def beat(self) -> None:
        """Each `BEAT_S`: whether it lives, and keeps up; and show that we do."""
        connection = self.connection
        if connection is None or self.ended:
            return
        if not self._conversation.greeted:
            self._wait_for_hello()
            return
        silent_s = self._pulse.look(connection, self._reading) if self._pulse is not None else None
        if silent_s is not None:
            connection.abort(Silent(silent_s))
        elif self._lobby.terms.fails and self.subscription is not None and self.subscription.refused:
            self._lobby.lost["TooSlow"] += 1
            self.dismiss("it does not keep up")
        elif not connection.paused:
            self._show_life()

    def _wait_for_hello(self) -> None:
        try:
            self._conversation.waited(BEAT_S)
        except NotAccepted as refused:
            self._refuse(refused.reason, refused.text)

    def _show_life(self) -> None:
        said = self.speech.said
        self._quiet = self._quiet + 1 if said == self._said else 0
        if self._quiet >= _QUIET_BEATS:
            self.speech.say(messages.Heartbeat())
            self._quiet = 0
        self._said = self.speech.said
