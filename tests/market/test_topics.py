"""What a topic selects."""

import pytest
from hypothesis import given, strategies as st

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


def test_an_instrument_alone_may_be_asked_for() -> None:
    assert Topic.parse("sim/A-*/quote").matches_instrument("A-B")
    assert not Topic.parse("sim/A-*/quote").matches_instrument("B-A")


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("a/b/quote", "a/b/quote", True),
        ("a/b/quote", "a/b/trade", False),
        ("*/b/*", "a/b/trade", True),
        ("a/B*/quote", "a/*T/quote", True),
        ("a/B*X/quote", "a/*T/quote", False),
        ("a/AB*/quote", "a/A*/quote", True),
        ("a/AC*/quote", "a/AB*/quote", False),
        ("a/*x*/quote", "a/*y*/quote", True),
        ("*/*/*", "*/*/*", True),
        ("a/b/q*", "a/b/*e", True),
        ("a/b/b*k", "a/b/*r", False),
    ],
)
def test_topics_overlap_where_some_stream_is_of_both(one: str, other: str, overlap: bool) -> None:
    assert Topic.parse(one).overlaps(Topic.parse(other)) is overlap
    assert Topic.parse(other).overlaps(Topic.parse(one)) is overlap


parts = st.text("ab*", min_size=1, max_size=5)
names = st.text("ab", min_size=1, max_size=5)


@given(parts, parts, names)
def test_what_both_select_they_overlap_in(one: str, other: str, name: str) -> None:
    topics = Topic("f", one, "quote"), Topic("f", other, "quote")
    if all(topic.matches_instrument(name) for topic in topics):
        assert topics[0].overlaps(topics[1])


@given(parts, names)
def test_a_star_is_any_run_of_characters(part: str, name: str) -> None:
    def selects(part: str, name: str) -> bool:
        if not part:
            return not name
        if part[0] == "*":
            return selects(part[1:], name) or (bool(name) and selects(part, name[1:]))
        return bool(name) and part[0] == name[0] and selects(part[1:], name[1:])

    assert Topic("f", part, "quote").matches_instrument(name) is selects(part, name)


def test_stars_without_end_are_answered_at_once() -> None:
    assert not Topic("f", "*a" * 31 + "b", "quote").matches_instrument("a" * 64)  # every way to share out 64 is 10**18
