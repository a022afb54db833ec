"""What may be recorded of what we say and ask."""

import pytest

from ticktree.feeds.recording.secrets import may_be_recorded, without_secrets
from ticktree.market import dialect, messages, wire


def test_the_first_word_of_our_own_protocols_is_not_recorded() -> None:
    hello = messages.Hello(token="open sesame")
    assert not may_be_recorded(wire.Writer().write(hello))
    assert not may_be_recorded(dialect.encode(hello))


@pytest.mark.parametrize(
    "frame",
    [
        b'{"type":"subscribe","signature":"abc"}',
        b'{"op":"auth","args":["k"],"apiKey":"k"}',
        b'{"X-API-KEY":"k"}',
        b'{"passphrase":"p"}',
        b"PASSWORD 1234",
    ],
)
def test_what_tells_who_we_are_is_not_recorded(frame: bytes) -> None:
    assert not may_be_recorded(frame)


def test_a_plain_subscription_is_recorded() -> None:
    assert may_be_recorded(b'{"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":1}')
    assert may_be_recorded(dialect.encode(messages.Subscribe(("a/b/trade",))))


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://u:p@host/a/b?symbol=BTC&limit=5", "https://host/a/b?symbol=BTC&limit=5"),
        ("https://host/a?symbol=BTC&apiKey=1&signature=2&token=3", "https://host/a?symbol=BTC"),
        ("https://host/a", "https://host/a"),
        ("https://host/a?empty=#top", "https://host/a?empty="),
    ],
)
def test_questions_are_recorded_without_what_tells_who_asks(url: str, kept: str) -> None:
    assert without_secrets(url) == kept
