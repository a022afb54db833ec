"""What a failure says: which rule, and what was sent, expected and told, no longer than it takes."""

from ticktree.feeds import FeedAccount
from ticktree.feeds.testing import RULES, Nonconforming
from ticktree.feeds.testing.facts import Market
from ticktree.market import Trade

from ..json_feed import BTC


def test_a_failure_names_its_rule_and_where_it_is_written() -> None:
    error = Nonconforming(6, "a trade was told twice")
    assert str(error).splitlines() == ["a trade was told twice", f"  rule 6: {RULES[6]} (docs/add-a-feed.md)"]
    assert isinstance(error, AssertionError)
    assert (error.rule, error.what) == (6, "a trade was told twice")


def test_it_shows_what_was_sent_expected_and_told() -> None:
    told = [Trade("feed", BTC, 100.01, 0.0101, None, 1, 0, 7)]
    text = str(Nonconforming(1, "x", sent=b"abc", expected=Market(BTC).trade(1), came=told))
    assert "  sent     b'abc'\n" in text
    assert "  expected TradeFact(instrument=BTC-USDT, number=1, price=100.01, size=0.0101" in text
    told_line = "Trade(feed=feed, instrument=BTC-USDT, price=100.01, size=0.0101, sequence=1, received_time_ns=7)"
    assert f"  came     \n    {told_line}" in text


def test_what_is_long_is_cut_and_what_is_nothing_says_so() -> None:
    text = str(Nonconforming(1, "x", sent=b"a" * 10_300, came=[]))
    assert "and 10,000 bytes more" in text
    assert "  came     nothing" in text
    assert len(text) < 700


def test_of_accounts_it_shows_what_is_not_zero() -> None:
    assert str(Nonconforming(1, "x", account=FeedAccount(decoded=5))).endswith("account  FeedAccount(decoded=5)")
