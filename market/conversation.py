"""A server's side of the conversation, sans I/O: what a client may say when, and why it is refused.

Both who serve the wire protocol and its dialect, a relay and the simulated exchange, ask this; docs/wire-protocol.md
is the description.
"""

from hmac import compare_digest

import attrs

from . import messages
from .errors import BadTopic, MarketError
from .messages import MOST_TOPICS, End, Heartbeat, Hello, Refusal, Subscribe, Unsubscribe
from .topics import Topic
from .wire import SILENCE_S

MOST_TEXT = 500  # characters
MOST_REFUSALS = 64  # of requests, after which a connection is not worth its answers


class NotAccepted(MarketError):
    """What a client said is refused: `reason` for programs, `text` for people."""

    def __init__(self, reason: Refusal, text: str) -> None:
        self.reason, self.text = reason, text[:MOST_TEXT]  # it may show what the client wrote
        super().__init__(self.text)


@attrs.frozen
class Wish:
    """What a client asks for, well-formed: `topics` are to be told whole; `standing` are all that stand with them."""

    texts: tuple[str, ...]
    topics: tuple[Topic, ...]
    standing: tuple[str, ...]


@attrs.frozen
class Waiver:
    """What a client no longer asks for; `standing` are all texts that stand without it."""

    standing: tuple[str, ...]


class Conversation:
    """One client's, from the first byte on. Requests are heard in order.

    token        what HELLO must say; empty: nothing
    most_topics  that may stand at once
    standing     the topics that stand, as they were written
    greeted      whether HELLO was said, and right
    """

    def __init__(self, token: str = "", most_topics: int = MOST_TOPICS) -> None:
        self._token, self._most_topics = token, most_topics
        self._silent_s = 0.0
        self._refusals = 0
        self.greeted = False
        self.standing: tuple[str, ...] = ()

    def waited(self, seconds: float) -> None:
        """So much time has passed, by looks and not by the clock. Raises `NotAccepted` where HELLO is overdue."""
        if self.greeted:
            return
        self._silent_s += seconds
        if self._silent_s >= SILENCE_S:
            raise NotAccepted(Refusal.ORDER, f"no hello within {SILENCE_S:g} s")

    def hear(self, message: object) -> Hello | Wish | Waiver | End | None:
        """What is to be answered, if anything; a `Wish` stands once the server agrees. Raises `NotAccepted`."""
        if self._refusals >= MOST_REFUSALS:
            raise NotAccepted(Refusal.ORDER, f"{MOST_REFUSALS} requests were refused")
        match message:
            case Heartbeat():
                return None
            case End():
                return message
            case Hello():
                self._greet(message)
                return message
            case Subscribe() if self.greeted:
                return self._wish(message.topics)
            case Unsubscribe() if self.greeted:
                self.standing = tuple(text for text in self.standing if text not in message.topics)
                return Waiver(self.standing)
            case _:
                raise NotAccepted(Refusal.ORDER, "first hello, then what you subscribe to")

    def agree(self, wish: Wish) -> None:
        """The server has what `wish`, the last that was heard, asks for."""
        self.standing = wish.standing

    def refused(self) -> None:
        """A request was refused, and the connection stays."""
        self._refusals += 1

    def _greet(self, hello: Hello) -> None:
        if self.greeted:
            raise NotAccepted(Refusal.ORDER, "hello was said")
        if hello.version != messages.VERSION:
            raise NotAccepted(Refusal.VERSION, f"version {messages.VERSION} is spoken here, not {hello.version}")
        if self._token and not compare_digest(hello.token.encode(), self._token.encode()):
            raise NotAccepted(Refusal.TOKEN, "the token is missing or wrong")
        self.greeted = True

    def _wish(self, texts: tuple[str, ...]) -> Wish:
        asked = tuple(dict.fromkeys(texts))
        standing = (*self.standing, *(text for text in asked if text not in self.standing))
        try:
            topics = tuple(map(Topic.parse, asked))
        except BadTopic as error:
            raise NotAccepted(Refusal.TOPIC, str(error)) from error
        if len(standing) > self._most_topics:
            raise NotAccepted(Refusal.LIMIT, f"{self._most_topics} topics are the most")
        return Wish(texts, topics, standing)
