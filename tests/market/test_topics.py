"""What a topic selects."""

import pytest

from ticktree.market import BadTopic, Topic


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("sim/BTC-USDT/quote", True),
        ("*/BTC-USDT/quote", True),
        ("*/BTC-*/quote", True),
        ("*/*-USDT/*", True),
        ("other/BTC-USDT/quote", False),
        ("*/BTC/quote", False),
        ("*/ETH-*/quote", False),
        ("*/*/trade", False),
        ("*/BTC.USDT/quote", False),
    ],
)
def test_topic_selects(text: str, matches: bool) -> None:
    assert Topic.parse(text).matches("sim", "BTC-USDT", "quote") is matches


@pytest.mark.parametrize(
    "text", ["", "quote", "a/b", "a/b/quote/d", "/B-U/quote", "a/b c/quote", "a/[x]/quote", "a/b/?"]
)
def test_what_is_no_topic_is_refused(text: str) -> None:
    with pytest.raises(BadTopic, match="feed/instrument/kind"):
        Topic.parse(text)


def test_a_kind_that_is_not_there_is_named() -> None:
    with pytest.raises(BadTopic, match="no kind 'qoute', only quote, trade"):
        Topic.parse("*/BTC-USDT/qoute")


def test_topic_reads_as_it_is_written() -> None:
    assert str(Topic.parse("*/BTC-*/trade")) == "*/BTC-*/trade"


def test_a_kind_alone_may_be_asked_for() -> None:
    assert Topic.parse("sim/A-B/*").matches_kind("book")
    assert Topic.parse("sim/A-B/book").matches_kind("book")
    assert not Topic.parse("sim/A-B/quote").matches_kind("book")


def test_a_feed_alone_may_be_asked_for() -> None:
    assert Topic.parse("s*m/A-B/quote").of_feed("sim")
    assert not Topic.parse("s*m/A-B/quote").of_feed("other")
