"""The feed of the JSON dialect: what it says, what it makes of what it hears, and what it does when it is refused."""

from collections.abc import Iterable
from typing import Any, cast
from unittest.mock import patch

import pytest

from ticktree.actors import ChildSpec, Supervisor, System
from ticktree.feeds import Acknowledged, FeedAccount, Refused, Source
from ticktree.feeds.dialect import DialectFeed
from ticktree.feeds.simulated import Stats
from ticktree.market import (
    BadPayload,
    BookUpdate,
    EventKind,
    FeedState,
    FeedStatus,
    InstrumentStatus,
    Quote,
    Skipped,
    Topic,
    TradingStatus,
    UnknownInstrument,
    dialect,
    messages,
)
from ticktree.net import Connection

from ..market.samples import BTC, quote, trade
from ..probe import BOX
from .simulated.follower import Follower, following

LEVELS = ((100.0, 1.0),)


def feed(token: str = "") -> DialectFeed:
    source = Source("mine", (Topic("mine", "BTC-USDT", "book"),), Follower(), account=FeedAccount())
    return DialectFeed(source, "ws://127.0.0.1:1/", token)


def heard(feed: DialectFeed, what: Any) -> list[Any]:
    decoded = feed.decode(dialect.encode(what), 77)
    assert isinstance(decoded, Iterable)
    return list(decoded)


def introduced() -> DialectFeed:
    made = feed()
    assert heard(made, messages.Instruments((BTC,))) == []
    return made


def test_it_says_hello_with_its_token_and_subscribes() -> None:
    said = [dialect.decode(frame) for frame in feed("secret").subscribe_frames([Topic("mine", "*", "trade")])]
    assert said == [messages.Hello(token="secret"), messages.Subscribe(("mine/*/trade",))]


def test_a_book_is_asked_for_again_alone() -> None:
    (frame,) = feed().resubscribe_frames(BTC)
    assert dialect.decode(frame) == messages.Subscribe(("mine/BTC-USDT/book",))


def test_data_bear_its_own_name_and_the_time_they_came() -> None:
    (event,) = heard(introduced(), quote(feed="theirs"))
    assert isinstance(event, Quote)
    assert (event.feed, event.instrument, event.received_time_ns) == ("mine", BTC, 77)


def test_a_book_keeps_the_numbers_it_sums_up() -> None:
    told = BookUpdate("theirs", BTC, LEVELS, (), False, 5, 9, 1, 2)
    (event,) = heard(introduced(), told)
    assert (event.first_sequence, event.sequence, event.snapshot) == (5, 9, False)


def test_marks_bear_its_own_name() -> None:
    made = introduced()
    (status,) = heard(made, InstrumentStatus("theirs", BTC, TradingStatus.HALTED, 1, 2))
    (lost,) = heard(made, FeedStatus("theirs", FeedState.LOST, "why", 3))
    assert (status.feed, status.status) == ("mine", TradingStatus.HALTED)
    assert (lost.feed, lost.state) == ("mine", FeedState.LOST)


def test_the_word_that_the_subscription_stands_is_passed_on() -> None:
    assert heard(feed(), messages.Subscribed(("mine/*/*",))) == [Acknowledged()]


@pytest.mark.parametrize("message", [messages.Hello(session="0" * 16, feed="theirs"), messages.Heartbeat()])
def test_words_without_news_are_none(message: messages.Message) -> None:
    assert heard(feed(), message) == []


def test_what_was_left_out_is_told_under_its_own_name() -> None:
    (mark,) = heard(feed(), messages.Skipped(7, (("theirs", "BTC-USDT"),)))
    assert isinstance(mark, Skipped)
    assert (mark.feed, mark.rows, mark.books) == ("mine", 7, frozenset({("mine", "BTC-USDT")}))


def test_an_instrument_that_was_never_defined_is_refused() -> None:
    with pytest.raises(UnknownInstrument, match="BTC-USDT"):
        heard(feed(), trade())


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(BadPayload):
        feed().decode(b'{"type":"gossip"}', 0)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (messages.Refused(messages.Refusal.TOPIC, "no such thing"), "no such thing"),
        (messages.Refused(messages.Refusal.BUSY), "busy"),
        (messages.End("closing time"), "closing time"),
        (messages.Hello(version=9), "it speaks version 9"),
        (messages.Subscribe(("*/*/*",)), "there is no server at that address"),
    ],
)
def test_the_end_of_the_conversation_is_an_error_that_says_why(message: messages.Message, why: str) -> None:
    with pytest.raises(Refused, match=why):
        heard(feed(), message)


def test_books_are_checked_by_their_numbers() -> None:
    assert DialectFeed.rules[EventKind.BOOK].name == "RANGE"


async def test_a_refused_subscription_is_tried_anew_on_another_connection() -> None:
    async with following("ws", topics=("sim/DOGE-USDT/book",)) as rig:
        while (await rig.system.ref("exchange").ask(Stats(), 5.0)).refused < 3:
            pass
        assert rig.account.errors["Refused"] >= 2


class Read:
    """A connection that has just brought `frames`, all in one read."""

    def __init__(self, frames: list[bytes]) -> None:
        self.bytes_in, self.buffered = sum(map(len, frames)), 0
        self.error: Exception | None = None

    def abort(self, error: Exception) -> None:
        self.error = error


async def test_an_error_tells_the_place_of_its_own_message_within_a_read() -> None:
    good = dialect.encode(messages.Heartbeat())
    made, connection = feed(), Read([good, good, b"{}"])
    async with System(Supervisor((ChildSpec("feed", lambda: made, BOX),))):
        made.source.account.opened(cast(Connection, connection))
        with patch.object(type(made), "can_skip", False):
            made.on_frames(cast(Connection, connection), [good, good, b"{}"], more=False)
    assert isinstance(connection.error, BadPayload)
    assert connection.error.offset == 2 * len(good)
