"""What a client may say when, and why it is refused."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from ticktree.market import Topic, messages
from ticktree.market.conversation import MOST_REFUSALS, MOST_TEXT, Conversation, NotAccepted, Waiver, Wish
from ticktree.market.messages import Refusal

HELLO = messages.Hello()
QUOTES = ("sim/*/quote",)


def greeted(**options: Any) -> Conversation:
    conversation = Conversation(**options)
    conversation.hear(HELLO)
    return conversation


def subscribe(conversation: Conversation, *texts: str) -> Wish:
    wish = conversation.hear(messages.Subscribe(texts))
    assert isinstance(wish, Wish)
    conversation.agree(wish)
    return wish


def refusal(conversation: Conversation, message: object) -> Refusal:
    with pytest.raises(NotAccepted) as refused:
        conversation.hear(message)
    return refused.value.reason


def test_first_hello_then_topics_which_add_up() -> None:
    conversation = Conversation()
    assert conversation.hear(HELLO) is HELLO
    assert subscribe(conversation, *QUOTES) == Wish(QUOTES, (Topic("sim", "*", "quote"),), QUOTES)
    wish = subscribe(conversation, "a/b/trade", "sim/*/quote", "a/b/trade")
    assert [str(topic) for topic in wish.topics] == ["a/b/trade", "sim/*/quote"]  # to be told whole again
    assert wish.standing == conversation.standing == ("sim/*/quote", "a/b/trade")
    assert conversation.hear(messages.Unsubscribe(("sim/*/quote", "x/y/book"))) == Waiver(("a/b/trade",))
    assert conversation.hear(messages.Heartbeat()) is None
    assert conversation.hear(messages.End("enough")) == messages.End("enough")


def test_a_wish_that_the_server_does_not_agree_to_leaves_all_as_it_stood() -> None:
    conversation = greeted()
    subscribe(conversation, *QUOTES)
    conversation.hear(messages.Subscribe(("a/b/trade",)))
    assert conversation.standing == QUOTES


@pytest.mark.parametrize(
    "message",
    [
        messages.Subscribe(QUOTES),
        messages.Unsubscribe(QUOTES),
        messages.Subscribed(QUOTES),
        messages.Skipped(3),
        messages.Instruments(()),
        object(),
    ],
)
def test_what_may_not_be_said_before_hello_is_refused(message: object) -> None:
    assert refusal(Conversation(), message) is Refusal.ORDER


@pytest.mark.parametrize("message", [HELLO, messages.Subscribed(QUOTES), messages.Refused(Refusal.BUSY), object()])
def test_what_a_client_may_never_say_or_not_twice_is_refused(message: object) -> None:
    assert refusal(greeted(), message) is Refusal.ORDER


def test_a_hello_of_another_version_or_a_wrong_token_is_refused() -> None:
    assert refusal(Conversation(), messages.Hello(version=2)) is Refusal.VERSION
    for token in ("", "wrong", "open sesame ", "öpen sesame"):
        conversation = Conversation("open sesame")
        assert refusal(conversation, messages.Hello(token=token)) is Refusal.TOKEN
        assert not conversation.greeted
    assert Conversation("open sesame").hear(messages.Hello(token="open sesame"))


def test_topics_that_are_none_or_too_many_are_refused() -> None:
    conversation = greeted(most_topics=3)
    subscribe(conversation, *QUOTES)
    assert refusal(conversation, messages.Subscribe(("sim/x",))) is Refusal.TOPIC
    assert refusal(conversation, messages.Subscribe(("a/b/quote", "a/c/quote", "a/d/quote"))) is Refusal.LIMIT
    subscribe(conversation, "a/b/quote", "a/c/quote", *QUOTES)


def test_what_people_are_told_is_short_whatever_the_client_wrote() -> None:
    with pytest.raises(NotAccepted) as refused:
        greeted().hear(messages.Subscribe(("x" * 60_000,)))
    assert len(refused.value.text) == len(str(refused.value)) == MOST_TEXT


def test_who_is_refused_again_and_again_is_refused_for_good() -> None:
    conversation = greeted()
    for _ in range(MOST_REFUSALS):
        assert conversation.hear(messages.Heartbeat()) is None
        conversation.refused()
    assert refusal(conversation, messages.Heartbeat()) is Refusal.ORDER


def test_a_hello_that_does_not_come_is_overdue_after_the_silence() -> None:
    conversation = Conversation()
    for _ in range(7):
        conversation.waited(0.25)
    with pytest.raises(NotAccepted, match="no hello within 2 s"):
        conversation.waited(0.25)
    late = Conversation()
    late.waited(1.75)
    late.hear(HELLO)
    late.waited(100.0)


texts = st.sampled_from(["a/b/quote", "a/b/trade", "a/*/book", "b/c/*"])


@given(st.lists(st.tuples(st.booleans(), st.lists(texts, max_size=4).map(tuple))))
def test_what_stands_is_what_was_asked_for_and_not_given_up(requests: list[tuple[bool, tuple[str, ...]]]) -> None:
    conversation, stands = greeted(), dict[str, None]()
    for adds, named in requests:
        if adds:
            subscribe(conversation, *named)
            stands |= dict.fromkeys(named)
        else:
            conversation.hear(messages.Unsubscribe(named))
            stands = {text: None for text in stands if text not in named}
        assert conversation.standing == tuple(stands)
